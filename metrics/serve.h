/* The HTTP server: the only one that knows libmicrohttpd. No thread, and no waiting: its owner polls. */
#pragma once

#include "base/complaint.h"
#include "metrics/served_tls.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVE_LISTEN_MAX 8
#define SERVE_POLLFDS_MAX (SERVE_LISTEN_MAX + 1)
#define SERVE_CONNECTIONS_MAX 128 /* at once, in all */
#define SERVE_PER_ADDRESS_MAX 64  /* at once, of one IPv4 address or one IPv6 network of 64 bits */
#define SERVE_HEADER_MAX 8192     /* bytes of memory for the head of a request and that of its reply */
#define SERVE_TIMEOUT_NS (INT64_C(10) * 1000000000) /* for one request and its reply together, and between two */

struct serve;

/* What an answer to the question who may see a page can be. */
enum serve_permit {
	SERVE_PERMIT_YES,
	SERVE_PERMIT_NO,    /* 401 */
	SERVE_PERMIT_LATER, /* not known yet: the request waits for serve_resume(), or its end */
};

struct serve_guard {
	/* authorization: the value of that field, or NULL. */
	enum serve_permit (*permit)(void *context, const char *authorization);
	void *context;
	const char *challenge[3]; /* values of WWW-Authenticate, NULL behind the last; static */
};

struct serve_request {
	const char *path;    /* of the page */
	const char *accept;  /* all Accept fields in one, or NULL */
	int64_t since_ns;    /* when it was asked first, of the monotonic clock: before now if it had to wait */
	const void *details; /* for serve_has() and serve_header() */
};

struct serve_field {
	const char *name, *value; /* value NULL: left out */
};

struct serve_reply {
	unsigned status;          /* 200, 503 */
	const char *content_type; /* static */
	char *body;               /* malloc'ed; the server frees it */
	size_t length;
	const struct serve_field *fields; /* more of the head, field_count of them; static, or NULL */
	size_t field_count;
	int64_t wait_until_ns; /* of SERVE_WAIT */
};

#define SERVE_WAIT 1

/* A page, answering GET and HEAD, and packed (gzip) for who takes it so where that pays: a method it has not is 405,
 * and a path that no page has is 404. answer fills in *ret_reply and returns 0, or -errno for a 500 without a word; or
 * SERVE_WAIT: it cannot tell yet, and is to be asked again after serve_resume(), or at the time it says, whichever
 * comes first. */
struct serve_page {
	const char *path;
	int (*answer)(void *context, const struct serve_request *request, struct serve_reply *ret_reply);
	bool guarded;
};

/* True if the query has a parameter of that name, with or without a value: ?verbose. */
bool serve_has(const struct serve_request *request, const char *name);
/* The value of a header field, or NULL. */
const char *serve_header(const struct serve_request *request, const char *name);

/* Serves `count` descriptors (1 to SERVE_LISTEN_MAX) that are bound, listening, non-blocking and CLOEXEC; they become
 * the server's once it returns 0. pages, context and tls are borrowed until serve_close(); tls NULL: HTTP, else HTTPS
 * and nothing but that. Connections beyond the limits push out the oldest one of the address that has most: who waits
 * is never shut out by who only holds on. Returns 0 or -errno and why. */
int serve_open(const int *fds, size_t count, const struct serve_page *pages, size_t page_count, void *context,
	struct served_tls *tls, struct serve **ret_serve, struct complaint *ret_why);

/* From here on whoever asks for a guarded page is asked who he is. guard is borrowed; NULL: nobody is. */
void serve_set_guard(struct serve *serve, const struct serve_guard *guard);
/* The guard knows more: asks it again about every request that waits. They go on when serve_run() is called. */
void serve_ask_again(struct serve *serve);

/* Fills in what to wait for (poll(2)) next, at most SERVE_POLLFDS_MAX entries. Returns how many: always the same
 * number, but an entry may be negative, which poll(2) skips. */
size_t serve_pollfds(const struct serve *serve, struct pollfd ret_fds[static SERVE_POLLFDS_MAX]);
/* When to run at the latest: nanoseconds of the monotonic clock, or TIME_NEVER. */
int64_t serve_deadline_ns(const struct serve *serve);
/* Accepts, reads, answers and writes as far as it goes without waiting; bounded work in one call. */
void serve_run(struct serve *serve, int64_t now_ns);
/* Asks all that wait again, in the next serve_run(). */
void serve_resume(struct serve *serve);
/* How many wait. */
size_t serve_waiting(const struct serve *serve);
/* Bytes of the replies that are not sent yet. */
size_t serve_unsent(const struct serve *serve);
/* NULL is allowed. Ends every connection. */
void serve_close(struct serve *serve);
