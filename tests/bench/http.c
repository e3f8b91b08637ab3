/* The figure http: fresh Node servers for every round, and the client that keeps one after the other busy. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 8
#define WARM_UP 2000 /* V8 has compiled by then what it will */
#define BATCHES 31
#define BATCH 48 /* short, so that what disturbs the machine disturbs all servers */
#define FIRST_PORT 8080
#define STUCK_MS 10000

struct server {
	struct instance it;
	struct pollfd clients[CLIENTS];
	double batches[BATCHES]; /* ns for a request */
	int error;
};

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char tail[] = "hello\n";

/* The network namespace is the bench's own (tests/bench/run), and empty. */
int raise_loopback(void)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = ioctl(fd, SIOCSIFFLAGS, &loopback) == 0 ? 0 : -errno;
	close(fd);
	return r;
}

static int send_request(int fd)
{
	return write(fd, request, sizeof request - 1) == sizeof request - 1 ? 0 : -EIO;
}

static int open_client(int port, int *ret_fd)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
}

/* 1: an answer is whole, which is so when it ends as it should: nothing is asked before. */
static int read_answer(int fd)
{
	char text[4096];
	ssize_t got = read(fd, text, sizeof text);

	if (got <= 0)
		return got == 0 ? -ECONNRESET : -errno;
	return got >= (ssize_t)sizeof tail - 1 && memcmp(text + got - (sizeof tail - 1), tail, sizeof tail - 1) == 0;
}

/* Every client asks again as soon as it is answered, until `count` have been. */
static int exchange(struct pollfd *clients, int count)
{
	int r = 0;

	for (int i = 0; i < CLIENTS && r == 0; i++)
		r = send_request(clients[i].fd);
	for (int asked = CLIENTS, answered = 0; answered < count && r >= 0;) {
		if (poll(clients, CLIENTS, STUCK_MS) <= 0)
			return -ETIMEDOUT;
		for (int i = 0; i < CLIENTS && r >= 0; i++) {
			if (!clients[i].revents)
				continue;
			r = read_answer(clients[i].fd);
			if (r == 1) {
				answered++;
				r = asked++ < count ? send_request(clients[i].fd) : 0;
			}
		}
	}
	return r;
}

static int start_server(const struct program *program, int port, struct server *server)
{
	char text[16];
	const char *const words[] = { node_path, "server.js", text, NULL };
	int r;

	snprintf(text, sizeof text, "%d", port);
	for (int i = 0; i < CLIENTS; i++)
		server->clients[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	r = instance_start(program, words, &server->it);
	for (int i = 0; i < CLIENTS && r == 0; i++)
		r = open_client(port, &server->clients[i].fd);
	return r;
}

static int time_batch(struct server *server, double *ret_value)
{
	int64_t began = now_ns();
	int r = exchange(server->clients, BATCH);

	*ret_value = (double)(now_ns() - began) / BATCH;
	return r;
}

/* The servers take turns, each time in another order. A server is quicker or slower for its place in it. */
static void load_servers(struct server *servers, size_t count)
{
	size_t order[PROGRAMS];

	instance_make_way(true);
	shuffle(order, count);
	for (size_t i = 0; i < count; i++)
		if (servers[order[i]].error == 0)
			servers[order[i]].error = exchange(servers[order[i]].clients, WARM_UP);
	for (size_t batch = 0; batch < BATCHES; batch++) {
		shuffle(order, count);
		for (size_t i = 0; i < count; i++) {
			struct server *server = &servers[order[i]];

			if (server->error == 0)
				server->error = time_batch(server, &server->batches[batch]);
		}
	}
	instance_make_way(false);
}

/* By the end of its input, as a runtime is to remove what it has made. */
static void stop_server(struct server *server)
{
	int64_t ended;

	for (int i = 0; i < CLIENTS; i++)
		if (server->clients[i].fd >= 0)
			close(server->clients[i].fd);
	if (server->it.pid <= 0)
		return;
	instance_end_input(&server->it);
	instance_wait_end(&server->it, &ended);
	instance_destroy(&server->it);
}

void http_measure(const struct program *const *which, size_t count, double *ret_values)
{
	static struct server servers[PROGRAMS];
	int loopback = raise_loopback();
	size_t order[PROGRAMS];

	shuffle(order, count);
	for (size_t n = 0; n < count; n++) {
		size_t i = order[n];

		servers[i] = (struct server){ .error = loopback };
		if (loopback == 0 && which[i])
			servers[i].error = start_server(which[i], FIRST_PORT + (int)i, &servers[i]);
		else
			servers[i].error = -ENOENT;
	}
	load_servers(servers, count);
	for (size_t i = 0; i < count; i++) {
		ret_values[i] = servers[i].error == 0 ? median(servers[i].batches, BATCHES) : -1;
		stop_server(&servers[i]);
	}
}
