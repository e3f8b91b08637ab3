#include "logs/envelope.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ESCAPED_BYTES 6 /* \u001f, for one */
#define CLOSING_BYTES_MAX 80

void envelope_begin(
	struct envelope *envelope, enum logging_format format, const char *service, const char *stream, int64_t wall_ns)
{
	const time_t seconds = wall_ns / NS_PER_S;
	char time[72];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	snprintf(time, sizeof time, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(wall_ns % NS_PER_S / 1000));
	envelope->format = format;
	envelope->length = (size_t)snprintf(envelope->opening, sizeof envelope->opening,
		format == LOGGING_JSON ? "{\"time\":\"%s\",\"service\":\"%.63s\",\"stream\":\"%s\"" : "%s %.63s %s ",
		time, service, stream);
}

size_t envelope_bound(const struct envelope *envelope, size_t length)
{
	return envelope->length + (envelope->format == LOGGING_JSON ? ESCAPED_BYTES * length : length) +
		CLOSING_BYTES_MAX;
}

static char *put(char *at, const char *text, size_t length)
{
	memcpy(at, text, length);
	return at + length;
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

/* True for what stands in a string of JSON as it is, and is a character of one byte. */
static bool is_plain(unsigned char byte)
{
	return byte >= ' ' && byte < 0x80 && byte != '"' && byte != '\\';
}

static char *put_escaped(char *at, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";

	if (byte == '"' || byte == '\\') {
		*at++ = '\\';
		*at++ = (char)byte;
		return at;
	}
	if (byte == '\t')
		return PUT(at, "\\t");
	at = PUT(at, "\\u00");
	*at++ = digits[byte >> 4];
	*at++ = digits[byte & 15];
	return at;
}

static char *put_text(char *at, const char *text, size_t length)
{
	const char *const end = text + length;

	while (text < end) {
		const char *plain = text;
		size_t step;

		while (plain < end && is_plain((unsigned char)*plain))
			plain++;
		at = put(at, text, (size_t)(plain - text));
		text = plain;
		if (text == end)
			break;
		if ((unsigned char)*text < 0x80) {
			at = put_escaped(at, (unsigned char)*text++);
			continue;
		}
		step = utf8_step(text);
		if (step == 0 || step > (size_t)(end - text)) {
			at = PUT(at, UTF8_REPLACEMENT);
			text++;
			continue;
		}
		at = put(at, text, step);
		text += step;
	}
	return at;
}

size_t envelope_write(const struct envelope *envelope, const struct line_piece *piece, char *ret_line)
{
	char *at = put(ret_line, envelope->opening, envelope->length);

	if (envelope->format == LOGGING_JSON) {
		at = PUT(at, ",\"message\":\"");
		at = put_text(at, piece->text, piece->length);
		at = piece->goes_on ? PUT(at, "\",\"partial\":true}\n") : PUT(at, "\"}\n");
	} else {
		at = piece->goes_on ? PUT(at, "+ ") : PUT(at, "| ");
		at = put(at, piece->text, piece->length);
		*at++ = '\n';
	}
	return (size_t)(at - ret_line);
}

size_t envelope_write_dropped(const struct envelope *envelope, uint64_t lines, char *ret_line)
{
	char *at = put(ret_line, envelope->opening, envelope->length);

	return envelope->length +
		(size_t)snprintf(at, CLOSING_BYTES_MAX,
			envelope->format == LOGGING_JSON ? ",\"dropped\":%" PRIu64 "}\n"
							 : "! %" PRIu64 " lines dropped\n",
			lines);
}
