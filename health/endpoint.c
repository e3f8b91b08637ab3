#include "health/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct endpoint make_ipv4(struct in_addr address, uint16_t port)
{
	return (struct endpoint){
		.address.ipv4 = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address },
	};
}

static struct endpoint make_ipv6(struct in6_addr address, uint16_t port)
{
	return (struct endpoint){
		.address.ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = address },
	};
}

size_t endpoint_direct(const struct target *target, struct endpoint ret_endpoint[ENDPOINT_MAX])
{
	const struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	struct in_addr ipv4;
	struct in6_addr ipv6;

	if (inet_pton(AF_INET, target->host, &ipv4) == 1) {
		ret_endpoint[0] = make_ipv4(ipv4, target->port);
		return 1;
	}
	if (inet_pton(AF_INET6, target->host, &ipv6) == 1) {
		ret_endpoint[0] = make_ipv6(ipv6, target->port);
		return 1;
	}
	if (strcasecmp(target->host, "localhost") == 0 || strcasecmp(target->host, "localhost.") == 0) {
		ret_endpoint[0] = make_ipv6(in6addr_loopback, target->port);
		ret_endpoint[1] = make_ipv4(loopback, target->port);
		return 2;
	}
	return 0;
}

socklen_t endpoint_length(const struct endpoint *endpoint)
{
	return endpoint->address.any.sa_family == AF_INET6 ? sizeof endpoint->address.ipv6
							   : sizeof endpoint->address.ipv4;
}

void endpoint_format(const struct endpoint *endpoint, char ret_text[ENDPOINT_TEXT_SIZE])
{
	char address[INET6_ADDRSTRLEN] = "?";

	if (endpoint->address.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &endpoint->address.ipv6.sin6_addr, address, sizeof address);
		snprintf(ret_text, ENDPOINT_TEXT_SIZE, "[%s]:%u", address, ntohs(endpoint->address.ipv6.sin6_port));
	} else {
		inet_ntop(AF_INET, &endpoint->address.ipv4.sin_addr, address, sizeof address);
		snprintf(ret_text, ENDPOINT_TEXT_SIZE, "%s:%u", address, ntohs(endpoint->address.ipv4.sin_port));
	}
}
