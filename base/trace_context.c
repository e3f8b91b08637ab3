#include "base/trace_context.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define LENGTH 55 /* of version 00, and of what is known of any later one */

/* Lower case alone: an upper-case id is no id. Returns false for one of zeros, which is none either. */
static bool read_hex(const char *text, uint8_t *ret_bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t any = 0;

	for (size_t i = 0; i < count; i++) {
		const char *high = memchr(digits, text[2 * i], 16), *low = memchr(digits, text[2 * i + 1], 16);

		if (high == NULL || low == NULL)
			return false;
		ret_bytes[i] = (uint8_t)((high - digits) << 4 | (low - digits));
		any |= ret_bytes[i];
	}
	return any != 0;
}

static bool read_byte(const char *text, uint8_t *ret_byte)
{
	return read_hex(text, ret_byte, 1) || memcmp(text, "00", 2) == 0;
}

int trace_context_parse(const char *text, struct trace_context *ret_context)
{
	struct trace_context context = { .sampled = false };
	const size_t length = strlen(text);
	uint8_t version = 0, flags = 0;

	if (length < LENGTH || text[2] != '-' || text[35] != '-' || text[52] != '-')
		return -EINVAL;
	if (!read_byte(text, &version) || version == 0xff || !read_byte(text + 53, &flags))
		return -EINVAL;
	if (length > LENGTH && (version == 0 || text[LENGTH] != '-'))
		return -EINVAL;
	if (!read_hex(text + 3, context.trace_id, TRACE_ID_SIZE) ||
		!read_hex(text + 36, context.parent_id, SPAN_ID_SIZE))
		return -EINVAL;
	context.sampled = (flags & 1) != 0;
	*ret_context = context;
	return 0;
}
