/* The loop of PID 1: takes what happened from the kernel, hands it to the unit that it concerns (init/unit.h), and
 * keeps what concerns them all: signals, children, the monitor, the service manager.
 *
 * While there is nothing but signals to wait for it sleeps in rt_sigtimedwait(2), as the smallest init would: no
 * descriptor, no timer. Only while a child is starting or a monitor runs does it sleep in ppoll(2) with a signalfd. */
#pragma once

#include "init/coordinate.h"
#include "init/descendants.h"
#include "init/exec_probes.h"
#include "init/file_lender.h"
#include "init/monitor_link.h"
#include "init/reload.h"
#include "init/secret_rotation.h"
#include "init/unit.h"

struct loop {
	/* Set by the caller: */
	struct unit *unit; /* unit_count of them, borrowed */
	size_t unit_count;
	struct coordinator coordinator; /* of as many, in the same order */
	struct monitor_link monitor;
	struct exec_probes probes;
	struct file_lender lender;
	struct secret_rotation secrets;
	struct reload reload;
	const struct personality *personality; /* borrowed */
	uint32_t landlock_abi;
	bool wants_monitor;
	int64_t start_time_ns; /* wall clock, of this process */
	int64_t watchdog_ns;   /* how often the service manager is told that we live; 0: it does not ask */

	/* The loop's own: */
	int signal_fd; /* -1 until ppoll(2) is needed for the first time */
	int exit_status;
	bool ended;
	bool coordinating;      /* what is to be started and stopped is being done */
	bool unsent;            /* the monitor's channel was full */
	int stop_signal;        /* that asked for the stop of all, or the usual one where none did */
	bool stop_asked;        /* one did */
	bool ready_told;        /* READY=1 goes out once */
	bool stopping_told;     /* and so does STOPPING=1 */
	bool reap_again;        /* waitpid(2) failed: there may be somebody to reap without a SIGCHLD */
	int64_t watchdog_at_ns; /* WATCHDOG=1 is due; TIME_NEVER: nobody asks, or READY=1 was not told yet */
	pid_t spared[2 * MODEL_UNITS_MAX + 1]; /* the monitor, log processes, other services: no leftovers of a unit */
	size_t spared_count;
	bool starves;                  /* of WATCHDOG=1 the manager, as a live check fails */
	int64_t starving_tell_ns;      /* not told again before that */
	struct wire_snapshot snapshot; /* the counters, kept in the very record that reports them */
};

/* Sets the loop's own fields. The units are set up. */
void loop_init(struct loop *loop);

/* ---- the point of no return: nothing below this exits, blocks for anybody, or allocates ---- */

/* Starts the services and supervises them. Returns the status that this process is to exit with. */
int loop_run(struct loop *loop);

/* Supervises nothing: reaps what comes, until TERM or INT (catatonit -P, a pod's infrastructure container). Returns 0.
 */
int loop_pause(struct loop *loop);

/* ---- for the units ---- */

/* The monitor is to know what changed. */
void loop_send(struct loop *loop);

/* Does what is to be started and stopped by now. */
void loop_coordinate(struct loop *loop);

/* As soon as there is something for it. Where denials are reported that is the listener of the workload's filter, which
 * the monitor gets as it gets the other descriptors. */
void loop_start_monitor(struct loop *loop);

/* STOPPING=1, once, if it is the container that stops. */
void loop_tell_stopping(struct loop *loop);

/* And who reads the log. signal: that asked for it. */
void loop_say_stopping(const struct loop *loop, const struct unit *unit, int signal);

/* What becomes of a unit may start or stop others. */
void loop_unit_spawned(struct loop *loop, const struct unit *unit);
void loop_unit_executed(struct loop *loop, const struct unit *unit);
void loop_unit_ready(struct loop *loop, const struct unit *unit); /* in this life */
void loop_unit_again(struct loop *loop, const struct unit *unit);
void loop_unit_ended(struct loop *loop, const struct unit *unit); /* for good */

/* What the unit's main process has left behind: its session; of the last one, whatever is in the container. */
struct descendants loop_leftovers(struct loop *loop, const struct unit *unit);

/* The monitor is not needed for this unit any more, nor at all if that is the last one. */
void loop_end_monitor(struct loop *loop, struct unit *unit);
