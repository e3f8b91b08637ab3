/* health/probe: real sockets on loopback, and a time that the test passes in, so that every limit is met to the
 * nanosecond whatever the machine is doing. */
#include "base/clock.h"
#include "health/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND NS_PER_S
static const struct exchange plain;
#define CLIENTS 16 /* enough to fill a backlog of zero */

static struct target __attribute__((format(printf, 1, 2))) parsed(const char *format, ...)
{
	struct complaint why = { "" };
	struct target target;
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (target_parse(text, &target, &why) != 0)
		fail_msg("%s: %s", text, why.text);
	return target;
}

static int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

static void assert_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* A listener on a port of the kernel's choice, or on *port if that is not 0. Returns -1 if the address is not there. */
static int listen_tcp(int family, uint16_t *port, int backlog)
{
	struct endpoint here = { 0 };
	socklen_t length;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	here.address.any.sa_family = (sa_family_t)family;
	length = endpoint_length(&here);
	if (family == AF_INET6)
		here.address.ipv6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons(*port)
		};
	else
		here.address.ipv4 = (struct sockaddr_in){
			.sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(*port)
		};
	if (fd < 0 || bind(fd, &here.address.any, length) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, &here.address.any, &length), 0);
	*port = ntohs(family == AF_INET6 ? here.address.ipv6.sin6_port : here.address.ipv4.sin_port);
	return fd;
}

static void __attribute__((format(printf, 3, 4)))
assert_done(struct probe *probe, bool success, const char *format, ...)
{
	char expected[PROBE_REASON_SIZE];
	const char *reason;
	struct pollfd slot;
	va_list args;

	va_start(args, format);
	vsnprintf(expected, sizeof expected, format, args);
	va_end(args);
	assert_false(probe_running(probe));
	assert_int_equal(probe_result(probe, &reason), success);
	assert_string_equal(reason, expected);
	assert_int_equal(probe_wake(probe), TIME_NEVER);
	probe_poll(probe, &slot);
	assert_int_equal(slot.fd, -1);
	assert_int_equal(probe_advance(probe, TIME_NEVER), PROBE_DONE);
}

/* Moves the probe on as long as its descriptor has something for it; the time stands still. */
static void settle(struct probe *probe, int64_t now)
{
	struct pollfd slot;

	do {
		probe_advance(probe, now);
		probe_poll(probe, &slot);
	} while (probe_running(probe) && slot.fd >= 0 && poll(&slot, 1, 0) > 0);
}

static void assert_waits_on_a_safe_descriptor(const struct probe *probe, short events)
{
	struct pollfd slot;

	probe_poll(probe, &slot);
	assert_true(slot.fd >= 0);
	assert_int_equal(slot.events, events);
	assert_true(fcntl(slot.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(slot.fd, F_GETFL) & O_NONBLOCK);
}

static void an_answer_that_never_comes_ends_at_the_deadline(void **state)
{
	uint16_t port = 0;
	const int listener = listen_tcp(AF_INET, &port, 8), before = count_descriptors();
	const struct target target = parsed("http://127.0.0.1:%u/", port);
	struct probe probe;

	(void)state;
	probe_start(&probe, &target, &plain, 10 * SECOND, 11 * SECOND);
	settle(&probe, 10 * SECOND);
	assert_true(probe_running(&probe));
	assert_waits_on_a_safe_descriptor(&probe, POLLIN);
	assert_int_equal(probe_wake(&probe), 11 * SECOND);
	assert_int_equal(probe_advance(&probe, 11 * SECOND - 1), PROBE_RUNNING);
	assert_int_equal(probe_advance(&probe, 11 * SECOND), PROBE_DONE);
	assert_done(&probe, false, "no answer within 1s (127.0.0.1:%u)", port);
	assert_int_equal(count_descriptors(), before);
	close(listener);
}

static void an_answer_is_taken_slice_by_slice(void **state)
{
	static const char answer[] = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\nA: b\r\n\r\n";
	uint16_t port = 0;
	const int listener = listen_tcp(AF_INET, &port, 8), before = count_descriptors();
	const struct target target = parsed("http://127.0.0.1:%u/x", port);
	struct probe probe;
	char request[HTTP_REQUEST_SIZE];
	size_t at;
	int peer;

	(void)state;
	probe_start(&probe, &target, &plain, 0, SECOND);
	settle(&probe, 0);
	peer = accept(listener, NULL, NULL);
	assert_true(recv(peer, request, sizeof request, 0) > 0);
	for (at = 0; at < sizeof answer - 1; at++) {
		assert_true(probe_running(&probe));
		assert_int_equal(send(peer, answer + at, 1, 0), 1);
		settle(&probe, 0);
	}
	assert_done(&probe, true, "204 No Content");
	close(peer);
	assert_int_equal(count_descriptors(), before);
	close(listener);
}

/* More than the kernel's buffers take at once, into the hands of somebody who takes it slowly. */
static void what_is_sent_is_sent_whole(void **state)
{
	enum { LENGTH = 8 * 1024 * 1024 };
	uint16_t port = 0;
	const int listener = listen_tcp(AF_INET, &port, 8), before = count_descriptors();
	const struct target target = parsed("http://127.0.0.1:%u/x", port);
	char *content = malloc(LENGTH + 1), *taken = malloc(LENGTH + HTTP_REQUEST_SIZE);
	const struct exchange exchange = { .method = "POST", .content = content };
	struct probe probe;
	size_t length = 0;
	const char *body = NULL;
	ssize_t count;
	int peer;

	(void)state;
	for (size_t i = 0; i < LENGTH; i++)
		content[i] = (char)('a' + i % 23);
	content[LENGTH] = '\0';
	probe_start(&probe, &target, &exchange, 0, SECOND);
	settle(&probe, 0);
	assert_waits_on_a_safe_descriptor(&probe, POLLOUT);
	peer = accept(listener, NULL, NULL);
	while ((count = recv(peer, taken + length, LENGTH + HTTP_REQUEST_SIZE - length, MSG_DONTWAIT)) != 0) {
		settle(&probe, 0);
		length += count > 0 ? (size_t)count : 0;
		body = memmem(taken, length, "\r\n\r\n", 4);
		if (body != NULL && length - (size_t)(body + 4 - taken) == LENGTH)
			break;
	}
	assert_non_null(body);
	assert_memory_equal(taken, "POST /x HTTP/1.1\r\n", 18);
	assert_non_null(memmem(taken, (size_t)(body - taken), "\r\nContent-Length: 8388608\r\n", 27));
	assert_memory_equal(body + 4, content, LENGTH);
	assert_waits_on_a_safe_descriptor(&probe, POLLIN);
	assert_true(send(peer, "HTTP/1.1 200 OK\r\n\r\n", 19, 0) > 0);
	settle(&probe, 0);
	assert_done(&probe, true, "200 OK");
	close(peer);
	assert_int_equal(count_descriptors(), before);
	close(listener);
	free(content);
	free(taken);
}

static void what_is_held_says_nothing_before_it_is_released(void **state)
{
	uint16_t port = 0;
	const int listener = listen_tcp(AF_INET, &port, 8);
	const struct target target = parsed("http://127.0.0.1:%u/x", port);
	struct exchange exchange = { .method = "POST" };
	char request[HTTP_REQUEST_SIZE];
	struct probe probe;
	ssize_t length;
	int peer;

	(void)state;
	probe_hold(&probe, &target, &exchange, 0, SECOND);
	settle(&probe, 0);
	assert_waits_on_a_safe_descriptor(&probe, POLLIN);
	peer = accept(listener, NULL, NULL);
	assert_int_equal(recv(peer, request, sizeof request, MSG_DONTWAIT), -1);
	exchange.content = "later";
	probe_release(&probe, 0);
	length = recv(peer, request, sizeof request, 0);
	while (length > 0 && memcmp(request + length - 5, "later", 5) != 0)
		length += recv(peer, request + length, sizeof request - (size_t)length, 0);
	assert_memory_equal(request, "POST /x HTTP/1.1\r\n", 18);
	probe_cancel(&probe);
	close(peer);
	close(listener);
}

static void what_is_held_ends_when_the_peer_does(void **state)
{
	uint16_t port = 0;
	const int listener = listen_tcp(AF_INET, &port, 8), before = count_descriptors();
	const struct target target = parsed("http://127.0.0.1:%u/x", port);
	struct pollfd slot;
	struct probe probe;

	(void)state;
	probe_hold(&probe, &target, &plain, 0, SECOND);
	settle(&probe, 0);
	close(accept(listener, NULL, NULL));
	probe_poll(&probe, &slot);
	assert_int_equal(poll(&slot, 1, -1), 1);
	settle(&probe, 0);
	assert_done(&probe, false, "closed before anything was sent (127.0.0.1:%u)", port);
	probe_release(&probe, 0);
	assert_false(probe_running(&probe));
	assert_int_equal(count_descriptors(), before);
	close(listener);
}

/* With the only connection that fits into the backlog made, the kernel drops what else wants to connect (listen(2)). */
static void fill_backlog(const struct target *target, struct probe clients[CLIENTS])
{
	size_t i;

	for (i = 0; i < CLIENTS; i++) {
		struct pollfd slot;

		probe_start(&clients[i], target, &plain, 0, SECOND);
		while (probe_running(&clients[i])) { /* connected for ever: an http probe that nobody answers */
			probe_poll(&clients[i], &slot);
			if (poll(&slot, 1, 5) <= 0)
				break;
			probe_advance(&clients[i], 0);
		}
	}
}

static void cancel_all(struct probe clients[CLIENTS])
{
	size_t i;

	for (i = 0; i < CLIENTS; i++)
		probe_cancel(&clients[i]);
}

static void addresses_share_the_time(void **state)
{
	static struct probe clients6[CLIENTS], clients4[CLIENTS];
	uint16_t port = 0;
	const int six = listen_tcp(AF_INET6, &port, 0), four = six < 0 ? -1 : listen_tcp(AF_INET, &port, 0);
	struct target target;
	struct probe probe;

	(void)state;
	if (four < 0) {
		close(six);
		skip(); /* no IPv6 here */
	}
	target = parsed("http://[::1]:%u/", port);
	fill_backlog(&target, clients6);
	target = parsed("http://127.0.0.1:%u/", port);
	fill_backlog(&target, clients4);
	target = parsed("tcp://localhost:%u", port);
	probe_start(&probe, &target, &plain, 0, 3 * SECOND);
	settle(&probe, 0);
	assert_waits_on_a_safe_descriptor(&probe, POLLOUT);
	assert_int_equal(probe_wake(&probe), 3 * SECOND / 2);
	settle(&probe, 3 * SECOND / 2);
	assert_true(probe_running(&probe));
	assert_int_equal(probe_wake(&probe), 3 * SECOND);
	settle(&probe, 3 * SECOND);
	assert_done(&probe, false, "not connected within 1.5s ([::1]:%u); not connected within 1.5s (127.0.0.1:%u)",
		port, port);
	cancel_all(clients6);
	cancel_all(clients4);
	close(six);
	close(four);
}

static void a_full_unix_backlog_is_tried_again(void **state)
{
	struct sockaddr_un here = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), first = socket(AF_UNIX, SOCK_STREAM, 0), before;
	struct target target;
	struct probe probe;
	struct pollfd slot;

	(void)state;
	snprintf(here.sun_path, sizeof here.sun_path, "/tmp/nest-init-test-probe.%d", getpid());
	assert_int_equal(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(connect(first, (struct sockaddr *)&here, sizeof here), 0);
	target = parsed("unix:%s", here.sun_path);
	before = count_descriptors();
	probe_start(&probe, &target, &plain, 0, SECOND);
	assert_true(probe_running(&probe));
	probe_poll(&probe, &slot);
	assert_int_equal(slot.fd, -1);
	assert_int_equal(probe_wake(&probe), 20 * NS_PER_MS);
	assert_int_equal(probe_advance(&probe, 20 * NS_PER_MS), PROBE_RUNNING);
	assert_int_equal(probe_wake(&probe), 40 * NS_PER_MS);
	close(accept(listener, NULL, NULL));
	assert_int_equal(probe_advance(&probe, 30 * NS_PER_MS), PROBE_RUNNING);
	assert_int_equal(probe_advance(&probe, 40 * NS_PER_MS), PROBE_DONE);
	assert_done(&probe, true, "connected (%s)", here.sun_path);
	assert_int_equal(count_descriptors(), before);
	unlink(here.sun_path);
	close(listener);
	close(first);
}

/* In whatever phase it is given up: no descriptor and no child is left, and a second time does nothing. */
static void giving_up_leaves_nothing(void **state)
{
	uint16_t port = 0;
	const int listener = listen_tcp(AF_INET, &port, 8), before = count_descriptors();
	const struct target targets[] = {
		parsed("http://127.0.0.1:%u/", port),
		parsed("tcp://127.0.0.1:%u", port),
		parsed("tcp://a-name-that-is-looked-up.invalid:1"),
	};
	size_t i, steps;

	(void)state;
	for (i = 0; i < sizeof targets / sizeof targets[0]; i++)
		for (steps = 0; steps < 3; steps++) {
			struct probe probe;
			size_t step;

			probe_start(&probe, &targets[i], &plain, 0, SECOND);
			for (step = 0; step < steps; step++)
				probe_advance(&probe, 0);
			probe_cancel(&probe);
			assert_false(probe_running(&probe));
			probe_cancel(&probe);
			assert_int_equal(count_descriptors(), before);
			assert_no_child();
		}
	close(listener);
}

static void what_was_never_started_may_be_given_up(void **state)
{
	const int before = count_descriptors();
	struct probe probe = { 0 };

	(void)state;
	probe_cancel(&probe);
	assert_int_equal(count_descriptors(), before);
	assert_false(probe_running(&probe));
	assert_int_equal(probe_wake(&probe), TIME_NEVER);
}

/* A probe whose resolver is a process of the test: it writes these bytes and ends, or without any stays. */
static void start_with_resolver(struct probe *probe, const struct target *target, const void *bytes, size_t length)
{
	int ends[2];

	probe_start(probe, target, &plain, 0, SECOND);
	assert_true(probe_running(probe));
	assert_waits_on_a_safe_descriptor(probe, POLLIN);
	resolve_abandon(&probe->resolve);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	probe->resolve = (struct resolve){ .fd = ends[0], .pid = fork() };
	if (probe->resolve.pid == 0) {
		if (bytes == NULL)
			pause();
		_exit(write(ends[1], bytes, length) < 0);
	}
	close(ends[1]);
}

static void a_look_up_that_hangs_ends_at_the_deadline(void **state)
{
	const int before = count_descriptors();
	const struct target target = parsed("tcp://some-name.invalid:1");
	struct probe probe;

	(void)state;
	start_with_resolver(&probe, &target, NULL, 0);
	assert_int_equal(probe_advance(&probe, SECOND - 1), PROBE_RUNNING);
	assert_int_equal(probe_advance(&probe, SECOND), PROBE_DONE);
	assert_done(&probe, false, "name not resolved within 1s (some-name.invalid)");
	assert_int_equal(count_descriptors(), before);
	assert_no_child();
}

static void a_resolver_is_not_trusted(void **state)
{
	enum { WHOLE = 8 + sizeof(struct endpoint[ENDPOINT_MAX]) };
	static const struct {
		uint32_t words[2];  /* error, count */
		sa_family_t family; /* of every endpoint */
		size_t length;
		const char *reason;
	} rows[] = {
		{ { 0 }, AF_INET, 0, "the resolver ended without an answer" },
		{ { 0, 1 }, AF_INET, 8, "the resolver ended without an answer" },
		{ { 0, 1 }, AF_INET, WHOLE - 1, "the resolver ended without an answer" },
		{ { 0, 0 }, AF_INET, WHOLE, "the resolver's answer is not valid" },
		{ { 0, ENDPOINT_MAX + 1 }, AF_INET, WHOLE, "the resolver's answer is not valid" },
		{ { 0, UINT32_MAX }, AF_INET, WHOLE, "the resolver's answer is not valid" },
		{ { 0, 1 }, AF_UNIX, WHOLE, "the resolver's answer is not valid" },
		{ { 12345, 1 }, AF_INET, WHOLE, "name cannot be looked up" },
	};
	const struct target target = parsed("tcp://some-name.invalid:1");
	const int before = count_descriptors();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unsigned char bytes[WHOLE] = { 0 };
		size_t each;
		struct pollfd slot;
		struct probe probe;

		memcpy(bytes, rows[i].words, sizeof rows[i].words);
		for (each = 0; each < ENDPOINT_MAX; each++)
			memcpy(bytes + 8 + each * sizeof(struct endpoint), &rows[i].family, sizeof rows[i].family);
		start_with_resolver(&probe, &target, bytes, rows[i].length);
		probe_poll(&probe, &slot);
		assert_int_equal(poll(&slot, 1, -1), 1);
		assert_int_equal(probe_advance(&probe, 0), PROBE_DONE);
		assert_done(&probe, false, "%s (some-name.invalid)", rows[i].reason);
		assert_int_equal(count_descriptors(), before);
		assert_no_child();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_that_never_comes_ends_at_the_deadline),
		cmocka_unit_test(an_answer_is_taken_slice_by_slice),
		cmocka_unit_test(what_is_sent_is_sent_whole),
		cmocka_unit_test(what_is_held_says_nothing_before_it_is_released),
		cmocka_unit_test(what_is_held_ends_when_the_peer_does),
		cmocka_unit_test(addresses_share_the_time),
		cmocka_unit_test(a_full_unix_backlog_is_tried_again),
		cmocka_unit_test(giving_up_leaves_nothing),
		cmocka_unit_test(what_was_never_started_may_be_given_up),
		cmocka_unit_test(a_look_up_that_hangs_ends_at_the_deadline),
		cmocka_unit_test(a_resolver_is_not_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
