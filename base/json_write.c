#include "base/json_write.h"

#include "base/clock.h"

#include <inttypes.h>

static void write_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte < 0x20 || byte == 0x7f)
			fprintf(out, "\\u%04x", byte);
		else
			putc(byte, out);
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
	begin_value(json, key);
	fprintf(json->out, "%" PRId64 ".%09" PRId64, ns / NS_PER_S, ns % NS_PER_S);
}
