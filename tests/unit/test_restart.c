#include "base/clock.h"
#include "init/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

static const struct restart_policy usual = {
	.kind = RESTART_ON_FAILURE,
	.backoff_ns = NS_PER_S,
	.max_backoff_ns = 30 * NS_PER_S,
	.attempts = 5,
	.window_ns = 300 * NS_PER_S,
};

static void each_policy_wants_what_its_name_says(void **state)
{
	(void)state;
	struct restart_policy policy = usual;

	assert_true(restart_is_wanted(&policy, true));
	assert_false(restart_is_wanted(&policy, false));
	policy.kind = RESTART_ALWAYS;
	assert_true(restart_is_wanted(&policy, true));
	assert_true(restart_is_wanted(&policy, false));
	policy.kind = RESTART_NEVER;
	assert_false(restart_is_wanted(&policy, true));
	assert_false(restart_is_wanted(&policy, false));
}

static void assert_within_a_tenth(int64_t backoff_ns, int64_t expected_ns)
{
	assert_in_range(backoff_ns, expected_ns, expected_ns + expected_ns / 10);
}

static void the_backoff_doubles_up_to_its_longest(void **state)
{
	(void)state;
	static const int seconds[] = { 1, 2, 4, 8, 16, 30, 30, 30 };
	struct restart restart;

	restart_init(&restart, &usual);
	for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
		assert_within_a_tenth(restart_backoff(&restart, &usual, NS_PER_S, (int64_t)i), seconds[i] * NS_PER_S);
}

static void a_long_life_begins_anew(void **state)
{
	(void)state;
	struct restart restart;

	restart_init(&restart, &usual);
	for (int i = 0; i < 6; i++)
		restart_backoff(&restart, &usual, 0, i);
	assert_within_a_tenth(restart_backoff(&restart, &usual, 30 * NS_PER_S - 1, 7), 30 * NS_PER_S);
	assert_within_a_tenth(restart_backoff(&restart, &usual, 30 * NS_PER_S, 8), NS_PER_S);
	assert_within_a_tenth(restart_backoff(&restart, &usual, 0, 9), 2 * NS_PER_S);
}

static void a_first_backoff_above_the_longest_is_the_longest(void **state)
{
	(void)state;
	struct restart_policy policy = usual;
	struct restart restart;

	policy.backoff_ns = 60 * NS_PER_S;
	restart_init(&restart, &policy);
	assert_within_a_tenth(restart_backoff(&restart, &policy, 0, 1), 30 * NS_PER_S);
}

static void what_failed_together_does_not_come_back_together(void **state)
{
	(void)state;
	int64_t first_half = 0, last_tenth = 0;
	const int64_t tenth = NS_PER_S / 10;

	for (int i = 0; i < 1000; i++) {
		struct restart restart;
		int64_t added;

		restart_init(&restart, &usual);
		added = restart_backoff(&restart, &usual, 0, 1000 * NS_PER_S + i) - NS_PER_S;
		first_half += added < tenth / 2;
		last_tenth += added >= tenth - tenth / 10;
	}
	assert_in_range(first_half, 400, 600);
	assert_in_range(last_tenth, 50, 150);
}

static void no_backoff_is_no_backoff(void **state)
{
	(void)state;
	struct restart_policy policy = usual;
	struct restart restart;

	policy.backoff_ns = 0;
	restart_init(&restart, &policy);
	assert_int_equal(restart_backoff(&restart, &policy, 0, 12345), 0);
	assert_int_equal(restart_backoff(&restart, &policy, 0, 12346), 0);
}

static void a_window_has_so_many_starts_and_no_more(void **state)
{
	(void)state;
	struct restart restart;

	restart_init(&restart, &usual);
	for (int i = 0; i < 5; i++)
		assert_true(restart_count(&restart, &usual, i * NS_PER_S));
	assert_false(restart_count(&restart, &usual, 5 * NS_PER_S));
	assert_false(restart_count(&restart, &usual, 300 * NS_PER_S - 1));
	assert_true(restart_count(&restart, &usual, 300 * NS_PER_S));
}

static void without_a_limit_there_is_always_one_more(void **state)
{
	(void)state;
	struct restart_policy policy = usual;
	struct restart restart;

	policy.attempts = 0;
	restart_init(&restart, &policy);
	for (int i = 0; i < 100000; i++)
		assert_true(restart_count(&restart, &policy, 1));
}

/* Services that fail at random: in no window that begins with a start are there more than the limit allows, and none is
 * refused while there is room. */
static void no_history_breaks_the_limit(void **state)
{
	(void)state;
	srandom(4711);
	for (int history = 0; history < 200; history++) {
		const struct restart_policy policy = {
			.kind = RESTART_ALWAYS, .attempts = 1 + (unsigned)random() % 6, .window_ns = 1 + random() % 1000
		};
		struct restart restart;
		int64_t now = 0, window_at = 0;
		unsigned counted = 0;

		restart_init(&restart, &policy);
		for (int i = 0; i < 500; i++) {
			bool room;

			now += random() % 300;
			if (counted == 0 || now >= window_at + policy.window_ns) {
				counted = 0;
				window_at = now;
			}
			room = counted < policy.attempts;
			assert_int_equal(restart_count(&restart, &policy, now), room);
			counted += room;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_policy_wants_what_its_name_says),
		cmocka_unit_test(the_backoff_doubles_up_to_its_longest),
		cmocka_unit_test(a_long_life_begins_anew),
		cmocka_unit_test(a_first_backoff_above_the_longest_is_the_longest),
		cmocka_unit_test(what_failed_together_does_not_come_back_together),
		cmocka_unit_test(no_backoff_is_no_backoff),
		cmocka_unit_test(a_window_has_so_many_starts_and_no_more),
		cmocka_unit_test(without_a_limit_there_is_always_one_more),
		cmocka_unit_test(no_history_breaks_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
