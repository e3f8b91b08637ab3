/* Signal names as people write them: TERM, SIGTERM, sigterm, 15, RTMIN+3, RTMAX-1. */
#pragma once

#include <stddef.h>

#define SIGNAL_NAME_SIZE 16

/* The number that the text names, 1 to 64. Returns 0 or -EINVAL. */
int signal_parse(const char *text, int *ret_signal);

/* Writes the name without SIG ("TERM", "RTMIN+3") of a signal from 1 to 64. Linux' real-time range, 34 to 64 as libc
 * leaves it (signal(7)), is counted from RTMIN. Returns `buffer`. */
const char *signal_name(int signal, char buffer[SIGNAL_NAME_SIZE]);
