/* base/trace_context and base/trace_endpoint: which trace it is, and where its spans go. */
#include "base/trace_context.h"
#include "base/trace_endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void reads_the_trace_of_somebody_else(void **state)
{
	static const uint8_t trace_id[] = { 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21,
		0x1c, 0x80, 0x31, 0x9c };
	static const uint8_t parent_id[] = { 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31 };
	static const struct {
		const char *text;
		bool sampled;
	} rows[] = {
		{ "00-" TRACE "-" PARENT "-01", true },
		{ "00-" TRACE "-" PARENT "-00", false },
		{ "00-" TRACE "-" PARENT "-02", false },
		{ "00-" TRACE "-" PARENT "-ff", true },
		{ "01-" TRACE "-" PARENT "-01", true },
		{ "cc-" TRACE "-" PARENT "-01-what-comes-later", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct trace_context context;

		if (trace_context_parse(rows[i].text, &context) < 0)
			fail_msg("%s is refused", rows[i].text);
		assert_memory_equal(context.trace_id, trace_id, sizeof trace_id);
		assert_memory_equal(context.parent_id, parent_id, sizeof parent_id);
		assert_int_equal(context.sampled, rows[i].sampled);
	}
}

static void what_is_no_traceparent_is_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		"00",
		"00-" TRACE "-" PARENT,
		"00-" TRACE "-" PARENT "-0",
		"00-" TRACE "-" PARENT "-01-x",
		"00-" TRACE "-" PARENT "-01x",
		"01-" TRACE "-" PARENT "-01x",
		"ff-" TRACE "-" PARENT "-01",
		"0-0" TRACE "-" PARENT "-01",
		"0x-" TRACE "-" PARENT "-01",
		"00_" TRACE "-" PARENT "-01",
		"00-" TRACE "_" PARENT "-01",
		"00-" TRACE "-" PARENT "_01",
		"00-" TRACE "-" PARENT "-0g",
		"00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
		"00-" TRACE "-B7AD6B7169203331-01",
		"00-00000000000000000000000000000000-" PARENT "-01",
		"00-" TRACE "-0000000000000000-01",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct trace_context context = { .sampled = true, .parent_id = { 7 } };

		if (trace_context_parse(texts[i], &context) != -EINVAL)
			fail_msg("%s is taken", texts[i]);
		assert_int_equal(context.parent_id[0], 7);
	}
}

/* "HOST:PORT PATH|header|header", or the sentence that refuses. */
static const char *found(const char *text, const char *const *env)
{
	static struct trace_endpoint endpoint;
	static char said[2048];
	struct complaint why;
	size_t at;

	if (trace_endpoint_find(text, (char *const *)env, &endpoint, &why) < 0) {
		snprintf(said, sizeof said, "%s", why.text);
		return said;
	}
	assert_string_equal(endpoint.exchange.method, "POST");
	assert_true(expected_has(&endpoint.exchange.expected, 200));
	assert_false(expected_has(&endpoint.exchange.expected, 301));
	at = (size_t)snprintf(
		said, sizeof said, "%s:%u %s", endpoint.target.host, endpoint.target.port, endpoint.target.path);
	for (size_t i = 0; i < endpoint.exchange.header_count; i++)
		at += (size_t)snprintf(said + at, sizeof said - at, "|%s", endpoint.exchange.header[i]);
	return said;
}

#define JSON "|Content-Type: application/json"
#define ALL "OTEL_EXPORTER_OTLP_"
#define TRACES "OTEL_EXPORTER_OTLP_TRACES_"

static void finds_where_spans_go(void **state)
{
	static const struct {
		const char *text, *env[4], *said;
	} rows[] = {
		{ "http://collector:4318", { NULL }, "collector:4318 /v1/traces" JSON },
		{ "http://collector:4318/", { NULL }, "collector:4318 /v1/traces" JSON },
		{ "http://[::1]:80/a/b", { NULL }, "::1:80 /a/b" JSON },
		{ "http+unix:/run/otlp:/v1/traces", { NULL }, ":0 /v1/traces" JSON },
		/* What is said here is all that counts: a header may be a secret of somebody else's. */
		{ "http://a:1", { ALL "ENDPOINT=http://b:2", ALL "HEADERS=x=y", ALL "PROTOCOL=grpc" },
			"a:1 /v1/traces" JSON },
		{ "env", { NULL }, "localhost:4318 /v1/traces" JSON },
		{ "env", { ALL "ENDPOINT=" }, "localhost:4318 /v1/traces" JSON },
		{ "env", { ALL "ENDPOINT=http://b:2" }, "b:2 /v1/traces" JSON },
		{ "env", { ALL "ENDPOINT=http://b:2/otlp/" }, "b:2 /otlp/v1/traces" JSON },
		{ "env", { ALL "ENDPOINT=http://b:2/otlp" }, "b:2 /otlp/v1/traces" JSON },
		{ "env", { ALL "ENDPOINT=http://b:2", TRACES "ENDPOINT=http://c:3/" }, "c:3 /" JSON },
		{ "env", { ALL "PROTOCOL=http/protobuf" }, "localhost:4318 /v1/traces" JSON },
		{ "env", { ALL "HEADERS=api-key=a%20b,x=1" }, "localhost:4318 /v1/traces" JSON "|api-key: a b|x: 1" },
		{ "env", { ALL "HEADERS=a=1", TRACES "HEADERS=b=2" }, "localhost:4318 /v1/traces" JSON "|b: 2" },
		{ "https://a", { NULL },
			"there is no TLS: give the http:// address of a collector beside this container, which has "
			"it" },
		{ "tcp://a:1", { NULL },
			"'tcp://a:1': expected http://HOST[:PORT][/PATH], http+unix:SOCKET:/PATH or env" },
		{ "http://a:0", { NULL }, "'http://a:0': port \"0\" is not a number from 1 to 65535" },
		{ "env", { ALL "ENDPOINT=https://a" },
			ALL "ENDPOINT: there is no TLS: give the http:// address of a collector beside this container, "
			    "which has it" },
		{ "env", { TRACES "PROTOCOL=grpc" },
			TRACES "PROTOCOL is grpc: give the collector's OTLP/HTTP address here (usually port 4318)" },
		{ "env", { ALL "HEADERS=geheim" }, ALL "HEADERS: expected NAME=VALUE,NAME=VALUE, percent-encoded" },
		{ "env", { ALL "HEADERS=a=geheim%0d%0aX:y" },
			ALL "HEADERS: the value has a byte that is not visible ASCII" },
		{ "env", { ALL "HEADERS=Content-Length=5" }, ALL "HEADERS: Content-Length is the prober's own" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (strcmp(found(rows[i].text, rows[i].env), rows[i].said) != 0)
			fail_msg("%s, %s: %s, expected %s", rows[i].text, rows[i].env[0],
				found(rows[i].text, rows[i].env), rows[i].said);
}

static void the_form_is_checked_before_the_variables_are_known(void **state)
{
	struct complaint why;

	(void)state;
	assert_int_equal(trace_endpoint_check("env", &why), 0);
	assert_int_equal(trace_endpoint_check("http://a", &why), 0);
	assert_int_equal(trace_endpoint_check("https://a", &why), -EINVAL);
	assert_int_equal(trace_endpoint_check("collector:4318", &why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_trace_of_somebody_else),
		cmocka_unit_test(what_is_no_traceparent_is_nothing),
		cmocka_unit_test(finds_where_spans_go),
		cmocka_unit_test(the_form_is_checked_before_the_variables_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
