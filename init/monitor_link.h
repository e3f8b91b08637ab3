/* PID 1's end of the monitor: its sockets, its life, its channel. The monitor may die, lie or hang; whatever it does,
 * nothing here blocks or ends PID 1. */
#pragma once

#include "base/complaint.h"
#include "base/wire.h"
#include "init/restart.h"

#include <stdbool.h>
#include <sys/types.h>

struct file_lender;

struct monitor_link {
	char **argv;    /* borrowed: our own arguments, which the monitor reads again */
	int executable; /* O_PATH of this program, or -1 where there is no monitor */
	int model;      /* what the monitor reads in place of its arguments; -1 where no file is the configuration */
	int control;    /* the listening sockets live here, so that they outlive the monitor */
	int listen[MODEL_LISTEN_MAX];
	size_t listen_count;
	int notify;   /* where the workload says how it is; -1: nobody asks it to (init/notify_socket.h) */
	int listener; /* of the workload's filter: callers wait there; -1 without --seccomp-report */
	int denials;  /* the memory that goes with it (seccomp-profiles/denial_reports.h) */
	char **otel;  /* borrowed: what the monitor's environment has of OpenTelemetry; NULL: it makes no spans */
	int kept;     /* the memory that keeps its counts; -1: the system gave none */
	int channel;  /* -1 while there is no monitor */
	pid_t pid;    /* 0 while there is none */
	int64_t started_at_ns;
	int64_t restart_at_ns; /* TIME_NEVER while it runs, or when it is not to come back */
	struct restart again;
	uint64_t restarts;
	bool renews; /* it ends because the next one is to know something else */
};

/* The link of a run that wants no monitor. */
void monitor_link_none(struct monitor_link *link);

/* Opens the sockets that the model asks for. Before the point of no return: returns 0, or -errno with a sentence. */
int monitor_link_open(struct monitor_link *link, const struct model *model, const struct file_lender *lender,
	char **argv, struct complaint *ret_why);

/* Starts the monitor. Where that fails it is tried again later. */
void monitor_link_start(struct monitor_link *link, int64_t now);

/* The monitor was reaped with this wait status: says so, and sets the time of the next start. */
void monitor_link_ended(struct monitor_link *link, int status, int64_t now);

/* The next monitor takes the place of this one at once: the link holds something else for it. */
void monitor_link_renew(struct monitor_link *link);

/* Ends the monitor for good: one that makes spans by closing its channel, and by SIGKILL after 50 ms (by
 * monitor_link_start(), which is due then); any other one at once. Nobody answers for the filter then: what it would
 * deny is ENOSYS. */
void monitor_link_end(struct monitor_link *link);

/* True while it is to end by itself. */
bool monitor_link_is_ending(const struct monitor_link *link);

/* Takes the listener of another filter, which is the link's from now on, and hands it to a monitor that runs. Where its
 * channel is full the monitor is started again, and finds it there. */
void monitor_link_take_listener(struct monitor_link *link, int listener);

/* Sends a record if the channel takes it at once. Returns false where it was dropped; a channel that is closed wants
 * none. */
bool monitor_link_tell(struct monitor_link *link, union wire_record *record, enum wire_type type);

/* Takes one record, and the descriptor that came with it (the caller's, CLOEXEC; else -1). Returns 1 with a valid
 * record, 0 when there is none. A record that is not valid closes the channel and kills the monitor. */
int monitor_link_receive(struct monitor_link *link, union wire_record *ret_record, int *ret_fd);
