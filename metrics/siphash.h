/* SipHash-1-3 (Aumasson and Bernstein, 2012): a hash with a key, so that nobody who does not know the key can choose
 * texts that collide. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t half[2];
};

struct siphash {
	uint64_t v[4];
	uint64_t tail; /* bytes that do not fill a word yet */
	size_t length;
};

void siphash_begin(struct siphash *hash, const struct siphash_key *key);
void siphash_add(struct siphash *hash, const void *bytes, size_t length);
uint64_t siphash_end(struct siphash *hash);
