#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void variables_are_judged_by_name_and_by_value(void **state)
{
	static const struct {
		const char *variable;
		bool secret;
	} cases[] = {
		{ "GPG_PASSPHRASE=x", true },
		{ "REDIS_PASS=x", true },
		{ "SMTP_AUTH=x", true },
		{ "PW=x", true },
		{ "DB_PWD=x", true },
		{ "JWT=x", true },
		{ "SESSION=x", true },
		{ "PGPASS=x", true },
		{ "MYSQL_DBPASS=x", true },
		{ "COMPASS=x", false },
		{ "NO_PROXY_BYPASS=x", false },
		{ "PASSAGE=x", false },
		{ "AUTHOR=x", false },
		{ "PWD=/work", false },
		{ "SMTP_AUTH=true", false },
		{ "AUTH_URL=http://a/", false },
		{ "SESSION_TIMEOUT=30", false },
		{ "X=Bearer abc", true },
		{ "X=Basic abc", true },
		{ "X=eyJhbGciOi.eyJzdWIi.c2ln", true },
		{ "X=-----BEGIN PRIVATE KEY-----", true },
		{ "X=-----BEGIN CERTIFICATE-----", false },
		{ "HOOK=https://a/b?token=abc", true },
		{ "HOOK=https://a/b?x=1&api_key=abc#c", true },
		{ "HOOK=https://a/b?page=2&monkey", false },
		{ "HOOK=https://a/b?token=", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (secret_is_likely(cases[i].variable) != cases[i].secret)
			fail_msg("%s", cases[i].variable);
}

static void check_words(const char *const *word, const char *const *expected)
{
	struct secret_words words = { 0 };

	for (; *word != NULL; word++, expected++) {
		char *hidden = secret_hide(&words, *word);

		assert_string_equal(hidden, *expected);
		free(hidden);
	}
}

static void words_of_a_command_are_hidden(void **state)
{
	static const char *const cases[][2][6] = {
		{ { "run", "--password=hunter2", "x" }, { "run", "--password=REDACTED", "x" } },
		{ { "run", "--token", "abc", "x" }, { "run", "--token", "REDACTED", "x" } },
		{ { "run", "--token", "--verbose", "x" }, { "run", "--token", "--verbose", "x" } },
		{ { "run", "--key=/etc/key" }, { "run", "--key=/etc/key" } },
		{ { "env", "API_TOKEN=abc", "run" }, { "env", "API_TOKEN=REDACTED", "run" } },
		{ { "redis-cli", "-a", "abc", "ping" }, { "redis-cli", "-a", "REDACTED", "ping" } },
		{ { "ls", "-a", "abc" }, { "ls", "-a", "abc" } },
		{ { "/usr/bin/curl", "-u", "a:X", "http://h/" }, { "/usr/bin/curl", "-u", "a:REDACTED", "http://h/" } },
		{ { "curl", "-H", "X-Plex-Token: abc" }, { "curl", "-H", "X-Plex-Token: REDACTED" } },
		{ { "curl", "-H", "Authorization: Bearer abc" }, { "curl", "-H", "Authorization: Bearer REDACTED" } },
		{ { "curl", "http://u:abc@h/?a=1&token=def&b=2&key=g#f" },
			{ "curl", "http://u:REDACTED@h/?a=1&token=REDACTED&b=2&key=REDACTED#f" } },
		{ { "run", "--url=http://h/?token=abc" }, { "run", "--url=http://h/?token=REDACTED" } },
		{ { "sh", "-c", "exec psql 'password=abc host=h' --token=d; echo done" },
			{ "sh", "-c", "exec psql 'password=REDACTED host=h' --token=REDACTED; echo done" } },
		{ { "node", "server.js", "http://127.0.0.1:80/a?b=c", "a=b", "" },
			{ "node", "server.js", "http://127.0.0.1:80/a?b=c", "a=b", "" } },
		{ { "exec:redis-cli -a abc ping" }, { "exec:redis-cli -a REDACTED ping" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_words(cases[i][0], cases[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_are_judged_by_name_and_by_value),
		cmocka_unit_test(words_of_a_command_are_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
