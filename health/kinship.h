/* Who belongs to the service: its main process, what descends from it, and who is in its session. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* proc: a descriptor of /proc. pid, uid: of who has sent a message, as the kernel says it (SCM_CREDENTIALS, unix(7)).
 * True for the main process, which keeps its number until PID 1 has reaped it; and for one of its kin that still runs
 * and has that very user: a number that has passed on to another process meanwhile is not enough. */
bool kinship_holds(int proc, pid_t main_pid, pid_t pid, uid_t uid);
