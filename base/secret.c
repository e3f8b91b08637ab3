#include "base/secret.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BETWEEN " \t\n\"';|()"

/* ---- names ---- */

static bool begins(const char *text, const char *with)
{
	return strncasecmp(text, with, strlen(with)) == 0;
}

/* Wherever they stand in a name. */
static bool has_word(const char *name, size_t length)
{
	static const char words[][12] = { "PASSWORD", "PASSWD", "PASSPHRASE", "REQUIREPASS", "SECRET", "TOKEN", "KEY",
		"CREDENTIAL", "SIGNATURE" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		for (size_t at = 0; at + strlen(words[i]) <= length; at++)
			if (begins(name + at, words[i]))
				return true;
	return false;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
	return length >= strlen(end) && begins(text + length - strlen(end), end);
}

/* PASS, PGPASS, DBPASS; no COMPASS. */
static bool is_pass(const char *part, size_t length)
{
	return ends_with(part, length, "PASS") && !ends_with(part, length, "COMPASS") &&
		!ends_with(part, length, "BYPASS");
}

/* Too short for that: as a whole part of a name. */
static bool has_part(const char *name, size_t length)
{
	static const char parts[][14] = { "PW", "PWD", "AUTH", "AUTHORIZATION", "JWT", "SESSION", "COOKIE" };

	for (size_t at = 0, end; at < length; at = end + 1) {
		for (end = at; end < length && isalnum((unsigned char)name[end]);)
			end++;
		if (is_pass(name + at, end - at))
			return true;
		for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
			if (end - at == strlen(parts[i]) && begins(name + at, parts[i]))
				return true;
	}
	return false;
}

/* SESSION_TIMEOUT, AUTH_URL: about a secret, not the secret itself. */
static bool is_about(const char *name, size_t length)
{
	static const char ends[][9] = { "URL", "URI", "HOST", "PORT", "TTL", "TIMEOUT", "ENABLED", "METHOD", "TYPE",
		"MODE" };

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		const size_t size = strlen(ends[i]);

		if (length > size && !isalnum((unsigned char)name[length - size - 1]) &&
			begins(name + length - size, ends[i]))
			return true;
	}
	return false;
}

static bool is_secret_name(const char *name, size_t length)
{
	return has_word(name, length) || (has_part(name, length) && !is_about(name, length));
}

/* ---- values ---- */

static bool is_harmless(const char *value, size_t length)
{
	static const char harmless[][6] = { "true", "false", "yes", "no", "on", "off" };

	if (length == 0 || *value == '/')
		return true;
	for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
		if (strlen(harmless[i]) == length && begins(value, harmless[i]))
			return true;
	return false;
}

/* NULL: it is no URL. Where scheme:// ends. */
static const char *authority_of(const char *text, size_t length)
{
	for (size_t i = 0; i + 3 <= length; i++)
		if (memcmp(text + i, "://", 3) == 0)
			return text + i + 3;
	return NULL;
}

/* scheme://user:password@host (RFC 3986, 3.2.1): where the password begins, and its length; 0: there is none. */
static size_t password_at(const char *authority, const char *end, const char **ret_password)
{
	const char *at = authority, *colon;

	while (at < end && strchr("@/?#", *at) == NULL)
		at++;
	colon = memchr(authority, ':', (size_t)(at - authority));
	if (at == end || *at != '@' || colon == NULL)
		return 0;
	*ret_password = colon + 1;
	return (size_t)(at - colon - 1);
}

/* The next parameter of a secret's name behind `from`: where its value begins, and its length; 0: there is none. */
static size_t parameter_at(const char *from, const char *end, const char **ret_value)
{
	while (from < end && (from = memchr(from, '=', (size_t)(end - from))) != NULL) {
		const char *name = from, *value = ++from;

		while (strchr("?&=", name[-1]) == NULL)
			name--;
		while (from < end && *from != '&' && *from != '#')
			from++;
		if (from > value && is_secret_name(name, (size_t)(value - 1 - name))) {
			*ret_value = value;
			return (size_t)(from - value);
		}
	}
	return 0;
}

static const char *query_of(const char *url, const char *end)
{
	return memchr(url, '?', (size_t)(end - url));
}

static bool is_secret_url(const char *value)
{
	const size_t length = strlen(value);
	const char *authority = authority_of(value, length), *end = value + length, *query, *found;

	if (authority == NULL)
		return false;
	query = query_of(authority, end);
	return password_at(authority, end, &found) > 0 || (query != NULL && parameter_at(query, end, &found) > 0);
}

/* RFC 6750, RFC 7617; the header of a JSON Web Token begins with {" in base64url (RFC 7519); RFC 7468. */
static bool is_secret_value(const char *value)
{
	return begins(value, "Bearer ") || begins(value, "Basic ") ||
		(strncmp(value, "eyJ", 3) == 0 && strchr(value, '.') != NULL) ||
		(begins(value, "-----BEGIN") && strstr(value, "PRIVATE KEY") != NULL) || is_secret_url(value);
}

bool secret_is_likely(const char *variable)
{
	const size_t length = strcspn(variable, "=");
	const char *value = variable + length + (variable[length] == '=');

	return (is_secret_name(variable, length) && !is_harmless(value, strlen(value))) || is_secret_value(value);
}

/* ---- words ---- */

struct copy {
	char *text;
	size_t length;
};

static void add(struct copy *copy, const char *from, const char *to)
{
	memcpy(copy->text + copy->length, from, (size_t)(to - from));
	copy->length += (size_t)(to - from);
}

static void hide(struct copy *copy)
{
	static const char hidden[] = SECRET_HIDDEN;

	add(copy, hidden, hidden + strlen(hidden));
}

static void hide_in_url(struct copy *copy, const char *from, const char *authority, const char *end)
{
	const char *found, *query = query_of(authority, end);
	size_t length = password_at(authority, end, &found);

	if (length > 0) {
		add(copy, from, found);
		hide(copy);
		from = found + length;
	}
	while (query != NULL && (length = parameter_at(query, end, &found)) > 0) {
		add(copy, from, found);
		hide(copy);
		from = query = found + length;
		if (query == end || *query == '#')
			break;
	}
	add(copy, from, end);
}

static bool is_word(const char *from, const char *end, const char *word)
{
	return (size_t)(end - from) == strlen(word) && begins(from, word);
}

static bool is_scheme(const char *from, const char *end)
{
	return is_word(from, end, "Bearer") || is_word(from, end, "Basic");
}

/* What is known of the program, and of the word behind this one. */
static void look_ahead(struct secret_words *words, const char *from, const char *end)
{
	const char *name = end;
	const bool option = (*from == '-' && memchr(from, '=', (size_t)(end - from)) == NULL) || end[-1] == ':';

	while (name > from && name[-1] != '/' && name[-1] != ':') /* behind exec: there may be a program */
		name--;
	words->redis = words->redis || is_word(name, end, "redis-cli") || is_word(name, end, "valkey-cli");
	words->curl = words->curl || is_word(name, end, "curl");
	words->next_is_user = words->curl && (is_word(from, end, "-u") || is_word(from, end, "--user"));
	words->next_is_secret = (option && is_secret_name(from, (size_t)(end - from))) || is_scheme(from, end) ||
		(words->redis && is_word(from, end, "-a"));
}

static void hide_in_word(struct secret_words *words, const char *from, const char *end, struct copy *copy)
{
	const char *authority = authority_of(from, (size_t)(end - from));
	const char *part = from, *colon = memchr(from, ':', (size_t)(end - from));

	if (words->next_is_secret && *from != '-' && !is_scheme(from, end)) {
		hide(copy);
		*words = (struct secret_words){ .redis = words->redis, .curl = words->curl };
		return;
	}
	if (words->next_is_user && colon != NULL) {
		add(copy, from, colon + 1);
		hide(copy);
		words->next_is_user = false;
		return;
	}
	look_ahead(words, from, end);
	while (part < end && *part != '=' && *part != ':')
		part++;
	if (authority != NULL && authority < part + 4) {
		hide_in_url(copy, from, authority, end);
	} else if (part < end && is_secret_name(from, (size_t)(part - from)) &&
		!is_harmless(part + 1, (size_t)(end - part - 1))) {
		add(copy, from, part + 1);
		hide(copy);
	} else if (authority != NULL) { /* --url=http://... */
		hide_in_url(copy, from, authority, end);
	} else {
		add(copy, from, end);
	}
}

char *secret_hide(struct secret_words *words, const char *text)
{
	/* Each letter may become a whole word. */
	struct copy copy = { .text = malloc((strlen(text) + 1) * sizeof SECRET_HIDDEN) };

	while (copy.text != NULL && *text != '\0') {
		const size_t between = strspn(text, BETWEEN), length = strcspn(text + between, BETWEEN);

		add(&copy, text, text + between);
		text += between;
		if (length > 0)
			hide_in_word(words, text, text + length, &copy);
		text += length;
	}
	if (copy.text != NULL)
		copy.text[copy.length] = '\0';
	return copy.text;
}

bool secret_names_variable(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
	const size_t length = strspn(name, letters);

	return length > 0 && length < SECRET_NAME_SIZE && name[length] == '\0' && (*name < '0' || *name > '9');
}
