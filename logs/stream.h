/* A service's standard output or error, as it comes out of its pipe. No call here waits. */
#pragma once

#include "base/log_kept.h"
#include "logs/pump.h"
#include "logs/ring.h"
#include "logs/sink.h"

#include <stdbool.h>
#include <stdint.h>

struct stream {
	const char *service; /* borrowed */
	const char *name;    /* "stdout", "stderr" */
	enum logging_format format;
	bool drop;  /* lines for which there is no room */
	int pipe;   /* its reading end, which does not block */
	int memory; /* whose position says how much came */
	struct ring ring;
	struct log_stream_kept *kept;
	struct log_stream_mark mark;
	struct sink *sink; /* borrowed */
	uint64_t produced;
	int64_t read_at_ns; /* since the epoch */
	bool ended;         /* nothing more comes */
};

/* Goes on where the last process was, with the stream's other fields as the caller has set them. */
int stream_open(struct stream *stream);

/* Takes what the pipe holds, as far as there is room. Returns false where nothing was there; last: then nothing will
 * come. */
bool stream_read(struct stream *stream, int64_t wall_ns, bool last);

/* Gives the sink the lines that are whole. Returns true if there were any that it had room for, or that were dropped.
 */
bool stream_pump(struct stream *stream);

/* Bytes that can be read. */
static inline size_t stream_room(const struct stream *stream)
{
	return LOG_RING_SIZE - 1 - (size_t)(stream->produced - stream->mark.consumed);
}
