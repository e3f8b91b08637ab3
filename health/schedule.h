/* When a check runs: at once, then every start interval until it is healthy for the first time, then every interval.
 * Intervals go from the end of a run to the start of the next, so that runs of one check never overlap. Pure; times are
 * nanoseconds of one clock. */
#pragma once

#include "base/check.h"

#include <stdbool.h>

struct schedule {
	int64_t next; /* start of the next run; TIME_NEVER while one is going */
};

/* The first run falls due at `at`. */
void schedule_init(struct schedule *schedule, int64_t at);

/* When the next run falls due: TIME_NEVER while one is going. */
static inline int64_t schedule_next(const struct schedule *schedule)
{
	return schedule->next;
}

/* A run starts. Returns its deadline. */
int64_t schedule_begin(struct schedule *schedule, const struct check_timing *timing, int64_t now);

/* The run ended, whatever came of it; started: the check has been healthy (struct verdict). random: any number; it
 * decides how much of the jitter is added. */
void schedule_end(
	struct schedule *schedule, const struct check_timing *timing, bool started, uint32_t random, int64_t now);
