/* Addresses of names that were looked up a moment ago: many checks of one host cost one look-up. Pure. */
#pragma once

#include "health/endpoint.h"

#include <stdint.h>

#define NAMES_MAX 64
/* Short beside any interval at which a check asks on its own. */
#define NAMES_KEEP_NS (INT64_C(5) * 1000000000)

struct names {
	struct remembered {
		char host[TARGET_HOST_SIZE];
		int64_t until_ns;
		size_t count; /* 0: nothing is remembered here */
		struct endpoint endpoint[ENDPOINT_MAX];
	} name[NAMES_MAX];
};

/* The addresses of a name, with that port. Returns how many, 0 if none are known (any more). */
size_t names_find(const struct names *names, const char *host, uint16_t port, int64_t now,
	struct endpoint ret_endpoint[ENDPOINT_MAX]);

/* Remembers them (1 to ENDPOINT_MAX), in the place of those that are forgotten first. */
void names_keep(struct names *names, const char *host, const struct endpoint *endpoint, size_t count, int64_t now);

/* None of them answered: the next one who asks looks them up. */
void names_forget(struct names *names, const char *host);
