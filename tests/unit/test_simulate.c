/* The simulator of seccomp filters: which programs it takes (the kernel is asked too), and what it says they answer. */
#include "seccomp-profiles/verdict_text.h"
#include "tests/unit/simulate_agrees.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ARG(index) (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (index))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define IF(op, k, jt, jf) BPF_JUMP(BPF_JMP | (op) | BPF_K, k, jt, jf)
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW ANSWER(SECCOMP_RET_ALLOW)
#define DENY ANSWER(SECCOMP_RET_ERRNO | EPERM)

static struct filter_verdict verdict;

/* ---- which programs it takes ---- */

/* 1 or 0: whether the running kernel takes the program, in a child that makes no call afterwards; -1 if this process
 * may load none. */
static int kernel_takes(const struct sock_filter *insn, size_t length)
{
	struct sock_fprog program = { (unsigned short)length, (struct sock_filter *)(uintptr_t)insn };
	int *error = mmap(NULL, sizeof *error, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), status, said;
	pid_t child;

	assert_ptr_not_equal(error, MAP_FAILED);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		/* cmocka would go on with the next test: it catches these. */
		signal(SIGILL, SIG_DFL);
		signal(SIGSYS, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		prctl(PR_SET_DUMPABLE, 0); /* no core file */
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		*error = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? errno : 0;
		__builtin_trap();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	said = *error;
	munmap(error, sizeof *error);
	return said == EPERM || said == EACCES || said == ENOSYS ? -1 : said == 0;
}

static void assert_taken(const struct sock_filter *insn, size_t length, bool expected, unsigned long which)
{
	size_t at;
	bool taken = filter_check(insn, length, &at) == 0;
	int kernel = kernel_takes(insn, length);

	if (taken != expected)
		fail_msg("program %lu, code 0x%x: %s", which, insn[0].code, taken ? "taken" : "refused");
	if (kernel >= 0 && kernel != expected)
		fail_msg("program %lu, code 0x%x: the kernel says %d", which, insn[0].code, kernel);
}

/* Every code of 16 bits that says something in its lower byte, with a constant that is good for most: what the kernel
 * takes is what we take, and no more. */
static void every_code_is_taken_as_the_kernel_does(void **state)
{
	unsigned taken = 0;

	(void)state;
	for (unsigned code = 0; code < 0x100; code++) {
		/* The memory cells are written first, the answer is last. */
		const struct sock_filter insn[] = { { (uint16_t)code, 0, 0, 4 }, ALLOW };
		const struct sock_filter written[] = { BPF_STMT(BPF_ST, 4), insn[0], ALLOW };
		size_t at;
		bool ours = filter_check(written, COUNT(written), &at) == 0;
		int kernel = kernel_takes(written, COUNT(written));

		if (kernel >= 0 && ours != kernel)
			fail_msg("code 0x%02x: we %s it, the kernel says %d", code, ours ? "take" : "refuse", kernel);
		if (!ours)
			assert_int_equal(at, 1);
		taken += ours;
	}
	/* 9 calculations with X and K, NEG, 4 comparisons with X and K, 7 loads and 2 stores, 2 transfers, 2 answers;
	 * the jump goes too far. */
	assert_int_equal(taken, 18 + 1 + 8 + 7 + 2 + 2 + 2);
}

static void a_program_is_refused_for_what_the_kernel_refuses(void **state)
{
	static const struct {
		bool taken;
		size_t length;
		struct sock_filter insn[4];
	} programs[] = {
		{ true, 1, { ALLOW } }, { true, 2, { LOAD(60), ALLOW } },        /* the last word */
		{ false, 2, { LOAD(64), ALLOW } },                               /* behind it */
		{ false, 2, { LOAD(2), ALLOW } },                                /* not on a word */
		{ false, 2, { LOAD((uint32_t)SKF_AD_OFF), ALLOW } },             /* the packet filters' own data */
		{ false, 2, { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), ALLOW } },  /* half a word */
		{ false, 2, { BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ALLOW } },  /* by X */
		{ false, 2, { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), ALLOW } }, /* an IP header's length */
		{ false, 2, { BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), ALLOW } }, /* packets may, we may not */
		{ true, 2, { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 3), ALLOW } },
		{ false, 2, { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW } },
		{ true, 2, { BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), ALLOW } },
		{ true, 2, { BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 31), ALLOW } },
		{ false, 2, { BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ALLOW } },
		{ false, 2, { BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 32), ALLOW } },
		{ true, 2, { BPF_STMT(BPF_ST, 15), ALLOW } }, { false, 2, { BPF_STMT(BPF_ST, 16), ALLOW } },
		{ false, 2, { BPF_STMT(BPF_STX, 16), ALLOW } }, { false, 2, { BPF_STMT(BPF_LD | BPF_MEM, 16), ALLOW } },
		{ false, 2, { BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW } }, /* nobody has written it */
		{ true, 3, { BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_MEM, 3), ALLOW } },
		{ false, 3, { BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_MEM, 4), ALLOW } },
		{ false, 4, { IF(BPF_JEQ, 0, 0, 1), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW } },
		{ true, 3, { ALLOW, BPF_STMT(BPF_ST, 3), ALLOW } }, /* nobody comes there */
		{ true, 2, { BPF_STMT(BPF_JMP | BPF_JA, 0), ALLOW } },
		{ false, 2, { BPF_STMT(BPF_JMP | BPF_JA, 1), ALLOW } },
		{ false, 2, { BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), ALLOW } }, /* backwards */
		{ true, 3, { IF(BPF_JEQ, 0, 1, 0), ALLOW, ALLOW } },
		{ false, 3, { IF(BPF_JEQ, 0, 2, 0), ALLOW, ALLOW } },
		{ false, 3, { IF(BPF_JEQ, 0, 0, 2), ALLOW, ALLOW } }, { false, 1, { LOAD(0) } }, /* no answer */
		{ false, 2, { ALLOW, BPF_STMT(BPF_JMP | BPF_JA, 0) } }, { false, 1, { BPF_STMT(BPF_RET | BPF_X, 0) } },
		{ true, 1, { BPF_STMT(BPF_RET | BPF_A, 0) } },
		{ false, 2, { { 0x1000 | BPF_RET | BPF_K, 0, 0, 0 }, ALLOW } }, /* a code of more than a byte */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(programs); i++)
		assert_taken(programs[i].insn, programs[i].length, programs[i].taken, i);
}

static void a_program_has_1_to_4096_instructions(void **state)
{
	static struct sock_filter insn[BPF_MAXINSNS + 1];
	size_t at = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(insn); i++)
		insn[i] = (struct sock_filter)ALLOW;
	assert_int_equal(filter_check(insn, 0, &at), -EINVAL);
	assert_int_equal(at, 0);
	assert_int_equal(filter_check(insn, BPF_MAXINSNS + 1, &at), -EINVAL);
	assert_int_equal(at, BPF_MAXINSNS + 1);
	assert_int_equal(filter_check(insn, BPF_MAXINSNS, &at), 0);
	assert_taken(insn, BPF_MAXINSNS, true, 0);
}

/* ---- what it says ---- */

static char *say(const struct filter_program *programs, size_t count)
{
	char *text = NULL;
	size_t length, at;
	FILE *out = open_memstream(&text, &length);

	for (size_t i = 0; i < count; i++)
		assert_int_equal(filter_check(programs[i].insn, programs[i].length, &at), 0);
	filter_simulate(programs, count, count, AUDIT_ARCH_X86_64, 41, &verdict);
	filter_simplify(&verdict);
	filter_verdict_print(out, &verdict);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_said(const struct sock_filter *insn, size_t length, const char *expected)
{
	const struct filter_program program = { insn, length };
	char *text = say(&program, 1);

	assert_string_equal(text, expected);
	free(text);
}

/* clang-format off */
#define SAYS(expected, ...) \
	do { \
		const struct sock_filter insn[] = { __VA_ARGS__ }; \
		assert_said(insn, COUNT(insn), expected); \
	} while (0)
/* clang-format on */

static void answers_have_the_kernels_names(void **state)
{
	(void)state;
	SAYS("ALLOW", ALLOW);
	SAYS("ALLOW", ANSWER(SECCOMP_RET_ALLOW | 7));
	SAYS("LOG", ANSWER(SECCOMP_RET_LOG));
	SAYS("NOTIFY", ANSWER(SECCOMP_RET_USER_NOTIF));
	SAYS("TRACE", ANSWER(SECCOMP_RET_TRACE));
	SAYS("TRACE(7)", ANSWER(SECCOMP_RET_TRACE | 7));
	SAYS("TRAP(3)", ANSWER(SECCOMP_RET_TRAP | 3));
	SAYS("KILL_THREAD", ANSWER(SECCOMP_RET_KILL_THREAD | 1));
	SAYS("KILL_PROCESS", ANSWER(SECCOMP_RET_KILL_PROCESS));
	SAYS("KILL_PROCESS", ANSWER(0x00010000)); /* what is no answer (seccomp(2)) */
	SAYS("ERRNO(ENOSYS)", ANSWER(SECCOMP_RET_ERRNO | ENOSYS));
	SAYS("ERRNO(0)", ANSWER(SECCOMP_RET_ERRNO));
	SAYS("ERRNO(4095)", ANSWER(SECCOMP_RET_ERRNO | 5000));
}

static void what_is_known_is_calculated(void **state)
{
	(void)state;
	SAYS("ALLOW", LOAD(0), IF(BPF_JEQ, 41, 0, 1), ALLOW, DENY);
	SAYS("ERRNO(EPERM)", LOAD(4), IF(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0), ALLOW, DENY);
	SAYS("ERRNO(ELIBMAX)", LOAD(0), BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 1),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), BPF_STMT(BPF_RET | BPF_A, 0));
	SAYS("TRAP(64)", BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_A, 0));
	/* 41 * 41 - 41 / 2 = 1661; through X and a cell. */
	SAYS("TRACE(1661)", LOAD(0), BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 2),
		BPF_STMT(BPF_ST, 9), BPF_STMT(BPF_MISC | BPF_TXA, 0), BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),
		BPF_STMT(BPF_LDX | BPF_MEM, 9), BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_TRACE), BPF_STMT(BPF_RET | BPF_A, 0));
	/* A shift takes the lower five bits of X; a division by 0 kills. */
	SAYS("TRAP(2)", BPF_STMT(BPF_LDX | BPF_IMM, 33), BPF_STMT(BPF_LD | BPF_IMM, 1),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0), BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_A, 0));
	SAYS("KILL_THREAD", BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), ALLOW);
	SAYS("ALLOW", BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_ALU | BPF_NEG, 0), IF(BPF_JEQ, UINT32_MAX, 0, 1),
		ALLOW, DENY);
}

static void halves_become_whole_arguments(void **state)
{
	(void)state;
	SAYS("arg0 == 0x100000005 -> ALLOW, else ERRNO(EPERM)", LOAD(ARG(0) + 4), IF(BPF_JEQ, 1, 0, 3), LOAD(ARG(0)),
		IF(BPF_JEQ, 5, 0, 1), ALLOW, DENY);
	SAYS("arg5 & 0xffffffff == 0x5 -> ALLOW, else ERRNO(EPERM)", LOAD(ARG(5)), IF(BPF_JEQ, 5, 0, 1), ALLOW, DENY);
	SAYS("arg1 & 0xf == 0x2 -> ALLOW, else ERRNO(EPERM)", LOAD(ARG(1)), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 15),
		IF(BPF_JEQ, 2, 0, 1), ALLOW, DENY);
	SAYS("arg2 & 0x10000000f == 0x100000002 -> ALLOW, else ERRNO(EPERM)", LOAD(ARG(2) + 4), IF(BPF_JSET, 1, 0, 4),
		LOAD(ARG(2)), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 15), IF(BPF_JEQ, 2, 0, 1), ALLOW, DENY);
	SAYS("arg0 & 0x6 == 0x0 -> ERRNO(EPERM), else ALLOW", LOAD(ARG(0)), IF(BPF_JSET, 6, 0, 1), ALLOW, DENY);
	SAYS("the instruction pointer & 0xffffffff == 0x5 -> ALLOW, else ERRNO(EPERM)", LOAD(8), IF(BPF_JEQ, 5, 0, 1),
		ALLOW, DENY);
	/* As libseccomp compares 64 bits. */
	SAYS("arg0 >= 0x6 -> ALLOW, else ERRNO(EPERM)", LOAD(ARG(0) + 4), IF(BPF_JGT, 0, 3, 0), LOAD(ARG(0)),
		IF(BPF_JGT, 5, 1, 0), DENY, ALLOW);
	SAYS("arg0 >= 0x6 -> ALLOW, else ERRNO(EPERM)", LOAD(ARG(0) + 4), IF(BPF_JEQ, 0, 0, 2), LOAD(ARG(0)),
		IF(BPF_JGT, 5, 0, 1), ALLOW, DENY);
	SAYS("arg0 in 0x3..0x8 -> ALLOW, else ERRNO(EPERM)", LOAD(ARG(0) + 4), IF(BPF_JEQ, 0, 0, 4), LOAD(ARG(0)),
		IF(BPF_JGE, 3, 0, 2), IF(BPF_JGT, 8, 1, 0), ALLOW, DENY);
}

static void ways_that_no_argument_goes_are_left_out(void **state)
{
	(void)state;
	/* It is 5: no second question, and no bit that 5 has not. */
	SAYS("arg0 & 0xffffffff == 0x5 -> ALLOW, else ERRNO(EPERM)", LOAD(ARG(0)), IF(BPF_JEQ, 5, 0, 4),
		IF(BPF_JGT, 4, 0, 2), IF(BPF_JSET, 2, 1, 0), ALLOW, ANSWER(SECCOMP_RET_TRAP), DENY);
	/* More than 7, and less than 3. */
	SAYS("arg0 & 0xffffffff >= 0x8 -> ALLOW, else ERRNO(EPERM)", LOAD(ARG(0)), IF(BPF_JGT, 7, 0, 3),
		IF(BPF_JGE, 3, 0, 1), ALLOW, ANSWER(SECCOMP_RET_TRAP), DENY);
	/* Asked a second time. */
	SAYS("arg0 & 0x6 == 0x4 -> ALLOW, else ERRNO(EPERM)", LOAD(ARG(0)), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 6),
		IF(BPF_JEQ, 4, 2, 0), IF(BPF_JEQ, 4, 0, 2), ANSWER(SECCOMP_RET_TRAP), ALLOW, DENY);
	/* From 10 to 20, and in two parts 5. */
	SAYS("ERRNO(EPERM)", LOAD(ARG(0)), IF(BPF_JGE, 10, 0, 7), IF(BPF_JGT, 20, 6, 0),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff), IF(BPF_JEQ, 5, 0, 4), LOAD(ARG(0)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffffff00), IF(BPF_JEQ, 0, 0, 1), ALLOW, DENY);
	/* Both ways say the same. */
	SAYS("ERRNO(EPERM)", LOAD(ARG(0)), IF(BPF_JEQ, 5, 0, 1), DENY, DENY);
	/* A bit outside of the mask. */
	SAYS("ERRNO(EPERM)", LOAD(ARG(0)), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0), IF(BPF_JEQ, 0x11, 0, 1), ALLOW,
		DENY);
	SAYS("ERRNO(EPERM)", LOAD(ARG(0)), IF(BPF_JGT, UINT32_MAX, 0, 1), ALLOW, DENY);
}

static void what_cannot_be_said_is_not_said(void **state)
{
	(void)state;
	SAYS("a calculation -> ALLOW, else ERRNO(EPERM)", LOAD(ARG(0)), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
		IF(BPF_JEQ, 5, 0, 1), ALLOW, DENY);
	SAYS("depends on arguments in more ways than can be shown", LOAD(ARG(0)), BPF_STMT(BPF_RET | BPF_A, 0));
}

/* 300 values of a word: more cases than are kept. */
static void too_many_ways_are_given_up(void **state)
{
	static struct sock_filter insn[2 * 300 + 2];
	size_t length = 0;

	(void)state;
	insn[length++] = (struct sock_filter)LOAD(ARG(0));
	for (unsigned i = 0; i < 300; i++) {
		insn[length++] = (struct sock_filter)IF(BPF_JEQ, 10 * i, 0, 1);
		insn[length++] = (struct sock_filter)ANSWER(SECCOMP_RET_ERRNO | (1 + i % 2));
	}
	insn[length++] = (struct sock_filter)ALLOW;
	assert_said(insn, length, "depends on arguments in more ways than can be shown");
}

/* Every combination of 40 bits leads on: a trillion ways. */
static void ways_that_multiply_are_given_up(void **state)
{
	static struct sock_filter insn[3 * 40 + 1];
	size_t length = 0;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		insn[length++] = (struct sock_filter)LOAD(ARG(i / 20));
		insn[length++] = (struct sock_filter)IF(BPF_JSET, 1u << i % 20, 0, 1);
		insn[length++] = (struct sock_filter)BPF_STMT(BPF_ST, 0);
	}
	insn[length++] = (struct sock_filter)ALLOW;
	assert_said(insn, length, "depends on arguments in more ways than can be shown");
}

/* ---- several filters ---- */

static void the_strictest_filter_wins(void **state)
{
	static const uint32_t actions[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
		SECCOMP_RET_ERRNO | 1, SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW };

	(void)state;
	for (size_t i = 0; i < COUNT(actions); i++)
		for (size_t j = 0; j < COUNT(actions); j++) {
			const struct sock_filter first[] = { ANSWER(actions[i]) }, second[] = { ANSWER(actions[j]) };
			const struct filter_program both[] = { { first, 1 }, { second, 1 } };

			filter_simulate(both, 2, 2, 0, 0, &verdict);
			assert_int_equal(verdict.count, 1);
			assert_int_equal(verdict.cases[0].action[0], actions[i < j ? i : j]);
			assert_int_equal(filter_compare_actions(actions[i], actions[j]), (i > j) - (i < j));
		}
}

static void of_equals_the_newest_filter_wins(void **state)
{
	const struct sock_filter newest[] = { ANSWER(SECCOMP_RET_ERRNO | 7) };
	const struct sock_filter oldest[] = { ANSWER(SECCOMP_RET_ERRNO | 9) };
	const struct filter_program both[] = { { newest, 1 }, { oldest, 1 } };

	(void)state;
	filter_simulate(both, 2, 2, 0, 0, &verdict);
	assert_int_equal(verdict.cases[0].action[0], SECCOMP_RET_ERRNO | 7);
	filter_simulate(both, 0, 0, 0, 0, &verdict);
	assert_int_equal(verdict.count, 1);
	assert_int_equal(verdict.cases[0].action[0], SECCOMP_RET_ALLOW);
}

static void filters_look_at_the_same_arguments(void **state)
{
	const struct sock_filter low[] = { LOAD(ARG(0)), IF(BPF_JGE, 10, 0, 1), DENY, ALLOW };
	const struct sock_filter high[] = { LOAD(ARG(0)), IF(BPF_JGE, 5, 1, 0), ANSWER(SECCOMP_RET_TRAP), ALLOW };
	const struct filter_program both[] = { { low, COUNT(low) }, { high, COUNT(high) } };
	char *text = say(both, 2);

	(void)state;
	assert_string_equal(
		text, "arg0 & 0xffffffff in 0x5..0x9 -> ALLOW, arg0 & 0xffffffff >= 0xa -> ERRNO(EPERM), else TRAP");
	free(text);
	/* As two sides: what each says where the other says something else. */
	filter_simulate(both, 2, 1, AUDIT_ARCH_X86_64, 41, &verdict);
	assert_int_equal(verdict.count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct filter_term *term = &verdict.cases[i].term[0];

		assert_int_equal(
			verdict.cases[i].action[0], term->low == 10 ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_ALLOW);
		assert_int_equal(verdict.cases[i].action[1], term->high == 4 ? SECCOMP_RET_TRAP : SECCOMP_RET_ALLOW);
	}
}

/* ---- whatever the program ---- */

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void random_programs_are_simulated_as_they_run(void **state)
{
	static const uint64_t values[] = { 0, 1, 2, 3, 4, 5, 6, 8, 9, 0xff, 0x100, 0x80000000, UINT32_MAX, UINT64_MAX,
		0x100000005 };
	uint64_t seed = 0x9e3779b97f4a7c15;
	unsigned taken = 0;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct seccomp_data data = { .nr = (int)(next_random(&seed) % 3), .arch = 5 };
		struct sock_filter insn[64];
		unsigned char bytes[4 * 24];
		const char *wrong;
		size_t length, at;

		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (unsigned char)next_random(&seed);
		for (unsigned i = 0; i < 6; i++)
			data.args[i] = values[next_random(&seed) % COUNT(values)];
		length = simulate_program(bytes, 4 * (1 + round % 24), insn);
		taken += filter_check(insn, length, &at) == 0;
		wrong = simulate_disagrees(insn, length, &data);
		if (wrong != NULL)
			fail_msg("round %u: %s", round, wrong);
	}
	assert_true(taken > 5000);
}

/* Also those that it refuses. */
static void random_programs_are_taken_as_the_kernel_does(void **state)
{
	uint64_t seed = 0x2545f4914f6cdd1d;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct sock_filter insn[64];
		unsigned char bytes[4 * 12];
		size_t length, at;
		int kernel;

		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (unsigned char)next_random(&seed);
		length = simulate_program(bytes, 4 * (1 + round % 12), insn);
		kernel = kernel_takes(insn, length);
		if (kernel < 0)
			skip();
		if (kernel != (filter_check(insn, length, &at) == 0))
			fail_msg("round %u: the kernel says %d", round, kernel);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_is_taken_as_the_kernel_does),
		cmocka_unit_test(a_program_is_refused_for_what_the_kernel_refuses),
		cmocka_unit_test(a_program_has_1_to_4096_instructions),
		cmocka_unit_test(answers_have_the_kernels_names),
		cmocka_unit_test(what_is_known_is_calculated),
		cmocka_unit_test(halves_become_whole_arguments),
		cmocka_unit_test(ways_that_no_argument_goes_are_left_out),
		cmocka_unit_test(what_cannot_be_said_is_not_said),
		cmocka_unit_test(too_many_ways_are_given_up),
		cmocka_unit_test(ways_that_multiply_are_given_up),
		cmocka_unit_test(the_strictest_filter_wins),
		cmocka_unit_test(of_equals_the_newest_filter_wins),
		cmocka_unit_test(filters_look_at_the_same_arguments),
		cmocka_unit_test(random_programs_are_simulated_as_they_run),
		cmocka_unit_test(random_programs_are_taken_as_the_kernel_does),
	};

	return cmocka_run_group_tests_name("simulate", tests, NULL, NULL);
}
