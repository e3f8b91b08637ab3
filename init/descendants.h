/* Everything that lives below PID 1, whoever its parent was. */
#pragma once

#include "init/death.h"

#include <stdbool.h>
#include <sys/types.h>

/* Which of them are meant. */
struct descendants {
	const pid_t *spared; /* but for these, and what descends from them; borrowed */
	size_t spared_count;
	pid_t session;   /* the members of this session alone; 0: of any */
	bool ours_alone; /* those that descend from this process, and not what docker exec started */
};

/* Counts and names the processes that descendants_signal() would reach, but not those that have ended and only wait to
 * be reaped, nor also_spared. Nothing is found without /proc. */
void descendants_list(const struct descendants *whom, pid_t also_spared, struct leftovers *ret_leftovers);

/* True if none of them descends from this process, but for those that have ended and only wait to be reaped. So it is
 * without /proc. */
bool descendants_none(const struct descendants *whom);

/* Sends a signal to all of them but this process and the members of `spared_group` (0: none is spared).
 * PID 1 of a namespace reaches them all with kill(-1), also those that called setsid(2); the monitor and log processes
 * block what they can, so only SIGKILL needs sparing any, one by one then: log processes, for by then the monitor is
 * not needed any more. A subreaper looks in /proc for
 * those that descend from it: kill(-1) would reach processes that are none of ours, and its own children alone are not
 * all, as theirs become ours only later. Returns -errno where it cannot look: nobody was sent anything then. */
int descendants_signal(const struct descendants *whom, int signal, pid_t spared_group);
