#include "base/expected.h"
#include "health/http_head.h"

#include "base/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct exchange plain;

/* Bytes with their length, so that a NUL may be among them. */
#define BYTES(text) text, sizeof(text) - 1

static const struct answer {
	const char *bytes;
	size_t length;
	enum http_head_result result;
	unsigned status; /* where the result is HTTP_HEAD_COMPLETE */
	size_t behind;   /* bytes that are not of the head, then */
} answers[] = {
	{ BYTES("HTTP/1.1 200 OK\r\n\r\n"), HTTP_HEAD_COMPLETE, 200, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody \0 \r\n\r\n"), HTTP_HEAD_COMPLETE, 200, 11 },
	{ BYTES("HTTP/1.0 503 Service Unavailable\r\nRetry-After:1\r\n\r\n"), HTTP_HEAD_COMPLETE, 503, 0 },
	{ BYTES("HTTP/1.1 204\r\n\r\n"), HTTP_HEAD_COMPLETE, 204, 0 },
	{ BYTES("HTTP/1.1 204 \r\n\r\n"), HTTP_HEAD_COMPLETE, 204, 0 },
	{ BYTES("HTTP/1.1 301 Weg\xc3\xa4\t!\r\nLocation: /\r\n\r\n"), HTTP_HEAD_COMPLETE, 301, 0 },
	{ BYTES("HTTP/1.1 401 x\nA: b\n\n"), HTTP_HEAD_COMPLETE, 401, 0 },
	{ BYTES("HTTP/1.1 999 x\r\n\r\n"), HTTP_HEAD_COMPLETE, 999, 0 },
	{ BYTES("HTTP/1.1 101 x\r\n\r\nanything"), HTTP_HEAD_COMPLETE, 101, 8 },
	{ BYTES("HTTP/1.1 200 x\r\nA:\r\nB: \r\n c\r\n\td\r\n\r\n"), HTTP_HEAD_COMPLETE, 200, 0 },
	{ BYTES("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), HTTP_HEAD_COMPLETE, 200, 0 },
	{ BYTES("HTTP/1.1 100\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 429 x\r\n\r\n"), HTTP_HEAD_COMPLETE, 429, 0 },
	{ BYTES(""), HTTP_HEAD_NEED_MORE, 0, 0 },
	{ BYTES("H"), HTTP_HEAD_NEED_MORE, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\n"), HTTP_HEAD_NEED_MORE, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\nA: b\r\n\r"), HTTP_HEAD_NEED_MORE, 0, 0 },
	{ BYTES("HTTP/1.1 100 Continue\r\n\r\n"), HTTP_HEAD_NEED_MORE, 0, 0 },
	{ BYTES("\r\nHTTP/1.1 200 OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("\0"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("SSH-2.0-OpenSSH_9.2\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("\x15\x03\x01"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("http/1.1 200 OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/2 200\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/2.0 200 OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.x 200 OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.10 200 OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1  200 OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1\t200 OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 20 OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 2000 OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 099 OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 -20 OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200OK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 O\0K\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 O\x7fK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\nA: \x1b[2J\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 O\rK\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\n folded: into nothing\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\n folded: into nothing\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\nnocolon\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\n: no name\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 200 OK\r\nA: b\r\n\rx"), HTTP_HEAD_MALFORMED, 0, 0 },
	{ BYTES("HTTP/1.1 100 Continue\r\n\r\nnonsense"), HTTP_HEAD_MALFORMED, 0, 0 },
};

static void assert_read(const struct http_head *head, const struct answer *answer)
{
	if (head->result != answer->result)
		fail_msg("%s: result %d", answer->bytes, head->result);
	if (answer->result != HTTP_HEAD_COMPLETE)
		return;
	assert_int_equal(head->status, answer->status);
	assert_int_equal(head->size, answer->length - answer->behind);
}

static void reads_answers_whole(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(answers); i++) {
		struct http_head head;

		http_head_init(&head);
		assert_int_equal(http_head_feed(&head, answers[i].bytes, answers[i].length), answers[i].result);
		assert_read(&head, &answers[i]);
	}
}

/* Cut at any two places: the same result, the same state to the byte. */
static void reads_the_same_however_it_is_cut(void **state)
{
	size_t i, first, second;

	(void)state;
	for (i = 0; i < COUNT(answers); i++) {
		const struct answer *answer = &answers[i];
		struct http_head whole;

		memset(&whole, 0, sizeof whole); /* padding is compared as well */
		http_head_feed(&whole, answer->bytes, answer->length);
		for (first = 0; first <= answer->length; first++)
			for (second = first; second <= answer->length; second++) {
				struct http_head head;

				memset(&head, 0, sizeof head);
				http_head_feed(&head, answer->bytes, first);
				http_head_feed(&head, answer->bytes + first, second - first);
				http_head_feed(&head, answer->bytes + second, answer->length - second);
				assert_read(&head, answer);
				assert_memory_equal(&head, &whole, sizeof head);
			}
	}
}

static void reads_byte_by_byte(void **state)
{
	size_t i, at;

	(void)state;
	for (i = 0; i < COUNT(answers); i++) {
		struct http_head head;

		http_head_init(&head);
		for (at = 0; at < answers[i].length; at++)
			http_head_feed(&head, answers[i].bytes + at, 1);
		assert_read(&head, &answers[i]);
	}
}

static void a_result_is_final(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(answers); i++) {
		struct http_head head;

		if (answers[i].result == HTTP_HEAD_NEED_MORE)
			continue;
		http_head_init(&head);
		http_head_feed(&head, answers[i].bytes, answers[i].length);
		assert_int_equal(http_head_feed(&head, BYTES("HTTP/1.1 500 x\r\n\r\n")), answers[i].result);
		assert_read(&head, &answers[i]);
	}
}

/* A head of exactly `size` bytes: one field fills it. */
static enum http_head_result feed_sized(size_t size, size_t slice, struct http_head *ret_head)
{
	static const char start[] = "HTTP/1.1 200 OK\r\nA: ", end[] = "\r\n\r\n";
	static char bytes[HTTP_HEAD_MAX + 4096];
	size_t at, length;

	assert_true(size <= sizeof bytes);
	memset(bytes, 'x', size);
	memcpy(bytes, start, sizeof start - 1);
	memcpy(bytes + size - (sizeof end - 1), end, sizeof end - 1);
	http_head_init(ret_head);
	for (at = 0; at < size; at += length) {
		length = size - at < slice ? size - at : slice;
		http_head_feed(ret_head, bytes + at, length);
	}
	return ret_head->result;
}

static void takes_64_kib_and_not_a_byte_more(void **state)
{
	static const size_t slices[] = { 1, 7, 4096, 65535, 65536, 65537, 100000 };
	struct http_head head;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(slices); i++) {
		assert_int_equal(feed_sized(HTTP_HEAD_MAX, slices[i], &head), HTTP_HEAD_COMPLETE);
		assert_int_equal(feed_sized(HTTP_HEAD_MAX + 1, slices[i], &head), HTTP_HEAD_TOO_LARGE);
		assert_int_equal(feed_sized(HTTP_HEAD_MAX + 4000, slices[i], &head), HTTP_HEAD_TOO_LARGE);
	}
}

static void interim_answers_share_the_limit(void **state)
{
	enum http_head_result result = HTTP_HEAD_NEED_MORE;
	struct http_head head;
	int rounds;

	(void)state;
	http_head_init(&head);
	for (rounds = 0; result == HTTP_HEAD_NEED_MORE; rounds++)
		result = http_head_feed(&head, BYTES("HTTP/1.1 103 x\r\n\r\n"));
	assert_int_equal(result, HTTP_HEAD_TOO_LARGE);
	assert_int_equal(rounds, HTTP_HEAD_MAX / 18 + 1);
}

/* Any bytes: a result, and never a read outside (sanitizers look on). */
static void survives_noise(void **state)
{
	static const char alphabet[] = "HTP/1. 20345\r\n:ax\t\0";
	unsigned seed = 5, round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		char bytes[48] = "HTTP/1.1 200 ";
		size_t i, keep = round % 16;
		struct http_head head;

		for (i = keep < 13 ? keep : 13; i < sizeof bytes; i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
		}
		http_head_init(&head);
		http_head_feed(&head, bytes, sizeof bytes);
		assert_true(head.size <= sizeof bytes);
		if (head.result == HTTP_HEAD_COMPLETE)
			assert_true(head.status == 101 || (head.status >= 200 && head.status <= 999));
	}
}

#define REQUEST_END "User-Agent: nest-init/" NEST_INIT_VERSION "\r\nAccept: */*\r\nConnection: close\r\n\r\n"

static void writes_requests(void **state)
{
	static const struct {
		struct target target;
		const char *bytes;
	} rows[] = {
		{ { .kind = TARGET_HTTP, .host = "127.0.0.1", .port = 4000, .path = "/api/health?x=1" },
			"GET /api/health?x=1 HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n" REQUEST_END },
		{ { .kind = TARGET_HTTP, .host = "backend", .port = 80, .path = "/" },
			"GET / HTTP/1.1\r\nHost: backend\r\n" REQUEST_END },
		{ { .kind = TARGET_HTTP, .host = "::1", .port = 8080, .path = "/" },
			"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n" REQUEST_END },
		{ { .kind = TARGET_HTTP, .host = "::1", .port = 80, .path = "/" },
			"GET / HTTP/1.1\r\nHost: [::1]\r\n" REQUEST_END },
		{ { .kind = TARGET_HTTP_UNIX, .socket = "/run/x", .path = "/h" },
			"GET /h HTTP/1.1\r\nHost: localhost\r\n" REQUEST_END },
	};
	char bytes[HTTP_REQUEST_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		const int length = http_request(&rows[i].target, &plain, bytes, sizeof bytes);

		assert_int_equal(length, strlen(rows[i].bytes));
		assert_memory_equal(bytes, rows[i].bytes, (size_t)length);
		assert_int_equal(http_request(&rows[i].target, &plain, bytes, (size_t)length), length);
		assert_int_equal(http_request(&rows[i].target, &plain, bytes, (size_t)length - 1), -ENOSPC);
	}
}

static void writes_what_the_check_asks_for(void **state)
{
	static const struct target target = { .kind = TARGET_HTTP, .host = "a", .port = 80, .path = "/" };
	static const struct {
		struct exchange exchange;
		const char *bytes;
	} rows[] = {
		{ { .method = "HEAD" }, "HEAD / HTTP/1.1\r\nHost: a\r\n" REQUEST_END },
		{ { .method = "POST" },
			"POST / HTTP/1.1\r\nHost: a\r\nUser-Agent: nest-init/" NEST_INIT_VERSION
			"\r\nAccept: */*\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" },
		{ { .method = "POST", .content = "{\"a\": 1}" },
			"POST / HTTP/1.1\r\nHost: a\r\nUser-Agent: nest-init/" NEST_INIT_VERSION
			"\r\nAccept: */*\r\nContent-Length: 8\r\nConnection: close\r\n\r\n" },
		{ { .header_count = 2, .header = { "Authorization:Bearer x", "X: \t y z " } },
			"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: nest-init/" NEST_INIT_VERSION
			"\r\nAccept: */*\r\nAuthorization: Bearer x\r\nX: y z \r\nConnection: close\r\n\r\n" },
		{ { .header_count = 4, .header = { "hOST:b:1", "User-Agent: kube-probe/1", "accept:a", "Hosts:c" } },
			"GET / HTTP/1.1\r\nhOST: b:1\r\nUser-Agent: kube-probe/1\r\naccept: a\r\nHosts: c\r\n"
			"Connection: close\r\n\r\n" },
	};
	char bytes[HTTP_REQUEST_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const int length = http_request(&target, &rows[i].exchange, bytes, sizeof bytes);

		assert_int_equal(length, strlen(rows[i].bytes));
		assert_memory_equal(bytes, rows[i].bytes, (size_t)length);
	}
}

/* What the fields say about the body. */
static void reads_where_the_body_ends(void **state)
{
	static const struct {
		const char *fields;
		bool coded, chunked, has_length, bad;
		uint64_t length;
	} rows[] = {
		{ "", false, false, false, false, 0 },
		{ "Content-Length: 12\r\n", false, false, true, false, 12 },
		{ "content-length:\t0 \r\n", false, false, true, false, 0 },
		{ "A: b\r\nCONTENT-LENGTH:7\nC: d\r\n", false, false, true, false, 7 },
		{ "Content-Length:\r\n 42\r\n", false, false, true, false, 42 },
		{ "Content-Length: 5\r\nContent-Length: 5\r\n", false, false, true, false, 5 },
		{ "Content-Length: 5\r\nContent-Length: 6\r\n", false, false, true, true, 6 },
		{ "Content-Length: -5\r\n", false, false, true, true, 0 },
		{ "Content-Length: 5, 5\r\n", false, false, true, true, 0 },
		{ "Content-Length: \r\n", false, false, true, true, 0 },
		{ "Content-Length: 999999999999999999\r\n", false, false, true, false, 999999999999999999 },
		{ "Content-Length: 9999999999999999999\r\n", false, false, true, true, 0 },
		{ "X-Content-Length: 5\r\nContent-Lengths: 5\r\n", false, false, false, false, 0 },
		{ "Transfer-Encoding: Chunked\r\n", true, true, false, false, 0 },
		{ "Transfer-Encoding: gzip, chunked\r\n", true, true, false, false, 0 },
		{ "Transfer-Encoding: gzip\r\n", true, false, false, false, 0 },
		{ "Transfer-Encoding: xchunked\r\n", true, false, false, false, 0 },
		{ "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", true, true, true, false, 3 },
		{ "Transfer-Encoding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, chunked\r\n", true,
			false, false, true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_head head;
		char text[256];

		/* the interim answer's do not count */
		snprintf(text, sizeof text, "HTTP/1.1 103 x\r\nContent-Length: 99\r\n\r\nHTTP/1.1 200 OK\r\n%s\r\n",
			rows[i].fields);
		http_head_init(&head);
		assert_int_equal(http_head_feed(&head, text, strlen(text)), HTTP_HEAD_COMPLETE);
		if (head.coded != rows[i].coded || head.chunked != rows[i].chunked ||
			head.has_length != rows[i].has_length || head.bad_length != rows[i].bad)
			fail_msg("%s", rows[i].fields);
		if (!rows[i].bad)
			assert_true(head.length == rows[i].length);
	}
}

static void the_longest_target_fits_a_request(void **state)
{
	static char headers[EXCHANGE_HEADERS_MAX][EXCHANGE_HEADERS_SIZE / EXCHANGE_HEADERS_MAX + 1];
	struct target target = { .kind = TARGET_HTTP, .port = 65535 };
	struct exchange full = { .method = "PROPPATCHPROPPAT", .header_count = EXCHANGE_HEADERS_MAX };
	char bytes[HTTP_REQUEST_SIZE];

	(void)state;
	for (size_t i = 0; i < EXCHANGE_HEADERS_MAX; i++) {
		memset(headers[i], ':', sizeof headers[i] - 1);
		headers[i][0] = 'a';
		full.header[i] = headers[i];
	}
	memset(target.host, 'h', sizeof target.host - 1);
	memset(target.path, '/', sizeof target.path - 1);
	assert_true(http_request(&target, &full, bytes, sizeof bytes) > 0);
}

static void knows_the_phrases(void **state)
{
	unsigned status;

	(void)state;
	assert_string_equal(http_status_phrase(200), "OK");
	assert_string_equal(http_status_phrase(429), "Too Many Requests");
	assert_string_equal(http_status_phrase(503), "Service Unavailable");
	assert_string_equal(http_status_phrase(599), "");
	for (status = 0; status < 2000; status++)
		assert_non_null(http_status_phrase(status));
}

static void expects_200_to_399_by_default(void **state)
{
	const struct expected zero = { 0 };
	unsigned status;

	(void)state;
	for (status = 0; status < 1200; status++) {
		assert_int_equal(expected_has(NULL, status), status >= 200 && status <= 399);
		assert_int_equal(expected_has(&zero, status), status >= 200 && status <= 399);
	}
}

static void expects_what_a_list_says(void **state)
{
	struct expected expected;
	struct complaint why;
	unsigned status;

	(void)state;
	assert_int_equal(expected_parse("200-203,429,401-401", &expected, &why), 0);
	for (status = 0; status < 1200; status++)
		assert_int_equal(expected_has(&expected, status),
			(status >= 200 && status <= 203) || status == 429 || status == 401);
	assert_int_equal(expected_parse("503", &expected, &why), 0);
	assert_true(expected_has(&expected, 503));
	assert_false(expected_has(&expected, 200));
}

static void refuses_lists_that_are_none(void **state)
{
	static const char *const texts[] = {
		"",
		",",
		"200,",
		",200",
		"200,,204",
		"20",
		"2000",
		"199",
		"600",
		"100",
		"299-200",
		"200-",
		"-200",
		"200-2",
		"200 ",
		" 200",
		"200, 204",
		"2xx",
		"200;204",
		"0200",
		"+200",
		"200-299-300",
		"200\n",
		"200,201,202,203,204,205,206,207,208,209,210,211,212,213,214,215,216",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++) {
		struct expected expected, before;
		struct complaint why = { "" };

		memset(&expected, 0x5a, sizeof expected);
		before = expected;
		if (expected_parse(texts[i], &expected, &why) != -EINVAL)
			fail_msg("\"%s\" was taken", texts[i]);
		assert_memory_equal(&expected, &before, sizeof expected);
		assert_null(strchr(why.text, '\n'));
		assert_int_not_equal(why.text[0], '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_answers_whole),
		cmocka_unit_test(reads_the_same_however_it_is_cut),
		cmocka_unit_test(reads_byte_by_byte),
		cmocka_unit_test(a_result_is_final),
		cmocka_unit_test(takes_64_kib_and_not_a_byte_more),
		cmocka_unit_test(interim_answers_share_the_limit),
		cmocka_unit_test(survives_noise),
		cmocka_unit_test(writes_requests),
		cmocka_unit_test(writes_what_the_check_asks_for),
		cmocka_unit_test(reads_where_the_body_ends),
		cmocka_unit_test(the_longest_target_fits_a_request),
		cmocka_unit_test(knows_the_phrases),
		cmocka_unit_test(expects_200_to_399_by_default),
		cmocka_unit_test(expects_what_a_list_says),
		cmocka_unit_test(refuses_lists_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
