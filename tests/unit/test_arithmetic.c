/* What ${...} computes: by hand, and against a plain evaluator on expressions made at random. */
#include "base/config_arithmetic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static const struct config_memory limited = { .limit = 512 * MIB, .total = 16 * GIB };
static const struct config_memory unlimited = { .limit = 0, .total = 16 * GIB };
static struct complaint why;

static void results(void **state)
{
	static const struct {
		const char *text;
		uint64_t limited, unlimited; /* 0: refused, for want of a limit */
	} rows[] = {
		{ "1}", 1, 1 },
		{ "  64MiB }", 64 * MIB, 64 * MIB },
		{ "memory.limit}", 512 * MIB, 0 },
		{ "memory.total}", 16 * GIB, 16 * GIB },
		{ "memory.limit * 75% / 1MiB}", 384, 0 },
		{ "75%*memory.limit/1m}", 384, 0 },
		{ "memory.limit*3/4/1MiB}", 384, 0 },
		{ "(memory.limit - 64MiB) * 80% / 1MiB}", 358, 0 },
		{ "memory.limit - 64MiB * 2}", 384 * MIB, 0 },
		{ "memory.limit / 1MiB / 2 / 2}", 128, 0 },
		{ "memory.limit / 1MiB - 100 - 12}", 400, 0 },
		{ "memory.limit:-2GiB}", 512 * MIB, 2 * GIB },
		{ "memory.limit :- 2GiB * 75% / 1MiB}", 384, 1536 },
		{ "memory.limit:-(memory.total / 4)}", 512 * MIB, 4 * GIB },
		{ "memory.limit:-memory.total}", 512 * MIB, 16 * GIB },
		{ "min(memory.limit:-memory.total, 8GiB) - 64MiB}", 448 * MIB, 8 * GIB - 64 * MIB },
		{ "min(3, 2, 4) + max(1, 5) * 10 + max(7)}", 59, 59 },
		{ "7 * 50%}", 3, 3 },
		{ "10 * 250%}", 25, 25 },
		{ "18446744073709551615}", UINT64_MAX, UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int with = 0; with <= 1; with++) {
			const uint64_t expected = with ? rows[i].limited : rows[i].unlimited;
			uint64_t value = 0;
			const int error = config_arithmetic(rows[i].text, with ? &limited : &unlimited, &value, &why);

			if (error != (expected == 0 ? -ENOENT : 0) || value != expected)
				fail_msg("%s: %d, %" PRIu64, rows[i].text, error, value);
		}
}

static void refusals(void **state)
{
	static const struct {
		const char *text;
		int error;
		const char *sentence;
	} rows[] = {
		{ "}", -EINVAL,
			"'}': expected a number, a size such as 64MiB, memory.limit, memory.total, min(, max( or (" },
		{ "memory.limt / 2}", -EINVAL,
			"'memory.limt / 2}': expected a number, a size such as 64MiB, memory.limit, memory.total, "
			"min(, max( or (" },
		{ "memory.limit * 0.75}", -EINVAL, "'0.75}': expected a whole number; three quarters are * 75%" },
		{ "memory.limit / 1MB}", -EINVAL, "'1MB}': expected a number, or a size such as 64MiB" },
		{ "memory.limit 75%}", -EINVAL, "'75%}': expected an operator or }" },
		{ "memory.limits}", -EINVAL, "'s}': expected an operator or }" },
		{ "memory.limit - 25%}", -EINVAL, "'25%}': a percentage of what? expected a * beside it" },
		{ "75%}", -EINVAL, "'75%}': a percentage of what? expected a * beside it" },
		{ "memory.limit / 75%}", -EINVAL, "'/ 75%}': a percentage stands beside a *" },
		{ "50% / 2}", -EINVAL, "'/ 2}': a percentage stands beside a *" },
		{ "50% * 50% * 2}", -EINVAL, "'* 50% * 2}': a percentage of a percentage: expected a size" },
		{ "memory.limit:-75%}", -EINVAL,
			"'memory.limit:-75%}': a percentage of what? expected a size behind :-" },
		{ "memory.limit * 2:-1GiB}", -EINVAL, "':-1GiB}': expected an operator or }" },
		{ "(1 + 2}", -EINVAL, "'}': expected an operator or )" },
		{ "min(1, 2}", -EINVAL, "'}': expected an operator, a comma or )" },
		{ "1 / (memory.limit - memory.limit)}", -EDOM,
			"'/ (memory.limit - memory.limit)}': a division by zero" },
		{ "64MiB - memory.limit}", -ERANGE, "'- memory.limit}': the difference is below zero" },
		{ "18446744073709551615 + 1}", -ERANGE, "'+ 1}': more than 64 bits" },
		{ "memory.limit * 16777216TiB}", -ERANGE, "'16777216TiB}': more than 64 bits" },
		{ "memory.limit * 1TiB}", -ERANGE, "'* 1TiB}': more than 64 bits" },
		{ "000000000000000000000000000000000000001}", -ERANGE,
			"'000000000000000000000000000000000000001}': more than 64 bits" },
	};
	uint64_t value = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const int error = config_arithmetic(rows[i].text, &limited, &value, &why);

		if (error != rows[i].error)
			fail_msg("%s: %d", rows[i].text, error);
		assert_string_equal(why.text, rows[i].sentence);
	}
	assert_int_equal(config_arithmetic("1 + memory.limit}", &unlimited, &value, &why), -ENOENT);
	assert_string_equal(why.text,
		"'memory.limit}': this container has no memory limit: give it one, or write memory.limit:-SIZE");
	assert_int_equal(value, 7);
}

static void nesting_has_an_end(void **state)
{
	static const char *const parts[] = { "(", "memory.limit:-", "min(" };
	char text[2048];
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < COUNT(parts); i++) {
		text[0] = '\0';
		for (int depth = 0; depth < 100; depth++)
			strcat(text, parts[i]);
		assert_int_equal(config_arithmetic(text, &limited, &value, &why), -EINVAL);
		assert_non_null(strstr(why.text, "nested too deep"));
	}
}

/* ---- at random ---- */

__extension__ typedef unsigned __int128 wide; /* of gcc and clang alike */

static uint64_t random_state;

static unsigned roll(unsigned sides)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(random_state >> 33) % sides;
}

/* An expression, and what it is by the rules, with 128 bits. */
struct made {
	char text[4096];
	bool fails;
};

static void append(struct made *made, const char *text)
{
	assert_true(strlen(made->text) + strlen(text) < sizeof made->text);
	strcat(made->text, text);
	if (roll(3) == 0)
		strcat(made->text, " ");
}

static wide make_sum(struct made *made, int depth);

static wide checked(struct made *made, wide value)
{
	made->fails = made->fails || value > UINT64_MAX;
	return made->fails ? 1 : value;
}

static wide make_value(struct made *made, int depth)
{
	static const struct {
		const char *text;
		uint64_t value;
	} plain[] = { { "memory.limit", 512 * MIB }, { "memory.total", 16 * GIB }, { "memory.limit:-3", 512 * MIB },
		{ "1MiB", MIB }, { "2g", 2 * GIB }, { "0", 0 }, { "1", 1 }, { "17", 17 },
		{ "4096TiB", UINT64_C(1) << 52 }, { "16777215TiB", UINT64_C(16777215) << 40 } };
	const unsigned which = depth > 0 ? roll(COUNT(plain) + 4) : roll(COUNT(plain));
	wide a, b;

	if (which < COUNT(plain)) {
		append(made, plain[which].text);
		return plain[which].value;
	}
	append(made, which % 4 == 0 ? "min(" : which % 4 == 1 ? "max(" : "(");
	a = make_sum(made, depth - 1);
	if (which % 4 < 2) {
		append(made, ",");
		b = make_sum(made, depth - 1);
		a = (which % 4 == 0) == (a < b) ? a : b;
	}
	append(made, ")");
	return a;
}

static wide make_product(struct made *made, int depth)
{
	wide value = make_value(made, depth), right;

	for (unsigned more = roll(3); more > 0; more--) {
		const unsigned kind = roll(3);

		append(made, kind == 0 ? "/" : "*");
		if (kind == 2) {
			append(made, "75%");
			value = checked(made, value * 75) / 100;
			continue;
		}
		right = make_value(made, depth);
		if (kind == 0)
			made->fails = made->fails || right == 0;
		if (!made->fails)
			value = kind == 0 ? value / right : checked(made, value * right);
	}
	return value;
}

static wide make_sum(struct made *made, int depth)
{
	wide value = make_product(made, depth), right;

	for (unsigned more = roll(3); more > 0; more--) {
		const bool minus = roll(2) == 0;

		append(made, minus ? "-" : "+");
		right = make_product(made, depth);
		value = checked(made, minus ? value - right : value + right);
	}
	return value;
}

static void whatever_is_made_is_what_it_says(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20000; seed++) {
		struct made made = { .fails = false };
		wide expected;
		uint64_t value = 0;
		int error;

		random_state = seed;
		expected = make_sum(&made, 2);
		append(&made, "}");
		error = config_arithmetic(made.text, &limited, &value, &why);
		if ((error < 0) != made.fails || (error == 0 && value != expected))
			fail_msg("seed %" PRIu64 ": %s: %d, %" PRIu64, seed, made.text, error, value);
		failed += made.fails;
	}
	assert_in_range(failed, 1000, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results),
		cmocka_unit_test(refusals),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(whatever_is_made_is_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
