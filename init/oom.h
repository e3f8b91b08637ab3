/* Whether the kernel killed for want of memory. */
#pragma once

#include <stdint.h>

/* How often it did so in this process's cgroup, since that was made: oom_kill of memory.events (version 2) or of
 * memory.oom_control (version 1). Returns 0, or -ENODATA where that cannot be known. Nothing is allocated; files of
 * /proc and of cgroups never block. */
int oom_kills_read(uint64_t *ret_kills);
