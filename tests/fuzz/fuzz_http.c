/* libFuzzer: looks for an HTTP answer that the reader takes differently when it comes in pieces, or in whose body it
 * finds a text that is not there, or misses one that is. Built and run by tests/fuzz/run. The first byte says how the
 * answer is cut, the second how long the text is, which follows; then the answer. */
#include "health/http_body.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 15

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void __attribute__((noreturn)) broken(const char *what)
{
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static struct http_body read_body(
	const struct http_head *head, const char *text, const uint8_t *bytes, size_t length, size_t piece)
{
	struct http_body body;

	http_body_init(&body, head, text);
	for (size_t at = 0; at < length; at += piece)
		http_body_feed(&body, bytes + at, length - at < piece ? length - at : piece);
	http_body_end(&body);
	return body;
}

static struct http_head read_head(const uint8_t *bytes, size_t length, size_t piece)
{
	struct http_head head;

	http_head_init(&head);
	for (size_t at = 0; at < length; at += piece)
		http_head_feed(&head, bytes + at, length - at < piece ? length - at : piece);
	return head;
}

/* All chunks put together; returns false where one is not whole or not well-formed, which ends the body as well. */
static bool join_chunks(const uint8_t *bytes, size_t length, char *ret_body, size_t *ret_length)
{
	size_t at = 0;

	*ret_length = 0;
	for (;;) {
		char line[HTTP_CHUNK_LINE_MAX + 1], *end;
		const uint8_t *feed = at < length ? memchr(bytes + at, '\n', length - at) : NULL;
		size_t size = feed != NULL ? (size_t)(feed - bytes) - at + 1 : 0;
		unsigned long long chunk;

		if (size < 3 || size > HTTP_CHUNK_LINE_MAX || feed[-1] != '\r' ||
			strchr("+- \t\v\f\r", bytes[at]) != NULL)
			return false;
		memcpy(line, bytes + at, size);
		line[size] = '\0';
		if (line[0] == '0' && (line[1] | 0x20) == 'x')
			return false;
		chunk = strtoull(line, &end, 16);
		if (end == line || strchr(" \t;\r", *end) == NULL || *end == '\0' || (end - line) > 16 ||
			memchr(line, '\r', size - 2) != NULL || chunk >> 60 != 0)
			return false;
		at += size;
		if (chunk == 0)
			return true;
		size = chunk < length - at ? (size_t)chunk : length - at;
		memcpy(ret_body + *ret_length, bytes + at, size);
		*ret_length += size;
		at += size;
		if (size < chunk || length - at < 2 || bytes[at] != '\r' || bytes[at + 1] != '\n')
			return false;
		at += 2;
	}
}

static bool has_text(const char *body, size_t length, const char *text)
{
	return memmem(body, length < HTTP_BODY_MAX ? length : HTTP_BODY_MAX, text, strlen(text)) != NULL;
}

static void check_body(const struct http_head *head, const struct http_body *body, const char *text,
	const uint8_t *bytes, size_t length)
{
	static char joined[1 << 20];
	const bool found = body->result == HTTP_BODY_FOUND;
	size_t size = length;
	bool whole = true;

	if (head->bad_length || head->status == 204 || head->status == 304 || head->status < 200) {
		if (found)
			broken("a text in no body");
		return;
	}
	if (head->chunked) {
		whole = join_chunks(bytes, length, joined, &size);
		bytes = (const uint8_t *)joined;
	} else if (!head->coded && head->has_length && head->length < size) {
		size = (size_t)head->length;
	}
	if (found != has_text((const char *)bytes, size, text))
		broken(found ? "a text that is not there" : "a text that is missed");
	if (head->chunked && !found && (body->result == HTTP_BODY_LACKS) != (whole && size <= HTTP_BODY_MAX))
		broken("chunks that are whole for one alone");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char text[TEXT_MAX + 1] = "";
	struct http_head head, again;
	struct http_body body, other;
	size_t piece, size;

	if (length < 3 || length > 1 << 19)
		return 0;
	piece = 1 + bytes[0] % 64;
	size = 1 + bytes[1] % TEXT_MAX;
	if (length < 2 + size)
		return 0;
	memcpy(text, bytes + 2, size);
	if (text[0] == '\0')
		return 0;
	bytes += 2 + size;
	length -= 2 + size;
	head = read_head(bytes, length, length + 1);
	again = read_head(bytes, length, piece);
	if (head.result != again.result || head.size != again.size || head.status != again.status)
		broken("another head when it comes in pieces");
	if (head.result != HTTP_HEAD_COMPLETE)
		return 0;
	if (head.size > length || head.length != again.length || head.chunked != again.chunked)
		broken("another frame when it comes in pieces");
	bytes += head.size;
	length -= head.size;
	body = read_body(&head, text, bytes, length, length + 1);
	other = read_body(&head, text, bytes, length, piece);
	if (body.result != other.result || body.size != other.size || body.size > HTTP_BODY_MAX)
		broken("another body when it comes in pieces");
	check_body(&head, &body, text, bytes, length);
	return 0;
}
