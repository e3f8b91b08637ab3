/* --ulimit NAME=SOFT[:HARD], with the names and the syntax of docker run. Pure. */
#pragma once

#include "base/complaint.h"

#include <stdint.h>

#define ULIMIT_COUNT 16 /* resources, RLIMIT_CPU to RLIMIT_RTTIME */
#define ULIMIT_UNLIMITED UINT64_MAX

struct ulimit {
	uint64_t soft, hard; /* in the resource's own unit, getrlimit(2) */
};

/* "nofile" for RLIMIT_NOFILE, as getrlimit(2) numbers them on this architecture. */
const char *ulimit_name(unsigned resource);

/* SOFT alone is both. "-1" and "unlimited" mean no limit. Returns 0, or -EINVAL with a sentence. */
int ulimit_parse(const char *text, unsigned *ret_resource, struct ulimit *ret_limit, struct complaint *ret_why);
