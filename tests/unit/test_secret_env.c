/* Which NAME_FILE is read, and what of a file is the value. */
#include "init/secret_env.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *list, *variable, *name; /* NULL: it is left alone */
} table[] = {
	{ "PGPASSWORD", "PGPASSWORD_FILE=/etc/x", "PGPASSWORD" },
	{ "A,PGPASSWORD", "PGPASSWORD_FILE=relative", "PGPASSWORD" },
	{ "PGPASSWORD,A", "PGPASSWORD_FILE=x", "PGPASSWORD" },
	{ "PGPASSWORD,A", "PGPASSWORD_FILE=", NULL },
	{ "PGPASSWOR", "PGPASSWORD_FILE=/run/secrets/x", NULL },
	{ "PGPASSWORDS", "PGPASSWORD_FILE=/run/secrets/x", NULL },
	{ "A", "A=/run/secrets/x", NULL },
	{ "A", "A_FILE", NULL },
	{ "A", "A_FILEX=/run/secrets/x", NULL },
	{ "A", "A_FILE_FILE=/run/secrets/x", NULL },
	{ "A_FILE", "A_FILE_FILE=/x", "A_FILE" },
	{ "all", "A_FILE=/run/secrets/a", "A" },
	{ "all", "A_FILE=/var/run/secrets/a", "A" },
	{ "all", "A_FILE=/run/secrets", NULL },
	{ "all", "A_FILE=/run/secretsx/a", NULL },
	{ "all", "SSL_CERT_FILE=/etc/ssl/certs/ca.pem", NULL },
	{ "all,SSL_CERT", "SSL_CERT_FILE=/etc/ssl/certs/ca.pem", "SSL_CERT" },
	{ "all", "_FILE=/run/secrets/a", NULL },
	{ "all", "1_FILE=/run/secrets/a", NULL },
	{ "all", "a.b_FILE=/run/secrets/a", NULL },
	{ "all",
		"A123456789B123456789C123456789D123456789E123456789F123456789G123_FILE=/run/secrets/"
		"a",
		NULL },
	{ "", "A_FILE=/run/secrets/a", NULL },
};

static void a_listed_name_is_read_and_all_are_below_run_secrets(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		char name[SECRET_NAME_SIZE] = "untouched";
		const bool resolves = secret_env_resolves(table[i].list, table[i].variable, name);

		if (resolves != (table[i].name != NULL) ||
			strcmp(name, table[i].name != NULL ? table[i].name : "untouched") != 0)
			fail_msg("%s of %s: %d, %s", table[i].variable, table[i].list, resolves, name);
	}
}

static void a_value_is_found_by_its_whole_name(void **state)
{
	char *environment[] = { (char *)"AB=1", (char *)"A=2", (char *)"A_FILE=/x", (char *)"B",
		(char *)"C=", (char *)"C_FILE=", NULL };

	(void)state;
	assert_string_equal(secret_env_value(environment, "A", ""), "2");
	assert_string_equal(secret_env_value(environment, "A", "_FILE"), "/x");
	assert_string_equal(secret_env_value(environment, "AB", ""), "1");
	assert_null(secret_env_value(environment, "B", ""));
	assert_null(secret_env_value(environment, "AB", "_FILE"));
	assert_null(secret_env_value(environment, "C", ""));
	assert_null(secret_env_value(environment, "C", "_FILE"));
	assert_null(secret_env_value(NULL, "A", ""));
}

static void one_newline_at_the_end_is_no_part_of_it(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *value; /* NULL: refused */
	} files[] = { { "a", 1, "a" }, { "a\n", 2, "a" }, { "a\n\n", 3, "a\n" }, { "\na", 2, "\na" },
		{ "a\r\n", 3, "a\r" }, { " a ", 3, " a " }, { "", 0, NULL }, { "\n", 1, NULL }, { "\n\n", 2, "\n" },
		{ "a\0b", 3, NULL }, { "a\0", 2, NULL }, { "a\0\n", 3, NULL } };

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		struct complaint why = { .text = "" };
		char bytes[8];
		int error;

		memcpy(bytes, files[i].bytes, files[i].length);
		error = secret_env_trim(bytes, files[i].length, &why);
		assert_int_equal(error, files[i].value != NULL ? 0 : -EINVAL);
		if (files[i].value != NULL)
			assert_string_equal(bytes, files[i].value);
		else
			assert_non_null(strstr(why.text, "the file "));
	}
}

/* A value, a key and a length more or less make another hash, and the same ones the same: tried with a thousand. */
static void a_hash_tells_values_apart_and_needs_its_key(void **state)
{
	static struct secret_text text;
	uint64_t before = 0;

	(void)state;
	memset(text.bytes, 'a', sizeof text.bytes);
	for (size_t length = 0; length < 1000; length++) {
		const uint64_t hash = secret_hash(&text, length);

		assert_true(hash != 0 && hash != before);
		assert_true(hash == secret_hash(&text, length));
		text.key[length % SECRET_KEY_SIZE]++;
		assert_true(hash != secret_hash(&text, length));
		text.key[length % SECRET_KEY_SIZE]--;
		before = hash;
	}
	/* A file that gets another's name is another directory. */
	assert_true(secret_hash_named("a", 1) + secret_hash_named("b", 3) !=
		secret_hash_named("a", 3) + secret_hash_named("b", 1));
	assert_true(secret_hash_named("a", 1) != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listed_name_is_read_and_all_are_below_run_secrets),
		cmocka_unit_test(a_value_is_found_by_its_whole_name),
		cmocka_unit_test(one_newline_at_the_end_is_no_part_of_it),
		cmocka_unit_test(a_hash_tells_values_apart_and_needs_its_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
