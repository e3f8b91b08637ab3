/* Which variables are not to be shown. Pure. */
#pragma once

#include <stdbool.h>

/* True if the variable (NAME=VALUE) looks as if its value were a secret: by its name, unless the value is empty or a
 * path; or a URL with a password in it. */
bool secret_is_likely(const char *variable);
