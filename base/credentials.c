#include "base/credentials.h"

#include "base/cleanup.h"
#include "base/given_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct line {
	const char *text;
	size_t length;
	unsigned number;
};

/* The next line that says something. */
static bool next_line(const char **at, struct line *line)
{
	while (**at != '\0') {
		size_t length = strcspn(*at, "\n");

		line->text = *at;
		line->length = length > 0 && (*at)[length - 1] == '\r' ? length - 1 : length;
		line->number++;
		*at += length + ((*at)[length] == '\n');
		if (line->length > 0 && line->text[0] != '#')
			return true;
	}
	return false;
}

/* "$2y$10$" and 53 characters of crypt(5)'s alphabet. */
static bool is_bcrypt(const char *hash, size_t length)
{
	if (length != CREDENTIALS_HASH_SIZE - 1 || memcmp(hash, "$2", 2) != 0 || strchr("aby", hash[2]) == NULL ||
		hash[3] != '$' || !isdigit((unsigned char)hash[4]) || !isdigit((unsigned char)hash[5]) ||
		hash[6] != '$')
		return false;
	for (size_t i = 7; i < length; i++)
		if (!isalnum((unsigned char)hash[i]) && hash[i] != '.' && hash[i] != '/')
			return false;
	return true;
}

static int add_user(const struct line *line, struct credentials *credentials, struct complaint *ret_why)
{
	const char *colon = memchr(line->text, ':', line->length);
	const size_t name_length = colon != NULL ? (size_t)(colon - line->text) : 0;
	const char *hash;
	int cost;

	if (colon == NULL || name_length == 0 || name_length >= CREDENTIALS_NAME_SIZE)
		return complain(ret_why, EINVAL,
			"line %u: expected NAME:HASH, as htpasswd -B writes it, with a NAME of 1 to %d characters",
			line->number, CREDENTIALS_NAME_SIZE - 1);
	hash = colon + 1;
	if (!is_bcrypt(hash, line->length - name_length - 1))
		return complain(ret_why, EINVAL, "line %u: '%.*s' has no bcrypt hash: make it with htpasswd -B",
			line->number, (int)name_length, line->text);
	cost = (hash[4] - '0') * 10 + hash[5] - '0';
	if (cost < 4 || cost > CREDENTIALS_COST_MAX)
		return complain(ret_why, EINVAL, "line %u: bcrypt of cost %d: expected 4 to %d (htpasswd -B -C 10)",
			line->number, cost, CREDENTIALS_COST_MAX);
	if (credentials->user_count == CREDENTIALS_MAX)
		return complain(ret_why, EINVAL, "line %u: at most %d users", line->number, CREDENTIALS_MAX);
	snprintf(credentials->user[credentials->user_count].name, CREDENTIALS_NAME_SIZE, "%.*s", (int)name_length,
		line->text);
	snprintf(credentials->user[credentials->user_count++].hash, CREDENTIALS_HASH_SIZE, "%.*s",
		CREDENTIALS_HASH_SIZE - 1, hash);
	return 0;
}

static bool is_token(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && strchr("-._~+/=", text[i]) == NULL)
			return false;
	return true;
}

static int add_token(const struct line *line, struct credentials *credentials, struct complaint *ret_why)
{
	if (line->length < CREDENTIALS_TOKEN_MIN || line->length >= CREDENTIALS_TOKEN_SIZE ||
		!is_token(line->text, line->length))
		return complain(ret_why, EINVAL,
			"line %u: expected a token of %d to %d letters, digits and -._~+/= (openssl rand -hex 32)",
			line->number, CREDENTIALS_TOKEN_MIN, CREDENTIALS_TOKEN_SIZE - 1);
	if (credentials->token_count == CREDENTIALS_MAX)
		return complain(ret_why, EINVAL, "line %u: at most %d tokens", line->number, CREDENTIALS_MAX);
	snprintf(credentials->token[credentials->token_count++], CREDENTIALS_TOKEN_SIZE, "%.*s", (int)line->length,
		line->text);
	return 0;
}

int credentials_parse_users(const char *text, struct credentials *ret_credentials, struct complaint *ret_why)
{
	struct line line = { .number = 0 };
	int error = 0;

	ret_credentials->user_count = 0;
	while (error == 0 && next_line(&text, &line))
		error = add_user(&line, ret_credentials, ret_why);
	if (error == 0 && ret_credentials->user_count == 0)
		return complain(ret_why, EINVAL, "it names no user");
	return error;
}

int credentials_parse_tokens(const char *text, struct credentials *ret_credentials, struct complaint *ret_why)
{
	struct line line = { .number = 0 };
	int error = 0;

	ret_credentials->token_count = 0;
	while (error == 0 && next_line(&text, &line))
		error = add_token(&line, ret_credentials, ret_why);
	if (error == 0 && ret_credentials->token_count == 0)
		return complain(ret_why, EINVAL, "it has no token");
	return error;
}

static int load(const char *option, const char *path,
	int (*parse)(const char *text, struct credentials *ret_credentials, struct complaint *ret_why),
	struct credentials *credentials, struct complaint *ret_why)
{
	cleanup_free char *text = NULL;
	struct complaint plain;
	size_t length;
	int error;

	if (path == NULL)
		return 0;
	error = given_file_read(option, path, CREDENTIALS_FILE_MAX, &text, &length, ret_why);
	if (error < 0)
		return error;
	error = parse(text, credentials, &plain);
	return error < 0 ? complain(ret_why, -error, "%s %s: %.300s", option, path, plain.text) : 0;
}

int credentials_load(
	const char *users_path, const char *tokens_path, struct credentials *ret_credentials, struct complaint *ret_why)
{
	static struct credentials fresh; /* too large for a stack */
	int error = load("--metrics-users", users_path, credentials_parse_users, &fresh, ret_why);

	if (error == 0)
		error = load("--metrics-tokens", tokens_path, credentials_parse_tokens, &fresh, ret_why);
	if (error == 0)
		*ret_credentials = fresh;
	memset(&fresh, 0, sizeof fresh);
	return error;
}
