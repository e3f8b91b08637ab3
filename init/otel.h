/* OpenTelemetry's variables, for the workload and for the monitor: before the point of no return, and only where
 * --otel-resource or --trace-endpoint asks for them. */
#pragma once

#include "base/model.h"

/* Gathers the facts of this container and puts them into OTEL_RESOURCE_ATTRIBUTES: into the workload's with
 * --otel-resource, behind what is there; what the user has said of a key stays. program: the workload's, as it is
 * called. warn is told where the user's own text is none, and so stays as it is.
 *
 * *ret_env: what the monitor's environment is to have of all this, with --trace-endpoint (static, NULL-terminated),
 * else NULL. Returns 0, or -errno with a sentence: spans that could be sent nowhere refuse the start. */
int otel_prepare(struct model *model, const char *program, void (*warn)(const char *sentence), char ***ret_env,
	struct complaint *ret_why);
