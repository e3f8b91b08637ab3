#include "base/config_write.h"

#include "base/capname.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/secret.h"
#include "base/securebits.h"
#include "base/signame.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define TIME_SIZE 48

struct writer {
	struct json_writer json;
	enum config_audience whom;
};

/* ---- values ---- */

/* A dollar sign would begin a variable. */
static void text(struct writer *writer, const char *key, const char *value)
{
	const size_t size = 2 * strlen(value) + 1;
	cleanup_free char *doubled = strchr(value, '$') != NULL ? malloc(size) : NULL;
	size_t length = 0;

	for (const char *next = value; doubled != NULL && *next != '\0'; next++) {
		if (*next == '$')
			doubled[length++] = '$';
		doubled[length++] = *next;
		doubled[length] = '\0';
	}
	json_write_text(&writer->json, key, doubled != NULL ? doubled : value);
}

/* To the millisecond, as durations are read. */
static void duration(struct writer *writer, const char *key, int64_t ns)
{
	static const struct {
		int64_t ns;
		char unit[3];
	} units[] = { { 3600 * NS_PER_S, "h" }, { 60 * NS_PER_S, "m" }, { NS_PER_S, "s" }, { NS_PER_MS, "ms" } };
	char buffer[TIME_SIZE] = "0";
	size_t length = 0;

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (ns >= units[i].ns)
			length += (size_t)snprintf(buffer + length, sizeof buffer - length, "%" PRId64 "%s",
				ns / units[i].ns, units[i].unit);
		ns %= units[i].ns;
	}
	json_write_text(&writer->json, key, buffer);
}

static void signal_text(struct writer *writer, const char *key, int number)
{
	char name[SIGNAL_NAME_SIZE];

	json_write_text(&writer->json, key, signal_name(number, name));
}

/* The same of what may hold a secret. */
static void guarded(struct writer *writer, const char *key, const char *value, struct secret_words *before)
{
	cleanup_free char *hidden = writer->whom == CONFIG_FOR_PEOPLE ? secret_hide(before, value) : NULL;

	if (hidden != NULL || writer->whom != CONFIG_FOR_PEOPLE)
		text(writer, key, hidden != NULL ? hidden : value);
}

static void words(struct writer *writer, const char *key, char **word)
{
	struct secret_words before = { 0 };

	if (word == NULL || *word == NULL || writer->whom == CONFIG_FOR_MONITOR)
		return;
	json_write_array(&writer->json, key);
	for (; *word != NULL; word++)
		guarded(writer, NULL, *word, &before);
	json_write_end(&writer->json);
}

static void texts(struct writer *writer, const char *key, const char *const *list, size_t count)
{
	if (count == 0)
		return;
	json_write_array(&writer->json, key);
	for (size_t i = 0; i < count; i++)
		text(writer, NULL, list[i]);
	json_write_end(&writer->json);
}

/* ---- confinement ---- */

static bool looks_secret(const char *name, const char *value)
{
	cleanup_free char *variable = NULL;

	return asprintf(&variable, "%s=%s", name, value) < 0 || secret_is_likely(variable);
}

static void environment(struct writer *writer, char **variable)
{
	if (variable == NULL || writer->whom == CONFIG_FOR_MONITOR)
		return;
	json_write_object(&writer->json, "environment");
	for (; *variable != NULL; variable++) {
		cleanup_free char *name = strndup(*variable, strcspn(*variable, "="));

		if (name != NULL && writer->whom == CONFIG_FOR_PEOPLE && secret_is_likely(*variable))
			json_write_text(&writer->json, name, CONFIG_REDACTED);
		else if (name != NULL)
			text(writer, name, *variable + strlen(name) + 1);
	}
	json_write_end(&writer->json);
}

static void capability_list(struct writer *writer, const char *key, uint64_t set)
{
	json_write_array(&writer->json, key);
	if (set == UINT64_MAX)
		json_write_text(&writer->json, NULL, "all");
	for (unsigned i = 0; i < CAPNAME_COUNT && set != UINT64_MAX; i++)
		if ((set >> i & 1) != 0)
			json_write_text(&writer->json, NULL, capname(i));
	json_write_end(&writer->json);
}

static void capabilities(struct writer *writer, const struct confinement *confinement)
{
	if (confinement->cap_given) {
		json_write_object(&writer->json, "capabilities");
		capability_list(writer, "drop", confinement->cap_drop);
		capability_list(writer, "add", confinement->cap_add);
		json_write_end(&writer->json);
	}
	if (confinement->securebits == 0)
		return;
	json_write_array(&writer->json, "securebits");
	for (unsigned i = 0; i < SECUREBITS_COUNT; i++)
		if ((confinement->securebits >> i & 1) != 0)
			json_write_text(&writer->json, NULL, securebits_name(i));
	json_write_end(&writer->json);
}

static void seccomp(struct writer *writer, const struct confinement *confinement)
{
	if (confinement->seccomp == NULL)
		return;
	json_write_object(&writer->json, "seccomp");
	text(writer, "profile", confinement->seccomp);
	json_write_bool(&writer->json, "report", confinement->seccomp_report);
	json_write_end(&writer->json);
}

static void filesystem(struct writer *writer, const struct confinement *confinement)
{
	static const char modes[][10] = { "no", "auto", "remount", "landlock", "verify" };

	json_write_object(&writer->json, "filesystem");
	json_write_text(&writer->json, "read_only", modes[confinement->read_only]);
	texts(writer, "writable", confinement->writable.path, confinement->writable.count);
	if (confinement->tmpfs.count > 0)
		json_write_array(&writer->json, "tmpfs");
	for (size_t i = 0; i < confinement->tmpfs.count; i++) {
		const struct tmpfs_mount *mount = &confinement->tmpfs.mount[i];
		cleanup_free char *both = NULL;

		if (asprintf(&both, "%s%s%s", mount->path, *mount->options != '\0' ? ":" : "", mount->options) >= 0)
			text(writer, NULL, both);
	}
	if (confinement->tmpfs.count > 0)
		json_write_end(&writer->json);
	texts(writer, "exec_allow", confinement->exec_allow.path, confinement->exec_allow.count);
	json_write_end(&writer->json);
}

static void ports(struct writer *writer, const char *key, const struct port_list *list)
{
	if (!list->given)
		return;
	json_write_array(&writer->json, key);
	for (size_t i = 0; i < list->count; i++)
		json_write_u64(&writer->json, NULL, list->port[i]);
	json_write_end(&writer->json);
}

static void network(struct writer *writer, const struct confinement *confinement)
{
	if (!confinement->tcp_bind.given && !confinement->tcp_connect.given)
		return;
	json_write_object(&writer->json, "network");
	ports(writer, "tcp_bind", &confinement->tcp_bind);
	ports(writer, "tcp_connect", &confinement->tcp_connect);
	json_write_end(&writer->json);
}

static void limit_value(struct writer *writer, const char *key, uint64_t value)
{
	if (value > INT64_MAX)
		json_write_text(&writer->json, key, "unlimited");
	else
		json_write_u64(&writer->json, key, value);
}

static void limits(struct writer *writer, const struct limits *limits)
{
	if (limits->given != 0)
		json_write_object(&writer->json, "limits");
	for (unsigned i = 0; i < ULIMIT_COUNT; i++) {
		if ((limits->given >> i & 1) == 0)
			continue;
		json_write_object(&writer->json, ulimit_name(i));
		limit_value(writer, "soft", limits->limit[i].soft);
		limit_value(writer, "hard", limits->limit[i].hard);
		json_write_end(&writer->json);
	}
	if (limits->given != 0)
		json_write_end(&writer->json);
	if (limits->oom_score_adj_given)
		json_write_i64(&writer->json, "oom_score_adj", limits->oom_score_adj);
}

static void confinement(struct writer *writer, const struct confinement *asked)
{
	char mode[8];

	if (asked->user != NULL)
		text(writer, "user", asked->user);
	texts(writer, "group_add", asked->groups.group, asked->groups.count);
	if (asked->workdir != NULL)
		text(writer, "working_dir", asked->workdir);
	snprintf(mode, sizeof mode, "%03o", (unsigned)asked->umask);
	if (asked->umask_given)
		json_write_text(&writer->json, "umask", mode);
	environment(writer, asked->environment);
	if (asked->file_env != NULL)
		text(writer, "file_env", asked->file_env);
	capabilities(writer, asked);
	json_write_bool(&writer->json, "no_new_privs", asked->no_new_privs);
	seccomp(writer, asked);
	filesystem(writer, asked);
	network(writer, asked);
	limits(writer, &asked->limits);
	json_write_text(&writer->json, "security_level", asked->hardened ? "hardened" : "standard");
	json_write_bool(&writer->json, "best_effort", asked->best_effort);
}

/* ---- supervision ---- */

static void restart(struct writer *writer, const struct restart_policy *policy)
{
	static const char kinds[][12] = { "no", "on-failure", "always" };

	json_write_object(&writer->json, "restart");
	json_write_text(&writer->json, "policy", kinds[policy->kind]);
	duration(writer, "backoff", policy->backoff_ns);
	duration(writer, "max_backoff", policy->max_backoff_ns);
	json_write_u64(&writer->json, "attempts", policy->attempts);
	duration(writer, "window", policy->window_ns);
	json_write_end(&writer->json);
}

static void rewrites(struct writer *writer, const uint8_t rewrite[static MODEL_SIGNALS])
{
	char from[SIGNAL_NAME_SIZE];
	bool open = false;

	for (int i = 1; i < MODEL_SIGNALS; i++) {
		if (rewrite[i] == 0)
			continue;
		if (!open)
			json_write_object(&writer->json, "rewrite");
		open = true;
		if (rewrite[i] == MODEL_REWRITE_NOTHING)
			json_write_text(&writer->json, signal_name(i, from), "0");
		else
			signal_text(writer, signal_name(i, from), rewrite[i]);
	}
	if (open)
		json_write_end(&writer->json);
}

static void stop_on(struct writer *writer, uint64_t set)
{
	if (set == 0)
		return;
	json_write_array(&writer->json, "on");
	for (int i = 1; i < MODEL_SIGNALS; i++)
		if ((set >> (i - 1) & 1) != 0)
			signal_text(writer, NULL, i);
	json_write_end(&writer->json);
}

static void clean_exit(struct writer *writer, const uint64_t set[static 4])
{
	json_write_array(&writer->json, "clean_exit");
	for (unsigned i = 0; i < 256; i++)
		if ((set[i / 64] >> i % 64 & 1) != 0)
			json_write_u64(&writer->json, NULL, i);
	json_write_end(&writer->json);
}

static void stop(struct writer *writer, const struct stop_policy *policy)
{
	json_write_object(&writer->json, "stop");
	if (policy->signal != 0)
		signal_text(writer, "signal", policy->signal);
	stop_on(writer, policy->on);
	rewrites(writer, policy->rewrite);
	duration(writer, "drain", policy->drain_ns);
	words(writer, "pre_stop", policy->pre_stop);
	if (policy->pre_stop_timeout_ns > 0)
		duration(writer, "pre_stop_timeout", policy->pre_stop_timeout_ns);
	if (policy->timeout_ns != TIME_NEVER)
		duration(writer, "timeout", policy->timeout_ns);
	clean_exit(writer, policy->clean_exit);
	json_write_end(&writer->json);
}

/* The log process has what it needs of it otherwise. */
static void logging(struct writer *writer, const struct logging *logging)
{
	if (logging->format == LOGGING_NONE || writer->whom == CONFIG_FOR_MONITOR)
		return;
	json_write_object(&writer->json, "logging");
	json_write_text(&writer->json, "format", logging_format_name(logging->format));
	json_write_text(&writer->json, "mode", logging->non_blocking ? "non-blocking" : "blocking");
	if (logging->max_buffer_size > 0)
		json_write_u64(&writer->json, "max_buffer_size", logging->max_buffer_size);
	if (logging->file != NULL)
		text(writer, "file", logging->file);
	if (logging->max_size > 0)
		json_write_u64(&writer->json, "max_size", logging->max_size);
	if (logging->max_file > 0)
		json_write_u64(&writer->json, "max_file", logging->max_file);
	json_write_end(&writer->json);
}

/* ---- health ---- */

static void expected(struct writer *writer, const struct expected *expected)
{
	char range[16];

	if (expected->count == 0)
		return;
	json_write_array(&writer->json, "expect");
	for (size_t i = 0; i < expected->count; i++) {
		snprintf(range, sizeof range, "%u-%u", expected->range[i].first, expected->range[i].last);
		if (expected->range[i].first == expected->range[i].last)
			json_write_u64(&writer->json, NULL, expected->range[i].first);
		else
			json_write_text(&writer->json, NULL, range);
	}
	json_write_end(&writer->json);
}

static void timing(struct writer *writer, const struct check_timing *timing)
{
	duration(writer, "interval", timing->interval_ns);
	duration(writer, "timeout", timing->timeout_ns);
	duration(writer, "start_period", timing->start_period_ns);
	duration(writer, "start_interval", timing->start_interval_ns);
	json_write_u64(&writer->json, "retries", timing->retries);
}

/* Authorization and Cookie hold one by their nature (RFC 9110 section 11.6.2, RFC 6265). */
static bool is_secret_header(const char *name, const char *value)
{
	static const char secret[][20] = { "Authorization", "Cookie", "Proxy-Authorization" };

	for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++)
		if (strcasecmp(name, secret[i]) == 0)
			return true;
	return looks_secret(name, value);
}

/* "NAME: VALUE" each: a name may be there twice. */
static void headers(struct writer *writer, const struct exchange *exchange)
{
	if (exchange->header_count == 0)
		return;
	json_write_array(&writer->json, "headers");
	for (size_t i = 0; i < exchange->header_count; i++) {
		const char *header = exchange->header[i], *value = strchr(header, ':') + 1;
		cleanup_free char *name = strndup(header, strcspn(header, ":")), *hidden = NULL;

		value += strspn(value, " \t");
		if (writer->whom != CONFIG_FOR_PEOPLE || name == NULL || !is_secret_header(name, value))
			text(writer, NULL, header);
		else if (asprintf(&hidden, "%s: %s", name, CONFIG_REDACTED) >= 0)
			text(writer, NULL, hidden);
	}
	json_write_end(&writer->json);
}

/* Its words are not those that its text would be split into again. */
static bool needs_words(const struct check *check)
{
	for (char **word = check->command; word != NULL && *word != NULL; word++)
		if (strchr("'\"", **word) != NULL || (*word)[strcspn(*word, " \t\n")] != '\0')
			return true; /* the NUL counts as found: an empty word */
	return false;
}

static void check(struct writer *writer, const struct check *check)
{
	const char *body = check->exchange.body;
	struct secret_words before = { 0 };

	json_write_object(&writer->json, NULL);
	if (strcmp(check->name, check->text) != 0) /* a target that is its own name may be a longer one */
		text(writer, "name", check->name);
	if (writer->whom == CONFIG_FOR_PEOPLE && needs_words(check))
		words(writer, "command", check->command);
	else
		guarded(writer, "target", check->text, &before);
	timing(writer, &check->timing);
	json_write_u64(&writer->json, "success_threshold", check->timing.success_threshold);
	json_write_u64(&writer->json, "jitter", check->timing.jitter_percent);
	if (check->target.kind == TARGET_HTTP || check->target.kind == TARGET_HTTP_UNIX)
		expected(writer, &check->exchange.expected);
	if (check->exchange.method != NULL)
		text(writer, "method", check->exchange.method);
	headers(writer, &check->exchange);
	if (body != NULL)
		text(writer, "body",
			writer->whom == CONFIG_FOR_PEOPLE && looks_secret(body, body) ? CONFIG_REDACTED : body);
	json_write_end(&writer->json);
}

static void on_unhealthy(struct writer *writer, const struct service *service)
{
	static const char actions[][8] = { "none", "stop", "restart" };

	if (service->on_unhealthy == UNHEALTHY_SIGNAL)
		signal_text(writer, "on_unhealthy", service->unhealthy_signal);
	else
		json_write_text(&writer->json, "on_unhealthy", actions[service->on_unhealthy]);
}

/* By kind: whoever reads it has the same order if the model's is that (options.c). */
static void health(struct writer *writer, const struct service *service)
{
	json_write_object(&writer->json, "health");
	for (enum check_kind kind = 0; kind < CHECK_KIND_COUNT; kind++) {
		json_write_array(&writer->json, check_kind_name(kind));
		for (size_t i = 0; i < service->check_count; i++)
			if (service->check[i].kind == kind && !check_is_watchdog(&service->check[i]))
				check(writer, &service->check[i]);
		json_write_end(&writer->json);
	}
	if (service->watchdog_ns > 0)
		duration(writer, "watchdog", service->watchdog_ns);
	on_unhealthy(writer, service);
	timing(writer, &service->timing);
	expected(writer, &service->expected);
	json_write_end(&writer->json);
}

/* ---- services and tasks ---- */

static void depends_on(struct writer *writer, const struct model *model, const struct service *service)
{
	static const char conditions[][10] = { "started", "ready", "completed" };
	bool open = false;

	for (size_t i = 0; i < service->depends_on_count; i++) {
		const struct dependency *dependency = &service->depends_on[i];

		if (dependency->condition == DEPENDS_STOPPED)
			continue;
		if (!open)
			json_write_object(&writer->json, "depends_on");
		open = true;
		json_write_text(&writer->json, service_name(model_service(model, dependency->on)),
			conditions[dependency->condition]);
	}
	if (open)
		json_write_end(&writer->json);
}

static void after(struct writer *writer, const struct model *model, const struct service *service)
{
	json_write_array(&writer->json, "after");
	for (size_t i = 0; i < service->depends_on_count; i++)
		if (service->depends_on[i].condition == DEPENDS_STOPPED)
			json_write_text(
				&writer->json, NULL, service_name(model_service(model, service->depends_on[i].on)));
	json_write_end(&writer->json);
}

static void task(struct writer *writer, const struct model *model, const struct service *service)
{
	if (service->kind == SERVICE_AFTER)
		after(writer, model, service);
	if (service->kind == SERVICE_SCHEDULED)
		text(writer, "schedule", service->schedule);
	if (service->run_ns > 0)
		duration(writer, "timeout", service->run_ns);
	json_write_u64(
		&writer->json, "retries", service->restart.kind == RESTART_ON_FAILURE ? service->restart.attempts : 0);
	duration(writer, "backoff", service->restart.backoff_ns);
}

static void service(struct writer *writer, const struct model *model, const struct service *service)
{
	json_write_object(&writer->json, service_name(service));
	words(writer, "command", service->command);
	depends_on(writer, model, service);
	json_write_bool(&writer->json, "essential", service->essential);
	words(writer, "wait_for", service->wait_for);
	confinement(writer, &service->confinement);
	stop(writer, &service->stop);
	logging(writer, &service->logging);
	if (service->kind == SERVICE_LASTING) {
		restart(writer, &service->restart);
		texts(writer, "watch", service->watch.path, service->watch.count);
		health(writer, service);
	} else {
		task(writer, model, service);
	}
	json_write_end(&writer->json);
}

/* The file has its services before its tasks, whatever it says first (config.c). */
static void services(struct writer *writer, const struct model *model)
{
	const size_t count = model_service_count(model);
	size_t first_task = 0;

	json_write_object(&writer->json, "services");
	for (; first_task < count && model_service(model, first_task)->kind == SERVICE_LASTING; first_task++)
		service(writer, model, model_service(model, first_task));
	json_write_end(&writer->json);
	if (first_task == count)
		return;
	json_write_object(&writer->json, "tasks");
	for (; first_task < count; first_task++)
		service(writer, model, model_service(model, first_task));
	json_write_end(&writer->json);
}

/* ---- metrics ---- */

/* A page without a name of its own is called by its URL. */
static void page(struct writer *writer, const struct check *page)
{
	json_write_object(&writer->json, NULL);
	if (strcmp(page->name, page->text) != 0)
		text(writer, "name", page->name);
	guarded(writer, "url", page->text, &(struct secret_words){ 0 });
	if (page->timing.timeout_ns > 0)
		duration(writer, "timeout", page->timing.timeout_ns);
	if (page->bearer_file != NULL)
		text(writer, "bearer_file", page->bearer_file);
	headers(writer, &page->exchange);
	json_write_end(&writer->json);
}

static void metrics(struct writer *writer, const struct model *model)
{
	json_write_object(&writer->json, "metrics");
	texts(writer, "listen", model->listen, model->listen_count);
	if (model->users != NULL)
		text(writer, "users", model->users);
	if (model->tokens != NULL)
		text(writer, "tokens", model->tokens);
	if (model->tls_certificate != NULL)
		text(writer, "tls_cert", model->tls_certificate);
	if (model->tls_key != NULL)
		text(writer, "tls_key", model->tls_key);
	if (model->merge_count > 0)
		json_write_array(&writer->json, "merge");
	for (size_t i = 0; i < model->merge_count; i++)
		page(writer, &model->merge[i]);
	if (model->merge_count > 0)
		json_write_end(&writer->json);
	json_write_end(&writer->json);
}

static void tracing(struct writer *writer, const struct model *model)
{
	if (model->trace_endpoint == NULL && !model->otel_resource)
		return;
	json_write_object(&writer->json, "tracing");
	if (model->trace_endpoint != NULL)
		guarded(writer, "endpoint", model->trace_endpoint, &(struct secret_words){ 0 });
	json_write_bool(&writer->json, "resource", model->otel_resource);
	json_write_end(&writer->json);
}

/* ---- secrets ---- */

static void secret_services(struct writer *writer, const struct model *model, const struct secret *secret)
{
	static const uint64_t none[MODEL_SERVICES_MAX / 64];

	if (memcmp(secret->services, none, sizeof none) == 0)
		return;
	json_write_array(&writer->json, "services");
	for (size_t i = 0; i < model_service_count(model); i++)
		if (secret_is_for(secret, i))
			json_write_text(&writer->json, NULL, service_name(model_service(model, i)));
	json_write_end(&writer->json);
}

/* The monitor acts on none, and is told of no command. */
static void secret_action(struct writer *writer, const struct secret *secret)
{
	if (secret->action == SECRET_SIGNAL) {
		signal_text(writer, "on_change", secret->signal);
	} else if (secret->action == SECRET_COMMAND && writer->whom != CONFIG_FOR_MONITOR) {
		json_write_object(&writer->json, "on_change");
		words(writer, "command", secret->command);
		json_write_end(&writer->json);
	} else {
		json_write_text(&writer->json, "on_change",
			secret_action_name(secret->action == SECRET_COMMAND ? SECRET_NOTHING : secret->action));
	}
}

static void secrets(struct writer *writer, const struct model *model)
{
	if (model->secret_count == 0)
		return;
	json_write_object(&writer->json, "secrets");
	for (size_t i = 0; i < model->secret_count; i++) {
		const struct secret *secret = &model->secret[i];

		json_write_object(&writer->json, secret->name);
		text(writer, secret->is_directory ? "directory" : "file", secret->path);
		secret_services(writer, model, secret);
		json_write_text(&writer->json, "as", secret->form == SECRET_MEMORY ? "file" : "environment");
		secret_action(writer, secret);
		json_write_end(&writer->json);
	}
	json_write_end(&writer->json);
}

void config_write_service(const struct model *model, size_t index, FILE *out)
{
	struct writer writer = { .whom = CONFIG_WHOLE };

	json_write_begin(&writer.json, out);
	service(&writer, model, model_service(model, index));
	json_write_finish(&writer.json);
}

void config_write_container(const struct model *model, FILE *out)
{
	struct writer writer = { .whom = CONFIG_WHOLE };

	json_write_begin(&writer.json, out);
	metrics(&writer, model);
	tracing(&writer, model);
	json_write_finish(&writer.json);
}

void config_write_secrets(const struct model *model, FILE *out)
{
	struct writer writer = { .whom = CONFIG_WHOLE };

	json_write_begin(&writer.json, out);
	secrets(&writer, model);
	json_write_finish(&writer.json);
}

void config_write(const struct model *model, enum config_audience whom, FILE *out)
{
	struct writer writer = { .whom = whom };

	json_write_begin(&writer.json, out);
	services(&writer, model);
	metrics(&writer, model);
	tracing(&writer, model);
	secrets(&writer, model);
	json_write_object(&writer.json, "log");
	json_write_text(&writer.json, "format", log_format_name(model->log_format));
	json_write_text(&writer.json, "level", log_level_name(model->log_level));
	json_write_end(&writer.json);
	json_write_finish(&writer.json);
}
