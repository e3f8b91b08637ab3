#include "base/cleanup.h"
#include "metrics/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The other direction, written after RFC 1951's tables instead of their formulas. */
struct reader {
	const uint8_t *at;
	size_t bit;
};

static unsigned take(struct reader *in, unsigned count)
{
	unsigned value = 0;

	for (unsigned i = 0; i < count; i++, in->bit++)
		value |= (in->at[in->bit / 8] >> in->bit % 8 & 1U) << i;
	return value;
}

static unsigned take_code(struct reader *in, unsigned count, unsigned code)
{
	while (count-- > 0)
		code = code << 1 | take(in, 1);
	return code;
}

static unsigned take_symbol(struct reader *in)
{
	unsigned code = take_code(in, 7, 0);

	if (code < 24)
		return 256 + code;
	code = take_code(in, 1, code);
	if (code >= 0x30 && code < 0xc0)
		return code - 0x30;
	if (code >= 0xc0 && code < 0xc8)
		return 280 + code - 0xc0;
	return 144 + take_code(in, 1, code) - 0x190;
}

static size_t unpack(const char *packed, char *ret_text)
{
	static const unsigned length_base[] = { 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59,
		67, 83, 99, 115, 131, 163, 195, 227, 258 };
	static const unsigned length_extra[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4,
		5, 5, 5, 5, 0 };
	static const unsigned distance_base[] = { 1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385,
		513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577 };
	struct reader in = { (const uint8_t *)packed + 10, 0 };
	size_t length = 0;
	unsigned symbol;

	assert_int_equal(take(&in, 3), 3); /* the last block, of fixed codes */
	while ((symbol = take_symbol(&in)) != 256) {
		unsigned count, code, distance;

		if (symbol < 256) {
			ret_text[length++] = (char)symbol;
			continue;
		}
		count = length_base[symbol - 257] + take(&in, length_extra[symbol - 257]);
		code = take_code(&in, 5, 0);
		distance = distance_base[code] + take(&in, code < 4 ? 0 : code / 2 - 1);
		assert_true(distance <= length);
		for (; count > 0; count--, length++)
			ret_text[length] = ret_text[length - distance];
	}
	return length;
}

static size_t pack_and_unpack(const char *text, size_t length)
{
	static char back[GZIP_UP_TO];
	cleanup_free char *packed = NULL;
	size_t packed_length;

	assert_int_equal(gzip_compress(text, length, &packed, &packed_length), 0);
	assert_int_equal(unpack(packed, back), length);
	assert_memory_equal(back, text, length);
	return packed_length;
}

/* As `printf abcabcabcabc | gzip -n` has them, but for the system: unknown. */
static void packs_to_these_bytes(void **state)
{
	static const uint8_t expected[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0x4b, 0x4c, 0x4a, 0x86, 0x23, 0, 0x34,
		0x2a, 0x6e, 0x5a, 12, 0, 0, 0 };
	cleanup_free char *packed = NULL;
	size_t length;

	(void)state;
	assert_int_equal(gzip_compress("abcabcabcabc", 12, &packed, &length), 0);
	assert_int_equal(length, sizeof expected);
	assert_memory_equal(packed, expected, sizeof expected);
}

static void what_is_unpacked_is_what_was_packed(void **state)
{
	static char text[200000];
	uint32_t chance = 1;

	(void)state;
	assert_int_equal(pack_and_unpack("", 0), 20);
	pack_and_unpack("a", 1);
	for (unsigned letters = 1; letters <= 256; letters += letters < 4 ? 1 : 84) {
		for (size_t i = 0; i < sizeof text; i++) {
			chance = chance * 1664525 + 1013904223;
			text[i] = (char)((chance >> 16) % letters);
		}
		for (size_t length = 1; length < sizeof text; length = length * 3 + 1)
			pack_and_unpack(text, length);
	}
}

/* Matches at every distance up to the window's, and right behind it. */
static void matches_reach_as_far_as_the_window(void **state)
{
	static char text[70000];

	(void)state;
	for (size_t distance = 1; distance <= 33000; distance = distance * 5 / 4 + 1) {
		for (size_t i = 0; i < sizeof text; i++)
			text[i] = i < distance ? (char)(i * i >> 7 ^ i) : text[i - distance];
		pack_and_unpack(text, sizeof text);
	}
}

static void text_shrinks_and_noise_hardly_grows(void **state)
{
	static char noise[100000];
	uint32_t chance = 7;

	(void)state;
	for (size_t i = 0; i < sizeof noise; i++) {
		chance = chance * 1664525 + 1013904223;
		noise[i] = (char)(chance >> 24);
	}
	assert_in_range(pack_and_unpack(noise, sizeof noise), sizeof noise, sizeof noise + sizeof noise / 8);
	memset(noise, 'x', sizeof noise);
	assert_in_range(pack_and_unpack(noise, sizeof noise), 18, sizeof noise / 60);
}

static void what_would_take_long_is_refused(void **state)
{
	static const char text[GZIP_UP_TO + 1];
	char *packed = NULL;
	size_t length = 3;

	(void)state;
	assert_int_equal(gzip_compress(text, sizeof text, &packed, &length), -EFBIG);
	assert_null(packed);
	assert_int_equal(length, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packs_to_these_bytes),
		cmocka_unit_test(what_is_unpacked_is_what_was_packed),
		cmocka_unit_test(matches_reach_as_far_as_the_window),
		cmocka_unit_test(text_shrinks_and_noise_hardly_grows),
		cmocka_unit_test(what_would_take_long_is_refused),
	};

	return cmocka_run_group_tests_name("gzip", tests, NULL, NULL);
}
