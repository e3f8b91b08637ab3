/* Memory that begins again where it ends, mapped so that what goes over its end is in one piece all the same. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RING_BEYOND 4096 /* bytes behind its second turn that may be looked at */

struct ring {
	char *at;
	size_t size; /* a multiple of the size of a page */
};

/* Maps `size` bytes of fd from `offset` on (both whole pages), for good. Returns 0 or -errno. */
int ring_map(int fd, off_t offset, size_t size, struct ring *ret_ring);

/* The place of a position that only ever grows: `size` bytes may be used from there on. */
static inline char *ring_place(const struct ring *ring, uint64_t position)
{
	return ring->at + position % ring->size;
}
