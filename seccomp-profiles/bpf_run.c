#include "seccomp-profiles/bpf_run.h"

#include <errno.h>
#include <string.h>

struct machine {
	const struct seccomp_data *data;
	uint32_t a, x, memory[BPF_MEMWORDS];
	bool used_args, divided_by_zero;
};

static int load(struct machine *m, const struct sock_filter *insn)
{
	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		if (insn->k % 4 != 0 || insn->k + 4 > sizeof *m->data)
			return -EINVAL;
		memcpy(&m->a, (const char *)m->data + insn->k, 4);
		m->used_args |= insn->k >= offsetof(struct seccomp_data, args);
		return 0;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
		*(BPF_CLASS(insn->code) == BPF_LD ? &m->a : &m->x) = sizeof *m->data;
		return 0;
	case BPF_LD | BPF_IMM:
		m->a = insn->k;
		return 0;
	case BPF_LDX | BPF_IMM:
		m->x = insn->k;
		return 0;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
		if (insn->k >= BPF_MEMWORDS)
			return -EINVAL;
		*(BPF_CLASS(insn->code) == BPF_LD ? &m->a : &m->x) = m->memory[insn->k];
		return 0;
	case BPF_ST:
	case BPF_STX:
		if (insn->k >= BPF_MEMWORDS)
			return -EINVAL;
		m->memory[insn->k] = insn->code == BPF_ST ? m->a : m->x;
		return 0;
	case BPF_MISC | BPF_TAX:
		m->x = m->a;
		return 0;
	case BPF_MISC | BPF_TXA:
		m->a = m->x;
		return 0;
	default:
		return -EINVAL;
	}
}

static int calculate(struct machine *m, const struct sock_filter *insn)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;

	switch (BPF_OP(insn->code)) {
	case BPF_AND:
		m->a &= operand;
		return 0;
	case BPF_OR:
		m->a |= operand;
		return 0;
	case BPF_ADD:
		m->a += operand;
		return 0;
	case BPF_SUB:
		m->a -= operand;
		return 0;
	case BPF_XOR:
		m->a ^= operand;
		return 0;
	case BPF_MUL:
		m->a *= operand;
		return 0;
	case BPF_DIV:
		m->divided_by_zero = operand == 0;
		m->a = operand == 0 ? 0 : m->a / operand;
		return 0;
	case BPF_LSH:
		m->a <<= operand & 31;
		return 0;
	case BPF_RSH:
		m->a >>= operand & 31;
		return 0;
	case BPF_NEG:
		m->a = 0 - m->a;
		return 0;
	default:
		return -EINVAL;
	}
}

/* The instructions to skip, or -EINVAL. */
static int64_t jump(const struct machine *m, const struct sock_filter *insn)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;

	switch (BPF_OP(insn->code)) {
	case BPF_JA:
		return insn->k;
	case BPF_JEQ:
		return m->a == operand ? insn->jt : insn->jf;
	case BPF_JGT:
		return m->a > operand ? insn->jt : insn->jf;
	case BPF_JGE:
		return m->a >= operand ? insn->jt : insn->jf;
	case BPF_JSET:
		return (m->a & operand) != 0 ? insn->jt : insn->jf;
	default:
		return -EINVAL;
	}
}

int bpf_run(const struct sock_filter *insn, size_t length, const struct seccomp_data *data, uint32_t *ret_action,
	bool *ret_used_args)
{
	struct machine m = { .data = data };

	for (size_t at = 0; at < length; at++) {
		int64_t skip = 0;

		switch (BPF_CLASS(insn[at].code)) {
		case BPF_RET:
			*ret_action = BPF_RVAL(insn[at].code) == BPF_A ? m.a : insn[at].k;
			*ret_used_args = m.used_args;
			return 0;
		case BPF_JMP:
			skip = jump(&m, &insn[at]);
			break;
		case BPF_ALU:
			skip = calculate(&m, &insn[at]);
			break;
		default:
			skip = load(&m, &insn[at]);
		}
		if (skip < 0)
			return -EINVAL;
		if (m.divided_by_zero) { /* ends the program with 0 (the kernel's bpf_convert_filter()) */
			*ret_action = SECCOMP_RET_KILL_THREAD;
			*ret_used_args = m.used_args;
			return 0;
		}
		at += (size_t)skip;
	}
	return -EINVAL;
}
