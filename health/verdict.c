#include "health/verdict.h"

#include <assert.h>
#include <limits.h>

static const char state_names[][16] = { "starting", "healthy", "unhealthy" };
static_assert(sizeof state_names / sizeof state_names[0] == VERDICT_STATE_COUNT, "a name for every state");

const char *verdict_state_name(enum verdict_state state)
{
	return state_names[state];
}

void verdict_init(struct verdict *verdict, enum check_kind kind)
{
	*verdict = (struct verdict){ .kind = kind };
}

static void count_up(unsigned *streak)
{
	if (*streak < UINT_MAX)
		(*streak)++;
}

static void observe_success(struct verdict *verdict, const struct check_timing *timing)
{
	verdict->successes++;
	verdict->succeeded = true;
	verdict->consecutive_failures = 0;
	count_up(&verdict->consecutive_successes);
	if (verdict->consecutive_successes < timing->success_threshold)
		return;
	verdict->state = VERDICT_HEALTHY;
	verdict->started = true;
}

/* The start period protects only a check that is still starting: a success ends it, and so does its time. */
static void observe_failure(struct verdict *verdict, const struct check_timing *timing, int64_t since_start)
{
	verdict->failures++;
	verdict->consecutive_successes = 0;
	if (!verdict->succeeded && !verdict_settled(verdict) && since_start < timing->start_period_ns)
		return;
	count_up(&verdict->consecutive_failures);
	if (verdict->consecutive_failures >= timing->retries)
		verdict->state = VERDICT_UNHEALTHY;
}

bool verdict_observe(
	struct verdict *verdict, const struct check_timing *timing, int64_t started_at, int64_t run_at, bool success)
{
	const enum verdict_state before = verdict->state;

	if (success)
		observe_success(verdict, timing);
	else
		observe_failure(verdict, timing, run_at - started_at);
	return verdict->state != before;
}

void verdict_keep(const struct verdict *verdict, struct last_verdict *last)
{
	last->successes = verdict->successes;
	last->failures = verdict->failures;
	last->state = verdict->state;
	last->succeeded = verdict->succeeded;
	last->started = verdict->started;
	last->consecutive_failures = verdict->consecutive_failures;
	last->consecutive_successes = verdict->consecutive_successes;
}

static bool counts_fit(const struct last_verdict *last)
{
	return last->succeeded == (last->successes > 0) && last->started <= last->succeeded &&
		last->consecutive_successes <= last->successes && last->consecutive_failures <= last->failures &&
		(last->consecutive_successes == 0 || last->consecutive_failures == 0);
}

static bool state_fits(const struct last_verdict *last, const struct check_timing *timing)
{
	const bool fell = last->consecutive_failures >= timing->retries;
	const bool rose = last->consecutive_successes >= timing->success_threshold;

	switch (last->state) {
	case VERDICT_STARTING:
		return !fell && !rose && last->started == 0;
	case VERDICT_HEALTHY:
		return !fell && last->started == 1;
	case VERDICT_UNHEALTHY:
		/* Too few successes in a row leave it so, and so do failures behind them. */
		return !rose && last->failures >= timing->retries && (fell || last->succeeded == 1);
	default:
		return false;
	}
}

bool verdict_recall(struct verdict *verdict, const struct check_timing *timing, const struct last_verdict *last)
{
	if (!counts_fit(last) || !state_fits(last, timing))
		return false;
	verdict->state = (enum verdict_state)last->state;
	verdict->successes = last->successes;
	verdict->failures = last->failures;
	verdict->succeeded = last->succeeded == 1;
	verdict->started = last->started == 1;
	verdict->consecutive_failures = last->consecutive_failures;
	verdict->consecutive_successes = last->consecutive_successes;
	return true;
}

bool verdict_passes(const struct verdict *verdict)
{
	switch (verdict->kind) {
	case CHECK_LIVE:
		return verdict->state != VERDICT_UNHEALTHY;
	case CHECK_READY:
		return verdict->state == VERDICT_HEALTHY;
	case CHECK_STARTUP:
		return verdict->started;
	case CHECK_KIND_COUNT:
		break;
	}
	return false;
}

static bool decides(const struct verdict *verdict, enum check_kind kind)
{
	return verdict->kind == kind || (kind == CHECK_READY && verdict->kind == CHECK_STARTUP);
}

bool verdict_combine(enum check_kind kind, const struct verdict *verdicts, size_t count, bool workload_runs)
{
	size_t i;

	if (kind != CHECK_LIVE && !workload_runs)
		return false;
	for (i = 0; i < count; i++)
		if (decides(&verdicts[i], kind) && !verdict_passes(&verdicts[i]))
			return false;
	return true;
}

size_t verdict_holder(const struct verdict *verdicts, size_t count)
{
	size_t i = 0;

	while (i < count && (verdicts[i].kind != CHECK_STARTUP || verdicts[i].started))
		i++;
	return i;
}
