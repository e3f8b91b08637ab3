#include "base/clock.h"
#include "base/utf8.h"
#include "metrics/exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LIMIT 65536

static const struct family gauge = { "g", METRIC_GAUGE, NULL, "A gauge." };
static const struct family counter = { "c_seconds", METRIC_COUNTER, "seconds", "A \"counter\"\\\n." };
static const struct family histogram = { "h_seconds", METRIC_HISTOGRAM, "seconds", "H." };

/* Ends the page and compares it, whole. */
static void assert_page(struct exposition *page, const char *expected)
{
	char *text = NULL;
	size_t length = 0;

	assert_int_equal(exposition_close(page, &text, &length), 0);
	assert_string_equal(text, expected);
	assert_int_equal(length, strlen(expected));
	free(text);
}

static void assert_refused(struct exposition *page, int error)
{
	char untouched, *text = &untouched;
	size_t length = 77;

	assert_int_equal(exposition_close(page, &text, &length), error);
	assert_ptr_equal(text, &untouched);
	assert_int_equal(length, 77);
}

static void names_a_counter_as_each_format_does(void **state)
{
	struct exposition page;

	(void)state;
	exposition_open(&page, EXPOSITION_TEXT, LIMIT);
	exposition_family(&page, &counter);
	exposition_seconds(&page, NULL, 0, 1500 * NS_PER_MS);
	assert_page(&page,
		"# HELP c_seconds_total A \"counter\"\\\\\\n.\n"
		"# TYPE c_seconds_total counter\n"
		"c_seconds_total 1.5\n");
	exposition_open(&page, EXPOSITION_OPENMETRICS, LIMIT);
	exposition_family(&page, &counter);
	exposition_seconds(&page, NULL, 0, 1500 * NS_PER_MS);
	assert_page(&page,
		"# HELP c_seconds A \\\"counter\\\"\\\\\\n.\n"
		"# TYPE c_seconds counter\n"
		"# UNIT c_seconds seconds\n"
		"c_seconds_total 1.5\n"
		"# EOF\n");
}

static void leaves_out_a_family_without_samples(void **state)
{
	struct exposition page;

	(void)state;
	exposition_open(&page, EXPOSITION_TEXT, LIMIT);
	exposition_family(&page, &counter);
	exposition_family(&page, &gauge);
	exposition_u64(&page, NULL, 0, 1);
	exposition_u64(&page, &(struct label){ "a", "b" }, 1, 2);
	assert_page(&page, "# HELP g A gauge.\n# TYPE g gauge\ng 1\ng{a=\"b\"} 2\n");
	exposition_open(&page, EXPOSITION_TEXT, LIMIT);
	assert_page(&page, "");
	exposition_open(&page, EXPOSITION_OPENMETRICS, LIMIT);
	assert_page(&page, "# EOF\n");
}

static void escapes_labels_and_mends_utf8(void **state)
{
	static const struct {
		const char *value, *written;
	} rows[] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "a\"b", "a\\\"b" },
		{ "a\\b", "a\\\\b" },
		{ "a\nb", "a\\nb" },
		{ "\"} 1\nevil 1", "\\\"} 1\\nevil 1" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa3", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa3" },
		{ "\xff", UTF8_REPLACEMENT },
		{ "\xc3", UTF8_REPLACEMENT },                                           /* cut off */
		{ "\xc3(", UTF8_REPLACEMENT "(" },                                      /* not continued */
		{ "\xc0\xaf", UTF8_REPLACEMENT UTF8_REPLACEMENT },                      /* overlong */
		{ "\xed\xa0\x80", UTF8_REPLACEMENT UTF8_REPLACEMENT UTF8_REPLACEMENT }, /* a surrogate */
		{ "\xf4\x90\x80\x80", UTF8_REPLACEMENT UTF8_REPLACEMENT UTF8_REPLACEMENT UTF8_REPLACEMENT },
		{ "\xe2\x82", UTF8_REPLACEMENT UTF8_REPLACEMENT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct exposition page;
		char expected[256];

		snprintf(expected, sizeof expected, "# HELP g A gauge.\n# TYPE g gauge\ng{l=\"%s\"} 1\n",
			rows[i].written);
		exposition_open(&page, EXPOSITION_TEXT, LIMIT);
		exposition_family(&page, &gauge);
		exposition_u64(&page, &(struct label){ "l", rows[i].value }, 1, 1);
		assert_page(&page, expected);
	}
}

static void cleans_names_and_cuts_between_characters(void **state)
{
	char clean[8];

	(void)state;
	utf8_clean("a\tb\n\x7f", clean, sizeof clean);
	assert_string_equal(clean, "a b  ");
	utf8_clean("12345\xe2\x82\xac", clean, sizeof clean);
	assert_string_equal(clean, "12345");
	utf8_clean("1234\xe2\x82\xac", clean, sizeof clean);
	assert_string_equal(clean, "1234\xe2\x82\xac");
	utf8_clean("\xff\xff\xff", clean, sizeof clean);
	assert_string_equal(clean, UTF8_REPLACEMENT UTF8_REPLACEMENT);
}

static void writes_numbers_exactly(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 1, "0.000000001" },
		{ 10, "0.00000001" },
		{ NS_PER_S, "1" },
		{ 10 * NS_PER_S, "10" },
		{ NS_PER_S - 1, "0.999999999" },
		{ INT64_C(1732331234123456789), "1732331234.123456789" }, /* a double has ...4.1234567 */
		{ INT64_MAX, "9223372036.854775807" },
		{ -1, "-0.000000001" },
		{ INT64_MIN, "-9223372036.854775808" },
	};
	struct buffer buffer;
	char *text;
	size_t length;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		buffer_open(&buffer, 64);
		buffer_add_seconds(&buffer, rows[i].ns);
		assert_int_equal(buffer_take(&buffer, &text, &length), 0);
		assert_string_equal(text, rows[i].text);
		free(text);
	}
	buffer_open(&buffer, 64);
	buffer_add_u64(&buffer, UINT64_MAX);
	buffer_add_text(&buffer, " ");
	buffer_add_i64(&buffer, INT64_MIN);
	assert_int_equal(buffer_take(&buffer, &text, &length), 0);
	assert_string_equal(text, "18446744073709551615 -9223372036854775808");
	free(text);
}

static void adds_up_the_buckets_of_a_histogram(void **state)
{
	static const int64_t bounds[] = { 5 * NS_PER_MS, NS_PER_S };
	static const uint64_t counts[] = { 1, 2, 4 };
	struct exposition page;

	(void)state;
	exposition_open(&page, EXPOSITION_TEXT, LIMIT);
	exposition_family(&page, &histogram);
	exposition_histogram(&page, &(struct label){ "l", "v" }, 1, bounds, counts, 2, 2500 * NS_PER_MS);
	assert_page(&page,
		"# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
		"h_seconds_bucket{l=\"v\",le=\"0.005\"} 1\n"
		"h_seconds_bucket{l=\"v\",le=\"1.0\"} 3\n"
		"h_seconds_bucket{l=\"v\",le=\"+Inf\"} 7\n"
		"h_seconds_sum{l=\"v\"} 2.5\n"
		"h_seconds_count{l=\"v\"} 7\n");
}

static void refuses_a_page_over_its_limit_as_a_whole(void **state)
{
	static const char one[] = "# HELP g A gauge.\n# TYPE g gauge\ng 1\n";
	struct exposition page;

	(void)state;
	exposition_open(&page, EXPOSITION_TEXT, sizeof one - 1);
	exposition_family(&page, &gauge);
	exposition_u64(&page, NULL, 0, 1);
	assert_page(&page, one); /* exactly as much as it may have */
	exposition_open(&page, EXPOSITION_TEXT, sizeof one - 2);
	exposition_family(&page, &gauge);
	exposition_u64(&page, NULL, 0, 1);
	exposition_family(&page, &counter); /* would fit by itself: the error sticks all the same */
	assert_refused(&page, -EFBIG);
	exposition_open(&page, EXPOSITION_OPENMETRICS, 5);
	assert_refused(&page, -EFBIG);
	exposition_open(&page, EXPOSITION_TEXT, 0);
	assert_page(&page, "");
}

static void grows_over_many_samples(void **state)
{
	struct exposition page;
	char *text;
	size_t length;

	(void)state;
	exposition_open(&page, EXPOSITION_TEXT, 10 * 1024 * 1024);
	exposition_family(&page, &gauge);
	for (uint64_t i = 0; i < 100000; i++)
		exposition_u64(&page, NULL, 0, 1000000 + i);
	assert_int_equal(exposition_close(&page, &text, &length), 0);
	assert_int_equal(length, strlen("# HELP g A gauge.\n# TYPE g gauge\n") + 100000 * strlen("g 1000000\n"));
	assert_string_equal(text + length - strlen("g 1099999\n"), "g 1099999\n");
	free(text);
}

static void refuses_a_family_that_the_formats_would_not_have(void **state)
{
	static const struct family bad[] = {
		{ "c_total", METRIC_COUNTER, NULL, "" },
		{ "c_bytes", METRIC_COUNTER, "seconds", "" },
		{ "cseconds", METRIC_COUNTER, "seconds", "" },
		{ "seconds", METRIC_COUNTER, "seconds", "" },
	};
	struct label labels[EXPOSITION_LABELS_MAX + 1] = { { "l", "v" } };
	struct exposition page;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		exposition_open(&page, EXPOSITION_TEXT, LIMIT);
		exposition_family(&page, &bad[i]);
		exposition_u64(&page, NULL, 0, 1);
		assert_refused(&page, -EINVAL);
	}
	exposition_open(&page, EXPOSITION_TEXT, LIMIT);
	exposition_u64(&page, NULL, 0, 1); /* of no family */
	assert_refused(&page, -EINVAL);
	exposition_open(&page, EXPOSITION_TEXT, LIMIT);
	exposition_family(&page, &histogram);
	exposition_u64(&page, NULL, 0, 1);
	assert_refused(&page, -EINVAL);
	exposition_open(&page, EXPOSITION_TEXT, LIMIT);
	exposition_family(&page, &gauge);
	exposition_u64(&page, labels, COUNT(labels), 1);
	assert_refused(&page, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_a_counter_as_each_format_does),
		cmocka_unit_test(leaves_out_a_family_without_samples),
		cmocka_unit_test(escapes_labels_and_mends_utf8),
		cmocka_unit_test(cleans_names_and_cuts_between_characters),
		cmocka_unit_test(writes_numbers_exactly),
		cmocka_unit_test(adds_up_the_buckets_of_a_histogram),
		cmocka_unit_test(refuses_a_page_over_its_limit_as_a_whole),
		cmocka_unit_test(grows_over_many_samples),
		cmocka_unit_test(refuses_a_family_that_the_formats_would_not_have),
	};

	return cmocka_run_group_tests_name("exposition", tests, NULL, NULL);
}
