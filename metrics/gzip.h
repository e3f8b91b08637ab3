/* gzip (RFC 1952) of a text: DEFLATE (RFC 1951) with its fixed codes, matches found by one hash. Small rather than
 * tight: zlib would be
 * 22 KB of program and 256 KB of memory, this is 1 KB of program and 17 KB of stack. Pure. */
#pragma once

#include <stddef.h>

/* Below, a page is one packet anyway. */
#define GZIP_FROM 1024
/* Above, it would keep others waiting: that much takes 15 to 60 ms. */
#define GZIP_UP_TO (1024 * 1024)

/* Compresses `length` bytes, at most GZIP_UP_TO. Returns 0 and memory that the caller frees, or -ENOMEM, or -EFBIG. */
int gzip_compress(const char *text, size_t length, char **ret_bytes, size_t *ret_length);
