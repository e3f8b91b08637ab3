#include "base/check.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/nearest.h"
#include "base/words.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\n"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
#define KEY_SIZE 20
#define METHOD_MAX 16
#define RETRIES_MAX 1000
/* Shortest times that make sense: a check that runs without a pause, or has no time at all, is a mistake. */
#define SHORTEST_INTERVAL (10 * NS_PER_MS)
#define SHORTEST_TIMEOUT NS_PER_MS

static const char kind_names[][8] = { "live", "ready", "startup" };
static_assert(sizeof kind_names / sizeof kind_names[0] == CHECK_KIND_COUNT, "a name for every kind");

static const char key_names[][KEY_SIZE] = { "name", "interval", "timeout", "start_period", "start_interval", "retries",
	"success_threshold", "jitter", "expect", "method", "header", "body", "bearer_file" };
static_assert(sizeof key_names / sizeof key_names[0] == CHECK_KEY_COUNT, "a name for every key");

const struct check_timing check_default_timing = {
	.interval_ns = 30 * NS_PER_S,
	.start_interval_ns = NS_PER_S,
	.timeout_ns = 30 * NS_PER_S,
	.start_period_ns = 0,
	.retries = 3,
	.success_threshold = 1,
};

const char *check_kind_name(enum check_kind kind)
{
	return kind_names[kind];
}

const char *check_key_name(enum check_key key)
{
	return key_names[key];
}

static bool said(const struct check *check, enum check_key key)
{
	return (check->given >> key & 1) != 0;
}

/* ---- values: each refuses with what was expected ---- */

static int take_name(const char *value, const char **ret_name, struct complaint *ret_why)
{
	if (strlen(value) >= CHECK_NAME_SIZE)
		return complain(ret_why, EINVAL, "longer than %d characters", CHECK_NAME_SIZE - 1);
	*ret_name = value;
	return 0;
}

static int take_duration(const char *value, int64_t smallest, int64_t *ret_ns, struct complaint *ret_why)
{
	int64_t ns;

	if (duration_read(value, smallest, &ns, ret_why) < 0)
		return -EINVAL;
	*ret_ns = ns;
	return 0;
}

/* Digits, then `unit` ("" or "%"). */
static int take_number(const char *value, unsigned least, unsigned most, const char *unit, unsigned *ret_number,
	struct complaint *ret_why)
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);

	if (!isdigit((unsigned char)*value) || strcmp(end, unit) != 0 || number < least || number > most)
		return complain(ret_why, EINVAL, "'%.40s': expected a number from %u%s to %u%s", value, least, unit,
			most, unit);
	*ret_number = (unsigned)number;
	return 0;
}

/* CONNECT asks for a tunnel: nothing of HTTP follows its answer (RFC 9110 section 9.3.6). */
static int take_method(const char *value, const char **ret_method, struct complaint *ret_why)
{
	size_t length = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	if (length == 0 || length > METHOD_MAX || value[length] != '\0' || strcmp(value, "CONNECT") == 0)
		return complain(ret_why, EINVAL, "expected a method in capitals, such as GET, HEAD or POST");
	*ret_method = value;
	return 0;
}

/* They frame the message, and that is the prober's: it sends no body and one request a connection. */
static bool is_own_header(const char *value, size_t length)
{
	static const char own[][20] = { "Connection", "Content-Length", "Transfer-Encoding", "Expect", "Upgrade" };

	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		if (strlen(own[i]) == length && strncasecmp(own[i], value, length) == 0)
			return true;
	return false;
}

/* Not quoted in a refusal: it may hold a password. tchar of RFC 9110 section 5.6.2 before the colon; behind it visible
 * ASCII and blanks, which keeps CR LF out of the request. */
static int take_header(const char *value, struct exchange *exchange, struct complaint *ret_why)
{
	size_t length = strspn(value, NAME_CHARACTERS "!#$%&'*+.^`|~"), total = strlen(value);

	for (size_t i = 0; i < exchange->header_count; i++)
		total += strlen(exchange->header[i]);
	if (length == 0 || value[length] != ':')
		return complain(ret_why, EINVAL, "expected NAME:VALUE, such as Accept:application/json");
	if (is_own_header(value, length))
		return complain(ret_why, EINVAL, "%.*s is the prober's own", (int)length, value);
	for (const char *next = value + length; *next != '\0'; next++)
		if ((*next < ' ' && *next != '\t') || *next > '~')
			return complain(ret_why, EINVAL, "the value has a byte that is not visible ASCII");
	if (exchange->header_count == EXCHANGE_HEADERS_MAX || total > EXCHANGE_HEADERS_SIZE)
		return complain(ret_why, EINVAL, "at most %d headers of %d bytes together", EXCHANGE_HEADERS_MAX,
			EXCHANGE_HEADERS_SIZE);
	exchange->header[exchange->header_count++] = value;
	return 0;
}

static int take_body(const char *value, const char **ret_body, struct complaint *ret_why)
{
	if (strlen(value) > CHECK_BODY_MAX)
		return complain(ret_why, EINVAL, "longer than %d bytes", CHECK_BODY_MAX);
	*ret_body = value;
	return 0;
}

static int take_file(const char *value, const char **ret_file, struct complaint *ret_why)
{
	if (*value != '/')
		return complain(ret_why, EINVAL, "expected an absolute path");
	*ret_file = value;
	return 0;
}

static int take_value(enum check_key key, const char *value, struct check *check, struct complaint *ret_why)
{
	struct check_timing *timing = &check->timing;
	struct exchange *exchange = &check->exchange;

	switch (key) {
	case CHECK_NAME:
		return take_name(value, &check->name, ret_why);
	case CHECK_INTERVAL:
		return take_duration(value, SHORTEST_INTERVAL, &timing->interval_ns, ret_why);
	case CHECK_TIMEOUT:
		return take_duration(value, SHORTEST_TIMEOUT, &timing->timeout_ns, ret_why);
	case CHECK_START_PERIOD:
		return take_duration(value, 0, &timing->start_period_ns, ret_why);
	case CHECK_START_INTERVAL:
		return take_duration(value, SHORTEST_INTERVAL, &timing->start_interval_ns, ret_why);
	case CHECK_RETRIES:
		return take_number(value, 1, RETRIES_MAX, "", &timing->retries, ret_why);
	case CHECK_SUCCESS_THRESHOLD:
		return take_number(value, 1, RETRIES_MAX, "", &timing->success_threshold, ret_why);
	case CHECK_JITTER:
		return take_number(value, 0, 100, "%", &timing->jitter_percent, ret_why);
	case CHECK_EXPECT:
		return expected_parse(value, &exchange->expected, ret_why);
	case CHECK_METHOD:
		return take_method(value, &exchange->method, ret_why);
	case CHECK_HEADER:
		return take_header(value, exchange, ret_why);
	case CHECK_BODY:
		return take_body(value, &exchange->body, ret_why);
	case CHECK_BEARER_FILE:
		return take_file(value, &check->bearer_file, ret_why);
	case CHECK_KEY_COUNT:
		break;
	}
	return -EINVAL;
}

int check_set(enum check_key key, const char *value, struct check *check, struct complaint *ret_why)
{
	if (*value == '\0')
		return complain(ret_why, EINVAL, "the value is empty");
	for (const char *byte = value; *byte != '\0'; byte++)
		if (iscntrl((unsigned char)*byte) && key != CHECK_HEADER)
			return complain(ret_why, EINVAL, "the value has the control byte 0x%02x", (unsigned char)*byte);
	check->given |= 1U << key;
	return take_value(key, value, check, ret_why);
}

/* ---- words ---- */

/* "KEY=": the length of KEY; 0 for a TARGET, which has a colon before any = that it holds. */
static size_t key_length(const char *word)
{
	size_t length = strspn(word, NAME_CHARACTERS);

	return word[length] == '=' ? length : 0;
}

static int find_key(const char *word, size_t length, enum check_key *ret_key, struct complaint *ret_why)
{
	size_t best = CHECK_KEY_COUNT, best_distance = NEAREST_DISTANCE + 1;
	char name[KEY_SIZE + 8];

	snprintf(name, sizeof name, "%.*s", (int)length, word);
	for (size_t i = 0; i < CHECK_KEY_COUNT; i++)
		if (nearest_is_nearer(name, key_names[i], &best_distance))
			best = i;
	if (best_distance == 0) {
		*ret_key = (enum check_key)best;
		return 0;
	}
	if (best < CHECK_KEY_COUNT)
		return complain(ret_why, EINVAL, "unknown setting '%s': did you mean %s?", name, key_names[best]);
	return complain(ret_why, EINVAL,
		"unknown setting '%s': name, interval, timeout, start_period, start_interval, retries, "
		"success_threshold, jitter, expect, method, header, body",
		name);
}

/* Cuts the value off, its quotes too, and returns what follows; NULL if the quotes are not closed or go on. */
static char *cut_value(char *value, char **ret_value)
{
	const char quote[] = { *value, '\0' };
	const bool quoted = *value == '"' || *value == '\'';
	char *end = value + quoted;

	*ret_value = end;
	end += strcspn(end, quoted ? quote : BLANKS);
	if (quoted && (*end == '\0' || strchr(BLANKS, end[1]) == NULL)) /* the NUL counts as found */
		return NULL;
	if (*end != '\0')
		*end++ = '\0';
	return end;
}

/* What a setting that is wrong stands before: behind `next`, NULL where that is not known. */
static int name_target(const char *next, int error, struct complaint *why)
{
	const struct complaint plain = *why;
	size_t length;

	for (; next != NULL && (length = key_length(next)) > 0; next += strspn(next, BLANKS)) {
		const char quote[] = { next[length + 1], '\0' };
		const bool quoted = *quote == '"' || *quote == '\'';

		next += length + 1 + quoted;
		next += strcspn(next, quoted ? quote : BLANKS);
		next += quoted && *next != '\0';
	}
	if (next == NULL || *next == '\0')
		return error;
	length = strcspn(next, BLANKS);
	return complain(why, -error, "%.380s (before %.*s)", plain.text, length > 80 ? 80 : (int)length, next);
}

/* Moves *next behind the setting that begins there. */
static int take_setting(char **next, size_t length, struct check *check, struct complaint *ret_why)
{
	struct complaint plain;
	enum check_key key = CHECK_KEY_COUNT;
	char *value;
	int r = find_key(*next, length, &key, ret_why);

	if (r < 0)
		return r;
	if (said(check, key) && key != CHECK_HEADER)
		return complain(ret_why, EINVAL, "%s is said twice", key_names[key]);
	*next = cut_value(*next + length + 1, &value);
	if (*next == NULL)
		return complain(ret_why, EINVAL, "%s: a quote is not closed at the end of the word", key_names[key]);
	r = check_set(key, value, check, &plain);
	return r < 0 ? complain(ret_why, -r, "%s: %.300s", key_names[key], plain.text) : 0;
}

/* ---- TARGET ---- */

/* The words of the command are cut out of a copy: the text itself is the check's label. */
static int take_command(const char *words, struct check *check, struct complaint *ret_why)
{
	char *copy = strdup(words);

	check->command = calloc(CHECK_WORDS_MAX + 1, sizeof *check->command);
	if (copy == NULL || check->command == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	if (words_split(copy, CHECK_WORDS_MAX + 1, check->command) < 0)
		return complain(ret_why, EINVAL, "exec: at most %d words; put them into a script", CHECK_WORDS_MAX);
	return 0;
}

/* Quotes are what most would write for a shell, and there is none. */
int check_refuse_quotes(const struct check *check, struct complaint *ret_why)
{
	for (char **word = check->command; word != NULL && *word != NULL; word++)
		if (**word == '\'' || **word == '"')
			return complain(ret_why, EINVAL,
				"'%.100s': exec: is split at blanks, and quotes mean nothing there: put the command "
				"into a "
				"script, or as \"command\": [\"sh\", \"-c\", ...] of a check into a file (--config)",
				check->text);
	return 0;
}

/* Cuts the TARGET off, its quotes too, and returns what follows; NULL if these are not closed. Behind exec: there is
 * nothing but the command. */
static char *cut_target(char *text, char **ret_target)
{
	const bool command = strncasecmp(text, "exec:", strlen("exec:")) == 0;
	size_t length = command ? strlen(text) : strcspn(text, BLANKS);

	if (*text == '"' || *text == '\'')
		return cut_value(text, ret_target);
	*ret_target = text;
	while (command && strchr(BLANKS, text[length - 1]) != NULL)
		length--;
	if (text[length] == '\0')
		return text + length;
	text[length] = '\0';
	return text + length + 1 + (command ? strlen(text + length + 1) : 0);
}

int check_set_target(char *text, struct check *check, struct complaint *ret_why)
{
	struct complaint plain;
	int r = target_parse(text, &check->target, &plain);

	if (r < 0) /* it says what is wrong with the target, but not which one it is */
		return complain(ret_why, -r, "'%.100s': %.300s", text, plain.text);
	check->text = text;
	return check->target.kind == TARGET_EXEC ? take_command(text + strlen("exec:"), check, ret_why) : 0;
}

/* Its label is what it looks like in one text. */
int check_set_command(char **words, struct check *check, struct complaint *ret_why)
{
	size_t length = sizeof "exec:";
	char *text, *end;
	int error;

	for (char **word = words; *word != NULL; word++)
		length += strlen(*word) + 1;
	text = malloc(length);
	if (text == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	end = stpcpy(text, "exec:");
	for (char **word = words; *word != NULL; word++)
		end += sprintf(end, "%s%s", word > words ? " " : "", *word);
	for (char *byte = text; *byte != '\0'; byte++)
		if (iscntrl((unsigned char)*byte))
			*byte = ' ';
	error = check_set_target(text, check, ret_why);
	if (error == 0)
		check->command = words;
	return error;
}

/* It is fetched whole, with GET: little can be said of that. */
static int check_page(const struct check *check, bool http, struct complaint *ret_why)
{
	const uint32_t own = 1U << CHECK_NAME | 1U << CHECK_TIMEOUT | 1U << CHECK_HEADER | 1U << CHECK_BEARER_FILE;
	enum check_key key = 0;

	while (key < CHECK_KEY_COUNT && ((own >> key & 1) != 0 || !said(check, key)))
		key++;
	if (!http)
		return complain(ret_why, EINVAL,
			"'%.100s': expected http://HOST[:PORT][/PATH] or http+unix:SOCKET:/PATH", check->text);
	if (key < CHECK_KEY_COUNT)
		return complain(ret_why, EINVAL,
			"'%.100s': %s is for checks: a page has name, timeout, header, bearer_file", check->text,
			key_names[key]);
	if (check->exchange.header_count > EXCHANGE_HEADERS_MAX - CHECK_PAGE_HEADERS)
		return complain(ret_why, EINVAL, "'%.100s': at most %d headers", check->text,
			EXCHANGE_HEADERS_MAX - CHECK_PAGE_HEADERS);
	return 0;
}

/* What only the whole of it shows. */
int check_complete(struct check *check, struct complaint *ret_why)
{
	const bool http = check->target.kind == TARGET_HTTP || check->target.kind == TARGET_HTTP_UNIX;
	enum check_key key = CHECK_EXPECT; /* and those behind it */

	if (check->name == NULL && strlen(check->text) >= CHECK_TEXT_SIZE)
		return complain(ret_why, EINVAL, "'%.100s': longer than %d characters: give it a name=", check->text,
			CHECK_TEXT_SIZE - 1);
	if (check->name == NULL)
		check->name = check->text;
	if (check->kind == CHECK_PAGE)
		return check_page(check, http, ret_why);
	if (check->bearer_file != NULL)
		return complain(ret_why, EINVAL, "'%.100s': bearer_file is for --metrics-merge alone", check->text);
	while (!http && key < CHECK_KEY_COUNT && !said(check, key))
		key++;
	if (!http && key < CHECK_KEY_COUNT)
		return complain(ret_why, EINVAL, "'%.100s': %s is for http targets alone", check->text, key_names[key]);
	if (check->target.kind == TARGET_NOTIFY && check->kind != CHECK_READY)
		return complain(ret_why, EINVAL, "'notify' says when the workload is ready: it is for ready alone");
	if (check->exchange.body != NULL && check->exchange.method != NULL &&
		strcmp(check->exchange.method, "HEAD") == 0)
		return complain(ret_why, EINVAL, "'%.100s': an answer to HEAD has no body", check->text);
	return 0;
}

/* follows: something stands before it in its text. */
static int parse_one(bool follows, char **next, struct check *check, struct complaint *ret_why)
{
	struct complaint plain;
	char *target;
	size_t length;
	int r;

	while ((length = key_length(*next)) > 0) {
		r = take_setting(next, length, check, ret_why);
		if (*next != NULL)
			*next += strspn(*next, BLANKS);
		if (r < 0)
			return name_target(*next, r, ret_why);
	}
	if (**next == '\0')
		return complain(
			ret_why, EINVAL, "a TARGET is missing: settings stand before it, as in name=api http://HOST/");
	*next = cut_target(*next, &target);
	if (*next == NULL)
		return complain(ret_why, EINVAL, "a quote is not closed at the end of a TARGET");
	r = check_set_target(target, check, &plain);
	if (r == 0)
		return check_refuse_quotes(check, ret_why);
	return complain(ret_why, -r, "%.420s%s", plain.text,
		follows ? " (what holds blanks stands in quotes: header='Name: value', 'file:/a b')" : "");
}

int check_parse(char *text, size_t *at, enum check_kind kind, struct check *ret_check, struct complaint *ret_why)
{
	struct check check = { .kind = kind };
	char *next = text + *at + strspn(text + *at, BLANKS);
	int r;

	if (*next == '\0')
		return 0;
	r = parse_one(key_length(next) > 0 || *at > 0, &next, &check, ret_why);
	if (r == 0)
		r = check_complete(&check, ret_why);
	if (r < 0)
		return r;
	*at = (size_t)(next - text);
	*ret_check = check;
	return 1;
}

void check_inherit(struct check *check, const struct check_timing *timing, const struct expected *expected)
{
	if (!said(check, CHECK_INTERVAL))
		check->timing.interval_ns = timing->interval_ns;
	if (!said(check, CHECK_TIMEOUT))
		check->timing.timeout_ns = timing->timeout_ns;
	if (!said(check, CHECK_START_PERIOD))
		check->timing.start_period_ns = timing->start_period_ns;
	if (!said(check, CHECK_START_INTERVAL))
		check->timing.start_interval_ns = timing->start_interval_ns;
	if (!said(check, CHECK_RETRIES))
		check->timing.retries = timing->retries;
	if (!said(check, CHECK_SUCCESS_THRESHOLD))
		check->timing.success_threshold = timing->success_threshold;
	if (!said(check, CHECK_JITTER))
		check->timing.jitter_percent = timing->jitter_percent;
	if (!said(check, CHECK_EXPECT))
		check->exchange.expected = *expected;
	/* What a service says of itself needs no second look. */
	if (check->target.kind == TARGET_NOTIFY)
		check->timing.retries = check->timing.success_threshold = 1;
}
