#include "init/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# a comment\n"
			     "\n"
			     "+::::::\n"
			     "broken\n"
			     "node:x:1000:1001::/home/node:/bin/sh\n"
			     "nodejs:x:1002:1003:a, b & c:/srv/app\n"
			     "bad:x:12x:5::/:\n"
			     "worse:x:12:5x::/:\n"
			     "four:x:44:45\n"
			     "2000:x:3000:3001::/home/number:\n"
			     "node:x:7:7::/second:\n"
			     "max:x:4294967294:4294967294::/max:\n"
			     "over:x:4294967295:0::/over:\n"
			     "five:x:46:47:its home is not the one above\n"
			     "nine:x:60:61:gecos:/nine:/bin/sh:more:and:more:and:more\n"
			     "cut:x:50:51::/no/newline";
static const char group[] = "root:x:0:root\n"
			    "+:::\n"
			    "node:x:1001:\n"
			    "audio:x:29:node\n"
			    "video:x:44:root,node\n"
			    "long:x:45:node,root\n"
			    "near:x:46:nodejs,xnode,nod\n"
			    "bad:x:4x:node\n"
			    "short:x:47\n"
			    "empty:x:48:,,\n"
			    "twice:x:49:node,node\n"
			    "1234:x:77:\n"
			    "docker:x:999:root,node";

static const struct story {
	const char *user;
	uint32_t uid, gid;
	const char *groups, *home;
} stories[] = {
	{ "root", 0, 0, "0 44 45 999", "/root" },
	{ "node", 1000, 1001, "29 44 45 49 999", "/home/node" },
	{ "nodejs", 1002, 1003, "46", "/srv/app" },
	{ "four", 44, 45, "", "" },
	{ "five", 46, 47, "", "" },
	{ "nine", 60, 61, "", "/nine" },
	{ "cut", 50, 51, "", "/no/newline" },
	{ "max", 4294967294, 4294967294, "", "/max" },
	/* a group given: a name or a number, the user's other groups stay */
	{ "node:root", 1000, 0, "29 44 45 49 999", "/home/node" },
	{ "node:29", 1000, 29, "29 44 45 49 999", "/home/node" },
	{ "node:docker", 1000, 999, "29 44 45 49 999", "/home/node" },
	{ "node:short", 1000, 47, "29 44 45 49 999", "/home/node" },
	/* a bare uid: the group that /etc/passwd has for it, else 0; no other groups */
	{ "0", 0, 0, "", "/root" },
	{ "1000", 1000, 1001, "", "/home/node" },
	{ "1000:1000", 1000, 1000, "", "/home/node" },
	{ "1000:audio", 1000, 29, "", "/home/node" },
	{ "5555", 5555, 0, "", "" },
	{ "5555:6666", 5555, 6666, "", "" },
	{ "0000001000", 1000, 1001, "", "/home/node" },
	{ "4294967294", 4294967294, 4294967294, "", "/max" },
	{ "4294967293:4294967294", 4294967293, 4294967294, "", "" },
	/* a number is a uid, even where a user is so named; and a gid, even where a group is */
	{ "2000", 2000, 0, "", "" },
	{ "3000", 3000, 3001, "", "/home/number" },
	{ "1000:1234", 1000, 1234, "", "/home/node" },
};

static const char *said_groups(const struct identity *identity)
{
	static char text[1024];
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < identity->group_count; i++)
		at += (size_t)snprintf(
			text + at, sizeof text - at, "%s%u", i == 0 ? "" : " ", (unsigned)identity->group[i]);
	return text;
}

static void resolves_users_and_groups(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stories); i++) {
		struct identity identity;
		struct complaint why;

		memset(&identity, 0xa5, sizeof identity);
		if (identity_resolve(stories[i].user, passwd, group, &identity, &why) != 0)
			fail_msg("%s: %s", stories[i].user, why.text);
		if (identity.uid != stories[i].uid || identity.gid != stories[i].gid ||
			strcmp(identity.home, stories[i].home) != 0 ||
			strcmp(said_groups(&identity), stories[i].groups) != 0)
			fail_msg("%s: %u:%u, groups %s, home %s", stories[i].user, (unsigned)identity.uid,
				(unsigned)identity.gid, said_groups(&identity), identity.home);
	}
}

/* The remedy is to have room behind it. */
#define LONG_CUT "12345678901234567890123456789012"
#define LONG LONG_CUT "34567890123456789012345678901234567890x"

static const struct refusal {
	const char *user;
	int error;
	const char *sentence;
} refusals[] = {
	{ "", EINVAL, "user '': expected NAME or UID[:GID]" },
	{ ":", EINVAL, "user ':': expected NAME or UID[:GID]" },
	{ ":1000", EINVAL, "user ':1000': expected NAME or UID[:GID]" },
	{ "nod", ENOENT, "user 'nod' is not in /etc/passwd: add it to the image or give a number" },
	{ "node ", ENOENT, "user 'node ' is not in /etc/passwd: add it to the image or give a number" },
	{ "NODE", ENOENT, "user 'NODE' is not in /etc/passwd: add it to the image or give a number" },
	{ "bad", ENOENT, "user 'bad' is not in /etc/passwd: add it to the image or give a number" },
	{ "worse", ENOENT, "user 'worse' is not in /etc/passwd: add it to the image or give a number" },
	{ "over", ENOENT, "user 'over' is not in /etc/passwd: add it to the image or give a number" },
	{ "broken", ENOENT, "user 'broken' is not in /etc/passwd: add it to the image or give a number" },
	{ "+", ENOENT, "user '+' is not in /etc/passwd: add it to the image or give a number" },
	{ "-1", ERANGE, "user '-1': expected a number from 0 to 4294967294" },
	/* (uid_t)-1 means "unchanged" to the kernel */
	{ "4294967295", ERANGE, "user '4294967295': expected a number from 0 to 4294967294" },
	{ "4294967296", ERANGE, "user '4294967296': expected a number from 0 to 4294967294" },
	{ "00000001000", ERANGE, "user '00000001000': expected a number from 0 to 4294967294" },
	{ "18446744073709551616", ERANGE, "user '18446744073709551616': expected a number from 0 to 4294967294" },
	{ "-", ENOENT, "user '-' is not in /etc/passwd: add it to the image or give a number" },
	{ "1000:4294967295", ERANGE, "group '4294967295': expected a number from 0 to 4294967294" },
	{ "1000:-1", ERANGE, "group '-1': expected a number from 0 to 4294967294" },
	{ LONG, ENOENT, "user '" LONG_CUT "...' is not in /etc/passwd: add it to the image or give a number" },
	{ ":" LONG, EINVAL, "user ':1234567890123456789012345678901...': expected NAME or UID[:GID]" },
	{ "1000:" LONG, ENOENT, "group '" LONG_CUT "...' is not in /etc/group: add it to the image or give a number" },
	{ "node:nobody", ENOENT, "group 'nobody' is not in /etc/group: add it to the image or give a number" },
	{ "node:", EINVAL, "user 'node:': the group behind ':' is missing" },
	{ "5:", EINVAL, "user '5:': the group behind ':' is missing" },
	{ LONG ":", ENOENT, "user '" LONG_CUT "...' is not in /etc/passwd: add it to the image or give a number" },
	{ "1000:bad", ENOENT, "group 'bad' is not in /etc/group: add it to the image or give a number" },
	{ "1000:1000:1000", ENOENT, "group '1000:1000' is not in /etc/group: add it to the image or give a number" },
};

static void refuses_whom_it_does_not_know(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct identity identity, untouched;
		struct complaint why = { "" };
		int error;

		memset(&identity, 0xa5, sizeof identity);
		memset(&untouched, 0xa5, sizeof untouched);
		error = identity_resolve(refusals[i].user, passwd, group, &identity, &why);
		if (error != -refusals[i].error || strcmp(why.text, refusals[i].sentence) != 0)
			fail_msg("%s: %d, %s", refusals[i].user, error, why.text);
		assert_memory_equal(&identity, &untouched, sizeof identity);
	}
}

static void needs_no_files_for_numbers(void **state)
{
	struct identity identity;
	struct complaint why;

	(void)state;
	assert_int_equal(identity_resolve("1000:1000", "", "", &identity, &why), 0);
	assert_int_equal(identity.uid, 1000);
	assert_int_equal(identity.gid, 1000);
	assert_int_equal(identity.group_count, 0);
	assert_string_equal(identity.home, "");
	assert_int_equal(identity_resolve("root", "", "", &identity, &why), -ENOENT);
}

static void refuses_more_groups_than_it_can_hold(void **state)
{
	char text[IDENTITY_GROUPS_MAX * 24 + 48];
	struct identity identity;
	struct complaint why;
	size_t at = 0;

	(void)state;
	for (unsigned i = 0; i < IDENTITY_GROUPS_MAX; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "g%u:x:%u:node\n", i, 100 + i);
	assert_int_equal(identity_resolve("node", passwd, text, &identity, &why), 0);
	assert_int_equal(identity.group_count, IDENTITY_GROUPS_MAX);
	assert_int_equal(identity.group[IDENTITY_GROUPS_MAX - 1], 100 + IDENTITY_GROUPS_MAX - 1);
	snprintf(text + at, sizeof text - at, "more:x:9:node\n");
	assert_int_equal(identity_resolve("node", passwd, text, &identity, &why), -E2BIG);
	assert_string_equal(why.text, "user 'node' is in more than 64 groups of /etc/group");
	/* A bare uid has none of them. */
	assert_int_equal(identity_resolve("1000", passwd, text, &identity, &why), 0);
}

static void leaves_out_a_home_that_is_too_long(void **state)
{
	char line[400], home[300];
	struct identity identity;
	struct complaint why;

	(void)state;
	for (size_t length = 254; length < 258; length++) {
		memset(home, 'h', length);
		home[0] = '/';
		home[length] = '\0';
		snprintf(line, sizeof line, "u:x:5:6::%s:/bin/sh\n", home);
		assert_int_equal(identity_resolve("u", line, "", &identity, &why), 0);
		assert_string_equal(identity.home, length < sizeof identity.home ? home : "");
	}
}

static void adds_groups_once_and_no_more_than_it_can_hold(void **state)
{
	struct identity identity = { .uid = 7 };
	struct complaint why;
	char number[8];

	(void)state;
	assert_int_equal(identity_add_group("video", "video:x:44:\n", &identity, &why), 0);
	assert_int_equal(identity_add_group("44", "", &identity, &why), 0);
	assert_int_equal(identity_add_group("4242", "", &identity, &why), 0);
	assert_int_equal(identity.group_count, 2);
	assert_int_equal(identity.group[0], 44);
	assert_int_equal(identity.group[1], 4242);
	assert_int_equal(identity_add_group("audio", "video:x:44:\n", &identity, &why), -ENOENT);
	assert_string_equal(why.text, "group 'audio' is not in /etc/group: add it to the image or give a number");
	for (int gid = 100; gid < 100 + IDENTITY_GROUPS_MAX - 2; gid++) {
		snprintf(number, sizeof number, "%d", gid);
		assert_int_equal(identity_add_group(number, "", &identity, &why), 0);
	}
	assert_int_equal(identity_add_group("999", "", &identity, &why), -E2BIG);
	assert_string_equal(why.text, "group '999': more than 64 groups");
	assert_int_equal(identity.group_count, IDENTITY_GROUPS_MAX);
}

/* Any text is a file: nothing is read behind its end (the sanitizers watch), and what is found is in it. */
static void survives_any_file(void **state)
{
	static const char letters[] = "nu05:::,\n\nx";
	unsigned seed = 3;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char *texts[2];
		struct identity identity;
		struct complaint why;

		for (size_t t = 0; t < COUNT(texts); t++) {
			size_t length;

			seed = seed * 1664525 + 1013904223;
			length = (seed >> 16) % 60;
			texts[t] = malloc(length + 1);
			for (size_t i = 0; i < length; i++) {
				seed = seed * 1664525 + 1013904223;
				texts[t][i] = letters[(seed >> 16) % (sizeof letters - 1)];
			}
			texts[t][length] = '\0';
		}
		if (identity_resolve("n", texts[0], texts[1], &identity, &why) == 0) {
			const char *found = strstr(texts[0], "n:");

			assert_non_null(found);
			assert_true(identity.group_count <= IDENTITY_GROUPS_MAX);
		}
		free(texts[0]);
		free(texts[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolves_users_and_groups),
		cmocka_unit_test(refuses_whom_it_does_not_know),
		cmocka_unit_test(needs_no_files_for_numbers),
		cmocka_unit_test(refuses_more_groups_than_it_can_hold),
		cmocka_unit_test(leaves_out_a_home_that_is_too_long),
		cmocka_unit_test(adds_groups_once_and_no_more_than_it_can_hold),
		cmocka_unit_test(survives_any_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
