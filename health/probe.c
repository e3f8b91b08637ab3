#include "health/probe.h"

#include "base/clock.h"
#include "base/duration.h"
#include "health/names.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* connect(2) answers EAGAIN while the backlog of a Unix socket is full, and poll(2) has no event for its end. */
#define BACKLOG_RETRY_NS (20 * NS_PER_MS)
/* A place and a sentence about it: longer names are cut. */
#define PLACE_SIZE 200
#define SENTENCE_SIZE 320

/* What the probe waits for. Zero is "nothing is open", so that a zeroed struct may be cancelled. */
enum phase {
	PHASE_DONE,
	PHASE_RESOLVING,
	PHASE_CONNECTING,
	PHASE_BACKLOG,
	PHASE_HELD, /* for probe_release() */
	PHASE_SENDING,
	PHASE_WAITING, /* for the first byte of the answer */
	PHASE_HEADERS, /* for the rest of its head */
	PHASE_BODY,    /* for a text in its body */
	PHASE_PAGE,    /* for the whole body */
	PHASE_COUNT,
};

static void resolving(struct probe *probe, int64_t now);
static void connecting(struct probe *probe, int64_t now);
static void backlog(struct probe *probe, int64_t now);
static void held(struct probe *probe, int64_t now);
static void sending(struct probe *probe, int64_t now);
static void receiving(struct probe *probe, int64_t now);

/* step goes as far as it can; it leaves the phase as it is when it has to wait. Behind `late` comes " within 1s
 * (where)". */
static const struct {
	short events;
	void (*step)(struct probe *probe, int64_t now);
	const char *late;
} phases[] = {
	[PHASE_DONE] = { 0, NULL, "" },
	[PHASE_RESOLVING] = { POLLIN, resolving, "name not resolved" },
	[PHASE_CONNECTING] = { POLLOUT, connecting, "not connected" },
	[PHASE_BACKLOG] = { 0, backlog, "not accepted, backlog full," },
	[PHASE_HELD] = { POLLIN, held, "nothing to send" },
	[PHASE_SENDING] = { POLLOUT, sending, "request not taken" },
	[PHASE_WAITING] = { POLLIN, receiving, "no answer" },
	[PHASE_HEADERS] = { POLLIN, receiving, "headers incomplete" },
	[PHASE_BODY] = { POLLIN, receiving, "text not found in the body" },
	[PHASE_PAGE] = { POLLIN, receiving, "body incomplete" },
};
static_assert(sizeof phases / sizeof phases[0] == PHASE_COUNT, "a row for every phase");

/* Of all probes of this process. */
static struct names known;

/* One sentence in both C libraries. */
static const struct {
	int error;
	char text[32];
} errors[] = {
	{ ECONNREFUSED, "connection refused" },
	{ ECONNRESET, "connection reset" },
	{ ETIMEDOUT, "connection timed out" },
	{ EHOSTUNREACH, "no route to host" },
	{ ENETUNREACH, "network unreachable" },
	{ EADDRNOTAVAIL, "address not available" },
	{ EAFNOSUPPORT, "address family not supported" },
	{ EPROTOTYPE, "not a stream socket" },
	{ ENOENT, "not there" },
	{ ENOTDIR, "not there" },
	{ EPERM, "not permitted" },
	{ EMFILE, "too many open files" },
	{ ENFILE, "too many open files" },
};

/* Who looks is mostly another user than the service, who may well be allowed to. */
static const char *describe_error(int error)
{
	static char denied[48];
	size_t i;

	if (error == EACCES) {
		snprintf(denied, sizeof denied, "permission denied to user %u", (unsigned)geteuid());
		return denied;
	}
	for (i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (errors[i].error == error)
			return errors[i].text;
	return strerror(error);
}

/* Where the probe is at the moment: an address, a socket, a name. */
static void format_place(const struct probe *probe, char ret_text[PLACE_SIZE])
{
	char address[ENDPOINT_TEXT_SIZE];
	const char *place = "";

	switch (probe->target->kind) {
	case TARGET_HTTP:
	case TARGET_TCP:
		place = probe->target->host;
		if (probe->endpoint_at < probe->endpoint_count) {
			endpoint_format(&probe->endpoint[probe->endpoint_at], address);
			place = address;
		}
		break;
	case TARGET_HTTP_UNIX:
	case TARGET_UNIX:
		place = probe->target->socket;
		break;
	case TARGET_FILE:
		place = probe->target->path;
		break;
	case TARGET_EXEC:
	case TARGET_NOTIFY:
	case TARGET_KIND_COUNT:
		break;
	}
	snprintf(ret_text, PLACE_SIZE, "%.*s", PLACE_SIZE - 1, place);
}

static void close_socket(struct probe *probe)
{
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
}

static void close_all(struct probe *probe)
{
	close_socket(probe);
	resolve_abandon(&probe->resolve);
	probe->phase = PHASE_DONE;
}

/* The end: the sentence replaces what is in the reason. */
static void __attribute__((format(printf, 3, 4))) finish(struct probe *probe, bool success, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(probe->reason, sizeof probe->reason, format, args);
	va_end(args);
	probe->success = success;
	close_all(probe);
}

/* "connection reset (127.0.0.1:4000)" as the end. */
static void finish_failed(struct probe *probe, const char *what)
{
	char place[PLACE_SIZE];

	format_place(probe, place);
	finish(probe, false, "%s (%s)", what, place);
}

/* "not connected within 1s (127.0.0.1:4000)". */
static void format_late(const struct probe *probe, int64_t limit, char ret_text[SENTENCE_SIZE])
{
	char place[PLACE_SIZE], duration[DURATION_SIZE];

	format_place(probe, place);
	duration_format(limit, duration);
	snprintf(ret_text, SENTENCE_SIZE, "%s within %s (%s)", phases[probe->phase].late, duration, place);
}

/* Adds a sentence about one address to those about the addresses before it. */
static void note(struct probe *probe, const char *what)
{
	const size_t length = strlen(probe->reason);

	snprintf(probe->reason + length, sizeof probe->reason - length, "%s%s", length > 0 ? "; " : "", what);
}

static void begin_exchange(struct probe *probe, int64_t now)
{
	char place[PLACE_SIZE];

	if (probe->held) {
		probe->phase = PHASE_HELD;
		return;
	}
	if (probe->target->kind == TARGET_HTTP || probe->target->kind == TARGET_HTTP_UNIX) {
		http_head_init(&probe->head);
		probe->sent = 0;
		probe->phase = PHASE_SENDING;
		sending(probe, now);
		return;
	}
	format_place(probe, place);
	finish(probe, true, "connected (%s)", place);
}

static int open_socket(struct probe *probe, int family)
{
	probe->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return probe->fd < 0 ? -errno : 0;
}

/* The time that is left is shared by the addresses that are left, so that one that swallows packets cannot use it up.
 */
static int try_endpoint(struct probe *probe, int64_t now)
{
	const struct endpoint *endpoint = &probe->endpoint[probe->endpoint_at];
	const int64_t left = (int64_t)(probe->endpoint_count - probe->endpoint_at);
	int r = open_socket(probe, endpoint->address.any.sa_family);

	if (r < 0)
		return r;
	probe->address_at = now;
	probe->address_until = now + (probe->deadline - now) / left;
	probe->phase = PHASE_CONNECTING;
	if (connect(probe->fd, &endpoint->address.any, endpoint_length(endpoint)) < 0 && errno != EINPROGRESS)
		return -errno;
	return 0;
}

/* The end, with the sentences that were noted. */
static void finish_noted(struct probe *probe)
{
	names_forget(&known, probe->target->host);
	probe->success = false;
	close_all(probe);
}

/* "connection refused (127.0.0.1:4000)" among the notes. */
static void note_error(struct probe *probe, int error)
{
	char place[PLACE_SIZE], sentence[SENTENCE_SIZE];

	format_place(probe, place);
	snprintf(sentence, sizeof sentence, "%s (%s)", describe_error(error), place);
	note(probe, sentence);
}

/* From endpoint_at on, until a connection is on its way; if none is, that is the end. */
static void try_endpoints(struct probe *probe, int64_t now)
{
	for (; probe->endpoint_at < probe->endpoint_count; probe->endpoint_at++) {
		int r = try_endpoint(probe, now);

		if (r == 0)
			return;
		close_socket(probe);
		note_error(probe, -r);
	}
	finish_noted(probe);
}

/* This address has failed, and that was noted. */
static void next_endpoint(struct probe *probe, int64_t now)
{
	close_socket(probe);
	probe->endpoint_at++;
	try_endpoints(probe, now);
}

/* With nobody listening on a port of the ephemeral range, a connection to it from this machine may get that very port
 * for its own end, and TCP then connects it to itself (simultaneous open, RFC 9293 section 3.5). */
static bool is_own_end(int fd, const struct sockaddr_storage *peer, socklen_t length)
{
	struct sockaddr_storage own;
	socklen_t own_length = sizeof own;

	memset(&own, 0, sizeof own);
	return getsockname(fd, (struct sockaddr *)&own, &own_length) == 0 && own_length == length &&
		memcmp(&own, peer, length) == 0;
}

static void connecting(struct probe *probe, int64_t now)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(int);
	int error = 0;

	memset(&peer, 0, sizeof peer);
	getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	length = sizeof peer;
	if (error == 0 && getpeername(probe->fd, (struct sockaddr *)&peer, &length) < 0) {
		if (errno == ENOTCONN)
			return;
		error = errno;
	}
	if (error == 0 && is_own_end(probe->fd, &peer, length))
		error = ECONNREFUSED;
	if (error == 0) {
		begin_exchange(probe, now);
		return;
	}
	note_error(probe, error);
	next_endpoint(probe, now);
}

static void resolving(struct probe *probe, int64_t now)
{
	struct complaint why;
	int count = resolve_finish(&probe->resolve, now, probe->endpoint, &why);

	if (count == -EAGAIN)
		return;
	if (count < 0) {
		finish_failed(probe, why.text);
		return;
	}
	probe->endpoint_count = (size_t)count;
	names_keep(&known, probe->target->host, probe->endpoint, probe->endpoint_count, now);
	try_endpoints(probe, now);
}

/* sun_path holds the path with its NUL; target_parse() sees to the length (unix(7)). */
static void connect_unix(struct probe *probe, int64_t now)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r = open_socket(probe, AF_UNIX);

	if (r == 0) {
		memcpy(address.sun_path, probe->target->socket, sizeof address.sun_path);
		if (connect(probe->fd, (const struct sockaddr *)&address, sizeof address) < 0)
			r = -errno;
	}
	if (r == -EAGAIN) {
		close_socket(probe);
		probe->phase = PHASE_BACKLOG;
		probe->retry_at = now + BACKLOG_RETRY_NS;
	} else if (r < 0) {
		finish_failed(probe, describe_error(-r));
	} else {
		begin_exchange(probe, now);
	}
}

static void backlog(struct probe *probe, int64_t now)
{
	if (now >= probe->retry_at)
		connect_unix(probe, now);
}

/* Nothing is to come before it was asked for: what comes is the end of the connection. */
static void held(struct probe *probe, int64_t now)
{
	char byte;

	(void)now;
	if (recv(probe->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	finish_failed(probe, "closed before anything was sent");
}

static size_t content_length(const struct probe *probe)
{
	return probe->exchange->content != NULL ? strlen(probe->exchange->content) : 0;
}

/* A peer that has closed its side may still have answered: that is for receiving() to find out. */
static void sending(struct probe *probe, int64_t now)
{
	char request[HTTP_REQUEST_SIZE];
	const int length = http_request(probe->target, probe->exchange, request, sizeof request);
	const size_t head = length > 0 ? (size_t)length : 0, whole = head + content_length(probe);

	while (head > 0 && probe->sent < whole) {
		const bool in_head = probe->sent < head;
		const char *next = in_head ? request + probe->sent : probe->exchange->content + (probe->sent - head);
		const ssize_t count = send(probe->fd, next, (in_head ? head : whole) - probe->sent,
			MSG_NOSIGNAL | (in_head && whole > head ? MSG_MORE : 0));

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && errno == EAGAIN)
			return;
		if (count < 0)
			break;
		probe->sent += (size_t)count;
	}
	probe->phase = PHASE_WAITING;
	receiving(probe, now);
}

/* "200 OK", "503 Service Unavailable"; and what sounds good and is no success says so. */
static void finish_status(struct probe *probe, bool success)
{
	const unsigned status = probe->head.status;
	const char *phrase = http_status_phrase(status);

	finish(probe, success, "%u%s%s%s", status, *phrase != '\0' ? " " : "", phrase,
		!success && status < 400 ? ", not expected" : "");
}

/* True while there is more to come. */
static bool judge_body(struct probe *probe, enum http_body_result result)
{
	switch (result) {
	case HTTP_BODY_NEED_MORE:
		return true;
	case HTTP_BODY_FOUND:
		finish_status(probe, true);
		return false;
	case HTTP_BODY_LACKS:
		if (probe->sink != NULL)
			finish_status(probe, true);
		else
			finish(probe, false, "%u, but the text is not in the body", probe->head.status);
		return false;
	case HTTP_BODY_TOO_LARGE:
		finish(probe, false,
			probe->sink != NULL ? "%u, but the body is too large"
					    : "%u, but the text is not in the first 64 KiB of the body",
			probe->head.status);
		return false;
	case HTTP_BODY_MALFORMED:
		finish(probe, false, "%u, but the body has a bad length or bad chunks", probe->head.status);
		return false;
	case HTTP_BODY_CUT:
		finish(probe, false, "%u, but closed within the body", probe->head.status);
		return false;
	}
	return false;
}

/* Complete headers decide, unless the body is wanted; what came behind them is its beginning. */
static bool judge_head(struct probe *probe, const char *bytes, size_t length)
{
	const struct exchange *exchange = probe->exchange;
	const bool expected = expected_has(&exchange->expected, probe->head.status);

	if (!expected || (exchange->body == NULL && probe->sink == NULL)) {
		finish_status(probe, expected);
		return false;
	}
	probe->phase = probe->sink != NULL ? PHASE_PAGE : PHASE_BODY;
	if (probe->sink != NULL)
		http_body_pass(&probe->body, &probe->head, probe->sink);
	else
		http_body_init(&probe->body, &probe->head, exchange->body);
	return judge_body(probe, http_body_feed(&probe->body, bytes, length));
}

/* A record of that type and of any version from 3.0 on (RFC 8446 section 5.1). */
static bool is_tls_alert(const char *bytes, size_t length)
{
	return length >= 2 && bytes[0] == 0x15 && bytes[1] == 0x03;
}

/* The same. */
static bool take_bytes(struct probe *probe, const char *bytes, size_t length)
{
	const size_t before = probe->head.size;

	if (probe->phase >= PHASE_BODY)
		return judge_body(probe, http_body_feed(&probe->body, bytes, length));
	switch (http_head_feed(&probe->head, bytes, length)) {
	case HTTP_HEAD_NEED_MORE:
		probe->phase = PHASE_HEADERS;
		return true;
	case HTTP_HEAD_COMPLETE:
		return judge_head(probe, bytes + (probe->head.size - before), length - (probe->head.size - before));
	case HTTP_HEAD_MALFORMED:
		finish_failed(probe,
			before == 0 && is_tls_alert(bytes, length) ? "not an HTTP/1 answer: this looks like a TLS port"
								   : "not an HTTP/1 answer");
		return false;
	case HTTP_HEAD_TOO_LARGE:
		finish_failed(probe, "more than 64 KiB of headers");
		return false;
	}
	return false;
}

static void take_end(struct probe *probe)
{
	if (probe->phase >= PHASE_BODY)
		judge_body(probe, http_body_end(&probe->body));
	else
		finish_failed(probe,
			probe->phase == PHASE_WAITING ? "closed without an answer" : "closed within the headers");
}

/* Ends by itself: head and body have a limit, and their end is the end. */
static void receiving(struct probe *probe, int64_t now)
{
	char bytes[4096];

	(void)now;
	for (;;) {
		const ssize_t count = recv(probe->fd, bytes, sizeof bytes, 0);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && errno == EAGAIN)
			return;
		if (count < 0) {
			finish_failed(probe, describe_error(errno));
			return;
		}
		if (count == 0) {
			take_end(probe);
			return;
		}
		if (!take_bytes(probe, bytes, (size_t)count))
			return;
	}
}

/* A time of modification in the future is as far from "just now" as one in the past: a clock was set. */
static void look_at_file(struct probe *probe)
{
	const int64_t max_age = probe->target->max_age_ns;
	char duration[DURATION_SIZE];
	struct stat file;
	int64_t age;

	if (stat(probe->target->path, &file) < 0) {
		finish_failed(probe, describe_error(errno));
		return;
	}
	if (max_age == 0) {
		finish(probe, true, "exists");
		return;
	}
	age = clock_wall_ns() - (file.st_mtim.tv_sec * NS_PER_S + file.st_mtim.tv_nsec);
	duration_format(age < 0 ? -age : age, duration);
	finish(probe, age <= max_age && age >= -max_age, age < 0 ? "modified %s in the future" : "modified %s ago",
		duration);
}

static void look_up(struct probe *probe, int64_t now)
{
	int r;

	probe->endpoint_count = endpoint_direct(probe->target, probe->endpoint);
	if (probe->endpoint_count == 0)
		probe->endpoint_count = names_find(
			&known, probe->target->host, probe->target->port, now, probe->endpoint);
	if (probe->endpoint_count > 0) {
		try_endpoints(probe, now);
		return;
	}
	r = resolve_start(&probe->resolve, probe->target->host, probe->target->port);
	if (r < 0)
		finish(probe, false, "cannot start the resolver: %s", describe_error(-r));
	else
		probe->phase = PHASE_RESOLVING;
}

static void init(struct probe *probe, const struct target *target, const struct exchange *exchange, int64_t now,
	int64_t deadline)
{
	*probe = (struct probe){
		.target = target,
		.exchange = exchange,
		.started_at = now,
		.deadline = deadline,
		.fd = -1,
		.resolve = { .fd = -1 },
	};
}

static void begin(struct probe *probe, int64_t now)
{
	switch (probe->target->kind) {
	case TARGET_HTTP:
	case TARGET_TCP:
		look_up(probe, now);
		break;
	case TARGET_HTTP_UNIX:
	case TARGET_UNIX:
		connect_unix(probe, now);
		break;
	case TARGET_FILE:
		look_at_file(probe);
		break;
	case TARGET_EXEC: /* health/command.h */
	case TARGET_NOTIFY:
	case TARGET_KIND_COUNT:
		finish(probe, false, "not a target for a probe");
		break;
	}
}

void probe_start(struct probe *probe, const struct target *target, const struct exchange *exchange, int64_t now,
	int64_t deadline)
{
	probe_fetch(probe, target, exchange, NULL, now, deadline);
}

void probe_fetch(struct probe *probe, const struct target *target, const struct exchange *exchange,
	const struct http_sink *sink, int64_t now, int64_t deadline)
{
	init(probe, target, exchange, now, deadline);
	probe->sink = sink;
	begin(probe, now);
}

void probe_hold(struct probe *probe, const struct target *target, const struct exchange *exchange, int64_t now,
	int64_t deadline)
{
	init(probe, target, exchange, now, deadline);
	probe->held = true;
	begin(probe, now);
}

void probe_release(struct probe *probe, int64_t now)
{
	probe->held = false;
	if (probe->phase == PHASE_HELD)
		begin_exchange(probe, now);
}

bool probe_running(const struct probe *probe)
{
	return probe->phase != PHASE_DONE;
}

void probe_poll(const struct probe *probe, struct pollfd *ret_slot)
{
	*ret_slot = (struct pollfd){
		.fd = probe->phase == PHASE_RESOLVING ? probe->resolve.fd : probe->fd,
		.events = phases[probe->phase].events,
	};
	if (!probe_running(probe))
		ret_slot->fd = -1;
}

int64_t probe_wake(const struct probe *probe)
{
	int64_t wake = probe->deadline;

	if (!probe_running(probe))
		return TIME_NEVER;
	if (probe->phase == PHASE_BACKLOG && probe->retry_at < wake)
		wake = probe->retry_at;
	if (probe->phase == PHASE_CONNECTING && probe->address_until < wake)
		wake = probe->address_until;
	return wake;
}

/* The time of one address is up: the notes keep the addresses before it. */
static void check_address_time(struct probe *probe, int64_t now)
{
	char sentence[SENTENCE_SIZE];

	if (now < probe->address_until && now < probe->deadline)
		return;
	format_late(probe, probe->address_until - probe->address_at, sentence);
	note(probe, sentence);
	if (now >= probe->deadline)
		finish_noted(probe);
	else
		next_endpoint(probe, now);
}

/* The limits, looked at once nothing more could be done within them. */
static void check_time(struct probe *probe, int64_t now)
{
	char sentence[SENTENCE_SIZE];

	if (probe->phase == PHASE_CONNECTING) {
		check_address_time(probe, now);
	} else if (now >= probe->deadline) {
		format_late(probe, probe->deadline - probe->started_at, sentence);
		finish(probe, false, "%s", sentence);
	}
}

enum probe_status probe_advance(struct probe *probe, int64_t now)
{
	if (probe_running(probe))
		phases[probe->phase].step(probe, now);
	if (probe_running(probe))
		check_time(probe, now);
	return probe_running(probe) ? PROBE_RUNNING : PROBE_DONE;
}

bool probe_result(const struct probe *probe, const char **ret_reason)
{
	*ret_reason = probe->reason;
	return probe->success;
}

void probe_cancel(struct probe *probe)
{
	if (probe_running(probe))
		close_all(probe);
}
