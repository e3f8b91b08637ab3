#include "metrics/authorization.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int digit_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* Base64 (RFC 4648, section 4) of at most size - 1 bytes; padding may be left out. Returns the length or -EINVAL. */
static int decode(const char *text, size_t size, char *ret_bytes)
{
	uint32_t held = 0;
	unsigned count = 0;
	size_t length = 0, digits = 0, padding;

	for (int digit; (digit = digit_of(text[digits])) >= 0; digits++) {
		held = (held << 6 | (uint32_t)digit) & 0xffffff;
		count += 6;
		if (count < 8)
			continue;
		if (length == size - 1)
			return -EINVAL;
		count -= 8;
		ret_bytes[length++] = (char)(held >> count);
	}
	padding = strspn(text + digits, "=");
	if (text[digits + padding] != '\0' || digits % 4 == 1 || padding > 2 ||
		(padding > 0 && (digits + padding) % 4 != 0))
		return -EINVAL;
	ret_bytes[length] = '\0';
	return (int)length;
}

static int parse_basic(const char *text, struct authorization *authorization)
{
	char both[AUTHORIZATION_SIZE];
	int length = decode(text, sizeof both, both);
	char *colon;

	if (length < 0 || strlen(both) != (size_t)length)
		return -EINVAL;
	colon = strchr(both, ':');
	if (colon == NULL)
		return -EINVAL;
	*colon = '\0';
	authorization->scheme = SCHEME_BASIC;
	memcpy(authorization->name, both, (size_t)(colon - both) + 1);
	memcpy(authorization->secret, colon + 1, strlen(colon + 1) + 1);
	return 0;
}

static int parse_bearer(const char *text, struct authorization *authorization)
{
	if (*text == '\0' || strlen(text) >= sizeof authorization->secret)
		return -EINVAL;
	authorization->scheme = SCHEME_BEARER;
	authorization->name[0] = '\0';
	memcpy(authorization->secret, text, strlen(text) + 1);
	return 0;
}

int authorization_parse(const char *field, struct authorization *ret_authorization)
{
	const size_t scheme = strcspn(field, " ");
	const char *value = field + scheme + strspn(field + scheme, " ");

	if (scheme == strlen("Basic") && strncasecmp(field, "Basic", scheme) == 0)
		return parse_basic(value, ret_authorization);
	if (scheme == strlen("Bearer") && strncasecmp(field, "Bearer", scheme) == 0)
		return parse_bearer(value, ret_authorization);
	return -EINVAL;
}
