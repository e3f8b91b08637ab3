/* Two files that are read again when they change. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct seen_file { /* what stat(2) said when it was read */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
};

struct followed {
	const char *path[2]; /* borrowed; NULL: none */
	struct seen_file seen[2];
	int64_t looked_at_ns; /* 0: never */
	bool again;
};

/* True if one of them has changed since it was asked last, and at first; looked at once a second at the most. A file
 * that is replaced while it is read has another inode or time the next time. */
bool followed_changed(struct followed *followed, int64_t now);

/* They could not be read yet: they count as changed when they are looked at next. */
void followed_again(struct followed *followed);
