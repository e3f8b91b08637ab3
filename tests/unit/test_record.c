/* seccomp-profiles/record_*: paths reduced to what --writable needs; what was seen, closed and written, and read back.
 */
#include "seccomp-profiles/record_profile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- paths ---- */

static void check_set(const struct text_set *set, const char *expected)
{
	char text[1024] = "";

	for (size_t i = 0; i < set->count; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "", set->text[i]);
	assert_string_equal(text, expected);
}

/* Words with blanks between them. */
static void add_all(struct text_set *set, const char *words, int (*add)(struct text_set *set, const char *text))
{
	char copy[1024], *rest = NULL;

	snprintf(copy, sizeof copy, "%s", words);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		assert_int_equal(add(set, word), 0);
}

static void a_set_is_sorted_and_has_each_word_once(void **state)
{
	struct text_set set = { NULL, 0 };

	(void)state;
	add_all(&set, "write read open read write close", text_set_add);
	check_set(&set, "close open read write");
	assert_true(text_set_has(&set, "close"));
	assert_true(text_set_has(&set, "write"));
	assert_false(text_set_has(&set, "writev"));
	assert_false(text_set_has(&set, "a"));
	text_set_clear(&set);
	assert_int_equal(set.count, 0);
}

static void paths_are_reduced_to_what_covers_them(void **state)
{
	static const struct {
		const char *noted, *left;
	} rows[] = {
		{ "/data/a", "/data/a" },
		{ "/data/a /data/a", "/data/a" },
		{ "/data /data/a /data/b/c", "/data" },
		{ "/data/a /data/b/c /data", "/data" },
		{ "/data /database/x", "/data /database/x" }, /* a name is not a directory */
		{ "/data/a /data/b", "/data/a /data/b" },
		{ "/data/a /data/b /data/c", "/data" },
		{ "/data/a /data/b /data/deep/c", "/data/a /data/b /data/deep/c" }, /* not all in one directory */
		{ "/data/x/1 /data/x/2 /data/x/3 /data/y /data/z", "/data" },       /* and so on upwards */
		{ "/etc/a /etc/b /etc/c", "/etc/a /etc/b /etc/c" },
		{ "/var/lib/a /var/lib/b /var/lib/c /var/lib/d", "/var/lib/a /var/lib/b /var/lib/c /var/lib/d" },
		{ "/run/a /run/b /run/c", "/run/a /run/b /run/c" },
		{ "/run/x/a /run/x/b /run/x/c", "/run/x" },
		{ "/a /b /c /d", "/a /b /c /d" },
		{ "/dev/null /dev/tty /dev/pts/7 /dev/urandom /sys/kernel/x", "" },
		{ "/dev/shm /dev/nullify", "/dev/nullify /dev/shm" },
		{ "/proc/17/loginuid", "/proc" },
		{ "/proc/17/comm /proc/17/task/18/comm /proc/self/oom_score_adj", "" },
		{ "/ /data", "/" },
		{ "/data /", "/" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct text_set set = { NULL, 0 };

		add_all(&set, rows[i].noted, record_paths_note);
		check_set(&set, rows[i].left);
		text_set_clear(&set);
	}
}

static void the_deepest_paths_give_way_to_a_limit(void **state)
{
	struct text_set set = { NULL, 0 };

	(void)state;
	add_all(&set, "/a/1 /a/b/2 /a/b/c/3 /d", record_paths_note);
	assert_int_equal(record_paths_limit(&set, 4), 0);
	check_set(&set, "/a/1 /a/b/2 /a/b/c/3 /d");
	assert_int_equal(record_paths_limit(&set, 3), 0);
	check_set(&set, "/a/1 /a/b /d");
	assert_int_equal(record_paths_limit(&set, 1), 0);
	check_set(&set, "/");
	text_set_clear(&set);
}

static void a_parent_of_the_root_is_the_root(void **state)
{
	char path[] = "/a/b";

	(void)state;
	record_paths_to_parent(path);
	assert_string_equal(path, "/a");
	record_paths_to_parent(path);
	assert_string_equal(path, "/");
	record_paths_to_parent(path);
	assert_string_equal(path, "/");
}

/* ---- profiles ---- */

static char *text;

static struct json *write_and_read(const struct record *record, struct profile **ret_profile)
{
	struct json *json;
	struct complaint why;
	size_t size;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	assert_non_null(out);
	assert_true(record_write_profile(record, out) > 0);
	assert_int_equal(fclose(out), 0);
	if (json_parse("p", text, size, &json, &why) < 0 || profile_read(json, ret_profile, &why) < 0)
		fail_msg("%s", why.text);
	return json;
}

/* The rule that allows a name, or NULL. */
static const struct profile_rule *rule_for(const struct profile *profile, const char *name, enum profile_action action)
{
	for (size_t i = 0; i < profile->rule_count; i++)
		for (size_t n = 0; n < profile->rules[i].name_count; n++)
			if (profile->rules[i].action == action && strcmp(profile->rules[i].names[n].text, name) == 0)
				return &profile->rules[i];
	return NULL;
}

static void what_was_seen_stands_for_its_family(void **state)
{
	static const struct {
		const char *seen, *allowed, *refused;
	} rows[] = {
		/* What nest-init calls under the filter, and libc's start and end. */
		{ "",
			"execve rt_sigaction rt_sigprocmask write exit_group futex restart_syscall rt_sigreturn tgkill "
			"mremap",
			"clone fork socket poll unlink kill ptrace mount setuid ioctl" },
		{ "poll", "ppoll select pselect6 epoll_wait epoll_pwait2", "socket clone" },
		{ "fork", "clone vfork wait4 kill membarrier", "socket setuid" }, { "clone3", "clone wait4", "clone3" },
		{ "socket", "recvfrom recvmsg sendmsg accept4 connect", "bind listen" },
		{ "rename", "unlinkat renameat2 fsync ftruncate", "chown mknod" },
		{ "setresuid", "setuid setgroups capset prctl", "clone" },
		{ "prctl", "prctl", "clone setuid seccomp" }, /* a name that a family has, but does not call for it */
		{ "io_uring_setup", "io_uring_enter", "io_setup" },
		{ "ptrace uselib", "ptrace uselib", "process_vm_readv" }, /* of no family */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct record record = { .domains = 0 };
		struct text_set allowed = { NULL, 0 }, refused = { NULL, 0 };
		struct profile *profile;
		struct json *json;

		add_all(&record.seen, rows[i].seen, text_set_add);
		add_all(&allowed, rows[i].allowed, text_set_add);
		add_all(&refused, rows[i].refused, text_set_add);
		json = write_and_read(&record, &profile);
		assert_int_equal(profile->default_action, PROFILE_ERRNO);
		assert_int_equal(profile->default_errno, EPERM);
		for (size_t n = 0; n < allowed.count; n++)
			if (rule_for(profile, allowed.text[n], PROFILE_ALLOW) == NULL)
				fail_msg("%s calls for %s", rows[i].seen, allowed.text[n]);
		for (size_t n = 0; n < refused.count; n++)
			if (rule_for(profile, refused.text[n], PROFILE_ALLOW) != NULL)
				fail_msg("%s does not call for %s", rows[i].seen, refused.text[n]);
		profile_free(profile);
		json_free(json);
		text_set_clear(&allowed);
		text_set_clear(&refused);
		record_clear(&record);
	}
}

static void a_file_that_is_opened_for_writing_calls_for_its_removal(void **state)
{
	struct record record = { .domains = 0 };
	struct profile *profile;
	struct json *json;

	(void)state;
	add_all(&record.writable, "/data", record_paths_note);
	json = write_and_read(&record, &profile);
	assert_non_null(rule_for(profile, "unlink", PROFILE_ALLOW));
	profile_free(profile);
	json_free(json);
	record_clear(&record);
}

static void no_name_is_allowed_twice_or_also_enosys(void **state)
{
	struct record record = { .domains = 2 };
	struct text_set names = { NULL, 0 };
	struct profile *profile;
	struct json *json;

	(void)state;
	add_all(&record.seen, "clone3 setuid sched_setparam mkdir statfs mlock pidfd_open memfd_create socket",
		text_set_add);
	json = write_and_read(&record, &profile);
	for (size_t i = 0; i < profile->rule_count; i++)
		for (size_t n = 0; n < profile->rules[i].name_count; n++) {
			const char *name = profile->rules[i].names[n].text;

			if (text_set_has(&names, name) && strcmp(name, "socket") != 0)
				fail_msg("%s is there twice", name);
			assert_int_equal(text_set_add(&names, name), 0);
		}
	text_set_clear(&names);
	profile_free(profile);
	json_free(json);
	record_clear(&record);
}

static void check_clone(uint32_t seen, uint64_t mask)
{
	struct record record = { .namespaces = seen };
	const struct profile_rule *rule;
	struct profile *profile;
	struct json *json;

	add_all(&record.seen, "clone", text_set_add);
	json = write_and_read(&record, &profile);
	rule = rule_for(profile, "clone", PROFILE_ALLOW);
	assert_non_null(rule);
	assert_int_equal(rule->arg_count, 1);
	assert_int_equal(rule->args->op, PROFILE_MASKED_EQ);
	assert_int_equal(rule->args->value, mask);
	assert_int_equal(rule->args->value_two, 0);
	rule = rule_for(profile, "clone3", PROFILE_ERRNO);
	assert_non_null(rule);
	assert_int_equal(rule->errno_ret, ENOSYS);
	profile_free(profile);
	json_free(json);
	record_clear(&record);
}

static void clone_makes_the_namespaces_that_were_seen(void **state)
{
	(void)state;
	check_clone(0, 0x7e020000);
	check_clone(0x40000000, 0x3e020000);
	check_clone(0x7e020000, 0);
}

static void check_domains(uint64_t seen, const char *expected)
{
	struct record record = { .domains = seen };
	struct profile *profile;
	struct json *json;
	char domains[64] = "";

	add_all(&record.seen, "socket", text_set_add);
	json = write_and_read(&record, &profile);
	for (size_t i = 0; i < profile->rule_count; i++)
		if (strcmp(profile->rules[i].names->text, "socket") == 0)
			snprintf(domains + strlen(domains), sizeof domains - strlen(domains), "%u ",
				(unsigned)profile->rules[i].args->value);
	assert_string_equal(domains, expected);
	profile_free(profile);
	json_free(json);
	record_clear(&record);
}

static void sockets_are_of_the_domains_that_were_seen(void **state)
{
	(void)state;
	check_domains(1 << 1, "1 ");
	check_domains(1 << 2, "1 2 10 16 ");
	check_domains(1 << 10, "1 2 10 16 ");
	check_domains(1 << 17, "1 17 ");
}

static void a_profile_that_is_merged_into_nothing_is_the_same(void **state)
{
	struct record record = { .domains = 1 << 2, .namespaces = 0x10000000 }, again = { .domains = 0 };
	struct profile *profile;
	struct complaint why;
	struct json *json;
	char *first;

	(void)state;
	assert_int_equal(text_set_add(&record.writable, "/with blank"), 0); /* not carried */
	add_all(&record.seen, "clone3 epoll_wait rename ptrace read socket statfs", text_set_add);
	add_all(&record.programs, "/usr/bin/x /usr/bin/y", text_set_add);
	add_all(&record.writable, "/data /run/x", record_paths_note);
	json = write_and_read(&record, &profile);
	first = strdup(text);
	assert_int_equal(record_merge("p", profile, &again, &why), 0);
	check_set(&again.programs, "/usr/bin/x /usr/bin/y");
	check_set(&again.writable, "/data /run/x");
	again.domains &= record.domains; /* the others were added for names and logs, and are again */
	profile_free(profile);
	json_free(json);
	json = write_and_read(&again, &profile);
	assert_string_equal(text, first);
	profile_free(profile);
	json_free(json);
	free(first);
	record_clear(&record);
	record_clear(&again);
}

static void only_what_record_wrote_is_merged(void **state)
{
	static const struct {
		const char *text, *place;
	} rows[] = {
		{ "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}", "p:1:1: " },
		{ "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [\n"
		  "{\"names\": [\"read\"], \"action\": \"SCMP_ACT_KILL\"}]}",
			"p:2:1: " },
		{ "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [\n"
		  "{\"names\": [\"clone\"], \"action\": \"SCMP_ACT_ALLOW\"}]}",
			"p:2:1: " },
		{ "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [\n"
		  "{\"names\": [\"bpf\"], \"action\": \"SCMP_ACT_ALLOW\", \"includes\": {\"caps\": [\"CAP_BPF\"]}}]}",
			"p:2:1: " },
		{ "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [\n{\"names\": [\"ioctl\"], \"action\": "
		  "\"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 1, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"}]}]}",
			"p:2:1: " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct record record = { .domains = 0 };
		struct profile *profile;
		struct complaint why;
		struct json *json;

		assert_int_equal(json_parse("p", rows[i].text, strlen(rows[i].text), &json, &why), 0);
		assert_int_equal(profile_read(json, &profile, &why), 0);
		assert_int_equal(record_merge("p", profile, &record, &why), -EINVAL);
		if (strncmp(why.text, rows[i].place, strlen(rows[i].place)) != 0)
			fail_msg("%s", why.text);
		profile_free(profile);
		json_free(json);
		record_clear(&record);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_is_sorted_and_has_each_word_once),
		cmocka_unit_test(paths_are_reduced_to_what_covers_them),
		cmocka_unit_test(the_deepest_paths_give_way_to_a_limit),
		cmocka_unit_test(a_parent_of_the_root_is_the_root),
		cmocka_unit_test(what_was_seen_stands_for_its_family),
		cmocka_unit_test(a_file_that_is_opened_for_writing_calls_for_its_removal),
		cmocka_unit_test(no_name_is_allowed_twice_or_also_enosys),
		cmocka_unit_test(clone_makes_the_namespaces_that_were_seen),
		cmocka_unit_test(sockets_are_of_the_domains_that_were_seen),
		cmocka_unit_test(a_profile_that_is_merged_into_nothing_is_the_same),
		cmocka_unit_test(only_what_record_wrote_is_merged),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(text);
	return failed;
}
