#include "base/json_line.h"

#include "base/clock.h"
#include "base/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void write_everything(struct json_line *line)
{
	json_line_text(line, "text",
		"a\"b\\c\td\x7f"
		"é\xff"
		"€\xed\xa0\x80𝄞");
	json_line_i64(line, "number", INT64_MIN);
	json_line_seconds(line, "seconds", 61234 * NS_PER_MS);
	if (json_line_open(line, "list", '[')) {
		json_line_text(line, NULL, "one");
		json_line_i64(line, NULL, 2);
		if (json_line_open(line, NULL, '{')) {
			json_line_i64(line, "three", 3);
			json_line_close(line);
		}
		json_line_close(line);
	}
	json_line_text(line, "last", "");
}

static void writes_one_line(void **state)
{
	struct json_line line;
	char text[512];

	(void)state;
	json_line_begin(&line, text, sizeof text);
	write_everything(&line);
	json_line_finish(&line);
	assert_string_equal(text,
		"{\"text\":\"a\\\"b\\\\c\\u0009d\x7f"
		"é\\ufffd"
		"€\\ufffd\\ufffd\\ufffd𝄞\",\"number\":-9223372036854775808,"
		"\"seconds\":61.234,\"list\":[\"one\",2,{\"three\":3}],\"last\":\"\"}\n");
	assert_int_equal(line.length, strlen(text));
}

static void what_is_left_open_is_closed(void **state)
{
	struct json_line line;
	char text[128];

	(void)state;
	json_line_begin(&line, text, sizeof text);
	json_line_open(&line, "a", '{');
	json_line_open(&line, "b", '[');
	json_line_open(&line, NULL, '[');
	json_line_finish(&line);
	assert_string_equal(text, "{\"a\":{\"b\":[[]]}}\n");
}

/* Braces and brackets match outside of strings, which end; that is what cutting could break. */
static bool is_whole(const char *text)
{
	char open[32];
	size_t depth = 0;
	bool quoted = false;

	for (; *text != '\0' && *text != '\n'; text++) {
		if (quoted && *text == '\\')
			text++;
		else if (*text == '"')
			quoted = !quoted;
		else if (!quoted && (*text == '{' || *text == '['))
			open[depth++] = *text;
		else if (!quoted && (*text == '}' || *text == ']'))
			if (depth == 0 || (open[--depth] == '{') != (*text == '}'))
				return false;
	}
	return depth == 0 && !quoted && *text == '\n';
}

static void no_room_breaks_nothing(void **state)
{
	char text[512];

	(void)state;
	for (size_t size = 64; size < sizeof text; size++) {
		struct json_line line;

		memset(text, '#', sizeof text);
		json_line_begin(&line, text, size);
		for (int i = 0; i < 20; i++)
			json_line_open(&line, i % 2 == 0 ? NULL : "key", i % 2 == 0 ? '{' : '[');
		write_everything(&line);
		json_line_finish(&line);
		assert_true(line.length < size);
		assert_int_equal(text[line.length], '\0');
		assert_int_equal(text[size], '#');
		assert_true(is_whole(text));
	}
}

static void splits_at_blanks(void **state)
{
	char *words[4], text[] = "  nginx \t-s\nquit ", many[] = "a b c d", none[] = " \t";

	(void)state;
	assert_int_equal(words_split(text, 4, words), 3);
	assert_string_equal(words[0], "nginx");
	assert_string_equal(words[1], "-s");
	assert_string_equal(words[2], "quit");
	assert_null(words[3]);
	assert_int_equal(words_split(many, 4, words), -E2BIG);
	assert_int_equal(words_split(none, 4, words), 0);
	assert_null(words[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_one_line),
		cmocka_unit_test(what_is_left_open_is_closed),
		cmocka_unit_test(no_room_breaks_nothing),
		cmocka_unit_test(splits_at_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
