/* Several probes side by side, for one-shot use: blocks until all are through. */
#pragma once

#include "health/probe.h"

#define PROBE_RUN_MAX 64

struct probe_job {
	const struct check *check; /* borrowed: its target, its exchange, and the time of one try */
	bool success;              /* filled in, as is the reason */
	char reason[PROBE_REASON_SIZE];
};

/* Runs every job until it is done, as long as its check says and timeout_ns at the most. With wait_ns above zero a job
 * that fails is tried again until it succeeds once or wait_ns are over, instead of timeout_ns. count: 1 to
 * PROBE_RUN_MAX. Returns 0, whatever the results are, or -errno when nothing could be run. */
int probe_run(struct probe_job *jobs, size_t count, int64_t timeout_ns, int64_t wait_ns);
