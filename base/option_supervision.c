/* Setters of what supervises: stopping, health, metrics, the log. */
#include "base/option_setters.h"

#include "base/clock.h"
#include "base/listen.h"
#include "base/option_values.h"
#include "base/signame.h"
#include "base/trace_endpoint.h"
#include "base/wire.h"
#include "base/words.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_SIZE 24
#define RETRIES_MAX 1000
#define CHECKS_FIRST 4 /* a power of two */
#define SHORTEST_WATCHDOG_NS (10 * NS_PER_MS)
#define WATCHDOG_MAX_NS (WIRE_WATCHDOG_MS_MAX * NS_PER_MS)

/* KILL and STOP are the kernel's, CHLD is our own. */
static bool can_come(int signal)
{
	return signal != SIGKILL && signal != SIGSTOP && signal != SIGCHLD;
}

static int add_stop_on(const char *value, uint64_t *set, struct complaint *ret_why)
{
	char name[2 * WORD_SIZE];
	int signal;

	while (*value != '\0') {
		if (value_read_signal(value_next_word(&value, name, sizeof name), &signal, ret_why) < 0)
			return -EINVAL;
		if (!can_come(signal))
			return complain(ret_why, EINVAL, "'%s': %s", name,
				signal == SIGCHLD ? "it tells of children that ended" : "nobody can catch it");
		*set |= UINT64_C(1) << (signal - 1);
	}
	return 0;
}

/* FROM:TO; TO 0 drops the signal, as dumb-init has it. */
static int add_rewrite(const char *value, uint8_t rewrite[MODEL_SIGNALS], struct complaint *ret_why)
{
	const char *colon = strchr(value, ':');
	char from_name[WORD_SIZE];
	int from, to;

	if (colon == NULL || (size_t)(colon - value) >= sizeof from_name)
		return complain(ret_why, EINVAL, "'%s': expected FROM:TO, such as TERM:QUIT", value);
	snprintf(from_name, sizeof from_name, "%.*s", (int)(colon - value), value);
	if (value_read_signal(from_name, &from, ret_why) < 0)
		return -EINVAL;
	if (!can_come(from))
		return complain(ret_why, EINVAL, "'%s': SIG%s never comes to be passed on", value,
			signal_name(from, from_name));
	if (strcmp(colon + 1, "0") == 0)
		to = MODEL_REWRITE_NOTHING;
	else if (value_read_signal(colon + 1, &to, ret_why) < 0)
		return -EINVAL;
	rewrite[from] = (uint8_t)to;
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

static int add_clean_exit(const char *value, uint64_t clean_exit[4], struct complaint *ret_why)
{
	const char *next = value;
	unsigned status;

	while (*next != '\0') {
		next = value_next_number(next, UINT8_MAX, &status);
		if (next == NULL)
			return complain(
				ret_why, EINVAL, "'%s': expected exit statuses from 0 to 255, such as 143,130", value);
		clean_exit[status / 64] |= UINT64_C(1) << status % 64;
	}
	return 0;
}

/* POLICY[:ATTEMPTS], in docker run's words; never is Compose's and Kubernetes' word for no. */
static int set_restart(const char *value, struct restart_policy *policy, struct complaint *ret_why)
{
	static const struct {
		const char name[16];
		enum restart_kind kind;
	} kinds[] = { { "no", RESTART_NEVER }, { "never", RESTART_NEVER }, { "on-failure", RESTART_ON_FAILURE },
		{ "always", RESTART_ALWAYS }, { "unless-stopped", RESTART_ALWAYS } };
	const size_t length = strcspn(value, ":");
	int attempts = (int)policy->attempts;

	if (value[length] == ':' && value_read_number(value + length + 1, 0, RETRIES_MAX, &attempts, ret_why) < 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strlen(kinds[i].name) == length && memcmp(kinds[i].name, value, length) == 0) {
			policy->kind = kinds[i].kind;
			policy->attempts = (unsigned)attempts;
			return 0;
		}
	}
	return complain(ret_why, EINVAL,
		"'%s': expected no, on-failure, always or unless-stopped, and :ATTEMPTS if you like", value);
}

static int set_on_unhealthy(const char *value, struct service *service, struct complaint *ret_why)
{
	if (strcmp(value, "none") == 0)
		service->on_unhealthy = UNHEALTHY_NONE;
	else if (strcmp(value, "stop") == 0)
		service->on_unhealthy = UNHEALTHY_STOP;
	else if (strcmp(value, "restart") == 0)
		service->on_unhealthy = UNHEALTHY_RESTART;
	else if (value_read_signal(value, &service->unhealthy_signal, ret_why) == 0)
		service->on_unhealthy = UNHEALTHY_SIGNAL;
	else
		return complain(ret_why, EINVAL, "'%s': expected none, stop, restart or a signal, such as USR1", value);
	return 0;
}

/* Room for one more. The array doubles, so that a thousand checks are not copied a thousand times. */
static int make_room(struct service *service)
{
	const size_t count = service->check_count;
	struct check *more = service->check;

	if (count == 0 || (count >= CHECKS_FIRST && (count & (count - 1)) == 0))
		more = realloc(service->check, (count == 0 ? CHECKS_FIRST : 2 * count) * sizeof *more);
	if (more == NULL)
		return -ENOMEM;
	service->check = more;
	return 0;
}

int option_add_check(const struct check *check, struct service *service, struct complaint *ret_why)
{
	if (service->check_count == MODEL_CHECKS_MAX)
		return complain(ret_why, E2BIG, "'%.100s': at most %d checks", check->name, MODEL_CHECKS_MAX);
	if (make_room(service) < 0)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	service->check[service->check_count++] = *check;
	return 0;
}

/* All checks of a value. They point into a copy of it that lives as long as the process. */
static int add_checks(const char *value, enum check_kind kind, struct service *service, struct complaint *ret_why)
{
	char *text = strdup(value);
	const size_t count = service->check_count;
	struct check check;
	size_t at = 0;
	int r;

	if (text == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	while ((r = check_parse(text, &at, kind, &check, ret_why)) == 1) {
		r = option_add_check(&check, service, ret_why);
		if (r < 0)
			break;
	}
	if (r == 0 && service->check_count == count)
		return complain(ret_why, EINVAL, "the value is empty");
	return r;
}

/* A live check by another name. What is said again wins, as with every option that has one value. */
static int set_watchdog(const char *value, struct service *service, struct complaint *ret_why)
{
	static const char name[] = "watchdog";
	const bool again = service->watchdog_ns > 0;
	int64_t time;
	int r = value_read_duration(value, SHORTEST_WATCHDOG_NS, &time, ret_why);

	if (r < 0)
		return r;
	if (time > WATCHDOG_MAX_NS)
		return complain(ret_why, ERANGE, "'%s': expected a day at the most", value);
	service->watchdog_ns = time;
	return again
		? 0
		: option_add_check(
			  &(struct check){
				  .kind = CHECK_LIVE, .name = name, .text = name, .target = { .kind = TARGET_NOTIFY } },
			  service, ret_why);
}

static int set_retries(const char *value, unsigned *ret_retries, struct complaint *ret_why)
{
	return value_read_number(value, 1, RETRIES_MAX, (int *)ret_retries, ret_why);
}

static int set_expected(const char *value, struct expected *ret_expected, struct complaint *ret_why)
{
	struct complaint plain;
	int r = expected_parse(value, ret_expected, &plain);

	return r < 0 ? complain(ret_why, -r, "'%.100s': %.300s", value, plain.text) : 0;
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

int option_add_page(const struct check *page, struct model *model, struct complaint *ret_why)
{
	for (size_t i = 0; i < model->merge_count; i++)
		if (strcmp(model->merge[i].name, page->name) == 0)
			return complain(
				ret_why, EINVAL, "'%.200s' is there twice: give one of them another name=", page->name);
	if (model->merge_count == MODEL_MERGE_MAX)
		return complain(ret_why, E2BIG, "'%.200s': at most %d pages", page->name, MODEL_MERGE_MAX);
	model->merge[model->merge_count++] = *page;
	return 0;
}

/* As add_checks(). */
static int add_pages(const char *value, struct model *model, struct complaint *ret_why)
{
	char *text = strdup(value);
	const size_t count = model->merge_count;
	struct check page;
	size_t at = 0;
	int r;

	if (text == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	while ((r = check_parse(text, &at, CHECK_PAGE, &page, ret_why)) == 1) {
		r = option_add_page(&page, model, ret_why);
		if (r < 0)
			break;
	}
	if (r == 0 && model->merge_count == count)
		return complain(ret_why, EINVAL, "the value is empty");
	return r;
}

static int set_trace_endpoint(const char *value, const char **ret_endpoint, struct complaint *ret_why)
{
	const int r = trace_endpoint_check(value, ret_why);

	if (r == 0)
		*ret_endpoint = value;
	return r;
}

/* The text of the last one stays the model's, for the process's life. */
static int set_logging(const char *value, struct logging *ret_logging, struct complaint *ret_why)
{
	char *text = strdup(value);

	if (text == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	return logging_parse(text, ret_logging, ret_why);
}

static int set_log_format(const char *value, enum log_format *ret_format, struct complaint *ret_why)
{
	for (enum log_format format = 0; format < LOG_FORMAT_COUNT; format++) {
		if (strcmp(value, log_format_name(format)) == 0) {
			*ret_format = format;
			return 0;
		}
	}
	return complain(ret_why, EINVAL, "'%s': expected text, json or ecs", value);
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

int option_set_supervision(enum setter setter, const char *value, void *member, struct complaint *ret_why)
{
	switch (setter) {
	case ADD_STOP_SIGNALS:
		return add_stop_on(value, member, ret_why);
	case ADD_REWRITE:
		return add_rewrite(value, member, ret_why);
	case SET_PRE_STOP:
		return set_pre_stop(value, member, ret_why);
	case ADD_CLEAN_EXIT:
		return add_clean_exit(value, member, ret_why);
	case SET_RESTART:
		return set_restart(value, member, ret_why);
	case SET_ON_UNHEALTHY:
		return set_on_unhealthy(value, member, ret_why);
	case ADD_READY:
		return add_checks(value, CHECK_READY, member, ret_why);
	case ADD_LIVE:
		return add_checks(value, CHECK_LIVE, member, ret_why);
	case ADD_STARTUP:
		return add_checks(value, CHECK_STARTUP, member, ret_why);
	case SET_WATCHDOG:
		return set_watchdog(value, member, ret_why);
	case SET_RETRIES:
		return set_retries(value, member, ret_why);
	case SET_EXPECTED:
		return set_expected(value, member, ret_why);
	case ADD_LISTEN:
		return add_listen(value, member, ret_why);
	case ADD_MERGE:
		return add_pages(value, member, ret_why);
	case SET_TRACE_ENDPOINT:
		return set_trace_endpoint(value, member, ret_why);
	case SET_LOGGING:
		return set_logging(value, member, ret_why);
	case SET_LOG_FORMAT:
		return set_log_format(value, member, ret_why);
	default:
		return set_log_level(value, member, ret_why);
	}
}
