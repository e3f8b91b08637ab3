/* What the monitor has counted, in memory that outlives it: PID 1 makes it once and hands it to every monitor, and
 * never looks into it. A monitor may be killed between any two instructions: of each thing there are two copies, and
 * what is written is the one that does not count yet. What lies there was written by a monitor: nothing in it is taken
 * for granted. One process at a time writes. */
#pragma once

#include "base/wire.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What is counted of one check: the fields of struct wire_check that go on counting. */
struct tally {
	uint64_t successes;
	uint64_t failures;
	int64_t last_success_ns;
	int64_t duration_sum_ns;
	uint64_t duration_bucket[WIRE_BUCKETS + 1];
};

/* The most that a service's CPU time has been. Its sum falls when an orphan of the service is reaped by PID 1, whose
 * own times take it up, and a counter that falls counts as a restart from 0: rate() would jump by the whole sum. */
struct cpu_mark { /* all zero: nothing was seen */
	pid_t main_pid;
	uint64_t started; /* proc_stat.start_ticks of that process: a pid may come back */
	uint64_t user_ns;
	uint64_t system_ns;
};

struct kept_tally {
	uint32_t current; /* the copy that counts */
	struct tally copy[2];
};

struct kept_cpu {
	uint32_t current;
	struct cpu_mark copy[2];
};

struct kept { /* all zero: nothing was counted */
	struct kept_cpu cpu;
	struct kept_tally tally[]; /* one for each check of the configuration */
};

/* Makes value the one of two copies that counts, wherever the process may be killed meanwhile. */
void kept_commit(uint32_t *current, void *copies, const void *value, size_t size);

/* Makes the memory, for PID 1. Returns a descriptor, CLOEXEC, or -errno. */
int kept_make(size_t check_count);

/* Maps it, for a monitor, and closes the descriptor. Where PID 1 had none to give (fd is not open) it is memory of our
 * own. Returns 0, or -ENOMEM where there is not even that. */
int kept_open(int fd, size_t check_count, struct kept **ret_kept);

/* Nothing counted, if what lies there cannot be a tally. */
struct tally kept_tally(const struct kept *kept, size_t check);
void kept_put_tally(struct kept *kept, size_t check, const struct tally *tally);

struct cpu_mark kept_cpu(const struct kept *kept);
void kept_put_cpu(struct kept *kept, const struct cpu_mark *mark);
