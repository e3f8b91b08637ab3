#include "base/clock.h"
#include "health/schedule.h"
#include "health/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const int64_t started_at = 1000 * NS_PER_S;

/* Stories: one letter for each run, a second apart, the first one at the start of the workload. 'o' succeeds, 'x'
 * fails; below it the state behind that run: s(tarting), h(ealthy), u(nhealthy). */
static const struct story {
	const char *name;
	unsigned retries;
	int64_t start_period_ns;
	const char *runs;
	const char *states;
} stories[] = {
	{ "a first success", 3, 0, "o", "h" },
	{ "three failures", 3, 0, "xxx", "ssu" },
	{ "one failure is enough", 1, 0, "x", "u" },
	{ "hysteresis", 3, 0, "oxxoxxxo", "hhhhhhuh" },
	{ "a success ends the streak", 3, 0, "xxoxxx", "sshhhu" },
	{ "unhealthy until a success", 2, 0, "oxxxxo", "hhuuuh" },
	{ "failures in the start period do not count", 2, 3 * NS_PER_S, "xxxxx", "ssssu" },
	{ "a success in the start period counts", 2, 3 * NS_PER_S, "xo", "sh" },
	{ "and ends it", 2, 100 * NS_PER_S, "xxoxx", "sshhu" },
	{ "the start period ends with its time", 1, 2 * NS_PER_S, "xxx", "ssu" },
	{ "a nanosecond before its end is in it", 1, 2 * NS_PER_S + 1, "xxxx", "sssu" },
};

static void tells_the_stories(void **state)
{
	static const char letter[] = { 's', 'h', 'u' };
	size_t i, run;

	(void)state;
	for (i = 0; i < COUNT(stories); i++) {
		const struct check_timing timing = {
			.retries = stories[i].retries,
			.start_period_ns = stories[i].start_period_ns,
		};
		struct verdict verdict;

		verdict_init(&verdict, CHECK_LIVE);
		assert_false(verdict_settled(&verdict));
		for (run = 0; stories[i].runs[run] != '\0'; run++) {
			const enum verdict_state before = verdict.state;
			const bool succeeded = verdict.succeeded;
			const bool changed = verdict_observe(&verdict, &timing, started_at,
				started_at + (int64_t)run * NS_PER_S, stories[i].runs[run] == 'o');

			if (letter[verdict.state] != stories[i].states[run])
				fail_msg("%s: %s behind run %zu", stories[i].name, verdict_state_name(verdict.state),
					run + 1);
			assert_int_equal(changed, verdict.state != before || verdict.succeeded != succeeded);
			assert_int_equal(verdict_settled(&verdict), letter[verdict.state] != 's');
		}
	}
}

static void counts_runs_and_streaks(void **state)
{
	const struct check_timing timing = { .retries = 2, .start_period_ns = 2 * NS_PER_S };
	struct verdict verdict;

	(void)state;
	verdict_init(&verdict, CHECK_READY);
	verdict_observe(&verdict, &timing, started_at, started_at + NS_PER_S, false);
	assert_int_equal(verdict.consecutive_failures, 0);
	verdict_observe(&verdict, &timing, started_at, started_at + 2 * NS_PER_S, false);
	assert_int_equal(verdict.consecutive_failures, 1);
	verdict_observe(&verdict, &timing, started_at, started_at + 3 * NS_PER_S, false);
	assert_int_equal(verdict.consecutive_failures, 2);
	assert_int_equal(verdict.failures, 3);
	verdict_observe(&verdict, &timing, started_at, started_at + 4 * NS_PER_S, true);
	assert_int_equal(verdict.consecutive_failures, 0);
	assert_int_equal(verdict.successes, 1);
	assert_int_equal(verdict.failures, 3);
	verdict_init(&verdict, CHECK_READY);
	assert_false(verdict.succeeded);
	assert_int_equal(verdict.successes, 0);
}

/* The rule said again, slowly: it looks at the whole history after every run. */
struct past_run {
	int64_t at;
	bool success;
};

static enum verdict_state naive_state(const struct past_run *runs, size_t count, unsigned retries, int64_t start_period)
{
	enum verdict_state verdict = VERDICT_STARTING;
	unsigned streak = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		const bool counts = verdict != VERDICT_STARTING || runs[i].at >= started_at + start_period;

		if (runs[i].success) {
			verdict = VERDICT_HEALTHY;
			streak = 0;
		} else if (counts && ++streak >= retries) {
			verdict = VERDICT_UNHEALTHY;
		}
	}
	return verdict;
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

static void agrees_with_a_naive_model(void **state)
{
	unsigned seed = 7, round;

	(void)state;
	for (round = 0; round < 3000; round++) {
		const unsigned retries = 1 + next_random(&seed) % 4;
		const int64_t start_period = next_random(&seed) % 8 * NS_PER_S;
		const struct check_timing timing = { .retries = retries, .start_period_ns = start_period };
		struct past_run runs[24];
		struct verdict verdict;
		bool succeeded = false;
		int64_t at = started_at;
		size_t i;

		verdict_init(&verdict, CHECK_STARTUP);
		for (i = 0; i < COUNT(runs); i++) {
			at += next_random(&seed) % 3 * NS_PER_S;
			runs[i] = (struct past_run){ at, next_random(&seed) % 3 == 0 };
			succeeded = succeeded || runs[i].success;
			verdict_observe(&verdict, &timing, started_at, runs[i].at, runs[i].success);
			assert_int_equal(verdict.state, naive_state(runs, i + 1, retries, start_period));
			assert_int_equal(verdict.succeeded, succeeded);
			assert_int_equal(verdict_passes(&verdict), succeeded);
		}
	}
}

static void passes_as_its_kind_asks(void **state)
{
	static const struct {
		enum check_kind kind;
		enum verdict_state state;
		bool succeeded;
		bool passes;
	} cells[] = {
		{ CHECK_LIVE, VERDICT_STARTING, false, true },
		{ CHECK_LIVE, VERDICT_HEALTHY, true, true },
		{ CHECK_LIVE, VERDICT_UNHEALTHY, false, false },
		{ CHECK_LIVE, VERDICT_UNHEALTHY, true, false },
		{ CHECK_READY, VERDICT_STARTING, false, false },
		{ CHECK_READY, VERDICT_HEALTHY, true, true },
		{ CHECK_READY, VERDICT_UNHEALTHY, false, false },
		{ CHECK_READY, VERDICT_UNHEALTHY, true, false },
		{ CHECK_STARTUP, VERDICT_STARTING, false, false },
		{ CHECK_STARTUP, VERDICT_HEALTHY, true, true },
		{ CHECK_STARTUP, VERDICT_UNHEALTHY, false, false },
		{ CHECK_STARTUP, VERDICT_UNHEALTHY, true, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cells); i++) {
		const struct verdict verdict = {
			.kind = cells[i].kind,
			.state = cells[i].state,
			.succeeded = cells[i].succeeded,
		};

		assert_int_equal(verdict_passes(&verdict), cells[i].passes);
	}
}

static void combines_only_its_own_kind(void **state)
{
	const struct verdict live_bad = { .kind = CHECK_LIVE, .state = VERDICT_UNHEALTHY };
	const struct verdict ready_good = { .kind = CHECK_READY, .state = VERDICT_HEALTHY, .succeeded = true };
	const struct verdict ready_new = { .kind = CHECK_READY };
	const struct verdict startup_past = { .kind = CHECK_STARTUP, .state = VERDICT_UNHEALTHY, .succeeded = true };
	const struct verdict *const some[] = { &live_bad, &ready_good, &startup_past };
	const struct verdict *const more[] = { &ready_good, &ready_new };

	(void)state;
	assert_false(verdict_combine(CHECK_LIVE, some, COUNT(some), true));
	assert_true(verdict_combine(CHECK_READY, some, COUNT(some), true));
	assert_true(verdict_combine(CHECK_STARTUP, some, COUNT(some), true));
	assert_true(verdict_combine(CHECK_LIVE, more, COUNT(more), true));
	assert_false(verdict_combine(CHECK_READY, more, COUNT(more), true));
}

static void without_checks_ready_means_running(void **state)
{
	(void)state;
	assert_true(verdict_combine(CHECK_READY, NULL, 0, true));
	assert_false(verdict_combine(CHECK_READY, NULL, 0, false));
	assert_true(verdict_combine(CHECK_STARTUP, NULL, 0, true));
	assert_false(verdict_combine(CHECK_STARTUP, NULL, 0, false));
	assert_true(verdict_combine(CHECK_LIVE, NULL, 0, false));
}

static void schedule_runs_at_once_then_fast_then_slow(void **state)
{
	const struct check_timing timing = {
		.interval_ns = 30 * NS_PER_S,
		.start_interval_ns = NS_PER_S,
		.timeout_ns = 5 * NS_PER_S,
	};
	struct schedule schedule;

	(void)state;
	schedule_init(&schedule, 100);
	assert_true(schedule_due(&schedule, 100));
	assert_int_equal(schedule_begin(&schedule, &timing, 100), 100 + 5 * NS_PER_S);
	assert_false(schedule_due(&schedule, INT64_MAX - 1));
	assert_int_equal(schedule_next(&schedule), TIME_NEVER);
	schedule_end(&schedule, &timing, false, 4000);
	assert_int_equal(schedule_next(&schedule), 4000 + NS_PER_S);
	assert_false(schedule_due(&schedule, 4000 + NS_PER_S - 1));
	assert_true(schedule_due(&schedule, 4000 + NS_PER_S));
	schedule_begin(&schedule, &timing, 4000 + NS_PER_S);
	schedule_end(&schedule, &timing, true, 9000 + NS_PER_S);
	assert_int_equal(schedule_next(&schedule), 9000 + 31 * NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_stories),
		cmocka_unit_test(counts_runs_and_streaks),
		cmocka_unit_test(agrees_with_a_naive_model),
		cmocka_unit_test(passes_as_its_kind_asks),
		cmocka_unit_test(combines_only_its_own_kind),
		cmocka_unit_test(without_checks_ready_means_running),
		cmocka_unit_test(schedule_runs_at_once_then_fast_then_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
