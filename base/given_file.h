/* A file that an option names and that the monitor reads, again and again: of users, tokens, a certificate, a key. */
#pragma once

#include "base/complaint.h"

#include <stddef.h>

/* Who opens what this process may not: returns a descriptor (CLOEXEC, the caller's), or -errno; -EAGAIN: not now. NULL,
 * as at first: nobody. */
typedef int given_file_opener(const char *path);
void given_file_ask(given_file_opener *opener);

/* Opens it to be read, and waits for nobody: it is to be a regular file. Returns a descriptor (CLOEXEC), or -errno;
 * -EINVAL: it is none. */
int given_file_open(const char *path);

/* Reads it whole, as file_read() does (base/fdio.h). Returns 0 or -errno, and a sentence that begins with the option;
 * -EAGAIN: who opens it for us did not do so in time. */
int given_file_read(const char *option, const char *path, size_t limit, char **ret_text, size_t *ret_length,
	struct complaint *ret_why);
