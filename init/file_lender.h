/* Opens for the monitor the files of the configuration that it may not open itself, having no more rights than nobody:
 * a private key that is root's, a token that is the service's. A child does it, so that PID 1 waits for no file system,
 * and hands the descriptor over. The monitor says which file by its number; the path is PID 1's own.
 *
 * The operator's files are opened as PID 1's user or, failing that, the service's; the service's tokens as the service
 * alone, which else could have us read for it what it may not: by a symbolic link. Neither passes over permissions
 * (CAP_DAC_OVERRIDE), which PID 1 does not keep. */
#pragma once

#include "init/confine.h"
#include "init/monitor_link.h"

struct file_lender {
	const struct model *model;       /* borrowed */
	const struct confine_plan *plan; /* borrowed: who the service is */
	pid_t pid;                       /* 0: none is at work */
	int64_t started_at_ns;
};

/* Starts the child, one at a time: while there is one the monitor is told to ask again, and one that takes longer than
 * a second is killed. */
void file_lender_start(struct file_lender *lender, const struct monitor_link *link, uint32_t file, int64_t now);

/* A child was reaped. Returns whether it was this one. */
bool file_lender_ended(struct file_lender *lender, pid_t pid);

/* Before the point of no return: waits for it. Returns a descriptor, or -errno. */
int file_lender_try(const struct file_lender *lender, uint32_t file);
