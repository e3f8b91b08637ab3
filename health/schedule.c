#include "health/schedule.h"

#include "base/clock.h"

void schedule_init(struct schedule *schedule, int64_t at)
{
	schedule->next = at;
}

int64_t schedule_begin(struct schedule *schedule, const struct check_timing *timing, int64_t now)
{
	schedule->next = TIME_NEVER;
	return now + timing->timeout_ns;
}

/* A year's nanoseconds times the random number would not fit: the jitter is taken in steps of a 65536th. */
void schedule_end(
	struct schedule *schedule, const struct check_timing *timing, bool started, uint32_t random, int64_t now)
{
	const int64_t pause = started ? timing->interval_ns : timing->start_interval_ns;
	const int64_t jitter = pause / 100 * timing->jitter_percent;

	schedule->next = now + pause + jitter / 65536 * (random >> 16);
}
