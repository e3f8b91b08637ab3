#include "base/clock.h"
#include "base/json_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A document that is written into memory. */
struct page {
	struct json_writer json;
	FILE *out;
	char *text;
	size_t length;
};

static struct json_writer *open_page(struct page *page)
{
	page->text = NULL;
	page->out = open_memstream(&page->text, &page->length);
	assert_non_null(page->out);
	json_write_begin(&page->json, page->out);
	return &page->json;
}

static void check_page(struct page *page, const char *expected)
{
	json_write_finish(&page->json);
	assert_int_equal(fclose(page->out), 0);
	assert_string_equal(page->text, expected);
	assert_int_equal(page->length, strlen(expected));
	free(page->text);
}

static void empty_object_is_one_line(void **state)
{
	struct page page;

	(void)state;
	open_page(&page);
	check_page(&page, "{}\n");
}

static void members_are_parted_and_indented(void **state)
{
	struct page page;
	struct json_writer *json = open_page(&page);

	(void)state;
	json_write_text(json, "name", "main");
	json_write_bool(json, "yes", true);
	json_write_bool(json, "no", false);
	json_write_object(json, "empty");
	json_write_end(json);
	json_write_array(json, "none");
	json_write_end(json);
	json_write_object(json, "in");
	json_write_u64(json, "a", 1);
	json_write_array(json, "list");
	json_write_text(json, NULL, "x");
	json_write_u64(json, NULL, 2);
	json_write_object(json, NULL);
	json_write_bool(json, "b", true);
	json_write_end(json);
	json_write_array(json, NULL);
	json_write_end(json);
	json_write_end(json);
	json_write_end(json);
	json_write_i64(json, "last", -1);
	check_page(&page,
		"{\n"
		"  \"name\": \"main\",\n"
		"  \"yes\": true,\n"
		"  \"no\": false,\n"
		"  \"empty\": {},\n"
		"  \"none\": [],\n"
		"  \"in\": {\n"
		"    \"a\": 1,\n"
		"    \"list\": [\n"
		"      \"x\",\n"
		"      2,\n"
		"      {\n"
		"        \"b\": true\n"
		"      },\n"
		"      []\n"
		"    ]\n"
		"  },\n"
		"  \"last\": -1\n"
		"}\n");
}

static const struct text {
	const char *plain, *written;
} texts[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "a \"b\" \\c\\ /d", "a \\\"b\\\" \\\\c\\\\ /d" },
	{ "\n\r\t\b\f", "\\u000a\\u000d\\u0009\\u0008\\u000c" },
	{ "\x01\x1f \x7e\x7f", "\\u0001\\u001f ~\\u007f" },
	{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
	{ "\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf",
		"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf" },
	{ "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf" },
	/* Not UTF-8 (RFC 3629): each byte that belongs to nothing becomes U+FFFD, and what is around it stays. */
	{ "a\xff"
	  "b",
		"a\\ufffdb" },
	{ "\x80", "\\ufffd" },
	{ "caf\xe9", "caf\\ufffd" },
	{ "\xc3", "\\ufffd" },
	{ "\xc3\xc3\xa9", "\\ufffd\xc3\xa9" },
	{ "\xc3\"", "\\ufffd\\\"" },
	{ "\xe2\x82", "\\ufffd\\ufffd" },
	{ "\xe2\x82x", "\\ufffd\\ufffdx" },
	{ "\xf0\x9f\x98", "\\ufffd\\ufffd\\ufffd" },
	{ "\xc0\x80", "\\ufffd\\ufffd" }, /* overlong */
	{ "\xc1\xbf", "\\ufffd\\ufffd" },
	{ "\xe0\x9f\xbf", "\\ufffd\\ufffd\\ufffd" },
	{ "\xf0\x8f\xbf\xbf", "\\ufffd\\ufffd\\ufffd\\ufffd" },
	{ "\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd" },            /* a surrogate */
	{ "\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" }, /* above U+10FFFF */
	{ "\xf5\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
};

static void strings_are_escaped(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct page page;
		char expected[256];

		json_write_text(open_page(&page), texts[i].plain, texts[i].plain);
		snprintf(expected, sizeof expected, "{\n  \"%s\": \"%s\"\n}\n", texts[i].written, texts[i].written);
		check_page(&page, expected);
	}
}

static void integers_keep_all_their_bits(void **state)
{
	struct page page;
	struct json_writer *json = open_page(&page);

	(void)state;
	json_write_u64(json, "a", UINT64_MAX);
	json_write_u64(json, "b", 0);
	json_write_i64(json, "c", INT64_MIN);
	json_write_i64(json, "d", INT64_MAX);
	json_write_u64(json, "e", UINT64_C(9007199254740993));
	check_page(&page,
		"{\n  \"a\": 18446744073709551615,\n  \"b\": 0,\n  \"c\": -9223372036854775808,\n"
		"  \"d\": 9223372036854775807,\n  \"e\": 9007199254740993\n}\n");
}

static const struct seconds {
	int64_t ns;
	const char *written;
} seconds[] = {
	{ 0, "0.000000000" },
	{ 1, "0.000000001" },
	{ 1500 * NS_PER_MS, "1.500000000" },
	{ NS_PER_S - 1, "0.999999999" },
	{ 60 * NS_PER_S + 20, "60.000000020" },
	{ INT64_MAX, "9223372036.854775807" },
	{ -1, "-0.000000001" },
	{ -1500 * NS_PER_MS, "-1.500000000" },
	{ -2 * NS_PER_S, "-2.000000000" },
	{ INT64_MIN, "-9223372036.854775808" },
};

static void seconds_have_nine_digits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(seconds); i++) {
		struct page page;
		char expected[64];

		json_write_seconds(open_page(&page), "s", seconds[i].ns);
		snprintf(expected, sizeof expected, "{\n  \"s\": %s\n}\n", seconds[i].written);
		check_page(&page, expected);
	}
}

/* Arrays and objects in turns, down to where the header says it ends. */
static void sixty_levels_close_as_they_were_opened(void **state)
{
	enum { LEVELS = 60 };
	struct page page;
	struct json_writer *json = open_page(&page);
	char *expected = NULL;
	size_t length;
	FILE *out = open_memstream(&expected, &length);

	(void)state;
	fputs("{", out);
	for (int level = 2; level <= LEVELS; level++) {
		const bool array = level % 3 != 0, in_array = level > 2 && (level - 1) % 3 != 0;
		const char *key = in_array ? NULL : "k";

		if (array)
			json_write_array(json, key);
		else
			json_write_object(json, key);
		fprintf(out, "\n%*s%s%s", 2 * (level - 1), "", in_array ? "" : "\"k\": ", array ? "[" : "{");
	}
	for (int level = LEVELS; level >= 2; level--) {
		json_write_end(json);
		fprintf(out, "%s", level == LEVELS ? "" : "\n");
		fprintf(out, "%*s%s", level == LEVELS ? 0 : 2 * (level - 1), "", level % 3 != 0 ? "]" : "}");
	}
	fputs("\n}\n", out);
	fclose(out);
	check_page(&page, expected);
	free(expected);
}

static const char *name_of_bit(unsigned bit)
{
	static const char names[][8] = { "zero", "one", "two" };

	return names[bit];
}

static void bits_are_their_names(void **state)
{
	struct page page;

	(void)state;
	json_write_bits(open_page(&page), "b", 5, 3, name_of_bit);
	check_page(&page, "{\n  \"b\": [\n    \"zero\",\n    \"two\"\n  ]\n}\n");
	json_write_bits(open_page(&page), "b", UINT64_MAX << 3, 3, name_of_bit); /* what has no name is none of it */
	check_page(&page, "{\n  \"b\": []\n}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_object_is_one_line),
		cmocka_unit_test(members_are_parted_and_indented),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(integers_keep_all_their_bits),
		cmocka_unit_test(seconds_have_nine_digits),
		cmocka_unit_test(bits_are_their_names),
		cmocka_unit_test(sixty_levels_close_as_they_were_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
