/* Starting the workload: fork, a session of its own, confinement, exec; and what the child tells on its way. */
#pragma once

#include "base/complaint.h"
#include "init/confine.h"
#include "init/personality.h"
#include "init/secret_read.h"

#include <stdint.h>
#include <sys/types.h>

#define SPAWN_STATUS_REFUSED 125 /* of a child that could not be confined */

struct spawn_request {
	char **argv;                           /* borrowed, NULL-terminated */
	uint64_t signal_mask;                  /* what PID 1 found when it began: the workload gets it back */
	const struct confine_plan *plan;       /* borrowed */
	const struct personality *personality; /* borrowed */
	bool hand_over_terminal;               /* standard input is a terminal that the new session is to control */
	bool again;                            /* a workload was started from this plan before: its mounts are there */
	bool watchdog;                         /* WATCHDOG_PID is to be the child's */
	bool silent;                           /* another service speaks for itself, this one is not asked to */
	const struct secret_source *secrets;   /* borrowed; NULL: there are none */
	int output;     /* where standard output and error go, and nothing comes in; 0: PID 1's own streams */
	int streams[2]; /* what its standard output and error are, for it and who runs beside it; 0: PID 1's own */
	bool beside;    /* it still runs: nothing is reported of this one */
	bool rehearsal; /* the child does all but execute: what it would refuse it refuses, else it ends with 0 */
};

enum spawn_news_type {
	SPAWN_REFUSED,      /* the child ends with 125, 126 or 127; text says why */
	SPAWN_NOT_ENFORCED, /* a layer could not be put in force, the start goes on (best effort); text says why */
	SPAWN_READ_ONLY,    /* text says how the root became read-only */
	SPAWN_LISTENER,     /* with the listener of its filter */
	SPAWN_NO_LISTENER,  /* the filter is in force without one (best effort); text says why */
	SPAWN_NEWS_COUNT,
};

/* One message from the child; less than PIPE_BUF, so that each arrives whole (pipe(7)). */
struct spawn_news {
	int32_t type;
	int32_t layer;
	struct complaint text;
};

/* Ends this process like _exit(2), also under a filter that denies exit_group(2): then by a trap, which none can deny.
 */
_Noreturn void spawn_leave(int status);

/* True if a listener is to come: such a child has a socket for a pipe. */
bool spawn_is_reported(const struct spawn_request *request);

/* Forks, or vforks where the plan is light. The child tells its news through a pipe that exec closes: end of file
 * without SPAWN_REFUSED means that it is the workload now. Returns 0, the child's pid and the pipe's reading end
 * (non-blocking, the caller's), or -errno of pipe2(2) or fork(2). */
int spawn_workload(const struct spawn_request *request, pid_t *ret_pid, int *ret_news_fd);

/* Whether a child of this request would come to executing: a rehearsal, waited for. Returns 0, or -EINVAL with the
 * sentence of its refusal, or -errno with one. Blocks. */
int spawn_rehearse(const struct spawn_request *request, struct complaint *ret_why);

/* Reads one message. Returns 1, 0 at the end of the pipe, or -EAGAIN when there is nothing yet. Bytes that are no
 * message count as the end. ret_listener: NULL where no listener is asked for; else *ret_listener is the one that came
 * with SPAWN_LISTENER (the caller's, CLOEXEC), or -1. */
int spawn_read_news(int fd, struct spawn_news *ret_news, int *ret_listener);

/* Executes argv as execvp(3) does: a name without a slash is looked for in PATH, a script without #! goes to /bin/sh.
 * Returns only on failure: 126 or 127 and a sentence, and errno of the failure. */
int spawn_exec(char **argv, int *ret_error, struct complaint *ret_why);
