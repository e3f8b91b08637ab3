#include "metrics/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const enum media metrics[] = { MEDIA_TEXT, MEDIA_OPENMETRICS };
static const enum media health[] = { MEDIA_PLAIN, MEDIA_HEALTH_JSON };

/* What Prometheus 2.42 and 3 send. */
static const char prometheus2[] =
	"application/openmetrics-text;version=1.0.0,"
	"application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
static const char prometheus3[] =
	"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
	"application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
	"text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
static const char protobuf[] =
	"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
	"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

static void chooses_the_page_of_metrics(void **state)
{
	static const struct {
		const char *accept;
		int result;
		enum media media;
	} rows[] = {
		{ NULL, 0, MEDIA_TEXT },
		{ "", 0, MEDIA_TEXT },
		{ " \t", 0, MEDIA_TEXT },
		{ "*/*", 0, MEDIA_TEXT },
		{ prometheus2, 0, MEDIA_OPENMETRICS },
		{ prometheus3, 0, MEDIA_OPENMETRICS },
		{ protobuf, 0, MEDIA_OPENMETRICS },
		{ "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 0, MEDIA_TEXT },
		{ "text/plain", 0, MEDIA_TEXT },
		{ "text/*", 0, MEDIA_TEXT },
		{ "application/*", 0, MEDIA_OPENMETRICS },
		{ "application/openmetrics-text", 0, MEDIA_OPENMETRICS },
		{ "Application/OpenMetrics-Text; Version=\"1.0.0\"; charset=UTF-8", 0, MEDIA_OPENMETRICS },
		{ "application/openmetrics-text;version=0.0.1", -ENOENT, 0 },
		{ "application/openmetrics-text,text/plain", 0, MEDIA_TEXT }, /* equal: the server's order */
		{ "application/openmetrics-text;q=0.501,text/plain;q=0.5", 0, MEDIA_OPENMETRICS },
		{ "application/openmetrics-text;q=0.5,text/plain;q=0.501", 0, MEDIA_TEXT },
		{ "text/plain;q=0,*/*", 0, MEDIA_OPENMETRICS }, /* closest counts */
		{ "*/*;q=1,text/plain;q=0.1,application/*;q=0.2", 0, MEDIA_OPENMETRICS },
		{ "text/plain;version=0.0.4;q=0.1,text/plain;q=0.9,application/*;q=0.5", 0, MEDIA_OPENMETRICS },
		{ "text/plain;q=0", -ENOENT, 0 },
		{ "*/*;q=0", -ENOENT, 0 },
		{ "*/*;q=0.000", -ENOENT, 0 },
		{ "image/png", -ENOENT, 0 },
		{ "application/json, text/plain; q=0.5", 0, MEDIA_TEXT },
		{ "text/plain ; q=0.5 , application/openmetrics-text", 0, MEDIA_OPENMETRICS },
		{ "text/plain;;q=0.5,", 0, MEDIA_TEXT },
		/* Malformed members are skipped, the others count. */
		{ "text/plain;q=2,application/openmetrics-text;q=0.1", 0, MEDIA_OPENMETRICS },
		{ "text/plain;q=1.001,application/*;q=0.1", 0, MEDIA_OPENMETRICS },
		{ "text/plain;q=0.1234,application/*;q=0.1", 0, MEDIA_OPENMETRICS },
		{ "text/plain;q=,application/*;q=0.1", 0, MEDIA_OPENMETRICS },
		{ "text/plain;q=\"0.5,application/*;q=0.1", 0, MEDIA_OPENMETRICS },
		{ "text plain,application/*;q=0.1", 0, MEDIA_OPENMETRICS },
		{ ",,,/,*,/*,text/,;q=1,application/*", 0, MEDIA_OPENMETRICS },
		{ "text", -ENOENT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum media media = MEDIA_COUNT;

		assert_int_equal(negotiate(rows[i].accept, metrics, COUNT(metrics), &media), rows[i].result);
		assert_int_equal(media, rows[i].result == 0 ? rows[i].media : MEDIA_COUNT);
	}
}

static void chooses_the_page_of_health(void **state)
{
	static const struct {
		const char *accept;
		enum media media;
	} rows[] = {
		{ NULL, MEDIA_PLAIN },
		{ "*/*", MEDIA_PLAIN },
		{ "application/health+json", MEDIA_HEALTH_JSON },
		{ "application/health+json, */*;q=0.5", MEDIA_HEALTH_JSON },
		{ "application/*", MEDIA_HEALTH_JSON },
		{ "text/plain, application/health+json;q=0.9", MEDIA_PLAIN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum media media = MEDIA_COUNT;

		assert_int_equal(negotiate(rows[i].accept, health, COUNT(health), &media), 0);
		assert_int_equal(media, rows[i].media);
	}
}

static void packs_for_who_would_have_it(void **state)
{
	static const struct {
		const char *accept;
		bool gzip;
	} rows[] = {
		{ NULL, false },
		{ "", false },
		{ "gzip", true }, /* Prometheus */
		{ "deflate, gzip, br, zstd", true },
		{ "GZIP;q=0.001", true },
		{ "gzip;q=0", false },
		{ "*", true },
		{ "*;q=0", false },
		{ "gzip;q=0, *", false },
		{ "*, gzip ; q=0", false },
		{ "identity", false },
		{ "gzip;q=0.5, identity", false },
		{ "identity;q=0.5, gzip;q=0.5", true },
		{ "x-gzip, gzipped", false },
		{ "gzip;q=2, br", false }, /* malformed: as if it were not there */
		{ ",,;, gzip", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (negotiate_gzip(rows[i].accept) != rows[i].gzip)
			fail_msg("%s", rows[i].accept);
}

static void says_the_content_type_in_full(void **state)
{
	(void)state;
	assert_string_equal(media_content_type(MEDIA_PLAIN), "text/plain; charset=utf-8");
	assert_string_equal(media_content_type(MEDIA_TEXT), "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(
		media_content_type(MEDIA_OPENMETRICS), "application/openmetrics-text; version=1.0.0; charset=utf-8");
	assert_string_equal(media_content_type(MEDIA_HEALTH_JSON), "application/health+json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses_the_page_of_metrics),
		cmocka_unit_test(chooses_the_page_of_health),
		cmocka_unit_test(packs_for_who_would_have_it),
		cmocka_unit_test(says_the_content_type_in_full),
	};

	return cmocka_run_group_tests_name("negotiate", tests, NULL, NULL);
}
