/* How much memory this container may have: read, by who needs it, before anything runs. */
#pragma once

#include "base/config_arithmetic.h"

#include <stdbool.h>

/* Reads what the cgroups of this process and the machine say. The smallest limit on the way from the process up to what
 * is seen of the hierarchy counts, of either version, and never more than the machine has. What cannot be read limits
 * nothing: a container without /sys/fs/cgroup has no limit that a program in it could know. */
void memory_limit_read(struct config_memory *ret_memory);

/* The smallest limit of a cgroup's directory (an absolute path) and those above it; UINT64_MAX if there is none. */
uint64_t memory_limit_of(const char *directory, bool version2);
