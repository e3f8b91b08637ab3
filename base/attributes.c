#include "base/attributes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t"

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 'a' - 'A';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* A NUL would end the value before its end. */
static int decode(const char *from, size_t length, char ret_text[static ATTRIBUTE_SIZE])
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		int byte = (unsigned char)from[i];

		if (byte == '%') {
			const int high = i + 2 < length ? hex_digit(from[i + 1]) : -1;
			const int low = high >= 0 ? hex_digit(from[i + 2]) : -1;

			if (low < 0 || (high | low) == 0)
				return -EINVAL;
			byte = high << 4 | low;
			i += 2;
		}
		if (used == ATTRIBUTE_SIZE - 1)
			return -ENAMETOOLONG;
		ret_text[used++] = (char)byte;
	}
	ret_text[used] = '\0';
	return 0;
}

/* Blanks around a key and a value are no part of it (OWS of W3C Baggage). */
static int decode_trimmed(const char *from, size_t length, char ret_text[static ATTRIBUTE_SIZE])
{
	while (length > 0 && strchr(BLANKS, *from) != NULL) {
		from++;
		length--;
	}
	while (length > 0 && strchr(BLANKS, from[length - 1]) != NULL)
		length--;
	return decode(from, length, ret_text);
}

int attributes_next(const char **at, struct attribute *ret_attribute)
{
	const char *next = *at + strspn(*at, BLANKS ",");
	const size_t length = strcspn(next, ","), key_length = strcspn(next, "=,");
	int error;

	if (*next == '\0')
		return 0;
	if (key_length == 0 || key_length == length)
		return -EINVAL;
	error = decode_trimmed(next, key_length, ret_attribute->key);
	if (error == 0)
		error = decode_trimmed(next + key_length + 1, length - key_length - 1, ret_attribute->value);
	if (error < 0)
		return error;
	*at = next + length;
	return 1;
}

int attributes_find(const char *text, const char *key, struct attribute *ret_attribute)
{
	struct attribute attribute, last;
	int result, found = -ENODATA;

	while ((result = attributes_next(&text, &attribute)) == 1) {
		if (strcmp(attribute.key, key) == 0) {
			last = attribute;
			found = 0;
		}
	}
	if (result == 0 && found == 0)
		*ret_attribute = last;
	return result < 0 ? result : found;
}

/* baggage-octet of W3C Baggage, without what parts keys, values and pairs here. */
static bool stands_for_itself(unsigned char byte)
{
	return byte > ' ' && byte < 0x7f && strchr("\",;\\=%", byte) == NULL;
}

int attributes_add(char *text, size_t size, const char *key, const char *value)
{
	char pair[4 * ATTRIBUTE_SIZE];
	const size_t length = strlen(text);
	size_t used = (size_t)snprintf(pair, sizeof pair, "%s%.*s=", length > 0 ? "," : "", ATTRIBUTE_SIZE - 1, key);

	if (strlen(value) >= ATTRIBUTE_SIZE) /* 3 bytes for each of it have room */
		return -ENOSPC;
	for (; *value != '\0'; value++) {
		const unsigned char byte = (unsigned char)*value;

		if (stands_for_itself(byte))
			pair[used++] = *value;
		else
			used += (size_t)snprintf(pair + used, sizeof pair - used, "%%%02X", byte);
	}
	if (length + used >= size)
		return -ENOSPC;
	memcpy(text + length, pair, used);
	text[length + used] = '\0';
	return 0;
}
