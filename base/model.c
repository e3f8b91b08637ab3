#include "base/model.h"

#include "base/clock.h"

#include <assert.h>

static const char layer_names[][16] = { "user", "capabilities", "securebits", "no_new_privs", "seccomp", "read_only",
	"tmpfs", "limits", "exec_allow", "tcp" };
static_assert(sizeof layer_names / sizeof layer_names[0] == LAYER_COUNT, "a name for every layer");

static const char log_format_names[][8] = { "text", "json", "ecs" };
static_assert(sizeof log_format_names / sizeof log_format_names[0] == LOG_FORMAT_COUNT, "a name for every format");

static const char log_level_names[][8] = { "error", "warning", "notice", "info" };
static_assert(sizeof log_level_names / sizeof log_level_names[0] == LOG_LEVEL_COUNT, "a name for every level");

const char *layer_name(enum layer layer)
{
	return layer_names[layer];
}

const char *log_format_name(enum log_format format)
{
	return log_format_names[format];
}

const char *log_level_name(enum log_level level)
{
	return log_level_names[level];
}

void model_defaults(struct model *ret_model)
{
	ret_model->log_level = LOG_LEVEL_NOTICE;
	service_defaults(&ret_model->main);
}

void service_defaults(struct service *ret_service)
{
	/* Field by field: it is large, and a plain start touches few of its pages. */
	ret_service->essential = true;
	ret_service->confinement.no_new_privs = true;
	ret_service->stop.timeout_ns = TIME_NEVER;
	ret_service->restart = (struct restart_policy){
		.backoff_ns = NS_PER_S,
		.max_backoff_ns = 30 * NS_PER_S,
		.attempts = 5,
		.window_ns = 300 * NS_PER_S,
	};
	ret_service->timing = check_default_timing;
}

size_t model_service_count(const struct model *model)
{
	return 1 + model->more_count;
}

const struct service *model_service(const struct model *model, size_t index)
{
	return index == 0 ? &model->main : &model->more[index - 1];
}

const char *service_name(const struct service *service)
{
	return service->name != NULL ? service->name : "main";
}

const char *secret_action_name(enum secret_action action)
{
	static const char names[SECRET_ACTION_COUNT][8] = { "none", "restart", "rolling", "signal", "command" };

	return names[action];
}

bool secret_is_for(const struct secret *secret, size_t service)
{
	uint64_t any = 0;

	for (size_t i = 0; i < MODEL_SERVICES_MAX / 64; i++)
		any |= secret->services[i];
	return any == 0 || (secret->services[service / 64] >> service % 64 & 1) != 0;
}

bool model_has_secrets(const struct model *model, size_t service)
{
	for (size_t i = 0; i < model->secret_count; i++)
		if (secret_is_for(&model->secret[i], service))
			return true;
	return model_service(model, service)->confinement.file_env != NULL;
}

bool service_has_ready_check(const struct service *service)
{
	for (size_t i = 0; i < service->check_count; i++)
		if (service->check[i].kind != CHECK_LIVE)
			return true;
	return false;
}

const char *model_file(const struct model *model, uint32_t file)
{
	const char *const operators[MODEL_FILE_BEARER] = { model->users, model->tokens, model->tls_certificate,
		model->tls_key };

	if (file < MODEL_FILE_BEARER)
		return operators[file];
	return file - MODEL_FILE_BEARER < model->merge_count ? model->merge[file - MODEL_FILE_BEARER].bearer_file
							     : NULL;
}

bool model_shapes_stop(const struct model *model)
{
	const struct stop_policy *stop = &model->main.stop;
	bool marks = false;

	for (size_t i = 0; i < MODEL_SIGNALS; i++)
		marks = marks || stop->rewrite[i] != 0;
	for (size_t i = 0; i < sizeof stop->clean_exit / sizeof stop->clean_exit[0]; i++)
		marks = marks || stop->clean_exit[i] != 0;
	return marks || model->main.restart.kind != RESTART_NEVER || model->main.watch.count > 0 || stop->signal != 0 ||
		stop->on != 0 || stop->drain_ns > 0 || stop->pre_stop != NULL || stop->timeout_ns != TIME_NEVER;
}

bool model_wants_monitor(const struct model *model)
{
	bool wants = model->listen_count > 0 || model->trace_endpoint != NULL || model->more_count > 0;

	for (size_t i = 0; i < model_service_count(model); i++)
		wants = wants || model_service(model, i)->check_count > 0 || model_service(model, i)->watch.count > 0 ||
			model_service(model, i)->confinement.seccomp_report;
	for (size_t i = 0; i < model->secret_count; i++)
		wants = wants || model->secret[i].action != SECRET_NOTHING;
	return wants;
}

bool service_wants_notify(const struct service *service)
{
	for (size_t i = 0; i < service->check_count; i++)
		if (service->check[i].target.kind == TARGET_NOTIFY)
			return true;
	return false;
}

const struct service *model_speaker(const struct model *model)
{
	for (size_t i = 0; i < model_service_count(model); i++)
		if (service_wants_notify(model_service(model, i)))
			return model_service(model, i);
	return NULL;
}

bool model_wants_notify(const struct model *model)
{
	return model_speaker(model) != NULL;
}

const struct service *model_reported(const struct model *model)
{
	for (size_t i = 0; i < model_service_count(model); i++)
		if (model_service(model, i)->confinement.seccomp_report)
			return model_service(model, i);
	return NULL;
}

size_t model_check_count(const struct model *model)
{
	size_t sum = 0;

	for (size_t i = 0; i < model_service_count(model); i++)
		sum += model_service(model, i)->check_count;
	return sum;
}
