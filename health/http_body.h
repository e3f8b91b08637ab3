/* Looks for a text in the body of an HTTP/1.x answer (RFC 9112 section 6), as it comes, in constant memory; or hands
 * the body on. Pure. */
#pragma once

#include "health/http_head.h"

#define HTTP_BODY_MAX 65536     /* bytes of body that are looked at */
#define HTTP_CHUNK_LINE_MAX 256 /* bytes of the line before a chunk, its extensions included */

enum http_body_result {
	HTTP_BODY_NEED_MORE,
	HTTP_BODY_FOUND,     /* whatever follows */
	HTTP_BODY_LACKS,     /* the whole body was seen */
	HTTP_BODY_TOO_LARGE, /* HTTP_BODY_MAX bytes were, and it is longer; or nobody takes more of it */
	HTTP_BODY_MALFORMED, /* a bad length or bad chunking */
	HTTP_BODY_CUT,       /* the connection was closed within it */
};

/* Takes a piece of the body; -errno: it wants no more. */
struct http_sink {
	int (*take)(void *context, const char *bytes, size_t length);
	void *context;
};

struct http_body {
	const char *text;             /* borrowed */
	const struct http_sink *sink; /* borrowed; NULL: the text is looked for */
	uint8_t step;
	uint8_t result; /* enum http_body_result */
	uint16_t line;  /* bytes of the line before a chunk */
	size_t matched; /* bytes of the text that the body ends with at this moment */
	uint64_t left;  /* of the body, or of the chunk */
	uint32_t size;  /* bytes of body looked at */
};

/* Begins behind a complete head. text: not empty, CHECK_BODY_MAX bytes at the most. */
enum http_body_result http_body_init(struct http_body *body, const struct http_head *head, const char *text);

/* The same, but the whole body goes to the sink: at its end the result is HTTP_BODY_LACKS. */
enum http_body_result http_body_pass(
	struct http_body *body, const struct http_head *head, const struct http_sink *sink);

/* Feeds the next bytes as they come, cut anywhere. A result other than HTTP_BODY_NEED_MORE is final. */
enum http_body_result http_body_feed(struct http_body *body, const void *bytes, size_t length);

/* The connection was closed. */
enum http_body_result http_body_end(struct http_body *body);
