/* Watches the files of secrets, for PID 1, which has them looked at: the monitor sees names, sizes and times of them,
 * never what they hold. By inotify(7) where that tells: the file itself, written in place or replaced by another name,
 * and the links that lead to it, as a kubelet swaps ..data. Besides it looks at all of them every ten seconds: a link
 * two directories further on, a file system that tells nothing, a directory that it may not read. */
#pragma once

#include "health/changes.h"

struct secret_watch {
	const struct model *model; /* borrowed; NULL: there is nothing to watch */
	struct changes changes;
	struct burst burst;
	uint64_t identity; /* of all files; 0: one of them could not be seen */
	int64_t look_at_ns, again_at_ns;
};

/* tell: asks PID 1 to look at them all; its path may be NULL. */
void secret_watch_open(struct secret_watch *watch, const struct model *model, changes_tell *tell);

/* One slot, or none. */
size_t secret_watch_pollfds(const struct secret_watch *watch, struct pollfd *ret_slots);
int64_t secret_watch_deadline_ns(const struct secret_watch *watch);
void secret_watch_run(struct secret_watch *watch, int64_t now);
