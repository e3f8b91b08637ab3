#include "metrics/siphash.h"

#include <endian.h>
#include <string.h>

static uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void add_rotate_xor(uint64_t *a, uint64_t *b, unsigned bits)
{
	*a += *b;
	*b = rotate(*b, bits) ^ *a;
}

static void mix(uint64_t v[4])
{
	add_rotate_xor(&v[0], &v[1], 13);
	v[0] = rotate(v[0], 32);
	add_rotate_xor(&v[2], &v[3], 16);
	add_rotate_xor(&v[0], &v[3], 21);
	add_rotate_xor(&v[2], &v[1], 17);
	v[2] = rotate(v[2], 32);
}

static void take_word(struct siphash *hash, uint64_t word)
{
	hash->v[3] ^= word;
	mix(hash->v);
	hash->v[0] ^= word;
}

void siphash_begin(struct siphash *hash, const struct siphash_key *key)
{
	/* "somepseudorandomlygeneratedbytes" */
	*hash = (struct siphash){ .v = { key->half[0] ^ 0x736f6d6570736575, key->half[1] ^ 0x646f72616e646f6d,
					  key->half[0] ^ 0x6c7967656e657261, key->half[1] ^ 0x7465646279746573 } };
}

void siphash_add(struct siphash *hash, const void *bytes, size_t length)
{
	const uint8_t *next = bytes;

	while (length >= 8 && hash->length % 8 == 0) {
		uint64_t word;

		memcpy(&word, next, sizeof word);
		take_word(hash, le64toh(word));
		hash->length += 8;
		next += 8;
		length -= 8;
	}
	for (; length > 0; length--) {
		hash->tail |= (uint64_t)*next++ << (8 * (hash->length % 8));
		if (++hash->length % 8 == 0) {
			take_word(hash, hash->tail);
			hash->tail = 0;
		}
	}
}

uint64_t siphash_end(struct siphash *hash)
{
	take_word(hash, hash->tail | (uint64_t)hash->length << 56);
	hash->v[2] ^= 0xff;
	for (int round = 0; round < 3; round++)
		mix(hash->v);
	return hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
}
