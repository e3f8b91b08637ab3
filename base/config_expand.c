#include "base/config_expand.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_SIZE 24
#define SOME_LIMIT (UINT64_C(1) << 40) /* more than anybody takes something from */

struct growing {
	char *text;
	size_t length, room;
};

static int put(struct growing *to, const char *bytes, size_t length, struct complaint *ret_why)
{
	if (length > CONFIG_TEXT_MAX - to->length)
		return complain(ret_why, E2BIG, "longer than %d bytes", CONFIG_TEXT_MAX);
	if (to->length + length >= to->room) {
		const size_t room = 2 * (to->length + length) + 16;
		char *larger = realloc(to->text, room);

		if (larger == NULL)
			return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
		to->text = larger;
		to->room = room;
	}
	memcpy(to->text + to->length, bytes, length);
	to->length += length;
	to->text[to->length] = '\0';
	return 0;
}

/* The value of a variable, or NULL. */
static const char *find(char **env, const char *name, size_t length)
{
	for (; *env != NULL; env++)
		if (strncmp(*env, name, length) == 0 && (*env)[length] == '=')
			return *env + length + 1;
	return NULL;
}

static size_t name_length(const char *text)
{
	size_t length = 0;

	while (isalnum((unsigned char)text[length]) || text[length] == '_')
		length++;
	return isdigit((unsigned char)*text) ? 0 : length;
}

/* Where there is no limit, what is wrong with the expression whatever the limit is goes before that. */
static int compute(const char *text, const struct config_memory *memory, uint64_t *ret_value, struct complaint *ret_why)
{
	const struct config_memory some = { .limit = SOME_LIMIT, .total = SOME_LIMIT };
	struct complaint form;
	uint64_t value;
	int error = config_arithmetic(text, memory, ret_value, ret_why), otherwise;

	if (error != -ENOENT)
		return error;
	otherwise = config_arithmetic(text, &some, &value, &form);
	if (otherwise != -EINVAL && otherwise != -EDOM)
		return error; /* -ERANGE may be this limit's own */
	*ret_why = form;
	return otherwise;
}

static int put_number(
	struct growing *to, const char **text, const struct config_memory *memory, struct complaint *ret_why)
{
	const char *whole = *text;
	char number[NUMBER_SIZE];
	struct complaint plain;
	uint64_t value;
	int error = compute(whole + 2, memory, &value, &plain);

	*text = strchr(whole, '}') + 1;
	if (error < 0)
		return complain(ret_why, -error, "'%.*s' at %.150s", (int)(*text - whole), whole, plain.text);
	snprintf(number, sizeof number, "%" PRIu64, value);
	return put(to, number, strlen(number), ret_why);
}

/* What "${" begins; *text goes on behind it. */
static int put_braces(struct growing *to, const char **text, char **env, const struct config_memory *memory,
	struct complaint *ret_why)
{
	const char *name = *text + 2, *end = strchr(name, '}'), *value;
	const size_t length = name_length(name);
	const char *rest = name + length;

	if (config_is_arithmetic(name) && *rest != '}' && (length == 0 || *rest != ':'))
		return put_number(to, text, memory, ret_why);
	if (end == NULL || length == 0 || (rest != end && strncmp(rest, ":-", 2) != 0) ||
		memchr(rest, '$', (size_t)(end - rest)) != NULL)
		return complain(
			ret_why, EINVAL, "'%.40s': expected ${NAME} or ${NAME:-TEXT}; a dollar sign is $$", *text);
	value = find(env, name, length);
	*text = end + 1;
	if (rest == end && value == NULL)
		return complain(ret_why, ENOENT, "the variable %.*s is not set: set it, or write ${%.*s:-TEXT}",
			(int)length, name, (int)length, name);
	if (rest != end && (value == NULL || *value == '\0'))
		return put(to, rest + 2, (size_t)(end - rest - 2), ret_why);
	return put(to, value, strlen(value), ret_why);
}

/* What Compose takes for a variable without braces is a shell's to others: it has to be said which. */
static int put_dollar(struct growing *to, const char **text, char **env, const struct config_memory *memory,
	struct complaint *ret_why)
{
	if ((*text)[1] == '{')
		return put_braces(to, text, env, memory, ret_why);
	if ((*text)[1] != '$')
		return complain(ret_why, EINVAL, "'%.40s': a variable is ${NAME}, a dollar sign is $$", *text);
	*text += 2;
	return put(to, "$", 1, ret_why);
}

bool config_has_variable(const char *text)
{
	return strstr(text, "${") != NULL;
}

int config_expand(
	const char *text, char **env, const struct config_memory *memory, char **ret_text, struct complaint *ret_why)
{
	struct growing to = { 0 };
	struct complaint missing;
	bool misses = false;
	int error = put(&to, "", 0, ret_why);

	while (error == 0 && *text != '\0') {
		const size_t plain = strcspn(text, "$");

		error = put(&to, text, plain, ret_why);
		text += plain;
		if (error == 0 && *text == '$')
			error = put_dollar(&to, &text, env, memory, ret_why);
		if (error == -ENOENT) { /* another place may say it: what is wrong in any goes before it */
			missing = misses ? missing : *ret_why;
			misses = true;
			error = 0;
		}
	}
	if (error == 0 && misses) {
		*ret_why = missing;
		error = -ENOENT;
	}
	if (error < 0)
		free(to.text);
	else
		*ret_text = to.text;
	return error;
}
