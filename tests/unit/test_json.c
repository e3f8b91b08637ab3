/* base/json: what is read, what is refused, and where the sentence points. */
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES(literal) literal, sizeof(literal) - 1

static struct json *parsed(const char *text)
{
	struct complaint why = { "" };
	struct json *json = NULL;

	if (json_parse("f", text, strlen(text), &json, &why) != 0)
		fail_msg("refused: %s", why.text);
	return json;
}

static void refused(const char *text, size_t length, const char *sentence)
{
	struct complaint why = { "" };
	struct json *json = (void *)1;

	assert_int_equal(json_parse("f", text, length, &json, &why), -EINVAL);
	assert_string_equal(why.text, sentence);
	assert_ptr_equal(json, (void *)1); /* untouched */
}

static void every_kind_has_its_place(void **state)
{
	static const struct {
		enum json_kind kind;
		unsigned line, column;
	} expected[] = { { JSON_NULL, 1, 2 }, { JSON_BOOL, 1, 7 }, { JSON_NUMBER, 2, 2 }, { JSON_STRING, 2, 8 },
		{ JSON_ARRAY, 2, 15 }, { JSON_OBJECT, 2, 19 } };
	struct json *json = parsed("[null,true,\n\t-1.5, \"\xc3\xa4\xe2\x82\xac\",  [], {}]");
	const struct json_node *node;
	size_t i = 0;

	(void)state;
	for (node = json_first(json_root(json)); node != NULL; node = json_next(node), i++) {
		unsigned line, column;

		json_place(node, &line, &column);
		assert_int_equal(json_kind(node), expected[i].kind);
		assert_int_equal(line, expected[i].line);
		assert_int_equal(column, expected[i].column);
	}
	assert_int_equal(i, 6);
	assert_int_equal(json_count(json_root(json)), 6);
	json_free(json);
}

static void members_are_found_by_exact_key(void **state)
{
	struct json *json = parsed("{\"a\\u0062\": {\"x\": [1, 2]}, \"AB\": 3}");
	const struct json_node *root = json_root(json), *member = json_member(root, "ab");
	struct complaint why;
	uint64_t value;

	(void)state;
	assert_non_null(member);
	assert_string_equal(json_key(member), "ab");
	assert_int_equal(json_count(json_member(member, "x")), 2);
	assert_int_equal(json_get_uint64(json_member(root, "AB"), 3, &value, &why), 0);
	assert_int_equal(value, 3);
	assert_null(json_member(root, "Ab"));
	assert_null(json_member(json_member(root, "AB"), "x"));
	json_free(json);
}

static void integers_keep_64_bits(void **state)
{
	struct json *json = parsed("[18446744073709551615, 9007199254740993, 0, -0, -9223372036854775808]");
	const struct json_node *node = json_first(json_root(json));
	struct complaint why;
	uint64_t value;
	int64_t signed_value;

	(void)state;
	assert_int_equal(json_get_uint64(node, UINT64_MAX, &value, &why), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(json_get_int64(node, INT64_MIN, INT64_MAX, &signed_value, &why), -EINVAL);
	node = json_next(node);
	assert_int_equal(json_get_uint64(node, UINT64_MAX, &value, &why), 0);
	assert_true(value == UINT64_C(9007199254740993)); /* 2^53 + 1: no double */
	node = json_next(node);
	assert_int_equal(json_get_uint64(node, 0, &value, &why), 0);
	assert_true(value == 0);
	node = json_next(node);
	assert_int_equal(json_get_uint64(node, UINT64_MAX, &value, &why), -EINVAL);
	node = json_next(node);
	assert_int_equal(json_get_int64(node, INT64_MIN, INT64_MAX, &signed_value, &why), 0);
	assert_true(signed_value == INT64_MIN);
	assert_int_equal(json_get_int64(node, INT64_MIN + 1, INT64_MAX, &signed_value, &why), -EINVAL);
	json_free(json);
}

static void what_is_no_integer_is_refused_where_one_is_wanted(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "1.0", "f:1:7: k: expected an integer from 0 to 18446744073709551615, not 1.0" },
		{ "1e3", "f:1:7: k: expected an integer from 0 to 18446744073709551615, not 1e3" },
		{ "-1", "f:1:7: k: expected an integer from 0 to 18446744073709551615, not -1" },
		{ "18446744073709551616",
			"f:1:7: k: expected an integer from 0 to 18446744073709551615, not 18446744073709551616" },
		{ "99999999999999999999999999",
			"f:1:7: k: expected an integer from 0 to 18446744073709551615, not "
			"99999999999999999999999999" },
		{ "\"1\"", "f:1:7: k: expected an integer from 0 to 18446744073709551615, not \"1\"" },
		{ "null", "f:1:7: k: expected an integer from 0 to 18446744073709551615, not null" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[64];
		struct complaint why;
		struct json *json;
		uint64_t value = 7;

		snprintf(text, sizeof text, "{\"k\": %s}", cases[i].text);
		json = parsed(text);
		assert_int_equal(json_get_uint64(json_first(json_root(json)), UINT64_MAX, &value, &why), -EINVAL);
		assert_string_equal(why.text, cases[i].sentence);
		assert_true(value == 7);
		json_free(json);
	}
}

static void malformed_text_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		const char *sentence;
	} cases[] = {
		{ BYTES(""),
			"f:1:1: expected a value: a string, a number, [, {, true, false or null, not the end of the "
			"text" },
		{ BYTES(" \n "),
			"f:2:2: expected a value: a string, a number, [, {, true, false or null, not the end of the "
			"text" },
		{ BYTES("{\"a\": 1,}"), "f:1:9: expected a key in quotation marks, not '}'" },
		{ BYTES("[1,\n]"), "f:2:1: expected a value: a string, a number, [, {, true, false or null, not ']'" },
		{ BYTES("[1 2]"), "f:1:4: expected ',' or ']', not '2'" },
		{ BYTES("{\"a\" 1}"), "f:1:6: expected ':' behind the key, not '1'" },
		{ BYTES("{a: 1}"), "f:1:2: expected a key in quotation marks, not 'a'" },
		{ BYTES("[1] x"), "f:1:5: expected nothing behind the end of the value, not 'x'" },
		{ BYTES("[1]\0"), "f:1:4: expected nothing behind the end of the value, not byte 0x00" },
		{ BYTES("[1"), "f:1:3: expected ',' or ']', not the end of the text" },
		{ BYTES("[01]"), "f:1:4: a number must not begin with 0" },
		{ BYTES("[-]"), "f:1:3: expected a digit, not ']'" },
		{ BYTES("[1.]"), "f:1:4: expected a digit, not ']'" },
		{ BYTES("[1e]"), "f:1:4: expected a digit, not ']'" },
		{ BYTES("[+1]"), "f:1:2: expected a value: a string, a number, [, {, true, false or null, not '+'" },
		{ BYTES("[tru]"), "f:1:5: expected a value: a string, a number, [, {, true, false or null, not ']'" },
		{ BYTES("[\"a]"), "f:1:5: the string that begins at 1:2 has no closing quotation mark" },
		{ BYTES("[\"a\n\"]"), "f:1:4: the string that begins at 1:2 has no closing quotation mark" },
		{ BYTES("[\"a\tb\"]"), "f:1:4: a control character in a string: write it as \\u0009" },
		{ BYTES("[\"a\0b\"]"), "f:1:4: a NUL in a string" },
		{ BYTES("[\"\\u0000\"]"), "f:1:9: \\u0000 in a string: no string of ours may hold a NUL" },
		{ BYTES("[\"\\x\"]"), "f:1:4: expected one of \" \\ / b f n r t u behind a backslash, not 'x'" },
		{ BYTES("[\"\\u12g4\"]"), "f:1:7: expected four hexadecimal digits behind \\u, not 'g'" },
		{ BYTES("[\"\\udc00\"]"), "f:1:9: \\udc00 is the second half of a surrogate pair without the first" },
		{ BYTES("[\"\\ud800x\"]"), "f:1:9: expected the second half of a surrogate pair, not 'x'" },
		{ BYTES("[\"\\ud800\\u0041\"]"), "f:1:15: expected the second half of a surrogate pair, not \\u0041" },
		{ BYTES("[\"\xff\"]"), "f:1:3: byte 0xff: not UTF-8" },
		{ BYTES("[\"\xc3\"]"), "f:1:3: byte 0xc3: not UTF-8" },
		{ BYTES("[\"\xc0\x80\"]"), "f:1:3: byte 0xc0: not UTF-8" },
		{ BYTES("[\"\xed\xa0\x80\"]"), "f:1:3: bytes 0xed 0xa0: not UTF-8" },
		{ BYTES("[\"\xf0\x80\x80\x80\"]"), "f:1:3: bytes 0xf0 0x80: not UTF-8" },
		{ BYTES("\xef\xbb\xbf{}"),
			"f:1:1: the text begins with a byte order mark: save it as UTF-8 without one" },
		{ BYTES("{\"a\": 1, \"b\": {},\n \"\\u0061\": 2}"), "f:2:2: a: the key is there twice" },
		{ BYTES("[{}, {\"x\": {\"k\": 1, \"k\": 1}}]"), "f:1:21: [1].x.k: the key is there twice" },
		{ BYTES("// no\n{}"),
			"f:1:1: expected a value: a string, a number, [, {, true, false or null, not '/'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		refused(cases[i].text, cases[i].length, cases[i].sentence);
}

static void nesting_is_bounded(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 3];
	char *megabyte = malloc(1024 * 1024);

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	text[2 * JSON_DEPTH_MAX] = '\0';
	json_free(parsed(text));
	assert_non_null(megabyte);
	memset(megabyte, '[', 1024 * 1024);
	refused(megabyte, 1024 * 1024, "f:1:65: more than 64 arrays and objects inside each other");
	for (size_t i = 0; i + 5 <= 1024 * 1024; i += 5)
		memcpy(megabyte + i, "{\"\":", 4), megabyte[i + 4] = ' ';
	refused(megabyte, 1024 * 1024 / 5 * 5, "f:1:321: more than 64 arrays and objects inside each other");
	free(megabyte);
}

static void values_are_counted(void **state)
{
	size_t length = 2 * (size_t)JSON_VALUES_MAX;
	char *text = malloc(length + 1);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < length; i += 2)
		memcpy(text + i, ",0", 2);
	text[0] = '[';
	text[length - 1] = ']'; /* [0,0,...,] with one value too many is refused before the comma is seen */
	text[length - 2] = ' ';
	{
		struct complaint why;
		struct json *json;

		assert_int_equal(json_parse("f", text, length, &json, &why), 0);
		assert_int_equal(json_count(json_root(json)), JSON_VALUES_MAX - 1);
		json_free(json);
	}
	text[length - 2] = ',';
	text[length - 1] = '0';
	refused(text, length, "f:1:131072: more than 65536 values");
	free(text);
}

static void a_number_over_cjsons_buffer_is_refused(void **state)
{
	char text[80] = "[0.";

	(void)state;
	memset(text + 3, '1', 61);
	strcpy(text + 64, "]");
	json_free(parsed(text));
	memset(text + 3, '1', 62);
	strcpy(text + 65, "]");
	refused(text, 66, "f:1:66: a number of more than 63 characters");
}

static void a_wrong_kind_names_the_path(void **state)
{
	struct json *json = parsed("{\"syscalls\": [{}, {\"args\": [{\"op\":\n 3}]}]}");
	const struct json_node *node = json_next(json_first(json_first(json_root(json))));
	struct complaint why;
	const char *string = NULL;
	bool boolean;

	(void)state;
	node = json_member(json_first(json_member(node, "args")), "op");
	assert_int_equal(json_get_string(node, &string, &why), -EINVAL);
	assert_string_equal(why.text, "f:2:2: syscalls[1].args[0].op: expected a string, not 3");
	assert_null(string);
	assert_int_equal(json_get_bool(node, &boolean, &why), -EINVAL);
	assert_string_equal(why.text, "f:2:2: syscalls[1].args[0].op: expected true or false, not 3");
	assert_int_equal(json_expect(json_root(json), JSON_ARRAY, &why), -EINVAL);
	assert_string_equal(why.text, "f:1:1: expected an array, not an object");
	json_free(json);
}

static void an_unknown_key_is_refused_with_a_suggestion(void **state)
{
	static const char *const known[] = { "names", "action", NULL };
	struct json *json = parsed("[{\"action\": 1,\n \"nmaes\": 2}, {\"colour\\n\": 3}]");
	const struct json_node *node = json_first(json_root(json));
	struct complaint why;

	(void)state;
	assert_int_equal(json_known_keys(node, known, &why), -EINVAL);
	assert_string_equal(why.text, "f:2:2: [0].nmaes: unknown key; did you mean \"names\"?");
	assert_int_equal(json_known_keys(json_next(node), known, &why), -EINVAL);
	assert_string_equal(why.text, "f:2:16: [1].colour?: unknown key"); /* one line */
	json_free(json);
}

static void a_choice_is_exact_and_suggests(void **state)
{
	static const char *const choices[] = { "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", NULL };
	struct json *json = parsed("[\"SCMP_ACT_LOG\", \"SCMP_ACT_ALOW\", \"x\", 1]");
	const struct json_node *node = json_first(json_root(json));
	struct complaint why;
	size_t index = 9;

	(void)state;
	assert_int_equal(json_get_choice(node, "action", choices, &index, &why), 0);
	assert_int_equal(index, 1);
	node = json_next(node);
	assert_int_equal(json_get_choice(node, "action", choices, &index, &why), -EINVAL);
	assert_string_equal(
		why.text, "f:1:18: [1]: unknown action \"SCMP_ACT_ALOW\"; did you mean \"SCMP_ACT_ALLOW\"?");
	node = json_next(node);
	assert_int_equal(json_get_choice(node, "action", choices, &index, &why), -EINVAL);
	assert_string_equal(why.text, "f:1:35: [2]: unknown action \"x\"");
	node = json_next(node);
	assert_int_equal(json_get_choice(node, "action", choices, &index, &why), -EINVAL);
	assert_string_equal(why.text, "f:1:40: [3]: expected a string, not 1");
	assert_int_equal(index, 1);
	json_free(json);
}

static void long_strings_are_cut_between_characters(void **state)
{
	struct json *json = parsed("[\"1234567890123456789012345678901\xe2\x82\xac more\"]");
	struct complaint why;

	(void)state;
	assert_int_equal(json_expect(json_first(json_root(json)), JSON_NULL, &why), -EINVAL);
	assert_string_equal(why.text, "f:1:2: [0]: expected null, not \"1234567890123456789012345678901...\"");
	json_free(json);
}

static void what_is_no_file_is_refused_by_name(void **state)
{
	char path[] = "test_json.XXXXXX";
	int fd = mkstemp(path);
	struct complaint why;
	struct json *json;
	char expected[128];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(json_parse_file(path, 10, &json, &why), -EINVAL);
	snprintf(expected, sizeof expected, "%s:1:1: the file is empty", path);
	assert_string_equal(why.text, expected);
	assert_int_equal(ftruncate(fd, 100 * 1024 * 1024), 0);
	assert_int_equal(json_parse_file(path, 1024 * 1024, &json, &why), -EFBIG);
	snprintf(expected, sizeof expected, "%s: larger than 1048576 bytes", path);
	assert_string_equal(why.text, expected);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(write(fd, "[17]", 4), 4);
	assert_int_equal(json_parse_file(path, 4, &json, &why), 0);
	json_free(json);
	close(fd);
	unlink(path);
	assert_int_equal(json_parse_file(path, 10, &json, &why), -ENOENT);
	snprintf(expected, sizeof expected, "%s: No such file or directory", path);
	assert_string_equal(why.text, expected);
	assert_int_equal(json_parse_file("/", 10, &json, &why), -EISDIR);
	assert_string_equal(why.text, "/: Is a directory");
}

static void a_reader_may_tell_of_keys_that_are_there_twice(void **state)
{
	static const char text[] = "{\"a\": 1, \"b\": {\"a\": 2}, \"\\u0061\": {}, \"a\": 3}";
	static const bool repeated[] = { false, false, true, true };
	struct complaint why = { "" };
	struct json *json = NULL;
	const struct json_node *node;
	size_t i = 0;

	(void)state;
	assert_int_equal(json_parse_repeats("f", BYTES(text), &json, &why), 0);
	for (node = json_first(json_root(json)); node != NULL; node = json_next(node), i++)
		assert_int_equal(json_is_repeated(node), repeated[i]);
	assert_int_equal(i, 4);
	assert_false(json_is_repeated(json_first(json_next(json_first(json_root(json))))));
	json_free(json);
}

static void a_long_name_of_the_file_does_not_cut_the_place(void **state)
{
	char file[200];
	struct complaint why = { "" };
	struct json *json = NULL;

	(void)state;
	memset(file, 'f', sizeof file - 1);
	file[sizeof file - 1] = '\0';
	assert_int_equal(json_parse(file, BYTES("{\"a\": 1}"), &json, &why), 0);
	json_complain(json_first(json_root(json)), &why, "no");
	assert_int_equal(strspn(why.text, "f"), sizeof file - 1);
	assert_string_equal(why.text + sizeof file - 1, ":1:7: a: no");
	json_free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_its_place),
		cmocka_unit_test(members_are_found_by_exact_key),
		cmocka_unit_test(integers_keep_64_bits),
		cmocka_unit_test(what_is_no_integer_is_refused_where_one_is_wanted),
		cmocka_unit_test(malformed_text_is_refused_with_its_place),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(values_are_counted),
		cmocka_unit_test(a_reader_may_tell_of_keys_that_are_there_twice),
		cmocka_unit_test(a_long_name_of_the_file_does_not_cut_the_place),
		cmocka_unit_test(a_number_over_cjsons_buffer_is_refused),
		cmocka_unit_test(a_wrong_kind_names_the_path),
		cmocka_unit_test(an_unknown_key_is_refused_with_a_suggestion),
		cmocka_unit_test(a_choice_is_exact_and_suggests),
		cmocka_unit_test(long_strings_are_cut_between_characters),
		cmocka_unit_test(what_is_no_file_is_refused_by_name),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
