/* Which variables are not to be shown, and what a variable may be called that holds a secret. Pure. */
#pragma once

#include <stdbool.h>

#define SECRET_NAME_SIZE 64

/* True if the variable (NAME=VALUE) looks as if its value were a secret: by its name, unless the value is empty or a
 * path; or a URL with a password in it. */
bool secret_is_likely(const char *variable);

/* True for a letter or _, and letters, digits and _ behind it, up to SECRET_NAME_SIZE - 1 in all: what a shell can name
 * (POSIX, XBD 8.1). */
bool secret_names_variable(const char *name);
