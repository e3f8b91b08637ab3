#include "health/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void finds_what_needs_no_look_up(void **state)
{
	static const struct {
		const char *host;
		const char *texts[2];
		size_t count;
	} rows[] = {
		{ "127.0.0.1", { "127.0.0.1:4000" }, 1 },
		{ "0.0.0.0", { "0.0.0.0:4000" }, 1 },
		{ "::1", { "[::1]:4000" }, 1 },
		{ "2001:db8::7", { "[2001:db8::7]:4000" }, 1 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", { "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:4000" },
			1 },
		{ "localhost", { "[::1]:4000", "127.0.0.1:4000" }, 2 },
		{ "LocalHost.", { "[::1]:4000", "127.0.0.1:4000" }, 2 },
		{ "localhost.example", { NULL }, 0 },
		{ "postgres", { NULL }, 0 },
	};
	size_t i, each;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct target target = { .kind = TARGET_TCP, .port = 4000 };
		struct endpoint endpoints[ENDPOINT_MAX];

		snprintf(target.host, sizeof target.host, "%s", rows[i].host);
		assert_int_equal(endpoint_direct(&target, endpoints), rows[i].count);
		for (each = 0; each < rows[i].count; each++) {
			char text[ENDPOINT_TEXT_SIZE];

			endpoint_format(&endpoints[each], text);
			assert_string_equal(text, rows[i].texts[each]);
			assert_int_equal(endpoint_length(&endpoints[each]),
				text[0] == '[' ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_needs_no_look_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
