/* Passwords and their bcrypt hashes: the only one that knows crypt(3). */
#pragma once

#include <stdbool.h>

/* True if that is the hash of the password. Takes as long as the hash's cost says: 50 ms and more. */
bool bcrypt_matches(const char *password, const char *hash);
