#include "base/json.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/nearest.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Two readers of the same text. The scanner below is strict and knows where it is: it refuses whatever RFC 8259 does
 * not allow (cJSON lets pass leading zeros, raw control characters, \u0000) and records each value in the order of the
 * text. cJSON builds the tree and resolves escapes. A pre-order walk of the tree meets the values in the same order,
 * so that one walk ties each cJSON item to its record. */

#define NONE ((size_t)-1)
#define NUMBER_MAX 63 /* cJSON copies a number into 64 bytes and cuts what is longer */
#define PATH_SIZE 160
#define SAMPLE_SIZE 48

struct json_node {
	const struct json *json;
	const cJSON *item;
	enum json_kind kind;
	size_t parent, next; /* indices; NONE: there is none */
	size_t children;     /* the first of them is the record behind this one */
	size_t ordinal;      /* among its siblings */
	size_t offset, length;
	unsigned line, column, key_line, key_column;
};

struct json {
	char *file;
	char *text;
	size_t length;
	cJSON *root;
	struct json_node *nodes;
	size_t count, room;
};

struct scanner {
	struct json *json;
	size_t at;
	unsigned line, column;
	unsigned depth;
	struct complaint *why;
};

static const char *const kind_names[] = {
	[JSON_NULL] = "null",
	[JSON_BOOL] = "a boolean",
	[JSON_NUMBER] = "a number",
	[JSON_STRING] = "a string",
	[JSON_ARRAY] = "an array",
	[JSON_OBJECT] = "an object",
};
_Static_assert(sizeof kind_names / sizeof kind_names[0] == JSON_KIND_COUNT, "a name for each kind");

/* A sentence is one line whatever the text had in it. */
static void flatten(struct complaint *why)
{
	for (char *c = why->text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

/* ---- the scanner ---- */

static bool at_end(const struct scanner *s)
{
	return s->at == s->json->length;
}

static unsigned char peek(const struct scanner *s)
{
	return at_end(s) ? '\0' : (unsigned char)s->json->text[s->at];
}

static void advance(struct scanner *s)
{
	unsigned char byte = peek(s);

	s->at++;
	if (byte == '\n') {
		s->line++;
		s->column = 1;
	} else if ((peek(s) & 0xc0) != 0x80) {
		s->column++; /* a character ends where no continuation byte follows */
	}
}

__attribute__((format(printf, 2, 3))) static int refuse(struct scanner *s, const char *format, ...)
{
	char sentence[256];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	complain(s->why, EINVAL, "%.*s:%u:%u: %s", (int)(sizeof s->why->text - sizeof sentence - 32), s->json->file,
		s->line, s->column, sentence);
	flatten(s->why);
	return -EINVAL;
}

static int refuse_expected(struct scanner *s, const char *expected)
{
	unsigned char byte = peek(s);

	if (at_end(s))
		return refuse(s, "expected %s, not the end of the text", expected);
	if (byte > ' ' && byte < 0x7f)
		return refuse(s, "expected %s, not '%c'", expected, byte);
	return refuse(s, "expected %s, not byte 0x%02x", expected, byte);
}

static void skip_blanks(struct scanner *s)
{
	while (!at_end(s) && strchr(" \t\r\n", peek(s)) != NULL && peek(s) != '\0')
		advance(s);
}

static int add_node(struct scanner *s, enum json_kind kind, size_t parent, size_t *ret_index)
{
	struct json *json = s->json;
	struct json_node *node;

	if (json->count == JSON_VALUES_MAX)
		return refuse(s, "more than %d values", JSON_VALUES_MAX);
	if (json->count == json->room) {
		size_t room = json->room == 0 ? 256 : json->room * 2;
		struct json_node *larger = realloc(json->nodes, room * sizeof *larger);

		if (larger == NULL)
			return complain(s->why, ENOMEM, "%.256s: out of memory", json->file);
		json->nodes = larger;
		json->room = room;
	}
	node = &json->nodes[json->count];
	*node = (struct json_node){ .json = json, .kind = kind, .parent = parent, .next = NONE };
	node->offset = s->at;
	node->line = s->line;
	node->column = s->column;
	*ret_index = json->count++;
	return 0;
}

static int scan_word(struct scanner *s, const char *word)
{
	for (const char *c = word; *c != '\0'; c++) {
		if (at_end(s) || peek(s) != (unsigned char)*c)
			return refuse_expected(s, "a value: a string, a number, [, {, true, false or null");
		advance(s);
	}
	return 0;
}

static size_t scan_digits(struct scanner *s)
{
	size_t count = 0;

	for (; peek(s) >= '0' && peek(s) <= '9'; count++)
		advance(s);
	return count;
}

/* number = [ "-" ] int [ frac ] [ exp ], RFC 8259 section 6. */
static int scan_number(struct scanner *s, struct json_node *node)
{
	bool zero;

	if (peek(s) == '-')
		advance(s);
	zero = peek(s) == '0';
	if (scan_digits(s) == 0)
		return refuse_expected(s, "a digit");
	if (zero && s->at - node->offset > (s->json->text[node->offset] == '-' ? 2 : 1))
		return refuse(s, "a number must not begin with 0");
	if (peek(s) == '.') {
		advance(s);
		if (scan_digits(s) == 0)
			return refuse_expected(s, "a digit");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		advance(s);
		if (peek(s) == '+' || peek(s) == '-')
			advance(s);
		if (scan_digits(s) == 0)
			return refuse_expected(s, "a digit");
	}
	node->length = s->at - node->offset;
	if (node->length > NUMBER_MAX)
		return refuse(s, "a number of more than %d characters", NUMBER_MAX);
	return 0;
}

/* Four hexadecimal digits behind \u. */
static int scan_code_unit(struct scanner *s, unsigned *ret_unit)
{
	unsigned unit = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char byte = peek(s);

		if (byte >= '0' && byte <= '9')
			unit = unit * 16 + (byte - '0');
		else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f')
			unit = unit * 16 + ((byte | 0x20) - 'a' + 10);
		else
			return refuse_expected(s, "four hexadecimal digits behind \\u");
		advance(s);
	}
	*ret_unit = unit;
	return 0;
}

static int scan_escape(struct scanner *s)
{
	unsigned unit = 0, low = 0;
	int rc;

	advance(s); /* the backslash */
	if (peek(s) != 'u') {
		if (at_end(s) || strchr("\"\\/bfnrt", peek(s)) == NULL || peek(s) == '\0')
			return refuse_expected(s, "one of \" \\ / b f n r t u behind a backslash");
		advance(s);
		return 0;
	}
	advance(s);
	rc = scan_code_unit(s, &unit);
	if (rc < 0)
		return rc;
	if (unit == 0)
		return refuse(s, "\\u0000 in a string: no string of ours may hold a NUL");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return refuse(s, "\\u%04x is the second half of a surrogate pair without the first", unit);
	if (unit < 0xd800 || unit > 0xdbff)
		return 0;
	if (peek(s) != '\\')
		return refuse_expected(s, "the second half of a surrogate pair");
	advance(s);
	if (peek(s) != 'u')
		return refuse_expected(s, "the second half of a surrogate pair");
	advance(s);
	rc = scan_code_unit(s, &low);
	if (rc < 0)
		return rc;
	if (low < 0xdc00 || low > 0xdfff)
		return refuse(s, "expected the second half of a surrogate pair, not \\u%04x", low);
	return 0;
}

/* One character of more than one byte: the table of well-formed sequences, RFC 3629 section 4. */
static int scan_utf8(struct scanner *s)
{
	const unsigned char *c = (const unsigned char *)s->json->text + s->at;
	size_t left = s->json->length - s->at, length;

	length = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
	if (c[0] < 0xc2 || c[0] > 0xf4 || left < length)
		return refuse(s, "byte 0x%02x: not UTF-8", c[0]);
	for (size_t i = 1; i < length; i++)
		if ((c[i] & 0xc0) != 0x80)
			return refuse(s, "byte 0x%02x: not UTF-8", c[0]);
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf0 && c[1] < 0x90) ||
		(c[0] == 0xf4 && c[1] > 0x8f))
		return refuse(s, "bytes 0x%02x 0x%02x: not UTF-8", c[0], c[1]);
	while (length-- > 0)
		advance(s);
	return 0;
}

static int scan_string(struct scanner *s)
{
	unsigned line = s->line, column = s->column;

	advance(s); /* the opening quotation mark */
	for (;;) {
		unsigned char byte = peek(s);
		int rc = 0;

		if (at_end(s) || byte == '\n')
			return refuse(s, "the string that begins at %u:%u has no closing quotation mark", line, column);
		if (byte == '\0')
			return refuse(s, "a NUL in a string");
		if (byte < ' ')
			return refuse(s, "a control character in a string: write it as \\u%04x", byte);
		if (byte == '"')
			break;
		if (byte == '\\')
			rc = scan_escape(s);
		else if (byte >= 0x80)
			rc = scan_utf8(s);
		else
			advance(s);
		if (rc < 0)
			return rc;
	}
	advance(s);
	return 0;
}

static int scan_value(struct scanner *s, size_t parent, size_t *ret_index);

/* The members of an array or an object from behind its bracket to its end. Recursion is bounded by JSON_DEPTH_MAX. */
static int scan_members(struct scanner *s, size_t parent, bool object)
{
	const char closing = object ? '}' : ']';
	size_t last = NONE, child, ordinal = 0;

	advance(s);
	skip_blanks(s);
	if (peek(s) == (unsigned char)closing) {
		advance(s);
		return 0;
	}
	for (;;) {
		unsigned key_line = s->line, key_column = s->column;
		int rc;

		if (object) {
			if (peek(s) != '"')
				return refuse_expected(s, "a key in quotation marks");
			rc = scan_string(s);
			if (rc < 0)
				return rc;
			skip_blanks(s);
			if (peek(s) != ':')
				return refuse_expected(s, "':' behind the key");
			advance(s);
			skip_blanks(s);
		}
		rc = scan_value(s, parent, &child);
		if (rc < 0)
			return rc;
		s->json->nodes[child].key_line = key_line;
		s->json->nodes[child].key_column = key_column;
		s->json->nodes[child].ordinal = ordinal++;
		s->json->nodes[parent].children++;
		if (last != NONE)
			s->json->nodes[last].next = child;
		last = child;
		skip_blanks(s);
		if (peek(s) == (unsigned char)closing)
			break;
		if (peek(s) != ',')
			return refuse_expected(s, object ? "',' or '}'" : "',' or ']'");
		advance(s);
		skip_blanks(s);
	}
	advance(s);
	return 0;
}

static int scan_value(struct scanner *s, size_t parent, size_t *ret_index)
{
	static const struct {
		char first;
		enum json_kind kind;
		const char *word;
	} starts[] = { { '"', JSON_STRING, NULL }, { '[', JSON_ARRAY, NULL }, { '{', JSON_OBJECT, NULL },
		{ 't', JSON_BOOL, "true" }, { 'f', JSON_BOOL, "false" }, { 'n', JSON_NULL, "null" } };
	enum json_kind kind = JSON_NUMBER;
	const char *word = NULL;
	unsigned char first = peek(s);
	bool known = first == '-' || (first >= '0' && first <= '9');
	size_t index = 0;
	int rc;

	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
		if (first == (unsigned char)starts[i].first) {
			kind = starts[i].kind;
			word = starts[i].word;
			known = true;
		}
	if (!known)
		return refuse_expected(s, "a value: a string, a number, [, {, true, false or null");
	rc = add_node(s, kind, parent, &index);
	if (rc < 0)
		return rc;
	if (kind == JSON_ARRAY || kind == JSON_OBJECT) {
		if (s->depth == JSON_DEPTH_MAX)
			return refuse(s, "more than %d arrays and objects inside each other", JSON_DEPTH_MAX);
		s->depth++;
		rc = scan_members(s, index, kind == JSON_OBJECT);
		s->depth--;
	} else if (kind == JSON_STRING) {
		rc = scan_string(s);
	} else if (kind == JSON_NUMBER) {
		rc = scan_number(s, &s->json->nodes[index]);
	} else {
		rc = scan_word(s, word);
	}
	if (rc < 0)
		return rc;
	*ret_index = index;
	return 0;
}

static int scan(struct json *json, struct complaint *ret_why)
{
	struct scanner s = { .json = json, .line = 1, .column = 1, .why = ret_why };
	size_t root;
	int rc;

	if (json->length >= 3 && memcmp(json->text, "\xef\xbb\xbf", 3) == 0)
		return refuse(&s, "the text begins with a byte order mark: save it as UTF-8 without one");
	skip_blanks(&s);
	rc = scan_value(&s, NONE, &root);
	if (rc < 0)
		return rc;
	skip_blanks(&s);
	if (!at_end(&s))
		return refuse_expected(&s, "nothing behind the end of the value");
	return 0;
}

/* ---- the tree ---- */

static enum json_kind item_kind(const cJSON *item)
{
	switch (item->type & 0xff) {
	case cJSON_NULL:
		return JSON_NULL;
	case cJSON_False:
	case cJSON_True:
		return JSON_BOOL;
	case cJSON_Number:
		return JSON_NUMBER;
	case cJSON_String:
		return JSON_STRING;
	case cJSON_Array:
		return JSON_ARRAY;
	case cJSON_Object:
		return JSON_OBJECT;
	default:
		return JSON_KIND_COUNT;
	}
}

/* Ties a cJSON item and what is below it to the records from *next on; false when the two readers disagree. */
static bool bind(struct json *json, const cJSON *item, size_t *next)
{
	struct json_node *node = &json->nodes[*next];
	const cJSON *child = item->child;

	if (node->kind != item_kind(item))
		return false;
	node->item = item;
	*next += 1;
	for (size_t i = 0; i < node->children; i++, child = child->next)
		if (child == NULL || !bind(json, child, next))
			return false;
	return child == NULL;
}

static int compare_keys(const void *left, const void *right)
{
	const struct json_node *a = *(const struct json_node *const *)left;
	const struct json_node *b = *(const struct json_node *const *)right;
	int order = strcmp(a->item->string, b->item->string);

	return order != 0 ? order : (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

/* RFC 8259 leaves it open which of two equal keys counts, and readers differ: a profile must not mean two things. */
static int refuse_duplicates(const struct json_node *object, struct complaint *ret_why)
{
	cleanup_free const struct json_node **members = NULL;
	const struct json_node *twice = NULL;
	size_t count = 0;

	if (object->children < 2)
		return 0;
	members = malloc(object->children * sizeof(struct json_node *));
	if (members == NULL)
		return complain(ret_why, ENOMEM, "%.256s: out of memory", object->json->file);
	for (const struct json_node *member = json_first(object); member != NULL; member = json_next(member))
		members[count++] = member;
	qsort(members, count, sizeof members[0], compare_keys);
	for (size_t i = 1; i < count; i++)
		if (strcmp(members[i - 1]->item->string, members[i]->item->string) == 0 &&
			(twice == NULL || members[i]->ordinal < twice->ordinal))
			twice = members[i];
	return twice == NULL ? 0 : json_complain_key(twice, ret_why, "the key is there twice");
}

static int build(struct json *json, bool repeats, struct complaint *ret_why)
{
	const char *end = NULL;
	size_t next = 0;

	json->root = cJSON_ParseWithLengthOpts(json->text, json->length + 1, &end, 1);
	if (json->root == NULL || !bind(json, json->root, &next) || next != json->count)
		return complain(ret_why, EINVAL,
			"%.256s: cJSON does not read what is valid JSON, or has no memory for it", json->file);
	for (size_t i = 0; i < json->count && !repeats; i++) {
		int rc = json->nodes[i].kind == JSON_OBJECT ? refuse_duplicates(&json->nodes[i], ret_why) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int parse(const char *file, const char *text, size_t length, bool repeats, struct json **ret_json,
	struct complaint *ret_why)
{
	cleanup_json struct json *json = calloc(1, sizeof *json);
	int rc;

	if (json == NULL)
		return complain(ret_why, ENOMEM, "%.256s: out of memory", file);
	json->file = strdup(file);
	json->text = malloc(length + 1);
	if (json->file == NULL || json->text == NULL)
		return complain(ret_why, ENOMEM, "%.256s: out of memory", file);
	memcpy(json->text, text, length);
	json->text[length] = '\0';
	json->length = length;
	rc = scan(json, ret_why);
	if (rc == 0)
		rc = build(json, repeats, ret_why);
	if (rc < 0)
		return rc;
	*ret_json = take_pointer(&json);
	return 0;
}

int json_parse(const char *file, const char *text, size_t length, struct json **ret_json, struct complaint *ret_why)
{
	return parse(file, text, length, false, ret_json, ret_why);
}

int json_parse_repeats(
	const char *file, const char *text, size_t length, struct json **ret_json, struct complaint *ret_why)
{
	return parse(file, text, length, true, ret_json, ret_why);
}

int json_read_text(const char *path, size_t limit, char **ret_text, size_t *ret_length, struct complaint *ret_why)
{
	cleanup_free char *text = NULL;
	size_t length = 0;
	int rc = file_read(path, limit, &text, &length);

	if (rc == -EFBIG)
		complain(ret_why, EFBIG, "%.256s: larger than %zu bytes", path, limit);
	else if (rc < 0)
		complain(ret_why, -rc, "%.256s: %s", path, strerror(-rc));
	else if (length == 0)
		rc = complain(ret_why, EINVAL, "%.256s:1:1: the file is empty", path);
	if (rc < 0) {
		flatten(ret_why);
		return rc;
	}
	*ret_text = take_pointer(&text);
	*ret_length = length;
	return 0;
}

int json_parse_file(const char *path, size_t limit, struct json **ret_json, struct complaint *ret_why)
{
	cleanup_free char *text = NULL;
	size_t length;
	int rc = json_read_text(path, limit, &text, &length, ret_why);

	return rc < 0 ? rc : json_parse(path, text, length, ret_json, ret_why);
}

void json_free(struct json *json)
{
	if (json == NULL)
		return;
	cJSON_Delete(json->root);
	free(json->nodes);
	free(json->text);
	free(json->file);
	free(json);
}

/* ---- the values ---- */

const struct json_node *json_root(const struct json *json)
{
	return &json->nodes[0];
}

enum json_kind json_kind(const struct json_node *node)
{
	return node->kind;
}

void json_place(const struct json_node *node, unsigned *ret_line, unsigned *ret_column)
{
	*ret_line = node->line;
	*ret_column = node->column;
}

const struct json_node *json_first(const struct json_node *node)
{
	return node->children == 0 ? NULL : node + 1;
}

const struct json_node *json_next(const struct json_node *node)
{
	return node->next == NONE ? NULL : &node->json->nodes[node->next];
}

size_t json_count(const struct json_node *node)
{
	return node->children;
}

const char *json_key(const struct json_node *node)
{
	return node->item->string;
}

const struct json_node *json_member(const struct json_node *object, const char *key)
{
	if (object->kind != JSON_OBJECT)
		return NULL;
	for (const struct json_node *member = json_first(object); member != NULL; member = json_next(member))
		if (strcmp(json_key(member), key) == 0)
			return member;
	return NULL;
}

bool json_is_repeated(const struct json_node *member)
{
	return json_member(&member->json->nodes[member->parent], json_key(member)) != member;
}

/* ---- sentences ---- */

/* `syscalls[3].args[0].value`, written from its end; what does not fit is cut at the front. Returns its beginning. */
static const char *node_path(const struct json_node *node, char buffer[PATH_SIZE])
{
	char *start = buffer + PATH_SIZE - 1;

	*start = '\0';
	while (node->parent != NONE) {
		const struct json_node *parent = &node->json->nodes[node->parent];
		char step[PATH_SIZE];
		size_t length;

		if (parent->kind == JSON_ARRAY)
			length = (size_t)snprintf(step, sizeof step, "[%zu]", node->ordinal);
		else
			length = (size_t)snprintf(
				step, sizeof step, "%s%.60s", parent->parent == NONE ? "" : ".", json_key(node));
		if (length > (size_t)(start - buffer))
			break;
		start -= length;
		memcpy(start, step, length);
		node = parent;
	}
	return start;
}

__attribute__((format(printf, 5, 0))) static int complain_at(const struct json_node *node, unsigned line,
	unsigned column, struct complaint *ret_why, const char *format, va_list args)
{
	char sentence[256], buffer[PATH_SIZE];
	const char *path = node_path(node, buffer);

	vsnprintf(sentence, sizeof sentence, format, args);
	complain(ret_why, EINVAL, "%.*s:%u:%u: %s%s%s",
		(int)(sizeof ret_why->text - strlen(sentence) - strlen(path) - 32), node->json->file, line, column,
		path, *path == '\0' ? "" : ": ", sentence);
	flatten(ret_why);
	return -EINVAL;
}

int json_complain(const struct json_node *node, struct complaint *ret_why, const char *format, ...)
{
	va_list args;
	int rc;

	va_start(args, format);
	rc = complain_at(node, node->line, node->column, ret_why, format, args);
	va_end(args);
	return rc;
}

int json_complain_key(const struct json_node *node, struct complaint *ret_why, const char *format, ...)
{
	va_list args;
	int rc;

	va_start(args, format);
	rc = complain_at(node, node->key_line, node->key_column, ret_why, format, args);
	va_end(args);
	return rc;
}

/* A value as the text has it, cut between two characters. */
static void node_sample(const struct json_node *node, char ret_sample[SAMPLE_SIZE])
{
	const char *text;
	size_t length;

	if (node->kind == JSON_NUMBER) {
		snprintf(ret_sample, SAMPLE_SIZE, "%.*s", (int)node->length, node->json->text + node->offset);
		return;
	}
	if (node->kind != JSON_STRING) {
		snprintf(ret_sample, SAMPLE_SIZE, "%s", kind_names[node->kind]);
		return;
	}
	text = node->item->valuestring;
	length = strlen(text);
	if (length <= 32) {
		snprintf(ret_sample, SAMPLE_SIZE, "\"%s\"", text);
		return;
	}
	for (length = 32; ((unsigned char)text[length] & 0xc0) == 0x80;)
		length--;
	snprintf(ret_sample, SAMPLE_SIZE, "\"%.*s...\"", (int)length, text);
}

int json_expected(const struct json_node *node, const char *expected, struct complaint *ret_why)
{
	char sample[SAMPLE_SIZE];

	node_sample(node, sample);
	return json_complain(node, ret_why, "expected %s, not %s", expected, sample);
}

/* ---- what a value must be ---- */

int json_expect(const struct json_node *node, enum json_kind kind, struct complaint *ret_why)
{
	return node->kind == kind ? 0 : json_expected(node, kind_names[kind], ret_why);
}

int json_get_bool(const struct json_node *node, bool *ret_value, struct complaint *ret_why)
{
	if (node->kind != JSON_BOOL)
		return json_expected(node, "true or false", ret_why);
	*ret_value = (node->item->type & 0xff) == cJSON_True;
	return 0;
}

int json_get_string(const struct json_node *node, const char **ret_string, struct complaint *ret_why)
{
	int rc = json_expect(node, JSON_STRING, ret_why);

	if (rc == 0)
		*ret_string = node->item->valuestring;
	return rc;
}

/* The digits of the literal, exactly; false when there is something else or they do not fit into 64 bits. */
static bool literal_digits(const struct json_node *node, bool *ret_negative, uint64_t *ret_value)
{
	const char *c = node->json->text + node->offset, *end = c + node->length;
	bool negative = *c == '-';
	uint64_t value = 0;

	for (c += negative; c < end; c++) {
		unsigned digit = (unsigned)(*c - '0');

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret_negative = negative;
	*ret_value = value;
	return true;
}

int json_get_uint64(const struct json_node *node, uint64_t max, uint64_t *ret_value, struct complaint *ret_why)
{
	char expected[64];
	uint64_t value;
	bool negative;

	if (node->kind == JSON_NUMBER && literal_digits(node, &negative, &value) && !negative && value <= max) {
		*ret_value = value;
		return 0;
	}
	snprintf(expected, sizeof expected, "an integer from 0 to %" PRIu64, max);
	return json_expected(node, expected, ret_why);
}

int json_get_int64(
	const struct json_node *node, int64_t min, int64_t max, int64_t *ret_value, struct complaint *ret_why)
{
	char expected[80];
	uint64_t digits;
	bool negative;

	if (node->kind == JSON_NUMBER && literal_digits(node, &negative, &digits) &&
		digits <= (uint64_t)INT64_MAX + negative) {
		/* -INT64_MIN is no int64_t: subtract from 0 before the sign is looked at */
		int64_t value = negative ? (int64_t)(0 - digits) : (int64_t)digits;

		if (value >= min && value <= max) {
			*ret_value = value;
			return 0;
		}
	}
	snprintf(expected, sizeof expected, "an integer from %" PRId64 " to %" PRId64, min, max);
	return json_expected(node, expected, ret_why);
}

/* The word of the list that was probably meant, or NULL. */
static const char *nearest(const char *word, const char *const known[])
{
	const char *found = NULL;
	size_t best = NEAREST_DISTANCE;

	for (size_t i = 0; known[i] != NULL; i++)
		if (nearest_is_nearer(word, known[i], &best))
			found = known[i];
	return found;
}

int json_get_choice(const struct json_node *node, const char *what, const char *const choices[], size_t *ret_index,
	struct complaint *ret_why)
{
	const char *text = NULL, *meant;
	char sample[SAMPLE_SIZE];
	int rc = json_get_string(node, &text, ret_why);

	if (rc < 0)
		return rc;
	for (size_t i = 0; choices[i] != NULL; i++)
		if (strcmp(text, choices[i]) == 0) {
			*ret_index = i;
			return 0;
		}
	node_sample(node, sample);
	meant = nearest(text, choices);
	if (meant != NULL)
		return json_complain(node, ret_why, "unknown %s %s; did you mean \"%s\"?", what, sample, meant);
	return json_complain(node, ret_why, "unknown %s %s", what, sample);
}

int json_complain_unknown(const struct json_node *member, const char *const known[], struct complaint *ret_why)
{
	const char *meant = nearest(json_key(member), known);

	if (meant != NULL)
		return json_complain_key(member, ret_why, "unknown key; did you mean \"%s\"?", meant);
	return json_complain_key(member, ret_why, "unknown key");
}

int json_known_keys(const struct json_node *object, const char *const known[], struct complaint *ret_why)
{
	int rc = json_expect(object, JSON_OBJECT, ret_why);

	if (rc < 0)
		return rc;
	for (const struct json_node *member = json_first(object); member != NULL; member = json_next(member)) {
		size_t i = 0;

		while (known[i] != NULL && strcmp(json_key(member), known[i]) != 0)
			i++;
		if (known[i] == NULL)
			return json_complain_unknown(member, known, ret_why);
	}
	return 0;
}
