/* The spans of a container's life as OTLP has them in JSON (opentelemetry-proto's mapping: ids in hex, 64-bit integers
 * as strings, enums as numbers). Pure: memory only. */
#pragma once

#include "base/trace_context.h"
#include "base/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum span_name {
	SPAN_START,    /* "container start": from PID 1's start to the workload's first instruction */
	SPAN_READY,    /* "ready": from the service's start to its first ready verdict */
	SPAN_SHUTDOWN, /* "shutdown": from the request to stop to the main process's end */
	SPAN_NAME_COUNT,
};

struct trace_span {
	enum span_name name;
	uint8_t id[SPAN_ID_SIZE];
	uint8_t parent_id[SPAN_ID_SIZE]; /* all zero: none */
	int64_t start_ns, end_ns;        /* wall clock */
	uint64_t life;                   /* of the service, as `starts` counts them */
	int exit_code;                   /* as a shell says it; -1: it has not ended */
	bool failed;
	char message[WIRE_REASON_SIZE]; /* once failed: why */
};

/* Writes one ExportTraceServiceRequest. resource: the text of its attributes (base/attributes.h). The text is freed by
 * the caller. Returns 0 or -ENOMEM. */
int spans_write(const uint8_t trace_id[static TRACE_ID_SIZE], const char *resource, const struct trace_span *spans,
	size_t count, char **ret_text);
