/* A seccomp profile as its JSON says it: the dialects of the OCI runtime-spec, of Docker and of containers/common in
 * one model. Pure: no syscall, no libseccomp; what depends on the machine comes in as struct profile_context. */
#pragma once

#include "base/complaint.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_ARGS_MAX 6     /* arguments of a syscall (syscall(2)) */
#define PROFILE_ERRNO_MAX 4095 /* MAX_ERRNO of the kernel: SECCOMP_RET_ERRNO is cut to it (seccomp(2)) */

enum profile_action {
	PROFILE_KILL_PROCESS,
	PROFILE_KILL_THREAD, /* KILL is its older name */
	PROFILE_TRAP,
	PROFILE_ERRNO,
	PROFILE_NOTIFY,
	PROFILE_TRACE,
	PROFILE_LOG,
	PROFILE_ALLOW,
	PROFILE_ACTION_COUNT,
};

enum profile_op {
	PROFILE_NE,
	PROFILE_LT,
	PROFILE_LE,
	PROFILE_EQ,
	PROFILE_GE,
	PROFILE_GT,
	PROFILE_MASKED_EQ, /* (argument & value) == value_two */
	PROFILE_OP_COUNT,
};

enum profile_arch {
	PROFILE_X86,
	PROFILE_X86_64,
	PROFILE_X32,
	PROFILE_ARM,
	PROFILE_AARCH64,
	PROFILE_MIPS,
	PROFILE_MIPS64,
	PROFILE_MIPS64N32,
	PROFILE_MIPSEL,
	PROFILE_MIPSEL64,
	PROFILE_MIPSEL64N32,
	PROFILE_PPC,
	PROFILE_PPC64,
	PROFILE_PPC64LE,
	PROFILE_S390,
	PROFILE_S390X,
	PROFILE_PARISC,
	PROFILE_PARISC64,
	PROFILE_RISCV64,
	PROFILE_LOONGARCH64,
	PROFILE_M68K,
	PROFILE_SH,
	PROFILE_SHEB,
	PROFILE_ARCH_COUNT,
};

/* flags[] of the OCI runtime-spec, as a set of bits. */
enum profile_flag {
	PROFILE_FLAG_TSYNC = 1 << 0,
	PROFILE_FLAG_LOG = 1 << 1,
	PROFILE_FLAG_SPEC_ALLOW = 1 << 2,
	PROFILE_FLAG_WAIT_KILLABLE_RECV = 1 << 3,
};

/* What includes and excludes are tested against. */
struct profile_context {
	uint64_t caps;          /* the bounding set, a bit for each capability number */
	enum profile_arch arch; /* the target */
	unsigned kernel_major, kernel_minor;
};

struct profile_arg {
	unsigned index; /* 0 to 5 */
	enum profile_op op;
	uint64_t value, value_two;
};

/* includes or excludes. */
struct profile_filter {
	uint64_t caps;
	uint32_t arches; /* a bit for each enum profile_arch; none: any */
	bool has_min_kernel;
	unsigned kernel_major, kernel_minor;
};

struct profile_name {
	const char *text; /* borrowed from the document */
	unsigned line, column;
};

struct profile_rule {
	struct profile_name *names;
	size_t name_count; /* at least 1 */
	enum profile_action action;
	unsigned errno_ret; /* ERRNO and TRACE; EPERM when the rule does not say */
	/* All of them must hold; but when two of them look at the same argument, any of them is enough: that is how
	 * runc and crun load a profile, because libseccomp takes one comparison of an argument in a rule. */
	struct profile_arg *args;
	size_t arg_count;
	struct profile_filter includes, excludes;
	const char *comment; /* borrowed, or NULL */
	unsigned line, column;
};

struct profile {
	enum profile_action default_action;
	unsigned default_errno;
	unsigned flags;                                /* enum profile_flag */
	const char *listener_path, *listener_metadata; /* borrowed, or NULL */
	/* Architectures beside the target for each target: architectures[] says the same for all of them, archMap says
	 * it for each. A bit for each enum profile_arch; the target itself is always in. */
	uint32_t arches[PROFILE_ARCH_COUNT];
	struct profile_rule *rules;
	size_t rule_count;
};

/* Reads a profile out of a document, which must outlive it. Returns 0, -EINVAL with a sentence that has the place, or
 * -ENOMEM. The caller frees the profile with profile_free(). */
int profile_read(const struct json *json, struct profile **ret_profile, struct complaint *ret_why);
void profile_free(struct profile *profile);
static inline void cleanup_profile_free(struct profile **profile)
{
	profile_free(*profile);
}
#define cleanup_profile __attribute__((cleanup(cleanup_profile_free)))

/* True if includes and excludes let the rule through: every capability of includes is there, none of excludes. */
bool profile_rule_applies(const struct profile_rule *rule, const struct profile_context *context);

/* "SCMP_ACT_ERRNO", "SCMP_CMP_EQ", "SCMP_ARCH_X86_64". */
const char *profile_action_name(enum profile_action action);
const char *profile_op_name(enum profile_op op);
const char *profile_arch_name(enum profile_arch arch);
/* "amd64", "arm64". */
const char *profile_arch_go_name(enum profile_arch arch);
/* By Go's name (amd64, arm64, as in includes and excludes). Returns 0 or -ENOENT. */
int profile_arch_find(const char *go_name, enum profile_arch *ret_arch);
/* By name: EPERM, ENOSYS. Returns 0 or -ENOENT. */
int profile_errno_find(const char *name, unsigned *ret_errno);
/* The name of an errno, or NULL. */
const char *profile_errno_name(unsigned number);
