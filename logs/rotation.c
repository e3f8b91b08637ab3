#include "logs/rotation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

size_t rotation_portion(const char *text, size_t length, uint64_t size, uint64_t max_size)
{
	const uint64_t room = size < max_size ? max_size - size : 0;
	const char *newline;

	if (length <= room)
		return length;
	newline = memrchr(text, '\n', (size_t)room);
	if (newline != NULL)
		return (size_t)(newline - text) + 1;
	if (size > 0)
		return 0;
	newline = memchr(text, '\n', length);
	return newline != NULL ? (size_t)(newline - text) + 1 : length;
}

int rotation_name(const char *file, unsigned number, size_t size, char *ret_name)
{
	const int length = snprintf(ret_name, size, "%s.%u", file, number);

	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}
