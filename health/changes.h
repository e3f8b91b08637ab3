/* Watches files and directories for --watch: by inotify(7), directories with all that is in them, new ones followed.
 * Where the kernel grants no more watches, or the file system hears of no change that others make (NFS, SMB, 9p, FUSE),
 * it looks at all files every second instead, and says so. */
#pragma once

#include "base/model.h"
#include "health/watched.h"

#include <poll.h>

/* Tells PID 1 of a change; path: of the last file of a burst, which is no editor's or tool's temporary one any more.
 * Returns false if it could not be told now. */
typedef bool changes_tell(uint32_t service, const char *path);

struct changed_root {
	char path[TARGET_PATH_SIZE];
	char parent[TARGET_PATH_SIZE];
	uint64_t identity; /* of what is there: it may be replaced as a whole; 0: nothing is */
	uint64_t looks;    /* of all files below it, where they are looked at */
};

struct changes {
	uint32_t service; /* whose they are: its index */
	const char *what; /* in messages: who asks for it; the caller's to set */
	changes_tell *tell;
	size_t root_count;
	struct changed_root root[MODEL_PATHS_MAX];
	int inotify;                         /* -1: nothing is watched, or it is looked at */
	struct watched_directory *directory; /* owned */
	size_t directory_count, directory_room;
	bool denied, cut;    /* somewhere, and told */
	int64_t look_at_ns;  /* TIME_NEVER: inotify tells */
	int64_t again_at_ns; /* PID 1 could not be told; it is tried again then */
	struct burst burst;
	char latest[TARGET_PATH_SIZE]; /* of the burst */
};

/* Begins to watch; it never fails, but may come to look instead. Opens what the monitor's filter would not let it. */
void changes_open(struct changes *changes, uint32_t service, const struct path_list *paths, changes_tell *tell);

/* One slot, or none. */
size_t changes_pollfds(const struct changes *changes, struct pollfd *ret_slots);
int64_t changes_deadline_ns(const struct changes *changes);

/* Takes what has changed, and tells once a burst is over. */
void changes_run(struct changes *changes, int64_t now);
