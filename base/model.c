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
	/* Field by field: the model is large, and a plain start touches few of its pages. */
	ret_model->confinement.no_new_privs = true;
	ret_model->stop.timeout_ns = TIME_NEVER;
	ret_model->log_level = LOG_LEVEL_NOTICE;
	ret_model->restart = (struct restart_policy){
		.backoff_ns = NS_PER_S,
		.max_backoff_ns = 30 * NS_PER_S,
		.attempts = 5,
		.window_ns = 300 * NS_PER_S,
	};
	ret_model->timing = check_default_timing;
}

bool model_shapes_stop(const struct model *model)
{
	const struct stop_policy *stop = &model->stop;
	bool marks = false;

	for (size_t i = 0; i < MODEL_SIGNALS; i++)
		marks = marks || stop->rewrite[i] != 0;
	for (size_t i = 0; i < sizeof stop->clean_exit / sizeof stop->clean_exit[0]; i++)
		marks = marks || stop->clean_exit[i] != 0;
	return marks || model->restart.kind != RESTART_NEVER || stop->signal != 0 || stop->on != 0 ||
		stop->drain_ns > 0 || stop->pre_stop != NULL || stop->timeout_ns != TIME_NEVER;
}

bool model_wants_monitor(const struct model *model)
{
	return model->check_count > 0 || model->listen_count > 0 || model->confinement.seccomp_report ||
		model->trace_endpoint != NULL;
}

bool model_wants_notify(const struct model *model)
{
	for (size_t i = 0; i < model->check_count; i++)
		if (model->check[i].target.kind == TARGET_NOTIFY)
			return true;
	return false;
}
