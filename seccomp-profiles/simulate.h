/* What a seccomp filter answers, found without making the call: every way through the BPF program for one syscall
 * number, with the conditions on its arguments that lead there. Pure. */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIMULATE_TERMS_MAX 128 /* conditions of a case, and choices on the way to it */
#define SIMULATE_CASES_MAX 256

/* Subjects of a term beside the arguments 0 to 5. */
enum { TERM_INSTRUCTION_POINTER = 6, TERM_CALCULATED = 7 /* what the program calculates: no condition in words */ };

/* low <= (subject & mask) <= high; or not, when `outside`. */
struct filter_term {
	uint8_t subject;
	bool outside;
	uint64_t mask, low, high;
};

/* All terms hold: the answers are these. */
struct filter_case {
	uint32_t action[2]; /* SECCOMP_RET_* with its data, of each side */
	unsigned count;
	struct filter_term term[SIMULATE_TERMS_MAX];
};

/* The cases exclude one another and leave nothing out. A megabyte: allocate it. */
struct filter_verdict {
	bool complete; /* false: there are more ways than fit, or an answer is calculated; the cases are of no use */
	size_t count;
	struct filter_case cases[SIMULATE_CASES_MAX];
};

struct filter_program {
	const struct sock_filter *insn; /* borrowed; filter_check() has seen it */
	size_t length;
};

/* 0 if seccomp(2) takes the program, as the kernel's bpf_check_classic() and seccomp_check_filter() decide; else
 * -EINVAL and the instruction that it does not like. */
int filter_check(const struct sock_filter *insn, size_t length, size_t *ret_at);

/* What `count` filters of one process answer, the newest first: the strictest action wins, and of equals the newest
 * (seccomp(2)). The first `side` of them are side 0, the rest side 1: two sets of filters asked about the same call. No
 * filter at all allows. `arch` is AUDIT_ARCH_*. */
void filter_simulate(const struct filter_program *programs, size_t count, size_t side, uint32_t arch, uint32_t number,
	struct filter_verdict *ret_verdict);

/* Puts cases of the same answer together where one condition says as much; they still leave nothing out. */
void filter_simplify(struct filter_verdict *verdict);

/* -1, 0 or 1: `a` is stricter than `b`, as strict, or less. */
int filter_compare_actions(uint32_t a, uint32_t b);
