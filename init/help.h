/* What `nest-init --help [TOPIC]` prints. The first page fits a screen; the options come out of their table. */
#pragma once

#include <stdio.h>

/* NULL is the first page, "all" every option, and "confinement", "stopping", "health", "metrics" or "log" that section.
 * Returns 0, or -EINVAL for another topic, with nothing written. */
int help_write(const char *topic, FILE *stream);
