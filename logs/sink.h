/* Where lines go: a file that is rotated by its size, or our own standard output or error. Whole lines wait in a ring
 * that outlives this process. No call here waits. */
#pragma once

#include "base/log_kept.h"
#include "logs/ring.h"

#include <stdbool.h>
#include <stdint.h>

struct sink {
	const char *file; /* borrowed; NULL: fd is standard output or error */
	uint64_t max_size;
	unsigned max_file;
	int fd; /* -1: a file that is not open */
	struct ring ring;
	struct log_sink_kept *kept;
	uint64_t head; /* what it was given in all */
	struct log_sink_mark mark;
	int64_t retry_at_ns; /* TIME_NEVER, or a write failed that may succeed later */
	int64_t look_at_ns;  /* of a file: whether its name is still its own */
	bool is_regular;
	bool full;   /* it takes no more for now */
	bool broken; /* nobody is there any more who could read it: what comes is dropped */
	bool told;   /* that it failed; once, until it succeeds */
};

/* Goes on where the last process was, with the sink's other fields as the caller has set them. head: what the sink was
 * given until then. */
void sink_open(struct sink *sink, uint64_t head, int64_t now);

/* Writes what waits, as far as it goes. Returns whether there is more room now. */
bool sink_write(struct sink *sink, int64_t now);

/* Bytes that it can be given. One less than the ring: the byte before what waits tells whether a line begins there. */
static inline size_t sink_room(const struct sink *sink)
{
	return sink->ring.size - 1 - (size_t)(sink->head - sink->mark.tail);
}

static inline bool sink_is_empty(const struct sink *sink)
{
	return sink->head == sink->mark.tail;
}
