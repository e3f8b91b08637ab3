#include "init/death.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define EXITED(code) ((code) << 8)

static struct death death_of(int wait_status, int exit_status)
{
	return (struct death){
		.program = "node",
		.pid = 7,
		.ended = true,
		.wait_status = wait_status,
		.exit_status = exit_status,
		.cause = death_cause(wait_status, 0, false, false),
		.lived_ns = 192 * NS_PER_S,
	};
}

static const char *said(const struct death *death)
{
	static char text[1024];

	death_say(death, sizeof text, text);
	return text;
}

static void cause_is_what_the_kernel_knows(void **state)
{
	static const struct {
		int status;
		uint64_t oom_kills;
		bool ours, filtered;
		enum wire_cause cause;
	} cases[] = {
		{ EXITED(0), 0, false, false, WIRE_CAUSE_EXIT },
		/* a status is a status, whatever it looks like */
		{ EXITED(137), 1, false, true, WIRE_CAUSE_EXIT }, { SIGTERM, 3, false, true, WIRE_CAUSE_SIGNAL },
		{ SIGKILL, 0, false, true, WIRE_CAUSE_SIGNAL }, { SIGKILL, 1, false, false, WIRE_CAUSE_OOM },
		{ SIGKILL, 1, true, false, WIRE_CAUSE_SIGNAL }, /* the budget was spent, and memory short before */
		{ SIGSYS, 0, false, false, WIRE_CAUSE_SIGNAL }, { SIGSYS, 1, false, true, WIRE_CAUSE_SECCOMP },
		{ SIGSYS, 1, true, true, WIRE_CAUSE_SIGNAL },
		{ SIGSYS | 0x80, 0, false, true, WIRE_CAUSE_SECCOMP }, /* with a core */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(death_cause(cases[i].status, cases[i].oom_kills, cases[i].ours, cases[i].filtered),
			cases[i].cause);
}

static void says_how_it_ended_and_how_long_it_lived(void **state)
{
	struct death death = death_of(EXITED(7), 7);

	(void)state;
	assert_string_equal(said(&death), "node (pid 7) ended with status 7 after 3m12s");
	death = death_of(SIGSEGV, 139);
	assert_string_equal(said(&death), "node (pid 7) was killed by SIGSEGV after 3m12s");
}

static void says_what_the_kernel_killed_for(void **state)
{
	struct death death = death_of(SIGKILL, 137);

	(void)state;
	death.oom_kills = 2;
	death.cause = death_cause(death.wait_status, death.oom_kills, false, false);
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGKILL after 3m12s: out of memory, most likely (oom_kill of its cgroup "
		"rose "
		"by 2)");
	death = death_of(EXITED(1), 1);
	death.oom_kills = 1;
	assert_string_equal(said(&death),
		"node (pid 7) ended with status 1 after 3m12s; out of memory, the kernel killed 1 in its cgroup "
		"meanwhile");
	death = death_of(SIGSYS, 159);
	death.cause = WIRE_CAUSE_SECCOMP;
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGSYS after 3m12s: by its seccomp filter, most likely, for a system call "
		"it "
		"made");
}

static void says_what_a_stop_came_to(void **state)
{
	struct death death = death_of(SIGKILL, 137);

	(void)state;
	death.stop_signal = SIGTERM;
	death.stopping_ns = death.asked_ns = 8 * NS_PER_S;
	death.passed = 1U << WIRE_DEADLINE_STOP_TIMEOUT;
	death.stop_timeout_ns = 8 * NS_PER_S;
	death.stop_timeout_given = true;
	death.leftovers.count = 1;
	death.leftovers.some[0].pid = 12;
	strcpy(death.leftovers.some[0].name, "sh");
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGKILL after 3m12s, 8s after SIGTERM asked for a stop; --stop-timeout "
		"(8s) has "
		"passed; killed 1 that was left: sh (12)");
	death.passed = 1U << WIRE_DEADLINE_PRE_STOP | 1U << WIRE_DEADLINE_LEFTOVERS;
	death.pre_stop_ns = 500 * NS_PER_MS;
	death.leftovers_ns = 5 * NS_PER_S;
	death.leftovers.count = 0;
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGKILL after 3m12s, 8s after SIGTERM asked for a stop; --pre-stop-timeout "
		"(500ms) has passed; what was left did not end within 5s");
}

static void names_the_first_of_many_leftovers(void **state)
{
	struct death death = death_of(EXITED(0), 0);

	(void)state;
	death.passed = 1U << WIRE_DEADLINE_LEFTOVERS;
	death.leftovers_ns = 5 * NS_PER_S;
	death.leftovers.count = 10;
	for (int i = 0; i < LEFTOVER_NAMES_MAX; i++) {
		death.leftovers.some[i].pid = 20 + i;
		snprintf(death.leftovers.some[i].name, LEFTOVER_NAME_SIZE, "w%d", i);
	}
	assert_string_equal(said(&death),
		"node (pid 7) ended with status 0 after 3m12s; what was left did not end within 5s; killed 10 that "
		"were left: w0 (20), w1 (21), w2 (22), w3 (23), w4 (24), w5 (25), w6 (26), w7 (27) and 2 more");
}

static void a_refusal_speaks_for_itself(void **state)
{
	struct death death = death_of(EXITED(127), 127);

	(void)state;
	death.cause = WIRE_CAUSE_EXEC;
	death.refusal = "nod: not found in PATH";
	assert_string_equal(said(&death), "nod: not found in PATH");
}

static void one_that_cannot_be_killed_is_said_to_be(void **state)
{
	struct death death = death_of(0, 137);

	(void)state;
	death.ended = false;
	assert_string_equal(said(&death), "node (pid 7) does not end, not even by SIGKILL, after 3m12s");
}

static void the_level_says_how_much_it_matters(void **state)
{
	struct death death = death_of(EXITED(0), 0);

	(void)state;
	assert_int_equal(death_level(&death), LOG_LEVEL_INFO);
	death.exit_status = 143; /* of its own accord, or after a stop */
	assert_int_equal(death_level(&death), LOG_LEVEL_NOTICE);
	death = death_of(SIGTERM, 143);
	assert_int_equal(death_level(&death), LOG_LEVEL_WARNING);
	death.stop_signal = SIGTERM;
	assert_int_equal(death_level(&death), LOG_LEVEL_NOTICE);
	death.passed = 1U << WIRE_DEADLINE_STOP_TIMEOUT;
	assert_int_equal(death_level(&death), LOG_LEVEL_WARNING);
	death.passed = 0;
	death.cause = WIRE_CAUSE_OOM;
	assert_int_equal(death_level(&death), LOG_LEVEL_WARNING);
	death = death_of(EXITED(0), 0);
	death.leftovers.count = 1;
	assert_int_equal(death_level(&death), LOG_LEVEL_WARNING);
	death.refusal = "no";
	assert_int_equal(death_level(&death), LOG_LEVEL_ERROR);
}

static void a_long_sentence_is_cut(void **state)
{
	struct death death = death_of(EXITED(7), 7);
	char text[16];

	(void)state;
	for (size_t size = 1; size <= sizeof text; size++) {
		memset(text, '#', sizeof text);
		death_say(&death, size, text);
		assert_int_equal(strlen(text), size - 1);
		assert_memory_equal(text, "node (pid 7) ended", size - 1);
	}
}

static void json_has_it_field_by_field(void **state)
{
	struct death death = death_of(SIGKILL, 137);
	struct json_line line;
	char text[1024];

	(void)state;
	death.stop_signal = SIGTERM;
	death.stopping_ns = death.asked_ns = 8001 * NS_PER_MS;
	death.passed = 1U << WIRE_DEADLINE_STOP_TIMEOUT;
	death.leftovers.count = 1;
	strcpy(death.leftovers.some[0].name, "s\"h");
	json_line_begin(&line, text, sizeof text);
	death_add(&line, &death);
	json_line_finish(&line);
	assert_string_equal(text,
		"{\"death\":{\"program\":\"node\",\"pid\":7,\"cause\":\"signal\",\"status\":137,\"signal\":\"KILL\","
		"\"lived_seconds\":192.000,\"stop_signal\":\"TERM\",\"stop_seconds\":8.001,"
		"\"deadlines_passed\":[\"stop-timeout\"],\"oom_kills\":0,\"killed\":1,\"left_over\":[\"s\\\"h\"]}}\n");
}

static void says_what_follows(void **state)
{
	struct death death = death_of(EXITED(3), 3);

	(void)state;
	death.again = true;
	death.again_in_ns = 1500 * NS_PER_MS;
	assert_string_equal(said(&death), "node (pid 7) ended with status 3 after 3m12s; starting it again in 1.5s");
	assert_int_equal(death_level(&death), LOG_LEVEL_NOTICE);
	death = death_of(EXITED(0), 0);
	death.again = true;
	assert_int_equal(death_level(&death), LOG_LEVEL_NOTICE);
	death = death_of(EXITED(3), 3);
	death.used_up = 5;
	death.window_ns = 300 * NS_PER_S;
	assert_string_equal(said(&death),
		"node (pid 7) ended with status 3 after 3m12s; not started again: it was 5 times within 5m0s");
	death.window_ns = TIME_NEVER;
	assert_string_equal(
		said(&death), "node (pid 7) ended with status 3 after 3m12s; not started again: it was 5 times");
	assert_int_equal(death_level(&death), LOG_LEVEL_WARNING);
	death.used_up = 1;
	death.window_ns = 300 * NS_PER_S;
	assert_string_equal(said(&death),
		"node (pid 7) ended with status 3 after 3m12s; not started again: it was once within 5m0s");
	death.window_ns = TIME_NEVER; /* a task's */
	death.used_up = 2;
	assert_string_equal(
		said(&death), "node (pid 7) ended with status 3 after 3m12s; not started again: it was 2 times");
	death = death_of(EXITED(3), 3);
	death.again = true;
	death.again_in_ns = 1000;
	assert_string_equal(said(&death), "node (pid 7) ended with status 3 after 3m12s; starting it again");
}

static void says_that_its_time_was_over(void **state)
{
	struct death death = death_of(SIGKILL, 137);

	(void)state;
	death.unhealthy = death.late = true;
	death.stopping_ns = 2 * NS_PER_S;
	assert_string_equal(said(&death), "node (pid 7) was killed by SIGKILL after 3m12s, 2s after its time was over");
}

static void says_who_found_it_unhealthy(void **state)
{
	struct death death = death_of(SIGKILL, 137);

	(void)state;
	death.unhealthy = true;
	death.stopping_ns = 10 * NS_PER_S;
	death.passed = 1U << WIRE_DEADLINE_STOP_TIMEOUT;
	death.stop_timeout_ns = 10 * NS_PER_S;
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGKILL after 3m12s, 10s after a check found it unhealthy; "
		"it did not end within 10s, which is what it has without a --stop-timeout");
	assert_int_equal(death_level(&death), LOG_LEVEL_WARNING);
	death.stop_timeout_given = true;
	death.stop_signal = SIGTERM;
	death.asked_ns = 8 * NS_PER_S;
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGKILL after 3m12s, 10s after a check found it unhealthy, "
		"8s after SIGTERM asked for a stop; --stop-timeout (10s) has passed");
	death = death_of(EXITED(0), 1);
	death.unhealthy = true;
	death.stopping_ns = 500 * NS_PER_MS;
	assert_string_equal(said(&death),
		"node (pid 7) ended with status 0 after 3m12s, 500ms after a check found it unhealthy; "
		"the exit status is 1, as no end by a check is a success");
}

static void a_change_of_files_was_asked_for(void **state)
{
	struct death death = death_of(SIGTERM, 143);

	(void)state;
	death.stopped_by = STOPPED_BY_CHANGE;
	death.again = true;
	death.stopping_ns = 20 * NS_PER_MS;
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGTERM after 3m12s, 20ms after a change of its files; starting it again");
	assert_int_equal(death_level(&death), LOG_LEVEL_NOTICE);
	death = death_of(EXITED(1), 1);
	death.again = true;
	death.again_in_ns = -1;
	assert_string_equal(
		said(&death), "node (pid 7) ended with status 1 after 3m12s; waiting for a change of its files");
}

static void the_last_words_stand_behind_it(void **state)
{
	struct death death = death_of(EXITED(1), 1);
	struct json_line line;
	char text[1024];

	(void)state;
	death.last_words = "Error: no table\n  at \"x\"";
	assert_string_equal(
		said(&death), "node (pid 7) ended with status 1 after 3m12s; stderr: Error: no table |   at \"x\"");
	json_line_begin(&line, text, sizeof text);
	death_add(&line, &death);
	json_line_finish(&line);
	assert_non_null(strstr(text, "\"left_over\":[],\"stderr\":[\"Error: no table\",\"  at \\\"x\\\"\"]}}\n"));
}

static void a_stop_by_hand_was_asked_for(void **state)
{
	struct death death = death_of(SIGTERM, 143);

	(void)state;
	death.stopped_by = STOPPED_BY_HAND;
	death.stopping_ns = 20 * NS_PER_MS;
	assert_string_equal(
		said(&death), "node (pid 7) was killed by SIGTERM after 3m12s, 20ms after it was stopped by hand");
	assert_int_equal(death_level(&death), LOG_LEVEL_NOTICE);
	death.stopped_by = STOPPED_BY_RELOAD;
	assert_string_equal(
		said(&death), "node (pid 7) was killed by SIGTERM after 3m12s, 20ms after a reload stopped it");
	assert_int_equal(death_level(&death), LOG_LEVEL_NOTICE);
	death.stopped_by = STOPPED_BY_SECRET;
	assert_string_equal(
		said(&death), "node (pid 7) was killed by SIGTERM after 3m12s, 20ms after a change of a secret");
	death.stopped_by = STOPPED_BY_CONTAINER;
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGTERM after 3m12s, 20ms after another service's end stopped it");
	assert_int_equal(death_level(&death), LOG_LEVEL_NOTICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cause_is_what_the_kernel_knows),
		cmocka_unit_test(says_how_it_ended_and_how_long_it_lived),
		cmocka_unit_test(says_what_the_kernel_killed_for),
		cmocka_unit_test(says_what_a_stop_came_to),
		cmocka_unit_test(says_what_follows),
		cmocka_unit_test(says_that_its_time_was_over),
		cmocka_unit_test(says_who_found_it_unhealthy),
		cmocka_unit_test(a_change_of_files_was_asked_for),
		cmocka_unit_test(a_stop_by_hand_was_asked_for),
		cmocka_unit_test(names_the_first_of_many_leftovers),
		cmocka_unit_test(a_refusal_speaks_for_itself),
		cmocka_unit_test(one_that_cannot_be_killed_is_said_to_be),
		cmocka_unit_test(the_level_says_how_much_it_matters),
		cmocka_unit_test(a_long_sentence_is_cut),
		cmocka_unit_test(json_has_it_field_by_field),
		cmocka_unit_test(the_last_words_stand_behind_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
