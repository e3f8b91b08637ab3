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
		.cause = death_cause(wait_status, 0, false),
		.lived_ns = 192 * NS_PER_S,
		.deadline = WIRE_DEADLINE_COUNT,
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
		bool filtered;
		enum wire_cause cause;
	} cases[] = {
		{ EXITED(0), 0, false, WIRE_CAUSE_EXIT },
		{ EXITED(137), 1, true, WIRE_CAUSE_EXIT }, /* a status is a status, whatever it looks like */
		{ SIGTERM, 3, true, WIRE_CAUSE_SIGNAL }, { SIGKILL, 0, true, WIRE_CAUSE_SIGNAL },
		{ SIGKILL, 1, false, WIRE_CAUSE_OOM }, { SIGSYS, 0, false, WIRE_CAUSE_SIGNAL },
		{ SIGSYS, 1, true, WIRE_CAUSE_SECCOMP },
		{ SIGSYS | 0x80, 0, true, WIRE_CAUSE_SECCOMP }, /* with a core */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(death_cause(cases[i].status, cases[i].oom_kills, cases[i].filtered), cases[i].cause);
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
	death.cause = death_cause(death.wait_status, death.oom_kills, false);
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGKILL after 3m12s: out of memory (oom_kill of its cgroup rose by 2)");
	death = death_of(EXITED(1), 1);
	death.oom_kills = 1;
	assert_string_equal(said(&death),
		"node (pid 7) ended with status 1 after 3m12s; for want of memory the kernel killed 1 of its "
		"processes");
	death = death_of(SIGSYS, 159);
	death.cause = WIRE_CAUSE_SECCOMP;
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGSYS after 3m12s: a seccomp filter kills for a system call that it made");
}

static void says_what_a_stop_came_to(void **state)
{
	struct death death = death_of(SIGKILL, 137);

	(void)state;
	death.stop_signal = SIGTERM;
	death.stopping_ns = 8 * NS_PER_S;
	death.deadline = WIRE_DEADLINE_STOP_TIMEOUT;
	death.deadline_ns = 8 * NS_PER_S;
	death.leftovers.count = 1;
	death.leftovers.some[0].pid = 12;
	strcpy(death.leftovers.some[0].name, "sh");
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGKILL after 3m12s, 8s after SIGTERM asked for a stop; --stop-timeout "
		"(8s) has "
		"passed; killed 1 that was left: sh (12)");
	death.deadline = WIRE_DEADLINE_PRE_STOP;
	death.deadline_ns = 500 * NS_PER_MS;
	death.leftovers.count = 0;
	assert_string_equal(said(&death),
		"node (pid 7) was killed by SIGKILL after 3m12s, 8s after SIGTERM asked for a stop; --pre-stop-timeout "
		"(500ms) has passed");
}

static void names_the_first_of_many_leftovers(void **state)
{
	struct death death = death_of(EXITED(0), 0);

	(void)state;
	death.deadline = WIRE_DEADLINE_LEFTOVERS;
	death.deadline_ns = 5 * NS_PER_S;
	death.leftovers.count = 10;
	for (int i = 0; i < LEFTOVER_NAMES_MAX; i++) {
		death.leftovers.some[i].pid = 20 + i;
		snprintf(death.leftovers.some[i].name, LEFTOVER_NAME_SIZE, "w%d", i);
	}
	assert_string_equal(said(&death),
		"node (pid 7) ended with status 0 after 3m12s; what it left behind did not end within 5s; killed 10 "
		"that "
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

static void only_what_went_as_it_was_meant_to_is_not_notable(void **state)
{
	struct death death = death_of(EXITED(0), 0);

	(void)state;
	assert_false(death_is_notable(&death));
	death.exit_status = 143;
	assert_true(death_is_notable(&death));
	death.exit_status = 0;
	death.deadline = WIRE_DEADLINE_LEFTOVERS;
	assert_true(death_is_notable(&death));
	death.deadline = WIRE_DEADLINE_COUNT;
	death.leftovers.count = 1;
	assert_true(death_is_notable(&death));
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
	death.stopping_ns = 8001 * NS_PER_MS;
	death.deadline = WIRE_DEADLINE_STOP_TIMEOUT;
	death.leftovers.count = 1;
	strcpy(death.leftovers.some[0].name, "s\"h");
	json_line_begin(&line, text, sizeof text);
	death_add(&line, &death);
	json_line_finish(&line);
	assert_string_equal(text,
		"{\"death\":{\"program\":\"node\",\"pid\":7,\"cause\":\"signal\",\"status\":137,\"signal\":\"KILL\","
		"\"lived_seconds\":192.000,\"stop_signal\":\"TERM\",\"stop_seconds\":8.001,"
		"\"deadline\":\"stop-timeout\",\"oom_kills\":0,\"killed\":1,\"left_over\":[\"s\\\"h\"]}}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cause_is_what_the_kernel_knows),
		cmocka_unit_test(says_how_it_ended_and_how_long_it_lived),
		cmocka_unit_test(says_what_the_kernel_killed_for),
		cmocka_unit_test(says_what_a_stop_came_to),
		cmocka_unit_test(names_the_first_of_many_leftovers),
		cmocka_unit_test(a_refusal_speaks_for_itself),
		cmocka_unit_test(one_that_cannot_be_killed_is_said_to_be),
		cmocka_unit_test(only_what_went_as_it_was_meant_to_is_not_notable),
		cmocka_unit_test(a_long_sentence_is_cut),
		cmocka_unit_test(json_has_it_field_by_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
