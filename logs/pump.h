/* From bytes that a stream brought to lines in their envelopes. Pure: the memory on both sides is the caller's. */
#pragma once

#include "base/log_kept.h"
#include "logs/envelope.h"

#include <stdbool.h>
#include <stddef.h>

struct pump_input {
	const char *text; /* `length` bytes that were not consumed yet, and three more that may be looked at */
	size_t length;
	bool ended; /* nothing comes behind them */
};

/* Takes every line that is whole, one after the other, and writes it behind the last. What it consumed and wrote it
 * adds to the mark. It stops where the next one may not have room, and goes on from there when it is called again; with
 * drop such a line is consumed and counted instead, and the next line that has room comes behind the word about it.
 * Returns the number of bytes written. */
size_t pump_lines(struct log_stream_mark *mark, const struct pump_input *input, const struct envelope *envelope,
	bool drop, size_t room, char *ret_lines);

/* True if the input holds a line that waits for room. */
bool pump_is_held(const struct pump_input *input);
