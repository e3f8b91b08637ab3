#include "base/clock.h"
#include "health/schedule.h"
#include "health/verdict.h"
#include "health/verdict_news.h"

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
	unsigned retries, threshold;
	int64_t start_period_ns;
	const char *runs;
	const char *states;
} stories[] = {
	{ "a first success", 3, 1, 0, "o", "h" },
	{ "three failures", 3, 1, 0, "xxx", "ssu" },
	{ "one failure is enough", 1, 1, 0, "x", "u" },
	{ "hysteresis", 3, 1, 0, "oxxoxxxo", "hhhhhhuh" },
	{ "a success ends the streak", 3, 1, 0, "xxoxxx", "sshhhu" },
	{ "unhealthy until a success", 2, 1, 0, "oxxxxo", "hhuuuh" },
	{ "failures in the start period do not count", 2, 1, 3 * NS_PER_S, "xxxxx", "ssssu" },
	{ "a success in the start period counts", 2, 1, 3 * NS_PER_S, "xo", "sh" },
	{ "and ends it", 2, 1, 100 * NS_PER_S, "xxoxx", "sshhu" },
	{ "the start period ends with its time", 1, 1, 2 * NS_PER_S, "xxx", "ssu" },
	{ "a nanosecond before its end is in it", 1, 1, 2 * NS_PER_S + 1, "xxxx", "sssu" },
	{ "two successes for the first time", 3, 2, 0, "ooo", "shh" },
	{ "in a row", 3, 2, 0, "oxoxoo", "sssssh" },
	{ "and again after unhealthy", 2, 3, 0, "oooxxoxooo", "sshhuuuuuh" },
	{ "healthy bears what its retries allow", 2, 3, 0, "oooxoxox", "sshhhhhh" },
	{ "a success below the threshold ends the streak of failures", 2, 3, 0, "xoxox", "sssss" },
	{ "and the start period", 1, 2, 100 * NS_PER_S, "xox", "ssu" },
};

/* What is kept of it makes the same verdict again, and anew by itself none. */
static void assert_recalled(const struct verdict *verdict, const struct check_timing *timing)
{
	struct last_verdict last = { .life = 7 };
	struct verdict again;

	verdict_keep(verdict, &last);
	assert_int_equal(last.life, 7);
	verdict_init(&again, verdict->kind);
	assert_true(verdict_recall(&again, timing, &last));
	assert_memory_equal(&again, verdict, sizeof again);
}

static void tells_the_stories(void **state)
{
	static const char letter[] = { 's', 'h', 'u' };
	size_t i, run;

	(void)state;
	for (i = 0; i < COUNT(stories); i++) {
		const struct check_timing timing = {
			.retries = stories[i].retries,
			.success_threshold = stories[i].threshold,
			.start_period_ns = stories[i].start_period_ns,
		};
		struct verdict verdict;

		verdict_init(&verdict, CHECK_LIVE);
		assert_false(verdict_settled(&verdict));
		for (run = 0; stories[i].runs[run] != '\0'; run++) {
			const enum verdict_state before = verdict.state;
			const bool changed = verdict_observe(&verdict, &timing, started_at,
				started_at + (int64_t)run * NS_PER_S, stories[i].runs[run] == 'o');

			if (letter[verdict.state] != stories[i].states[run])
				fail_msg("%s: %s behind run %zu", stories[i].name, verdict_state_name(verdict.state),
					run + 1);
			assert_int_equal(changed, verdict.state != before);
			assert_int_equal(verdict_settled(&verdict), letter[verdict.state] != 's');
			assert_recalled(&verdict, &timing);
		}
	}
}

/* Of three retries and a threshold of two. */
static void what_no_run_leads_to_is_not_recalled(void **state)
{
	static const struct check_timing timing = { .retries = 3, .success_threshold = 2 };
	static const struct last_verdict rows[] = {
		{ .state = VERDICT_STATE_COUNT },
		{ .state = UINT32_MAX, .succeeded = 1, .started = 1, .successes = 9 },
		{ .state = VERDICT_HEALTHY },
		{ .state = VERDICT_HEALTHY, .succeeded = 1, .successes = 2 },
		{ .state = VERDICT_HEALTHY, .succeeded = 1, .started = 2, .successes = 2 },
		{ .state = VERDICT_HEALTHY, .succeeded = 2, .started = 1, .successes = 2 },
		{ .state = VERDICT_HEALTHY, .succeeded = 1, .started = 1 },
		{ .state = VERDICT_HEALTHY, .succeeded = 1, .started = 1, .successes = 2, .consecutive_successes = 3 },
		{ .state = VERDICT_HEALTHY, .succeeded = 1, .started = 1, .successes = 2, .consecutive_failures = 1 },
		{ .state = VERDICT_HEALTHY,
			.succeeded = 1,
			.started = 1,
			.successes = 2,
			.failures = 3,
			.consecutive_failures = 3 },
		{ .state = VERDICT_UNHEALTHY },
		{ .state = VERDICT_UNHEALTHY, .failures = 2, .consecutive_failures = 2 },
		{ .state = VERDICT_UNHEALTHY, .failures = 3, .consecutive_failures = 2 },
		{ .state = VERDICT_UNHEALTHY,
			.succeeded = 1,
			.successes = 1,
			.failures = 2,
			.consecutive_failures = 2 },
		{ .state = VERDICT_UNHEALTHY,
			.succeeded = 1,
			.successes = 2,
			.failures = 3,
			.consecutive_successes = 2 },
		{ .state = VERDICT_UNHEALTHY,
			.succeeded = 1,
			.successes = 1,
			.failures = 3,
			.consecutive_successes = 1,
			.consecutive_failures = 3 },
		{ .state = VERDICT_STARTING, .failures = 3, .consecutive_failures = 3 },
		{ .state = VERDICT_STARTING, .succeeded = 1, .started = 1, .successes = 1 },
		{ .state = VERDICT_STARTING, .succeeded = 1, .successes = 2, .consecutive_successes = 2 },
	};
	struct verdict verdict, before;

	(void)state;
	verdict_init(&verdict, CHECK_READY);
	before = verdict;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (verdict_recall(&verdict, &timing, &rows[i]))
			fail_msg("row %zu", i);
		assert_memory_equal(&verdict, &before, sizeof verdict);
	}
}

static void counts_runs_and_streaks(void **state)
{
	const struct check_timing timing = { .retries = 2, .success_threshold = 1, .start_period_ns = 2 * NS_PER_S };
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

/* The rule said again, slowly, from the words of the Dockerfile reference and of Kubernetes's probes: each question is
 * asked of the whole history. */
struct history {
	unsigned retries, threshold;
	int64_t start_period;
	size_t count;
	struct {
		int64_t at; /* since the workload's start */
		bool success;
	} run[40];
};

/* "If a health check succeeds during the start period, the container is considered started and all consecutive failures
 * will be counted": a failure counts unless it began within the period, nothing has succeeded before it, and failures
 * have not made the check unhealthy yet. */
static bool naive_counts(const struct history *history, size_t index)
{
	size_t counted = 0;

	if (history->run[index].at >= history->start_period)
		return true;
	for (size_t i = 0; i < index; i++) {
		if (history->run[i].success)
			return true;
		counted += naive_counts(history, i);
	}
	return counted >= history->retries;
}

/* True if the runs that end with this one are `least` in a row of that result, of those that count. */
static bool naive_row(const struct history *history, size_t index, bool success, size_t least)
{
	size_t found = 0;

	for (size_t i = index + 1; i-- > 0 && history->run[i].success == success;)
		found += success || naive_counts(history, i);
	return found >= least;
}

/* The last run that decided says what the check is. */
static enum verdict_state naive_state(const struct history *history)
{
	for (size_t i = history->count; i-- > 0;) {
		if (history->run[i].success && naive_row(history, i, true, history->threshold))
			return VERDICT_HEALTHY;
		if (!history->run[i].success && naive_row(history, i, false, history->retries))
			return VERDICT_UNHEALTHY;
	}
	return VERDICT_STARTING;
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

static void check_history(struct history *history, unsigned *seed)
{
	const struct check_timing timing = {
		.retries = history->retries,
		.success_threshold = history->threshold,
		.start_period_ns = history->start_period,
	};
	const unsigned luck = next_random(seed) % 8; /* runs of luck and of misfortune, so that thresholds are met */
	bool started = false;
	struct verdict verdict;
	int64_t at = 0;

	verdict_init(&verdict, CHECK_STARTUP);
	for (history->count = 1; history->count <= COUNT(history->run); history->count++) {
		const size_t last = history->count - 1;

		at += next_random(seed) % 3 * NS_PER_S + next_random(seed) % 2; /* to the nanosecond, too */
		history->run[last].at = at;
		history->run[last].success = next_random(seed) % 8 < luck;
		verdict_observe(&verdict, &timing, started_at, started_at + at, history->run[last].success);
		assert_int_equal(verdict.state, naive_state(history));
		started = started || naive_state(history) == VERDICT_HEALTHY;
		assert_int_equal(verdict_passes(&verdict), started);
		assert_int_equal(verdict.successes + verdict.failures, history->count);
	}
}

/* Each round has a seed of its own, `first` and its number: set them to see one round again. */
static void agrees_with_a_naive_model(void **state)
{
	unsigned first = 7;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		unsigned seed = first + round;
		struct history history = {
			.retries = 1 + next_random(&seed) % 4,
			.threshold = 1 + next_random(&seed) % 4,
			.start_period = next_random(&seed) % 12 * NS_PER_S,
		};

		check_history(&history, &seed);
	}
}

static void passes_as_its_kind_asks(void **state)
{
	static const struct {
		enum check_kind kind;
		enum verdict_state state;
		bool started;
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
			.started = cells[i].started,
		};

		assert_int_equal(verdict_passes(&verdict), cells[i].passes);
	}
}

static void combines_only_its_own_kind(void **state)
{
	const struct verdict live_bad = { .kind = CHECK_LIVE, .state = VERDICT_UNHEALTHY };
	const struct verdict ready_good = { .kind = CHECK_READY, .state = VERDICT_HEALTHY, .started = true };
	const struct verdict ready_new = { .kind = CHECK_READY };
	const struct verdict startup_past = { .kind = CHECK_STARTUP, .state = VERDICT_UNHEALTHY, .started = true };
	const struct verdict some[] = { live_bad, ready_good, startup_past };
	const struct verdict more[] = { ready_good, ready_new };

	(void)state;
	assert_false(verdict_combine(CHECK_LIVE, some, COUNT(some), true));
	assert_true(verdict_combine(CHECK_READY, some, COUNT(some), true));
	assert_true(verdict_combine(CHECK_STARTUP, some, COUNT(some), true));
	assert_int_equal(verdict_holder(some, COUNT(some)), COUNT(some));
	assert_true(verdict_combine(CHECK_LIVE, more, COUNT(more), true));
	assert_false(verdict_combine(CHECK_READY, more, COUNT(more), true));
}

static void a_startup_check_holds_the_others_back(void **state)
{
	struct verdict verdicts[] = {
		{ .kind = CHECK_READY, .state = VERDICT_HEALTHY, .started = true },
		{ .kind = CHECK_STARTUP, .state = VERDICT_UNHEALTHY, .started = true },
		{ .kind = CHECK_STARTUP },
		{ .kind = CHECK_LIVE },
	};

	(void)state;
	assert_int_equal(verdict_holder(verdicts, COUNT(verdicts)), 2);
	assert_false(verdict_combine(CHECK_READY, verdicts, COUNT(verdicts), true));
	assert_false(verdict_combine(CHECK_READY, &verdicts[2], 1, true)); /* with no ready check at all */
	assert_true(verdict_combine(CHECK_LIVE, verdicts, COUNT(verdicts), true));
	verdicts[2].started = true;
	verdicts[2].state = VERDICT_HEALTHY;
	assert_true(verdict_settled(&verdicts[2]));
	assert_int_equal(verdict_holder(verdicts, COUNT(verdicts)), COUNT(verdicts));
	assert_true(verdict_combine(CHECK_READY, verdicts, COUNT(verdicts), true));
}

/* ---- a service with several checks ---- */

#define CHECKS 4

struct looked_after {
	enum check_kind kind[CHECKS];
	struct history history[CHECKS]; /* of runs: nothing while a check was held back */
	struct verdict verdict[CHECKS];
};

/* Asked of the whole history again: true if it was healthy behind any of its runs. */
static bool naive_started(const struct history *history)
{
	for (struct history until = *history; until.count > 0; until.count--)
		if (naive_state(&until) == VERDICT_HEALTHY)
			return true;
	return false;
}

/* "If a startup probe is provided, all other probes are disabled, until the startup probe succeeds." */
static bool naive_held(const struct looked_after *service)
{
	for (size_t i = 0; i < CHECKS; i++)
		if (service->kind[i] == CHECK_STARTUP && !naive_started(&service->history[i]))
			return true;
	return false;
}

static bool naive_answer(const struct looked_after *service, enum check_kind kind)
{
	if (kind == CHECK_STARTUP)
		return !naive_held(service);
	if (kind == CHECK_READY && naive_held(service))
		return false;
	for (size_t i = 0; i < CHECKS; i++) {
		const enum verdict_state state = naive_state(&service->history[i]);

		if (service->kind[i] == kind &&
			(kind == CHECK_LIVE ? state == VERDICT_UNHEALTHY : state != VERDICT_HEALTHY))
			return false;
	}
	return true;
}

/* One run of one check, if it is its turn. */
static void run_one(struct looked_after *service, size_t index, int64_t at, bool success)
{
	struct history *history = &service->history[index];
	const struct check_timing timing = {
		.retries = history->retries,
		.success_threshold = history->threshold,
		.start_period_ns = history->start_period,
	};
	const bool held = naive_held(service), startup = service->kind[index] == CHECK_STARTUP;

	if ((held && !startup) || (startup && naive_started(history)))
		return;
	history->run[history->count].at = at;
	history->run[history->count++].success = success;
	verdict_observe(&service->verdict[index], &timing, started_at, started_at + at, success);
}

static void check_service(struct looked_after *service, unsigned *seed)
{
	const unsigned luck = next_random(seed) % 8;

	for (size_t i = 0; i < CHECKS; i++)
		verdict_init(&service->verdict[i], service->kind[i]);
	for (int64_t step = 0; step < 40; step++) {
		run_one(service, next_random(seed) % CHECKS, step * NS_PER_S, next_random(seed) % 8 < luck);
		assert_int_equal(verdict_holder(service->verdict, CHECKS) < CHECKS, naive_held(service));
		for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
			assert_int_equal(verdict_combine((enum check_kind)kind, service->verdict, CHECKS, true),
				naive_answer(service, (enum check_kind)kind));
	}
}

static void several_checks_agree_with_a_naive_model(void **state)
{
	unsigned first = 11;

	(void)state;
	for (unsigned round = 0; round < 500; round++) {
		unsigned seed = first + round;
		struct looked_after service = { .kind = { 0 } };

		for (size_t i = 0; i < CHECKS; i++) {
			service.kind[i] = (enum check_kind)(next_random(&seed) % CHECK_KIND_COUNT);
			service.history[i].retries = 1 + next_random(&seed) % 3;
			service.history[i].threshold = 1 + next_random(&seed) % 3;
			service.history[i].start_period = next_random(&seed) % 12 * NS_PER_S;
		}
		check_service(&service, &seed);
	}
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
	assert_int_equal(schedule_next(&schedule), 100);
	assert_int_equal(schedule_begin(&schedule, &timing, 100), 100 + 5 * NS_PER_S);
	assert_int_equal(schedule_next(&schedule), TIME_NEVER);
	schedule_end(&schedule, &timing, false, UINT32_MAX, 4000);
	assert_int_equal(schedule_next(&schedule), 4000 + NS_PER_S);
	schedule_begin(&schedule, &timing, 4000 + NS_PER_S);
	schedule_end(&schedule, &timing, true, UINT32_MAX, 9000 + NS_PER_S);
	assert_int_equal(schedule_next(&schedule), 9000 + 31 * NS_PER_S);
}

static void jitter_adds_up_to_its_part_of_the_interval(void **state)
{
	static const uint32_t numbers[] = { 0, 1U << 31, UINT32_MAX };
	const struct check_timing timing = {
		.interval_ns = 365 * 24 * 3600 * NS_PER_S, /* the longest there is */
		.start_interval_ns = 100 * NS_PER_S,
		.jitter_percent = 100,
	};
	struct schedule schedule;

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		int64_t slack = timing.interval_ns / 65536 + 65536;
		int64_t expected = timing.interval_ns + timing.interval_ns / 2 * (int64_t)i;

		schedule_end(&schedule, &timing, true, numbers[i], 0);
		assert_in_range(schedule_next(&schedule), expected - (i == 0 ? 0 : slack), expected);
	}
	schedule_end(&schedule, &timing, false, 1U << 31, 0);
	assert_in_range(schedule_next(&schedule), 150 * NS_PER_S - 65536, 150 * NS_PER_S);
}

/* ---- what the log says of a change ---- */

static void each_change_has_its_words_and_its_level(void **state)
{
	static const struct {
		struct verdict_news news;
		enum log_level level;
		const char *sentence;
	} cases[] = {
		{ { "hb", CHECK_LIVE, VERDICT_HEALTHY, VERDICT_UNHEALTHY, 3, "not there (/tmp/hb)", false, 0 },
			LOG_LEVEL_WARNING, "check hb (live) failed 3 times in a row: not there (/tmp/hb)" },
		{ { "db", CHECK_READY, VERDICT_STARTING, VERDICT_UNHEALTHY, 1, "connection refused", false, 0 },
			LOG_LEVEL_WARNING, "check db (ready) failed: connection refused" },
		{ { "db", CHECK_READY, VERDICT_UNHEALTHY, VERDICT_HEALTHY, 0, "connected", false, 7 }, LOG_LEVEL_NOTICE,
			"check db (ready) is healthy again: connected (7 other changes of checks were not told)" },
		{ { "up", CHECK_STARTUP, VERDICT_STARTING, VERDICT_HEALTHY, 0, "200 OK", false, 0 }, LOG_LEVEL_INFO,
			"check up (startup) succeeded: 200 OK" },
		{ { "notify", CHECK_READY, VERDICT_HEALTHY, VERDICT_UNHEALTHY, 1, "STOPPING=1", true, 0 },
			LOG_LEVEL_INFO, "check notify (ready) failed: STOPPING=1" },
	};
	char sentence[200];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(verdict_news_level(&cases[i].news), cases[i].level);
		verdict_news_say(&cases[i].news, sizeof sentence, sentence);
		assert_string_equal(sentence, cases[i].sentence);
	}
}

static void a_change_is_told_in_json(void **state)
{
	const struct verdict_news news = { "hb", CHECK_LIVE, VERDICT_HEALTHY, VERDICT_UNHEALTHY, 3, "gone", false, 0 };
	char text[200];
	struct json_line line;

	(void)state;
	json_line_begin(&line, text, sizeof text);
	verdict_news_add(&line, &news);
	json_line_finish(&line);
	text[line.length] = '\0';
	assert_string_equal(text,
		"{\"check\":{\"name\":\"hb\",\"kind\":\"live\",\"state\":\"unhealthy\","
		"\"failures\":3,"
		"\"reason\":\"gone\"}}\n");
}

static void a_burst_is_told_and_then_one_in_a_while(void **state)
{
	struct verdict_budget budget = { 0 };
	int64_t now = started_at;

	(void)state;
	for (int i = 0; i < VERDICT_NEWS_BURST; i++)
		assert_true(verdict_budget_take(&budget, now));
	assert_false(verdict_budget_take(&budget, now));
	assert_false(verdict_budget_take(&budget, now + VERDICT_NEWS_EVERY_NS - 1));
	now += VERDICT_NEWS_EVERY_NS;
	assert_true(verdict_budget_take(&budget, now));
	assert_false(verdict_budget_take(&budget, now));
	now += VERDICT_NEWS_BURST * VERDICT_NEWS_EVERY_NS;
	for (int i = 0; i < VERDICT_NEWS_BURST; i++)
		assert_true(verdict_budget_take(&budget, now));
	assert_false(verdict_budget_take(&budget, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_stories),
		cmocka_unit_test(what_no_run_leads_to_is_not_recalled),
		cmocka_unit_test(counts_runs_and_streaks),
		cmocka_unit_test(agrees_with_a_naive_model),
		cmocka_unit_test(passes_as_its_kind_asks),
		cmocka_unit_test(combines_only_its_own_kind),
		cmocka_unit_test(a_startup_check_holds_the_others_back),
		cmocka_unit_test(several_checks_agree_with_a_naive_model),
		cmocka_unit_test(without_checks_ready_means_running),
		cmocka_unit_test(schedule_runs_at_once_then_fast_then_slow),
		cmocka_unit_test(jitter_adds_up_to_its_part_of_the_interval),
		cmocka_unit_test(each_change_has_its_words_and_its_level),
		cmocka_unit_test(a_change_is_told_in_json),
		cmocka_unit_test(a_burst_is_told_and_then_one_in_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
