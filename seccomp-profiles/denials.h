/* The calls that the workload's filter has denied: counted, and told once for each syscall and program. Pure; it lies
 * in memory that outlives the monitor, which may be killed between any two instructions: no call is lost by that, and
 * none is counted twice. What lies there was written by a monitor: nothing in it is taken for granted. */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#define DENIALS_KINDS_MAX 64 /* counted each for itself; the others together */
#define DENIALS_TOLD_MAX 64  /* pairs of syscall and program that are told of */
#define DENIALS_PROGRAM_SIZE 16
#define DENIALS_CALL_SIZE 256 /* for kernels whose structures have grown: SECCOMP_GET_NOTIF_SIZES */

struct denial_kind {
	uint32_t arch; /* AUDIT_ARCH_* */
	uint32_t number;
	uint32_t action;   /* SECCOMP_RET_ERRNO and the errno */
	uint32_t reserved; /* zero */
	uint64_t count;    /* 0: there is no such kind yet */
};

/* All zero to begin with, but for the program. 36 KiB. */
struct denials {
	/* The call that is being answered: the kernel writes it here itself, in the same step in which it stops
	 * offering it (seccomp_unotify(2)). id 0: none is. */
	union {
		struct seccomp_notif call;
		char room[DENIALS_CALL_SIZE];
	} pending;
	struct {
		uint64_t id, count;
		uint32_t index;
	} last; /* the call that was counted last, and what its kind's count became */
	uint32_t told_count;
	struct denial_kind kind[DENIALS_KINDS_MAX + 1]; /* the last one: all that had no room */
	struct {
		uint32_t arch, number;
		char program[DENIALS_PROGRAM_SIZE];
	} told[DENIALS_TOLD_MAX];
	uint32_t length;
	struct sock_filter insn[BPF_MAXINSNS]; /* the filter as it would be without a listener */
};

/* Turns a filter into one that asks a listener where it would deny: returns of an errno become notifications, but for
 * ENOSYS (a libc asks so what the kernel has) and 0. The rest stays as it is, to the instruction. */
void denials_notify(const struct sock_filter *insn, uint32_t length, struct sock_filter *ret_insn);

/* What the filter answers: SECCOMP_RET_ERRNO and the errno; ENOSYS for anything else, as without a listener. */
uint32_t denials_action(const struct denials *denials, const struct seccomp_data *data);

/* Counts a call; the same call (id) twice in a row counts once. */
void denials_count(struct denials *denials, uint64_t id, const struct seccomp_data *data, uint32_t action);

/* True if nobody was told yet that this program makes this syscall, and there is room: then somebody is, now. */
bool denials_tell(struct denials *denials, const struct seccomp_data *data, const char *program);
