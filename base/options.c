#include "base/options.h"

#include "base/capname.h"
#include "base/control.h"
#include "base/duration.h"
#include "base/listen.h"
#include "base/signame.h"
#include "base/words.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PREFIX "NEST_INIT_"
#define NAME_SIZE 24
#define VARIABLE_SIZE (sizeof PREFIX + NAME_SIZE)
#define RETRIES_MAX 1000
#define OOM_SCORE_ADJ_MAX 1000
#define TMPFS_OPTIONS_SIZE 240

enum option {
	OPTION_USER,
	OPTION_GROUP_ADD,
	OPTION_WORKDIR,
	OPTION_UMASK,
	OPTION_ULIMIT,
	OPTION_OOM_SCORE_ADJ,
	OPTION_CAP_DROP,
	OPTION_CAP_ADD,
	OPTION_NO_NEW_PRIVS,
	OPTION_SECCOMP,
	OPTION_READ_ONLY,
	OPTION_WRITABLE,
	OPTION_TMPFS,
	OPTION_EXEC_ALLOW,
	OPTION_TCP_BIND,
	OPTION_TCP_CONNECT,
	OPTION_SECURITY_LEVEL,
	OPTION_BEST_EFFORT, /* the last that confines: those behind it supervise */
	OPTION_SECCOMP_REPORT,
	OPTION_STOP_SIGNAL,
	OPTION_REWRITE,
	OPTION_STOP_ON,
	OPTION_DRAIN,
	OPTION_PRE_STOP,
	OPTION_PRE_STOP_TIMEOUT,
	OPTION_STOP_TIMEOUT,
	OPTION_CLEAN_EXIT,
	OPTION_READY,
	OPTION_LIVE,
	OPTION_STARTUP,
	OPTION_HEALTH_INTERVAL,
	OPTION_HEALTH_TIMEOUT,
	OPTION_HEALTH_START_PERIOD,
	OPTION_HEALTH_START_INTERVAL,
	OPTION_HEALTH_RETRIES,
	OPTION_METRICS,
	OPTION_LOG_FORMAT,
	OPTION_LOG_LEVEL,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_COUNT,
};

enum value { VALUE_NONE, VALUE_NEEDED, VALUE_OPTIONAL };

/* Arrays, not pointers: a table without relocations. */
static const struct rule {
	char name[NAME_SIZE];
	uint8_t value; /* enum value */
	bool repeatable;
} rules[] = {
	[OPTION_USER] = { "user", VALUE_NEEDED, false },
	[OPTION_GROUP_ADD] = { "group-add", VALUE_NEEDED, true },
	[OPTION_WORKDIR] = { "workdir", VALUE_NEEDED, false },
	[OPTION_UMASK] = { "umask", VALUE_NEEDED, false },
	[OPTION_ULIMIT] = { "ulimit", VALUE_NEEDED, true },
	[OPTION_OOM_SCORE_ADJ] = { "oom-score-adj", VALUE_NEEDED, false },
	[OPTION_CAP_DROP] = { "cap-drop", VALUE_NEEDED, true },
	[OPTION_CAP_ADD] = { "cap-add", VALUE_NEEDED, true },
	[OPTION_NO_NEW_PRIVS] = { "no-new-privs", VALUE_OPTIONAL, false },
	[OPTION_SECCOMP] = { "seccomp", VALUE_NEEDED, false },
	[OPTION_READ_ONLY] = { "read-only", VALUE_OPTIONAL, false },
	[OPTION_WRITABLE] = { "writable", VALUE_NEEDED, true },
	[OPTION_TMPFS] = { "tmpfs", VALUE_NEEDED, true },
	[OPTION_EXEC_ALLOW] = { "exec-allow", VALUE_NEEDED, true },
	[OPTION_TCP_BIND] = { "tcp-bind", VALUE_NEEDED, true },
	[OPTION_TCP_CONNECT] = { "tcp-connect", VALUE_NEEDED, true },
	[OPTION_SECURITY_LEVEL] = { "security-level", VALUE_NEEDED, false },
	[OPTION_BEST_EFFORT] = { "best-effort", VALUE_OPTIONAL, false },
	[OPTION_SECCOMP_REPORT] = { "seccomp-report", VALUE_OPTIONAL, false },
	[OPTION_STOP_SIGNAL] = { "stop-signal", VALUE_NEEDED, false },
	[OPTION_REWRITE] = { "rewrite", VALUE_NEEDED, true },
	[OPTION_STOP_ON] = { "stop-on", VALUE_NEEDED, true },
	[OPTION_DRAIN] = { "drain", VALUE_NEEDED, false },
	[OPTION_PRE_STOP] = { "pre-stop", VALUE_NEEDED, false },
	[OPTION_PRE_STOP_TIMEOUT] = { "pre-stop-timeout", VALUE_NEEDED, false },
	[OPTION_STOP_TIMEOUT] = { "stop-timeout", VALUE_NEEDED, false },
	[OPTION_CLEAN_EXIT] = { "clean-exit", VALUE_NEEDED, true },
	[OPTION_READY] = { "ready", VALUE_NEEDED, true },
	[OPTION_LIVE] = { "live", VALUE_NEEDED, true },
	[OPTION_STARTUP] = { "startup", VALUE_NEEDED, true },
	[OPTION_HEALTH_INTERVAL] = { "health-interval", VALUE_NEEDED, false },
	[OPTION_HEALTH_TIMEOUT] = { "health-timeout", VALUE_NEEDED, false },
	[OPTION_HEALTH_START_PERIOD] = { "health-start-period", VALUE_NEEDED, false },
	[OPTION_HEALTH_START_INTERVAL] = { "health-start-interval", VALUE_NEEDED, false },
	[OPTION_HEALTH_RETRIES] = { "health-retries", VALUE_NEEDED, false },
	[OPTION_METRICS] = { "metrics", VALUE_NEEDED, true },
	[OPTION_LOG_FORMAT] = { "log-format", VALUE_NEEDED, false },
	[OPTION_LOG_LEVEL] = { "log-level", VALUE_NEEDED, false },
	[OPTION_HELP] = { "help", VALUE_NONE, false },
	[OPTION_VERSION] = { "version", VALUE_NONE, false },
};
static_assert(sizeof rules / sizeof rules[0] == OPTION_COUNT, "a rule for every option");

const char *options_name(size_t index)
{
	return index < OPTION_COUNT ? rules[index].name : NULL;
}

/* ---- values ---- */

static int set_bool(const char *value, bool *ret_bool, struct complaint *ret_why)
{
	static const char yes[][6] = { "yes", "true", "on", "1" }, no[][6] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
			*ret_bool = strcasecmp(value, yes[i]) == 0;
			return 0;
		}
	}
	return complain(ret_why, EINVAL, "'%s': expected yes or no", value);
}

static int set_capabilities(
	const char *value, uint64_t *bits, struct confinement *confinement, struct complaint *ret_why)
{
	while (*value != '\0') {
		char name[NAME_SIZE + 8];
		size_t length = strcspn(value, ",");
		uint64_t bit;

		snprintf(name, sizeof name, "%.*s", (int)length, value);
		if (length >= sizeof name || capname_parse(name, &bit) < 0)
			return complain(ret_why, EINVAL,
				"unknown capability '%.*s' (see capabilities(7); 'all' for every one)", (int)length,
				value);
		*bits |= bit;
		value += length + (value[length] == ',');
	}
	confinement->cap_given = true;
	return 0;
}

static int set_read_only(const char *value, enum read_only_mode *ret_mode, struct complaint *ret_why)
{
	static const char modes[][10] = { "no", "auto", "remount", "landlock", "verify" };
	bool on;

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (strcmp(value, modes[i]) == 0) {
			*ret_mode = (enum read_only_mode)i;
			return 0;
		}
	}
	if (set_bool(value, &on, ret_why) < 0)
		return complain(ret_why, EINVAL, "'%s': expected auto, remount, landlock or verify", value);
	*ret_mode = on ? READ_ONLY_AUTO : READ_ONLY_OFF;
	return 0;
}

static int check_absolute(const char *path, struct complaint *ret_why)
{
	return path[0] == '/' ? 0 : complain(ret_why, EINVAL, "'%s': expected an absolute path", path);
}

static int add_path(const char *value, struct path_list *list, struct complaint *ret_why)
{
	int error = check_absolute(value, ret_why);

	if (error < 0)
		return error;
	if (list->count == MODEL_PATHS_MAX)
		return complain(ret_why, E2BIG, "'%s': at most %d paths", value, MODEL_PATHS_MAX);
	list->path[list->count++] = value;
	return 0;
}

static int add_tmpfs(const char *value, struct tmpfs_list *list, struct complaint *ret_why)
{
	size_t length = strcspn(value, ":");
	struct tmpfs_mount *mount = &list->mount[list->count];
	int error = check_absolute(value, ret_why);

	if (error < 0)
		return error;
	if (list->count == MODEL_TMPFS_MAX)
		return complain(ret_why, E2BIG, "'%s': at most %d", value, MODEL_TMPFS_MAX);
	if (length >= sizeof mount->path || strlen(value + length) > TMPFS_OPTIONS_SIZE)
		return complain(ret_why, EINVAL, "'%.40s...': too long", value);
	memcpy(mount->path, value, length);
	mount->path[length] = '\0';
	mount->options = value[length] == ':' ? value + length + 1 : "";
	list->count++;
	return 0;
}

static int set_number(const char *value, int least, int most, int *ret_number, struct complaint *ret_why)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (!isdigit((unsigned char)value[*value == '-']) || *end != '\0' || number < least || number > most)
		return complain(ret_why, EINVAL, "'%s': expected a number from %d to %d", value, least, most);
	*ret_number = (int)number;
	return 0;
}

static int set_workdir(const char *value, const char **ret_path, struct complaint *ret_why)
{
	int error = check_absolute(value, ret_why);

	if (error == 0)
		*ret_path = value;
	return error;
}

static int add_group(const char *value, struct group_list *list, struct complaint *ret_why)
{
	if (list->count == MODEL_GROUPS_MAX)
		return complain(ret_why, E2BIG, "'%s': at most %d groups", value, MODEL_GROUPS_MAX);
	list->group[list->count++] = value;
	return 0;
}

static int set_umask(const char *value, struct confinement *confinement, struct complaint *ret_why)
{
	char *end;
	unsigned long mode = strtoul(value, &end, 8);

	if (!isdigit((unsigned char)*value) || *end != '\0' || mode > 0777)
		return complain(ret_why, EINVAL, "'%s': expected an octal mode from 0 to 777, such as 027", value);
	confinement->umask = (mode_t)mode;
	confinement->umask_given = true;
	return 0;
}

static int add_ulimit(const char *value, struct limits *limits, struct complaint *ret_why)
{
	unsigned resource;
	struct ulimit limit;
	int error = ulimit_parse(value, &resource, &limit, ret_why);

	if (error < 0)
		return error;
	limits->limit[resource] = limit;
	limits->given |= 1U << resource;
	return 0;
}

static int set_oom_score_adj(const char *value, struct limits *limits, struct complaint *ret_why)
{
	limits->oom_score_adj_given = true;
	return set_number(value, -OOM_SCORE_ADJ_MAX, OOM_SCORE_ADJ_MAX, &limits->oom_score_adj, ret_why);
}

/* Takes the first number of "143,130" and returns where the next one is, or NULL. */
static const char *next_number(const char *list, unsigned most, unsigned *ret_number)
{
	char *end;
	unsigned long number = strtoul(list, &end, 10);

	if (!isdigit((unsigned char)*list) || (*end != '\0' && *end != ',') || number > most)
		return NULL;
	*ret_number = (unsigned)number;
	return end + (*end == ',');
}

static int add_ports(const char *value, struct port_list *list, struct complaint *ret_why)
{
	const char *next = strcmp(value, "none") == 0 ? "" : value;
	unsigned port;

	list->given = true;
	while (*next != '\0') {
		next = next_number(next, UINT16_MAX, &port);
		if (next == NULL)
			return complain(
				ret_why, EINVAL, "'%s': expected port numbers, such as 443,5432, or none", value);
		if (list->count == MODEL_PORTS_MAX)
			return complain(ret_why, E2BIG, "'%s': at most %d ports", value, MODEL_PORTS_MAX);
		list->port[list->count++] = (uint16_t)port;
	}
	return 0;
}

static int set_duration(const char *value, int64_t smallest, int64_t *ret_ns, struct complaint *ret_why)
{
	int64_t ns;

	if (duration_parse(value, &ns) < 0)
		return complain(ret_why, EINVAL, "'%s': expected a duration such as 500ms, 8s or 1m30s", value);
	if (ns < smallest)
		return complain(ret_why, ERANGE, "'%s': too short", value);
	*ret_ns = ns;
	return 0;
}

static int set_signal(const char *value, int *ret_signal, struct complaint *ret_why)
{
	if (signal_parse(value, ret_signal) < 0)
		return complain(ret_why, EINVAL, "unknown signal '%s' (TERM, SIGTERM, 15, RTMIN+3 ...)", value);
	return 0;
}

/* KILL and STOP are the kernel's, CHLD is our own. */
static bool can_come(int signal)
{
	return signal != SIGKILL && signal != SIGSTOP && signal != SIGCHLD;
}

/* The next of a list that commas part, cut to the size of the buffer; *list goes on behind it. */
static const char *next_of_list(const char **list, char *ret_item, size_t size)
{
	size_t length = strcspn(*list, ",");

	snprintf(ret_item, size, "%.*s", (int)length, *list);
	*list += length + ((*list)[length] == ',');
	return ret_item;
}

static int add_stop_on(const char *value, uint64_t *set, struct complaint *ret_why)
{
	char name[2 * NAME_SIZE];
	int signal;

	while (*value != '\0') {
		if (set_signal(next_of_list(&value, name, sizeof name), &signal, ret_why) < 0)
			return -EINVAL;
		if (!can_come(signal))
			return complain(ret_why, EINVAL, "'%s': %s", name,
				signal == SIGCHLD ? "it tells of children that ended" : "nobody can catch it");
		*set |= UINT64_C(1) << (signal - 1);
	}
	return 0;
}

static int set_pre_stop(const char *value, char ***ret_command, struct complaint *ret_why)
{
	/* The model's, for the process's life. */
	static char text[MODEL_PRE_STOP_SIZE];
	static char *words[MODEL_PRE_STOP_WORDS + 1];
	int count = -E2BIG;

	if (snprintf(text, sizeof text, "%s", value) < MODEL_PRE_STOP_SIZE)
		count = words_split(text, sizeof words / sizeof words[0], words);
	if (count < 0)
		return complain(ret_why, -count,
			"'%.100s...': too long (at most %d words and %d characters; put them into a script)", value,
			MODEL_PRE_STOP_WORDS, MODEL_PRE_STOP_SIZE - 1);
	if (count == 0)
		return complain(ret_why, EINVAL, "names no command");
	*ret_command = words;
	return 0;
}

static int set_security_level(const char *value, bool *ret_hardened, struct complaint *ret_why)
{
	if (strcmp(value, "standard") != 0 && strcmp(value, "hardened") != 0)
		return complain(ret_why, EINVAL, "'%s': expected standard or hardened", value);
	*ret_hardened = value[0] == 'h';
	return 0;
}

static int set_log_format(const char *value, enum log_format *ret_format, struct complaint *ret_why)
{
	if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
		return complain(ret_why, EINVAL, "'%s': expected text or json", value);
	*ret_format = value[0] == 't' ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
	return 0;
}

static int set_log_level(const char *value, enum log_level *ret_level, struct complaint *ret_why)
{
	for (enum log_level level = 0; level < LOG_LEVEL_COUNT; level++) {
		if (strcmp(value, log_level_name(level)) == 0) {
			*ret_level = level;
			return 0;
		}
	}
	return complain(ret_why, EINVAL, "'%s': expected error, warning, notice or info", value);
}

/* FROM:TO; TO 0 drops the signal, as dumb-init has it. */
static int add_rewrite(const char *value, uint8_t rewrite[MODEL_SIGNALS], struct complaint *ret_why)
{
	const char *colon = strchr(value, ':');
	char from_name[NAME_SIZE];
	int from, to;

	if (colon == NULL || (size_t)(colon - value) >= sizeof from_name)
		return complain(ret_why, EINVAL, "'%s': expected FROM:TO, such as TERM:QUIT", value);
	snprintf(from_name, sizeof from_name, "%.*s", (int)(colon - value), value);
	if (set_signal(from_name, &from, ret_why) < 0)
		return -EINVAL;
	if (!can_come(from))
		return complain(ret_why, EINVAL, "'%s': SIG%s never comes to be passed on", value,
			signal_name(from, from_name));
	if (strcmp(colon + 1, "0") == 0)
		to = MODEL_REWRITE_NOTHING;
	else if (set_signal(colon + 1, &to, ret_why) < 0)
		return -EINVAL;
	rewrite[from] = (uint8_t)to;
	return 0;
}

static int add_clean_exit(const char *value, uint64_t clean_exit[4], struct complaint *ret_why)
{
	const char *next = value;
	unsigned status;

	while (*next != '\0') {
		next = next_number(next, UINT8_MAX, &status);
		if (next == NULL)
			return complain(
				ret_why, EINVAL, "'%s': expected exit statuses from 0 to 255, such as 143,130", value);
		clean_exit[status / 64] |= UINT64_C(1) << status % 64;
	}
	return 0;
}

static int set_retries(const char *value, unsigned *ret_retries, struct complaint *ret_why)
{
	return set_number(value, 1, RETRIES_MAX, (int *)ret_retries, ret_why);
}

static int add_check(const char *value, enum check_kind kind, struct model *model, struct complaint *ret_why)
{
	struct check *check = &model->check[model->check_count];
	int error;

	if (model->check_count == MODEL_CHECKS_MAX)
		return complain(ret_why, E2BIG, "'%s': at most %d checks", value, MODEL_CHECKS_MAX);
	if (strlen(value) >= MODEL_TARGET_SIZE)
		return complain(ret_why, EINVAL, "'%.100s': longer than %d characters", value, MODEL_TARGET_SIZE - 1);
	error = target_parse(value, &check->target, ret_why);
	if (error < 0) {
		struct complaint plain = *ret_why; /* says what is wrong with the target, but not which one it is */

		return complain(ret_why, -error, "'%.100s': %.300s", value, plain.text);
	}
	check->kind = kind;
	check->text = value;
	model->check_count++;
	return 0;
}

static int add_listen(const char *value, struct model *model, struct complaint *ret_why)
{
	int error = listen_check(value, ret_why);

	if (error < 0)
		return error;
	if (model->listen_count == MODEL_LISTEN_MAX)
		return complain(ret_why, E2BIG, "'%s': at most %d addresses", value, MODEL_LISTEN_MAX);
	model->listen[model->listen_count++] = value;
	return 0;
}

/* Shortest times that make sense: a check that runs without a pause, or has no time at all, is a mistake. */
#define SHORTEST_INTERVAL 10000000 /* 10 ms */
#define SHORTEST_TIMEOUT 1000000   /* 1 ms */

static int set_option(enum option option, const char *value, struct model *model, struct complaint *ret_why)
{
	struct confinement *confinement = &model->confinement;
	struct check_timing *timing = &model->timing;

	switch (option) {
	case OPTION_USER:
		confinement->user = value;
		return 0;
	case OPTION_GROUP_ADD:
		return add_group(value, &confinement->groups, ret_why);
	case OPTION_WORKDIR:
		return set_workdir(value, &confinement->workdir, ret_why);
	case OPTION_UMASK:
		return set_umask(value, confinement, ret_why);
	case OPTION_ULIMIT:
		return add_ulimit(value, &confinement->limits, ret_why);
	case OPTION_OOM_SCORE_ADJ:
		return set_oom_score_adj(value, &confinement->limits, ret_why);
	case OPTION_CAP_DROP:
		return set_capabilities(value, &confinement->cap_drop, confinement, ret_why);
	case OPTION_CAP_ADD:
		return set_capabilities(value, &confinement->cap_add, confinement, ret_why);
	case OPTION_NO_NEW_PRIVS:
		return set_bool(value, &confinement->no_new_privs, ret_why);
	case OPTION_SECCOMP:
		confinement->seccomp = value;
		return 0;
	case OPTION_SECCOMP_REPORT:
		return set_bool(value, &confinement->seccomp_report, ret_why);
	case OPTION_READ_ONLY:
		return set_read_only(value, &confinement->read_only, ret_why);
	case OPTION_WRITABLE:
		return add_path(value, &confinement->writable, ret_why);
	case OPTION_TMPFS:
		return add_tmpfs(value, &confinement->tmpfs, ret_why);
	case OPTION_EXEC_ALLOW:
		return add_path(value, &confinement->exec_allow, ret_why);
	case OPTION_TCP_BIND:
		return add_ports(value, &confinement->tcp_bind, ret_why);
	case OPTION_TCP_CONNECT:
		return add_ports(value, &confinement->tcp_connect, ret_why);
	case OPTION_SECURITY_LEVEL:
		return set_security_level(value, &confinement->hardened, ret_why);
	case OPTION_BEST_EFFORT:
		return set_bool(value, &confinement->best_effort, ret_why);
	case OPTION_STOP_SIGNAL:
		return set_signal(value, &model->stop.signal, ret_why);
	case OPTION_REWRITE:
		return add_rewrite(value, model->stop.rewrite, ret_why);
	case OPTION_CLEAN_EXIT:
		return add_clean_exit(value, model->stop.clean_exit, ret_why);
	case OPTION_STOP_ON:
		return add_stop_on(value, &model->stop.on, ret_why);
	case OPTION_PRE_STOP:
		return set_pre_stop(value, &model->stop.pre_stop, ret_why);
	case OPTION_PRE_STOP_TIMEOUT:
		return set_duration(value, SHORTEST_TIMEOUT, &model->stop.pre_stop_timeout_ns, ret_why);
	case OPTION_LOG_FORMAT:
		return set_log_format(value, &model->log_format, ret_why);
	case OPTION_LOG_LEVEL:
		return set_log_level(value, &model->log_level, ret_why);
	case OPTION_DRAIN:
		return set_duration(value, 0, &model->stop.drain_ns, ret_why);
	case OPTION_STOP_TIMEOUT:
		return set_duration(value, SHORTEST_TIMEOUT, &model->stop.timeout_ns, ret_why);
	case OPTION_READY:
		return add_check(value, CHECK_READY, model, ret_why);
	case OPTION_LIVE:
		return add_check(value, CHECK_LIVE, model, ret_why);
	case OPTION_STARTUP:
		return add_check(value, CHECK_STARTUP, model, ret_why);
	case OPTION_HEALTH_INTERVAL:
		return set_duration(value, SHORTEST_INTERVAL, &timing->interval_ns, ret_why);
	case OPTION_HEALTH_TIMEOUT:
		return set_duration(value, SHORTEST_TIMEOUT, &timing->timeout_ns, ret_why);
	case OPTION_HEALTH_START_PERIOD:
		return set_duration(value, 0, &timing->start_period_ns, ret_why);
	case OPTION_HEALTH_START_INTERVAL:
		return set_duration(value, SHORTEST_INTERVAL, &timing->start_interval_ns, ret_why);
	case OPTION_HEALTH_RETRIES:
		return set_retries(value, &timing->retries, ret_why);
	case OPTION_METRICS:
		return add_listen(value, model, ret_why);
	default:
		return 0; /* help and version are wishes, not settings */
	}
}

/* ---- names ---- */

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance between two short names, cut to NAME_SIZE. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_SIZE + 1], length = smaller(strlen(b), NAME_SIZE);

	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; i <= NAME_SIZE && a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t above = row[j];

			row[j] = smaller(smaller(row[j] + 1, row[j - 1] + 1), diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[length];
}

/* The option that was probably meant, or OPTION_COUNT when none is near. */
static enum option nearest(const char *name)
{
	enum option best = OPTION_COUNT;
	size_t best_distance = 4;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		size_t here = distance(name, rules[i].name);

		if (here < best_distance) {
			best_distance = here;
			best = (enum option)i;
		}
	}
	return best;
}

static enum option find_option(const char *name, size_t length)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (strlen(rules[i].name) == length && memcmp(rules[i].name, name, length) == 0)
			return (enum option)i;
	return OPTION_COUNT;
}

/* "cap-drop" to "NEST_INIT_CAP_DROP". */
static void variable_name(const char *name, char ret_variable[VARIABLE_SIZE])
{
	size_t at = (size_t)snprintf(ret_variable, VARIABLE_SIZE, PREFIX);

	for (; *name != '\0'; name++)
		ret_variable[at++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
	ret_variable[at] = '\0';
}

static int unknown_option(const char *word, struct complaint *ret_why)
{
	char name[NAME_SIZE * 2];
	enum option near;

	snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
	near = nearest(name);
	if (near != OPTION_COUNT)
		return complain(ret_why, EINVAL, "unknown option '%.200s': did you mean --%s?", word, rules[near].name);
	return complain(ret_why, EINVAL, "unknown option '%.200s' (nest-init --help lists them)", word);
}

/* ---- argv ---- */

struct parse {
	struct model *model;
	bool confines_only; /* nest-init exec */
	bool seen[OPTION_COUNT];
};

static bool is_out_of_place(const struct parse *parse, enum option option)
{
	return parse->confines_only && option > OPTION_BEST_EFFORT && option < OPTION_HELP;
}

/* Says where a bad value stands. */
static int blame(const char *dashes, const char *name, int error, struct complaint *why)
{
	struct complaint plain = *why;

	return complain(why, -error, "%s%s: %.450s", dashes, name, plain.text);
}

static int take_word(struct parse *parse, char ***next, enum option *ret_option, struct complaint *ret_why)
{
	const char *word = *(*next)++, *name = word + 2, *equals = strchr(name, '=');
	enum option option = find_option(name, equals != NULL ? (size_t)(equals - name) : strlen(name));
	const char *value = equals != NULL ? equals + 1 : "yes";
	int error;

	if (option == OPTION_COUNT)
		return unknown_option(word, ret_why);
	if (is_out_of_place(parse, option))
		return complain(ret_why, EINVAL, "--%s: nest-init exec supervises nothing", rules[option].name);
	if (rules[option].value == VALUE_NONE && equals != NULL)
		return complain(ret_why, EINVAL, "--%s takes no value", rules[option].name);
	if (rules[option].value == VALUE_NEEDED && equals == NULL) {
		if (**next == NULL)
			return complain(ret_why, EINVAL, "--%s: a value is missing", rules[option].name);
		value = *(*next)++;
	}
	if (*value == '\0')
		return complain(ret_why, EINVAL, "--%s: the value is empty", rules[option].name);
	parse->seen[option] = true;
	*ret_option = option;
	error = set_option(option, value, parse->model, ret_why);
	return error < 0 ? blame("--", rules[option].name, error, ret_why) : 0;
}

static int parse_argv(struct parse *parse, char **argv, enum options_wish *ret_wish, struct complaint *ret_why)
{
	char **next = argv + 1;

	while (*next != NULL && (*next)[0] == '-' && (*next)[1] != '\0') {
		enum option option = OPTION_COUNT;
		int error;

		if (strcmp(*next, "--") == 0) {
			next++;
			break;
		}
		if ((*next)[1] != '-') {
			if (strcmp(*next, "-h") != 0)
				return complain(ret_why, EINVAL,
					"unknown option '%.200s' (nest-init --help lists them)", *next);
			*ret_wish = OPTIONS_HELP;
			return 0;
		}
		error = take_word(parse, &next, &option, ret_why);
		if (error < 0)
			return error;
		if (option == OPTION_HELP || option == OPTION_VERSION) {
			*ret_wish = option == OPTION_HELP ? OPTIONS_HELP : OPTIONS_VERSION;
			return 0;
		}
	}
	parse->model->command = next;
	return 0;
}

/* ---- the environment ---- */

static int set_from_variable(struct parse *parse, enum option option, const char *value, struct complaint *ret_why)
{
	char *rest, *words;
	int error = 0;

	if (!rules[option].repeatable)
		return set_option(option, value, parse->model, ret_why);
	words = strdup(value);
	if (words == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	for (char *word = strtok_r(words, " \t\n", &rest); error == 0 && word != NULL;
		word = strtok_r(NULL, " \t\n", &rest))
		error = set_option(option, word, parse->model, ret_why);
	return error;
}

/* True if the word stands in the name as a whole part of it: "_PORT" in "X_PORT" and in "X_PORT_80_TCP". */
static bool has_part(const char *name, size_t length, const char *part)
{
	size_t size = strlen(part);

	for (size_t i = 0; i + size <= length; i++)
		if (memcmp(name + i, part, size) == 0 && (i + size == length || name[i + size] == '_'))
			return true;
	return false;
}

/* Variables that stand under our prefix and are no options: PID 1's own for clients, and what Kubernetes sets in every
 * pod for a Service whose name begins with nest-init (NAME_SERVICE_HOST, NAME_PORT, NAME_PORT_80_TCP_ADDR ...). */
static bool is_foreign(const char *name, size_t length)
{
	static const char service[][14] = { "_SERVICE_HOST", "_SERVICE_PORT", "_PORT" };

	if (length == strlen(CONTROL_VARIABLE) && memcmp(name, CONTROL_VARIABLE, length) == 0)
		return true;
	for (size_t i = 0; i < sizeof service / sizeof service[0]; i++)
		if (has_part(name, length, service[i]))
			return true;
	return false;
}

static enum option find_variable(const char *name, size_t length)
{
	for (size_t i = 0; i < OPTION_HELP; i++) {
		char variable[VARIABLE_SIZE];

		variable_name(rules[i].name, variable);
		if (strlen(variable) == length && memcmp(variable, name, length) == 0)
			return (enum option)i;
	}
	return OPTION_COUNT;
}

static int unknown_variable(const char *name, size_t length, struct complaint *ret_why)
{
	char lower[NAME_SIZE * 2], variable[VARIABLE_SIZE];
	size_t count = 0;
	enum option near;

	for (size_t i = strlen(PREFIX); i < length && count < sizeof lower - 1; i++)
		lower[count++] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
	lower[count] = '\0';
	near = nearest(lower);
	if (near == OPTION_COUNT || near >= OPTION_HELP)
		return complain(ret_why, EINVAL, "unknown variable %.*s (an option of nest-init --help, in capitals)",
			(int)length, name);
	variable_name(rules[near].name, variable);
	return complain(ret_why, EINVAL, "unknown variable %.*s: did you mean %s?", (int)length, name, variable);
}

static int take_variable(struct parse *parse, const char *text, struct complaint *ret_why)
{
	const char *equals = strchr(text, '=');
	size_t length = equals != NULL ? (size_t)(equals - text) : strlen(text);
	char variable[VARIABLE_SIZE];
	enum option option;
	int error;

	if (equals == NULL || is_foreign(text, length))
		return 0;
	option = find_variable(text, length);
	if (option == OPTION_COUNT)
		return unknown_variable(text, length, ret_why);
	if (parse->seen[option] || equals[1] == '\0' || is_out_of_place(parse, option))
		return 0; /* the option wins; an empty variable is an unset one */
	parse->seen[option] = true;
	error = set_from_variable(parse, option, equals + 1, ret_why);
	variable_name(rules[option].name, variable);
	return error < 0 ? blame("", variable, error, ret_why) : 0;
}

static int parse_environment(struct parse *parse, char **env, struct complaint *ret_why)
{
	for (; *env != NULL; env++) {
		int error;

		if (strncmp(*env, PREFIX, strlen(PREFIX)) != 0)
			continue;
		error = take_variable(parse, *env, ret_why);
		if (error < 0)
			return error;
	}
	return 0;
}

/* The name that services know already; what else it may hold is theirs. */
static bool has_hardened_variable(char **env)
{
	while (*env != NULL && strcmp(*env, "SECURITY_LEVEL=hardened") != 0)
		env++;
	return *env != NULL;
}

/* What is not said itself. A capability that is added is kept, a program that is allowed comes beside COMMAND's. */
static void harden(const bool seen[static OPTION_COUNT], struct confinement *confinement)
{
	if (!seen[OPTION_CAP_DROP])
		confinement->cap_drop = UINT64_MAX;
	confinement->cap_given = true;
	if (!seen[OPTION_NO_NEW_PRIVS])
		confinement->no_new_privs = true;
	if (!seen[OPTION_SECCOMP])
		confinement->seccomp = "default";
	if (!seen[OPTION_READ_ONLY])
		confinement->read_only = READ_ONLY_AUTO;
}

/* What only the whole of it shows. */
static int check_together(const struct model *model, struct complaint *ret_why)
{
	const struct stop_policy *stop = &model->stop;
	const struct confinement *confinement = &model->confinement;

	if (confinement->seccomp_report &&
		(confinement->seccomp == NULL || strcmp(confinement->seccomp, "unconfined") == 0))
		return complain(ret_why, EINVAL, "--seccomp-report: there is no filter to report on; give a --seccomp");
	if (stop->drain_ns >= stop->timeout_ns)
		return complain(ret_why, EINVAL,
			"--drain takes all of --stop-timeout: the workload would be killed without a stop signal");
	if (stop->pre_stop_timeout_ns >= stop->timeout_ns - stop->drain_ns)
		return complain(ret_why, EINVAL,
			"--drain and --pre-stop-timeout take all of --stop-timeout: the workload would be killed "
			"without a stop signal");
	return 0;
}

/* What the words have left open: the variables, and what follows from both. */
static int finish(struct parse *parse, char **env, struct complaint *ret_why)
{
	struct model *model = parse->model;
	int error = parse_environment(parse, env, ret_why);

	if (error < 0)
		return error;
	if (!parse->seen[OPTION_SECURITY_LEVEL])
		model->confinement.hardened = has_hardened_variable(env);
	if (model->confinement.hardened)
		harden(parse->seen, &model->confinement);
	for (size_t i = 0; i < model->check_count; i++)
		model->check[i].timing = model->timing;
	return check_together(model, ret_why);
}

static bool confines(const struct confinement *confinement)
{
	return confinement->user != NULL || confinement->cap_given || confinement->seccomp != NULL ||
		confinement->read_only != READ_ONLY_OFF || confinement->tmpfs.count > 0 ||
		confinement->exec_allow.count > 0 || confinement->tcp_bind.given || confinement->tcp_connect.given;
}

int options_parse_environment(char **env, struct model *ret_model, struct complaint *ret_why)
{
	struct parse parse = { .model = ret_model };
	int error;

	model_defaults(ret_model);
	ret_model->confinement.no_new_privs = false;
	error = finish(&parse, env, ret_why);
	if (error == 0 && !parse.seen[OPTION_NO_NEW_PRIVS])
		ret_model->confinement.no_new_privs = confines(&ret_model->confinement);
	return error;
}

static int parse_all(
	struct parse *parse, char **argv, char **env, enum options_wish *ret_wish, struct complaint *ret_why)
{
	int error;

	model_defaults(parse->model);
	*ret_wish = OPTIONS_RUN;
	error = parse_argv(parse, argv, ret_wish, ret_why);
	if (error < 0 || *ret_wish != OPTIONS_RUN)
		return error;
	error = finish(parse, env, ret_why);
	if (error < 0)
		return error;
	if (*parse->model->command == NULL)
		return complain(ret_why, EINVAL, "no command given: nest-init %s[OPTION...] [--] COMMAND [ARG...]",
			parse->confines_only ? "exec " : "");
	return 0;
}

int options_parse(
	char **argv, char **env, struct model *ret_model, enum options_wish *ret_wish, struct complaint *ret_why)
{
	return parse_all(&(struct parse){ .model = ret_model }, argv, env, ret_wish, ret_why);
}

int options_parse_exec(
	char **argv, char **env, struct model *ret_model, enum options_wish *ret_wish, struct complaint *ret_why)
{
	return parse_all(&(struct parse){ .model = ret_model, .confines_only = true }, argv, env, ret_wish, ret_why);
}
