/* The little of HTTP/1.1 (RFC 9112) that a check needs: one request, and the head of its answer. Pure. */
#pragma once

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 65536    /* bytes of all heads of one answer together, interim ones included */
#define HTTP_REQUEST_SIZE 6144 /* enough for the request to any target with any headers */
#define HTTP_FIELD_SIZE 64     /* of a field: those that say where the body ends are shorter */

enum http_head_result {
	HTTP_HEAD_NEED_MORE,
	HTTP_HEAD_COMPLETE,  /* the empty line behind the fields of the final answer was seen */
	HTTP_HEAD_MALFORMED, /* not HTTP/1.x */
	HTTP_HEAD_TOO_LARGE, /* more than HTTP_HEAD_MAX bytes and no end */
};

/* The reader's state, of constant size: it keeps no text but the beginning of one field. All zero is a fresh one. */
struct http_head {
	uint8_t step;
	uint8_t result;  /* enum http_head_result */
	uint8_t matched; /* bytes of the current fixed part: "HTTP/1.", digits */
	uint16_t status; /* 101 or 200 to 999 once it is complete; of an interim answer before */
	uint32_t size;   /* bytes of head taken so far: the body begins behind them */
	/* Where the body ends (RFC 9112 section 6.3), once the head is complete. */
	bool coded;       /* there is a Transfer-Encoding: the length does not count */
	bool chunked;     /* whose last coding is chunked */
	bool has_length;  /* there is a Content-Length */
	bool openmetrics; /* Content-Type: application/openmetrics-text */
	bool bad_length;  /* one that is no number or contradicts another, or a coding that is too long to be read */
	uint64_t length;
	uint8_t field_size; /* bytes of the current field, HTTP_FIELD_SIZE for any that is longer */
	char field[HTTP_FIELD_SIZE];
};

void http_head_init(struct http_head *head);

/* Feeds the next bytes as they come, cut anywhere. Bytes behind the head are not looked at, and a result other than
 * HTTP_HEAD_NEED_MORE is final. Interim answers (100, 103; RFC 9110 section 15.2) are skipped, but not 101: nothing of
 * HTTP follows it. */
enum http_head_result http_head_feed(struct http_head *head, const void *bytes, size_t length);

/* "Service Unavailable" for 503; "" for a status without a registered phrase. The server's own phrase is never shown.
 */
const char *http_status_phrase(unsigned status);

/* Writes the head of the request to an http or http+unix target, without a NUL; the exchange's content follows it.
 * Headers of the exchange replace ours of that name.
 * Returns its length, or -ENOSPC. */
int http_request(const struct target *target, const struct exchange *exchange, char *ret_bytes, size_t size);
