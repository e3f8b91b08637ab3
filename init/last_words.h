/* What a process wrote to standard error before it died, fit for a log of others. Pure. */
#pragma once

#include <stddef.h>

#define LAST_WORDS_LINES 5
#define LAST_WORDS_SIZE 513 /* 512 bytes and a NUL */

/* Keeps the last LAST_WORDS_LINES lines of `length` bytes with a NUL behind them, and no more than is there whole:
 * where LAST_WORDS_SIZE - 1 bytes are all that is known, the first line has lost its beginning, and goes if others
 * follow. Empty lines do not count; what a terminal would obey becomes a question mark. The lines are parted by
 * newlines. Returns their length, 0 if nothing is left. */
size_t last_words(size_t length, char *text);
