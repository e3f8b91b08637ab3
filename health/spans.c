#include "health/spans.h"

#include "base/attributes.h"
#include "base/cleanup.h"
#include "base/json_write.h"
#include "base/version.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SPAN_KIND_INTERNAL 1 /* Span.SpanKind */
#define STATUS_CODE_ERROR 2  /* Status.StatusCode */

static const char names[][16] = { "container start", "ready", "shutdown" };
static_assert(sizeof names / sizeof names[0] == SPAN_NAME_COUNT, "a name for every span");

static void write_id(struct json_writer *json, const char *key, const uint8_t *id, size_t size)
{
	char text[2 * TRACE_ID_SIZE + 1];

	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	json_write_text(json, key, text);
}

static void write_int(struct json_writer *json, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, value);
	json_write_text(json, key, text);
}

static void write_attribute(struct json_writer *json, const char *key, const char *text, uint64_t value)
{
	json_write_object(json, NULL);
	json_write_text(json, "key", key);
	json_write_object(json, "value");
	if (text != NULL)
		json_write_text(json, "stringValue", text);
	else
		write_int(json, "intValue", value);
	json_write_end(json);
	json_write_end(json);
}

/* A key that comes again further on counts there: keys are unique here. */
static void write_resource(struct json_writer *json, const char *text)
{
	struct attribute attribute, later;

	json_write_object(json, "resource");
	json_write_array(json, "attributes");
	while (attributes_next(&text, &attribute) == 1)
		if (attributes_find(text, attribute.key, &later) < 0)
			write_attribute(json, attribute.key, attribute.value, 0);
	json_write_end(json);
	json_write_end(json);
}

static void write_span(struct json_writer *json, const uint8_t *trace_id, const struct trace_span *span)
{
	static const uint8_t none[SPAN_ID_SIZE];

	json_write_object(json, NULL);
	write_id(json, "traceId", trace_id, TRACE_ID_SIZE);
	write_id(json, "spanId", span->id, SPAN_ID_SIZE);
	if (memcmp(span->parent_id, none, sizeof none) != 0)
		write_id(json, "parentSpanId", span->parent_id, SPAN_ID_SIZE);
	json_write_text(json, "name", names[span->name]);
	json_write_u64(json, "kind", SPAN_KIND_INTERNAL);
	write_int(json, "startTimeUnixNano", (uint64_t)span->start_ns);
	write_int(json, "endTimeUnixNano", (uint64_t)span->end_ns);
	json_write_array(json, "attributes");
	write_attribute(json, "nest_init.life", NULL, span->life);
	if (span->exit_code >= 0)
		write_attribute(json, "process.exit.code", NULL, (uint64_t)span->exit_code);
	json_write_end(json);
	json_write_object(json, "status");
	if (span->failed) {
		json_write_text(json, "message", span->message);
		json_write_u64(json, "code", STATUS_CODE_ERROR);
	}
	json_write_end(json);
	json_write_end(json);
}

int spans_write(const uint8_t trace_id[static TRACE_ID_SIZE], const char *resource, const struct trace_span *spans,
	size_t count, char **ret_text)
{
	cleanup_free char *text = NULL;
	struct json_writer json;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return -ENOMEM;
	json_write_begin(&json, out);
	json_write_array(&json, "resourceSpans");
	json_write_object(&json, NULL);
	write_resource(&json, resource);
	json_write_array(&json, "scopeSpans");
	json_write_object(&json, NULL);
	json_write_object(&json, "scope");
	json_write_text(&json, "name", "nest-init");
	json_write_text(&json, "version", NEST_INIT_VERSION);
	json_write_end(&json);
	json_write_array(&json, "spans");
	for (size_t i = 0; i < count; i++)
		write_span(&json, trace_id, &spans[i]);
	for (int levels = 0; levels < 5; levels++) /* spans, the scope, scopeSpans, the resource, resourceSpans */
		json_write_end(&json);
	json_write_finish(&json);
	if (fclose(out) != 0)
		return -ENOMEM;
	*ret_text = take_pointer(&text);
	return 0;
}
