/* What a log process leaves to the next one, in memory that PID 1 makes and keeps: it may be killed between any two
 * instructions, and the next goes on where it was. PID 1 itself reads of it where a stream is, and what it said last.
 * What lies there was written by a log process: PID 1 takes nothing in it for granted.
 *
 * A stream's memory is a ring: the kernel moves bytes from the pipe into it (splice(2)) and in the same call the
 * position of its descriptor, which all processes share that hold it. So no byte is in both, or in none. */
#pragma once

#include <stdint.h>

/* Behind the bytes that are consumed, at most LOG_RING_SIZE - 1 that are not. A power of two. */
#define LOG_RING_SIZE 65536

struct log_stream_mark { /* all zero: nothing came yet */
	uint64_t consumed;
	uint64_t head;     /* where its last line ends in what its sink was given */
	uint64_t dropped;  /* lines, for want of room */
	uint64_t untold;   /* of them since it was last said */
	uint32_t dropping; /* the line that goes on is one of them */
	uint32_t unused;
};

struct log_sink_mark {     /* all zero: nothing was written yet */
	uint64_t tail;     /* what of that is written */
	uint64_t size;     /* of the file, then, */
	uint64_t dev, ino; /* and which one it is (stat(2)); ino 0: none is open */
};

/* Of each there are two copies, and what is written is the one that does not count yet (kept_commit()). */
struct log_stream_kept {
	uint32_t current, unused;
	struct log_stream_mark copy[2];
};

struct log_sink_kept {
	uint32_t current, unused;
	struct log_sink_mark copy[2];
};

/* How many bytes came in all, by the position of the descriptor of a stream's memory. */
static inline uint64_t log_produced(uint64_t consumed, uint64_t position)
{
	return consumed + ((position - consumed) & (LOG_RING_SIZE - 1));
}

/* The descriptors that PID 1 hands to it, by number. PID 1's end of the first one closes when all is over: what is in
 * the pipes then is all that is to come. Behind the kept memory each stream's pipe, and its ring; the streams are every
 * service's standard output and error, in the order of its arguments. */
#define LOGGER_FD_END 3
#define LOGGER_FD_KEPT 4
#define LOGGER_FD_STREAMS 5

/* Its arguments: FORMAT LEVEL of its own messages, and for each service LOGGER_WORDS words: NAME FORMAT FILE MAX-SIZE
 * MAX-FILE MODE MAX-BUFFER-SIZE, FILE empty where there is none. */
#define LOGGER_WORDS 7

/* What a new file may be to others: nothing, but for the group of its directory's owner. */
#define LOG_FILE_MODE 0640

/* How long it has for what is left once all is over. PID 1 waits a little longer. */
#define LOGGER_END_NS (2 * NS_PER_S)
