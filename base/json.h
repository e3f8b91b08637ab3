/* JSON, read exactly: every value knows its line and column, integers keep all their 64 bits, and whatever RFC 8259
 * forbids or leaves open (duplicate keys, lone surrogates, NUL in a string) is refused with its place.
 * json.c is the only file that knows cJSON. Sentences have the form `FILE:LINE:COL: PATH: what was expected`. */
#pragma once

#include "base/complaint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 64     /* arrays and objects inside each other */
#define JSON_VALUES_MAX 65536 /* values of a document: bounds the memory that a small text can ask for */

struct json;      /* a document; owns its values, their strings and keys */
struct json_node; /* a value in a document; borrowed from it */

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT, JSON_KIND_COUNT };

/* Parses `length` bytes; `file` is what sentences call the text. Both are copied. Returns 0, -EINVAL (not the JSON of
 * RFC 8259 in UTF-8, or over the limits above) or -ENOMEM. The caller frees the document with json_free(). */
int json_parse(const char *file, const char *text, size_t length, struct json **ret_json, struct complaint *ret_why);
/* The same, but a key may stand in an object twice: for a reader that tells of each (json_is_repeated()). */
int json_parse_repeats(
	const char *file, const char *text, size_t length, struct json **ret_json, struct complaint *ret_why);
/* The same as json_parse() from a file of at most `limit` bytes. Also the errors of open(2) and read(2), and -EFBIG. */
int json_parse_file(const char *path, size_t limit, struct json **ret_json, struct complaint *ret_why);
/* The bytes of a file that is to be parsed, at most `limit` and at least one, with a sentence when it cannot be. The
 * caller frees them. */
int json_read_text(const char *path, size_t limit, char **ret_text, size_t *ret_length, struct complaint *ret_why);
void json_free(struct json *json);
static inline void cleanup_json_free(struct json **json)
{
	json_free(*json);
}
#define cleanup_json __attribute__((cleanup(cleanup_json_free)))

/* The outermost value; never NULL. */
const struct json_node *json_root(const struct json *json);
enum json_kind json_kind(const struct json_node *node);
/* Line and column (in characters, not bytes) of the value's first character, from 1. */
void json_place(const struct json_node *node, unsigned *ret_line, unsigned *ret_column);

/* The values of an array or an object in the order of the text; NULL where there is none (more). */
const struct json_node *json_first(const struct json_node *node);
const struct json_node *json_next(const struct json_node *node);
size_t json_count(const struct json_node *node);
/* The key of an object's value, NULL for any other value. */
const char *json_key(const struct json_node *node);
/* The value of a key of an object (exact case), or NULL. A null is a value. */
const struct json_node *json_member(const struct json_node *object, const char *key);
/* True if the key of an object's value stands there before it as well. */
bool json_is_repeated(const struct json_node *member);

/* What a value must be; -EINVAL and a sentence when it is not. */
int json_expect(const struct json_node *node, enum json_kind kind, struct complaint *ret_why);
/* The same for what is no single kind: `expected EXPECTED, not VALUE`. Returns -EINVAL. */
int json_expected(const struct json_node *node, const char *expected, struct complaint *ret_why);
int json_get_bool(const struct json_node *node, bool *ret_value, struct complaint *ret_why);
/* The string is borrowed from the document, is valid UTF-8 and holds no NUL. */
int json_get_string(const struct json_node *node, const char **ret_string, struct complaint *ret_why);
/* Integers are written as digits alone: 1.0 and 1e3 are refused, and so is whatever lies outside min and max. */
int json_get_uint64(const struct json_node *node, uint64_t max, uint64_t *ret_value, struct complaint *ret_why);
int json_get_int64(
	const struct json_node *node, int64_t min, int64_t max, int64_t *ret_value, struct complaint *ret_why);
/* A string that is one of the NULL-terminated choices. `what` names it in the sentence: `unknown WHAT "x"; did you mean
 * "y"?` */
int json_get_choice(const struct json_node *node, const char *what, const char *const choices[], size_t *ret_index,
	struct complaint *ret_why);
/* Refuses an object that has a key which is not in the NULL-terminated list; the sentence suggests a near one. */
int json_known_keys(const struct json_node *object, const char *const known[], struct complaint *ret_why);
/* The sentence about one such key. Returns -EINVAL. */
int json_complain_unknown(const struct json_node *member, const char *const known[], struct complaint *ret_why);

/* `FILE:LINE:COL: PATH: SENTENCE` at the place of the value, or of its key. Returns -EINVAL. */
int json_complain(const struct json_node *node, struct complaint *ret_why, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int json_complain_key(const struct json_node *node, struct complaint *ret_why, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
