/* Everything that lives below PID 1, whoever its parent was. */
#pragma once

#include "init/death.h"

#include <sys/types.h>

#define DESCENDANTS_SPARED 3

/* Counts and names the processes that descendants_signal() would reach, or descendants_signal_ours(), but not those
 * that have ended and only wait to be reaped. Nothing is found without /proc. */
void descendants_list(const pid_t spared[static DESCENDANTS_SPARED], bool ours_alone, struct leftovers *ret_leftovers);

/* True if no process descends from this one but the two that are spared (0: none is), and what descends from them, nor
 * one that has ended and only waits to be reaped. So it is without /proc. What docker exec started is none of ours. */
bool descendants_none_but(pid_t spared, pid_t also_spared);

/* Sends a signal to every process that is left, except this one, `spared` and the members of `spared_group` (0: none is
 * spared).
 * PID 1 of a namespace reaches them all with kill(-1), also those that called setsid(2); the monitor blocks what it
 * can, so only SIGKILL would need sparing it, and by then it is not needed any more. A subreaper looks in /proc for
 * those that descend from it: kill(-1) would reach processes that are none of ours, and its own children alone are not
 * all, as theirs become ours only later. Returns -errno where it cannot look: nobody was sent anything then. */
int descendants_signal(int signal, pid_t spared, pid_t spared_group);

/* The same for those alone that descend from this one, but for `spared`: the container goes on, and with it what docker
 * exec started. */
int descendants_signal_ours(int signal, pid_t spared, pid_t spared_group);
