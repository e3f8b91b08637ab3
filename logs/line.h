/* Lines out of a stream of bytes, however it comes in. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What is longer comes in pieces, as with docker. */
#define LINE_BYTES_MAX 16384

struct line_piece {
	const char *text; /* borrowed */
	size_t length;    /* without the newline */
	size_t taken;     /* bytes of the stream that it was */
	bool goes_on;     /* the line's next piece is to come */
};

/* The first line of `length` bytes, or the first piece of one that is longer than LINE_BYTES_MAX, cut between two
 * characters of UTF-8. ended: nothing comes behind them, and what is left without a newline is a line. Returns false
 * where more is to come first, or nothing is there. */
bool line_first(const char *text, size_t length, bool ended, struct line_piece *ret_piece);
