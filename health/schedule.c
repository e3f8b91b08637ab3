#include "health/schedule.h"

#include "base/clock.h"

void schedule_init(struct schedule *schedule, int64_t now)
{
	schedule->next = now;
}

int64_t schedule_begin(struct schedule *schedule, const struct check_timing *timing, int64_t now)
{
	schedule->next = TIME_NEVER;
	return now + timing->timeout_ns;
}

void schedule_end(struct schedule *schedule, const struct check_timing *timing, bool succeeded, int64_t now)
{
	schedule->next = now + (succeeded ? timing->interval_ns : timing->start_interval_ns);
}
