#include "seccomp-profiles/denials.h"

#include "seccomp-profiles/bpf_run.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

static bool is_denial(const struct sock_filter *insn)
{
	const uint32_t error = insn->k & SECCOMP_RET_DATA;

	return insn->code == (BPF_RET | BPF_K) && (insn->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
		error != 0 && error != ENOSYS;
}

void denials_notify(const struct sock_filter *insn, uint32_t length, struct sock_filter *ret_insn)
{
	for (uint32_t i = 0; i < length; i++) {
		ret_insn[i] = insn[i];
		if (is_denial(&insn[i]))
			ret_insn[i].k = SECCOMP_RET_USER_NOTIF;
	}
}

uint32_t denials_action(const struct denials *denials, const struct seccomp_data *data)
{
	const uint32_t length = denials->length <= BPF_MAXINSNS ? denials->length : 0;
	uint32_t action;
	bool used_args;

	if (bpf_run(denials->insn, length, data, &action, &used_args) < 0 ||
		(action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO)
		return SECCOMP_RET_ERRNO | ENOSYS;
	return action;
}

static uint32_t find_kind(const struct denials *denials, const struct seccomp_data *data, uint32_t action)
{
	for (uint32_t i = 0; i < DENIALS_KINDS_MAX; i++) {
		const struct denial_kind *kind = &denials->kind[i];

		if (kind->count == 0 ||
			(kind->arch == data->arch && kind->number == (uint32_t)data->nr && kind->action == action))
			return i;
	}
	return DENIALS_KINDS_MAX;
}

/* What it is going to be is written down first: whoever comes after a crash does the same again. A process that is
 * killed has made its writes in the program's order: the compiler is all that must not change it. */
static void write_down(struct denials *denials, uint64_t id, const struct seccomp_data *data, uint32_t action)
{
	const uint32_t index = find_kind(denials, data, action);
	struct denial_kind *kind = &denials->kind[index];

	kind->arch = data->arch;
	kind->number = (uint32_t)data->nr;
	kind->action = action;
	denials->last.id = 0;
	atomic_signal_fence(memory_order_seq_cst);
	denials->last.index = index;
	denials->last.count = kind->count + 1;
	atomic_signal_fence(memory_order_seq_cst);
	denials->last.id = id;
	atomic_signal_fence(memory_order_seq_cst);
}

void denials_count(struct denials *denials, uint64_t id, const struct seccomp_data *data, uint32_t action)
{
	if (denials->last.id != id)
		write_down(denials, id, data, action);
	if (denials->last.index <= DENIALS_KINDS_MAX)
		denials->kind[denials->last.index].count = denials->last.count;
}

bool denials_tell(struct denials *denials, const struct seccomp_data *data, const char *program)
{
	uint32_t count = denials->told_count;

	if (count >= DENIALS_TOLD_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (denials->told[i].arch == data->arch && denials->told[i].number == (uint32_t)data->nr &&
			strncmp(denials->told[i].program, program, DENIALS_PROGRAM_SIZE) == 0)
			return false;
	denials->told[count].arch = data->arch;
	denials->told[count].number = (uint32_t)data->nr;
	strncpy(denials->told[count].program, program, DENIALS_PROGRAM_SIZE);
	denials->told_count = count + 1;
	return true;
}
