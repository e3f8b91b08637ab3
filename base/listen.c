#include "base/listen.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static bool parse_port(const char *text, uint16_t *ret_port)
{
	unsigned long port = 0;

	if (*text == '\0' || strlen(text) > 5)
		return false;
	for (; *text != '\0'; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		port = port * 10 + (unsigned long)(*text - '0');
	}
	if (port == 0 || port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static bool parse_host(const char *host, uint16_t port, union address *ret_address, socklen_t *ret_length)
{
	memset(ret_address, 0, sizeof *ret_address);
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (*host == '\0')
		host = "::";
	if (inet_pton(AF_INET, host, &ret_address->v4.sin_addr) == 1) {
		ret_address->v4.sin_family = AF_INET;
		ret_address->v4.sin_port = htons(port);
		*ret_length = sizeof ret_address->v4;
		return true;
	}
	if (inet_pton(AF_INET6, host, &ret_address->v6.sin6_addr) == 1) {
		ret_address->v6.sin6_family = AF_INET6;
		ret_address->v6.sin6_port = htons(port);
		*ret_length = sizeof ret_address->v6;
		return true;
	}
	return false;
}

static int parse(const char *text, union address *ret_address, socklen_t *ret_length, struct complaint *ret_why)
{
	const char *colon = strrchr(text, ':'), *start = text, *end = colon;
	char host[INET6_ADDRSTRLEN];
	uint16_t port;

	if (colon == NULL || !parse_port(colon + 1, &port))
		return complain(ret_why, EINVAL, "'%s': expected ADDRESS:PORT, such as 127.0.0.1:9911", text);
	if (colon - text >= 2 && text[0] == '[' && colon[-1] == ']') {
		start++;
		end--;
	}
	if ((size_t)(end - start) >= sizeof host)
		return complain(ret_why, EINVAL, "'%s': expected an address in numbers, such as 127.0.0.1:9911", text);
	snprintf(host, sizeof host, "%.*s", (int)(end - start), start);
	if ((start == text && strchr(host, ':') != NULL) || !parse_host(host, port, ret_address, ret_length))
		return complain(ret_why, EINVAL,
			"'%s': expected an address in numbers, such as 127.0.0.1:9911 or [::1]:9911", text);
	return 0;
}

int listen_check(const char *text, struct complaint *ret_why)
{
	union address address;
	socklen_t length;

	return parse(text, &address, &length, ret_why);
}

int listen_open(const char *text, int *ret_fd, struct complaint *ret_why)
{
	static const int on = 1;
	cleanup_close int fd = -1;
	union address address;
	socklen_t length;
	int error = parse(text, &address, &length, ret_why);

	if (error < 0)
		return error;
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && text[0] == ':') {
		/* No IPv6 in this kernel: every address is then 0.0.0.0. */
		char v4[16];

		snprintf(v4, sizeof v4, "0.0.0.0%s", text);
		return listen_open(v4, ret_fd, ret_why);
	}
	if (fd < 0)
		return complain(ret_why, errno, "%s: %s", text, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* a restart must not wait for TIME_WAIT */
	if (bind(fd, &address.any, length) < 0 || listen(fd, SOMAXCONN) < 0)
		return complain(ret_why, errno, "%s: %s%s", text, strerror(errno),
			errno == EADDRINUSE       ? " (another process listens there: choose another port)"
				: errno == EACCES ? " (ports below 1024 need CAP_NET_BIND_SERVICE)"
						  : "");
	*ret_fd = take_fd(&fd);
	return 0;
}
