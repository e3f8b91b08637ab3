/* JSON for machines, written as it comes, indented for people who look all the same (RFC 8259). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_writer {
	FILE *out; /* borrowed; its error state tells of failures (ferror(3)) */
	unsigned depth;
	uint64_t arrays; /* a bit for each depth: what is open there is an array */
	bool first;
};

/* Opens the outermost object; json_write_finish() closes it. */
void json_write_begin(struct json_writer *json, FILE *out);
void json_write_finish(struct json_writer *json);

/* Members of the object that is open (or, with key NULL, elements of the array). At most 60 levels. */
void json_write_object(struct json_writer *json, const char *key);
void json_write_array(struct json_writer *json, const char *key);
void json_write_end(struct json_writer *json); /* of the innermost object or array */
void json_write_text(struct json_writer *json, const char *key, const char *text);
void json_write_bool(struct json_writer *json, const char *key, bool value);
void json_write_u64(struct json_writer *json, const char *key, uint64_t value);
void json_write_i64(struct json_writer *json, const char *key, int64_t value);
void json_write_seconds(struct json_writer *json, const char *key, int64_t ns);

/* An array of the names of the bits that are set, from bit 0 to count - 1 (64 at the most). */
void json_write_bits(
	struct json_writer *json, const char *key, uint64_t set, unsigned count, const char *(*name)(unsigned bit));
