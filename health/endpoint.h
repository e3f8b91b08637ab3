/* An address to connect to: IPv4, IPv6 or a Unix socket. Pure. */
#pragma once

#include "base/target.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ENDPOINT_MAX 8        /* addresses of one name that are tried */
#define ENDPOINT_TEXT_SIZE 64 /* "[ffff:...]:65535" and room */

struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} address;
};

/* The addresses that need no look-up: of a numeric host one, of "localhost" [::1] and 127.0.0.1 in this order (RFC 6724
 * prefers IPv6, RFC 6761 section 6.3 says that localhost is always loopback). Returns how many; 0: a name. */
size_t endpoint_direct(const struct target *target, struct endpoint ret_endpoint[ENDPOINT_MAX]);

/* Size of the address as connect(2) wants it. */
socklen_t endpoint_length(const struct endpoint *endpoint);

/* "127.0.0.1:4000", "[::1]:4000". */
void endpoint_format(const struct endpoint *endpoint, char ret_text[ENDPOINT_TEXT_SIZE]);
