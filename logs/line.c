#include "logs/line.h"

#include <string.h>

#define CHARACTER_BYTES_MAX 4

/* Where to cut a line that is longer: before the character that would be torn. What is no UTF-8 is cut anywhere. */
static size_t cut(const char *text)
{
	size_t at = LINE_BYTES_MAX;

	while (at > LINE_BYTES_MAX - CHARACTER_BYTES_MAX && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	return ((unsigned char)text[at] & 0xc0) == 0x80 ? LINE_BYTES_MAX : at;
}

bool line_first(const char *text, size_t length, bool ended, struct line_piece *ret_piece)
{
	const size_t looked_at = length <= LINE_BYTES_MAX ? length : LINE_BYTES_MAX + 1;
	const char *newline = memchr(text, '\n', looked_at);

	*ret_piece = (struct line_piece){ .text = text };
	if (newline != NULL) {
		ret_piece->length = (size_t)(newline - text);
		ret_piece->taken = ret_piece->length + 1;
	} else if (length > LINE_BYTES_MAX) {
		ret_piece->length = ret_piece->taken = cut(text);
		ret_piece->goes_on = true;
	} else if (ended && length > 0) {
		ret_piece->length = ret_piece->taken = length;
	}
	return ret_piece->taken > 0;
}
