/* The trace that somebody else has begun, as TRACEPARENT carries it (W3C Trace Context, section 3.2). Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TRACE_ID_SIZE 16
#define SPAN_ID_SIZE 8

struct trace_context {
	uint8_t trace_id[TRACE_ID_SIZE];
	uint8_t parent_id[SPAN_ID_SIZE];
	bool sampled; /* whoever began it wants to have it recorded */
};

/* Takes "00-TRACE-PARENT-FLAGS", also of a later version, whose further fields are not looked at. Returns 0, or -EINVAL
 * for anything else, which is then to be taken for nothing. */
int trace_context_parse(const char *text, struct trace_context *ret_context);
