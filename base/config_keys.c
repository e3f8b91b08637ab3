#include "base/config_keys.h"

#include "base/check.h"

#include <string.h>

const struct config_key config_keys[] = {
	{ "$schema", GROUP_ROOT, FORM_SCHEMA, 0, EXTRA_NOTHING },
	{ "services", GROUP_ROOT, FORM_SERVICES, 0, GROUP_SERVICE },
	{ "tasks", GROUP_ROOT, FORM_SERVICES, 0, GROUP_TASK },
	{ "secrets", GROUP_ROOT, FORM_SECRETS, 0, GROUP_SECRET },
	{ "metrics", GROUP_ROOT, FORM_OBJECT, 0, GROUP_METRICS },
	{ "tracing", GROUP_ROOT, FORM_OBJECT, 0, GROUP_TRACING },
	{ "log", GROUP_ROOT, FORM_OBJECT, 0, GROUP_LOG },

	{ "command", GROUP_SERVICE, FORM_COMMAND, CONFIG_TASK, EXTRA_COMMAND },
	{ "user", GROUP_SERVICE, FORM_WORD, CONFIG_TASK, OPTION_USER },
	{ "group_add", GROUP_SERVICE, FORM_WORD, CONFIG_LIST | CONFIG_TASK, OPTION_GROUP_ADD },
	{ "working_dir", GROUP_SERVICE, FORM_TEXT, CONFIG_TASK, OPTION_WORKDIR },
	{ "umask", GROUP_SERVICE, FORM_TEXT, CONFIG_TASK, OPTION_UMASK },
	{ "environment", GROUP_SERVICE, FORM_VARIABLES, CONFIG_TASK, OPTION_ENV },
	{ "file_env", GROUP_SERVICE, FORM_TEXT, CONFIG_TASK, OPTION_FILE_ENV },
	{ "depends_on", GROUP_SERVICE, FORM_DEPENDENCIES, CONFIG_TASK, EXTRA_NOTHING },
	{ "essential", GROUP_SERVICE, FORM_FLAG, CONFIG_TASK, EXTRA_ESSENTIAL },
	{ "wait_for", GROUP_SERVICE, FORM_TEXT, CONFIG_LIST | CONFIG_TASK, EXTRA_WAIT_FOR },
	{ "capabilities", GROUP_SERVICE, FORM_OBJECT, CONFIG_TASK, GROUP_CAPABILITIES },
	{ "securebits", GROUP_SERVICE, FORM_TEXT, CONFIG_LIST | CONFIG_TASK, OPTION_SECUREBITS },
	{ "no_new_privs", GROUP_SERVICE, FORM_FLAG, CONFIG_TASK, OPTION_NO_NEW_PRIVS },
	{ "seccomp", GROUP_SERVICE, FORM_OBJECT, CONFIG_SHORT | CONFIG_TASK, GROUP_SECCOMP },
	{ "filesystem", GROUP_SERVICE, FORM_OBJECT, CONFIG_TASK, GROUP_FILESYSTEM },
	{ "network", GROUP_SERVICE, FORM_OBJECT, CONFIG_TASK, GROUP_NETWORK },
	{ "limits", GROUP_SERVICE, FORM_LIMITS, CONFIG_TASK, OPTION_ULIMIT },
	{ "oom_score_adj", GROUP_SERVICE, FORM_NUMBER, CONFIG_TASK, OPTION_OOM_SCORE_ADJ },
	{ "security_level", GROUP_SERVICE, FORM_TEXT, CONFIG_TASK, OPTION_SECURITY_LEVEL },
	{ "best_effort", GROUP_SERVICE, FORM_FLAG, CONFIG_TASK, OPTION_BEST_EFFORT },
	{ "restart", GROUP_SERVICE, FORM_OBJECT, CONFIG_SHORT, GROUP_RESTART },
	{ "watch", GROUP_SERVICE, FORM_TEXT, CONFIG_LIST, OPTION_WATCH },
	{ "stop", GROUP_SERVICE, FORM_OBJECT, CONFIG_TASK, GROUP_STOP },
	{ "health", GROUP_SERVICE, FORM_OBJECT, 0, GROUP_HEALTH },
	{ "logging", GROUP_SERVICE, FORM_OBJECT, CONFIG_SHORT | CONFIG_TASK, GROUP_LOGGING },

	{ "before", GROUP_TASK, FORM_NAMES, 0, EXTRA_BEFORE },
	{ "after", GROUP_TASK, FORM_NAMES, 0, EXTRA_AFTER },
	{ "schedule", GROUP_TASK, FORM_TEXT, 0, EXTRA_SCHEDULE },
	{ "timeout", GROUP_TASK, FORM_TIME, 0, EXTRA_RUN_TIME },
	{ "retries", GROUP_TASK, FORM_NUMBER, 0, EXTRA_RETRIES },
	{ "backoff", GROUP_TASK, FORM_TIME, 0, OPTION_RESTART_BACKOFF },

	{ "drop", GROUP_CAPABILITIES, FORM_TEXT, CONFIG_LIST, OPTION_CAP_DROP },
	{ "add", GROUP_CAPABILITIES, FORM_TEXT, CONFIG_LIST, OPTION_CAP_ADD },

	{ "profile", GROUP_SECCOMP, FORM_TEXT, 0, OPTION_SECCOMP },
	{ "report", GROUP_SECCOMP, FORM_FLAG, 0, OPTION_SECCOMP_REPORT },

	{ "read_only", GROUP_FILESYSTEM, FORM_MODE, 0, OPTION_READ_ONLY },
	{ "writable", GROUP_FILESYSTEM, FORM_TEXT, CONFIG_LIST, OPTION_WRITABLE },
	{ "tmpfs", GROUP_FILESYSTEM, FORM_TEXT, CONFIG_LIST, OPTION_TMPFS },
	{ "exec_allow", GROUP_FILESYSTEM, FORM_TEXT, CONFIG_LIST, OPTION_EXEC_ALLOW },

	{ "tcp_bind", GROUP_NETWORK, FORM_PORTS, 0, OPTION_TCP_BIND },
	{ "tcp_connect", GROUP_NETWORK, FORM_PORTS, 0, OPTION_TCP_CONNECT },

	{ "policy", GROUP_RESTART, FORM_TEXT, 0, OPTION_RESTART },
	{ "backoff", GROUP_RESTART, FORM_TIME, 0, OPTION_RESTART_BACKOFF },
	{ "max_backoff", GROUP_RESTART, FORM_TIME, 0, EXTRA_MAX_BACKOFF },
	{ "attempts", GROUP_RESTART, FORM_NUMBER, 0, EXTRA_ATTEMPTS },
	{ "window", GROUP_RESTART, FORM_TIME, 0, EXTRA_WINDOW },

	{ "signal", GROUP_STOP, FORM_WORD, 0, OPTION_STOP_SIGNAL },
	{ "on", GROUP_STOP, FORM_WORD, CONFIG_LIST, OPTION_STOP_ON },
	{ "rewrite", GROUP_STOP, FORM_PAIRS, 0, OPTION_REWRITE },
	{ "drain", GROUP_STOP, FORM_TIME, 0, OPTION_DRAIN },
	{ "pre_stop", GROUP_STOP, FORM_COMMAND, 0, OPTION_PRE_STOP },
	{ "pre_stop_timeout", GROUP_STOP, FORM_TIME, 0, OPTION_PRE_STOP_TIMEOUT },
	{ "timeout", GROUP_STOP, FORM_TIME, 0, OPTION_STOP_TIMEOUT },
	{ "clean_exit", GROUP_STOP, FORM_NUMBER, CONFIG_LIST, OPTION_CLEAN_EXIT },

	{ "ready", GROUP_HEALTH, FORM_CHECKS, 0, OPTION_READY },
	{ "live", GROUP_HEALTH, FORM_CHECKS, 0, OPTION_LIVE },
	{ "startup", GROUP_HEALTH, FORM_CHECKS, 0, OPTION_STARTUP },
	{ "watchdog", GROUP_HEALTH, FORM_TIME, 0, OPTION_WATCHDOG },
	{ "on_unhealthy", GROUP_HEALTH, FORM_TEXT, 0, OPTION_ON_UNHEALTHY },
	{ "interval", GROUP_HEALTH, FORM_TIME, 0, OPTION_HEALTH_INTERVAL },
	{ "timeout", GROUP_HEALTH, FORM_TIME, 0, OPTION_HEALTH_TIMEOUT },
	{ "start_period", GROUP_HEALTH, FORM_TIME, 0, OPTION_HEALTH_START_PERIOD },
	{ "start_interval", GROUP_HEALTH, FORM_TIME, 0, OPTION_HEALTH_START_INTERVAL },
	{ "retries", GROUP_HEALTH, FORM_NUMBER, 0, OPTION_HEALTH_RETRIES },
	{ "expect", GROUP_HEALTH, FORM_STATUSES, 0, OPTION_EXPECT },

	{ "target", GROUP_CHECK, FORM_TEXT, 0, EXTRA_TARGET },
	{ "command", GROUP_CHECK, FORM_COMMAND, 0, EXTRA_COMMAND },
	{ "name", GROUP_CHECK, FORM_TEXT, 0, CHECK_NAME },
	{ "interval", GROUP_CHECK, FORM_TIME, 0, CHECK_INTERVAL },
	{ "timeout", GROUP_CHECK, FORM_TIME, 0, CHECK_TIMEOUT },
	{ "start_period", GROUP_CHECK, FORM_TIME, 0, CHECK_START_PERIOD },
	{ "start_interval", GROUP_CHECK, FORM_TIME, 0, CHECK_START_INTERVAL },
	{ "retries", GROUP_CHECK, FORM_NUMBER, 0, CHECK_RETRIES },
	{ "success_threshold", GROUP_CHECK, FORM_NUMBER, 0, CHECK_SUCCESS_THRESHOLD },
	{ "jitter", GROUP_CHECK, FORM_PERCENT, 0, CHECK_JITTER },
	{ "expect", GROUP_CHECK, FORM_STATUSES, 0, CHECK_EXPECT },
	{ "method", GROUP_CHECK, FORM_TEXT, 0, CHECK_METHOD },
	{ "headers", GROUP_CHECK, FORM_PAIRS, 0, CHECK_HEADER },
	{ "body", GROUP_CHECK, FORM_TEXT, 0, CHECK_BODY },

	{ "url", GROUP_PAGE, FORM_TEXT, 0, EXTRA_TARGET },
	{ "name", GROUP_PAGE, FORM_TEXT, 0, CHECK_NAME },
	{ "timeout", GROUP_PAGE, FORM_TIME, 0, CHECK_TIMEOUT },
	{ "headers", GROUP_PAGE, FORM_PAIRS, 0, CHECK_HEADER },
	{ "bearer_file", GROUP_PAGE, FORM_TEXT, 0, CHECK_BEARER_FILE },

	{ "listen", GROUP_METRICS, FORM_TEXT, CONFIG_LIST, OPTION_METRICS },
	{ "users", GROUP_METRICS, FORM_TEXT, 0, OPTION_METRICS_USERS },
	{ "tokens", GROUP_METRICS, FORM_TEXT, 0, OPTION_METRICS_TOKENS },
	{ "tls_cert", GROUP_METRICS, FORM_TEXT, 0, OPTION_METRICS_TLS_CERT },
	{ "tls_key", GROUP_METRICS, FORM_TEXT, 0, OPTION_METRICS_TLS_KEY },
	{ "merge", GROUP_METRICS, FORM_PAGES, 0, OPTION_METRICS_MERGE },

	{ "endpoint", GROUP_TRACING, FORM_TEXT, 0, OPTION_TRACE_ENDPOINT },
	{ "resource", GROUP_TRACING, FORM_FLAG, 0, OPTION_OTEL_RESOURCE },

	{ "file", GROUP_SECRET, FORM_TEXT, 0, EXTRA_SECRET_FILE },
	{ "directory", GROUP_SECRET, FORM_TEXT, 0, EXTRA_SECRET_DIRECTORY },
	{ "services", GROUP_SECRET, FORM_NAMES, 0, EXTRA_SECRET_SERVICES },
	{ "as", GROUP_SECRET, FORM_TEXT, 0, EXTRA_SECRET_AS },
	{ "on_change", GROUP_SECRET, FORM_ON_CHANGE, 0, EXTRA_SECRET_ACTION },

	{ "format", GROUP_LOG, FORM_TEXT, 0, OPTION_LOG_FORMAT },
	{ "level", GROUP_LOG, FORM_TEXT, 0, OPTION_LOG_LEVEL },

	{ "format", GROUP_LOGGING, FORM_TEXT, 0, OPTION_SERVICE_LOG },
	{ "file", GROUP_LOGGING, FORM_TEXT, 0, EXTRA_LOGGING_FILE },
	{ "max_size", GROUP_LOGGING, FORM_WORD, 0, EXTRA_LOGGING_MAX_SIZE },
	{ "max_file", GROUP_LOGGING, FORM_WORD, 0, EXTRA_LOGGING_MAX_FILE },
	{ "mode", GROUP_LOGGING, FORM_TEXT, 0, EXTRA_LOGGING_MODE },
	{ "max_buffer_size", GROUP_LOGGING, FORM_WORD, 0, EXTRA_LOGGING_MAX_BUFFER_SIZE },
};
const size_t config_key_count = sizeof config_keys / sizeof config_keys[0];

/* As Compose, Docker and Kubernetes have them. */
static const struct {
	char there[CONFIG_KEY_SIZE], here[24];
} elsewhere[] = {
	{ "cap_add", "capabilities.add" },
	{ "cap_drop", "capabilities.drop" },
	{ "cmd", "command" },
	{ "entrypoint", "command" },
	{ "env", "environment" },
	{ "healthcheck", "health" },
	{ "livenessProbe", "health.live" },
	{ "readinessProbe", "health.ready" },
	{ "read_only", "filesystem.read_only" },
	{ "security_opt", "seccomp" },
	{ "startupProbe", "health.startup" },
	{ "stop_grace_period", "stop.timeout" },
	{ "stop_signal", "stop.signal" },
	{ "test", "target" },
	{ "tmpfs", "filesystem.tmpfs" },
	{ "ulimits", "limits" },
	{ "url", "target" },
	{ "workdir", "working_dir" },
};

bool config_key_is_in(const struct config_key *key, enum config_group group)
{
	return key->group == group ||
		(group == GROUP_TASK && key->group == GROUP_SERVICE && (key->flags & CONFIG_TASK) != 0);
}

bool config_key_is_of_check(const struct config_key *key)
{
	return key->group == GROUP_CHECK || key->group == GROUP_PAGE;
}

const struct config_key *config_key_find(enum config_group group, const char *name)
{
	for (size_t i = 0; i < config_key_count; i++)
		if (config_key_is_in(&config_keys[i], group) && strcmp(config_keys[i].name, name) == 0)
			return &config_keys[i];
	return NULL;
}

const char *config_key_elsewhere(const char *name)
{
	for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
		if (strcmp(elsewhere[i].there, name) == 0)
			return elsewhere[i].here;
	return NULL;
}
