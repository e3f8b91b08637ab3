#include "metrics/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LIMIT (64 * 1024 * 1024)

static const struct siphash_key key = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };

static struct app_page read_page(const char *text, enum app_format format)
{
	struct app_page page;

	assert_int_equal(app_page_read(text, strlen(text), format, &page), 0);
	return page;
}

static char *write_page(const struct merge *merge, enum exposition_format format)
{
	struct buffer buffer;
	char *text;
	size_t length;

	buffer_open(&buffer, LIMIT);
	merge_write(merge, format, &buffer);
	if (format == EXPOSITION_OPENMETRICS)
		buffer_add_text(&buffer, "# EOF\n");
	assert_int_equal(buffer_take(&buffer, &text, &length), 0);
	return text;
}

static void assert_written(const struct merge *merge, enum exposition_format format, const char *expected)
{
	char *text = write_page(merge, format);

	assert_string_equal(text, expected);
	free(text);
}

/* Pages of one format, what comes out in both, and what was left out of the last. */
static void assert_merged(const char *const *texts, size_t count, enum app_format format, const char *text,
	const char *openmetrics, uint64_t families, uint64_t series)
{
	struct app_page pages[MERGE_PAGES_MAX];
	struct merge_left left[MERGE_PAGES_MAX];
	struct merge *merge;

	for (size_t i = 0; i < count; i++)
		pages[i] = read_page(texts[i], format);
	assert_int_equal(merge_build(pages, count, &key, left, &merge), 0);
	assert_written(merge, EXPOSITION_TEXT, text);
	assert_written(merge, EXPOSITION_OPENMETRICS, openmetrics);
	assert_int_equal(left[count - 1].families, families);
	assert_int_equal(left[count - 1].series, series);
	merge_free(merge);
}

static void assert_one(const char *page, enum app_format format, const char *text, const char *openmetrics)
{
	assert_merged(&page, 1, format, text, openmetrics, 0, 0);
}

static void assert_two(const char *first, const char *second, const char *text, const char *openmetrics,
	uint64_t families, uint64_t series)
{
	assert_merged((const char *const[]){ first, second }, 2, APP_TEXT, text, openmetrics, families, series);
}

/* ---- one page ---- */

static void a_counter_is_named_as_each_format_has_it(void **state)
{
	static const char text[] = "# HELP c_total A \"c\" \\\\.\n# TYPE c_total counter\nc_total{a=\"b\"} 1\n";
	static const char openmetrics[] = "# HELP c A \\\"c\\\" \\\\.\n# TYPE c counter\nc_total{a=\"b\"} 1\n# EOF\n";

	(void)state;
	assert_one(text, APP_TEXT, text, openmetrics);
	assert_one(openmetrics, APP_OPENMETRICS, text, openmetrics);
}

static void a_counter_without_total_keeps_its_name(void **state)
{
	assert_one("# HELP c C.\n# TYPE c counter\nc 1\n", APP_TEXT, "# HELP c C.\n# TYPE c counter\nc 1\n",
		"# HELP c C.\n# TYPE c unknown\nc 1\n# EOF\n");
	(void)state;
}

static void a_counter_beside_a_gauge_of_its_name_loses_its_type_only(void **state)
{
	static const char *const pages[] = {
		"# TYPE j gauge\nj 1\n# TYPE j_total counter\nj_total 2\n",
		"# TYPE j_total counter\nj_total 2\n# TYPE j gauge\nj 1\n",
	};

	(void)state;
	assert_one(pages[0], APP_TEXT, pages[0], "# TYPE j gauge\nj 1\n# TYPE j_total unknown\nj_total 2\n# EOF\n");
	assert_one(pages[1], APP_TEXT, pages[1], "# TYPE j_total unknown\nj_total 2\n# TYPE j gauge\nj 1\n# EOF\n");
}

static void a_gauge_may_end_in_total(void **state)
{
	static const char page[] = "# TYPE h gauge\nh{t=\"a\"} 1\n# TYPE h_total gauge\nh_total 1\n";

	(void)state;
	assert_one(page, APP_TEXT, page, "# TYPE h gauge\nh{t=\"a\"} 1\n# TYPE h_total gauge\nh_total 1\n# EOF\n");
}

static void every_type_of_openmetrics_has_a_place_in_the_text_format(void **state)
{
	static const char openmetrics[] = "# TYPE u unknown\nu 1\n"
					  "# TYPE g_s gauge\n# UNIT g_s s\ng_s 1\n"
					  "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\n"
					  "h_sum 3\nh_count 2\nh_created 1.5\n"
					  "# TYPE gh gaugehistogram\ngh_bucket{le=\"+Inf\"} 2\ngh_gsum 3\ngh_gcount 2\n"
					  "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 1\ns_count 1\n"
					  "# HELP i I.\n# TYPE i info\ni_info{v=\"1\"} 1\n"
					  "# TYPE st stateset\nst{st=\"a\"} 1\nst{st=\"b\"} 0\n"
					  "# HELP c C.\n# TYPE c counter\nc_total 1\nc_created 2\n# EOF\n";
	static const char text[] = "# TYPE u untyped\nu 1\n"
				   "# TYPE g_s gauge\ng_s 1\n"
				   "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\n"
				   "h_sum 3\nh_count 2\n# TYPE h_created gauge\nh_created 1.5\n"
				   "# TYPE gh_bucket gauge\ngh_bucket{le=\"+Inf\"} 2\n"
				   "# TYPE gh_gsum gauge\ngh_gsum 3\n# TYPE gh_gcount gauge\ngh_gcount 2\n"
				   "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 1\ns_count 1\n"
				   "# HELP i_info I.\n# TYPE i_info gauge\ni_info{v=\"1\"} 1\n"
				   "# TYPE st gauge\nst{st=\"a\"} 1\nst{st=\"b\"} 0\n"
				   "# HELP c_total C.\n# TYPE c_total counter\nc_total 1\n"
				   "# HELP c_created C.\n# TYPE c_created gauge\nc_created 2\n";

	(void)state;
	assert_one(openmetrics, APP_OPENMETRICS, text, openmetrics);
}

static void created_of_the_text_format_is_the_counters(void **state)
{
	static const char page[] = "# HELP c_total C.\n# TYPE c_total counter\nc_total 1\n"
				   "# HELP c_created C.\n# TYPE c_created gauge\nc_created 2\n";

	(void)state;
	assert_one(page, APP_TEXT, page, "# HELP c C.\n# TYPE c counter\nc_total 1\nc_created 2\n# EOF\n");
}

static void created_may_be_another_familys(void **state)
{
	static const char gauge[] = "# TYPE c_created gauge\nc_created 5\n";
	static const char counter[] = "# TYPE c_total counter\nc_total 1\nc_created{a=\"b\"} 2\n";
	char both[256];

	(void)state;
	snprintf(both, sizeof both, "%s%s", gauge, counter);
	assert_one(both, APP_TEXT,
		"# TYPE c_created gauge\nc_created 5\nc_created{a=\"b\"} 2\n# TYPE c_total counter\nc_total 1\n",
		"# TYPE c_created gauge\nc_created 5\nc_created{a=\"b\"} 2\n# TYPE c_total unknown\nc_total 1\n# "
		"EOF\n");
	assert_two(gauge, counter, "# TYPE c_created gauge\nc_created 5\n# TYPE c_total counter\nc_total 1\n",
		"# TYPE c_created gauge\nc_created 5\n# TYPE c_total unknown\nc_total 1\n# EOF\n", 1, 0);
}

static void exemplars_stay_where_openmetrics_stays(void **state)
{
	static const char page[] =
		"# TYPE c counter\nc_total 1 # {trace_id=\"a\\\"b\"} 0.5 1700000000.1\n"
		"# TYPE h histogram\nh_bucket{le=\"1.0\"} 1 # {} 0.5\n# TYPE g gauge\ng 1 # {a=\"b\"} 1\n# EOF\n";

	(void)state;
	assert_one(page, APP_OPENMETRICS,
		"# TYPE c_total counter\nc_total 1\n# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\n# TYPE g gauge\ng 1\n",
		"# TYPE c counter\nc_total 1 # {trace_id=\"a\\\"b\"} 0.5 1700000000.1\n"
		"# TYPE h histogram\nh_bucket{le=\"1.0\"} 1 # {} 0.5\n# TYPE g gauge\ng 1\n# EOF\n");
}

static void times_change_their_unit(void **state)
{
	assert_one("g 1 1395066363001\n", APP_TEXT, "# TYPE g untyped\ng 1 1395066363001\n",
		"# TYPE g unknown\ng 1 1395066363.001\n# EOF\n");
	assert_one("g 1 -5\n", APP_TEXT, "# TYPE g untyped\ng 1 -5\n", "# TYPE g unknown\ng 1 -0.005\n# EOF\n");
	assert_one("g 1 8888888888888888\n", APP_TEXT, "# TYPE g untyped\ng 1 8888888888888888\n",
		"# TYPE g unknown\ng 1 8888888888888.888\n# EOF\n");
	assert_one("g 1 -.5\nh 1 1.9999\ni 1 1e3\nj 1 5.\nk 1 7\n# EOF", APP_OPENMETRICS,
		"# TYPE g untyped\ng 1 -500\n# TYPE h untyped\nh 1 1999\n# TYPE i untyped\ni 1 1000000\n"
		"# TYPE j untyped\nj 1 5000\n# TYPE k untyped\nk 1 7000\n",
		"# TYPE g unknown\ng 1 -0.500\n# TYPE h unknown\nh 1 1.999\n# TYPE i unknown\ni 1 1000.000\n"
		"# TYPE j unknown\nj 1 5.000\n# TYPE k unknown\nk 1 7.000\n# EOF\n");
	assert_one("g 1 1395066363.001\n# EOF", APP_OPENMETRICS, "# TYPE g untyped\ng 1 1395066363001\n",
		"# TYPE g unknown\ng 1 1395066363.001\n# EOF\n");
	(void)state;
}

static void what_is_loosely_written_is_written_well(void **state)
{
	assert_one("\n # a comment\n#TYPE g gauge\n\t g { a = \"1\" , b=\"\",} \t+inf\n# HELP g too late\n", APP_TEXT,
		"# TYPE g gauge\ng{a=\"1\"} +Inf\n", "# TYPE g gauge\ng{a=\"1\"} +Inf\n# EOF\n");
	assert_one("# HELP g a\\d \"b\" \\\\n \xff\ng{} nan\n", APP_TEXT,
		"# HELP g a\\\\d \"b\" \\\\n \xef\xbf\xbd\n# TYPE g untyped\ng NaN\n",
		"# HELP g a\\\\d \\\"b\\\" \\\\n \xef\xbf\xbd\n# TYPE g unknown\ng NaN\n# EOF\n");
	assert_one("# TYPE h histogram\nh_bucket{le=\"5\"} 1\nh_bucket{le=\"0.5\"} 1\ng{le2=\"5\"} 1\n", APP_TEXT,
		"# TYPE h histogram\nh_bucket{le=\"5.0\"} 1\nh_bucket{le=\"0.5\"} 1\n# TYPE g untyped\ng{le2=\"5\"} "
		"1\n",
		"# TYPE h histogram\nh_bucket{le=\"5.0\"} 1\nh_bucket{le=\"0.5\"} 1\n# TYPE g unknown\ng{le2=\"5\"} "
		"1\n# EOF\n");
	(void)state;
}

static void a_family_that_is_torn_apart_is_put_together(void **state)
{
	assert_one("# TYPE a gauge\na{x=\"1\"} 1\n# TYPE b gauge\nb 1\n# HELP a A.\n# TYPE a gauge\na{x=\"2\"} "
		   "1\nb{y=\"1\"} 2\n",
		APP_TEXT, "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 1\n# TYPE b gauge\nb 1\nb{y=\"1\"} 2\n",
		"# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 1\n# TYPE b gauge\nb 1\nb{y=\"1\"} 2\n# EOF\n");
	(void)state;
}

static void a_family_without_samples_is_left_out(void **state)
{
	assert_one("# HELP a A.\n# TYPE a gauge\n", APP_TEXT, "", "# EOF\n");
	assert_one("", APP_TEXT, "", "# EOF\n");
	(void)state;
}

static void labels_hold_any_character(void **state)
{
	static const char page[] = "# TYPE g gauge\ng{a=\"\\\\\\\"\\n{},= \xc3\xa4\xf0\x9f\x90\xa2\"} 1e-7\n";

	(void)state;
	assert_one(page, APP_TEXT, page,
		"# TYPE g gauge\ng{a=\"\\\\\\\"\\n{},= \xc3\xa4\xf0\x9f\x90\xa2\"} 1e-7\n# EOF\n");
}

/* ---- malformed ---- */

static void a_malformed_page_is_refused(void **state)
{
	static const struct {
		const char *text;
		enum app_format format;
	} rows[] = {
		{ "a", APP_TEXT },
		{ "a 1", APP_TEXT }, /* cut off */
		{ "a b\n", APP_TEXT },
		{ "a 1 2 3\n", APP_TEXT },
		{ "a 1 2.5\n", APP_TEXT },
		{ "a 1e999\n", APP_TEXT },
		{ "a 0x1\n", APP_TEXT },
		{ "a 1 # {} 1\n", APP_TEXT },
		{ "a{b} 1\n", APP_TEXT },
		{ "a{b=c} 1\n", APP_TEXT },
		{ "a{b=\"c} 1\n", APP_TEXT },
		{ "a{b=\"\\t\"} 1\n", APP_TEXT },
		{ "a{b=\"\xff\"} 1\n", APP_TEXT },
		{ "a{b:c=\"1\"} 1\n", APP_TEXT },
		{ "a{1=\"1\"} 1\n", APP_TEXT },
		{ "a{b=\"1\",b=\"2\"} 1\n", APP_TEXT },
		{ "a{b=\"1\" c=\"2\"} 1\n", APP_TEXT },
		{ "a{,} 1\n", APP_TEXT },
		{ "a{__name__=\"b\"} 1\n", APP_TEXT },
		{ "a-b 1\n", APP_TEXT },
		{ "1a 1\n", APP_TEXT },
		{ "a 1\r\n", APP_TEXT },
		{ "# TYPE a info\n", APP_TEXT },
		{ "# TYPE a\n", APP_TEXT },
		{ "# TYPE a gauge b\n", APP_TEXT },
		{ "# HELP a-b c\n", APP_TEXT },
		{ "<html>\n", APP_TEXT },
		{ "\x1f\x8b\x08", APP_TEXT },
		{ "a 1\n", APP_OPENMETRICS }, /* no # EOF: cut off */
		{ "# EOF\n# EOF\n", APP_OPENMETRICS },
		{ "# EOF a\n", APP_OPENMETRICS },
		{ "# TYPE a untyped\n# EOF\n", APP_OPENMETRICS },
		{ "a 1 1e999\n# EOF\n", APP_OPENMETRICS },
		{ "a 1 # 1\n# EOF\n", APP_OPENMETRICS },
		{ "a 1 # {} 1 x\n# EOF\n", APP_OPENMETRICS },
	};
	struct app_page page = { .series = 77 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (app_page_read(rows[i].text, strlen(rows[i].text), rows[i].format, &page) != -EINVAL)
			fail_msg("'%s' is taken", rows[i].text);
	assert_int_equal(app_page_read("a 1\n\0b 1\n", 9, APP_TEXT, &page), -EINVAL);
	assert_int_equal(page.series, 77);
}

static void a_series_has_so_many_labels_and_no_more(void **state)
{
	char text[2048];

	(void)state;
	for (size_t labels = APP_LABELS_MAX; labels <= APP_LABELS_MAX + 1; labels++) {
		struct app_page page;
		size_t at = (size_t)snprintf(text, sizeof text, "a{");

		for (size_t i = 0; i < labels; i++)
			at += (size_t)snprintf(text + at, sizeof text - at, "l%zu=\"1\",", i);
		at += (size_t)snprintf(text + at, sizeof text - at, "} 1\n");
		assert_int_equal(app_page_read(text, at, APP_TEXT, &page), labels > APP_LABELS_MAX ? -EINVAL : 0);
	}
}

/* ---- conflicts ---- */

static void what_is_ours_is_left_out(void **state)
{
	assert_two("nest_initiative 1\n",
		"# TYPE nest_init_ready gauge\nnest_init_ready 1\nnest_init_x 1\nnest_init 1\n",
		"# TYPE nest_initiative untyped\nnest_initiative 1\n",
		"# TYPE nest_initiative unknown\nnest_initiative 1\n# EOF\n", 3, 0);
	(void)state;
}

static void the_same_family_of_two_pages_is_one(void **state)
{
	assert_two("# HELP a A.\n# TYPE a gauge\na{i=\"1\"} 1\n", "# HELP a B.\n# TYPE a gauge\na{i=\"2\"} 2\n",
		"# HELP a A.\n# TYPE a gauge\na{i=\"1\"} 1\na{i=\"2\"} 2\n",
		"# HELP a A.\n# TYPE a gauge\na{i=\"1\"} 1\na{i=\"2\"} 2\n# EOF\n", 0, 0);
	(void)state;
}

static void a_family_of_another_type_is_left_out(void **state)
{
	static const char *const others[] = { "# TYPE a gauge\na 2\n", "a 2\na{b=\"1\"} 3\n",
		"# TYPE a_total gauge\na_total 2\n", "# TYPE a_sum summary\na_sum 1\na_sum_count 1\n",
		"# TYPE a_bucket gauge\na_bucket 1\n" };
	static const char first[] = "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n";
	static const char openmetrics[] = "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n# EOF\n";

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++)
		if (i != 2)
			assert_two(first, others[i], first, openmetrics, 1, 0);
}

static void a_series_of_two_pages_is_the_firsts(void **state)
{
	assert_two("# TYPE a gauge\na{x=\"1\",y=\"2\"} 1\n", "# TYPE a gauge\na{y=\"2\",z=\"\",x=\"1\"} 2\na 3\n",
		"# TYPE a gauge\na{x=\"1\",y=\"2\"} 1\na 3\n", "# TYPE a gauge\na{x=\"1\",y=\"2\"} 1\na 3\n# EOF\n", 0,
		1);
	assert_two("", "a 1\na 2\n", "# TYPE a untyped\na 1\n", "# TYPE a unknown\na 1\n# EOF\n", 0, 1);
	assert_two("", "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1.0\"} 2\n",
		"# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\n", "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\n# EOF\n",
		0, 1);
	(void)state;
}

static void no_histogram_is_made_of_two(void **state)
{
	static const char first[] =
		"# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n";

	(void)state;
	assert_two(first, "# TYPE h histogram\nh_bucket{le=\"2\"} 5\nh_bucket{le=\"+Inf\"} 5\nh_sum 1\nh_count 5\n",
		first,
		"# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n# EOF\n", 0,
		4);
}

static void the_two_formats_meet(void **state)
{
	struct app_page pages[] = { read_page("# TYPE c counter\nc_total{i=\"1\"} 1\n# EOF\n", APP_OPENMETRICS),
		read_page("# TYPE c_total counter\nc_total{i=\"2\"} 2\n", APP_TEXT) };
	struct merge_left left[2];
	struct merge *merge;

	(void)state;
	assert_int_equal(merge_build(pages, 2, &key, left, &merge), 0);
	assert_written(merge, EXPOSITION_TEXT, "# TYPE c_total counter\nc_total{i=\"1\"} 1\nc_total{i=\"2\"} 2\n");
	merge_free(merge);
}

static char *many_families(const char *name)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (unsigned i = 0; i < MERGE_FAMILIES_MAX; i++)
		fprintf(out, "%s%u 1\n", name, i);
	fclose(out);
	return text;
}

static void no_page_takes_anothers_share_of_families(void **state)
{
	char *first = many_families("a"), *second = many_families("b");
	struct app_page pages[] = { read_page(first, APP_TEXT), read_page(second, APP_TEXT) };
	struct merge_left left[2];
	struct merge *merge;

	(void)state;
	assert_int_equal(merge_build(pages, 1, &key, left, &merge), 0);
	assert_int_equal(left[0].families, 0);
	merge_free(merge);
	assert_int_equal(merge_build(pages, 2, &key, left, &merge), 0);
	assert_int_equal(left[0].families, MERGE_FAMILIES_MAX / 2);
	assert_int_equal(left[1].families, MERGE_FAMILIES_MAX / 2);
	merge_free(merge);
	free(first);
	free(second);
}

static void too_many_series_are_refused(void **state)
{
	struct app_page pages[] = { { "", APP_TEXT, MERGE_SERIES_MAX }, { "", APP_TEXT, 1 } };
	struct merge_left left[2];
	struct merge *merge = NULL;

	(void)state;
	assert_int_equal(merge_build(pages, 2, &key, left, &merge), -E2BIG);
	assert_null(merge);
	assert_int_equal(merge_build(pages, 1, &key, left, &merge), 0);
	merge_free(merge);
}

/* ---- whatever comes ---- */

static uint32_t seed;

static unsigned random_below(unsigned limit)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

static const char *one_of(const char *const *words, size_t count)
{
	return words[random_below((unsigned)count)];
}

static void add_random_labels(FILE *out, const char *own, const char *own_value)
{
	static const char *const names[] = { "a", "b", "method" };
	static const char *const values[] = { "", "1", "GET", "\\\\", "\\\"\\n", "\xc3\xa4", "x} 1" };
	unsigned from = random_below(3), to = from + random_below(3);
	bool open = false;

	for (unsigned i = from; i < to; i++, open = true)
		fprintf(out, "%s%s=\"%s\"", open ? "," : "{", names[i % 3], one_of(values, COUNT(values)));
	if (own != NULL)
		fprintf(out, "%s%s=\"%s\"", open ? "," : "{", own, own_value);
	fputs(open || own != NULL ? "} " : " ", out);
}

static void add_random_sample(FILE *out, enum app_format format, const char *name, const char *suffix)
{
	static const char *const values[] = { "0", "1", "-1.5", "1e9", "NaN", "+Inf", "-Inf", ".5" };
	static const char *const bounds[] = { "1", "1.0", "0.5", "+Inf", "10" };
	bool bucket = strcmp(suffix, "_bucket") == 0;

	fprintf(out, "%s%s", name, suffix);
	add_random_labels(out, bucket ? "le" : NULL, one_of(bounds, COUNT(bounds)));
	fputs(one_of(values, COUNT(values)), out);
	if (random_below(5) == 0)
		fputs(format == APP_TEXT ? " 1700000000123" : " 1700000000.123", out);
	if (format == APP_OPENMETRICS && random_below(4) == 0)
		fputs(" # {trace_id=\"abc\"} 1 1700000000.1", out);
	fputs("\n", out);
}

static void add_random_family(FILE *out, enum app_format format)
{
	static const char *const names[] = { "x", "x_total", "x_created", "x_count", "y_seconds", "y_seconds_total",
		"y", "x_info", "nest_init_x", "z_bucket", "z" };
	static const char *const types[][8] = {
		{ "counter", "gauge", "histogram", "summary", "untyped", "gauge", "counter", "gauge" },
		{ "counter", "gauge", "histogram", "summary", "unknown", "gaugehistogram", "info", "stateset" },
	};
	static const char *const suffixes[] = { "", "", "_total", "_bucket", "_bucket", "_sum", "_count", "_created",
		"_info", "_gsum", "_gcount" };
	const char *name = one_of(names, COUNT(names));

	if (random_below(2) == 0)
		fprintf(out, "# HELP %s Some \"help\" \\\\ \\n.\n", name);
	if (random_below(6) > 0)
		fprintf(out, "# TYPE %s %s\n", name, types[format][random_below(8)]);
	if (format == APP_OPENMETRICS && random_below(4) == 0)
		fprintf(out, "# UNIT %s seconds\n", name);
	for (unsigned i = random_below(6); i > 0; i--)
		add_random_sample(out, format, name, one_of(suffixes, COUNT(suffixes)));
}

static char *random_page(enum app_format format)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (unsigned i = random_below(8); i > 0; i--)
		add_random_family(out, format);
	if (format == APP_OPENMETRICS)
		fputs("# EOF\n", out);
	fclose(out);
	return text;
}

/* A name has one TYPE. */
static void assert_no_family_twice(const char *text)
{
	static const char keyword[] = "# TYPE ";

	for (const char *line = strstr(text, keyword); line != NULL; line = strstr(line + 1, keyword)) {
		size_t length = strlen(keyword) + strcspn(line + strlen(keyword), " ") + 1;
		char start[64];

		snprintf(start, sizeof start, "%.*s", (int)length, line);
		if (strstr(line + 1, start) != NULL)
			fail_msg("'%s' twice in:\n%s", start, text);
	}
}

/* What comes out is a page; and read again it is the same page, with nothing left out of it. */
static void assert_sound(const char *text, enum exposition_format format)
{
	struct app_page page = read_page(text, format == EXPOSITION_TEXT ? APP_TEXT : APP_OPENMETRICS);
	struct merge_left left;
	struct merge *again;
	char *second;

	assert_no_family_twice(text);
	assert_int_equal(merge_build(&page, 1, &key, &left, &again), 0);
	second = write_page(again, format);
	assert_string_equal(text, second);
	assert_int_equal(left.families, 0);
	assert_int_equal(left.series, 0);
	free(second);
	merge_free(again);
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (const char *at = text; *at != '\0'; at += strcspn(at, "\n") + 1)
		lines += *at != '#';
	return lines;
}

static void assert_random_pages_merge(void)
{
	char *texts[3], *written[2];
	struct app_page pages[3];
	struct merge_left left[3];
	struct merge *merge;
	size_t count = 1 + random_below(3);

	for (size_t i = 0; i < count; i++) {
		enum app_format format = (enum app_format)random_below(2);

		texts[i] = random_page(format);
		pages[i] = read_page(texts[i], format);
	}
	assert_int_equal(merge_build(pages, count, &key, left, &merge), 0);
	for (size_t format = 0; format < 2; format++) {
		written[format] = write_page(merge, (enum exposition_format)format);
		assert_sound(written[format], (enum exposition_format)format);
		assert_null(strstr(written[format], "\nnest_init"));
		free(written[format]);
	}
	/* Both formats have the same series, so that none comes and goes with the scraper. */
	written[0] = write_page(merge, EXPOSITION_TEXT);
	written[1] = write_page(merge, EXPOSITION_OPENMETRICS);
	assert_int_equal(count_lines(written[0]), count_lines(written[1]));
	free(written[0]);
	free(written[1]);
	merge_free(merge);
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
}

static void random_pages_merge_into_one_page(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		seed = i;
		random_below(2);
		assert_random_pages_merge();
	}
}

/* Reference values of the authors' own implementation, for SipHash-1-3 with the key 00 01 .. 0f. */
static void siphash_is_siphash(void **state)
{
	static const uint64_t expected[] = { 0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d };
	const uint8_t text[] = { 0, 1 };
	struct siphash whole, parts;

	(void)state;
	for (size_t length = 0; length < COUNT(expected); length++) {
		struct siphash hash;

		siphash_begin(&hash, &key);
		siphash_add(&hash, text, length);
		assert_int_equal(siphash_end(&hash), expected[length]);
	}
	siphash_begin(&whole, &key);
	siphash_begin(&parts, &key);
	siphash_add(&whole, "a text of thirty-one characters", 31);
	siphash_add(&parts, "a text of", 9);
	siphash_add(&parts, " thirty-one characters", 22);
	assert_int_equal(siphash_end(&whole), siphash_end(&parts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_counter_is_named_as_each_format_has_it),
		cmocka_unit_test(a_counter_without_total_keeps_its_name),
		cmocka_unit_test(a_counter_beside_a_gauge_of_its_name_loses_its_type_only),
		cmocka_unit_test(a_gauge_may_end_in_total),
		cmocka_unit_test(every_type_of_openmetrics_has_a_place_in_the_text_format),
		cmocka_unit_test(created_of_the_text_format_is_the_counters),
		cmocka_unit_test(created_may_be_another_familys),
		cmocka_unit_test(exemplars_stay_where_openmetrics_stays),
		cmocka_unit_test(times_change_their_unit),
		cmocka_unit_test(what_is_loosely_written_is_written_well),
		cmocka_unit_test(a_family_that_is_torn_apart_is_put_together),
		cmocka_unit_test(a_family_without_samples_is_left_out),
		cmocka_unit_test(labels_hold_any_character),
		cmocka_unit_test(a_malformed_page_is_refused),
		cmocka_unit_test(a_series_has_so_many_labels_and_no_more),
		cmocka_unit_test(what_is_ours_is_left_out),
		cmocka_unit_test(the_same_family_of_two_pages_is_one),
		cmocka_unit_test(a_family_of_another_type_is_left_out),
		cmocka_unit_test(a_series_of_two_pages_is_the_firsts),
		cmocka_unit_test(no_histogram_is_made_of_two),
		cmocka_unit_test(the_two_formats_meet),
		cmocka_unit_test(no_page_takes_anothers_share_of_families),
		cmocka_unit_test(too_many_series_are_refused),
		cmocka_unit_test(random_pages_merge_into_one_page),
		cmocka_unit_test(siphash_is_siphash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
