/* What is counted and told of the calls that a filter denies, whatever kills the monitor between two instructions. */
#include "seccomp-profiles/denials.h"

#include <errno.h>
#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, action)

static struct denials denials;

static int set_up(void **state)
{
	(void)state;
	memset(&denials, 0, sizeof denials);
	return 0;
}

static struct seccomp_data call(int number)
{
	return (struct seccomp_data){ .nr = number, .arch = AUDIT_ARCH_X86_64 };
}

static void count(uint64_t id, int number, unsigned error)
{
	struct seccomp_data data = call(number);

	denials_count(&denials, id, &data, SECCOMP_RET_ERRNO | error);
}

static uint64_t counted(int number, unsigned error)
{
	for (size_t i = 0; i < DENIALS_KINDS_MAX; i++)
		if (denials.kind[i].count > 0 && denials.kind[i].number == (uint32_t)number &&
			denials.kind[i].action == (SECCOMP_RET_ERRNO | error))
			return denials.kind[i].count;
	return 0;
}

/* ---- the filter ---- */

static void denials_become_questions_and_nothing_else_changes(void **state)
{
	static const struct sock_filter insn[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 1), /* a number like an answer */
		ANSWER(SECCOMP_RET_ERRNO | EPERM),
		ANSWER(SECCOMP_RET_ERRNO | 4095),
		ANSWER(SECCOMP_RET_ERRNO | ENOSYS),
		ANSWER(SECCOMP_RET_ERRNO),
		ANSWER(SECCOMP_RET_ALLOW),
		ANSWER(SECCOMP_RET_KILL_PROCESS),
		ANSWER(SECCOMP_RET_TRACE | EPERM),
		BPF_STMT(BPF_RET | BPF_A, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_filter expected[COUNT(insn)], asking[COUNT(insn)];

	(void)state;
	memcpy(expected, insn, sizeof insn);
	expected[2].k = expected[3].k = SECCOMP_RET_USER_NOTIF;
	denials_notify(insn, COUNT(insn), asking);
	assert_memory_equal(asking, expected, sizeof expected);
}

static void the_answer_is_the_filters_own(void **state)
{
	static const struct {
		struct sock_filter insn;
		uint32_t answer;
	} cases[] = {
		{ ANSWER(SECCOMP_RET_ERRNO | EACCES), SECCOMP_RET_ERRNO | EACCES },
		{ ANSWER(SECCOMP_RET_USER_NOTIF), SECCOMP_RET_ERRNO | ENOSYS },
		{ ANSWER(SECCOMP_RET_ALLOW), SECCOMP_RET_ERRNO | ENOSYS },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), SECCOMP_RET_ERRNO | ENOSYS }, /* no return at its end */
	};
	const struct seccomp_data data = call(101);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		denials.insn[0] = cases[i].insn;
		denials.length = 1;
		assert_int_equal(denials_action(&denials, &data), cases[i].answer);
	}
	denials.insn[0] = cases[0].insn;
	denials.length = UINT32_MAX; /* a predecessor that went mad */
	assert_int_equal(denials_action(&denials, &data), SECCOMP_RET_ERRNO | ENOSYS);
}

static void the_answer_may_follow_from_arguments(void **state)
{
	static const struct sock_filter insn[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 0, 1),
		ANSWER(SECCOMP_RET_ERRNO | EROFS),
		ANSWER(SECCOMP_RET_ERRNO | EPERM),
	};
	struct seccomp_data data = call(2);

	(void)state;
	memcpy(denials.insn, insn, sizeof insn);
	denials.length = COUNT(insn);
	assert_int_equal(denials_action(&denials, &data), SECCOMP_RET_ERRNO | EPERM);
	data.args[1] = 6;
	assert_int_equal(denials_action(&denials, &data), SECCOMP_RET_ERRNO | EROFS);
}

/* ---- counts ---- */

static void each_syscall_and_action_has_a_count(void **state)
{
	(void)state;
	count(1, 101, EPERM);
	count(2, 101, EPERM);
	count(3, 101, EACCES);
	count(4, 102, EPERM);
	assert_int_equal(counted(101, EPERM), 2);
	assert_int_equal(counted(101, EACCES), 1);
	assert_int_equal(counted(102, EPERM), 1);
}

static void what_has_no_room_is_counted_together(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DENIALS_KINDS_MAX + 5; i++)
		count(i + 1, (int)i, EPERM);
	count(1000, 0, EPERM);
	assert_int_equal(counted(0, EPERM), 2);
	assert_int_equal(counted(DENIALS_KINDS_MAX - 1, EPERM), 1);
	assert_int_equal(denials.kind[DENIALS_KINDS_MAX].count, 5);
}

static void a_call_that_is_answered_again_counts_once(void **state)
{
	(void)state;
	count(7, 101, EPERM);
	count(7, 101, EPERM);
	assert_int_equal(counted(101, EPERM), 1);
	count(8, 101, EPERM);
	assert_int_equal(counted(101, EPERM), 2);
}

/* Killed after it was written down what the count becomes, and before it became it. */
static void a_count_that_a_crash_has_cut_off_is_made_up_for(void **state)
{
	(void)state;
	count(7, 101, EPERM);
	count(8, 101, EPERM);
	denials.kind[0].count = 1;
	count(8, 101, EPERM);
	assert_int_equal(counted(101, EPERM), 2);
}

static void a_mad_predecessor_makes_nobody_write_elsewhere(void **state)
{
	(void)state;
	denials.last.id = 7;
	denials.last.index = UINT32_MAX;
	count(7, 101, EPERM);
	count(8, 101, EPERM);
	assert_int_equal(counted(101, EPERM), 1);
	denials.told_count = UINT32_MAX;
	assert_false(denials_tell(&denials, &(struct seccomp_data){ .nr = 1 }, "cat"));
}

/* ---- telling ---- */

static bool tell(int number, const char *program)
{
	struct seccomp_data data = call(number);

	return denials_tell(&denials, &data, program);
}

static void a_syscall_is_told_once_for_each_program(void **state)
{
	(void)state;
	assert_true(tell(101, "node"));
	assert_false(tell(101, "node"));
	assert_true(tell(101, "nodejs"));
	assert_true(tell(102, "node"));
	assert_false(tell(101, "node"));
	assert_false(tell(101, "nodejs"));
	assert_true(tell(101, "fifteen letters"));
	assert_false(tell(101, "fifteen letters"));
}

static void only_so_many_are_told(void **state)
{
	char program[DENIALS_PROGRAM_SIZE];
	unsigned told = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(program, sizeof program, "p%d", i);
		told += tell(101, program);
	}
	assert_int_equal(told, DENIALS_TOLD_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(denials_become_questions_and_nothing_else_changes, set_up),
		cmocka_unit_test_setup(the_answer_is_the_filters_own, set_up),
		cmocka_unit_test_setup(the_answer_may_follow_from_arguments, set_up),
		cmocka_unit_test_setup(each_syscall_and_action_has_a_count, set_up),
		cmocka_unit_test_setup(what_has_no_room_is_counted_together, set_up),
		cmocka_unit_test_setup(a_call_that_is_answered_again_counts_once, set_up),
		cmocka_unit_test_setup(a_count_that_a_crash_has_cut_off_is_made_up_for, set_up),
		cmocka_unit_test_setup(a_mad_predecessor_makes_nobody_write_elsewhere, set_up),
		cmocka_unit_test_setup(a_syscall_is_told_once_for_each_program, set_up),
		cmocka_unit_test_setup(only_so_many_are_told, set_up),
	};

	return cmocka_run_group_tests_name("denials", tests, NULL, NULL);
}
