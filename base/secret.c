#include "base/secret.h"

#include <string.h>
#include <strings.h>

/* scheme://user:password@host (RFC 3986, 3.2.1). */
static bool has_password(const char *url)
{
	const char *authority = strstr(url, "://"), *at;

	if (authority == NULL)
		return false;
	authority += 3;
	at = authority + strcspn(authority, "@/?#");
	return *at == '@' && memchr(authority, ':', (size_t)(at - authority)) != NULL && at[-1] != ':';
}

bool secret_is_likely(const char *variable)
{
	static const char words[][10] = { "PASSWORD", "PASSWD", "SECRET", "TOKEN", "KEY" };
	size_t length = strcspn(variable, "=");
	const char *value = variable + length + (variable[length] == '=');

	if (*value == '\0' || *value == '/')
		return false;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		for (size_t at = 0; at + strlen(words[i]) <= length; at++)
			if (strncasecmp(variable + at, words[i], strlen(words[i])) == 0)
				return true;
	return has_password(value);
}

bool secret_names_variable(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
	const size_t length = strspn(name, letters);

	return length > 0 && length < SECRET_NAME_SIZE && name[length] == '\0' && (*name < '0' || *name > '9');
}
