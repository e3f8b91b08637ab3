/* What becomes of a secret's file in a service's environment: which NAME_FILE names one, and what of its bytes is the
 * value. Pure. */
#pragma once

#include "base/complaint.h"
#include "base/secret.h"

#include <stddef.h>
#include <stdint.h>

#define SECRET_SIZE_MAX 65536 /* half of what the kernel takes for one variable (MAX_ARG_STRLEN, execve(2)) */
#define SECRET_KEY_SIZE 32

/* True if the variable, NAME_FILE=PATH, is to be read: its NAME is in the list (--file-env), or the list is "all" and
 * the path lies below /run/secrets or /var/run/secrets. Other programs' files are called so, too: SSL_CERT_FILE. An
 * empty one is as one that is not set: a Dockerfile can set a variable that came from its base image, and not unset it.
 */
bool secret_env_resolves(const char *list, const char *variable, char ret_name[static SECRET_NAME_SIZE]);

/* The value of NAME in a list of NAME=VALUE that ends with NULL, or is NULL; borrowed; NULL: it is not there, or is
 * empty. */
const char *secret_env_value(char *const *environment, const char *name, const char *behind_name);

/* What of the bytes (length of them, with room for one more) is the value: without one newline at the end, terminated.
 * Returns 0, or -EINVAL with a sentence that quotes none of it. */
int secret_env_trim(char *bytes, size_t length, struct complaint *ret_why);

/* A text before which there is room for the key: what tells one value from another, and nobody the value who has not
 * the key. Never 0. */
struct secret_text {
	unsigned char key[SECRET_KEY_SIZE];
	char bytes[SECRET_SIZE_MAX + 1];
};
uint64_t secret_hash(const struct secret_text *text, size_t length);

/* The hash of a directory is the sum of this of each of its files. */
uint64_t secret_hash_named(const char *name, uint64_t hash);
