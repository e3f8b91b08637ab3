#include "health/probe_run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "health/look.h"

#include <errno.h>
#include <stdio.h>

/* Between the tries of a job: short beside the start of any service, long beside the cost of a try. */
#define RETRY_NS (250 * NS_PER_MS)

/* So long before the end the last try begins. */
#define LAST_NS (50 * NS_PER_MS)

/* One job under way. */
struct lane {
	enum { LANE_PAUSED, LANE_PROBING, LANE_THROUGH } state;
	int64_t start_at; /* of the next try, while it is paused */
	int64_t begun_at;
	struct look look;
};

struct run {
	struct probe_job *jobs;
	struct lane *lanes;
	size_t count;
	int64_t end; /* of everything */
	bool again;  /* a try that failed is followed by another */
};

static void start_try(const struct run *run, size_t i, int64_t now)
{
	const int64_t left = run->end - now, timeout = run->jobs[i].check->timing.timeout_ns;

	run->lanes[i].state = LANE_PROBING;
	run->lanes[i].begun_at = now;
	look_start(&run->lanes[i].look, run->jobs[i].check, now, now + (left < timeout ? left : timeout));
}

/* A failure only because the end of everything cut the try short says less than the failure before it: that one stays.
 */
static void end_try(const struct run *run, size_t i, int64_t now)
{
	struct probe_job *job = &run->jobs[i];
	struct lane *lane = &run->lanes[i];
	const char *reason;
	const bool cut = now >= run->end && run->end - lane->begun_at < job->check->timing.timeout_ns;

	job->success = look_result(&lane->look, &reason);
	if (job->success || !cut || job->reason[0] == '\0')
		snprintf(job->reason, sizeof job->reason, "%s", reason);
	lane->state = LANE_THROUGH;
	if (!job->success && run->again && now + LAST_NS < run->end) {
		lane->state = LANE_PAUSED;
		lane->start_at = now + RETRY_NS < run->end - LAST_NS ? now + RETRY_NS : run->end - LAST_NS;
	}
}

/* Moves a job on and says what it waits for: the slot for ppoll(2), and the time (TIME_NEVER: it is through). */
static int64_t step(const struct run *run, size_t i, int64_t now, struct pollfd *ret_slot)
{
	struct lane *lane = &run->lanes[i];

	*ret_slot = (struct pollfd){ .fd = -1 };
	if (lane->state == LANE_PAUSED && lane->start_at <= now)
		start_try(run, i, now);
	if (lane->state == LANE_PROBING && look_advance(&lane->look, now) == PROBE_DONE)
		end_try(run, i, now);
	if (lane->state == LANE_PAUSED)
		return lane->start_at;
	if (lane->state == LANE_THROUGH)
		return TIME_NEVER;
	look_poll(&lane->look, ret_slot);
	return look_wake(&lane->look, now);
}

/* Rounds until every job is through. A signal only makes a round come early. */
static int run_all(const struct run *run, struct pollfd *slots)
{
	for (;;) {
		const int64_t now = clock_now_ns();
		int64_t wake = TIME_NEVER, left;
		struct timespec timeout;
		size_t i;

		for (i = 0; i < run->count; i++) {
			const int64_t at = step(run, i, now, &slots[i]);

			if (at < wake)
				wake = at;
		}
		if (wake == TIME_NEVER)
			return 0;
		left = wake > now ? wake - now : 0;
		timeout = (struct timespec){ .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
		if (ppoll(slots, run->count, &timeout, NULL) < 0 && errno != EINTR)
			return -errno;
	}
}

int probe_run(struct probe_job *jobs, size_t count, int64_t timeout_ns, int64_t wait_ns)
{
	cleanup_free struct lane *lanes = calloc(count, sizeof *lanes);
	cleanup_free struct pollfd *slots = calloc(count, sizeof *slots);
	const int64_t now = clock_now_ns();
	const struct run run = {
		.jobs = jobs,
		.lanes = lanes,
		.count = count,
		.end = now + (wait_ns > 0 ? wait_ns : timeout_ns),
		.again = wait_ns > 0,
	};
	size_t i;
	int r;

	if (lanes == NULL || slots == NULL)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		jobs[i].success = false;
		jobs[i].reason[0] = '\0';
		lanes[i].start_at = now;
	}
	r = run_all(&run, slots);
	for (i = 0; i < count; i++)
		look_cancel(&lanes[i].look);
	return r;
}
