#include "health/spans.h"

#include "base/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t trace_id[TRACE_ID_SIZE] = { 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21,
	0x1c, 0x80, 0x31, 0x9c };

/* The bytes without what only indents them: no text below holds two blanks or a line's end. */
static char *written(const char *resource, const struct trace_span *spans, size_t count)
{
	char *text = NULL, *to;

	assert_int_equal(spans_write(trace_id, resource, spans, count, &text), 0);
	to = text;
	for (const char *from = text; *from != '\0'; from++) {
		if (*from == '\n')
			from += strspn(from, "\n ") - 1;
		else
			*to++ = *from;
	}
	*to = '\0';
	return text;
}

static void assert_written(const char *resource, const struct trace_span *spans, size_t count, const char *expected)
{
	char *text = written(resource, spans, count);

	assert_string_equal(text, expected);
	free(text);
}

#define SCOPE "\"scope\": {\"name\": \"nest-init\",\"version\": \"" NEST_INIT_VERSION "\"}"
#define REQUEST(attributes, spans)                                                                                     \
	"{\"resourceSpans\": [{\"resource\": {\"attributes\": [" attributes "]},\"scopeSpans\": [{" SCOPE              \
	",\"spans\": [" spans "]}]}]}"

static void a_span_is_opentelemetrys_json(void **state)
{
	static const struct trace_span spans[] = {
		{ .name = SPAN_START,
			.id = { 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31 },
			.start_ns = 1544712660000000000,
			.end_ns = 1544712660300000001,
			.life = 1,
			.exit_code = -1 },
		{ .name = SPAN_SHUTDOWN,
			.id = { 0, 0, 0, 0, 0, 0, 0, 1 },
			.parent_id = { 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31 },
			.start_ns = 1544712660000000000,
			.end_ns = 1544712660000000000,
			.life = UINT64_C(9007199254740993), /* no double holds it */
			.exit_code = 137,
			.failed = true,
			.message = "node (pid 7) was \"killed\"" },
	};

	(void)state;
	assert_written("", spans, 1,
		REQUEST("",
			"{\"traceId\": \"0af7651916cd43dd8448eb211c80319c\",\"spanId\": \"b7ad6b7169203331\","
			"\"name\": \"container start\",\"kind\": 1,\"startTimeUnixNano\": \"1544712660000000000\","
			"\"endTimeUnixNano\": \"1544712660300000001\",\"attributes\": [{\"key\": \"nest_init.life\","
			"\"value\": {\"intValue\": \"1\"}}],\"status\": {}}"));
	assert_written("", spans + 1, 1,
		REQUEST("",
			"{\"traceId\": \"0af7651916cd43dd8448eb211c80319c\",\"spanId\": \"0000000000000001\","
			"\"parentSpanId\": \"b7ad6b7169203331\",\"name\": \"shutdown\",\"kind\": 1,"
			"\"startTimeUnixNano\": \"1544712660000000000\",\"endTimeUnixNano\": \"1544712660000000000\","
			"\"attributes\": [{\"key\": \"nest_init.life\",\"value\": {\"intValue\": "
			"\"9007199254740993\"}},{\"key\": \"process.exit.code\",\"value\": {\"intValue\": \"137\"}}],"
			"\"status\": {\"message\": \"node (pid 7) was \\\"killed\\\"\",\"code\": 2}}"));
}

static void the_resource_has_each_key_once(void **state)
{
	(void)state;
	assert_written("service.name=a,host.name=%C3%A4%22,service.name=b%2Cc", NULL, 0,
		REQUEST("{\"key\": \"host.name\",\"value\": {\"stringValue\": \"\xc3\xa4\\\"\"}},"
			"{\"key\": \"service.name\",\"value\": {\"stringValue\": \"b,c\"}}",
			""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_span_is_opentelemetrys_json),
		cmocka_unit_test(the_resource_has_each_key_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
