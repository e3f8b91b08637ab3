/* One line of JSON in a buffer of fixed size (RFC 8259), for PID 1: nothing is allocated, and whatever is written into
 * it, what stands there is valid JSON. A text that is too long is cut, a member that has no room is left out. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_line {
	char *text; /* borrowed */
	size_t size, length;
	unsigned depth;
	uint32_t arrays; /* a bit for each depth: what is open there is an array */
	bool first;
};

/* Opens the object; json_line_finish() closes whatever is open and ends with a newline and a NUL. size: 64 or more. */
void json_line_begin(struct json_line *line, char *buffer, size_t size);
void json_line_finish(struct json_line *line);

/* Members of the object that is open, or with key NULL elements of the array; at most 16 levels. open: '{' or '['.
 * json_line_open() returns false where there is no room; then there is nothing to close. */
bool json_line_open(struct json_line *line, const char *key, char open);
void json_line_close(struct json_line *line);
void json_line_text(struct json_line *line, const char *key, const char *text);
void json_line_i64(struct json_line *line, const char *key, int64_t value);
void json_line_seconds(struct json_line *line, const char *key, int64_t ns);
