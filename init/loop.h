/* The loop of PID 1: takes what happened from the kernel, asks supervise_step() what to do, and does it.
 *
 * While there is nothing but signals to wait for it sleeps in rt_sigtimedwait(2), as the smallest init would: no
 * descriptor, no timer. Only while a child is starting or a monitor runs does it sleep in ppoll(2) with a signalfd. */
#pragma once

#include "init/death.h"
#include "init/exec_probes.h"
#include "init/log_link.h"
#include "init/monitor_link.h"
#include "init/spawn.h"
#include "init/supervise.h"

#include <signal.h>

struct loop {
	/* Set by the caller: */
	struct supervise machine;
	struct monitor_link monitor;
	struct log_link logs;
	struct spawn_request spawn;
	struct spawn_request pre_stop; /* .argv NULL: there is no such command */
	struct exec_probes probes;
	const struct personality *personality; /* borrowed */
	uint32_t landlock_abi;
	bool ready_follows_health; /* a check decides when the service is ready; without one, it is when it runs */
	enum unhealthy_action on_unhealthy;
	int unhealthy_signal; /* of UNHEALTHY_SIGNAL */
	bool wants_monitor;
	int64_t watchdog_ns; /* how often the service manager is told that we live; 0: it does not ask */

	/* The loop's own: */
	pid_t main_pid; /* 0 while there is none */
	int news_fd;    /* -1 unless a child is between fork and exec */
	int signal_fd;  /* -1 until ppoll(2) is needed for the first time */
	int exit_status;
	uint32_t not_enforced; /* a bit for each enum layer */
	bool ended;
	bool executed;      /* the child is the workload: all that was asked for is in force */
	bool refused;       /* the child said that it will not execute the workload */
	bool was_ready;     /* in this life */
	bool ready_told;    /* READY=1 goes out once */
	bool stopping_told; /* and so does STOPPING=1 */
	bool live;          /* the verdict; in a new life the service is not dead yet */
	bool was_unhealthy; /* in this life */
	bool signal_trouble_told;
	bool orphans_trouble_told;
	bool reap_again; /* waitpid(2) failed: there may be somebody to reap without a SIGCHLD */
	int held_signal; /* one that the workload's full queue could not take yet; 0: none */
	siginfo_t held_info;
	pid_t pre_stop_pid; /* 0 while it does not run */
	int64_t pre_stop_ends_ns;
	int pre_stop_news_fd;                 /* -1 while it does not run */
	int asked_signal;                     /* that asked for the stop; 0: none did */
	uint64_t oom_kills_before, oom_kills; /* at its start; while it lived */
	enum wire_cause cause;                /* once it ended */
	bool oom_is_known;
	unsigned passed; /* a bit for each enum wire_deadline that did */
	struct leftovers leftovers;
	struct complaint refusal; /* of the child, once refused */
	int64_t main_ended_at_ns; /* once it ended */
	int64_t service_started_at_ns;
	int64_t watchdog_at_ns;        /* WATCHDOG=1 is due; TIME_NEVER: nobody asks, or READY=1 was not told yet */
	int64_t stop_began_at_ns;      /* by an order or a signal; 0: none yet */
	struct wire_notified notified; /* what the service says of itself: kept for the next monitor, not looked into */
	struct wire_snapshot snapshot; /* the counters, kept in the very record that reports them */
};

/* Sets the loop's own fields. */
void loop_init(struct loop *loop);

/* ---- the point of no return: nothing below this exits, blocks for anybody, or allocates ---- */

/* Starts the workload and supervises it. Returns the status that this process is to exit with. */
int loop_run(struct loop *loop);

/* Supervises nothing: reaps what comes, until TERM or INT (catatonit -P, a pod's infrastructure container). Returns 0.
 */
int loop_pause(struct loop *loop);
