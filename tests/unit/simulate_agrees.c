#include "tests/unit/simulate_agrees.h"

#include "seccomp-profiles/bpf_run.h"
#include "seccomp-profiles/simulate.h"

#include <linux/bpf_common.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ERRNO_MAX 4095

static bool term_holds(const struct filter_term *term, const struct seccomp_data *data)
{
	uint64_t value = term->subject == TERM_INSTRUCTION_POINTER ? data->instruction_pointer : 0;

	if (term->subject < 6)
		value = data->args[term->subject];
	value &= term->mask;
	return (value >= term->low && value <= term->high) != term->outside;
}

static bool is_calculated(const struct filter_case *found)
{
	for (unsigned i = 0; i < found->count; i++)
		if (found->term[i].subject == TERM_CALCULATED)
			return true;
	return false;
}

static bool case_holds(const struct filter_case *found, const struct seccomp_data *data)
{
	for (unsigned i = 0; i < found->count; i++)
		if (found->term[i].subject != TERM_CALCULATED && !term_holds(&found->term[i], data))
			return false;
	return true;
}

/* The data of an answer counts for three of them; what is no answer kills (__seccomp_filter() in the kernel). */
static bool same_answer(uint32_t machine, uint32_t simulated)
{
	uint32_t action = machine & SECCOMP_RET_ACTION_FULL, data = machine & SECCOMP_RET_DATA;

	if (action == SECCOMP_RET_ERRNO)
		return simulated == (action | (data > ERRNO_MAX ? ERRNO_MAX : data));
	if (action == SECCOMP_RET_TRAP || action == SECCOMP_RET_TRACE)
		return simulated == machine;
	if (action == SECCOMP_RET_KILL_THREAD || action == SECCOMP_RET_USER_NOTIF || action == SECCOMP_RET_LOG ||
		action == SECCOMP_RET_ALLOW)
		return simulated == action;
	return simulated == SECCOMP_RET_KILL_PROCESS;
}

static const char *compare(const struct filter_verdict *verdict, const struct seccomp_data *data, uint32_t action)
{
	unsigned hold = 0, same = 0, calculated = 0;

	if (!verdict->complete)
		return NULL;
	for (size_t i = 0; i < verdict->count; i++) {
		if (!case_holds(&verdict->cases[i], data))
			continue;
		hold++;
		same += same_answer(action, verdict->cases[i].action[0]);
		calculated += is_calculated(&verdict->cases[i]);
		if (verdict->cases[i].action[1] != SECCOMP_RET_ALLOW)
			return "the other side has no filter";
	}
	if (hold == 0)
		return "no case holds";
	if (calculated == 0 && hold > 1)
		return "several cases hold";
	return same == 0 ? "another answer" : NULL;
}

const char *simulate_disagrees(const struct sock_filter *insn, size_t length, const struct seccomp_data *data)
{
	static struct filter_verdict verdict;
	const struct filter_program program = { insn, length };
	const char *wrong;
	uint32_t action;
	bool used;
	size_t at;

	if (filter_check(insn, length, &at) < 0)
		return at > length ? "a place outside of the program" : NULL;
	if (bpf_run(insn, length, data, &action, &used) < 0)
		return "it was checked, but does not run";
	filter_simulate(&program, 1, 1, data->arch, (uint32_t)data->nr, &verdict);
	wrong = compare(&verdict, data, action);
	if (wrong != NULL)
		return wrong;
	filter_simplify(&verdict);
	wrong = compare(&verdict, data, action);
	return wrong == NULL ? NULL : "after it was made simpler";
}

size_t simulate_program(const unsigned char *bytes, size_t length, struct sock_filter ret_insn[64])
{
	static const uint16_t codes[] = { /* The usual ones are there more than once. */
		BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_W | BPF_ABS, BPF_ALU | BPF_AND | BPF_K,
		BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JGT | BPF_K,
		BPF_JMP | BPF_JGE | BPF_K, BPF_JMP | BPF_JSET | BPF_K, BPF_JMP | BPF_JA, BPF_RET | BPF_K,
		BPF_LD | BPF_IMM, BPF_LDX | BPF_IMM, BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM, BPF_ST, BPF_STX,
		BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA, BPF_RET | BPF_A, BPF_JMP | BPF_JEQ | BPF_X,
		BPF_JMP | BPF_JGT | BPF_X, BPF_JMP | BPF_JGE | BPF_X, BPF_JMP | BPF_JSET | BPF_X,
		BPF_ALU | BPF_ADD | BPF_K, BPF_ALU | BPF_SUB | BPF_X, BPF_ALU | BPF_MUL | BPF_K,
		BPF_ALU | BPF_DIV | BPF_X, BPF_ALU | BPF_OR | BPF_K, BPF_ALU | BPF_XOR | BPF_K,
		BPF_ALU | BPF_LSH | BPF_K, BPF_ALU | BPF_RSH | BPF_X, BPF_ALU | BPF_NEG, BPF_LD | BPF_W | BPF_LEN
	};
	static const uint32_t values[] = { 0, 1, 2, 5, 8, 0xff, 0x80000000, UINT32_MAX, SECCOMP_RET_ALLOW,
		SECCOMP_RET_ERRNO | 1, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP | 3 };
	size_t count = length / 4 > 63 ? 63 : length / 4;

	for (size_t i = 0; i < count; i++, bytes += 4) {
		struct sock_filter *insn = &ret_insn[i];
		size_t left = count - i;

		insn->code = codes[bytes[0] % COUNT(codes)];
		insn->jt = (uint8_t)(bytes[1] % left);
		insn->jf = (uint8_t)(bytes[2] % left);
		insn->k = values[bytes[3] % COUNT(values)];
		if (insn->code == (BPF_LD | BPF_W | BPF_ABS))
			insn->k = bytes[3] % (sizeof(struct seccomp_data) / 4) * 4;
		else if (insn->code == (BPF_JMP | BPF_JA))
			insn->k = insn->jt;
		else if (insn->code == (BPF_ALU | BPF_LSH | BPF_K))
			insn->k = bytes[3] % 32;
		else if (insn->code == BPF_ST || insn->code == BPF_STX || insn->code == (BPF_LD | BPF_MEM) ||
			insn->code == (BPF_LDX | BPF_MEM))
			insn->k = bytes[3] % BPF_MEMWORDS;
	}
	ret_insn[count] = (struct sock_filter){ .code = BPF_RET | BPF_K, .k = SECCOMP_RET_ERRNO | 2 };
	return count + 1;
}
