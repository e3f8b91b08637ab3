/* What is not to be shown: guesses, by names and forms that are common; what looks like nothing is not found. And what
 * a variable may be called that holds a secret. Pure. */
#pragma once

#include <stdbool.h>

#define SECRET_NAME_SIZE 64
#define SECRET_HIDDEN "REDACTED"

/* True if the variable (NAME=VALUE) looks as if its value were a secret: by its name, unless the value is empty, a path
 * or yes or no; or by its value, a URL with a password or a token in it, Bearer and Basic credentials, a JSON Web
 * Token, a private key. */
bool secret_is_likely(const char *variable);

/* What one word of a command tells of the next. Zeroed, nothing. */
struct secret_words {
	bool next_is_secret;
	bool next_is_user; /* USER:PASSWORD */
	bool redis, curl;  /* of its own options -a and -u is known what they mean */
};

/* Copies a word of a command, or a text of many, with SECRET_HIDDEN for the value of --password=X, --token X, KEY=X,
 * "X-Token: X", "Bearer X", for a URL's password and the parameters of such a name, for redis-cli's -a and curl's -u.
 * The caller frees it. NULL: there is no memory. */
char *secret_hide(struct secret_words *words, const char *text);

/* True for a letter or _, and letters, digits and _ behind it, up to SECRET_NAME_SIZE - 1 in all: what a shell can name
 * (POSIX, XBD 8.1). */
bool secret_names_variable(const char *name);
