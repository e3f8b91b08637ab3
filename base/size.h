/* Sizes as people write them: 512, 64KiB, 768MiB, 2g. */
#pragma once

#include <stdint.h>

/* Parses a size into bytes: digits and perhaps a unit, KiB, MiB, GiB or TiB, or k, m, g or t as docker run has them
 * (any case). KB and MB are refused: they are 1000 for some and 1024 for others. Returns 0, or -EINVAL, or -ERANGE. */
int size_parse(const char *text, uint64_t *ret_bytes);
