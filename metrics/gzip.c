#include "metrics/gzip.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HEADS 4096    /* a power of two */
#define MATCH_MIN 4   /* of a hash; DEFLATE knows 3 as well */
#define MATCH_MAX 257 /* 258 has a code that is an exception */
#define DISTANCE_MAX 32768

#define FRAME_SIZE 18 /* of head and tail together */

struct bits {
	uint8_t *at; /* has room for the worst case */
	uint64_t held;
	unsigned count; /* held bits: below 8 between two calls */
};

/* The lowest bit goes first (RFC 1951, section 3.1.1). */
static void put(struct bits *out, uint32_t value, unsigned count)
{
	out->held |= (uint64_t)value << out->count;
	for (out->count += count; out->count >= 8; out->count -= 8) {
		*out->at++ = (uint8_t)out->held;
		out->held >>= 8;
	}
}

/* A Huffman code goes the other way round. */
static void put_code(struct bits *out, uint32_t code, unsigned count)
{
	uint32_t turned = 0;

	for (unsigned i = 0; i < count; i++)
		turned |= (code >> i & 1) << (count - 1 - i);
	put(out, turned, count);
}

/* The fixed codes of literals and lengths (section 3.2.6). */
static void put_symbol(struct bits *out, unsigned symbol)
{
	if (symbol < 144)
		put_code(out, 0x30 + symbol, 8);
	else if (symbol < 256)
		put_code(out, 0x190 + symbol - 144, 9);
	else if (symbol < 280)
		put_code(out, symbol - 256, 7);
	else
		put_code(out, 0xc0 + symbol - 280, 8);
}

static unsigned log2_of(uint32_t value)
{
	return 31 - (unsigned)__builtin_clz(value);
}

/* The tables of section 3.2.5 double with every four codes of a length, and with every two of a distance. */
static void put_match(struct bits *out, uint32_t length, uint32_t distance)
{
	const uint32_t l = length - 3, d = distance - 1;
	const unsigned l_extra = l < 8 ? 0 : log2_of(l) - 2, d_extra = d < 4 ? 0 : log2_of(d) - 1;

	put_symbol(out, 257 + 4 * l_extra + (l >> l_extra));
	put(out, l & ((1U << l_extra) - 1), l_extra);
	put_code(out, 2 * d_extra + (d >> d_extra), 5);
	put(out, d & ((1U << d_extra) - 1), d_extra);
}

static uint32_t word_at(const uint8_t *text)
{
	uint32_t word;

	memcpy(&word, text, sizeof word);
	return word;
}

static size_t match_length(const uint8_t *one, const uint8_t *other, size_t limit)
{
	size_t length = 0;

	while (length < limit && one[length] == other[length])
		length++;
	return length;
}

/* One block. Each place is compared with the last one of the same hash, and with no other. */
static void deflate(struct bits *out, const uint8_t *text, size_t length)
{
	uint32_t heads[HEADS] = { 0 }; /* of the place behind */
	size_t at = 0;

	put(out, 1, 1); /* the last block, */
	put(out, 1, 2); /* of fixed codes */
	while (at < length) {
		const size_t left = length - at < MATCH_MAX ? length - at : MATCH_MAX;
		size_t matched = 0, before = 0;

		if (left >= MATCH_MIN) {
			uint32_t *head = &heads[word_at(text + at) * UINT32_C(2654435761) >> 20];

			before = *head;
			*head = (uint32_t)at + 1;
			if (before > 0 && at + 1 - before <= DISTANCE_MAX)
				matched = match_length(text + before - 1, text + at, left);
		}
		if (matched >= MATCH_MIN) {
			put_match(out, (uint32_t)matched, (uint32_t)(at + 1 - before));
			at += matched;
		} else {
			put_symbol(out, text[at++]);
		}
	}
	put_symbol(out, 256);
	put(out, 0, 7); /* the rest of the last byte */
}

/* CRC-32 (RFC 1952, section 8), four bits at a time. */
static uint32_t checksum(const uint8_t *text, size_t length)
{
	static const uint32_t table[16] = { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
		0xa00ae278, 0xbdbdf21c };
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < length; i++) {
		crc = table[(crc ^ text[i]) & 15] ^ crc >> 4;
		crc = table[(crc ^ text[i] >> 4) & 15] ^ crc >> 4;
	}
	return ~crc;
}

static void put_u32(struct bits *out, uint32_t value)
{
	put(out, value & 0xffff, 16);
	put(out, value >> 16, 16);
}

int gzip_compress(const char *text, size_t length, char **ret_bytes, size_t *ret_length)
{
	static const uint8_t head[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 }; /* no name, no time, no system */
	const uint8_t *bytes = (const uint8_t *)text;
	struct bits out = { .count = 0 };
	uint8_t *start;

	if (length > GZIP_UP_TO)
		return -EFBIG;
	/* A literal has at most 9 bits, and a match is never longer than its literals. */
	start = malloc(length + length / 8 + FRAME_SIZE + 4);
	if (start == NULL)
		return -ENOMEM;
	memcpy(start, head, sizeof head);
	out.at = start + sizeof head;
	deflate(&out, bytes, length);
	out.count = 0; /* what is held is no byte: the padding was zero */
	out.held = 0;
	put_u32(&out, checksum(bytes, length));
	put_u32(&out, (uint32_t)length);
	*ret_bytes = (char *)start;
	*ret_length = (size_t)(out.at - start);
	return 0;
}
