#include "seccomp-profiles/simulate.h"

#include <errno.h>
#include <linux/bpf_common.h>
#include <linux/seccomp.h>
#include <string.h>

#define ALL_WORDS 0xffffu /* a bit for each of the BPF_MEMWORDS cells */

/* The calculations that seccomp(2) takes: no BPF_MOD (seccomp_check_filter() in the kernel). */
static bool is_calculation(const struct sock_filter *insn)
{
	bool constant = BPF_SRC(insn->code) == BPF_K;

	switch (insn->code & ~(BPF_X | BPF_ALU)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR:
		return true;
	case BPF_DIV:
		return !constant || insn->k != 0;
	case BPF_LSH:
	case BPF_RSH:
		return !constant || insn->k < 32;
	case BPF_NEG:
		return constant;
	default:
		return false;
	}
}

static bool is_jump(const struct sock_filter *insn, size_t left)
{
	switch (insn->code & ~(BPF_X | BPF_JMP)) {
	case BPF_JA:
		return BPF_SRC(insn->code) == BPF_K && insn->k < left;
	case BPF_JEQ:
	case BPF_JGT:
	case BPF_JGE:
	case BPF_JSET:
		return insn->jt < left && insn->jf < left;
	default:
		return false;
	}
}

/* True if the instruction is allowed where `left` others follow it. */
static bool is_allowed(const struct sock_filter *insn, size_t left)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
		return is_calculation(insn);
	case BPF_JMP:
		return is_jump(insn, left);
	default:
		break;
	}
	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return insn->k < sizeof(struct seccomp_data) && insn->k % 4 == 0;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return insn->k < BPF_MEMWORDS;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
		return true;
	default:
		return false;
	}
}

static void reach(uint16_t *masks, size_t at, uint16_t valid)
{
	masks[at] &= valid;
}

/* The kernel's check_load_and_stores(): a cell is read only where every way has written it. Jumps go forward, so that
 * one pass is enough; it does not ask whether a way can be gone. */
static int check_memory(const struct sock_filter *insn, size_t length, size_t *ret_at)
{
	uint16_t masks[BPF_MAXINSNS], valid = 0;

	memset(masks, 0xff, sizeof masks);
	for (size_t at = 0; at < length; at++) {
		valid &= masks[at];
		switch (insn[at].code) {
		case BPF_ST:
		case BPF_STX:
			valid |= (uint16_t)(1u << insn[at].k);
			continue;
		case BPF_LD | BPF_MEM:
		case BPF_LDX | BPF_MEM:
			if ((valid >> insn[at].k & 1) == 0) {
				*ret_at = at;
				return -EINVAL;
			}
			continue;
		case BPF_JMP | BPF_JA:
			reach(masks, at + 1 + insn[at].k, valid);
			break;
		default:
			if (BPF_CLASS(insn[at].code) != BPF_JMP)
				continue;
			reach(masks, at + 1 + insn[at].jt, valid);
			reach(masks, at + 1 + insn[at].jf, valid);
		}
		valid = ALL_WORDS; /* what follows a jump is reached by jumps alone */
	}
	return 0;
}

int filter_check(const struct sock_filter *insn, size_t length, size_t *ret_at)
{
	if (length == 0 || length > BPF_MAXINSNS) {
		*ret_at = length;
		return -EINVAL;
	}
	for (size_t at = 0; at < length; at++)
		if (!is_allowed(&insn[at], length - at - 1)) {
			*ret_at = at;
			return -EINVAL;
		}
	if (BPF_CLASS(insn[length - 1].code) != BPF_RET) {
		*ret_at = length - 1;
		return -EINVAL;
	}
	return check_memory(insn, length, ret_at);
}
