/* This program executed afresh, for what PID 1 must not do itself: the monitor and the log process. They get no
 * capability, no_new_privs, another user where we may become one, and the descriptors that are theirs alone. */
#pragma once

#include "base/complaint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AFRESH_NOBODY 65534

/* O_PATH of this program (the caller's), or -errno with a sentence that begins with who. */
int afresh_open(const char *who, struct complaint *ret_why);

/* True if these effective capabilities suffice to become another user. */
bool afresh_may_change_user(uint64_t effective);

/* Runs work in a child with the rights of such a process, before the point of no return: what it complains of we
 * complain of. Returns 0, or -errno with a sentence. */
int afresh_try(const char *who, uid_t user, gid_t group, int (*work)(const void *context, struct complaint *ret_why),
	const void *context, struct complaint *ret_why);

/* ---- in the child ---- */

/* user: who it becomes, where we may become anybody. Ends the process where that fails. */
void afresh_drop_privileges(const char *who, uid_t user, gid_t group);

/* Places the descriptors at the numbers from 3 on, without CLOEXEC, in this order. All others are closed by exec. from
 * is changed. */
void afresh_place(int *from, size_t count);

/* Executes the program with those of our variables that configure it, and `more` (NULL: no more). Both lists are
 * NULL-terminated. */
_Noreturn void afresh_execute(const char *who, int executable, char **argv, char **more);
