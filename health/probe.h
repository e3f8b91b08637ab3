/* One look at one target, without ever blocking: the caller's loop waits.
 *
 *     probe_start(&probe, &target, &exchange, now, deadline);
 *     while (probe_advance(&probe, now) == PROBE_RUNNING) {
 *             probe_poll(&probe, &slot);
 *             ppoll(&slot, 1, until probe_wake(&probe), ...);
 *     }
 *
 * Descriptors are CLOEXEC and non-blocking, SIGPIPE is never raised, and at the end (done or cancelled) none is open
 * and no child is left. Times are nanoseconds of CLOCK_MONOTONIC. */
#pragma once

#include "base/check.h"
#include "health/endpoint.h"
#include "health/http_body.h"
#include "health/resolve.h"

#include <poll.h>

#define PROBE_REASON_SIZE 480

enum probe_status { PROBE_RUNNING, PROBE_DONE };

struct probe {
	const struct target *target;     /* borrowed, as long as the probe runs */
	const struct exchange *exchange; /* borrowed too */
	int64_t started_at;
	int64_t deadline;
	int64_t address_at;    /* when the address at endpoint_at was begun with */
	int64_t address_until; /* the next address is tried from then on */
	int64_t retry_at;      /* Unix socket whose backlog is full: when to try again */
	uint8_t phase;
	bool success;
	bool held;
	int fd;
	struct resolve resolve;
	size_t endpoint_count, endpoint_at;
	struct endpoint endpoint[ENDPOINT_MAX];
	size_t sent; /* bytes of the request */
	struct http_head head;
	struct http_body body;
	const struct http_sink *sink; /* borrowed; of probe_fetch() */
	char reason[PROBE_REASON_SIZE];
};

/* Begins. It may be over at once, which probe_advance() or probe_running() tells; it needs no answer of its own, for
 * what goes wrong is the result. At the deadline the probe fails by itself, and says what it was waiting for. */
void probe_start(struct probe *probe, const struct target *target, const struct exchange *exchange, int64_t now,
	int64_t deadline);

/* The same for a page that is wanted whole: its body goes to the sink. It is a success if the status is one that is
 * expected and the body came to its end. */
void probe_fetch(struct probe *probe, const struct target *target, const struct exchange *exchange,
	const struct http_sink *sink, int64_t now, int64_t deadline);

/* Connects, to an http or http+unix target, and sends nothing before probe_release(). */
void probe_hold(struct probe *probe, const struct target *target, const struct exchange *exchange, int64_t now,
	int64_t deadline);

/* The exchange is complete now: it is sent, at once if the connection is there. */
void probe_release(struct probe *probe, int64_t now);

bool probe_running(const struct probe *probe);

/* What to wait for: fd is -1 (which poll(2) skips) when there is only the time to wait for, and when it is done. */
void probe_poll(const struct probe *probe, struct pollfd *ret_slot);

/* Call probe_advance() at this time at the latest. TIME_NEVER when it is done. */
int64_t probe_wake(const struct probe *probe);

/* Goes on as far as it can without waiting. It does no harm to call it too often. */
enum probe_status probe_advance(struct probe *probe, int64_t now);

/* What came of it, once it is done. The reason is one line, borrowed from the probe: "200 OK", "connection refused
 * (127.0.0.1:4000)". No byte of it comes from the other side. */
bool probe_result(const struct probe *probe, const char **ret_reason);

/* Gives up, done or not: closes, kills, reaps. There is no result. A zeroed struct that was never started is fine. */
void probe_cancel(struct probe *probe);
