#include "health/names.h"

#include <stdio.h>
#include <string.h>

static struct remembered *place_of(struct names *names, const char *host)
{
	struct remembered *oldest = names->name;

	for (size_t i = 0; i < NAMES_MAX; i++) {
		if (names->name[i].count > 0 && strcmp(names->name[i].host, host) == 0)
			return &names->name[i];
		if (names->name[i].until_ns < oldest->until_ns)
			oldest = &names->name[i];
	}
	return oldest;
}

static void set_port(struct endpoint *endpoint, uint16_t port)
{
	if (endpoint->address.any.sa_family == AF_INET6)
		endpoint->address.ipv6.sin6_port = htons(port);
	else
		endpoint->address.ipv4.sin_port = htons(port);
}

size_t names_find(const struct names *names, const char *host, uint16_t port, int64_t now,
	struct endpoint ret_endpoint[ENDPOINT_MAX])
{
	for (size_t i = 0; i < NAMES_MAX; i++) {
		const struct remembered *name = &names->name[i];

		if (name->count == 0 || now >= name->until_ns || strcmp(name->host, host) != 0)
			continue;
		memcpy(ret_endpoint, name->endpoint, sizeof name->endpoint);
		for (size_t j = 0; j < name->count; j++)
			set_port(&ret_endpoint[j], port);
		return name->count;
	}
	return 0;
}

void names_keep(struct names *names, const char *host, const struct endpoint *endpoint, size_t count, int64_t now)
{
	struct remembered *name = place_of(names, host);

	snprintf(name->host, sizeof name->host, "%s", host);
	name->until_ns = now + NAMES_KEEP_NS;
	name->count = count;
	memcpy(name->endpoint, endpoint, count * sizeof *endpoint);
}

void names_forget(struct names *names, const char *host)
{
	struct remembered *name = place_of(names, host);

	if (strcmp(name->host, host) == 0)
		name->count = 0;
}
