/* Capability names as capabilities(7) has them, without CAP_: "chown", "net_bind_service". Pure. */
#pragma once

#include <stdint.h>

#define CAPNAME_COUNT 41 /* up to CAP_CHECKPOINT_RESTORE, Linux 5.9 */

/* The lower-case name without "cap_" of a capability from 0 to CAPNAME_COUNT - 1. */
const char *capname(unsigned capability);

/* The bit of a name (any case, with or without CAP_), or all of them for "all". Returns 0 or -EINVAL. */
int capname_parse(const char *text, uint64_t *ret_bits);
