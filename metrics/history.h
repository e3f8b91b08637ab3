/* Memory and processor time of the last minutes, for the front page. A sample is taken when something wakes the monitor
 * anyway, a scrape or a check: nothing wakes it for this. Pure. */
#pragma once

#include "metrics/readings.h"

#include <stddef.h>

#define HISTORY_MAX 120
#define HISTORY_STEP_NS INT64_C(10000000000) /* between two samples, at least */

struct sample {
	int64_t at_ns; /* any clock that only goes forward */
	bool has_cpu, has_memory;
	uint64_t cpu_ns, memory_bytes;
};

struct history { /* all zero: nothing is known */
	struct sample sample[HISTORY_MAX];
	size_t count; /* of all that ever were */
};

/* True if the next sample may be taken. */
bool history_is_due(const struct history *history, int64_t now_ns);
/* Takes it: the cgroup's figures, else the service's. */
void history_add(struct history *history, int64_t now_ns, const struct readings *readings);

/* How many there are, and the n-th, the oldest first. */
size_t history_count(const struct history *history);
const struct sample *history_at(const struct history *history, size_t n);

/* Hundredths of a percent of one processor between two samples that follow each other; -1: not known. */
int64_t history_cpu(const struct sample *before, const struct sample *after);
