/* The heart: what PID 1 does next, as a pure state machine. No syscall, no clock, no global: every event comes in with
 * its time, every effect goes out as an action, and init/loop.c is the only place that carries actions out.
 *
 *     IDLE -> STARTING -> RUNNING -> DRAINING -> PRE_STOP -> STOPPING -> GROUP -> ORPHANS -> KILLING -> DONE
 *
 * A state may be skipped forwards, never backwards, but for one way: where the workload is to be started again, BACKOFF
 * takes the place of DONE, and leads to STARTING. RETRY is where both wait when the kernel could not fork.
 * The stop contract: not ready, drain, pre-stop command, stop signal to the leader, to its group when the leader is
 * gone, to adopted orphans when the group is gone, SIGKILL for what is left when the budget is spent. Another stop
 * signal goes on to the next step at once: it ends the drain, and then the pre-stop command. An order, by a check that
 * says unhealthy, by a change of the workload's files or by hand, goes the same way; a stop signal takes it over. Where
 * files are watched a workload that ended waits in BACKOFF for a change, unless the policy starts it again before. */
#pragma once

#include "init/restart.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum supervise_state {
	SUPERVISE_IDLE,     /* nothing was started yet */
	SUPERVISE_BACKOFF,  /* it ended, and is started again at the deadline, or by a change */
	SUPERVISE_RETRY,    /* fork failed for want of pids or memory; another try is due at the deadline */
	SUPERVISE_STARTING, /* forked; confining itself, not yet executed */
	SUPERVISE_RUNNING,  /* executed */
	SUPERVISE_DRAINING, /* a stop was asked for; the workload does not know yet */
	SUPERVISE_PRE_STOP, /* the pre-stop command runs; the workload does not know yet */
	SUPERVISE_STOPPING, /* the leader has the stop signal */
	SUPERVISE_GROUP,    /* the leader is gone, its group has the signal */
	SUPERVISE_ORPHANS,  /* whatever else is left has the signal */
	SUPERVISE_KILLING,  /* SIGKILL was sent; the last ones are being reaped */
	SUPERVISE_DONE,     /* nothing more happens */
	SUPERVISE_STATE_COUNT,
};

enum supervise_order {
	SUPERVISE_ORDER_STOP,
	SUPERVISE_ORDER_RESTART, /* where the policy has no start left, it is a stop */
	SUPERVISE_ORDER_CHANGED, /* its files have: it is started again at once, which no limit counts, and is no
				    failure */
	SUPERVISE_ORDER_ROTATED, /* a secret of it has: the same */
	SUPERVISE_ORDER_AGAIN,   /* somebody wants it: the same, also where no files are watched */
	SUPERVISE_ORDER_LATE,    /* a task has had its time: it is a failure, as such done again or not */
	SUPERVISE_ORDER_COUNT,
};

enum supervise_event_type {
	SUPERVISE_EVENT_START,
	SUPERVISE_EVENT_SPAWNED,        /* the action SPAWN made a child */
	SUPERVISE_EVENT_SPAWN_FAILED,   /* it did not; .error says why (errno) */
	SUPERVISE_EVENT_EXECUTED,       /* the child is the workload now */
	SUPERVISE_EVENT_SIGNAL,         /* PID 1 was sent .signal */
	SUPERVISE_EVENT_ORDER,          /* the workload is to be stopped, or started again: .order */
	SUPERVISE_EVENT_PRE_STOP_ENDED, /* the pre-stop command ended, or could not be started */
	SUPERVISE_EVENT_MAIN_ENDED,     /* the leader was reaped with .status, a wait status (wait(2)) */
	SUPERVISE_EVENT_GROUP_GONE,     /* no process is left in the leader's group */
	SUPERVISE_EVENT_NO_CHILDREN,    /* no child of any kind is left */
	SUPERVISE_EVENT_TIME,           /* the time is `now`, nothing else happened */
	SUPERVISE_EVENT_COUNT,
};

/* Small enough to be passed in registers: one comes with every signal. */
struct supervise_event {
	enum supervise_event_type type;
	union {
		int error;  /* SPAWN_FAILED */
		int signal; /* SIGNAL */
		int status; /* MAIN_ENDED */
		enum supervise_order order;
	};
	bool alone; /* MAIN_ENDED: and no other child is left but the monitor */
};

enum supervise_action_type {
	SUPERVISE_SPAWN,          /* start the workload */
	SUPERVISE_NOT_READY,      /* a stop began, or an order was taken (.signal 0): readiness falls */
	SUPERVISE_PRE_STOP_START, /* run the pre-stop command */
	SUPERVISE_PRE_STOP_KILL,  /* it has had its time: SIGKILL to its group */
	SUPERVISE_SIGNAL_LEADER,  /* send .signal to the workload's leader */
	SUPERVISE_SIGNAL_GROUP,   /* send .signal to what is left of its group */
	SUPERVISE_SIGNAL_ORPHANS, /* send .signal to every process there is but ourselves and the monitor */
	SUPERVISE_END_MONITOR,    /* the monitor is not needed any more */
	SUPERVISE_RESTARTING,     /* this life is over; another begins at the deadline */
	SUPERVISE_EXIT,           /* end with .status, an exit status (0 to 255) */
	SUPERVISE_ACTION_COUNT,
};

struct supervise_action {
	enum supervise_action_type type;
	union {
		int signal;
		int status;
	};
};

#define SUPERVISE_ACTIONS_MAX 4

struct supervise_actions {
	struct supervise_action list[SUPERVISE_ACTIONS_MAX];
	size_t count;
};

enum supervise_main_end {        /* what happens when the main process ends */
	SUPERVISE_ASK_LEFTOVERS, /* the stop contract goes on: group, orphans, SIGKILL */
	SUPERVISE_END_AT_ONCE,   /* nothing: the kernel, or the next reaper, has the rest (tini, catatonit) */
	SUPERVISE_TERM_AND_END,  /* TERM to the group, then the same (dumb-init) */
};

struct supervise_policy {
	enum supervise_main_end main_end;
	uint64_t stop_signals;  /* bit n-1 for signal n: these ask for a stop, all others are passed on */
	int stop_signal;        /* what the workload gets; 0: the signal that asked */
	int64_t drain_ns;       /* 0 or more */
	bool pre_stop;          /* there is a pre-stop command */
	int64_t pre_stop_ns;    /* how long it may take, 1 or more */
	int64_t timeout_ns;     /* the whole budget of a stop; TIME_NEVER: as long as the workload takes */
	uint64_t clean_exit[4]; /* bit n % 64 of word n / 64: exit status n is 0 after a stop that was asked for */
	struct restart_policy restart;
	bool watches; /* the workload's files: a change starts it again */
};

struct supervise {
	enum supervise_state state;
	struct supervise_policy policy;
	int64_t deadline_ns;   /* when EVENT_TIME is due at the latest; TIME_NEVER: no need */
	int64_t kill_at_ns;    /* end of the stop's budget; TIME_NEVER before a stop */
	int64_t give_up_at_ns; /* in KILLING: when even SIGKILL had its time */
	int64_t retry_ns;      /* delay of the next try to fork */
	int64_t spawned_at_ns;
	int64_t backoff_ns; /* once the end was one to start again from */
	int stop_signal;    /* in force once a stop was asked for */
	bool stop_requested;
	bool unhealthy;     /* a check's order was taken in this life */
	bool late;          /* an order because its time was over was */
	bool changed;       /* an order by a change of its files was, or one by hand */
	bool waits;         /* it ended, and only a change starts it again */
	bool executed;      /* in this life or an earlier one */
	bool no_start_left; /* it would be started again, but for the limit of the policy */
	bool restart;       /* this life is to be followed by another one */
	bool main_ended;    /* in this life; until the next one begins */
	int main_status;    /* wait status, once main_ended */
	struct restart restarts;
};

/* Bit of a signal from 1 to 64 in a set of signals. */
static inline uint64_t supervise_signal_bit(int signal)
{
	return UINT64_C(1) << (signal - 1);
}

/* TERM, INT, QUIT and RTMIN+3 (34 + 3, systemd's for containers) ask for a stop; no drain, no limit of time. */
void supervise_default_policy(struct supervise_policy *ret_policy);

/* How long the whole of an order may take: as long as a stop, or 10 s behind the drain and the pre-stop command. */
int64_t supervise_order_budget(const struct supervise_policy *policy);

void supervise_init(struct supervise *machine, const struct supervise_policy *policy);

/* Takes one event at the time `now` (ns, never going back), changes the machine and says what is to be done, in that
 * order. An event that means nothing in a state changes nothing. */
void supervise_step(
	struct supervise *machine, struct supervise_event event, int64_t now, struct supervise_actions *ret_actions);

/* True if the signal (1 to 64) asks for a stop; it is merely passed on otherwise. */
static inline bool supervise_asks_for_stop(const struct supervise *machine, int signal)
{
	return (machine->policy.stop_signals & supervise_signal_bit(signal)) != 0;
}

/* False for an event whose time makes no difference, a signal that is merely passed on: what is done most often need
 * not read the clock first. supervise_step() does not look at `now` then. */
static inline bool supervise_needs_time(const struct supervise *machine, struct supervise_event event)
{
	return event.type != SUPERVISE_EVENT_SIGNAL || supervise_asks_for_stop(machine, event.signal);
}

/* The signals that may be taken from the kernel now. While there is no workload the others stay queued in the kernel:
 * so none of them is lost, and their order and values remain. SIGCHLD is always among them. */
static inline uint64_t supervise_wanted_signals(const struct supervise *machine)
{
	return machine->state <= SUPERVISE_RETRY ? machine->policy.stop_signals | supervise_signal_bit(SIGCHLD)
						 : UINT64_MAX;
}

/* Exit status for a wait status, as a shell says it: n, or 128 + signal. */
int supervise_exit_status(int wait_status);
