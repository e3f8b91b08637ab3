#include "base/kept.h"

#include "base/fdio.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t size_of(size_t check_count)
{
	return sizeof(struct kept) + check_count * sizeof(struct kept_tally);
}

int kept_make(size_t check_count)
{
	return fd_memory("monitor", size_of(check_count));
}

int kept_open(int fd, size_t check_count, struct kept **ret_kept)
{
	const size_t size = size_of(check_count);
	struct kept *kept = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(fd);
	if (kept == MAP_FAILED)
		kept = calloc(1, size);
	if (kept == NULL)
		return -ENOMEM;
	if (kept->version != KEPT_VERSION)
		memset(kept, 0, size);
	kept->version = KEPT_VERSION;
	*ret_kept = kept;
	return 0;
}

/* A process that is killed has made its writes in the program's order: the compiler is all that must not change it. */
void kept_commit(uint32_t *current, void *copies, const void *value, size_t size)
{
	const uint32_t other = ~*current & 1;

	memcpy((char *)copies + other * size, value, size);
	atomic_signal_fence(memory_order_seq_cst);
	*current = other;
	atomic_signal_fence(memory_order_seq_cst);
}

/* Every run is in one bucket. A year of runs without a pause is far below the limit of their time. */
static bool is_tally(const struct tally *tally)
{
	uint64_t runs = 0;

	for (size_t i = 0; i <= WIRE_BUCKETS; i++)
		runs += tally->duration_bucket[i];
	return runs == tally->successes + tally->failures && tally->last_success_ns >= 0 &&
		tally->duration_sum_ns >= 0 && tally->duration_sum_ns < INT64_MAX / 2;
}

struct tally kept_tally(const struct kept *kept, size_t check)
{
	const struct kept_tally *at = &kept->tally[check];
	const struct tally tally = at->copy[at->current & 1];

	return is_tally(&tally) ? tally : (struct tally){ .successes = 0 };
}

void kept_put_tally(struct kept *kept, size_t check, const struct tally *tally)
{
	struct kept_tally *at = &kept->tally[check];

	kept_commit(&at->current, at->copy, tally, sizeof *tally);
}

/* None comes near the middle of its range, and none goes on counting from there to 0. */
struct error_counts kept_errors(const struct kept *kept, size_t page)
{
	const struct kept_errors *at = &kept->errors[page];
	const struct error_counts counts = at->copy[at->current & 1];

	for (size_t i = 0; i < KEPT_ERRORS; i++)
		if (counts.count[i] > INT64_MAX)
			return (struct error_counts){ { 0 } };
	return counts;
}

void kept_put_errors(struct kept *kept, size_t page, const struct error_counts *counts)
{
	struct kept_errors *at = &kept->errors[page];

	kept_commit(&at->current, at->copy, counts, sizeof *counts);
}

struct cpu_mark kept_cpu(const struct kept *kept, size_t service)
{
	return kept->cpu[service].copy[kept->cpu[service].current & 1];
}

void kept_put_cpu(struct kept *kept, size_t service, const struct cpu_mark *mark)
{
	kept_commit(&kept->cpu[service].current, kept->cpu[service].copy, mark, sizeof *mark);
}

struct trace_mark kept_trace(const struct kept *kept)
{
	return kept->trace.copy[kept->trace.current & 1];
}

void kept_put_trace(struct kept *kept, const struct trace_mark *mark)
{
	kept_commit(&kept->trace.current, kept->trace.copy, mark, sizeof *mark);
}
