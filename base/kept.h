/* What the monitor has counted and found, in memory that outlives it: PID 1 makes it once and hands it to every
 * monitor, and never looks into it. A monitor may be killed between any two instructions: of each thing there are two
 * copies, and what is written is the one that does not count yet. What lies there was written by a monitor: nothing in
 * it is taken for granted. One process at a time writes. */
#pragma once

#include "base/trace_context.h"
#include "base/wire.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What was known of one check after its last run (struct verdict, health/verdict.h, which judges it). */
struct last_verdict {                 /* all zero: nothing was */
	uint64_t life;                /* of the service, as `starts` of the snapshot counts them */
	uint64_t successes, failures; /* in it */
	int64_t seen_at_ns;           /* of the monotonic clock */
	uint32_t state, succeeded, started;
	uint32_t consecutive_failures, consecutive_successes;
	uint32_t runs; /* the last ones, a bit each */
};

/* What is counted of one check: the fields of struct wire_check that go on counting; and what was known of it. */
struct tally {
	uint64_t successes;
	uint64_t failures;
	int64_t last_success_ns;
	int64_t duration_sum_ns;
	uint64_t duration_bucket[WIRE_BUCKETS + 1];
	struct last_verdict verdict;
};

/* Of one application's page (--metrics-merge): how often it was left out, by reason (metrics/app_scrape.h). */
#define KEPT_ERRORS 8

struct error_counts {
	uint64_t count[KEPT_ERRORS];
};

/* The most that a service's CPU time has been. Its sum falls when an orphan of the service is reaped by PID 1, whose
 * own times take it up, and a counter that falls counts as a restart from 0: rate() would jump by the whole sum. */
struct cpu_mark { /* all zero: nothing was seen */
	pid_t main_pid;
	uint64_t started; /* proc_stat.start_ticks of that process: a pid may come back */
	uint64_t user_ns;
	uint64_t system_ns;
};

/* The trace of this container, and which of its spans are made (health/tracer.h): a second monitor begins no other. */
struct trace_mark { /* all zero: none was begun */
	uint8_t trace_id[TRACE_ID_SIZE];
	uint8_t root_id[SPAN_ID_SIZE];
	uint64_t life; /* of the service, as `starts` counts them */
	uint32_t made; /* a bit for each enum span_name of that life */
};

struct kept_tally {
	uint32_t current; /* the copy that counts */
	struct tally copy[2];
};

struct kept_cpu {
	uint32_t current;
	struct cpu_mark copy[2];
};

struct kept_errors {
	uint32_t current;
	struct error_counts copy[2];
};

struct kept_trace {
	uint32_t current;
	struct trace_mark copy[2];
};

#define KEPT_VERSION 4

struct kept {             /* all zero: nothing was counted */
	uint32_t version; /* what has another one is no memory of ours, and is cleared */
	uint32_t reserved;
	struct kept_cpu cpu[MODEL_SERVICES_MAX]; /* one for each service */
	struct kept_trace trace;
	struct kept_errors errors[MODEL_MERGE_MAX]; /* one for each page of the configuration */
	struct kept_tally tally[];                  /* one for each check of the configuration */
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

struct error_counts kept_errors(const struct kept *kept, size_t page);
void kept_put_errors(struct kept *kept, size_t page, const struct error_counts *counts);

struct cpu_mark kept_cpu(const struct kept *kept, size_t service);
void kept_put_cpu(struct kept *kept, size_t service, const struct cpu_mark *mark);

struct trace_mark kept_trace(const struct kept *kept);
void kept_put_trace(struct kept *kept, const struct trace_mark *mark);
