/* What the service says of itself (sd_notify(3)): reads its messages from the socket that PID 1 holds, asks of each who
 * has sent it, and turns it into results of its checks. Heard is who belongs to the service (health/kinship.h), as
 * under systemd's NotifyAccess=all. Descriptors that come with a message are never taken, and so closed: that is what
 * sd_notify_barrier(3) waits for. */
#pragma once

#include "health/checks.h"

#include <poll.h>

/* Tells PID 1, which keeps it for the next monitor. Returns false if it could not be told now. */
typedef bool notify_tell(const struct wire_notified *notified);

struct notify_server {
	int fd;   /* -1: the service is not asked to speak */
	int proc; /* of /proc; borrowed, as are the checks */
	struct checks *checks;
	notify_tell *tell;
	size_t service;      /* that is asked to: its index */
	int64_t watchdog_ns; /* as it was asked for; 0: not at all */
	bool listens;        /* the service runs */
	bool judges;         /* and its checks are not held back: what it says is a result of them */
	pid_t main_pid;
	struct wire_notified notified;
	bool urgent;        /* nothing more is read until PID 1 knows */
	int64_t tell_at_ns; /* PID 1 is told then; TIME_NEVER: it knows all */
	int64_t told_at_ns;
	int64_t beat_by_ns; /* WATCHDOG=1 is missed then; TIME_NEVER: none is waited for */
	unsigned grumbled;  /* a bit for each kind of message that was not heard in this life */
};

/* asked: the service that is to speak, of that index; with fd -1 there is none. */
void notify_server_init(struct notify_server *server, int fd, int proc, const struct service *asked, size_t service,
	struct checks *checks, notify_tell *tell);

/* What the monitor before this one knew, by PID 1; behind it comes notify_server_start(). */
void notify_server_restore(struct notify_server *server, const struct wire_notified *notified);

/* The service runs, behind checks_start(). A second call with the same life changes nothing. */
void notify_server_start(struct notify_server *server, uint64_t life, pid_t main_pid, int64_t now);

/* It does not: messages wait. */
void notify_server_stop(struct notify_server *server);

/* What to wait for: one slot, or none (a slot that is not needed counts against RLIMIT_NOFILE too, poll(2)). Returns
 * how many. */
size_t notify_server_pollfds(const struct notify_server *server, struct pollfd *ret_slots);
int64_t notify_server_deadline_ns(const struct notify_server *server);

/* Hears what there is, but not for long. Returns true if a verdict changed. */
bool notify_server_run(struct notify_server *server, int64_t now);
