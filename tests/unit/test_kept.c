#include "base/kept.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECKS 3

/* The counts after n runs: each field follows from n, so that a mixture of two is seen. */
static struct tally after(uint64_t n)
{
	struct tally tally = { .successes = n / 3,
		.failures = n - n / 3,
		.last_success_ns = (int64_t)n * NS_PER_S,
		.duration_sum_ns = (int64_t)n * NS_PER_MS };

	for (uint64_t i = 0; i < WIRE_BUCKETS; i++)
		tally.duration_bucket[i] = (n + i) / (WIRE_BUCKETS + 1);
	tally.duration_bucket[WIRE_BUCKETS] = (n + WIRE_BUCKETS) / (WIRE_BUCKETS + 1);
	return tally;
}

static uint64_t runs(const struct tally *tally)
{
	return tally->successes + tally->failures;
}

static void assert_tally(const struct kept *kept, size_t check, uint64_t n)
{
	const struct tally expected = after(n), tally = kept_tally(kept, check);

	assert_memory_equal(&tally, &expected, sizeof tally);
}

static struct kept *open_again(int fd)
{
	struct kept *kept;

	assert_int_equal(kept_open(dup(fd), CHECKS, &kept), 0);
	return kept;
}

static void the_next_monitor_finds_the_counts(void **state)
{
	int fd = kept_make(CHECKS);
	struct kept *first = open_again(fd), *second;
	const struct cpu_mark mark = { 7, 4242, 3, 5 };
	const struct error_counts errors = { { 1, 0, 3 } };
	struct error_counts errors_found;
	const struct trace_mark trace = { .trace_id = { 1 }, .root_id = { 2 }, .life = 3, .made = 4 };
	struct trace_mark found_trace;
	struct cpu_mark found;

	(void)state;
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_tally(first, 2, 0);
	for (uint64_t n = 1; n <= 3; n++) {
		const struct tally tally = after(n);

		kept_put_tally(first, 2, &tally);
		assert_tally(first, 2, n);
	}
	kept_put_cpu(first, 9, &mark);
	kept_put_errors(first, 7, &errors);
	kept_put_trace(first, &trace);
	second = open_again(fd);
	close(fd);
	assert_tally(second, 1, 0);
	assert_tally(second, 2, 3);
	errors_found = kept_errors(second, 7);
	assert_memory_equal(&errors_found, &errors, sizeof errors);
	errors_found = kept_errors(second, 6);
	assert_int_equal(errors_found.count[0] + errors_found.count[2], 0);
	found = kept_cpu(second, 9);
	assert_memory_equal(&found, &mark, sizeof found);
	found_trace = kept_trace(second);
	assert_memory_equal(&found_trace, &trace, sizeof found_trace);
}

static void without_memory_of_pid_1_it_is_our_own(void **state)
{
	const struct tally tally = after(9);
	struct kept *kept = NULL;

	(void)state;
	assert_int_equal(kept_open(500, CHECKS, &kept), 0);
	kept_put_tally(kept, 0, &tally);
	assert_tally(kept, 0, 9);
	free(kept);
}

static void what_cannot_be_a_tally_is_none(void **state)
{
	struct kept *kept;
	struct tally wrong = after(9);
	struct error_counts errors;

	(void)state;
	assert_int_equal(kept_open(-1, CHECKS, &kept), 0);
	wrong.duration_bucket[4]++;
	kept_put_tally(kept, 0, &wrong);
	assert_tally(kept, 0, 0);
	wrong = after(9);
	wrong.duration_sum_ns = INT64_MAX;
	kept_put_tally(kept, 0, &wrong);
	assert_tally(kept, 0, 0);
	memset(kept, 0xff, sizeof *kept + CHECKS * sizeof kept->tally[0]);
	errors = kept_errors(kept, 1);
	for (size_t i = 0; i < KEPT_ERRORS; i++)
		assert_int_equal(errors.count[i], 0);
	assert_tally(kept, 2, 0);
	wrong = after(9);
	kept_put_tally(kept, 2, &wrong); /* whichever copy is said to count */
	assert_tally(kept, 2, 9);
	free(kept);
}

static void memory_of_another_version_is_cleared(void **state)
{
	const struct tally tally = after(9);
	int fd = kept_make(CHECKS);
	struct kept *kept = open_again(fd);

	(void)state;
	kept_put_tally(kept, 0, &tally);
	kept->version = KEPT_VERSION + 1;
	kept = open_again(fd);
	assert_int_equal(kept->version, KEPT_VERSION);
	assert_tally(kept, 0, 0);
	close(fd);
}

/* Killed at any instruction: what is found is whole, and no less than before. */
static void a_torn_write_is_not_seen(void **state)
{
	int fd = kept_make(CHECKS);
	struct kept *kept = open_again(fd);
	uint64_t before = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		const struct tally start = kept_tally(kept, 1);
		struct tally found;
		int status;
		pid_t writer = fork();

		assert_true(writer >= 0);
		for (uint64_t n = runs(&start) + 1; writer == 0; n++) {
			const struct tally tally = after(n);

			kept_put_tally(kept, 1, &tally);
		}
		do
			found = kept_tally(kept, 1); /* of a writer at work: it may not be whole */
		while (runs(&found) <= before);
		kill(writer, SIGKILL);
		assert_int_equal(waitpid(writer, &status, 0), writer);
		found = kept_tally(kept, 1);
		assert_true(runs(&found) > before);
		before = runs(&found);
		assert_tally(kept, 1, before);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_monitor_finds_the_counts),
		cmocka_unit_test(without_memory_of_pid_1_it_is_our_own),
		cmocka_unit_test(what_cannot_be_a_tally_is_none),
		cmocka_unit_test(memory_of_another_version_is_cleared),
		cmocka_unit_test(a_torn_write_is_not_seen),
	};

	return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
