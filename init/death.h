/* The death certificate: how the main process ended, in a sentence for people and as JSON for machines. Pure. */
#pragma once

#include "base/json_line.h"
#include "base/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LEFTOVER_NAMES_MAX 8
#define LEFTOVER_NAME_SIZE 16 /* TASK_COMM_LEN: what /proc/PID/comm shows (proc(5)) */

/* Processes that were killed because their time was over. */
struct leftovers {
	unsigned count;
	struct {
		pid_t pid;
		char name[LEFTOVER_NAME_SIZE];
	} some[LEFTOVER_NAMES_MAX]; /* the first of them */
};

/* What asked for its end, where neither a signal nor a check did. */
enum stopped_by {
	STOPPED_BY_NOBODY,
	STOPPED_BY_CHANGE,    /* of its files: it is started again */
	STOPPED_BY_SECRET,    /* one that it has is another one now: the same */
	STOPPED_BY_HAND,      /* somebody did (nest-init ctl) */
	STOPPED_BY_RELOAD,    /* of the configuration */
	STOPPED_BY_CONTAINER, /* another service's end stops all */
	STOPPED_BY_COUNT,
};

struct death {
	const char *program; /* the workload's, without its directory; borrowed */
	pid_t pid;
	bool ended;      /* false: even SIGKILL did not end it */
	int wait_status; /* once it ended (wait(2)) */
	int exit_status; /* what the container ends with */
	enum wire_cause cause;
	const char *refusal;    /* EXEC and REFUSED: the sentence that says why, borrowed */
	const char *last_words; /* lines of its standard error (init/last_words.h), or NULL; borrowed */
	int64_t lived_ns;
	int stop_signal; /* that asked for a stop; 0: none did */
	bool unhealthy;  /* a check did, before any signal */
	bool late;       /* or its time was over */
	enum stopped_by stopped_by;
	int64_t stopping_ns; /* since the first of these asked for its end */
	int64_t asked_ns;    /* since the stop signal did */
	unsigned passed;     /* a bit for each enum wire_deadline that did */
	int64_t pre_stop_ns; /* how long each of them was */
	int64_t stop_timeout_ns;
	bool stop_timeout_given; /* else it is what there is without one */
	int64_t leftovers_ns;
	uint64_t oom_kills; /* in its cgroup while it lived */
	struct leftovers leftovers;
	bool again;          /* it is started again */
	int64_t again_in_ns; /* -1: once its files have changed */
	unsigned used_up;    /* as many starts in a window are all there are, or it would be; 0: no */
	int64_t window_ns;
};

/* What most likely ended it: neither the kernel nor wait(2) tells who sent a SIGKILL or a SIGSYS. oom_kills: in its
 * cgroup while it lived. ours: we have sent it that signal ourselves. filtered: a seccomp filter is in force. */
enum wire_cause death_cause(int wait_status, uint64_t oom_kills, bool ours, bool filtered);

/* How much it matters: INFO where all went as it was meant to (status 0, nobody killed), ERROR for a refusal, WARNING
 * for what nobody asked for (a kill, a deadline that passed), NOTICE for any other status. */
enum log_level death_level(const struct death *death);

/* Writes the sentence, cut at the end of the buffer. */
void death_say(const struct death *death, size_t size, char *ret_text);

/* Adds the member "death" to a line of JSON. death: a struct death. */
void death_add(struct json_line *line, const void *death);
