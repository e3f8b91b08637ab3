/* What is done about a secret that has changed: whether it has, and which service is started again when. Pure.
 *
 * Services are started again one at a time, each once the one before is ready; one that does not become so holds up
 * those behind it, which go on with what they have, until the secret changes again. A service that depends on another
 * one comes after it. */
#pragma once

#include "base/dependencies.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rotation_secret {  /* all zero: nothing is known of it */
	uint64_t current; /* its hash */
	uint64_t count;   /* rotations */
	int64_t last_ns;  /* wall clock; 0: never */
};

/* It was looked at. baseline: what a service was given before anybody looked; 0: nothing. Returns true, and counts it,
 * if it is another one than before. */
bool rotation_observe(struct rotation_secret *secret, uint64_t baseline, uint64_t hash, int64_t wall_ns);

struct rotation_service {
	/* Set by the caller, each time: */
	bool needs;    /* it has another one than is current, and is to be started again for that */
	bool rolls;    /* and so are those that depend on it */
	bool runs;     /* it may be ordered to */
	bool ready;    /* in this life */
	uint64_t life; /* as `starts` counts them */
	/* Its own, zero at first: */
	bool follows; /* one that it depends on was started again */
	bool passes_on;
};

struct rotation {
	/* Set by the caller, borrowed: */
	struct rotation_service *service;
	size_t service_count;
	const struct dependency_edge *edge;
	size_t edge_count;
	/* Its own, zero at first: */
	size_t current; /* one more than the number of the service that is being started again; 0: none is */
	uint64_t ordered_life;
};

/* A secret has changed: whoever waits behind a service that does not come up need not wait any more. */
void rotation_renew(struct rotation *rotation);

/* The next service to be started again now, which is taken to be done. Returns false if there is none. */
bool rotation_next(struct rotation *rotation, size_t *ret_service);
