/* Where spans are sent to: --trace-endpoint, and what it leaves to OpenTelemetry's own variables (OpenTelemetry
 * protocol exporter specification). Pure: the environment is passed in. */
#pragma once

#include "base/check.h"

/* The word that leaves it to the variables. */
#define TRACE_ENDPOINT_ENV "env"

struct trace_endpoint {
	struct target target;
	struct exchange exchange; /* POST, with the headers of the variables where they say the target */
	char headers[EXCHANGE_HEADERS_SIZE];
};

/* The form alone: http://HOST[:PORT][/PATH], http+unix:SOCKET:/PATH, or "env". Returns 0 or -EINVAL with a sentence. */
int trace_endpoint_check(const char *text, struct complaint *ret_why);

/* A URL without a path gets /v1/traces. "env": OTEL_EXPORTER_OTLP_TRACES_ENDPOINT as it is, else
 * OTEL_EXPORTER_OTLP_ENDPOINT and /v1/traces, else http://localhost:4318/v1/traces; with
 * OTEL_EXPORTER_OTLP_TRACES_HEADERS or OTEL_EXPORTER_OTLP_HEADERS. ret_endpoint points into itself. Returns 0, or
 * -EINVAL with a sentence, which quotes no header. */
int trace_endpoint_find(
	const char *text, char *const *env, struct trace_endpoint *ret_endpoint, struct complaint *ret_why);

/* The value of the variable, or NULL where it is not set or empty, which is the same to OpenTelemetry. */
const char *trace_variable(char *const *env, const char *name);
