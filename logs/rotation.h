/* When a file of lines is full, and what becomes of it. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* How much of `length` bytes of whole lines goes into a file that has `size` bytes now: as many lines as leave it at
 * `max_size` at the most. 0: another file first. One line that is longer than that has a file of its own. */
size_t rotation_portion(const char *text, size_t length, uint64_t size, uint64_t max_size);

/* "FILE.1" is the one before the newest, as docker names them. Returns 0, or -ENAMETOOLONG. */
int rotation_name(const char *file, unsigned number, size_t size, char *ret_name);
