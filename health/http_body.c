#include "health/http_body.h"

#include <assert.h>
#include <string.h>

/* What the next byte belongs to. */
enum step {
	STEP_UNTIL_CLOSE,
	STEP_COUNTED,     /* a body of known length */
	STEP_FIRST_DIGIT, /* of a chunk's size */
	STEP_SIZE,
	STEP_EXTENSION, /* behind the size */
	STEP_SIZE_FEED, /* behind the CR of its line */
	STEP_CHUNK,
	STEP_CHUNK_RETURN, /* behind the chunk's bytes */
	STEP_CHUNK_FEED,
	STEP_COUNT,
};

/* How much of the text the body ends with, one byte further on: those bytes are the text's own beginning, so that a
 * shorter match within them is found without keeping the body (Knuth, Morris and Pratt, without their table). */
static size_t match(const char *text, size_t matched, char byte)
{
	size_t shorter = matched;

	if (text[matched] == byte)
		return matched + 1;
	while (shorter-- > 0)
		if (text[shorter] == byte && memcmp(text, text + matched - shorter, shorter) == 0)
			return shorter + 1;
	return 0;
}

/* A byte of the body itself. */
static enum http_body_result look(struct http_body *body, char byte)
{
	if (body->size == HTTP_BODY_MAX)
		return HTTP_BODY_TOO_LARGE;
	body->size++;
	body->matched = match(body->text, body->matched, byte);
	return body->text[body->matched] == '\0' ? HTTP_BODY_FOUND : HTTP_BODY_NEED_MORE;
}

static int hex_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f')
		return (byte | 0x20) - 'a' + 10;
	return -1;
}

/* Sixteen digits would fit too, but no body has so many bytes. */
static enum http_body_result on_size(struct http_body *body, char byte)
{
	const int digit = hex_digit(byte);

	if (digit >= 0 && body->left >> 56 == 0) {
		body->left = body->left << 4 | (unsigned)digit;
		body->step = STEP_SIZE;
		return HTTP_BODY_NEED_MORE;
	}
	if (digit >= 0 || body->step == STEP_FIRST_DIGIT || strchr("\r; \t", byte) == NULL || byte == '\0')
		return HTTP_BODY_MALFORMED;
	body->step = byte == '\r' ? STEP_SIZE_FEED : STEP_EXTENSION;
	return HTTP_BODY_NEED_MORE;
}

static enum http_body_result on_extension(struct http_body *body, char byte)
{
	if (byte == '\r')
		body->step = STEP_SIZE_FEED;
	return byte == '\n' ? HTTP_BODY_MALFORMED : HTTP_BODY_NEED_MORE;
}

/* A chunk of no bytes is the last one: what may follow it are trailer fields. */
static enum http_body_result on_size_feed(struct http_body *body, char byte)
{
	if (byte != '\n')
		return HTTP_BODY_MALFORMED;
	body->line = 0;
	body->step = STEP_CHUNK;
	return body->left == 0 ? HTTP_BODY_LACKS : HTTP_BODY_NEED_MORE;
}

static enum http_body_result on_counted(struct http_body *body, char byte)
{
	const enum http_body_result result = look(body, byte);

	body->left--;
	if (result != HTTP_BODY_NEED_MORE || body->left > 0)
		return result;
	if (body->step == STEP_COUNTED)
		return HTTP_BODY_LACKS;
	body->step = STEP_CHUNK_RETURN;
	return HTTP_BODY_NEED_MORE;
}

/* The CR LF behind a chunk. */
static enum http_body_result on_chunk_end(struct http_body *body, char byte)
{
	if (byte != (body->step == STEP_CHUNK_RETURN ? '\r' : '\n'))
		return HTTP_BODY_MALFORMED;
	body->step = body->step == STEP_CHUNK_RETURN ? STEP_CHUNK_FEED : STEP_FIRST_DIGIT;
	return HTTP_BODY_NEED_MORE;
}

static enum http_body_result (*const on_byte[])(struct http_body *body, char byte) = {
	[STEP_UNTIL_CLOSE] = look,
	[STEP_COUNTED] = on_counted,
	[STEP_FIRST_DIGIT] = on_size,
	[STEP_SIZE] = on_size,
	[STEP_EXTENSION] = on_extension,
	[STEP_SIZE_FEED] = on_size_feed,
	[STEP_CHUNK] = on_counted,
	[STEP_CHUNK_RETURN] = on_chunk_end,
	[STEP_CHUNK_FEED] = on_chunk_end,
};
static_assert(sizeof on_byte / sizeof on_byte[0] == STEP_COUNT, "a function for every step");

static enum http_body_result take(struct http_body *body, char byte)
{
	const bool in_line = body->step >= STEP_FIRST_DIGIT && body->step <= STEP_SIZE_FEED;

	if (in_line && ++body->line > HTTP_CHUNK_LINE_MAX)
		return HTTP_BODY_MALFORMED;
	return on_byte[body->step](body, byte);
}

enum http_body_result http_body_init(struct http_body *body, const struct http_head *head, const char *text)
{
	const bool none = head->status == 204 || head->status == 304 || head->status < 200;

	*body = (struct http_body){ .text = text, .left = head->length, .step = STEP_UNTIL_CLOSE };
	if (head->bad_length) {
		body->result = HTTP_BODY_MALFORMED;
	} else if (none || (!head->coded && head->has_length && head->length == 0)) {
		body->result = HTTP_BODY_LACKS;
	} else if (head->chunked) {
		body->left = 0;
		body->step = STEP_FIRST_DIGIT;
	} else if (!head->coded && head->has_length) {
		body->step = STEP_COUNTED;
	}
	return body->result;
}

enum http_body_result http_body_pass(struct http_body *body, const struct http_head *head, const struct http_sink *sink)
{
	http_body_init(body, head, NULL);
	body->sink = sink;
	return body->result;
}

/* Hands on as much of the body as lies there in one piece. Returns how much it was; 0: the next byte is framing. */
static size_t hand_on(struct http_body *body, const char *bytes, size_t length)
{
	const bool counted = body->step == STEP_COUNTED || body->step == STEP_CHUNK;

	if (!counted && body->step != STEP_UNTIL_CLOSE)
		return 0;
	if (counted && length > body->left)
		length = (size_t)body->left;
	if (body->sink->take(body->sink->context, bytes, length) < 0) {
		body->result = HTTP_BODY_TOO_LARGE;
		return length;
	}
	if (!counted)
		return length;
	body->left -= length;
	if (body->left == 0 && body->step == STEP_COUNTED)
		body->result = HTTP_BODY_LACKS;
	else if (body->left == 0)
		body->step = STEP_CHUNK_RETURN;
	return length;
}

enum http_body_result http_body_feed(struct http_body *body, const void *bytes, size_t length)
{
	const char *next = bytes;

	while (length > 0 && body->result == HTTP_BODY_NEED_MORE) {
		size_t count = body->sink != NULL ? hand_on(body, next, length) : 0;

		if (count == 0) {
			body->result = (uint8_t)take(body, *next);
			count = 1;
		}
		next += count;
		length -= count;
	}
	return body->result;
}

enum http_body_result http_body_end(struct http_body *body)
{
	if (body->result == HTTP_BODY_NEED_MORE)
		body->result = body->step == STEP_UNTIL_CLOSE ? HTTP_BODY_LACKS : HTTP_BODY_CUT;
	return body->result;
}
