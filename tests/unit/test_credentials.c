#include "base/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define SALTED "abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"
#define TOKEN "0123456789abcdef"

static struct credentials credentials;

static void reads_what_htpasswd_writes(void **state)
{
	struct complaint why;

	(void)state;
	assert_int_equal(
		credentials_parse_users("# who looks\nprometheus:$2y$10$" SALTED "\n\r\n\nj.d@x:$2b$04$" SALTED "\r\n"
					"old:$2a$14$" SALTED,
			&credentials, &why),
		0);
	assert_int_equal(credentials.user_count, 3);
	assert_string_equal(credentials.user[0].name, "prometheus");
	assert_string_equal(credentials.user[0].hash, "$2y$10$" SALTED);
	assert_string_equal(credentials.user[1].name, "j.d@x");
	assert_string_equal(credentials.user[1].hash, "$2b$04$" SALTED);
	assert_string_equal(credentials.user[2].name, "old");
}

static void reads_a_token_of_each_line(void **state)
{
	struct complaint why;

	(void)state;
	assert_int_equal(credentials_parse_tokens(TOKEN "\n#" TOKEN "\naA0-._~+/=aA0-._~+/=\n", &credentials, &why), 0);
	assert_int_equal(credentials.token_count, 2);
	assert_string_equal(credentials.token[0], TOKEN);
	assert_string_equal(credentials.token[1], "aA0-._~+/=aA0-._~+/=");
}

static void says_which_user_it_refuses_and_why(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "it names no user" },
		{ "#a:$2y$10$" SALTED "\n\n", "it names no user" },
		{ "secret", "line 1: expected NAME:HASH, as htpasswd -B writes it, with a NAME of 1 to 63 characters" },
		{ ":$2y$10$" SALTED,
			"line 1: expected NAME:HASH, as htpasswd -B writes it, with a NAME of 1 to 63 "
			"characters" },
		{ "a:$2y$10$" SALTED "\nb:secret", "line 2: 'b' has no bcrypt hash: make it with htpasswd -B" },
		{ "b:$apr1$abc$def", "line 1: 'b' has no bcrypt hash: make it with htpasswd -B" },
		{ "b:$2x$10$" SALTED, "line 1: 'b' has no bcrypt hash: make it with htpasswd -B" },
		{ "b:$2y$10$" SALTED "x", "line 1: 'b' has no bcrypt hash: make it with htpasswd -B" },
		{ "b:$2y$10$" SALTED " ", "line 1: 'b' has no bcrypt hash: make it with htpasswd -B" },
		{ "b:$2y$15$" SALTED, "line 1: bcrypt of cost 15: expected 4 to 14 (htpasswd -B -C 10)" },
		{ "b:$2y$03$" SALTED, "line 1: bcrypt of cost 3: expected 4 to 14 (htpasswd -B -C 10)" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct complaint why;

		assert_int_equal(credentials_parse_users(rows[i].text, &credentials, &why), -EINVAL);
		assert_string_equal(why.text, rows[i].why);
	}
}

static void says_which_token_it_refuses_and_shows_none(void **state)
{
	static const char *const rows[] = { "0123456789abcde", TOKEN " ", "\t" TOKEN, TOKEN "\x80", TOKEN ":" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct complaint why;

		assert_int_equal(credentials_parse_tokens(rows[i], &credentials, &why), -EINVAL);
		assert_string_equal(why.text,
			"line 1: expected a token of 16 to 1024 letters, digits and -._~+/= (openssl rand -hex 32)");
	}
}

static void there_is_an_end_to_how_many(void **state)
{
	static char users[CREDENTIALS_FILE_MAX], tokens[CREDENTIALS_FILE_MAX];
	struct complaint why;

	(void)state;
	for (unsigned i = 0; i <= CREDENTIALS_MAX; i++) {
		assert_int_equal(credentials_parse_users(users, &credentials, &why), i == 0 ? -EINVAL : 0);
		assert_int_equal(credentials_parse_tokens(tokens, &credentials, &why), i == 0 ? -EINVAL : 0);
		snprintf(users + strlen(users), sizeof users - strlen(users), "u%u:$2y$10$" SALTED "\n", i);
		strcat(tokens, TOKEN "\n");
	}
	assert_int_equal(credentials_parse_users(users, &credentials, &why), -EINVAL);
	assert_string_equal(why.text, "line 65: at most 64 users");
	assert_int_equal(credentials_parse_tokens(tokens, &credentials, &why), -EINVAL);
	assert_string_equal(why.text, "line 65: at most 64 tokens");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_htpasswd_writes),
		cmocka_unit_test(reads_a_token_of_each_line),
		cmocka_unit_test(says_which_user_it_refuses_and_why),
		cmocka_unit_test(says_which_token_it_refuses_and_shows_none),
		cmocka_unit_test(there_is_an_end_to_how_many),
	};

	return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
