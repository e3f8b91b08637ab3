/* A compiled filter and what was said about it. Plain memory: it may cross a pipe as it is. */
#pragma once

#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECCOMP_FILE_MAX (1024 * 1024)
#define SECCOMP_WARNINGS_MAX 64
#define SECCOMP_NAME_SIZE 40
#define SECCOMP_DEFAULT_UNKNOWN UINT32_MAX /* default_action of a file that was compiled before */

/* 32 KiB: allocate it, or make it static. */
struct seccomp_program {
	uint32_t length; /* 1 to BPF_MAXINSNS, of insn */
	uint32_t flags;  /* for seccomp(2) as they are: SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW */
	uint32_t listener_flags; /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: EINVAL unless there is a listener too */
	uint32_t default_action; /* SECCOMP_RET_* with its data: what an unlisted syscall gets */
	struct sock_filter insn[BPF_MAXINSNS];
};

/* Syscall names of the profile that libseccomp does not know: newer than it, or misspelt. */
struct seccomp_warnings {
	uint32_t count; /* of all; only the first SECCOMP_WARNINGS_MAX are kept */
	struct seccomp_unknown {
		uint32_t line, column;
		char name[SECCOMP_NAME_SIZE]; /* cut if longer */
	} unknown[SECCOMP_WARNINGS_MAX];
};

/* `FILE:LINE:COL: syscalls that libseccomp does not know: a, b, c and N more`: one line, cut at the end of the buffer;
 * the place is the first one's. */
void seccomp_warnings_text(const char *file, const struct seccomp_warnings *warnings, char *ret_text, size_t size);
