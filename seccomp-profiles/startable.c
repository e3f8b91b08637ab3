#include "seccomp-profiles/startable.h"

#include "seccomp-profiles/bpf_run.h"
#include "seccomp-profiles/own_arch.h"

#include <asm/unistd.h>

static const struct {
	int number;
	char name[12];
} needed[] = { { __NR_execve, "execve" }, { __NR_exit_group, "exit_group" } };

/* The call is made, or somebody is asked who may let it be made (seccomp(2)). */
static int lets_through(uint32_t action)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_USER_NOTIF:
		return 1;
	default:
		return 0;
	}
}

const char *filter_refuses_start(const struct sock_filter *insn, size_t length, uint32_t *ret_action)
{
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
		const struct seccomp_data call = { .nr = needed[i].number, .arch = OWN_ARCH };
		uint32_t action;
		bool used_args;

		if (bpf_run(insn, length, &call, &action, &used_args) < 0)
			return NULL;
		/* Where arguments decide, a program and its words may be the ones that are meant. */
		if (!used_args && !lets_through(action)) {
			*ret_action = action;
			return needed[i].name;
		}
	}
	return NULL;
}
