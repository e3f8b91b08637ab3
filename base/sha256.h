/* SHA-256 (FIPS 180-4), for what names a compiled profile, and for what is compared without being kept. Pure. */
#pragma once

#include <stddef.h>

/* Writes 64 hexadecimal digits and a NUL. */
void sha256_hex(const void *bytes, size_t length, char ret_hex[65]);
