/* libFuzzer: looks for an Authorization field that does not say what was taken from it, and for files of users and
 * tokens that let in whom they do not name, or whose refusal shows what they hold. Built and run by tests/fuzz/run. The
 * first byte says what the rest is. */
#include "base/credentials.h"
#include "metrics/authorization.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECRET_LEAST 12 /* of what is looked for in a sentence: less may be a word of it */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void __attribute__((noreturn)) broken(const char *what)
{
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* Base64 with padding (RFC 4648, section 4), said again. */
static void encode(const char *text, size_t length, char *ret_digits)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t at = 0; at < length; at += 3) {
		uint32_t three = 0;

		for (size_t i = 0; i < 3; i++)
			three = three << 8 | (at + i < length ? (uint8_t)text[at + i] : 0);
		for (size_t i = 0; i < 4; i++)
			*ret_digits++ = at + i > length ? '=' : digits[three >> (18 - 6 * i) & 63];
	}
	*ret_digits = '\0';
}

/* Who was taken from a field says himself again, and is the same. */
static void check_field(const char *field)
{
	static char both[2 * AUTHORIZATION_SIZE], digits[4 * AUTHORIZATION_SIZE], again[8 * AUTHORIZATION_SIZE];
	struct authorization who, same;

	memset(&who, 0xa5, sizeof who);
	if (authorization_parse(field, &who) < 0)
		return;
	if (memchr(who.name, '\0', sizeof who.name) == NULL || memchr(who.secret, '\0', sizeof who.secret) == NULL)
		broken("a text without an end");
	if (who.scheme == SCHEME_BEARER) {
		if (strncasecmp(field, "bearer ", 7) != 0 || who.name[0] != '\0' || who.secret[0] == '\0' ||
			strcmp(field + strlen(field) - strlen(who.secret), who.secret) != 0)
			broken("another token");
		snprintf(again, sizeof again, "Bearer %s", who.secret);
	} else {
		if (strncasecmp(field, "basic ", 6) != 0 || strchr(who.name, ':') != NULL)
			broken("another user");
		snprintf(both, sizeof both, "%s:%s", who.name, who.secret);
		encode(both, strlen(both), digits);
		/* The last digit's spare bits, and padding, may have been others. */
		if (strncmp(field + strcspn(field, " ") + strspn(field + strcspn(field, " "), " "), digits,
			    strlen(both) / 3 * 4) != 0)
			broken("another user or password");
		snprintf(again, sizeof again, "Basic %s", digits);
	}
	if (authorization_parse(again, &same) < 0 || same.scheme != who.scheme || strcmp(same.name, who.name) != 0 ||
		strcmp(same.secret, who.secret) != 0)
		broken("what was taken is not taken again");
}

static bool has_line(const char *text, const char *line)
{
	const size_t length = strlen(line);

	for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
		if ((at == text || at[-1] == '\n') &&
			(at[length] == '\0' || at[length] == '\n' || strcmp(at + length, "\r") == 0 ||
				strncmp(at + length, "\r\n", 2) == 0))
			return true;
	return false;
}

/* No part of a line behind `from` is in the sentence that refuses the file. */
static void check_sentence(const char *text, const struct complaint *why, bool of_users)
{
	char plain[sizeof why->text];
	unsigned number;

	if (sscanf(why->text, "line %u: ", &number) != 1)
		return;
	while (--number > 0)
		text = strchr(text, '\n') + 1;
	snprintf(plain, sizeof plain, "%.*s", (int)strcspn(text, "\r\n"), text);
	if (of_users && strchr(plain, ':') == NULL)
		return;
	if (of_users)
		memmove(plain, strchr(plain, ':'), strlen(strchr(plain, ':')) + 1);
	if (strlen(plain) >= SECRET_LEAST && strstr(why->text, plain) != NULL)
		broken("a sentence that shows a secret");
}

static void check_users(const char *text)
{
	static struct credentials credentials;
	struct complaint why = { .text = "" };
	char line[CREDENTIALS_NAME_SIZE + CREDENTIALS_HASH_SIZE];

	if (credentials_parse_users(text, &credentials, &why) < 0) {
		check_sentence(text, &why, true);
		return;
	}
	if (credentials.user_count == 0 || credentials.user_count > CREDENTIALS_MAX)
		broken("no users, or too many");
	for (size_t i = 0; i < credentials.user_count; i++) {
		const char *name = credentials.user[i].name, *hash = credentials.user[i].hash;

		if (name[0] == '\0' || name[0] == '#' || strchr(name, ':') != NULL ||
			strlen(hash) != CREDENTIALS_HASH_SIZE - 1 || strncmp(hash, "$2", 2) != 0)
			broken("a user that is none");
		snprintf(line, sizeof line, "%s:%s", name, hash);
		if (!has_line(text, line))
			broken("a user whom the file does not name");
	}
}

static void check_tokens(const char *text)
{
	static struct credentials credentials;
	struct complaint why = { .text = "" };

	if (credentials_parse_tokens(text, &credentials, &why) < 0) {
		check_sentence(text, &why, false);
		return;
	}
	if (credentials.token_count == 0 || credentials.token_count > CREDENTIALS_MAX)
		broken("no tokens, or too many");
	for (size_t i = 0; i < credentials.token_count; i++) {
		const char *token = credentials.token[i];

		if (strlen(token) < CREDENTIALS_TOKEN_MIN || strlen(token) >= CREDENTIALS_TOKEN_SIZE ||
			strpbrk(token, " \t:#$") != NULL || !has_line(text, token))
			broken("a token that the file does not have");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *text;

	if (length < 1)
		return 0;
	text = malloc(length); /* as long as it is: who reads behind its end is found out */
	if (text == NULL)
		return 0;
	memcpy(text, bytes + 1, length - 1);
	text[length - 1] = '\0';
	if (bytes[0] % 3 == 0)
		check_field(text);
	else if (bytes[0] % 3 == 1)
		check_users(text);
	else
		check_tokens(text);
	free(text);
	return 0;
}
