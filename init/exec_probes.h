/* The commands of exec checks, which PID 1 runs itself: so they are confined as the service is, and reaped. The monitor
 * says which check is due, by its index; the command, its time and what confines it are PID 1's own. */
#pragma once

#include "init/monitor_link.h"
#include "init/spawn.h"

/* The checks of one service. */
struct exec_checks {
	struct spawn_request request; /* .argv and .output are each command's own */
	const struct check *check;    /* borrowed from the model */
	size_t count;                 /* 0 where none has a command */
	uint32_t first;               /* the number of its first one, among the checks of all */
};

struct exec_probe {
	pid_t pid; /* 0: nothing runs here */
	const struct exec_checks *of;
	uint32_t check;
	int news_fd;
	bool timed_out;
	int64_t kill_at_ns;
	uint64_t life;
};

struct exec_probes {
	size_t running;
	struct exec_probe probe[WIRE_RUNS_MAX];
};

/* Starts the command of a check of these. output: where its standard output and error go (the caller's); without one
 * (-1), and for a check that has no command, nothing happens. What cannot be started is answered at once. */
void exec_probes_start(struct exec_probes *probes, struct exec_checks *checks, struct monitor_link *link,
	const struct wire_run *run, int output, int64_t now);

/* A child was reaped. Returns whether it was one of these; then the monitor knows. */
bool exec_probes_ended(struct exec_probes *probes, struct monitor_link *link, pid_t pid, int status);

/* When exec_probes_kill_due() is due; TIME_NEVER: nothing runs. */
int64_t exec_probes_deadline_ns(const struct exec_probes *probes);

/* SIGKILL for those whose time is over, and for what they have started in their session's first group. */
void exec_probes_kill_due(struct exec_probes *probes, int64_t now);

/* SIGKILL for those that look at this service, which has ended; NULL: for all. */
void exec_probes_kill(struct exec_probes *probes, const struct exec_checks *checks);
