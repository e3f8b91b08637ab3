#include "base/option_table.h"

#include "base/model.h"
#include "base/nearest.h"
#include "base/option_setters.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MODEL 0
#define IN(member) offsetof(struct model, member)

static_assert(sizeof(struct model) <= UINT16_MAX, "an offset in it fits its place in a row");

const struct option_row option_rows[] = {
	[OPTION_USER] = { "user", VALUE_NEEDED, false, SET_TEXT, IN(confinement.user) },
	[OPTION_GROUP_ADD] = { "group-add", VALUE_NEEDED, true, ADD_GROUP, IN(confinement.groups) },
	[OPTION_WORKDIR] = { "workdir", VALUE_NEEDED, false, SET_PATH, IN(confinement.workdir) },
	[OPTION_UMASK] = { "umask", VALUE_NEEDED, false, SET_UMASK, IN(confinement) },
	[OPTION_ULIMIT] = { "ulimit", VALUE_NEEDED, true, ADD_ULIMIT, IN(confinement.limits) },
	[OPTION_OOM_SCORE_ADJ] = { "oom-score-adj", VALUE_NEEDED, false, SET_OOM_SCORE_ADJ, IN(confinement.limits) },
	[OPTION_CAP_DROP] = { "cap-drop", VALUE_NEEDED, true, DROP_CAPABILITIES, IN(confinement) },
	[OPTION_CAP_ADD] = { "cap-add", VALUE_NEEDED, true, ADD_CAPABILITIES, IN(confinement) },
	[OPTION_NO_NEW_PRIVS] = { "no-new-privs", VALUE_OPTIONAL, false, SET_BOOL, IN(confinement.no_new_privs) },
	[OPTION_SECCOMP] = { "seccomp", VALUE_NEEDED, false, SET_TEXT, IN(confinement.seccomp) },
	[OPTION_READ_ONLY] = { "read-only", VALUE_OPTIONAL, false, SET_READ_ONLY, IN(confinement.read_only) },
	[OPTION_WRITABLE] = { "writable", VALUE_NEEDED, true, ADD_PATH, IN(confinement.writable) },
	[OPTION_TMPFS] = { "tmpfs", VALUE_NEEDED, true, ADD_TMPFS, IN(confinement.tmpfs) },
	[OPTION_EXEC_ALLOW] = { "exec-allow", VALUE_NEEDED, true, ADD_PATH, IN(confinement.exec_allow) },
	[OPTION_TCP_BIND] = { "tcp-bind", VALUE_NEEDED, true, ADD_PORTS, IN(confinement.tcp_bind) },
	[OPTION_TCP_CONNECT] = { "tcp-connect", VALUE_NEEDED, true, ADD_PORTS, IN(confinement.tcp_connect) },
	[OPTION_SECURITY_LEVEL] = { "security-level", VALUE_NEEDED, false, SET_SECURITY_LEVEL,
		IN(confinement.hardened) },
	[OPTION_BEST_EFFORT] = { "best-effort", VALUE_OPTIONAL, false, SET_BOOL, IN(confinement.best_effort) },
	[OPTION_SECCOMP_REPORT] = { "seccomp-report", VALUE_OPTIONAL, false, SET_BOOL, IN(confinement.seccomp_report) },
	[OPTION_STOP_SIGNAL] = { "stop-signal", VALUE_NEEDED, false, SET_SIGNAL, IN(stop.signal) },
	[OPTION_REWRITE] = { "rewrite", VALUE_NEEDED, true, ADD_REWRITE, IN(stop.rewrite) },
	[OPTION_STOP_ON] = { "stop-on", VALUE_NEEDED, true, ADD_STOP_SIGNALS, IN(stop.on) },
	[OPTION_DRAIN] = { "drain", VALUE_NEEDED, false, SET_DURATION, IN(stop.drain_ns) },
	[OPTION_PRE_STOP] = { "pre-stop", VALUE_NEEDED, false, SET_PRE_STOP, IN(stop.pre_stop) },
	[OPTION_PRE_STOP_TIMEOUT] = { "pre-stop-timeout", VALUE_NEEDED, false, SET_TIMEOUT,
		IN(stop.pre_stop_timeout_ns) },
	[OPTION_STOP_TIMEOUT] = { "stop-timeout", VALUE_NEEDED, false, SET_TIMEOUT, IN(stop.timeout_ns) },
	[OPTION_CLEAN_EXIT] = { "clean-exit", VALUE_NEEDED, true, ADD_CLEAN_EXIT, IN(stop.clean_exit) },
	[OPTION_READY] = { "ready", VALUE_NEEDED, false, ADD_READY, MODEL },
	[OPTION_LIVE] = { "live", VALUE_NEEDED, false, ADD_LIVE, MODEL },
	[OPTION_STARTUP] = { "startup", VALUE_NEEDED, false, ADD_STARTUP, MODEL },
	[OPTION_HEALTH_INTERVAL] = { "health-interval", VALUE_NEEDED, false, SET_INTERVAL, IN(timing.interval_ns) },
	[OPTION_HEALTH_TIMEOUT] = { "health-timeout", VALUE_NEEDED, false, SET_TIMEOUT, IN(timing.timeout_ns) },
	[OPTION_HEALTH_START_PERIOD] = { "health-start-period", VALUE_NEEDED, false, SET_DURATION,
		IN(timing.start_period_ns) },
	[OPTION_HEALTH_START_INTERVAL] = { "health-start-interval", VALUE_NEEDED, false, SET_INTERVAL,
		IN(timing.start_interval_ns) },
	[OPTION_HEALTH_RETRIES] = { "health-retries", VALUE_NEEDED, false, SET_RETRIES, IN(timing.retries) },
	[OPTION_EXPECT] = { "expect", VALUE_NEEDED, false, SET_EXPECTED, IN(expected) },
	[OPTION_METRICS] = { "metrics", VALUE_NEEDED, true, ADD_LISTEN, MODEL },
	[OPTION_LOG_FORMAT] = { "log-format", VALUE_NEEDED, false, SET_LOG_FORMAT, IN(log_format) },
	[OPTION_LOG_LEVEL] = { "log-level", VALUE_NEEDED, false, SET_LOG_LEVEL, IN(log_level) },
	[OPTION_HELP] = { "help", VALUE_NONE, false, SET_NOTHING, MODEL },
	[OPTION_VERSION] = { "version", VALUE_NONE, false, SET_NOTHING, MODEL },
};
static_assert(sizeof option_rows / sizeof option_rows[0] == OPTION_COUNT, "a row for every option");

enum option option_nearest(const char *name)
{
	enum option best = OPTION_COUNT;
	size_t best_distance = NEAREST_DISTANCE + 1;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		size_t here = nearest_distance(name, option_rows[i].name);

		if (here < best_distance) {
			best_distance = here;
			best = (enum option)i;
		}
	}
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
