#include "init/audit.h"

#include "base/capname.h"
#include "base/securebits.h"

#include <assert.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>

#define BIT(capability) (UINT64_C(1) << (capability))

static const char levels[][8] = { "info", "low", "medium", "high" };
static_assert(sizeof levels / sizeof levels[0] == AUDIT_LEVEL_COUNT, "a name for every level");

static const char namespaces[][8] = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" };
static_assert(sizeof namespaces / sizeof namespaces[0] == NAMESPACE_COUNT, "a name for every namespace");

static const char items[][16] = { "user", "capabilities", "securebits", "no_new_privs", "seccomp", "root", "mounts",
	"setuid", "path", "proc", "kernel", "namespaces", "memory", "pids", "landlock", "secrets" };
static_assert(sizeof items / sizeof items[0] == AUDIT_ITEM_COUNT, "a name for every item");

const char *audit_level_name(enum audit_level level)
{
	return levels[level];
}

const char *audit_namespace_name(enum audit_namespace which)
{
	return namespaces[which];
}

void audit_list_add(struct audit_list *list, const char *name)
{
	size_t at = strlen(list->text);

	list->count++;
	if (list->shown + 1 < list->count || at + strlen(name) + sizeof ", " > sizeof list->text)
		return;
	snprintf(list->text + at, sizeof list->text - at, "%s%s", at > 0 ? ", " : "", name);
	list->shown++;
}

/* ---- words ---- */

static void find(struct audit_finding *finding, const char *what, const struct audit_list *list)
{
	size_t more = list->count - list->shown;
	int length = snprintf(finding->found, sizeof finding->found, "%s%s", what, list->text);

	if (more > 0)
		snprintf(finding->found + length, sizeof finding->found - (size_t)length, "%s%zu more",
			list->shown > 0 ? " and " : "", more);
}

static void say(struct audit_finding *finding, enum audit_level level, const char *means, const char *mends)
{
	finding->level = level;
	snprintf(finding->means, sizeof finding->means, "%s", means);
	snprintf(finding->mends, sizeof finding->mends, "%s", mends);
}

#define FOUND(...) snprintf(finding->found, sizeof finding->found, __VA_ARGS__)

/* ---- the items ---- */

static bool has_own_user_namespace(const struct audit_facts *facts)
{
	return ((facts->namespaces & ~facts->host_namespaces) >> NAMESPACE_USER & 1) != 0;
}

static uint64_t held(const struct audit_facts *facts)
{
	const struct capability_sets *sets = &facts->capabilities;

	return sets->permitted | sets->effective | sets->inheritable | sets->ambient;
}

static void judge_user(const struct audit_facts *facts, struct audit_finding *finding)
{
	bool mapped = has_own_user_namespace(facts);

	FOUND("uid %u%s", facts->uid, mapped ? ", in a user namespace" : "");
	if (facts->uid != 0)
		say(finding, AUDIT_INFO, "not root", "");
	else if (held(facts) == 0)
		say(finding, AUDIT_LOW, "root without capabilities still owns root's files, in volumes of the host too",
			"--user NAME|UID");
	else
		say(finding, mapped ? AUDIT_MEDIUM : AUDIT_HIGH,
			mapped ? "root of the container; outside it is somebody else"
			       : "a way out of the container leads to root of the host",
			"--user NAME|UID");
}

/* What leads out of a container, to the kernel or to other processes, by itself. */
static const uint64_t way_out = BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_MODULE) |
	BIT(CAP_SYS_RAWIO) | BIT(CAP_SYS_PTRACE) | BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_BOOT) | BIT(CAP_SYS_TIME) |
	BIT(CAP_MAC_OVERRIDE) | BIT(CAP_MAC_ADMIN) | BIT(CAP_SYSLOG) | BIT(CAP_PERFMON) | BIT(CAP_BPF) |
	BIT(CAP_CHECKPOINT_RESTORE);

static void judge_capabilities(const struct audit_facts *facts, struct audit_finding *finding)
{
	const uint64_t has = held(facts), bounding = facts->capabilities.bounding;
	struct audit_list names = { .count = 0 };

	for (unsigned i = 0; i < CAPNAME_COUNT; i++)
		if (((has != 0 ? has : bounding) >> i & 1) != 0)
			audit_list_add(&names, capname(i));
	if (names.count == 0)
		FOUND("none, in none of the five sets");
	else
		find(finding, has != 0 ? "" : "in the bounding set alone: ", &names);
	if ((has & way_out) != 0)
		say(finding, AUDIT_HIGH, "some of these lead out of the container by themselves", "--cap-drop all");
	else if ((has & ~BIT(CAP_NET_BIND_SERVICE)) != 0)
		say(finding, AUDIT_MEDIUM, "most services need none, and whoever takes one over has them",
			"--cap-drop all, and --cap-add what it needs");
	else if (has != 0)
		say(finding, AUDIT_INFO, "ports below 1024, and no more", "");
	else if (bounding != 0 && !facts->no_new_privs)
		say(finding, AUDIT_LOW, "a setuid program can get these back", "--cap-drop all");
	else
		say(finding, AUDIT_INFO, "nothing to be had", "");
}

static void judge_securebits(const struct audit_facts *facts, struct audit_finding *finding)
{
	struct audit_list names = { .count = 0 };

	for (unsigned i = 0; i < SECUREBITS_COUNT; i++)
		if ((facts->securebits >> i & 1) != 0)
			audit_list_add(&names, securebits_name(i));
	find(finding, names.count > 0 ? "" : "none", &names);
	say(finding, AUDIT_INFO,
		(facts->securebits & SECBIT_NOROOT) != 0 ? "root is a user like any other"
							 : "root's programs get what the bounding set has",
		"");
}

static void judge_no_new_privs(const struct audit_facts *facts, struct audit_finding *finding)
{
	FOUND("%s", facts->no_new_privs ? "on" : "off");
	if (facts->no_new_privs)
		say(finding, AUDIT_INFO, "no program gives more than one has", "");
	else
		say(finding, AUDIT_MEDIUM, "setuid programs and file capabilities give more than one has",
			"--no-new-privs=yes");
}

static void judge_seccomp(const struct audit_facts *facts, struct audit_finding *finding)
{
	if (facts->seccomp_mode == 0)
		FOUND("no filter");
	else if (facts->seccomp_filters > 0)
		FOUND("%u filter%s", facts->seccomp_filters, facts->seccomp_filters > 1 ? "s" : "");
	else
		FOUND("mode %u", facts->seccomp_mode);
	if (facts->seccomp_mode == 0)
		say(finding, AUDIT_MEDIUM, "every system call of the kernel can be reached, and its mistakes",
			"--seccomp default, nginx, node or a profile of your own");
	else
		say(finding, AUDIT_INFO, "nest-init seccomp explain says what it refuses", "");
}

static void judge_root(const struct audit_facts *facts, struct audit_finding *finding)
{
	if (facts->root_writable.count > 0) {
		find(finding, "writable: ", &facts->root_writable);
		say(finding, AUDIT_MEDIUM, "programs and settings of the image can be changed, and new ones put there",
			"--read-only, and --writable or --tmpfs for what has to be");
		return;
	}
	FOUND("%s",
		facts->root_is_read_only ? "mounted read-only"
					 : "mounted writable, and no directory of it that this process can write to");
	say(finding, AUDIT_INFO, "the image stays as it was built", "");
}

static void judge_mounts(const struct audit_facts *facts, struct audit_finding *finding)
{
	find(finding, facts->mounts.count > 0 ? "writable: " : "none is writable", &facts->mounts);
	say(finding, AUDIT_INFO, "what is kept, or shared with others", "");
}

static void judge_setuid(const struct audit_facts *facts, struct audit_finding *finding)
{
	find(finding, facts->setuid.count > 0 ? "" : "no such file in PATH", &facts->setuid);
	if (facts->setuid.count > 0 && !facts->no_new_privs)
		say(finding, AUDIT_MEDIUM, "whoever runs them gets their owner's rights, or those of the file",
			"--no-new-privs=yes");
	else
		say(finding, AUDIT_INFO, facts->setuid.count > 0 ? "no_new_privs takes their effect away" : "", "");
}

static void judge_path(const struct audit_facts *facts, struct audit_finding *finding)
{
	if (facts->path_writable.count > 0) {
		find(finding, "writable: ", &facts->path_writable);
		say(finding, AUDIT_MEDIUM, "a program can be replaced, or one of the same name be put before it",
			"--read-only");
	} else if (facts->path_relative.count > 0) {
		find(finding, "relative: ", &facts->path_relative);
		say(finding, AUDIT_LOW, "what is executed depends on the working directory",
			"the image: absolute directories in PATH");
	} else {
		FOUND("no directory in PATH is writable");
		say(finding, AUDIT_INFO, "", "");
	}
}

static void judge_proc(const struct audit_facts *facts, struct audit_finding *finding)
{
	find(finding, facts->proc_readable.count > 0 ? "readable: " : "masked, or not readable", &facts->proc_readable);
	if (facts->proc_readable.count == 0)
		say(finding, AUDIT_INFO, "", "");
	else
		say(finding, facts->kernel_memory ? AUDIT_HIGH : AUDIT_LOW,
			facts->kernel_memory ? "the memory of the kernel, and of all that it runs"
					     : "it tells of the host and of other containers",
			"the engine: masked paths, no --privileged");
}

static void judge_kernel(const struct audit_facts *facts, struct audit_finding *finding)
{
	find(finding, facts->proc_writable.count > 0 ? "writable: " : "its settings in /proc are not writable",
		&facts->proc_writable);
	if (facts->proc_writable.count > 0)
		say(finding, AUDIT_HIGH, "the host's kernel takes orders from here, up to running a program there",
			"--read-only; the engine: no --privileged");
	else
		say(finding, AUDIT_INFO, "", "");
}

static enum audit_level level_of_namespaces(uint32_t shared)
{
	if ((shared & (1U << NAMESPACE_PID | 1U << NAMESPACE_MNT)) != 0)
		return AUDIT_HIGH;
	if ((shared & (1U << NAMESPACE_NET | 1U << NAMESPACE_IPC)) != 0)
		return AUDIT_MEDIUM;
	return (shared & 1U << NAMESPACE_UTS) != 0 ? AUDIT_LOW : AUDIT_INFO;
}

/* User, time and cgroup namespaces are the host's wherever nobody asked for others. */
static void judge_namespaces(const struct audit_facts *facts, struct audit_finding *finding)
{
	struct audit_list own = { .count = 0 }, shared = { .count = 0 };
	enum audit_level level = level_of_namespaces(facts->host_namespaces);

	for (unsigned i = 0; i < NAMESPACE_COUNT; i++)
		if ((facts->namespaces >> i & 1) != 0)
			audit_list_add((facts->host_namespaces >> i & 1) != 0 ? &shared : &own,
				audit_namespace_name((enum audit_namespace)i));
	FOUND("own: %s; the host's: %s", own.count > 0 ? own.text : "none", shared.count > 0 ? shared.text : "none");
	if (level == AUDIT_INFO)
		say(finding, level, "", "");
	else
		say(finding, level, "the host's processes, network or names are in reach",
			"the engine: no --pid=host, --network=host, --ipc=host, --uts=host");
}

static void judge_limit(
	uint64_t limit, uint64_t unit, const char *name, const char *mends, struct audit_finding *finding)
{
	if (limit == AUDIT_NO_LIMIT) {
		FOUND("no limit");
		say(finding, AUDIT_INFO, "one container can take all that the host has", mends);
	} else {
		FOUND("%llu %s", (unsigned long long)(limit / unit), name);
		say(finding, AUDIT_INFO, "", "");
	}
}

static void judge_landlock(const struct audit_facts *facts, struct audit_finding *finding)
{
	if (facts->landlock_abi > 0)
		FOUND("ABI %u", facts->landlock_abi);
	else
		FOUND("none can be had: the kernel has it not, or a filter hides it");
	say(finding, AUDIT_INFO,
		facts->landlock_abi > 3           ? ""
			: facts->landlock_abi > 0 ? "no --tcp-bind and --tcp-connect"
						  : "no --exec-allow and --tcp-bind; --read-only needs CAP_SYS_ADMIN",
		"");
}

static void judge_secrets(const struct audit_facts *facts, struct audit_finding *finding)
{
	find(finding, facts->secrets.count > 0 ? "" : "no variable looks like one", &facts->secrets);
	if (facts->secrets.count > 0)
		say(finding, AUDIT_MEDIUM, "every child inherits them, and docker inspect shows them",
			"mount a file, and give its path");
	else
		say(finding, AUDIT_INFO, "", "");
}

void audit_judge(const struct audit_facts *facts, struct audit_finding ret_findings[static AUDIT_ITEM_COUNT])
{
	for (size_t i = 0; i < AUDIT_ITEM_COUNT; i++)
		memcpy(ret_findings[i].item, items[i], sizeof items[i]);
	judge_user(facts, &ret_findings[AUDIT_USER]);
	judge_capabilities(facts, &ret_findings[AUDIT_CAPABILITIES]);
	judge_securebits(facts, &ret_findings[AUDIT_SECUREBITS]);
	judge_no_new_privs(facts, &ret_findings[AUDIT_NO_NEW_PRIVS]);
	judge_seccomp(facts, &ret_findings[AUDIT_SECCOMP]);
	judge_root(facts, &ret_findings[AUDIT_ROOT]);
	judge_mounts(facts, &ret_findings[AUDIT_MOUNTS]);
	judge_setuid(facts, &ret_findings[AUDIT_SETUID]);
	judge_path(facts, &ret_findings[AUDIT_PATH]);
	judge_proc(facts, &ret_findings[AUDIT_PROC]);
	judge_kernel(facts, &ret_findings[AUDIT_KERNEL]);
	judge_namespaces(facts, &ret_findings[AUDIT_NAMESPACES]);
	judge_limit(facts->memory_limit, 1 << 20, "MiB", "the engine: --memory", &ret_findings[AUDIT_MEMORY]);
	judge_limit(facts->pids_limit, 1, "tasks", "the engine: --pids-limit", &ret_findings[AUDIT_PIDS]);
	judge_landlock(facts, &ret_findings[AUDIT_LANDLOCK]);
	judge_secrets(facts, &ret_findings[AUDIT_SECRETS]);
}

/* ---- variables ---- */
