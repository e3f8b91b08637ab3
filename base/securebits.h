/* Securebits by the names of capabilities(7) in small letters, as setpriv(1) has them: "noroot", "noroot_locked". Pure.
 */
#pragma once

#include <stdint.h>

#define SECUREBITS_COUNT 8 /* SECBIT_NOROOT to SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED */

/* The name of bit 0 to SECUREBITS_COUNT - 1. */
const char *securebits_name(unsigned bit);

/* The bit of a name that may be asked for. Returns 0 or -EINVAL: keep_caps may not, as execve(2) clears it. */
int securebits_parse(const char *text, uint32_t *ret_bit);
