#include "metrics/buffer.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define FIRST_SIZE 4096
#define DIGITS_MAX 20 /* of 64 bits */

void buffer_open(struct buffer *buffer, size_t limit)
{
	*buffer = (struct buffer){ .limit = limit };
}

void buffer_fail(struct buffer *buffer, int error)
{
	if (buffer->error == 0)
		buffer->error = error;
}

/* Makes room for `length` more bytes and the NUL. Doubling keeps the copies linear in the length of the page. */
static int make_room(struct buffer *buffer, size_t length)
{
	size_t size = buffer->size == 0 ? FIRST_SIZE : buffer->size;
	char *larger;

	if (length > buffer->limit - buffer->length)
		return -EFBIG;
	while (size <= buffer->length + length)
		size *= 2;
	if (size > buffer->limit + 1)
		size = buffer->limit + 1;
	if (size == buffer->size)
		return 0;
	larger = realloc(buffer->text, size);
	if (larger == NULL)
		return -ENOMEM;
	buffer->text = larger;
	buffer->size = size;
	return 0;
}

void buffer_add(struct buffer *buffer, const char *bytes, size_t length)
{
	if (buffer->error != 0)
		return;
	if (length >= buffer->size - buffer->length)
		buffer->error = make_room(buffer, length);
	if (buffer->error != 0)
		return;
	memcpy(buffer->text + buffer->length, bytes, length);
	buffer->length += length;
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

/* Not snprintf(3): the numbers of a page would take a tenth of its time. */
void buffer_add_u64(struct buffer *buffer, uint64_t value)
{
	char digits[DIGITS_MAX];
	size_t first = sizeof digits;

	do
		digits[--first] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	buffer_add(buffer, digits + first, sizeof digits - first);
}

static void add_sign(struct buffer *buffer, int64_t value)
{
	if (value < 0)
		buffer_add(buffer, "-", 1);
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value; /* INT64_MIN has no counterpart above 0 */
}

void buffer_add_i64(struct buffer *buffer, int64_t value)
{
	add_sign(buffer, value);
	buffer_add_u64(buffer, magnitude(value));
}

void buffer_add_seconds(struct buffer *buffer, int64_t ns)
{
	uint64_t fraction = magnitude(ns) % NS_PER_S;
	char digits[] = ".000000000";
	size_t length = sizeof digits - 1;

	add_sign(buffer, ns);
	buffer_add_u64(buffer, magnitude(ns) / NS_PER_S);
	if (fraction == 0)
		return;
	for (size_t i = length; --i > 0; fraction /= 10)
		digits[i] = (char)('0' + fraction % 10);
	while (digits[length - 1] == '0')
		length--;
	buffer_add(buffer, digits, length);
}

int buffer_take(struct buffer *buffer, char **ret_text, size_t *ret_length)
{
	cleanup_free char *text = NULL;
	size_t length;
	int error;

	buffer_add(buffer, "", 0); /* an empty text is a text, too */
	text = take_pointer(&buffer->text);
	length = buffer->length;
	error = buffer->error;
	buffer_open(buffer, buffer->limit);
	if (error != 0)
		return error;
	text[length] = '\0';
	*ret_length = length;
	*ret_text = take_pointer(&text);
	return 0;
}
