#include "base/json_write.h"

#include "base/clock.h"

#include <inttypes.h>

/* Bytes of the UTF-8 character that begins here, 0 where none does (RFC 3629). */
static size_t character_length(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;
	/* The second byte has a narrower range behind these: no overlong forms, surrogates, nothing above U+10FFFF. */
	unsigned char low = byte[0] == 0xe0 ? 0xa0 : byte[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = byte[0] == 0xed ? 0x9f : byte[0] == 0xf4 ? 0x8f : 0xbf;
	size_t length = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;

	if (byte[0] < 0x80)
		return 1;
	if (byte[0] < 0xc2 || byte[0] > 0xf4 || byte[1] < low || byte[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

/* A path or a name may hold any bytes, JSON is UTF-8: what is no character becomes U+FFFD. */
static void write_string(FILE *out, const char *text)
{
	putc('"', out);
	while (*text != '\0') {
		size_t length = character_length(text);
		unsigned char byte = (unsigned char)*text;

		if (length == 0)
			fputs("\\ufffd", out);
		else if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte < 0x20 || byte == 0x7f)
			fprintf(out, "\\u%04x", byte);
		else
			fwrite(text, 1, length, out);
		text += length > 0 ? length : 1;
	}
	putc('"', out);
}

static void begin_value(struct json_writer *json, const char *key)
{
	fprintf(json->out, "%s\n%*s", json->first ? "" : ",", (int)(2 * json->depth), "");
	json->first = false;
	if (key == NULL)
		return;
	write_string(json->out, key);
	fputs(": ", json->out);
}

static void open_level(struct json_writer *json, bool array)
{
	putc(array ? '[' : '{', json->out);
	json->depth++;
	if (array)
		json->arrays |= UINT64_C(1) << json->depth;
	else
		json->arrays &= ~(UINT64_C(1) << json->depth);
	json->first = true;
}

void json_write_begin(struct json_writer *json, FILE *out)
{
	*json = (struct json_writer){ .out = out };
	open_level(json, false);
}

void json_write_object(struct json_writer *json, const char *key)
{
	begin_value(json, key);
	open_level(json, false);
}

void json_write_array(struct json_writer *json, const char *key)
{
	begin_value(json, key);
	open_level(json, true);
}

void json_write_end(struct json_writer *json)
{
	bool array = (json->arrays >> json->depth & 1) != 0, empty = json->first;

	json->depth--;
	if (!empty)
		fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
	putc(array ? ']' : '}', json->out);
	json->first = false;
}

void json_write_finish(struct json_writer *json)
{
	json_write_end(json);
	putc('\n', json->out);
}

void json_write_text(struct json_writer *json, const char *key, const char *text)
{
	begin_value(json, key);
	write_string(json->out, text);
}

void json_write_bool(struct json_writer *json, const char *key, bool value)
{
	begin_value(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_write_u64(struct json_writer *json, const char *key, uint64_t value)
{
	begin_value(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_write_i64(struct json_writer *json, const char *key, int64_t value)
{
	begin_value(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_write_seconds(struct json_writer *json, const char *key, int64_t ns)
{
	uint64_t size = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;

	begin_value(json, key);
	fprintf(json->out, "%s%" PRIu64 ".%09" PRIu64, ns < 0 ? "-" : "", size / NS_PER_S, size % NS_PER_S);
}

void json_write_bits(
	struct json_writer *json, const char *key, uint64_t set, unsigned count, const char *(*name)(unsigned bit))
{
	json_write_array(json, key);
	for (unsigned i = 0; i < count; i++)
		if ((set >> i & 1) != 0)
			json_write_text(json, NULL, name(i));
	json_write_end(json);
}
