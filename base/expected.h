/* Which statuses of an HTTP answer count as a success. Pure. */
#pragma once

#include "base/complaint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPECTED_MAX 16

struct status_range {
	uint16_t first, last; /* both included, 200 to 599 */
};

/* All zero is the default: 200 to 399, as Kubernetes has it. */
struct expected {
	size_t count;
	struct status_range range[EXPECTED_MAX];
};

/* Parses a list such as "200,429" or "200-299,401". Returns 0, or -EINVAL with a sentence. */
int expected_parse(const char *text, struct expected *ret_expected, struct complaint *ret_why);

/* expected may be NULL: the default. */
bool expected_has(const struct expected *expected, unsigned status);
