#include "init/secret_env.h"

#include "base/sha256.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char suffix[] = "_FILE";

static bool is_listed(const char *list, const char *name)
{
	const size_t length = strlen(name);

	for (; *list != '\0'; list += strcspn(list, ","), list += *list == ',')
		if (strcspn(list, ",") == length && memcmp(list, name, length) == 0)
			return true;
	return false;
}

static bool is_below_secrets(const char *path)
{
	static const char places[][18] = { "/run/secrets/", "/var/run/secrets/" };

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			return true;
	return false;
}

bool secret_env_resolves(const char *list, const char *variable, char ret_name[static SECRET_NAME_SIZE])
{
	const size_t length = strcspn(variable, "="), tail = strlen(suffix);
	char name[SECRET_NAME_SIZE];

	if (length <= tail || length - tail >= sizeof name || variable[length] != '=' || variable[length + 1] == '\0' ||
		memcmp(variable + length - tail, suffix, tail) != 0)
		return false;
	memcpy(name, variable, length - tail);
	name[length - tail] = '\0';
	if (!secret_names_variable(name) ||
		!(is_listed(list, name) || (is_listed(list, "all") && is_below_secrets(variable + length + 1))))
		return false;
	memcpy(ret_name, name, sizeof name);
	return true;
}

const char *secret_env_value(char *const *environment, const char *name, const char *behind_name)
{
	const size_t length = strlen(name), behind = strlen(behind_name);

	for (; environment != NULL && *environment != NULL; environment++)
		if (strncmp(*environment, name, length) == 0 &&
			strncmp(*environment + length, behind_name, behind) == 0 &&
			(*environment)[length + behind] == '=' && (*environment)[length + behind + 1] != '\0')
			return *environment + length + behind + 1;
	return NULL;
}

int secret_env_trim(char *bytes, size_t length, struct complaint *ret_why)
{
	const bool newline = length > 0 && bytes[length - 1] == '\n';

	length -= newline;
	bytes[length] = '\0';
	if (length == 0)
		return complain(ret_why, EINVAL, "the file is empty");
	if (memchr(bytes, '\0', length) != NULL)
		return complain(ret_why, EINVAL,
			"the file holds a NUL byte, which no variable can (deliver it \"as\": \"file\")");
	return 0;
}

uint64_t secret_hash(const struct secret_text *text, size_t length)
{
	char hex[65];

	sha256_hex(text, offsetof(struct secret_text, bytes) + length, hex);
	hex[16] = '\0';
	return strtoull(hex, NULL, 16) | 1;
}

uint64_t secret_hash_named(const char *name, uint64_t hash)
{
	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) *
			UINT64_C(1099511628211); /* FNV-1a, over what has a key already */
	return hash | 1;
}
