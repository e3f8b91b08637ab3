#include "base/json_line.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 16
/* What closes the text and all that is open, the newline and the NUL. */
#define RESERVE (1 + DEPTH_MAX + 2)

static size_t room(const struct json_line *line)
{
	return line->size - RESERVE - line->length;
}

static void add(struct json_line *line, const char *text, size_t length)
{
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

/* The comma and the key. False, with nothing written, unless `more` characters fit behind them. */
static bool begin_member(struct json_line *line, const char *key, size_t more)
{
	size_t length = key != NULL ? strlen(key) + 3 : 0;

	if (room(line) < 1 + length + more)
		return false;
	if (!line->first)
		add(line, ",", 1);
	line->first = false;
	if (key != NULL)
		line->length += (size_t)sprintf(line->text + line->length, "\"%s\":", key);
	return true;
}

void json_line_begin(struct json_line *line, char *buffer, size_t size)
{
	*line = (struct json_line){ .text = buffer, .size = size, .first = true };
	add(line, "{", 1);
}

void json_line_finish(struct json_line *line)
{
	while (line->depth > 0)
		json_line_close(line);
	add(line, "}\n", 3);
	line->length--;
}

bool json_line_open(struct json_line *line, const char *key, char open)
{
	if (line->depth == DEPTH_MAX - 1 || !begin_member(line, key, 1))
		return false;
	add(line, &open, 1);
	line->depth++;
	line->arrays = (line->arrays & ~(UINT32_C(1) << line->depth)) | (uint32_t)(open == '[') << line->depth;
	line->first = true;
	return true;
}

void json_line_close(struct json_line *line)
{
	add(line, (line->arrays >> line->depth & 1) != 0 ? "]" : "}", 1);
	line->depth--;
	line->first = false;
}

/* The length of a well-formed character of UTF-8 (RFC 3629, its table of syntax), 0 if there is none. */
static size_t character_length(const unsigned char *text)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

	if (text[0] > 0xf4)
		return 0;
	if (text[0] == 0xe0)
		low = 0xa0;
	else if (text[0] == 0xed)
		high = 0x9f;
	else if (text[0] == 0xf0)
		low = 0x90;
	else if (text[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < length; i++, low = 0x80, high = 0xbf)
		if (text[i] < low || text[i] > high)
			return 0;
	return length;
}

void json_line_text(struct json_line *line, const char *key, const char *text)
{
	if (!begin_member(line, key, 2))
		return;
	add(line, "\"", 1);
	while (*text != '\0') {
		size_t length = character_length((const unsigned char *)text);
		char escaped[8];

		if (length == 0 || (unsigned char)*text < ' ')
			snprintf(escaped, sizeof escaped, "\\u%04x", length == 0 ? 0xfffd : (unsigned)*text);
		else
			snprintf(escaped, sizeof escaped, "%s%.*s", *text == '"' || *text == '\\' ? "\\" : "",
				(int)length, text);
		if (strlen(escaped) >= room(line))
			break;
		add(line, escaped, strlen(escaped));
		text += length > 0 ? length : 1;
	}
	add(line, "\"", 1);
}

void json_line_i64(struct json_line *line, const char *key, int64_t value)
{
	char digits[24];
	int length = snprintf(digits, sizeof digits, "%lld", (long long)value);

	if (begin_member(line, key, (size_t)length))
		add(line, digits, (size_t)length);
}

void json_line_seconds(struct json_line *line, const char *key, int64_t ns)
{
	char digits[32];
	int length = snprintf(digits, sizeof digits, "%lld.%03lld", (long long)(ns / NS_PER_S),
		(long long)(ns % NS_PER_S / NS_PER_MS));

	if (begin_member(line, key, (size_t)length))
		add(line, digits, (size_t)length);
}
