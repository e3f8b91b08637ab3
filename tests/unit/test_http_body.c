/* health/http_body: a text in a body, framed in every way, cut anywhere. */
#include "health/http_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

static const struct answer {
	const char *bytes, *text;
	enum http_body_result result, at_end; /* before and after the connection is closed */
} answers[] = {
	{ HEAD "\r\nall is well", "is", HTTP_BODY_FOUND, HTTP_BODY_FOUND },
	{ HEAD "\r\nall is well", "ill", HTTP_BODY_NEED_MORE, HTTP_BODY_LACKS },
	{ "HTTP/1.0 200 OK\r\n\r\nwell", "well", HTTP_BODY_FOUND, HTTP_BODY_FOUND },
	{ HEAD "\r\n", "x", HTTP_BODY_NEED_MORE, HTTP_BODY_LACKS },
	{ HEAD "Content-Length: 4\r\n\r\nwell", "well", HTTP_BODY_FOUND, HTTP_BODY_FOUND },
	{ HEAD "Content-Length: 4\r\n\r\nwell", "wells", HTTP_BODY_LACKS, HTTP_BODY_LACKS },
	{ HEAD "Content-Length: 4\r\n\r\nwells", "wells", HTTP_BODY_LACKS, HTTP_BODY_LACKS },
	{ HEAD "Content-Length: 5\r\n\r\nill", "well", HTTP_BODY_NEED_MORE, HTTP_BODY_CUT },
	{ HEAD "Content-Length: 0\r\n\r\nwell", "well", HTTP_BODY_LACKS, HTTP_BODY_LACKS },
	{ HEAD "Content-Length: x\r\n\r\nwell", "well", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ "HTTP/1.1 204 x\r\n\r\nwell", "well", HTTP_BODY_LACKS, HTTP_BODY_LACKS },
	{ "HTTP/1.1 304 x\r\n\r\nwell", "well", HTTP_BODY_LACKS, HTTP_BODY_LACKS },
	{ "HTTP/1.1 101 x\r\n\r\nwell", "well", HTTP_BODY_LACKS, HTTP_BODY_LACKS },
	{ CHUNKED "4\r\nwell\r\n0\r\n\r\n", "well", HTTP_BODY_FOUND, HTTP_BODY_FOUND },
	{ CHUNKED "2\r\nwe\r\n2\r\nll\r\n0\r\n\r\n", "well", HTTP_BODY_FOUND, HTTP_BODY_FOUND },
	{ CHUNKED "2\r\nwe\r\n1\r\nl\r\n0\r\nwell: x\r\n\r\n", "well", HTTP_BODY_LACKS, HTTP_BODY_LACKS },
	{ CHUNKED "00a;name=\"v\"\r\n0123456789\r\n0;x\r\n\r\n", "9\r", HTTP_BODY_LACKS, HTTP_BODY_LACKS },
	{ CHUNKED "A \r\n0123456789\r\n", "789", HTTP_BODY_FOUND, HTTP_BODY_FOUND },
	{ CHUNKED "3\r\nabc\r\n", "x", HTTP_BODY_NEED_MORE, HTTP_BODY_CUT },
	{ CHUNKED "3\r\nab", "x", HTTP_BODY_NEED_MORE, HTTP_BODY_CUT },
	{ CHUNKED "zz\r\n", "x", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ CHUNKED "\r\n", "x", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ CHUNKED ";x\r\n", "x", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ CHUNKED "-1\r\n", "x", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ CHUNKED "3x\r\nabc", "x", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ CHUNKED "3\nabc", "x", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ CHUNKED "3;a\nabc", "x", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ CHUNKED "3\rabc", "x", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ CHUNKED "3\r\nabcd\r\n", "x", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ CHUNKED "3\r\nabc\rx", "x", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ CHUNKED "ffffffffffffffffff\r\nx", "x", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
	{ CHUNKED "fffffffffffffff\r\nx", "x", HTTP_BODY_FOUND, HTTP_BODY_FOUND },
	{ HEAD "Transfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nwell", "well", HTTP_BODY_FOUND, HTTP_BODY_FOUND },
	/* what the text begins with comes again within it */
	{ HEAD "\r\naaab", "aab", HTTP_BODY_FOUND, HTTP_BODY_FOUND },
	{ HEAD "\r\nabababac", "ababac", HTTP_BODY_FOUND, HTTP_BODY_FOUND },
	{ HEAD "\r\naabaabaaaabaab", "aabaaa", HTTP_BODY_FOUND, HTTP_BODY_FOUND },
	{ HEAD "\r\nabacabab", "abacabac", HTTP_BODY_NEED_MORE, HTTP_BODY_LACKS },
};

/* Feeds an answer in pieces of `piece` bytes. */
static struct http_body read_answer(const struct answer *answer, size_t piece)
{
	const size_t length = strlen(answer->bytes);
	struct http_head head;
	struct http_body body;
	size_t at;

	http_head_init(&head);
	assert_int_equal(http_head_feed(&head, answer->bytes, length), HTTP_HEAD_COMPLETE);
	http_body_init(&body, &head, answer->text);
	for (at = head.size; at < length; at += piece)
		http_body_feed(&body, answer->bytes + at, length - at < piece ? length - at : piece);
	return body;
}

static void reads_bodies_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		for (size_t piece = 1; piece < 100; piece++) {
			struct http_body body = read_answer(&answers[i], piece);

			if (body.result != answers[i].result)
				fail_msg("%zu, in pieces of %zu: %d", i, piece, body.result);
			assert_int_equal(http_body_end(&body), answers[i].at_end);
			assert_int_equal(http_body_feed(&body, "well", 4), answers[i].at_end);
		}
	}
}

static void begin(struct http_body *body, const char *head_text, const char *text)
{
	struct http_head head;

	http_head_init(&head);
	assert_int_equal(http_head_feed(&head, head_text, strlen(head_text)), HTTP_HEAD_COMPLETE);
	assert_int_equal(http_body_init(body, &head, text), HTTP_BODY_NEED_MORE);
}

static void looks_at_64_kib_and_not_a_byte_more(void **state)
{
	static const char *const heads[] = { HEAD "\r\n", HEAD "Content-Length: 65537\r\n\r\n" };
	static char bytes[HTTP_BODY_MAX + 1];
	struct http_body body;

	(void)state;
	memset(bytes, 'a', sizeof bytes);
	for (size_t i = 0; i < COUNT(heads); i++) {
		bytes[HTTP_BODY_MAX - 1] = 'a';
		bytes[HTTP_BODY_MAX] = 'b';
		begin(&body, heads[i], "ab");
		assert_int_equal(http_body_feed(&body, bytes, HTTP_BODY_MAX), HTTP_BODY_NEED_MORE);
		assert_int_equal(http_body_feed(&body, "b", 1), HTTP_BODY_TOO_LARGE);
		bytes[HTTP_BODY_MAX - 1] = 'b';
		begin(&body, heads[i], "ab");
		assert_int_equal(http_body_feed(&body, bytes, HTTP_BODY_MAX), HTTP_BODY_FOUND);
	}
}

static void an_endless_line_before_a_chunk_is_cut_off(void **state)
{
	struct http_body body;

	(void)state;
	begin(&body, CHUNKED, "x");
	http_body_feed(&body, "1;", 2);
	for (int i = 2; i < HTTP_CHUNK_LINE_MAX; i++)
		assert_int_equal(http_body_feed(&body, "y", 1), HTTP_BODY_NEED_MORE);
	assert_int_equal(http_body_feed(&body, "y", 1), HTTP_BODY_MALFORMED);
}

/* The text is looked for as strstr(3) does it, in random bodies of few letters. */
static void finds_what_strstr_finds(void **state)
{
	uint32_t seed = 42;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char haystack[64], needle[8];
		struct http_body body;
		size_t length, i;

		seed = seed * 1664525 + 1013904223;
		length = 1 + (seed >> 16) % (sizeof needle - 1);
		for (i = 0; i < sizeof haystack - 1 + length; i++) {
			seed = seed * 1664525 + 1013904223;
			(i < length ? needle : haystack)[i < length ? i : i - length] = (char)('a' + (seed >> 16) % 2);
		}
		needle[length] = haystack[sizeof haystack - 1] = '\0';
		begin(&body, HEAD "\r\n", needle);
		http_body_feed(&body, haystack, sizeof haystack - 1);
		assert_int_equal(
			http_body_end(&body), strstr(haystack, needle) != NULL ? HTTP_BODY_FOUND : HTTP_BODY_LACKS);
	}
}

struct kept {
	char text[64];
	size_t length, most;
};

static int keep(void *context, const char *bytes, size_t length)
{
	struct kept *kept = context;

	if (length > kept->most - kept->length)
		return -EFBIG;
	memcpy(kept->text + kept->length, bytes, length);
	kept->length += length;
	return 0;
}

static void hands_the_body_on_however_it_is_cut(void **state)
{
	static const struct {
		const char *head, *body, *kept;
		enum http_body_result result, at_end;
	} rows[] = {
		{ HEAD "\r\n", "all is well", "all is well", HTTP_BODY_NEED_MORE, HTTP_BODY_LACKS },
		{ HEAD "Content-Length: 4\r\n\r\n", "wells", "well", HTTP_BODY_LACKS, HTTP_BODY_LACKS },
		{ HEAD "Content-Length: 5\r\n\r\n", "well", "well", HTTP_BODY_NEED_MORE, HTTP_BODY_CUT },
		{ HEAD "Content-Length: 0\r\n\r\n", "well", "", HTTP_BODY_LACKS, HTTP_BODY_LACKS },
		{ CHUNKED, "3\r\nall\r\n2;x\r\n i\r\n0\r\n\r\n", "all i", HTTP_BODY_LACKS, HTTP_BODY_LACKS },
		{ CHUNKED, "3\r\nall\r\n2\r\n ", "all ", HTTP_BODY_NEED_MORE, HTTP_BODY_CUT },
		{ CHUNKED, "3\r\nallx", "all", HTTP_BODY_MALFORMED, HTTP_BODY_MALFORMED },
		{ HEAD "\r\n", "a body of seventeen", "", HTTP_BODY_TOO_LARGE, HTTP_BODY_TOO_LARGE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t piece = 1; piece < 40; piece++) {
			struct kept kept = { .most = 16 };
			const struct http_sink sink = { keep, &kept };
			struct http_head head;
			struct http_body body;
			const char *at = rows[i].body, *end = at + strlen(at);

			http_head_init(&head);
			http_head_feed(&head, rows[i].head, strlen(rows[i].head));
			http_body_pass(&body, &head, &sink);
			for (; at < end; at += piece)
				http_body_feed(&body, at, (size_t)(end - at) < piece ? (size_t)(end - at) : piece);
			assert_int_equal(body.result, rows[i].result);
			assert_int_equal(http_body_end(&body), rows[i].at_end);
			if (rows[i].result != HTTP_BODY_TOO_LARGE)
				assert_string_equal(kept.text, rows[i].kept);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_bodies_however_they_are_cut),
		cmocka_unit_test(looks_at_64_kib_and_not_a_byte_more),
		cmocka_unit_test(an_endless_line_before_a_chunk_is_cut_off),
		cmocka_unit_test(finds_what_strstr_finds),
		cmocka_unit_test(hands_the_body_on_however_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
