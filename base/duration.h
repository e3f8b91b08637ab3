/* Durations as people write them: 500ms, 8s, 1m30s, 2h. */
#pragma once

#include "base/complaint.h"

#include <stdint.h>

#define DURATION_SIZE 24

/* Parses a duration into nanoseconds, 0 to 365 days. Units, each at most once and from large to small: h, m, s, ms.
 * A bare number is refused except 0, because "8" might mean anything. Returns 0, or -EINVAL (not a duration) or
 * -ERANGE. */
int duration_parse(const char *text, int64_t *ret_ns);

/* The same with a sentence, and of a smallest one. */
int duration_read(const char *text, int64_t smallest, int64_t *ret_ns, struct complaint *ret_why);

/* Writes "250ms", "1s", "1.5s", "27m14s", "3h2m", "12d3h": as precise as people want it. ns: 0 or more. */
void duration_format(int64_t ns, char ret_text[DURATION_SIZE]);
