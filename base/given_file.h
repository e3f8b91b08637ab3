/* A file that an option names and that the monitor reads, again and again: of users, tokens, a certificate, a key. */
#pragma once

#include "base/complaint.h"

#include <stddef.h>

/* Reads it whole, as file_read() does (base/fdio.h); it is to be a regular file. Returns 0 or -errno, and a sentence
 * that begins with the option. */
int given_file_read(const char *option, const char *path, size_t limit, char **ret_text, size_t *ret_length,
	struct complaint *ret_why);
