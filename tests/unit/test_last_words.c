#include "init/last_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void keeps_the_last_lines(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "one", "one" },
		{ "one\r\ntwo\n", "one\ntwo" },
		{ "one\n\n\ntwo\n\n", "one\ntwo" },
		{ "1\n2\n3\n4\n5\n6\n7\n", "3\n4\n5\n6\n7" },
		{ "\x1b[31mred\x1b[0m\a\tend\x7f", "?[31mred?[0m? end?" },
		{ "\xc2\x9b"
		  "31m \xc2\xa0 \xff",
			"??31m \xc2\xa0 \xff" },
		{ "last byte \xc2", "last byte \xc2" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[LAST_WORDS_SIZE];

		strcpy(text, rows[i].text);
		assert_int_equal(last_words(strlen(text), text), strlen(rows[i].expected));
		assert_string_equal(text, rows[i].expected);
	}
}

static void a_line_without_its_beginning_goes_if_others_follow(void **state)
{
	char text[LAST_WORDS_SIZE];

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text + LAST_WORDS_SIZE - 6, "\nend\n", 6);
	assert_int_equal(last_words(LAST_WORDS_SIZE - 1, text), 3);
	assert_string_equal(text, "end");
	memset(text, 'x', sizeof text);
	assert_int_equal(last_words(LAST_WORDS_SIZE - 1, text), LAST_WORDS_SIZE - 1);
	assert_int_equal(strspn(text, "x"), LAST_WORDS_SIZE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_last_lines),
		cmocka_unit_test(a_line_without_its_beginning_goes_if_others_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
