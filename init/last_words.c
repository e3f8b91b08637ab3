#include "init/last_words.h"

#include <stdbool.h>
#include <string.h>

/* C0, DEL, and C1 in UTF-8 (ECMA-48). Returns how many bytes it has, 0 if it is none. */
static size_t control_length(const unsigned char *at)
{
	if (*at < ' ' || *at == 0x7f)
		return 1;
	return at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f ? 2 : 0;
}

static void disarm(char *line, size_t length)
{
	for (size_t i = 0, step; i<length; i += step> 0 ? step : 1) {
		step = control_length((const unsigned char *)line + i);
		memset(line + i, line[i] == '\t' ? ' ' : '?', step);
	}
}

static size_t without_newlines(const char *text, size_t length)
{
	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	return length;
}

size_t last_words(size_t length, char *text)
{
	const bool cut = length == LAST_WORDS_SIZE - 1;
	struct {
		size_t at, length;
	} line[LAST_WORDS_LINES];
	size_t count = 0, end = without_newlines(text, length), at = 0;

	text[length] = '\0';
	while (end > 0 && count < LAST_WORDS_LINES) {
		const char *newline = memrchr(text, '\n', end);
		const size_t begin = newline != NULL ? (size_t)(newline - text) + 1 : 0;

		if (begin == 0 && cut && count > 0)
			break;
		line[count].at = begin;
		line[count++].length = without_newlines(text, end) - begin;
		end = without_newlines(text, begin);
	}
	while (count > 0) {
		const size_t from = line[--count].at, size = line[count].length;

		memmove(text + at, text + from, size);
		disarm(text + at, size);
		at += size;
		text[at] = '\n';
		at += count > 0;
	}
	text[at] = '\0';
	return at;
}
