/* PID 1's end of the log process: the pipes that a service writes to, and the life of who reads them. PID 1 keeps both
 * ends, so that a log process that dies is missed by nobody and loses nothing (base/log_kept.h); it never reads them,
 * and nothing here blocks or ends PID 1. */
#pragma once

#include "base/complaint.h"
#include "base/model.h"
#include "init/confine.h"
#include "init/restart.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { LOG_STDOUT, LOG_STDERR, LOG_STREAMS };

#define LOG_LINK_FDS (3 + 3 * LOG_STREAMS)

struct log_link {
	int executable; /* O_PATH of this program, or -1 where no logs are asked for */
	char **argv;    /* the log process's: NULL-terminated, for the life of the process */
	uid_t user;     /* who it runs as, if PID 1 may choose: the owner of the directory that its file is in */
	gid_t group;
	struct log_pipe {
		int writer, reader; /* -1: closed */
		int memory;         /* what was read of it, and where in it that ends */
	} stream[LOG_STREAMS];
	int kept;
	int end;              /* what a log process waits for is that this closes; -1 while there is none */
	pid_t pid;            /* 0 while there is none */
	uint64_t said_before; /* bytes of standard error when this life began */
	int64_t started_at_ns;
	int64_t restart_at_ns; /* TIME_NEVER while it runs, or when it is not to come back */
	struct restart again;
};

/* The link of a run whose streams are left alone. */
void log_link_none(struct log_link *link);

/* Works out what the log process is told, and tries whether its file can be written. Blocks (files): returns 0, or
 * -errno with a sentence. */
int log_link_plan(
	struct log_link *link, const struct model *model, const struct service *service, struct complaint *ret_why);

/* Opens what was planned; does not block. executable: O_PATH of this program, the link's from now on. plan: of the
 * workload, whose pipes they are to be. Returns 0, or -errno: nothing is open then. */
int log_link_open(struct log_link *link, int executable, const struct confine_plan *plan);

/* What was opened in vain. */
void log_link_close(struct log_link *link);

/* True if both tell their log process the same, but for the container's own format and level. */
bool log_link_is_like(const struct log_link *link, const struct log_link *other);

static inline bool log_link_is_there(const struct log_link *link)
{
	return link->executable >= 0;
}

/* Its descriptors, for who closes all others. Returns how many. */
size_t log_link_descriptors(const struct log_link *link, int ret_fds[static LOG_LINK_FDS]);

/* Starts the log process. Where that fails it is tried again later. */
void log_link_start(struct log_link *link, int64_t now);

/* It was reaped with this wait status: says so, and sets the time of the next start. */
void log_link_ended(struct log_link *link, int status, int64_t now);

/* A life begins: what was said until now is not its. */
void log_link_begin_life(struct log_link *link);

/* A life is over, and nobody writes to the pipes now: a log process is to read what is left. */
void log_link_read_on(struct log_link *link, int64_t now);

/* True once it has. */
bool log_link_is_read(const struct log_link *link);

/* What the life left of a line is one. Where not all was read there may be an empty line. */
void log_link_end_life(struct log_link *link);

/* All is over: what is in the pipes is all that is to come. */
void log_link_finish(struct log_link *link, int64_t now);

/* True as long as a log process has something to do, or is to be started for it. */
bool log_link_is_busy(const struct log_link *link);

/* It had its time. */
void log_link_give_up(struct log_link *link);

/* The last that this life wrote to standard error, `size` bytes with a NUL at the most. Returns how many. */
size_t log_link_last(const struct log_link *link, size_t size, char *ret_text);
