#include "base/secret.h"
#include "init/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BIT(number) (UINT64_C(1) << (number))
#define DOCKER UINT64_C(0xa80425fb)
#define OURS (1U << NAMESPACE_CGROUP | 1U << NAMESPACE_TIME | 1U << NAMESPACE_USER) /* the host's everywhere */
#define ALL_NAMESPACES ((1U << NAMESPACE_COUNT) - 1)
#define LIST(names)                                                                                                    \
	{                                                                                                              \
		.count = 1, .shown = 1, .text = names                                                                  \
	}
#define NAMESPACES .namespaces = ALL_NAMESPACES, .host_namespaces = OURS

static const struct story {
	struct audit_facts facts;
	enum audit_item item;
	enum audit_level level;
	const char *found, *mends;
} stories[] = {
	{ { .uid = 0, .capabilities.permitted = 1, NAMESPACES }, AUDIT_USER, AUDIT_HIGH, "uid 0", "--user NAME|UID" },
	/* no /proc/self/ns: nothing speaks for a namespace of its own */
	{ { .uid = 0, .capabilities.permitted = 1 }, AUDIT_USER, AUDIT_HIGH, "uid 0", "--user NAME|UID" },
	{ { .uid = 0, .capabilities.effective = 1, .namespaces = ALL_NAMESPACES }, AUDIT_USER, AUDIT_MEDIUM,
		"uid 0, in a user namespace", "--user NAME|UID" },
	{ { .uid = 0, .capabilities.bounding = 1, NAMESPACES }, AUDIT_USER, AUDIT_LOW, "uid 0", "--user NAME|UID" },
	{ { .uid = 65534, .capabilities.permitted = 1, NAMESPACES }, AUDIT_USER, AUDIT_INFO, "uid 65534", "" },

	{ { .capabilities = { DOCKER, DOCKER, DOCKER, 0, 0 } }, AUDIT_CAPABILITIES, AUDIT_MEDIUM,
		"chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, "
		"sys_chroot, mknod, audit_write, setfcap",
		"--cap-drop all, and --cap-add what it needs" },
	{ { .capabilities.permitted = BIT(CAP_SYS_ADMIN) | 1 }, AUDIT_CAPABILITIES, AUDIT_HIGH, "chown, sys_admin",
		"--cap-drop all" },
	{ { .capabilities.effective = BIT(CAP_DAC_READ_SEARCH) }, AUDIT_CAPABILITIES, AUDIT_HIGH, "dac_read_search",
		"--cap-drop all" },
	{ { .capabilities.inheritable = BIT(CAP_BPF) }, AUDIT_CAPABILITIES, AUDIT_HIGH, "bpf", "--cap-drop all" },
	{ { .capabilities.ambient = BIT(CAP_KILL) }, AUDIT_CAPABILITIES, AUDIT_MEDIUM, "kill",
		"--cap-drop all, and --cap-add what it needs" },
	{ { .capabilities = { DOCKER, BIT(10), BIT(10), BIT(10), BIT(10) } }, AUDIT_CAPABILITIES, AUDIT_INFO,
		"net_bind_service", "" },
	{ { .capabilities.bounding = BIT(CAP_SYS_ADMIN) }, AUDIT_CAPABILITIES, AUDIT_LOW,
		"in the bounding set alone: sys_admin", "--cap-drop all" },
	{ { .capabilities.bounding = BIT(CAP_SYS_ADMIN), .no_new_privs = true }, AUDIT_CAPABILITIES, AUDIT_INFO,
		"in the bounding set alone: sys_admin", "" },
	{ { .uid = 1 }, AUDIT_CAPABILITIES, AUDIT_INFO, "none, in none of the five sets", "" },

	{ { .no_new_privs = false }, AUDIT_NO_NEW_PRIVS, AUDIT_MEDIUM, "off", "--no-new-privs=yes" },
	{ { .no_new_privs = true }, AUDIT_NO_NEW_PRIVS, AUDIT_INFO, "on", "" },

	{ { .seccomp_mode = 0 }, AUDIT_SECCOMP, AUDIT_MEDIUM, "no filter",
		"--seccomp default, nginx, node or a profile of your own" },
	{ { .seccomp_mode = 1 }, AUDIT_SECCOMP, AUDIT_INFO, "mode 1", "" },
	{ { .seccomp_mode = 2, .seccomp_filters = 1 }, AUDIT_SECCOMP, AUDIT_INFO, "1 filter", "" },
	{ { .seccomp_mode = 2, .seccomp_filters = 3 }, AUDIT_SECCOMP, AUDIT_INFO, "3 filters", "" },
	{ { .seccomp_mode = 2 }, AUDIT_SECCOMP, AUDIT_INFO, "mode 2", "" }, /* before Linux 5.9 */

	{ { .securebits = 0 }, AUDIT_SECUREBITS, AUDIT_INFO, "none", "" },
	{ { .securebits = 0xc3 }, AUDIT_SECUREBITS, AUDIT_INFO,
		"noroot, noroot_locked, no_cap_ambient_raise, no_cap_ambient_raise_locked", "" },

	{ { .root_writable = LIST("/") }, AUDIT_ROOT, AUDIT_MEDIUM, "writable: /",
		"--read-only, and --writable or --tmpfs for what has to be" },
	{ { .root_is_read_only = true }, AUDIT_ROOT, AUDIT_INFO, "mounted read-only", "" },
	{ { .root_is_read_only = false }, AUDIT_ROOT, AUDIT_INFO,
		"mounted writable, and no directory of it that this process can write to", "" },
	{ { .mounts = LIST("/data") }, AUDIT_MOUNTS, AUDIT_INFO, "writable: /data", "" },
	{ { .mounts = { 0 } }, AUDIT_MOUNTS, AUDIT_INFO, "none is writable", "" },

	{ { .setuid = LIST("/bin/su") }, AUDIT_SETUID, AUDIT_MEDIUM, "/bin/su", "--no-new-privs=yes" },
	{ { .setuid = LIST("/bin/su"), .no_new_privs = true }, AUDIT_SETUID, AUDIT_INFO, "/bin/su", "" },
	{ { .setuid = { .count = 3, .shown = 1, .text = "/bin/su" }, .no_new_privs = true }, AUDIT_SETUID, AUDIT_INFO,
		"/bin/su and 2 more", "" },
	{ { .setuid = { .count = 3 }, .no_new_privs = true }, AUDIT_SETUID, AUDIT_INFO, "3 more", "" },
	{ { .setuid = { 0 } }, AUDIT_SETUID, AUDIT_INFO, "no such file in PATH", "" },

	{ { .path_writable = LIST("/bin"), .path_relative = LIST("./") }, AUDIT_PATH, AUDIT_MEDIUM, "writable: /bin",
		"--read-only" },
	{ { .path_relative = LIST("./") }, AUDIT_PATH, AUDIT_LOW, "relative: ./",
		"the image: absolute directories in PATH" },
	{ { .path_relative = { 0 } }, AUDIT_PATH, AUDIT_INFO, "no directory in PATH is writable", "" },

	{ { .proc_readable = LIST("/proc/keys") }, AUDIT_PROC, AUDIT_LOW, "readable: /proc/keys",
		"the engine: masked paths, no --privileged" },
	{ { .proc_readable = LIST("/proc/kcore"), .kernel_memory = true }, AUDIT_PROC, AUDIT_HIGH,
		"readable: /proc/kcore", "the engine: masked paths, no --privileged" },
	{ { .proc_readable = { 0 } }, AUDIT_PROC, AUDIT_INFO, "masked, or not readable", "" },
	{ { .proc_writable = LIST("/proc/sysrq-trigger") }, AUDIT_KERNEL, AUDIT_HIGH, "writable: /proc/sysrq-trigger",
		"--read-only; the engine: no --privileged" },
	{ { .proc_writable = { 0 } }, AUDIT_KERNEL, AUDIT_INFO, "its settings in /proc are not writable", "" },

	{ { NAMESPACES }, AUDIT_NAMESPACES, AUDIT_INFO, "own: ipc, mnt, net, pid, uts; the host's: cgroup, time, user",
		"" },
	{ { .namespaces = ALL_NAMESPACES, .host_namespaces = OURS | 1U << NAMESPACE_PID }, AUDIT_NAMESPACES, AUDIT_HIGH,
		"own: ipc, mnt, net, uts; the host's: cgroup, pid, time, user",
		"the engine: no --pid=host, --network=host, --ipc=host, --uts=host" },
	{ { .namespaces = 1U << NAMESPACE_MNT, .host_namespaces = 1U << NAMESPACE_MNT }, AUDIT_NAMESPACES, AUDIT_HIGH,
		"own: none; the host's: mnt", "the engine: no --pid=host, --network=host, --ipc=host, --uts=host" },
	{ { .namespaces = 1U << NAMESPACE_NET, .host_namespaces = 1U << NAMESPACE_NET }, AUDIT_NAMESPACES, AUDIT_MEDIUM,
		"own: none; the host's: net", "the engine: no --pid=host, --network=host, --ipc=host, --uts=host" },
	{ { .namespaces = 1U << NAMESPACE_IPC, .host_namespaces = 1U << NAMESPACE_IPC }, AUDIT_NAMESPACES, AUDIT_MEDIUM,
		"own: none; the host's: ipc", "the engine: no --pid=host, --network=host, --ipc=host, --uts=host" },
	{ { .namespaces = 1U << NAMESPACE_UTS, .host_namespaces = 1U << NAMESPACE_UTS }, AUDIT_NAMESPACES, AUDIT_LOW,
		"own: none; the host's: uts", "the engine: no --pid=host, --network=host, --ipc=host, --uts=host" },

	{ { .memory_limit = 100 << 20 }, AUDIT_MEMORY, AUDIT_INFO, "100 MiB", "" },
	{ { .memory_limit = AUDIT_NO_LIMIT }, AUDIT_MEMORY, AUDIT_INFO, "no limit", "the engine: --memory" },
	{ { .pids_limit = 50 }, AUDIT_PIDS, AUDIT_INFO, "50 tasks", "" },
	{ { .pids_limit = AUDIT_NO_LIMIT }, AUDIT_PIDS, AUDIT_INFO, "no limit", "the engine: --pids-limit" },
	{ { .landlock_abi = 7 }, AUDIT_LANDLOCK, AUDIT_INFO, "ABI 7", "" },
	{ { .landlock_abi = 0 }, AUDIT_LANDLOCK, AUDIT_INFO,
		"none can be had: the kernel has it not, or a filter hides it", "" },
	{ { .secrets = LIST("API_TOKEN") }, AUDIT_SECRETS, AUDIT_MEDIUM, "API_TOKEN",
		"mount a file, and give its path" },
	{ { .secrets = { 0 } }, AUDIT_SECRETS, AUDIT_INFO, "no variable looks like one", "" },
};

static void each_fact_is_judged(void **state)
{
	static struct audit_finding findings[AUDIT_ITEM_COUNT];

	(void)state;
	for (size_t i = 0; i < COUNT(stories); i++) {
		const struct audit_finding *finding = &findings[stories[i].item];

		memset(findings, 'x', sizeof findings);
		audit_judge(&stories[i].facts, findings);
		if (strcmp(finding->found, stories[i].found) != 0 || finding->level != stories[i].level)
			fail_msg("story %zu: %s, %s", i, audit_level_name(finding->level), finding->found);
		assert_string_equal(finding->mends, stories[i].mends);
	}
}

/* What is to be mended says what it means and how, and everything has a name. */
static void a_finding_is_whole(void **state)
{
	static struct audit_finding findings[AUDIT_ITEM_COUNT];

	(void)state;
	for (size_t i = 0; i < COUNT(stories); i++) {
		audit_judge(&stories[i].facts, findings);
		for (size_t item = 0; item < AUDIT_ITEM_COUNT; item++) {
			assert_true(findings[item].item[0] != '\0' && findings[item].found[0] != '\0');
			assert_true(strlen(findings[item].means) < sizeof findings[item].means - 1);
			assert_true(strlen(findings[item].mends) < sizeof findings[item].mends - 1);
			if (findings[item].level > AUDIT_INFO)
				assert_true(findings[item].means[0] != '\0' && findings[item].mends[0] != '\0');
		}
	}
	assert_string_equal(findings[AUDIT_USER].item, "user");
	assert_string_equal(findings[AUDIT_SECRETS].item, "secrets");
}

#define HELD(set) .capabilities = { .bounding = set, .permitted = set }
#define NO_LANDLOCK "the kernel has no Landlock, or a filter hides it"
#define NO_FILTER "a filter that is in force here refuses others"

static const struct possible_story {
	struct audit_facts facts;
	enum possible_item item;
	enum possible_answer answer;
	const char *how;
} possible_stories[] = {
	{ { HELD(0) }, POSSIBLE_USER, POSSIBLE_NO, "it takes CAP_SETUID and CAP_SETGID (the engine: --user)" },
	{ { HELD(BIT(CAP_SETUID)) }, POSSIBLE_USER, POSSIBLE_NO,
		"it takes CAP_SETUID and CAP_SETGID (the engine: --user)" },
	{ { HELD(BIT(CAP_SETUID) | BIT(CAP_SETGID)) }, POSSIBLE_USER, POSSIBLE_YES, "any" },
	{ { HELD(0) }, POSSIBLE_CAPABILITIES, POSSIBLE_YES, "there is none left to drop" },
	{ { HELD(BIT(CAP_SETPCAP)) }, POSSIBLE_CAPABILITIES, POSSIBLE_YES, "from all five sets" },
	{ { HELD(BIT(CAP_KILL)) }, POSSIBLE_CAPABILITIES, POSSIBLE_PART,
		"from all sets but the bounding set, which takes CAP_SETPCAP (the engine: --cap-drop)" },
	/* in the bounding set, and not held */
	{ { .capabilities = { .bounding = BIT(CAP_SETPCAP) } }, POSSIBLE_CAPABILITIES, POSSIBLE_PART,
		"from all sets but the bounding set, which takes CAP_SETPCAP (the engine: --cap-drop)" },
	{ { HELD(BIT(CAP_SETPCAP)) }, POSSIBLE_SECUREBITS, POSSIBLE_YES, "" },
	{ { HELD(BIT(CAP_KILL)) }, POSSIBLE_SECUREBITS, POSSIBLE_NO, "they take CAP_SETPCAP" },
	{ { .no_new_privs = false }, POSSIBLE_NO_NEW_PRIVS, POSSIBLE_YES, "" },
	{ { .no_new_privs = true }, POSSIBLE_NO_NEW_PRIVS, POSSIBLE_YES, "on already" },
	{ { .filters_refused = false }, POSSIBLE_SECCOMP, POSSIBLE_YES, "" },
	{ { .filters_refused = true }, POSSIBLE_SECCOMP, POSSIBLE_NO, NO_FILTER },
	{ { .listener_error = 0 }, POSSIBLE_SECCOMP_REPORT, POSSIBLE_YES, "" },
	{ { .listener_error = EBUSY }, POSSIBLE_SECCOMP_REPORT, POSSIBLE_NO,
		"a filter that is in force here has a listener already" },
	{ { .listener_error = EINVAL }, POSSIBLE_SECCOMP_REPORT, POSSIBLE_NO,
		"the kernel has no listeners: Linux 5.0" },
	{ { .listener_error = EAGAIN }, POSSIBLE_SECCOMP_REPORT, POSSIBLE_NO, "Resource temporarily unavailable" },
	{ { .filters_refused = true }, POSSIBLE_SECCOMP_REPORT, POSSIBLE_NO, NO_FILTER },
	{ { .root_is_read_only = true, .landlock_abi = 7 }, POSSIBLE_READ_ONLY, POSSIBLE_YES,
		"as the engine mounted it" },
	{ { HELD(BIT(CAP_SYS_ADMIN)), .landlock_abi = 7 }, POSSIBLE_READ_ONLY, POSSIBLE_YES, "by a remount in place" },
	{ { HELD(BIT(CAP_KILL)), .landlock_abi = 1 }, POSSIBLE_READ_ONLY, POSSIBLE_YES, "by Landlock" },
	{ { HELD(0) }, POSSIBLE_READ_ONLY, POSSIBLE_NO,
		"it takes CAP_SYS_ADMIN or Landlock (the engine: --read-only)" },
	{ { HELD(BIT(CAP_SYS_ADMIN)) }, POSSIBLE_TMPFS, POSSIBLE_YES, "" },
	{ { HELD(BIT(CAP_KILL)) }, POSSIBLE_TMPFS, POSSIBLE_NO,
		"it takes CAP_SYS_ADMIN, unless the engine mounts it (--tmpfs)" },
	{ { .landlock_abi = 1 }, POSSIBLE_EXEC_ALLOW, POSSIBLE_YES, "" },
	{ { .landlock_abi = 0 }, POSSIBLE_EXEC_ALLOW, POSSIBLE_NO, NO_LANDLOCK },
	{ { .landlock_abi = 7, .filters_refused = true }, POSSIBLE_EXEC_ALLOW, POSSIBLE_NO, NO_FILTER },
	{ { .landlock_abi = 4 }, POSSIBLE_TCP, POSSIBLE_YES, "" },
	{ { .landlock_abi = 3 }, POSSIBLE_TCP, POSSIBLE_NO, "the kernel's Landlock knows no ports: Linux 6.7" },
	{ { .landlock_abi = 0 }, POSSIBLE_TCP, POSSIBLE_NO, NO_LANDLOCK },
	{ { .landlock_abi = 4, .filters_refused = true }, POSSIBLE_TCP, POSSIBLE_NO, NO_FILTER },
};

static void what_is_possible_follows_from_the_facts(void **state)
{
	static struct audit_possible possible[POSSIBLE_ITEM_COUNT];

	(void)state;
	for (size_t i = 0; i < COUNT(possible_stories); i++) {
		const struct possible_story *story = &possible_stories[i];
		const struct audit_possible *one = &possible[story->item];

		memset(possible, 'x', sizeof possible);
		audit_judge_possible(&story->facts, possible);
		if (strcmp(one->how, story->how) != 0 || one->answer != story->answer)
			fail_msg("story %zu: %s, %s", i, audit_possible_answer(one->answer), one->how);
		for (size_t item = 0; item < POSSIBLE_ITEM_COUNT; item++)
			assert_true(possible[item].item[0] != '\0' && possible[item].answer < POSSIBLE_ANSWER_COUNT);
	}
}

static void a_list_shows_what_it_has_room_for(void **state)
{
	struct audit_list list = { .count = 0 };
	char name[100];

	(void)state;
	audit_list_add(&list, "/a");
	audit_list_add(&list, "/b");
	assert_string_equal(list.text, "/a, /b");
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	audit_list_add(&list, name);
	assert_int_equal(list.shown, 3);
	audit_list_add(&list, name);
	audit_list_add(&list, "/c"); /* would fit, but stands behind one that does not */
	assert_int_equal(list.count, 5);
	assert_int_equal(list.shown, 3);
	assert_int_equal(strlen(list.text), 6 + 2 + 99);
}

static void secrets_are_known_by_name_or_url(void **state)
{
	static const struct {
		const char *variable;
		bool secret;
	} cases[] = {
		{ "DB_PASSWORD=x", true },
		{ "db_password=x", true },
		{ "PASSWORD=x", true },
		{ "MYSQL_PASSWD=x", true },
		{ "SECRETS=x", true },
		{ "API_TOKEN=x", true },
		{ "KEY=x", true },
		{ "AWS_ACCESS_KEY_ID=x", true },
		{ "DB_PASSWORD_FILE=/run/secrets/db", false },
		{ "API_TOKEN=", false },
		{ "API_TOKEN", false },
		{ "KE=Y", false },
		{ "PATH=/bin", false },
		{ "X=TOKEN=1", false },
		{ "=KEY", false },
		{ "DATABASE_URL=postgres://app:secret@db:5432/app", true },
		{ "DATABASE_URL=postgres://app@db:5432/app", false },
		{ "DATABASE_URL=postgres://app:@db/app", false },
		{ "REDIS_URL=redis://:secret@cache", true },
		{ "URL=http://host:80/a@b", false },
		{ "URL=http://host:80?a@b", false },
		{ "MAIL=a:b@c", false },
		{ "URL=http://", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (secret_is_likely(cases[i].variable) != cases[i].secret)
			fail_msg("%s", cases[i].variable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fact_is_judged),
		cmocka_unit_test(a_finding_is_whole),
		cmocka_unit_test(what_is_possible_follows_from_the_facts),
		cmocka_unit_test(a_list_shows_what_it_has_room_for),
		cmocka_unit_test(secrets_are_known_by_name_or_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
