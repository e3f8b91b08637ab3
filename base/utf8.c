#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* The rows of RFC 3629, section 4: a first byte, and the range of the second one. The others are 80 to BF. */
static const struct row {
	uint8_t first_low, first_high, second_low, second_high;
	uint8_t length;
} rows[] = {
	{ 0x00, 0x7f, 0x00, 0x00, 1 },
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

size_t utf8_step(const char *text)
{
	const uint8_t *byte = (const uint8_t *)text;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];

		if (byte[0] < row->first_low || byte[0] > row->first_high)
			continue;
		if (row->length > 1 && (byte[1] < row->second_low || byte[1] > row->second_high))
			return 0;
		for (size_t k = 2; k < row->length; k++) /* the NUL is out of range: never read past it */
			if (byte[k] < 0x80 || byte[k] > 0xbf)
				return 0;
		return row->length;
	}
	return 0;
}

void utf8_clean(const char *text, char *ret_clean, size_t size)
{
	size_t used = 0;

	while (*text != '\0') {
		size_t length = utf8_step(text), taken = length > 0 ? length : 1;
		const char *piece = text;

		if (length == 0) {
			piece = UTF8_REPLACEMENT;
			length = strlen(UTF8_REPLACEMENT);
		} else if ((unsigned char)*text < ' ' || *text == 0x7f) {
			piece = " ";
		}
		if (used + length >= size)
			break;
		memcpy(ret_clean + used, piece, length);
		used += length;
		text += taken;
	}
	ret_clean[used] = '\0';
}

void utf8_trim(char *text)
{
	const size_t length = strlen(text);
	size_t back = 1;

	while (back < length && back < 4 && ((unsigned char)text[length - back] & 0xc0) == 0x80)
		back++;
	if (back <= length && (unsigned char)text[length - back] >= 0xc0 && utf8_step(text + length - back) == 0)
		text[length - back] = '\0';
}
