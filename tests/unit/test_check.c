/* base/check: the text of a check, in words that a table can hold to the letter. */
#include "base/check.h"
#include "base/clock.h"
#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
/* The words of a command live as long as the process (check.h). */

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:take_command\n";
}

struct words {
	char text[8192];
	size_t at;
};

static void __attribute__((format(printf, 2, 3))) say(struct words *words, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	words->at += (size_t)vsnprintf(words->text + words->at, sizeof words->text - words->at, format, args);
	va_end(args);
	assert_true(words->at < sizeof words->text);
}

static void say_ms(struct words *words, const char *name, int64_t ns)
{
	if (ns != 0)
		say(words, " %s=%" PRId64 "ms", name, ns / NS_PER_MS);
}

static void say_number(struct words *words, const char *name, unsigned number)
{
	if (number != 0)
		say(words, " %s=%u", name, number);
}

static void say_check(struct words *words, const struct check *check)
{
	const struct check_timing *timing = &check->timing;
	const struct exchange *exchange = &check->exchange;

	say(words, "[%s %s #%d", check->name, check->text, (int)check->target.kind);
	say_ms(words, "interval", timing->interval_ns);
	say_ms(words, "timeout", timing->timeout_ns);
	say_ms(words, "start_period", timing->start_period_ns);
	say_ms(words, "start_interval", timing->start_interval_ns);
	say_number(words, "retries", timing->retries);
	say_number(words, "success_threshold", timing->success_threshold);
	say_number(words, "jitter", timing->jitter_percent);
	for (size_t i = 0; i < exchange->expected.count; i++)
		say(words, " %u-%u", exchange->expected.range[i].first, exchange->expected.range[i].last);
	if (exchange->method != NULL)
		say(words, " method=%s", exchange->method);
	for (size_t i = 0; i < exchange->header_count; i++)
		say(words, " header=<%s>", exchange->header[i]);
	if (exchange->body != NULL)
		say(words, " body=<%s>", exchange->body);
	if (check->bearer_file != NULL)
		say(words, " bearer=%s", check->bearer_file);
	for (char **word = check->command; word != NULL && *word != NULL; word++)
		say(words, " '%s'", *word);
	say(words, "]");
}

static struct complaint why;

/* All checks of a text; the answer of check_parse() when it is not 1. The text is cut up in a buffer of its own size,
 * so that a sanitizer sees a step too far. */
static int parse(const char *text, enum check_kind kind, struct words *words)
{
	char *copy = strdup(text);
	size_t at = 0;
	struct check check;
	int r;

	assert_non_null(copy);
	while ((r = check_parse(copy, &at, kind, &check, &why)) == 1) {
		assert_int_equal(check.kind, kind);
		say_check(words, &check);
	}
	free(copy);
	return r;
}

static const struct row {
	const char *text, *says;
} rows[] = {
	{ "", "" },
	{ " \t\n", "" },
	{ "tcp://db:5432", "[tcp://db:5432 tcp://db:5432 #2]" },
	{ " tcp://a:1  unix:/b\n", "[tcp://a:1 tcp://a:1 #2][unix:/b unix:/b #3]" },
	{ "name=api expect=200,429 interval=10s http://127.0.0.1:4000/api/health",
		"[api http://127.0.0.1:4000/api/health #0 interval=10000ms 200-200 429-429]" },
	{ "interval=1s timeout=2s start_period=3s start_interval=4s retries=5 success_threshold=6 jitter=7% tcp://a:1",
		"[tcp://a:1 tcp://a:1 #2 interval=1000ms timeout=2000ms start_period=3000ms start_interval=4000ms "
		"retries=5 success_threshold=6 jitter=7]" },
	{ "expect=200-299,300-399 method=HEAD header=Host:x header=\"Accept: a, b\" http://a/",
		"[http://a/ http://a/ #0 200-299 300-399 method=HEAD header=<Host:x> header=<Accept: a, b>]" },
	{ "body='\"db\": \"up\"' http+unix:/s:/x", "[http+unix:/s:/x http+unix:/s:/x #1 body=<\"db\": \"up\">]" },
	{ "body=\"it's\" http://a/ name='a b' tcp://a:1", "[http://a/ http://a/ #0 body=<it's>][a b tcp://a:1 #2]" },
	{ "body=a\"b http://a/", "[http://a/ http://a/ #0 body=<a\"b>]" },
	{ "body=a=b http://a/?c=d", "[http://a/?c=d http://a/?c=d #0 body=<a=b>]" },
	{ "file:/x?max_age=3s name=y file:/y", "[file:/x?max_age=3s file:/x?max_age=3s #4][y file:/y #4]" },
	{ "jitter=0% retries=1000 interval=10ms timeout=1ms tcp://a:1",
		"[tcp://a:1 tcp://a:1 #2 interval=10ms timeout=1ms retries=1000]" },
	{ "name=x exec:/bin/check -v  name=y tcp://a:1 ",
		"[x exec:/bin/check -v  name=y tcp://a:1 #5 '/bin/check' '-v' 'name=y' 'tcp://a:1']" },
	{ "tcp://a:1 exec:true", "[tcp://a:1 tcp://a:1 #2][exec:true exec:true #5 'true']" },
	{ "notify", "[notify notify #6]" },
	{ "name=x 'file:/a b' tcp://a:1", "[x file:/a b #4][tcp://a:1 tcp://a:1 #2]" },
	{ "'exec:ls -l /x' tcp://a:1", "[exec:ls -l /x exec:ls -l /x #5 'ls' '-l' '/x'][tcp://a:1 tcp://a:1 #2]" },
	{ "name=n retries=1 notify tcp://a:1", "[n notify #6 retries=1][tcp://a:1 tcp://a:1 #2]" },
};

static void reads_checks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct words words = { .at = 0 };

		if (parse(rows[i].text, CHECK_READY, &words) != 0)
			fail_msg("'%s': %s", rows[i].text, why.text);
		if (strcmp(words.text, rows[i].says) != 0)
			fail_msg("'%s': %s, expected %s", rows[i].text, words.text, rows[i].says);
	}
}

static const struct row refusals[] = {
	{ "name=api", "a TARGET is missing: settings stand before it, as in name=api http://HOST/" },
	{ "tcp://a:1 retries=2 ", "a TARGET is missing: settings stand before it, as in name=api http://HOST/" },
	{ "intervall=3s tcp://a:1", "unknown setting 'intervall': did you mean interval? (before tcp://a:1)" },
	{ "name=x start-period=3s tcp://a:1",
		"unknown setting 'start-period': did you mean start_period? (before tcp://a:1)" },
	{ "Name=x tcp://a:1", "unknown setting 'Name': did you mean name? (before tcp://a:1)" },
	{ "colour=red tcp://a:1",
		"unknown setting 'colour': name, interval, timeout, start_period, start_interval, "
		"retries, success_threshold, jitter, expect, method, header, body (before tcp://a:1)" },
	{ "a_very_long_setting_that_nobody_knows_of=1 tcp://a:1",
		"unknown setting 'a_very_long_setting_that_no': name, interval, timeout, start_period, "
		"start_interval, retries, success_threshold, jitter, expect, method, header, body (before tcp://a:1)" },
	{ "interval=3 tcp://a:1", "interval: '3': expected a duration such as 500ms, 8s or 1m30s (before tcp://a:1)" },
	{ "interval=9ms tcp://a:1", "interval: '9ms': expected at least 10ms (before tcp://a:1)" },
	{ "start_interval=0 tcp://a:1", "start_interval: '0': expected at least 10ms (before tcp://a:1)" },
	{ "timeout=0 tcp://a:1", "timeout: '0': expected at least 1ms (before tcp://a:1)" },
	{ "retries=0 tcp://a:1", "retries: '0': expected a number from 1 to 1000 (before tcp://a:1)" },
	{ "retries=+1 tcp://a:1", "retries: '+1': expected a number from 1 to 1000 (before tcp://a:1)" },
	{ "success_threshold=1001 tcp://a:1",
		"success_threshold: '1001': expected a number from 1 to 1000 (before tcp://a:1)" },
	{ "jitter=10 tcp://a:1", "jitter: '10': expected a number from 0% to 100% (before tcp://a:1)" },
	{ "jitter=101% tcp://a:1", "jitter: '101%': expected a number from 0% to 100% (before tcp://a:1)" },
	{ "expect=20 http://a/",
		"expect: character 1 does not begin a status from 200 to 599 or a range of them "
		"(200-299,401) (before http://a/)" },
	{ "method=get http://a/",
		"method: expected a method in capitals, such as GET, HEAD or POST (before http://a/)" },
	{ "method=CONNECT http://a/",
		"method: expected a method in capitals, such as GET, HEAD or POST (before http://a/)" },
	{ "header=Accept http://a/",
		"header: expected NAME:VALUE, such as Accept:application/json (before http://a/)" },
	{ "header=:x http://a/", "header: expected NAME:VALUE, such as Accept:application/json (before http://a/)" },
	{ "header=connection:close http://a/", "header: connection is the prober's own (before http://a/)" },
	{ "header='A: \r\nB: c' http://a/",
		"header: the value has a byte that is not visible ASCII (before http://a/)" },
	{ "name=a name=b tcp://a:1", "name is said twice (before tcp://a:1)" },
	{ "name= tcp://a:1", "name: the value is empty (before tcp://a:1)" },
	{ "name='' tcp://a:1", "name: the value is empty (before tcp://a:1)" },
	{ "name='a tcp://a:1", "name: a quote is not closed at the end of the word" },
	{ "name='a'b tcp://a:1", "name: a quote is not closed at the end of the word" },
	{ "name=\x1b[2J tcp://a:1", "name: the value has the control byte 0x1b (before tcp://a:1)" },
	{ "body=x tcp://a:1", "'tcp://a:1': body is for http targets alone" },
	{ "method=GET header=A:b file:/x", "'file:/x': method is for http targets alone" },
	{ "method=HEAD body=x http://a/", "'http://a/': an answer to HEAD has no body" },
	{ "tcp://a:1 gopher://x",
		"'gopher://x': target \"gopher://x\" is of an unknown form; known are http://"
		"HOST[:PORT][/PATH], http+unix:SOCKET:/PATH, tcp://HOST:PORT, unix:SOCKET, "
		"file:PATH[?max_age=T], exec:COMMAND and notify (what holds blanks stands in quotes: "
		"header='Name: value', 'file:/a b')" },
	{ "file:/a b",
		"'b': target \"b\" is of an unknown form; known are http://"
		"HOST[:PORT][/PATH], http+unix:SOCKET:/PATH, tcp://HOST:PORT, unix:SOCKET, "
		"file:PATH[?max_age=T], exec:COMMAND and notify (what holds blanks stands in quotes: "
		"header='Name: value', 'file:/a b')" },
	{ "name=a interval=1 timeout=\"2s\" tcp://a:1 tcp://b:2",
		"interval: '1': expected a duration such as 500ms, 8s or 1m30s (before tcp://a:1)" },
	{ "interval=9999h tcp://a:1", "interval: '9999h': expected at most a year (8760h) (before tcp://a:1)" },
	{ "expect=200-100 http://a/", "expect: 200-100 ends before it begins (before http://a/)" },
	{ "'file:/a b", "a quote is not closed at the end of a TARGET" },
	{ "exec:sh -c 'a b'",
		"'exec:sh -c 'a b'': exec: is split at blanks, and quotes mean nothing there: put the command into a "
		"script, or as \"command\": [\"sh\", \"-c\", ...] of a check into a file (--config)" },
	{ "exec: true", "'exec: true': exec: names no command: exec:COMMAND ARG..." },
};

static void refuses_and_says_where(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct words words = { .at = 0 };
		const int r = parse(refusals[i].text, CHECK_READY, &words);

		if (r != -EINVAL || strcmp(why.text, refusals[i].says) != 0)
			fail_msg("'%s': %d, %s", refusals[i].text, r, why.text);
	}
}

static void notify_is_about_readiness(void **state)
{
	struct words words = { .at = 0 };

	(void)state;
	assert_int_equal(parse("notify", CHECK_LIVE, &words), -EINVAL);
	assert_string_equal(why.text, "'notify' says when the workload is ready: it is for ready alone");
}

/* A text of `before`, then `count` times `fill`, then `after`. */
static int parse_long(const char *before, char fill, size_t count, const char *after)
{
	char *text = malloc(strlen(before) + count + strlen(after) + 1);
	struct words words = { .at = 0 };
	int r;

	assert_non_null(text);
	strcpy(text, before);
	memset(text + strlen(before), fill, count);
	strcpy(text + strlen(before) + count, after);
	r = parse(text, CHECK_READY, &words);
	free(text);
	return r;
}

static void everything_has_a_limit(void **state)
{
	(void)state;
	assert_int_equal(parse_long("name=", 'n', CHECK_NAME_SIZE - 1, " tcp://a:1"), 0);
	assert_int_equal(parse_long("name=", 'n', CHECK_NAME_SIZE, " tcp://a:1"), -EINVAL);
	assert_string_equal(why.text, "name: longer than 63 characters (before tcp://a:1)");
	assert_int_equal(parse_long("body=", 'b', CHECK_BODY_MAX, " http://a/"), 0);
	assert_int_equal(parse_long("body=", 'b', CHECK_BODY_MAX + 1, " http://a/"), -EINVAL);
	assert_string_equal(why.text, "body: longer than 256 bytes (before http://a/)");
	assert_int_equal(parse_long("header=A:", 'h', EXCHANGE_HEADERS_SIZE - 2, " http://a/"), 0);
	assert_int_equal(parse_long("header=A:", 'h', EXCHANGE_HEADERS_SIZE - 1, " http://a/"), -EINVAL);
	assert_string_equal(why.text, "header: at most 8 headers of 4096 bytes together (before http://a/)");
	assert_int_equal(parse_long("file:/", 'f', CHECK_TEXT_SIZE - 7, ""), 0);
	assert_int_equal(parse_long("file:/", 'f', CHECK_TEXT_SIZE - 6, ""), -EINVAL);
	assert_int_equal(parse_long("name=f file:/", 'f', CHECK_TEXT_SIZE, ""), 0);
	assert_int_equal(parse_long("exec:x ", ' ', 100000, ""), 0);
	assert_int_equal(parse_long("method=", 'M', 16, " http://a/"), 0);
	assert_int_equal(parse_long("method=", 'M', 17, " http://a/"), -EINVAL);
}

static void counts_headers_and_words(void **state)
{
	char text[1024] = "";
	struct words words = { .at = 0 };

	(void)state;
	for (int i = 0; i < EXCHANGE_HEADERS_MAX; i++)
		strcat(text, "header=A:b ");
	strcat(text, "http://a/");
	assert_int_equal(parse(text, CHECK_READY, &words), 0);
	memcpy(strstr(text, "http://a/"), "header=A:b http://a/", sizeof "header=A:b http://a/");
	assert_int_equal(parse(text, CHECK_READY, &words), -EINVAL);
	strcpy(text, "exec:a");
	for (int i = 1; i < CHECK_WORDS_MAX; i++)
		strcat(text, " a");
	assert_int_equal(parse(text, CHECK_READY, &words), 0);
	strcat(text, " a");
	assert_int_equal(parse(text, CHECK_READY, &words), -EINVAL);
	assert_string_equal(why.text, "exec: at most 63 words; put them into a script");
}

static void inherits_what_it_does_not_say(void **state)
{
	const struct check_timing all = { 1, 2, 3, 4, 5, 6, 7 };
	const struct expected teapots = { 1, { { 418, 418 } } };
	char text[] =
		"tcp://a:1 interval=9s timeout=9s start_period=9s start_interval=9s retries=9 success_threshold=9 "
		"jitter=9% expect=299 http://a/";
	size_t at = 0;
	struct check check;

	(void)state;
	assert_int_equal(check_parse(text, &at, CHECK_LIVE, &check, &why), 1);
	check_inherit(&check, &all, &teapots);
	assert_memory_equal(&check.timing, &all, sizeof all);
	assert_true(expected_has(&check.exchange.expected, 418));
	assert_int_equal(check_parse(text, &at, CHECK_LIVE, &check, &why), 1);
	check_inherit(&check, &all, &teapots);
	assert_true(check.timing.interval_ns == 9 * NS_PER_S && check.timing.timeout_ns == 9 * NS_PER_S &&
		check.timing.start_period_ns == 9 * NS_PER_S && check.timing.start_interval_ns == 9 * NS_PER_S &&
		check.timing.retries == 9 && check.timing.success_threshold == 9 && check.timing.jitter_percent == 9);
	assert_false(expected_has(&check.exchange.expected, 418));
	assert_true(expected_has(&check.exchange.expected, 299));
}

static void a_page_has_settings_of_its_own(void **state)
{
	static const struct row pages[] = {
		{ "bearer_file=/run/secrets/t timeout=2s name=app header=A:b http://a/m http+unix:/s:/m",
			"[app http://a/m #0 timeout=2000ms header=<A:b> bearer=/run/secrets/t][http+unix:/s:/m "
			"http+unix:/s:/m #1]" },
		{ "interval=2s http://a/",
			"'http://a/': interval is for checks: a page has name, timeout, header, bearer_file" },
		{ "expect=200 http://a/",
			"'http://a/': expect is for checks: a page has name, timeout, header, bearer_file" },
		{ "bearer_file=t http://a/", "bearer_file: expected an absolute path (before http://a/)" },
		{ "unix:/a", "'unix:/a': expected http://HOST[:PORT][/PATH] or http+unix:SOCKET:/PATH" },
		{ "header=A:1 header=B:1 header=C:1 header=D:1 header=E:1 header=F:1 header=G:1 http://a/",
			"'http://a/': at most 6 headers" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pages); i++) {
		struct words words = { .at = 0 };

		if (parse(pages[i].text, CHECK_PAGE, &words) == 0)
			assert_string_equal(words.text, pages[i].says);
		else
			assert_string_equal(why.text, pages[i].says);
	}
	assert_int_equal(parse("bearer_file=/t http://a/", CHECK_READY, &(struct words){ .at = 0 }), -EINVAL);
	assert_string_equal(why.text, "'http://a/': bearer_file is for --metrics-merge alone");
}

/* A key is not said to be unknown while it is in the list of those that are known. */
static void every_key_is_read(void **state)
{
	(void)state;
	for (unsigned key = 0; key < CHECK_KEY_COUNT; key++) {
		char text[64];
		struct words words = { .at = 0 };

		snprintf(text, sizeof text, "%s= http://a/", check_key_name((enum check_key)key));
		assert_int_equal(parse(text, CHECK_READY, &words), -EINVAL);
		assert_non_null(strstr(why.text, ": the value is empty"));
	}
}

static void measures_slips(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} pairs[] = {
		{ "", "", 0 },
		{ "name", "name", 0 },
		{ "", "abc", 3 },
		{ "abc", "", 3 },
		{ "nmae", "name", 2 },
		{ "intervall", "interval", 1 },
		{ "kitten", "sitting", 3 },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a", NEAREST_NAME_MAX - 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++)
		assert_int_equal(nearest_distance(pairs[i].a, pairs[i].b), pairs[i].distance);
}

/* Noise of the alphabet that matters: whatever comes of it, no step goes beyond the text, and it ends. */
static void survives_noise(void **state)
{
	static const char alphabet[] = "='\" :/ena=mbodyxec:http://a/ tcp1\t";
	uint32_t seed = 20240229;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[48];
		struct words words = { .at = 0 };
		size_t length = 0;

		for (; length < sizeof text - 1; length++) {
			seed = seed * 1664525 + 1013904223;
			text[length] = alphabet[(seed >> 16) % sizeof alphabet]; /* its NUL too */
		}
		text[length] = '\0';
		assert_true(parse(text, CHECK_READY, &words) <= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_checks),
		cmocka_unit_test(refuses_and_says_where),
		cmocka_unit_test(notify_is_about_readiness),
		cmocka_unit_test(everything_has_a_limit),
		cmocka_unit_test(counts_headers_and_words),
		cmocka_unit_test(inherits_what_it_does_not_say),
		cmocka_unit_test(a_page_has_settings_of_its_own),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(measures_slips),
		cmocka_unit_test(survives_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
