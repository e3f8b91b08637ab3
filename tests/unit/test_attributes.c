#include "base/attributes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* "[key][value]" for each pair, or "!" and the error's number. */
static const char *read_all(const char *text)
{
	static char said[8192];
	struct attribute attribute;
	size_t at = 0;
	int result;

	said[0] = '\0';
	while ((result = attributes_next(&text, &attribute)) == 1)
		at += (size_t)snprintf(said + at, sizeof said - at, "[%s][%s]", attribute.key, attribute.value);
	if (result < 0)
		snprintf(said, sizeof said, "!%d", -result);
	return said;
}

static void reads_pairs(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "", "" },
		{ " , ,", "" },
		{ "a=b", "[a][b]" },
		{ "service.name=api,deployment.environment=prod", "[service.name][api][deployment.environment][prod]" },
		{ " a = b\t,\tc=d ", "[a][b][c][d]" },
		{ "a=", "[a][]" },
		{ "a=b,,c=d,", "[a][b][c][d]" },
		{ "a=b=c", "[a][b=c]" },
		{ "a=%20x%2Cy%3dz%25", "[a][ x,y=z%]" },
		{ "a=%C3%A4", "[a][\xc3\xa4]" },
		{ "a%2Eb=c", "[a.b][c]" },
		{ "a=b c", "[a][b c]" },
		{ "a", "!22" },
		{ "a,b=c", "!22" },
		{ "a=b,c", "!22" },
		{ "=b", "!22" },
		{ "a=%", "!22" },
		{ "a=%2", "!22" },
		{ "a=%2,b=c", "!22" },
		{ "a=%2G", "!22" },
		{ "a=%00", "!22" },
	};

	(void)state;
	assert_int_equal(EINVAL, 22);
	for (size_t i = 0; i < COUNT(rows); i++)
		if (strcmp(read_all(rows[i].text), rows[i].said) != 0)
			fail_msg("'%s': %s, expected %s", rows[i].text, read_all(rows[i].text), rows[i].said);
}

static void a_value_has_room_for_so_much_and_no_more(void **state)
{
	static char text[ATTRIBUTE_SIZE + 8];
	struct attribute attribute;
	const char *at = text;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	memcpy(text, "a=", 2);
	text[2 + ATTRIBUTE_SIZE - 1] = '\0';
	assert_int_equal(attributes_next(&at, &attribute), 1);
	assert_int_equal(strlen(attribute.value), ATTRIBUTE_SIZE - 1);
	text[2 + ATTRIBUTE_SIZE - 1] = 'x';
	text[2 + ATTRIBUTE_SIZE] = '\0';
	at = text;
	assert_int_equal(attributes_next(&at, &attribute), -ENAMETOOLONG);
}

static void the_last_of_a_key_counts(void **state)
{
	struct attribute attribute = { .value = "untouched" };

	(void)state;
	assert_int_equal(attributes_find("a=1,b=2", "c", &attribute), -ENODATA);
	assert_int_equal(attributes_find("", "a", &attribute), -ENODATA);
	assert_int_equal(attributes_find("a=1,b", "a", &attribute), -EINVAL);
	assert_string_equal(attribute.value, "untouched");
	assert_int_equal(attributes_find("a=1,b=2,a=3,ab=4", "a", &attribute), 0);
	assert_string_equal(attribute.value, "3");
}

static void adds_what_is_read_again(void **state)
{
	char text[512] = "";

	(void)state;
	assert_int_equal(attributes_add(text, sizeof text, "a", "plain/x:1.2-3_4+5"), 0);
	assert_string_equal(text, "a=plain/x:1.2-3_4+5");
	assert_int_equal(attributes_add(text, sizeof text, "b", " ,;=\"\\%\n\x7f\xc3\xa4"), 0);
	assert_string_equal(text, "a=plain/x:1.2-3_4+5,b=%20%2C%3B%3D%22%5C%25%0A%7F%C3%A4");
	assert_string_equal(read_all(text), "[a][plain/x:1.2-3_4+5][b][ ,;=\"\\%\n\x7f\xc3\xa4]");
}

/* Not half a pair: "%2" would make the whole text worthless. */
static void where_there_is_no_room_nothing_is_added(void **state)
{
	static char long_value[ATTRIBUTE_SIZE + 1];
	char text[16] = "a=1";

	(void)state;
	assert_int_equal(attributes_add(text, 10, "bb", "123"), -ENOSPC);
	assert_string_equal(text, "a=1");
	assert_int_equal(attributes_add(text, 11, "bb", "123"), 0);
	assert_string_equal(text, "a=1,bb=123");
	memset(long_value, 'x', sizeof long_value - 1);
	assert_int_equal(attributes_add(text, sizeof text, "c", long_value), -ENOSPC);
	assert_string_equal(text, "a=1,bb=123");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_pairs),
		cmocka_unit_test(a_value_has_room_for_so_much_and_no_more),
		cmocka_unit_test(the_last_of_a_key_counts),
		cmocka_unit_test(adds_what_is_read_again),
		cmocka_unit_test(where_there_is_no_room_nothing_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
