/* What a line is put into: a tag in front of it, or an object of JSON around it. Pure. */
#pragma once

#include "base/logging.h"
#include "logs/line.h"

#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_OPENING_MAX 160

/* What all lines have in common that were read at one time. */
struct envelope {
	enum logging_format format;
	size_t length;
	char opening[ENVELOPE_OPENING_MAX];
};

/* wall_ns: since the epoch. service: at most 63 bytes of letters, digits, _ . and -. stream: "stdout" or "stderr". */
void envelope_begin(struct envelope *envelope, enum logging_format format, const char *service, const char *stream,
	int64_t wall_ns);

/* The most that a piece of so many bytes, or the word about lost lines (0), may become. */
size_t envelope_bound(const struct envelope *envelope, size_t length);

/* Writes the piece as one line, its newline included. Returns its length:
 *
 *     2026-11-29T14:09:14.123456Z main stdout | the line, byte by byte      (+ for |: the line goes on)
 *     {"time":"2026-11-29T14:09:14.123456Z","service":"main","stream":"stdout","message":"the line"}
 *
 * in the latter with "partial":true if it goes on, and U+FFFD for what is no UTF-8 (RFC 8259 section 8.1). Up to three
 * bytes behind the piece may be looked at. */
size_t envelope_write(const struct envelope *envelope, const struct line_piece *piece, char *ret_line);

/* Writes the line that says how many others were lost before it. Returns its length. */
size_t envelope_write_dropped(const struct envelope *envelope, uint64_t lines, char *ret_line);
