/* What of a watched tree counts, and when a burst of changes is over. */
#include "base/clock.h"
#include "health/watched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define MS(ms) ((ms)*NS_PER_MS)

static void what_is_no_part_of_the_program_is_ignored(void **state)
{
	static const char *const ignored[] = { "node_modules", ".git", ".hg", ".svn", ".DS_Store", ".server.js.swp",
		".server.js.swx", "a.swo", "server.js~", "4913", ".#server.js", "#server.js#", "a.js___jb_tmp___",
		"a.js___jb_old___" };
	static const char *const counted[] = { "server.js", ".env", "node_modules2", "my-node_modules", "git",
		".gitignore", "swp", "4913.js", "#hash.js", "#", "~", "x#", ".swp", "a.tmp" };

	(void)state;
	for (size_t i = 0; i < COUNT(ignored); i++)
		if (!watched_ignores(ignored[i]))
			fail_msg("%s is counted", ignored[i]);
	for (size_t i = 0; i < COUNT(counted); i++)
		if (watched_ignores(counted[i]))
			fail_msg("%s is ignored", counted[i]);
}

static void a_burst_is_over_once_it_is_quiet(void **state)
{
	struct burst burst = { 0 };

	(void)state;
	assert_int_equal(burst_due_ns(&burst), TIME_NEVER);
	burst_add(&burst, MS(1000));
	assert_int_equal(burst_due_ns(&burst), MS(1200));
	burst_add(&burst, MS(1150));
	assert_int_equal(burst_due_ns(&burst), MS(1350));
}

static void a_burst_without_an_end_is_over_after_2_seconds(void **state)
{
	struct burst burst = { 0 };

	(void)state;
	for (int64_t now = 1000; now <= 2800; now += 100)
		burst_add(&burst, MS(now));
	assert_int_equal(burst_due_ns(&burst), MS(3000));
	burst_add(&burst, MS(2990));
	assert_int_equal(burst_due_ns(&burst), MS(3000));
	burst = (struct burst){ 0 };
	burst_add(&burst, MS(3100));
	assert_int_equal(burst_due_ns(&burst), MS(3300));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_part_of_the_program_is_ignored),
		cmocka_unit_test(a_burst_is_over_once_it_is_quiet),
		cmocka_unit_test(a_burst_without_an_end_is_over_after_2_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
