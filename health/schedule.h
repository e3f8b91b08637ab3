/* When a check runs: at once, then every start interval until the first success, then every interval. Intervals go
 * from the end of a run to the start of the next, so that runs of one check never overlap. Pure; times are nanoseconds
 * of one clock. */
#pragma once

#include "base/model.h"

struct schedule {
	int64_t next; /* start of the next run; TIME_NEVER while one is going */
};

/* The first run falls due at `now`. */
void schedule_init(struct schedule *schedule, int64_t now);

/* When the next run falls due: TIME_NEVER while one is going. */
static inline int64_t schedule_next(const struct schedule *schedule)
{
	return schedule->next;
}

static inline bool schedule_due(const struct schedule *schedule, int64_t now)
{
	return schedule->next <= now;
}

/* A run starts. Returns its deadline. */
int64_t schedule_begin(struct schedule *schedule, const struct check_timing *timing, int64_t now);

/* The run ended, whatever came of it; succeeded: the check has succeeded at least once (struct verdict). */
void schedule_end(struct schedule *schedule, const struct check_timing *timing, bool succeeded, int64_t now);
