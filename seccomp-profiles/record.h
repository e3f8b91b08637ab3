/* Runs a command and notes what it does, from its syscalls: each waits in the kernel until we have looked at it and
 * said that it may go on (seccomp_unotify(2)). Needs no privilege. */
#pragma once

#include "seccomp-profiles/record_profile.h"

#include <signal.h>

struct record_request {
	char **argv; /* borrowed, NULL-terminated */
	/* In the child, under the filter: executes argv. Returns only on failure, with an exit status and a sentence.
	 */
	int (*execute)(char **argv, struct complaint *ret_why);
	/* Sends a signal to all that descends from this process. */
	void (*signal_rest)(int signal);
	sigset_t mask; /* the command's, by record_hold_signals() */
};

/* From here on signals wait for the command: before anything is done that takes time. */
void record_hold_signals(struct record_request *ret_request);

/* Signals that come meanwhile go to the command. What it leaves behind when it ends gets a TERM, and after
 * RECORD_REST_MS a KILL. `record` may hold something already and is the caller's to clear. Returns 0 and the wait
 * status of the command, which did run; or -errno with a sentence: *ret_status is then what to exit with. */
int record_run(const struct record_request *request, struct record *record, int *ret_status, struct complaint *ret_why);
#define RECORD_REST_MS 5000
