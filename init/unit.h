/* A unit: one service, as PID 1 runs it. It drives its own state machine (init/supervise.h), carries its actions out,
 * and counts in the record that reports it. What concerns the whole container it leaves to the loop. */
#pragma once

#include "base/cron.h"
#include "init/death.h"
#include "init/exec_probes.h"
#include "init/log_link.h"
#include "init/spawn.h"
#include "init/supervise.h"

#include <signal.h>

struct loop;

struct unit {
	/* Set by the caller: */
	struct supervise machine;
	struct spawn_request spawn;
	struct secret_source secrets;          /* .list NULL: it has none */
	struct spawn_request pre_stop;         /* .argv NULL: there is no such command */
	struct log_link logs;                  /* who reads what it says */
	struct exec_checks checks;             /* whose commands PID 1 runs */
	const struct personality *personality; /* borrowed */
	const char *called;        /* in messages: its program, or its name where there are several; borrowed */
	const char *prefix;        /* of messages about it: "NAME: " where there are several, else "" */
	bool may_rotate;           /* a changed secret may start it again, or run a command */
	bool ready_follows_health; /* a check decides when it is ready; without one, it is when it runs */
	int64_t run_ns;            /* how long a task may take; 0: as long as it likes */
	bool scheduled;            /* it is started at certain times */
	struct cron cron;          /* these */
	enum unhealthy_action on_unhealthy;
	int unhealthy_signal; /* of UNHEALTHY_SIGNAL */

	/* Its own: */
	struct loop *loop;          /* borrowed */
	pid_t main_pid;             /* 0 while there is none */
	int news_fd;                /* -1 unless a child is between fork and exec */
	int exit_status;            /* once it ended for good, and nothing of it is left */
	uint32_t not_enforced;      /* a bit for each enum layer */
	bool executed;              /* the child is the workload: all that was asked for is in force */
	bool refused;               /* the child said that it will not execute the workload */
	bool was_ready;             /* in this life */
	bool live;                  /* the verdict; in a new life the service is not dead yet */
	bool was_unhealthy;         /* and acted upon; in this life, or since it was healthy last */
	enum stopped_by stopped_by; /* who has ended this life, to start another or not */
	uint64_t signals_sent;      /* in this life: a bit for each, as supervise_signal_bit() has it */
	bool signal_trouble_told;
	bool orphans_trouble_told;
	bool changed;    /* the monitor was not told of the record as it is */
	bool was_reaped; /* its main process was, and its machine has not heard of it yet */
	int main_status; /* its wait status then */
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
	int64_t started_at_ns;
	int64_t late_at_ns;            /* its time is over then; TIME_NEVER: it has none, or does not run */
	int64_t tell_by_ns;            /* how a life ended is told by then; TIME_NEVER: it was */
	int64_t peek_at_ns;            /* and whether its last words were read is looked at then */
	int64_t due_s;                 /* of a scheduled one: wall clock, seconds; */
	int64_t look_at_ns;            /* and when that is looked at; TIME_NEVER: it is not scheduled */
	int64_t stop_began_at_ns;      /* by an order or a signal; 0: none yet */
	int64_t asked_at_ns;           /* when asked_signal did */
	struct wire_notified notified; /* what the service says of itself: kept for the next monitor, not looked into */
	const struct unit *next;       /* what it is told from its next life on; NULL: the same (borrowed) */
	struct wire_service record;    /* what is counted, kept in the very record that reports it */
};

/* Sets the unit's own fields. index: of its service in the model; name: borrowed for this call. */
void unit_init(struct unit *unit, struct loop *loop, size_t index, const char *name);

/* ---- beyond the point of no return: nothing below this exits, blocks for anybody, or allocates ---- */

/* Starts it, also again once it has ended for good. */
void unit_start(struct unit *unit);

/* It is told something else: at once where nothing of it runs, else from its next life on. name: its own from now on.
 */
void unit_become(struct unit *unit, const struct unit *definition, const char *name);

/* The same in another place: what it borrows is there from now on. */
void unit_keep(struct unit *unit, const struct unit *definition);

/* It is told when it is to be started: a scheduled one is looked at soon, from now on. */
void unit_schedule(struct unit *unit);

/* Hands an event to the machine and does what it says. info: of a signal that is passed on, or NULL. */
void unit_step(struct unit *unit, struct supervise_event event, const siginfo_t *info);

/* Takes what the child tells on its way to exec. Returns whether there was any. */
bool unit_take_news(struct unit *unit);

/* Its main process was reaped (was_reaped, main_status), and with it whoever else had ended. alone: nobody is left. */
void unit_main_ended(struct unit *unit, bool alone);

/* The monitor's verdicts; what it says of an earlier life is passed over. */
void unit_take_health(struct unit *unit, const struct wire_health *health);

/* Offers the signal that waits once more. */
void unit_pass_on_held(struct unit *unit);

/* Sends the signal to its leader, or group, as it is; what is counted and told is told. */
void unit_deliver(struct unit *unit, int signal, const siginfo_t *info);

/* A child was reaped. Returns whether it was the unit's log process. */
bool unit_log_process_ended(struct unit *unit, pid_t pid, int status);

/* How its last life ended is told, if it was not yet. */
void unit_tell_end(struct unit *unit);

/* When unit_look_at_clock() is due; TIME_NEVER: no need. */
int64_t unit_deadline_ns(const struct unit *unit);

/* The time is `now`: the machine's deadline, the end of a task's time. Returns true if a scheduled one is due: the
 * caller starts it. */
bool unit_look_at_clock(struct unit *unit, int64_t now);

/* In SUPERVISE_GROUP: is anybody left in it? The machine hears if not. */
void unit_look_at_group(struct unit *unit);

/* It may be started again, by its policy or by a check. */
bool unit_may_live_again(const struct unit *unit);

/* PID 1 has what another start of it takes, or what its first one does. */
bool unit_can_start_again(const struct unit *unit);

/* The capabilities that PID 1 needs for it from now on: to start it again, or what it may yet run beside it. */
uint64_t unit_needs_capabilities(const struct unit *unit);

/* True if there is a service that the commands of checks may look at. */
bool unit_may_be_probed(const struct unit *unit);

/* The record as it is now. */
struct wire_service *unit_report(struct unit *unit);
