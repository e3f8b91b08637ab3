/* Descriptors that PID 1 was given and does not need itself. */
#pragma once

#include <stddef.h>

/* Closes every descriptor from 3 on that is not among `ours` (in any order; -1 stands for none). Sorts `ours`. No loop
 * over numbers: RLIMIT_NOFILE may be 10^9 (close_range(2), Linux 5.9; before that they stay open). */
void inherited_close(int *ours, size_t count);
