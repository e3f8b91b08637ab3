#include "health/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static struct names names;

static int begin(void **state)
{
	(void)state;
	memset(&names, 0, sizeof names);
	return 0;
}

static struct endpoint ipv4(const char *address, uint16_t port)
{
	struct endpoint endpoint = { .address.ipv4 = { .sin_family = AF_INET, .sin_port = htons(port) } };

	assert_int_equal(inet_pton(AF_INET, address, &endpoint.address.ipv4.sin_addr), 1);
	return endpoint;
}

static struct endpoint ipv6(const char *address, uint16_t port)
{
	struct endpoint endpoint = { .address.ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) } };

	assert_int_equal(inet_pton(AF_INET6, address, &endpoint.address.ipv6.sin6_addr), 1);
	return endpoint;
}

/* "10.0.0.1:80 [::2]:80", or "" */
static const char *found(const char *host, uint16_t port, int64_t now)
{
	static char text[512];
	struct endpoint endpoint[ENDPOINT_MAX];
	const size_t count = names_find(&names, host, port, now, endpoint);

	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		char one[ENDPOINT_TEXT_SIZE];

		endpoint_format(&endpoint[i], one);
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "", one);
	}
	return text;
}

static void nothing_is_known_at_first(void **state)
{
	(void)state;
	assert_string_equal(found("db", 80, 0), "");
	assert_string_equal(found("", 80, 0), "");
	names_forget(&names, "db");
}

static void all_addresses_come_back_with_the_port_that_is_asked_for(void **state)
{
	const struct endpoint both[] = { ipv4("10.0.0.1", 1), ipv6("fd00::2", 2) };

	(void)state;
	names_keep(&names, "db", both, 2, 1000);
	assert_string_equal(found("db", 5432, 1000), "10.0.0.1:5432 [fd00::2]:5432");
	assert_string_equal(found("db", 80, 1001), "10.0.0.1:80 [fd00::2]:80");
	assert_string_equal(found("d", 80, 1001), "");
	assert_string_equal(found("db2", 80, 1001), "");
}

static void they_are_kept_for_a_while_only(void **state)
{
	const struct endpoint one = ipv4("10.0.0.1", 1);

	(void)state;
	names_keep(&names, "db", &one, 1, 1000);
	assert_string_equal(found("db", 80, 1000 + NAMES_KEEP_NS - 1), "10.0.0.1:80");
	assert_string_equal(found("db", 80, 1000 + NAMES_KEEP_NS), "");
}

static void what_is_found_later_takes_its_place(void **state)
{
	const struct endpoint first[] = { ipv4("10.0.0.1", 1), ipv4("10.0.0.2", 1) }, second = ipv4("10.0.0.3", 1);

	(void)state;
	names_keep(&names, "db", first, 2, 0);
	names_keep(&names, "db", &second, 1, 1);
	assert_string_equal(found("db", 80, 2), "10.0.0.3:80");
}

static void what_did_not_answer_is_forgotten(void **state)
{
	const struct endpoint one = ipv4("10.0.0.1", 1);

	(void)state;
	names_keep(&names, "a", &one, 1, 0);
	names_keep(&names, "b", &one, 1, 0);
	names_forget(&names, "a");
	assert_string_equal(found("a", 80, 1), "");
	assert_string_equal(found("b", 80, 1), "10.0.0.1:80");
	names_forget(&names, "c");
	assert_string_equal(found("b", 80, 1), "10.0.0.1:80");
}

static void of_more_than_there_is_room_for_the_oldest_go_first(void **state)
{
	const struct endpoint one = ipv4("10.0.0.1", 1);
	char host[16];

	(void)state;
	for (int i = 0; i < 2 * NAMES_MAX; i++) {
		snprintf(host, sizeof host, "host%d", i);
		names_keep(&names, host, &one, 1, i);
	}
	for (int i = 0; i < 2 * NAMES_MAX; i++) {
		snprintf(host, sizeof host, "host%d", i);
		assert_string_equal(found(host, 80, 2 * NAMES_MAX), i < NAMES_MAX ? "" : "10.0.0.1:80");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_is_known_at_first, begin),
		cmocka_unit_test_setup(all_addresses_come_back_with_the_port_that_is_asked_for, begin),
		cmocka_unit_test_setup(they_are_kept_for_a_while_only, begin),
		cmocka_unit_test_setup(what_is_found_later_takes_its_place, begin),
		cmocka_unit_test_setup(what_did_not_answer_is_forgotten, begin),
		cmocka_unit_test_setup(of_more_than_there_is_room_for_the_oldest_go_first, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
