/* Whether a program can be started under a filter at all. Pure. */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* The system call without which nothing starts or ends (execve, exit_group) and that the filter refuses, and what it
 * answers (SECCOMP_RET_*); NULL if it lets both through, and of a filter that seccomp(2) does not take. */
const char *filter_refuses_start(const struct sock_filter *insn, size_t length, uint32_t *ret_action);
