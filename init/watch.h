/* A text shown again and again, as watch(1) does it. */
#pragma once

#include <stdint.h>

/* Calls draw, which writes the text to stdout, at once and then every interval. On a terminal the text fills another
 * screen, cut to its size, until q, Ctrl-C or a signal that would end us; any other key draws at once, and the terminal
 * is left as it was. Elsewhere one text follows the other, parted by an empty line, until the signal comes or nobody
 * reads any more. Returns 0 or -errno. */
int watch(int64_t interval_ns, void (*draw)(void));
