/* Durations as people write them: 500ms, 8s, 1m30s, 2h. */
#pragma once

#include <stdint.h>

/* Parses a duration into nanoseconds, 0 to 365 days. Units, each at most once and from large to small: h, m, s, ms.
 * A bare number is refused except 0, because "8" might mean anything. Returns 0, or -EINVAL (not a duration) or
 * -ERANGE. */
int duration_parse(const char *text, int64_t *ret_ns);
