/* The posture of a process in its container, judged from facts. Pure: no system call, no clock. */
#pragma once

#include "init/capability_plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum audit_level { AUDIT_INFO, AUDIT_LOW, AUDIT_MEDIUM, AUDIT_HIGH, AUDIT_LEVEL_COUNT };

/* "info", "low", "medium", "high". */
const char *audit_level_name(enum audit_level level);

/* Names, as many as there is room for: "/tmp, /var/tmp and 3 more". */
struct audit_list {
	size_t count;
	size_t shown;
	char text[160];
};
void audit_list_add(struct audit_list *list, const char *name);

/* In the order of their names in /proc/PID/ns, which audit_namespace_name() has. */
enum audit_namespace {
	NAMESPACE_CGROUP,
	NAMESPACE_IPC,
	NAMESPACE_MNT,
	NAMESPACE_NET,
	NAMESPACE_PID,
	NAMESPACE_TIME,
	NAMESPACE_USER,
	NAMESPACE_UTS,
	NAMESPACE_COUNT,
};
const char *audit_namespace_name(enum audit_namespace which);

#define AUDIT_NO_LIMIT UINT64_MAX

/* All zero: nothing that would be a finding of its own, but no protection either. */
struct audit_facts {
	uid_t uid; /* the effective one */
	struct capability_sets capabilities;
	uint32_t securebits; /* SECBIT_* */
	bool no_new_privs;
	unsigned seccomp_mode; /* 0, 1 strict, 2 filter (proc(5)) */
	unsigned seccomp_filters;
	bool root_is_read_only;               /* the mount */
	struct audit_list root_writable;      /* directories of the root file system that this process can write to */
	struct audit_list mounts;             /* other mounts that it can write to */
	struct audit_list setuid;             /* setuid and setgid files in the directories of PATH */
	struct audit_list path_writable;      /* directories of PATH */
	struct audit_list path_relative;      /* entries of PATH that stand for wherever one is */
	bool kernel_memory;                   /* /proc/kcore opens */
	struct audit_list proc_readable;      /* what runtimes mask, and opens for reading */
	struct audit_list proc_writable;      /* what steers the kernel, and opens for writing */
	uint32_t namespaces, host_namespaces; /* a bit for each that is known, and of these the host's */
	uint64_t memory_limit, pids_limit;    /* bytes, tasks; AUDIT_NO_LIMIT */
	unsigned landlock_abi;
	bool filters_refused;      /* seccomp(2) loads none */
	int listener_error;        /* an errno, if it loads none with a listener; 0 */
	struct audit_list secrets; /* names of variables */
};

struct audit_finding {
	enum audit_level level;
	char item[16];
	char found[384];
	char means[168];
	char mends[88]; /* "" where there is nothing to do */
};

enum audit_item {
	AUDIT_USER,
	AUDIT_CAPABILITIES,
	AUDIT_SECUREBITS,
	AUDIT_NO_NEW_PRIVS,
	AUDIT_SECCOMP,
	AUDIT_ROOT,
	AUDIT_MOUNTS,
	AUDIT_SETUID,
	AUDIT_PATH,
	AUDIT_PROC,
	AUDIT_KERNEL,
	AUDIT_NAMESPACES,
	AUDIT_MEMORY,
	AUDIT_PIDS,
	AUDIT_LANDLOCK,
	AUDIT_SECRETS,
	AUDIT_ITEM_COUNT,
};

/* A finding for each item, the info ones included. What no option of ours can mend in a container as runtimes make it
 * by default is info. */
void audit_judge(const struct audit_facts *facts, struct audit_finding ret_findings[static AUDIT_ITEM_COUNT]);

/* What nest-init could put in force here, with the rights of the process that asks. */
enum possible_item {
	POSSIBLE_USER,
	POSSIBLE_CAPABILITIES,
	POSSIBLE_SECUREBITS,
	POSSIBLE_NO_NEW_PRIVS,
	POSSIBLE_SECCOMP,
	POSSIBLE_SECCOMP_REPORT,
	POSSIBLE_READ_ONLY,
	POSSIBLE_TMPFS,
	POSSIBLE_EXEC_ALLOW,
	POSSIBLE_TCP,
	POSSIBLE_ITEM_COUNT,
};

enum possible_answer { POSSIBLE_NO, POSSIBLE_PART, POSSIBLE_YES, POSSIBLE_ANSWER_COUNT };

/* "no", "in part", "yes". */
const char *audit_possible_answer(enum possible_answer answer);

struct audit_possible {
	enum possible_answer answer;
	char item[16];
	char how[96]; /* or why not; "" where there is nothing to say */
};

void audit_judge_possible(
	const struct audit_facts *facts, struct audit_possible ret_possible[static POSSIBLE_ITEM_COUNT]);
