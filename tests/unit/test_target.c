#include "base/target.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct accepted {
	const char *text;
	struct target target;
} accepted[] = {
	{ "http://127.0.0.1:4000/api/health",
		{ .kind = TARGET_HTTP, .host = "127.0.0.1", .port = 4000, .path = "/api/health" } },
	{ "http://backend", { .kind = TARGET_HTTP, .host = "backend", .port = 80, .path = "/" } },
	{ "http://backend/", { .kind = TARGET_HTTP, .host = "backend", .port = 80, .path = "/" } },
	{ "HTTP://Backend.example.:1", { .kind = TARGET_HTTP, .host = "Backend.example.", .port = 1, .path = "/" } },
	{ "http://my_app-1:65535/a?b=http://x/@:[]",
		{ .kind = TARGET_HTTP, .host = "my_app-1", .port = 65535, .path = "/a?b=http://x/@:[]" } },
	{ "http://[::1]:4000/x", { .kind = TARGET_HTTP, .host = "::1", .port = 4000, .path = "/x" } },
	{ "http://[2001:db8::7]", { .kind = TARGET_HTTP, .host = "2001:db8::7", .port = 80, .path = "/" } },
	{ "http://[::ffff:127.0.0.1]/", { .kind = TARGET_HTTP, .host = "::ffff:127.0.0.1", .port = 80, .path = "/" } },
	{ "http+unix:/run/app.sock:/health",
		{ .kind = TARGET_HTTP_UNIX, .socket = "/run/app.sock", .path = "/health" } },
	{ "http+unix:/run/a:b c.sock:/x:/y",
		{ .kind = TARGET_HTTP_UNIX, .socket = "/run/a:b c.sock", .path = "/x:/y" } },
	{ "tcp://postgres:5432", { .kind = TARGET_TCP, .host = "postgres", .port = 5432 } },
	{ "tcp://[::1]:5432", { .kind = TARGET_TCP, .host = "::1", .port = 5432 } },
	{ "tcp://1.2.3.4.example:7", { .kind = TARGET_TCP, .host = "1.2.3.4.example", .port = 7 } },
	{ "unix:/run/x.sock", { .kind = TARGET_UNIX, .socket = "/run/x.sock" } },
	{ "unix:///run/x.sock", { .kind = TARGET_UNIX, .socket = "/run/x.sock" } },
	{ "file:/tmp/beat", { .kind = TARGET_FILE, .path = "/tmp/beat" } },
	{ "file:///tmp/beat", { .kind = TARGET_FILE, .path = "/tmp/beat" } },
	{ "file:/tmp/the beat?max_age=1m30s",
		{ .kind = TARGET_FILE, .path = "/tmp/the beat", .max_age_ns = 90 * NS_PER_S } },
};

/* What the sentence must say, beside that there is one. */
static const struct refused {
	const char *text;
	const char *says;
} refused[] = {
	{ "", "empty" },
	{ "127.0.0.1:4000", "http://HOST[:PORT][/PATH], http+unix:SOCKET:/PATH, tcp://HOST:PORT, unix:SOCKET, file:" },
	{ "ftp://backend/", "\"ftp://backend/\" is of an unknown form; known are http://" },
	{ "https://backend/", "https is not supported" },
	{ "https://u:secret@backend/", "user info" },
	{ "http:backend", "http: is followed by //" },
	{ "tcp:backend:1", "tcp: is followed by //" },
	{ "exec:", "exec: names no command: exec:COMMAND ARG..." },
	{ "exec: /bin/true", "exec: names no command: exec:COMMAND ARG..." },
	{ "notify:", "notify takes nothing behind it" },
	{ "http://", "host is missing" },
	{ "http:///x", "host is missing" },
	{ "http://:80/", "host is missing" },
	{ "http://u:secret@backend/", "user info" },
	{ "tcp://u@db:1", "user info" },
	{ "ftp://u:secret@backend/", "unknown form" },
	{ "http://backend:/", "port \"\" is not a number from 1 to 65535" },
	{ "http://backend:0/", "port \"0\"" },
	{ "http://backend:65536/", "port \"65536\"" },
	{ "http://backend:100000000000/", "port \"100000000000\"" },
	{ "http://backend:+80/", "port \"+80\"" },
	{ "http://backend:8o/", "port \"8o\"" },
	{ "http://backend: 80/", "port \" 80\"" },
	{ "http://back end/", "\"back end\" is not a host name" },
	{ "http://b%61ckend/", "not a host name" },
	{ "http://b\xc3\xa4tter/", "not a host name" },
	{ "http://a..b/", "not a host name" },
	{ "http://.a/", "not a host name" },
	{ "http://./", "not a host name" },
	{ "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/", "not a host name" },
	{ "http://127.1/", "\"127.1\" is not an IPv4 address" },
	{ "http://0177.0.0.1/", "not an IPv4 address" },
	{ "http://256.0.0.1/", "not an IPv4 address" },
	{ "http://127.0.0.1./", "not an IPv4 address" },
	{ "http://2130706433/", "not an IPv4 address" },
	{ "http://0x7f000001/", "not an IPv4 address" },
	{ "http://::1/", "in brackets" },
	{ "tcp://::1:80", "in brackets" },
	{ "http://[::1/", "no closing bracket" },
	{ "http://[::1]4000/", "without a colon" },
	{ "http://[]/", "not an IPv6 address" },
	{ "http://[127.0.0.1]/", "not an IPv6 address" },
	{ "http://[fe80::1%eth0]/", "zones are not supported" },
	{ "http://[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]/", "not an IPv6 address" },
	{ "http://backend/a b", "character 3 that must be percent-encoded (%20)" },
	{ "http://backend/\xc3\xa4", "must be percent-encoded (%C3)" },
	{ "http://backend/a\r\nX-Evil: 1", "control byte 0x0d at character 17" },
	{ "http://backend/a\nb", "control byte 0x0a" },
	{ "http://backend/a\tb", "control byte 0x09" },
	{ "http://backend/a\x7f", "control byte 0x7f" },
	{ "file:/a\x1b[2J", "control byte 0x1b" },
	{ "http://backend/a#b", "fragment" },
	{ "http://backend?a=b", "\"?a=b\" does not begin with /" },
	{ "http+unix:/run/x.sock", "no path behind the socket" },
	{ "http+unix:/run/x.sock:", "no path behind the socket" },
	{ "http+unix:", "no path behind the socket" },
	{ "http+unix::/x", "path of the socket is missing" },
	{ "http+unix:run/x.sock:/x", "not an absolute path" },
	{ "http+unix:/run/x.sock:/a b", "percent-encoded" },
	{ "tcp://db", "no port" },
	{ "tcp://[::1]", "no port" },
	{ "tcp://db:5432/", "tcp://HOST:PORT has none" },
	{ "tcp://:5432", "host is missing" },
	{ "unix:", "path of the socket is missing" },
	{ "unix:x.sock", "socket \"x.sock\" is not an absolute path" },
	{ "unix://host/x.sock", "on another host" },
	{ "file:", "path of the file is missing" },
	{ "file:beat", "not an absolute path" },
	{ "file:?max_age=3s", "path of the file is missing" },
	{ "file://host/beat", "on another host" },
	{ "file:/beat?", "\"?\" is not understood" },
	{ "file:/beat?maxage=3s", "\"?maxage=3s\" is not understood" },
	{ "file:/beat?max_age=", "max_age \"\" is not a duration" },
	{ "file:/beat?max_age=0", "max_age \"0\" is not a duration above zero" },
	{ "file:/beat?max_age=3", "max_age \"3\" is not a duration" },
	{ "file:/beat?max_age=3s&x=1", "max_age \"3s&x=1\" is not a duration" },
};

static void takes_every_form(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(accepted); i++) {
		struct complaint why = { "" };
		struct target target;

		if (target_parse(accepted[i].text, &target, &why) != 0)
			fail_msg("%s: %s", accepted[i].text, why.text);
		assert_int_equal(target.kind, accepted[i].target.kind);
		assert_string_equal(target.host, accepted[i].target.host);
		assert_int_equal(target.port, accepted[i].target.port);
		assert_string_equal(target.socket, accepted[i].target.socket);
		assert_string_equal(target.path, accepted[i].target.path);
		assert_int_equal(target.max_age_ns, accepted[i].target.max_age_ns);
	}
}

/* One line of printable text. */
static void assert_sayable(const char *text)
{
	assert_int_not_equal(*text, '\0');
	for (; *text != '\0'; text++)
		assert_false(iscntrl((unsigned char)*text));
}

static void refuses_with_a_sentence_and_leaves_the_output(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(refused); i++) {
		struct complaint why = { "" };
		struct target target, before;

		memset(&target, 0x5a, sizeof target);
		before = target;
		if (target_parse(refused[i].text, &target, &why) != -EINVAL)
			fail_msg("%s was not refused", refused[i].text);
		if (strstr(why.text, refused[i].says) == NULL)
			fail_msg("%s: \"%s\" does not say \"%s\"", refused[i].text, why.text, refused[i].says);
		assert_memory_equal(&target, &before, sizeof target);
		assert_sayable(why.text);
		assert_null(strstr(why.text, "secret"));
	}
}

/* head, `length` times 'a', tail */
static int parse_long(const char *head, size_t length, const char *tail, struct complaint *ret_why)
{
	char text[4096], filling[2048];
	struct target target;

	assert_true(length < sizeof filling);
	memset(filling, 'a', length);
	filling[length] = '\0';
	snprintf(text, sizeof text, "%s%s%s", head, filling, tail);
	return target_parse(text, &target, ret_why);
}

static void knows_the_room_to_the_byte(void **state)
{
	static const struct {
		const char *head, *tail;
		size_t longest; /* letters between them */
	} rows[] = {
		{ "http://h/", "", TARGET_PATH_SIZE - 2 },
		{ "file:/", "", TARGET_PATH_SIZE - 2 },
		{ "unix:/", "", TARGET_SOCKET_SIZE - 2 },
		{ "http+unix:/", ":/", TARGET_SOCKET_SIZE - 2 },
		{ "http+unix:/s:/", "", TARGET_PATH_SIZE - 2 },
		{ "tcp://", ":1", 63 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct complaint why = { "" };

		assert_int_equal(parse_long(rows[i].head, rows[i].longest, rows[i].tail, &why), 0);
		assert_int_equal(parse_long(rows[i].head, rows[i].longest + 1, rows[i].tail, &why), -EINVAL);
		assert_int_equal(parse_long(rows[i].head, 2000, rows[i].tail, &why), -EINVAL);
		assert_sayable(why.text);
	}
}

/* Every byte put into every place of every known form: an answer, no crash (sanitizers look on), and what is accepted
 * holds no byte that could write a header field. */
static void survives_any_byte_anywhere(void **state)
{
	size_t row, at;
	int byte;

	(void)state;
	for (row = 0; row < COUNT(accepted); row++)
		for (at = 0; accepted[row].text[at] != '\0'; at++)
			for (byte = 0; byte < 256; byte++) {
				struct complaint why = { "" };
				struct target target;
				char text[128];

				snprintf(text, sizeof text, "%s", accepted[row].text);
				text[at] = (char)byte;
				if (target_parse(text, &target, &why) != 0) {
					assert_sayable(why.text);
					continue;
				}
				assert_null(strpbrk(target.path, "\r\n\t"));
				if (target.kind == TARGET_HTTP || target.kind == TARGET_HTTP_UNIX)
					assert_int_equal(target.path[0], '/');
				if (target.kind == TARGET_HTTP || target.kind == TARGET_TCP)
					assert_true(target.port > 0 && target.host[0] != '\0');
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_form),
		cmocka_unit_test(refuses_with_a_sentence_and_leaves_the_output),
		cmocka_unit_test(knows_the_room_to_the_byte),
		cmocka_unit_test(survives_any_byte_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
