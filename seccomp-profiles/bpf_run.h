/* Runs a seccomp filter as the kernel would, in plain C: what a system call gets, without making it. */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns 0, or -EINVAL when the program is none that seccomp(2) takes: an unknown instruction, a jump or a load out of
 * bounds, no return at its end. *ret_action is SECCOMP_RET_* with its data; *ret_used_args says whether the way to it
 * looked at an argument. */
int bpf_run(const struct sock_filter *insn, size_t length, const struct seccomp_data *data, uint32_t *ret_action,
	bool *ret_used_args);
