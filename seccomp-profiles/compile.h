/* From a profile to the bytes that seccomp(2) takes. compile.c is the only file that knows libseccomp.
 * PID 1 does not call this itself: compile_child.h does, in a child that is thrown away. */
#pragma once

#include "base/complaint.h"
#include "seccomp-profiles/profile.h"
#include "seccomp-profiles/program.h"

/* What a compilation depends on beside the profile. */
struct seccomp_context {
	struct profile_context profile;
	bool strict;       /* a syscall name that libseccomp does not know is an error, not a warning */
	bool allow_notify; /* the caller has a listener for SCMP_ACT_NOTIFY; otherwise such a profile is refused */
	bool linear;       /* as runc and crun load it, for comparisons: no tree, no ENOSYS for newer numbers */
	bool foreign_as_default; /* a foreign architecture gets the default action, not libseccomp's KILL_THREAD */
};

/* The context of this machine: its architecture and kernel (uname(2)); capabilities as given (the bounding set). */
void seccomp_context_native(uint64_t caps, struct seccomp_context *ret_context);

/* Compiles a profile: a binary tree over the syscall numbers, the same bytes for the same input on every machine.
 * `file` is what sentences call it. Returns 0; -EINVAL (what libseccomp refuses, with the place of the rule); -E2BIG
 * (more than BPF_MAXINSNS instructions); or another -errno. */
int seccomp_compile_profile(const char *file, const struct profile *profile, const struct seccomp_context *context,
	struct seccomp_program *ret_program, struct seccomp_warnings *ret_warnings, struct complaint *ret_why);

/* Reads a file of at most SECCOMP_FILE_MAX bytes: JSON, which is compiled, or what `seccomp compile` wrote, which is
 * taken as it is (for this architecture; the kernel checks the rest). */
int seccomp_compile_file(const char *path, const struct seccomp_context *context, struct seccomp_program *ret_program,
	struct seccomp_warnings *ret_warnings, struct complaint *ret_why);

/* The same, and what the JSON said: NULL for a compiled file. The caller frees both, the profile first. */
int seccomp_read_file(const char *path, const struct seccomp_context *context, struct json **ret_json,
	struct profile **ret_profile, struct seccomp_program *ret_program, struct seccomp_warnings *ret_warnings,
	struct complaint *ret_why);

#define SECCOMP_NUMBERS_END 1024 /* the numbers of no architecture reach this; x32's and arm's own are apart */

/* AUDIT_ARCH_* of an architecture; 0: libseccomp does not know it. */
uint32_t seccomp_audit_arch(enum profile_arch arch);
/* What libseccomp calls a number of an architecture (x32's have their bit). Returns 0 or -ENOENT. */
int seccomp_syscall_name(enum profile_arch arch, uint32_t number, char *ret_name, size_t size);
