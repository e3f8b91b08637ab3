/* What of a watched tree counts, and when a burst of changes is over. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* An editor saves several files, a build writes hundreds: they are one change once it is quiet, or has gone on for as
 * long as that. */
#define WATCHED_QUIET_NS (INT64_C(200) * 1000000)
#define WATCHED_BURST_NS (INT64_C(2) * 1000000000)

/* True for what changes without being part of the program: installed packages, a repository's own files, what editors
 * put beside a file while they have it open. name: of a file or a directory, without what it lies in. */
bool watched_ignores(const char *name);

struct burst {
	bool is_open;
	int64_t first_ns, last_ns; /* change; while it is open */
};

void burst_add(struct burst *burst, int64_t now);

/* When it is over; TIME_NEVER where there is none. */
int64_t burst_due_ns(const struct burst *burst);
