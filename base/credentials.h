/* Who may see guarded pages: users with bcrypt hashes as `htpasswd -B` writes them, and bearer tokens, from two files.
 */
#pragma once

#include "base/complaint.h"

#include <stddef.h>

#define CREDENTIALS_FILE_MAX 65536
#define CREDENTIALS_MAX 64 /* users, and tokens */
#define CREDENTIALS_NAME_SIZE 64
#define CREDENTIALS_HASH_SIZE 61 /* "$2y$10$", 22 characters of salt, 31 of hash, NUL */
#define CREDENTIALS_TOKEN_MIN 16
#define CREDENTIALS_TOKEN_SIZE 1025
#define CREDENTIALS_COST_MAX 14 /* of bcrypt: half a second to a second */

struct credentials {
	size_t user_count, token_count;
	struct {
		char name[CREDENTIALS_NAME_SIZE], hash[CREDENTIALS_HASH_SIZE];
	} user[CREDENTIALS_MAX];
	char token[CREDENTIALS_MAX][CREDENTIALS_TOKEN_SIZE];
};

/* Reads the texts of the two files; empty lines and those that begin with '#' are skipped. A user's line is NAME:HASH,
 * where HASH is of bcrypt ($2a$, $2b$, $2y$) and of a cost from 4 to CREDENTIALS_COST_MAX; a token's is the token (RFC
 * 6750, section 2.1), of CREDENTIALS_TOKEN_MIN characters at the least. At least one of either is there. What was there
 * before is replaced. Returns 0, or -EINVAL and a sentence that tells the line and never shows a secret. */
int credentials_parse_users(const char *text, struct credentials *ret_credentials, struct complaint *ret_why);
int credentials_parse_tokens(const char *text, struct credentials *ret_credentials, struct complaint *ret_why);

/* Reads the files; a path that is NULL names none. Sentences begin with the option. Each is to be a regular file.
 * Returns 0 or -errno, with *ret_credentials as it was. */
int credentials_load(const char *users_path, const char *tokens_path, struct credentials *ret_credentials,
	struct complaint *ret_why);
