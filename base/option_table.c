#include "base/option_table.h"

#include "base/model.h"
#include "base/nearest.h"
#include "base/option_setters.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SERVICE 0
#define IN(member) offsetof(struct service, member)
#define MODEL 0
#define IN_MODEL(member) offsetof(struct model, member)

static_assert(sizeof(struct model) <= UINT16_MAX, "an offset in it fits its place in a row");

const struct option_row option_rows[] = {
	[OPTION_CONFIG] = { "config", " FILE", "what is not said here (/etc/nest-init.json)", SECTION_LOG, VALUE_NEEDED,
		COMMON | WHOLE, SET_TEXT, IN_MODEL(config) },
	[OPTION_USER] = { "user", " NAME|UID[:GID]", "run as this user", SECTION_CONFINEMENT, VALUE_NEEDED, COMMON,
		SET_TEXT, IN(confinement.user) },
	[OPTION_GROUP_ADD] = { "group-add", " GROUP", "and in this group, too", SECTION_CONFINEMENT, VALUE_NEEDED,
		PARTED, ADD_GROUP, IN(confinement.groups) },
	[OPTION_WORKDIR] = { "workdir", " PATH", "start there", SECTION_CONFINEMENT, VALUE_NEEDED, 0, SET_PATH,
		IN(confinement.workdir) },
	[OPTION_UMASK] = { "umask", " MODE", "permissions that new files do not get: 027", SECTION_CONFINEMENT,
		VALUE_NEEDED, 0, SET_UMASK, IN(confinement) },
	[OPTION_ENV] = { "env", " NAME=VALUE", "for COMMAND alone; VALUE with ${...} as in a file", SECTION_CONFINEMENT,
		VALUE_NEEDED, PARTED, ADD_VARIABLE, IN(confinement.environment) },
	[OPTION_FILE_ENV] = { "file-env", " LIST", "NAME is in the file that NAME_FILE names; or all",
		SECTION_CONFINEMENT, VALUE_NEEDED, 0, SET_FILE_ENV, IN(confinement.file_env) },
	[OPTION_ULIMIT] = { "ulimit", " NAME=SOFT[:HARD]", "resource limit, as docker has it: nofile=65536",
		SECTION_CONFINEMENT, VALUE_NEEDED, PARTED, ADD_ULIMIT, IN(confinement.limits) },
	[OPTION_OOM_SCORE_ADJ] = { "oom-score-adj", " N", "-1000 to 1000: the highest is killed first",
		SECTION_CONFINEMENT, VALUE_NEEDED, 0, SET_OOM_SCORE_ADJ, IN(confinement.limits) },
	[OPTION_CAP_DROP] = { "cap-drop", " LIST", "drop capabilities: all, net_raw,chown ...", SECTION_CONFINEMENT,
		VALUE_NEEDED, PARTED | COMMON, DROP_CAPABILITIES, IN(confinement) },
	[OPTION_CAP_ADD] = { "cap-add", " LIST", "keep these; another user than root gets them too",
		SECTION_CONFINEMENT, VALUE_NEEDED, PARTED | COMMON, ADD_CAPABILITIES, IN(confinement) },
	[OPTION_SECUREBITS] = { "securebits", " LIST", "noroot, no_setuid_fixup ...; _locked: for good",
		SECTION_CONFINEMENT, VALUE_NEEDED, PARTED, ADD_SECUREBITS, IN(confinement.securebits) },
	[OPTION_NO_NEW_PRIVS] = { "no-new-privs", "=yes|no", "no privileges through execve (yes)", SECTION_CONFINEMENT,
		VALUE_OPTIONAL, COMMON, SET_BOOL, IN(confinement.no_new_privs) },
	[OPTION_SECCOMP] = { "seccomp", " NAME|FILE", "node, nginx, default, a profile, or unconfined",
		SECTION_CONFINEMENT, VALUE_NEEDED, COMMON, SET_TEXT, IN(confinement.seccomp) },
	[OPTION_READ_ONLY] = { "read-only", "[=MODE]", "root file system: auto, remount, landlock, verify",
		SECTION_CONFINEMENT, VALUE_OPTIONAL, COMMON, SET_READ_ONLY, IN(confinement.read_only) },
	[OPTION_WRITABLE] = { "writable", " PATH", "except below PATH", SECTION_CONFINEMENT, VALUE_NEEDED,
		PARTED | COMMON, ADD_PATH, IN(confinement.writable) },
	[OPTION_TMPFS] = { "tmpfs", " PATH[:OPTIONS]", "mount a tmpfs, writable", SECTION_CONFINEMENT, VALUE_NEEDED,
		PARTED | COMMON, ADD_TMPFS, IN(confinement.tmpfs) },
	[OPTION_EXEC_ALLOW] = { "exec-allow", " PATH", "execute COMMAND's own program and these alone",
		SECTION_CONFINEMENT, VALUE_NEEDED, PARTED, ADD_PATH, IN(confinement.exec_allow) },
	[OPTION_TCP_BIND] = { "tcp-bind", " PORTS", "listen on these alone: 443,5432, or none", SECTION_CONFINEMENT,
		VALUE_NEEDED, PARTED, ADD_PORTS, IN(confinement.tcp_bind) },
	[OPTION_TCP_CONNECT] = { "tcp-connect", " PORTS", "connect to these alone", SECTION_CONFINEMENT, VALUE_NEEDED,
		PARTED, ADD_PORTS, IN(confinement.tcp_connect) },
	[OPTION_SECURITY_LEVEL] = { "security-level", " LEVEL", "standard, or hardened: all that is not said",
		SECTION_CONFINEMENT, VALUE_NEEDED, COMMON, SET_SECURITY_LEVEL, IN(confinement.hardened) },
	[OPTION_BEST_EFFORT] = { "best-effort", "", "warn where a protection cannot be had, and go on",
		SECTION_CONFINEMENT, VALUE_OPTIONAL, COMMON, SET_BOOL, IN(confinement.best_effort) },
	[OPTION_SECCOMP_REPORT] = { "seccomp-report", "", "tell and count what the filter denies", SECTION_CONFINEMENT,
		VALUE_OPTIONAL, 0, SET_BOOL, IN(confinement.seccomp_report) },
	[OPTION_STOP_ON] = { "stop-on", " LIST", "signals that ask for it (TERM,INT,QUIT,RTMIN+3)", SECTION_STOPPING,
		VALUE_NEEDED, PARTED, ADD_STOP_SIGNALS, IN(stop.on) },
	[OPTION_STOP_SIGNAL] = { "stop-signal", " SIGNAL", "what COMMAND gets (the signal that came)", SECTION_STOPPING,
		VALUE_NEEDED, COMMON, SET_SIGNAL, IN(stop.signal) },
	[OPTION_REWRITE] = { "rewrite", " FROM:TO", "COMMAND gets TO for FROM: TERM:QUIT; TO 0: none", SECTION_STOPPING,
		VALUE_NEEDED, PARTED, ADD_REWRITE, IN(stop.rewrite) },
	[OPTION_DRAIN] = { "drain", " TIME", "not ready first; another signal skips it (0)", SECTION_STOPPING,
		VALUE_NEEDED, COMMON, SET_DURATION, IN(stop.drain_ns) },
	[OPTION_PRE_STOP] = { "pre-stop", " COMMAND", "then run this, confined as well; split at blanks",
		SECTION_STOPPING, VALUE_NEEDED, COMMON, SET_PRE_STOP, IN(stop.pre_stop) },
	[OPTION_PRE_STOP_TIMEOUT] = { "pre-stop-timeout", " TIME", "for so long (10s, or half of what is left)",
		SECTION_STOPPING, VALUE_NEEDED, 0, SET_TIMEOUT, IN(stop.pre_stop_timeout_ns) },
	[OPTION_STOP_TIMEOUT] = { "stop-timeout", " TIME", "SIGKILL what is left by then (no limit)", SECTION_STOPPING,
		VALUE_NEEDED, COMMON, SET_TIMEOUT, IN(stop.timeout_ns) },
	[OPTION_CLEAN_EXIT] = { "clean-exit", " LIST", "these statuses count as 0 after a stop: 143", SECTION_STOPPING,
		VALUE_NEEDED, PARTED, ADD_CLEAN_EXIT, IN(stop.clean_exit) },
	[OPTION_RESTART] = { "restart", " WHEN[:ATTEMPTS]", "no, on-failure or always; 5 times in 5m (no)",
		SECTION_STOPPING, VALUE_NEEDED, COMMON, SET_RESTART, IN(restart) },
	[OPTION_RESTART_BACKOFF] = { "restart-backoff", " TIME", "before the first; twice as long each time (1s)",
		SECTION_STOPPING, VALUE_NEEDED, 0, SET_DURATION, IN(restart.backoff_ns) },
	[OPTION_ON_UNHEALTHY] = { "on-unhealthy", " WHAT", "none, stop, restart or a signal (none)", SECTION_STOPPING,
		VALUE_NEEDED, 0, SET_ON_UNHEALTHY, SERVICE },
	[OPTION_WATCH] = { "watch", " PATH", "development: start it again when PATH changes", SECTION_STOPPING,
		VALUE_NEEDED, PARTED, ADD_PATH, IN(watch) },
	[OPTION_READY] = { "ready", " TARGET", "it can serve; looked at again and again", SECTION_HEALTH, VALUE_NEEDED,
		COMMON, ADD_READY, SERVICE },
	[OPTION_LIVE] = { "live", " TARGET", "it is not stuck", SECTION_HEALTH, VALUE_NEEDED, COMMON, ADD_LIVE,
		SERVICE },
	[OPTION_STARTUP] = { "startup", " TARGET", "it has started; looked at until it has", SECTION_HEALTH,
		VALUE_NEEDED, 0, ADD_STARTUP, SERVICE },
	[OPTION_WATCHDOG] = { "watchdog", " TIME", "it says WATCHDOG=1 (sd_notify) at least so often", SECTION_HEALTH,
		VALUE_NEEDED, 0, SET_WATCHDOG, SERVICE },
	[OPTION_HEALTH_INTERVAL] = { "health-interval", " TIME", "between two looks (30s)", SECTION_HEALTH,
		VALUE_NEEDED, COMMON, SET_INTERVAL, IN(timing.interval_ns) },
	[OPTION_HEALTH_TIMEOUT] = { "health-timeout", " TIME", "for one look (30s)", SECTION_HEALTH, VALUE_NEEDED, 0,
		SET_TIMEOUT, IN(timing.timeout_ns) },
	[OPTION_HEALTH_START_PERIOD] = { "health-start-period", " TIME", "in which failures do not count (0)",
		SECTION_HEALTH, VALUE_NEEDED, 0, SET_DURATION, IN(timing.start_period_ns) },
	[OPTION_HEALTH_START_INTERVAL] = { "health-start-interval", " TIME",
		"between two looks until one succeeds (1s)", SECTION_HEALTH, VALUE_NEEDED, 0, SET_INTERVAL,
		IN(timing.start_interval_ns) },
	[OPTION_HEALTH_RETRIES] = { "health-retries", " N", "failures in a row that make it unhealthy (3)",
		SECTION_HEALTH, VALUE_NEEDED, 0, SET_RETRIES, IN(timing.retries) },
	[OPTION_EXPECT] = { "expect", " STATUSES", "of HTTP that are a success: 200,429 (200-399)", SECTION_HEALTH,
		VALUE_NEEDED, 0, SET_EXPECTED, IN(expected) },
	[OPTION_METRICS] = { "metrics", " ADDRESS:PORT", "serve /metrics /livez /readyz /startupz /healthz",
		SECTION_METRICS, VALUE_NEEDED, PARTED | COMMON | WHOLE, ADD_LISTEN, MODEL },
	[OPTION_METRICS_MERGE] = { "metrics-merge", " URL", "merge the service's own page into /metrics",
		SECTION_METRICS, VALUE_NEEDED, WHOLE, ADD_MERGE, MODEL },
	[OPTION_METRICS_USERS] = { "metrics-users", " FILE", "/metrics for these alone: lines of htpasswd -B",
		SECTION_METRICS, VALUE_NEEDED, WHOLE, SET_PATH, IN_MODEL(users) },
	[OPTION_METRICS_TOKENS] = { "metrics-tokens", " FILE", "and for these bearer tokens, one a line",
		SECTION_METRICS, VALUE_NEEDED, WHOLE, SET_PATH, IN_MODEL(tokens) },
	[OPTION_METRICS_TLS_CERT] = { "metrics-tls-cert", " FILE", "HTTPS with this certificate, and its chain (PEM)",
		SECTION_METRICS, VALUE_NEEDED, WHOLE, SET_PATH, IN_MODEL(tls_certificate) },
	[OPTION_METRICS_TLS_KEY] = { "metrics-tls-key", " FILE", "and its private key (PEM); not in static builds",
		SECTION_METRICS, VALUE_NEEDED, WHOLE, SET_PATH, IN_MODEL(tls_key) },
	[OPTION_TRACE_ENDPOINT] = { "trace-endpoint", " URL|env", "send spans there (OTLP/HTTP); env: as OTEL_ says",
		SECTION_METRICS, VALUE_NEEDED, WHOLE, SET_TRACE_ENDPOINT, IN_MODEL(trace_endpoint) },
	[OPTION_OTEL_RESOURCE] = { "otel-resource", "", "facts into COMMAND's OTEL_RESOURCE_ATTRIBUTES",
		SECTION_METRICS, VALUE_OPTIONAL, WHOLE, SET_BOOL, IN_MODEL(otel_resource) },
	[OPTION_SERVICE_LOG] = { "service-log", " HOW[,KEY=VALUE]", "COMMAND's lines: tagged or json; file=PATH ...",
		SECTION_LOG, VALUE_NEEDED, COMMON, SET_LOGGING, IN(logging) },
	[OPTION_LOG_FORMAT] = { "log-format", " FORMAT", "text, json or ecs (text)", SECTION_LOG, VALUE_NEEDED, WHOLE,
		SET_LOG_FORMAT, IN_MODEL(log_format) },
	[OPTION_LOG_LEVEL] = { "log-level", " LEVEL", "error, warning, notice or info (notice)", SECTION_LOG,
		VALUE_NEEDED, COMMON | WHOLE, SET_LOG_LEVEL, IN_MODEL(log_level) },
	[OPTION_HELP] = { "help", " [TOPIC]", "this, or more", SECTION_NONE, VALUE_NONE, WHOLE, SET_NOTHING, MODEL },
	[OPTION_VERSION] = { "version", "", "of nest-init", SECTION_NONE, VALUE_NONE, WHOLE, SET_NOTHING, MODEL },
};
static_assert(sizeof option_rows / sizeof option_rows[0] == OPTION_COUNT, "a row for every option");

void *option_member(enum option option, struct model *model, struct service *service)
{
	char *whole = (option_rows[option].flags & WHOLE) != 0 ? (char *)model : (char *)service;

	return whole + option_rows[option].member;
}

enum option option_nearest(const char *name)
{
	enum option best = OPTION_COUNT;
	size_t best_distance = NEAREST_DISTANCE + 1;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (nearest_is_nearer(name, option_rows[i].name, &best_distance))
			best = (enum option)i;
	return best;
}

enum option option_find(const char *name, size_t length)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (strlen(option_rows[i].name) == length && memcmp(option_rows[i].name, name, length) == 0)
			return (enum option)i;
	return OPTION_COUNT;
}

void option_variable(enum option option, char ret_variable[static OPTION_VARIABLE_SIZE])
{
	size_t at = (size_t)snprintf(ret_variable, OPTION_VARIABLE_SIZE, OPTION_VARIABLE_PREFIX);

	for (const char *name = option_rows[option].name; *name != '\0'; name++)
		ret_variable[at++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
	ret_variable[at] = '\0';
}
