#include "metrics/authorization.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void takes_the_two_schemes(void **state)
{
	static const struct {
		const char *field;
		enum scheme scheme;
		const char *name, *secret;
	} rows[] = {
		{ "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", SCHEME_BASIC, "Aladdin", "open sesame" }, /* RFC 7617 */
		{ "basic dGVzdDoxMjPCow==", SCHEME_BASIC, "test", "123\xc2\xa3" },
		{ "BASIC   YTpiOmM=", SCHEME_BASIC, "a", "b:c" },
		{ "Basic YTpi", SCHEME_BASIC, "a", "b" },
		{ "Basic YTo", SCHEME_BASIC, "a", "" },
		{ "Basic Og==", SCHEME_BASIC, "", "" },
		{ "Bearer mF_9.B5f-4.1JqM", SCHEME_BEARER, "", "mF_9.B5f-4.1JqM" }, /* RFC 6750 */
		{ "bearer YTpi", SCHEME_BEARER, "", "YTpi" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct authorization who;

		assert_int_equal(authorization_parse(rows[i].field, &who), 0);
		assert_int_equal(who.scheme, rows[i].scheme);
		assert_string_equal(who.name, rows[i].name);
		assert_string_equal(who.secret, rows[i].secret);
	}
}

static void refuses_what_is_neither(void **state)
{
	static const char *const rows[] = { "", " ", "Basic", "Basic ", "Basic YWI=" /* ab */, "Basic YTpi=", "Basic Y",
		"Basic YTpi YTpi", "Basic YTpi\n", "Basic Y=Tp", "Basic YTo===", "Basic AAA6" /* NUL */, "Basic YQA6",
		"Bearer", "Bearer ", "Bearerx", "Digest username=\"a\"", "Basicx YTpi", "YTpi" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct authorization who = { .name = "as before" };

		if (authorization_parse(rows[i], &who) != -EINVAL)
			fail_msg("%s", rows[i]);
		assert_string_equal(who.name, "as before");
	}
}

static void what_does_not_fit_is_refused(void **state)
{
	char field[4096];
	struct authorization who;

	(void)state;
	for (size_t bytes = AUTHORIZATION_SIZE - 10; bytes < AUTHORIZATION_SIZE + 10; bytes++) {
		memcpy(field, "Bearer ", 7);
		memset(field + 7, 'x', bytes);
		field[7 + bytes] = '\0';
		assert_int_equal(authorization_parse(field, &who), bytes < AUTHORIZATION_SIZE ? 0 : -EINVAL);
	}
	for (size_t quads = 330; quads < 360; quads++) { /* "xx:xx:..." */
		memcpy(field, "Basic ", 6);
		for (size_t i = 0; i < quads; i++)
			memcpy(field + 6 + 4 * i, "eHg6", 4);
		field[6 + 4 * quads] = '\0';
		assert_int_equal(authorization_parse(field, &who), 3 * quads < AUTHORIZATION_SIZE ? 0 : -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_two_schemes),
		cmocka_unit_test(refuses_what_is_neither),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests_name("authorization", tests, NULL, NULL);
}
