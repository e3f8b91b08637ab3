/* What the profiles really say: every syscall number is run through the compiled BPF, for amd64 and arm64.
 *
 * verdicts/NAME-ARCH.txt pin the tables of our own profiles. A change of a profile, of the compiler or of libseccomp
 * shows here as a line; when it is meant, run this program with --write and review the difference. Two public profiles
 * are compared with what libseccomp makes of them without our tree and prologue, as runc and crun load them. */
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/sha256.h"
#include "seccomp-profiles/bpf_run.h"
#include "seccomp-profiles/compile.h"
#include "seccomp-profiles/compile_child.h"
#include "seccomp-profiles/embedded.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef SOURCE_ROOT
#error "define SOURCE_ROOT: where seccomp-profiles/ and tests/ are"
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NUMBERS 1100
#define X32_BIT 0x40000000u
#define TABLE_SIZE (64 * 1024)
#define EPERM_VERDICT (SECCOMP_RET_ERRNO | EPERM)
#define ENOSYS_VERDICT (SECCOMP_RET_ERRNO | ENOSYS)

static const struct target {
	const char *name;
	enum profile_arch arch;
	uint32_t audit;
} targets[] = {
	{ "amd64", PROFILE_X86_64, AUDIT_ARCH_X86_64 },
	{ "arm64", PROFILE_AARCH64, AUDIT_ARCH_AARCH64 },
};

static const char *const own[] = { "default", "logger", "monitor", "nginx", "node" };

static struct seccomp_program program, other;
static struct seccomp_warnings warnings;

static struct seccomp_context context_of(const struct target *target)
{
	return (struct seccomp_context){ .profile.arch = target->arch, .strict = true, .foreign_as_default = true };
}

static void compile_or_fail(const char *path, const struct seccomp_context *context, struct seccomp_program *ret)
{
	struct complaint why = { "" };

	if (seccomp_compile_file(path, context, ret, &warnings, &why) != 0)
		fail_msg("%s", why.text);
}

static uint32_t run(const struct seccomp_program *filter, uint32_t audit, uint32_t number, const uint64_t args[6],
	bool *ret_used_args)
{
	struct seccomp_data data = { .nr = (int)number, .arch = audit };
	uint32_t action;

	if (args != NULL)
		memcpy(data.args, args, sizeof data.args);
	assert_int_equal(bpf_run(filter->insn, filter->length, &data, &action, ret_used_args), 0);
	return action;
}

static const char *verdict_text(uint32_t action, char buffer[32])
{
	uint32_t data = action & SECCOMP_RET_DATA;

	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_KILL_PROCESS:
		return "KILL_PROCESS";
	case SECCOMP_RET_KILL_THREAD:
		return "KILL_THREAD";
	case SECCOMP_RET_ALLOW:
		return "ALLOW";
	case SECCOMP_RET_ERRNO:
		snprintf(buffer, 32, "%s", profile_errno_name(data));
		return buffer;
	default:
		snprintf(buffer, 32, "0x%08x", action);
		return buffer;
	}
}

/* ---- the pinned tables ---- */

/* Calls whose arguments a profile looks at, and arguments on both sides of each line. */
static const struct probe {
	const char *syscall, *says;
	uint64_t args[6];
} probes[] = {
	{ "clone", "SIGCHLD", { 0x11 } },
	{ "clone", "a thread", { 0x3d0f00 } },
	{ "clone", "CLONE_NEWNS", { 0x20011 } },
	{ "clone", "CLONE_NEWCGROUP", { 0x2000011 } },
	{ "clone", "CLONE_NEWUTS", { 0x4000011 } },
	{ "clone", "CLONE_NEWIPC", { 0x8000011 } },
	{ "clone", "CLONE_NEWUSER", { 0x10000011 } },
	{ "clone", "CLONE_NEWPID", { 0x20000011 } },
	{ "clone", "CLONE_NEWNET", { 0x40000011 } },
	{ "clone", "CLONE_NEWUSER, upper half set", { 0xffffffff10000011 } },
	{ "socket", "AF_UNIX stream", { 1, 1 } },
	{ "socket", "AF_UNIX seqpacket", { 1, 5 } },
	{ "socket", "AF_INET stream", { 2, 1 } },
	{ "socket", "AF_INET stream, nonblocking, cloexec", { 2, 02004001 } },
	{ "socket", "AF_INET datagram", { 2, 2 } },
	{ "socket", "AF_INET datagram, ICMP", { 2, 2, 1 } },
	{ "socket", "AF_INET seqpacket, SCTP", { 2, 5, 132 } },
	{ "socket", "AF_INET raw", { 2, 3 } },
	{ "socket", "AF_INET raw, nonblocking, cloexec", { 2, 02004003 } },
	{ "socket", "AF_INET SOCK_PACKET", { 2, 10 } },
	{ "socket", "AF_INET6 stream", { 10, 1 } },
	{ "socket", "AF_INET6 datagram", { 10, 2 } },
	{ "socket", "AF_INET6 seqpacket, SCTP", { 10, 5, 132 } },
	{ "socket", "AF_INET6 raw", { 10, 3 } },
	{ "socket", "AF_NETLINK route", { 16, 3, 0 } },
	{ "socket", "AF_NETLINK audit", { 16, 3, 9 } },
	{ "socket", "AF_PACKET", { 17, 3 } },
	{ "socket", "AF_ALG", { 38, 5 } },
	{ "socket", "AF_VSOCK", { 40, 1 } },
	{ "socket", "AF_INET, upper half set", { 0x100000002, 1 } },
	{ "personality", "PER_LINUX", { 0 } },
	{ "personality", "PER_LINUX32", { 8 } },
	{ "personality", "UNAME26", { 0x20000 } },
	{ "personality", "UNAME26 and PER_LINUX32", { 0x20008 } },
	{ "personality", "query", { 0xffffffff } },
	{ "personality", "ADDR_NO_RANDOMIZE", { 0x40000 } },
	{ "open", "O_RDONLY|O_CLOEXEC", { 0, 02000000 } },
	{ "open", "O_WRONLY", { 0, 1 } },
	{ "open", "O_RDWR", { 0, 2 } },
	{ "open", "O_CREAT", { 0, 0100 } },
	{ "open", "O_TRUNC", { 0, 01000 } },
	{ "openat", "O_RDONLY|O_CLOEXEC", { 0, 0, 02000000 } },
	{ "openat", "O_DIRECTORY of amd64", { 0, 0, 0200000 } },
	{ "openat", "O_DIRECTORY of arm64", { 0, 0, 040000 } },
	{ "openat", "O_WRONLY", { 0, 0, 1 } },
	{ "openat", "O_RDWR", { 0, 0, 2 } },
	{ "openat", "O_CREAT", { 0, 0, 0100 } },
	{ "openat", "O_TRUNC", { 0, 0, 01000 } },
	{ "openat", "O_TMPFILE's bit", { 0, 0, 020000000 } },
	{ "openat", "O_WRONLY, upper half set", { 0, 0, 0xffffffff00000001 } },
	{ "ioctl", "FIONBIO", { 0, 0x5421 } },
	{ "ioctl", "FIONREAD", { 0, 0x541b } },
	{ "ioctl", "TCGETS", { 0, 0x5401 } },
	{ "ioctl", "TIOCGWINSZ", { 0, 0x5413 } },
	{ "ioctl", "TIOCSTI", { 0, 0x5412 } },
	{ "ioctl", "TIOCSTI, upper half set", { 0, 0xffffffff00005412 } },
	{ "ioctl", "SECCOMP_IOCTL_NOTIF_RECV", { 0, 0xc0502100 } },
	{ "ioctl", "SECCOMP_IOCTL_NOTIF_SEND", { 0, 0xc0182101 } },
	{ "ioctl", "SECCOMP_IOCTL_NOTIF_ID_VALID", { 0, 0x40082102 } },
	{ "ioctl", "SECCOMP_IOCTL_NOTIF_ADDFD", { 0, 0x40182103 } },
	{ "ioctl", "SIOCGIFINDEX", { 0, 0x8933 } },
	{ "ioctl", "SIOCGIFNAME", { 0, 0x8910 } },
	{ "prctl", "PR_SET_PDEATHSIG", { 1 } },
	{ "prctl", "PR_SET_NAME", { 15 } },
	{ "prctl", "PR_SET_VMA", { 0x53564d41 } },
	{ "prctl", "PR_SET_DUMPABLE", { 4 } },
	{ "kill", "SIGKILL to 17", { 17, 9 } },
	{ "kill", "SIGTERM to 17", { 17, 15 } },
	{ "kill", "SIGKILL to all", { 0xffffffff, 9 } },
	{ "kill", "SIGKILL to all, 64 bits", { 0xffffffffffffffff, 9 } },
	{ "mmap", "PROT_READ|PROT_WRITE", { 0, 4096, 3 } },
	{ "mmap", "PROT_READ|PROT_EXEC", { 0, 4096, 5 } },
	{ "mprotect", "PROT_READ|PROT_WRITE", { 0, 4096, 3 } },
	{ "mprotect", "PROT_EXEC", { 0, 4096, 4 } },
	{ "prlimit64", "read", { 0, 7, 0, 1 } },
	{ "prlimit64", "set", { 0, 7, 1, 1 } },
	{ "prlimit64", "read that of 1", { 1, 7, 0, 1 } },
};

struct table {
	char text[TABLE_SIZE];
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void put(struct table *table, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(table->text + table->length, sizeof table->text - table->length, format, args);
	va_end(args);
	assert_true(length >= 0 && (size_t)length < sizeof table->text - table->length);
	table->length += (size_t)length;
}

static void put_probes(struct table *table, const struct target *target, const char *name, uint32_t number)
{
	char buffer[32];
	unsigned count = 0;
	bool used;

	for (size_t i = 0; i < COUNT(probes); i++) {
		if (strcmp(probes[i].syscall, name) != 0)
			continue;
		put(table, "\t%s: %s\n", probes[i].says,
			verdict_text(run(&program, target->audit, number, probes[i].args, &used), buffer));
		count++;
	}
	if (count == 0)
		fail_msg("%s: a profile looks at its arguments, but there is no probe", name);
}

static void put_number(struct table *table, const struct target *target, uint32_t number)
{
	char buffer[32], name[64];
	bool used;
	uint32_t verdict = run(&program, target->audit, number, NULL, &used);

	if (seccomp_syscall_name(target->arch, number, name, sizeof name) < 0) {
		assert_false(used);
		return;
	}
	put(table, "%u %s: %s\n", number, name, used ? "by its arguments" : verdict_text(verdict, buffer));
	if (used)
		put_probes(table, target, name, number);
}

/* What has no name: gaps between the numbers, those above all, x32's, and other architectures. */
static void put_others(struct table *table, const struct target *target)
{
	static const struct {
		const char *says;
		uint32_t audit, number;
	} others[] = { { "amd64, brk", AUDIT_ARCH_X86_64, 12 }, { "arm64, brk", AUDIT_ARCH_AARCH64, 214 },
		{ "i386, exit", AUDIT_ARCH_I386, 1 }, { "arm, exit", AUDIT_ARCH_ARM, 1 },
		{ "s390x, exit", AUDIT_ARCH_S390X, 1 } };
	static const uint32_t numbers[] = { 400, 457, 462, 999, X32_BIT - 1, X32_BIT, X32_BIT + 39, 0x7fffffff,
		0xffffffff };
	char buffer[32];
	bool used;

	for (size_t i = 0; i < COUNT(numbers); i++)
		put(table, "number 0x%x: %s\n", numbers[i],
			verdict_text(run(&program, target->audit, numbers[i], NULL, &used), buffer));
	for (size_t i = 0; i < COUNT(others); i++)
		put(table, "%s: %s\n", others[i].says,
			verdict_text(run(&program, others[i].audit, others[i].number, NULL, &used), buffer));
}

static void make_table(const char *profile, const struct target *target, struct table *table)
{
	struct seccomp_context context = context_of(target);
	char path[512];

	snprintf(path, sizeof path, "%s/seccomp-profiles/%s.json", SOURCE_ROOT, profile);
	compile_or_fail(path, &context, &program);
	table->length = 0;
	for (uint32_t number = 0; number < NUMBERS; number++)
		put_number(table, target, number);
	put_others(table, target);
}

static void table_path(const char *profile, const struct target *target, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/tests/unit/verdicts/%s-%s.txt", SOURCE_ROOT, profile, target->name);
}

/* The first line that is not the same, for a sentence. */
static void fail_at_difference(const char *path, const char *pinned, const char *now)
{
	unsigned line = 1;

	while (*pinned != '\0' && *pinned == *now) {
		line += *pinned++ == '\n';
		now++;
	}
	while (line > 1 && pinned[-1] != '\n') {
		pinned--;
		now--;
	}
	fail_msg("%s:%u: pinned is \"%.*s\", the profile says \"%.*s\". If that is meant: run this program with "
		 "--write, "
		 "review",
		path, line, (int)strcspn(pinned, "\n"), pinned, (int)strcspn(now, "\n"), now);
}

static void our_profiles_say_what_is_pinned(void **state)
{
	static struct table table;

	(void)state;
	for (size_t i = 0; i < COUNT(own) * COUNT(targets); i++) {
		const struct target *target = &targets[i % COUNT(targets)];
		cleanup_free char *pinned = NULL;
		char path[512];
		size_t length;

		make_table(own[i / COUNT(targets)], target, &table);
		table_path(own[i / COUNT(targets)], target, path, sizeof path);
		if (file_read(path, TABLE_SIZE, &pinned, &length) != 0)
			fail_msg("%s is not there: run this program with --write", path);
		if (strcmp(pinned, table.text) != 0)
			fail_at_difference(path, pinned, table.text);
	}
}

static int write_tables(void)
{
	static struct table table;

	for (size_t i = 0; i < COUNT(own) * COUNT(targets); i++) {
		const struct target *target = &targets[i % COUNT(targets)];
		char path[512];
		FILE *out;

		make_table(own[i / COUNT(targets)], target, &table);
		table_path(own[i / COUNT(targets)], target, path, sizeof path);
		out = fopen(path, "we");
		if (out == NULL || fwrite(table.text, 1, table.length, out) != table.length || fclose(out) != 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

/* ---- what is in the binary ---- */

static void embedded_profiles_are_the_compiled_ones(void **state)
{
	struct seccomp_context context;

	(void)state;
	seccomp_context_native(0, &context);
	context.strict = context.foreign_as_default = true;
	for (size_t i = 0; i < COUNT(own); i++) {
		const struct embedded_profile *embedded = embedded_find(own[i]);
		char path[512], hex[65];

		snprintf(path, sizeof path, "%s/seccomp-profiles/%s.json", SOURCE_ROOT, own[i]);
		compile_or_fail(path, &context, &program);
		assert_non_null(embedded);
		assert_ptr_equal(embedded, embedded_at(i)); /* in the order of their names */
		assert_int_equal(embedded->length, program.length);
		assert_memory_equal(embedded_insn(embedded), program.insn, program.length * sizeof program.insn[0]);
		sha256_hex(program.insn, program.length * sizeof program.insn[0], hex);
		assert_string_equal(embedded->sha256, hex);
		assert_string_equal(
			embedded->default_action, i == 1 || i == 2 ? "SCMP_ACT_KILL_PROCESS" : "SCMP_ACT_ERRNO");
		assert_int_equal(embedded->flags, SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	}
	assert_null(embedded_at(COUNT(own)));
	assert_null(embedded_find("nope"));
	assert_null(embedded_find(""));
}

/* ---- what arm64 has instead ---- */

/* Calls that arm64 never had, and what libc makes there in their place: asm-generic/unistd.h leaves out whatever a
 * newer call can do. */
static const struct sibling {
	const char *amd64, *arm64;
} siblings[] = {
	{ "access", "faccessat" },
	{ "alarm", "setitimer" },
	{ "chmod", "fchmodat" },
	{ "chown", "fchownat" },
	{ "creat", "openat" },
	{ "dup2", "dup3" },
	{ "epoll_create", "epoll_create1" },
	{ "epoll_wait", "epoll_pwait" },
	{ "eventfd", "eventfd2" },
	{ "fork", "clone" },
	{ "futimesat", "utimensat" },
	{ "getdents", "getdents64" },
	{ "getpgrp", "getpgid" },
	{ "inotify_init", "inotify_init1" },
	{ "lchown", "fchownat" },
	{ "link", "linkat" },
	{ "lstat", "newfstatat" },
	{ "mkdir", "mkdirat" },
	{ "mknod", "mknodat" },
	{ "open", "openat" },
	{ "pause", "ppoll" },
	{ "pipe", "pipe2" },
	{ "poll", "ppoll" },
	{ "readlink", "readlinkat" },
	{ "rename", "renameat" },
	{ "rename", "renameat2" },
	{ "rmdir", "unlinkat" },
	{ "select", "pselect6" },
	{ "signalfd", "signalfd4" },
	{ "stat", "newfstatat" },
	{ "symlink", "symlinkat" },
	{ "time", "gettimeofday" },
	{ "unlink", "unlinkat" },
	{ "ustat", "statfs" },
	{ "utime", "utimensat" },
	{ "utimes", "utimensat" },
	{ "vfork", "clone" },
};

/* These have no meaning there: registers of x86, and calls that no Linux has had since 2.5. */
static const char *const amd64_alone[] = { "arch_prctl", "get_thread_area", "set_thread_area", "epoll_ctl_old",
	"epoll_wait_old" };

static int number_of(enum profile_arch arch, const char *wanted)
{
	char name[64];

	for (uint32_t number = 0; number < NUMBERS; number++)
		if (seccomp_syscall_name(arch, number, name, sizeof name) == 0 && strcmp(name, wanted) == 0)
			return (int)number;
	return -1;
}

/* An action, or ALLOW where some arguments are let through. */
static uint32_t answer_of(const struct seccomp_program *filter, const struct target *target, uint32_t number)
{
	bool used;
	uint32_t verdict = run(filter, target->audit, number, NULL, &used);

	return used ? SECCOMP_RET_ALLOW : verdict;
}

static unsigned check_siblings(const char *profile, const char *name)
{
	unsigned found = 0;

	for (size_t i = 0; i < COUNT(amd64_alone); i++)
		found += strcmp(amd64_alone[i], name) == 0;
	for (size_t i = 0; i < COUNT(siblings); i++) {
		int number = number_of(PROFILE_AARCH64, siblings[i].arm64);

		if (strcmp(siblings[i].amd64, name) != 0)
			continue;
		assert_true(number >= 0);
		if (answer_of(&other, &targets[1], (uint32_t)number) != SECCOMP_RET_ALLOW)
			fail_msg("%s allows %s on amd64, but not %s on arm64", profile, name, siblings[i].arm64);
		found++;
	}
	return found;
}

/* A profile names calls, not numbers: what it lets through on one machine it has to let through on the other. */
static void arm64_gets_what_amd64_gets(void **state)
{
	struct seccomp_context amd64 = context_of(&targets[0]), arm64 = context_of(&targets[1]);
	char path[512], name[64];

	(void)state;
	for (size_t i = 0; i < COUNT(own); i++) {
		snprintf(path, sizeof path, "%s/seccomp-profiles/%s.json", SOURCE_ROOT, own[i]);
		compile_or_fail(path, &amd64, &program);
		compile_or_fail(path, &arm64, &other);
		for (uint32_t number = 0; number < NUMBERS; number++) {
			uint32_t verdict = answer_of(&program, &targets[0], number);
			int there;

			if (seccomp_syscall_name(PROFILE_X86_64, number, name, sizeof name) < 0)
				continue;
			there = number_of(PROFILE_AARCH64, name);
			if (there >= 0 && answer_of(&other, &targets[1], (uint32_t)there) != verdict)
				fail_msg("%s: %s is not the same on both", own[i], name);
			if (there < 0 && verdict == SECCOMP_RET_ALLOW && check_siblings(own[i], name) == 0)
				fail_msg("%s: arm64 has no %s, and siblings[] does not say what it has", own[i], name);
		}
	}
}

/* ---- the same verdicts as a runtime's own loading ---- */

/* Numbers that a filter compares arguments with, and their neighbours. */
static size_t constants(const struct seccomp_program *filter, uint64_t *ret_values, size_t room)
{
	size_t count = 0;

	ret_values[count++] = 0;
	ret_values[count++] = UINT64_MAX;
	for (uint32_t i = 1; i < filter->length; i++) {
		const struct sock_filter *before = &filter->insn[i - 1], *insn = &filter->insn[i];
		bool compares = BPF_CLASS(insn->code) == BPF_JMP && before->code != (BPF_LD | BPF_W | BPF_ABS);
		bool of_args = BPF_CLASS(insn->code) == BPF_JMP && before->code == (BPF_LD | BPF_W | BPF_ABS) &&
			before->k >= offsetof(struct seccomp_data, args);

		for (uint32_t k = insn->k - 1; (compares || of_args) && k != insn->k + 2; k++) {
			size_t known = 0;

			while (known < count && ret_values[known] != k)
				known++;
			if (known == count && count < room && (of_args || BPF_CLASS(before->code) == BPF_ALU))
				ret_values[count++] = k;
		}
	}
	return count;
}

static void compare_number(uint32_t audit, uint32_t number, bool newer, const uint64_t *values, size_t count)
{
	uint64_t args[6] = { 0 };
	bool used, used_other;
	uint32_t ours = run(&program, audit, number, args, &used);
	uint32_t theirs = run(&other, audit, number, args, &used_other);

	if (newer) {
		assert_int_equal(ours, ENOSYS_VERDICT);
		assert_int_equal(theirs, other.default_action);
		return;
	}
	if (ours != theirs)
		fail_msg("architecture 0x%x, number %u: 0x%x, but as runc and crun load it 0x%x", audit, number, ours,
			theirs);
	if (!used && !used_other)
		return;
	for (size_t a = 0; a < count; a++)
		for (size_t b = 0; b < count; b++)
			for (unsigned at = 0; at < 3; at++) {
				args[at] = values[a];
				args[(at + 1) % 3] = values[b];
				args[(at + 2) % 3] = 0;
				ours = run(&program, audit, number, args, &used);
				theirs = run(&other, audit, number, args, &used_other);
				if (ours != theirs)
					fail_msg("0x%x, number %u, argument %u 0x%llx and the next 0x%llx: 0x%x, not "
						 "0x%x",
						audit, number, at, (unsigned long long)values[a],
						(unsigned long long)values[b], ours, theirs);
			}
}

/* The highest number with a name. */
static uint32_t highest(enum profile_arch arch, uint32_t base)
{
	uint32_t found = 0;
	char name[64];

	for (uint32_t number = base; number < base + NUMBERS; number++)
		if (seccomp_syscall_name(arch, number, name, sizeof name) == 0)
			found = number;
	return found;
}

static void compare_public(const char *file, uint64_t caps, const struct target *target, bool eperm_default)
{
	static const struct {
		enum profile_arch target, arch;
		uint32_t audit, base;
	} spaces[] = {
		{ PROFILE_X86_64, PROFILE_X86_64, AUDIT_ARCH_X86_64, 0 },
		{ PROFILE_X86_64, PROFILE_X32, AUDIT_ARCH_X86_64, X32_BIT },
		{ PROFILE_X86_64, PROFILE_X86, AUDIT_ARCH_I386, 0 },
		{ PROFILE_AARCH64, PROFILE_AARCH64, AUDIT_ARCH_AARCH64, 0 },
		{ PROFILE_AARCH64, PROFILE_ARM, AUDIT_ARCH_ARM, 0 },
	};
	struct seccomp_context context = { .profile = { .caps = caps, .arch = target->arch, .kernel_major = 6 } };
	uint64_t values[64];
	char path[512];
	size_t count;
	bool used;

	snprintf(path, sizeof path, "%s/tests/data/seccomp/%s", SOURCE_ROOT, file);
	compile_or_fail(path, &context, &program);
	context.linear = true;
	compile_or_fail(path, &context, &other);
	count = constants(&other, values, COUNT(values));
	for (size_t i = 0; i < COUNT(spaces); i++) {
		uint32_t last = highest(spaces[i].arch, spaces[i].base);

		if (spaces[i].target != target->arch)
			continue;
		assert_true(last > spaces[i].base + 400);
		for (uint32_t number = spaces[i].base; number < spaces[i].base + NUMBERS; number++)
			compare_number(spaces[i].audit, number, eperm_default && number > last, values, count);
	}
	for (uint32_t number = 0x0f0000; target->arch == PROFILE_AARCH64 && number < 0x0f0008; number++)
		compare_number(AUDIT_ARCH_ARM, number, false, values, count); /* breakpoint, cacheflush, set_tls */
	assert_int_equal(run(&program, AUDIT_ARCH_S390X, 1, NULL, &used), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(run(&other, AUDIT_ARCH_S390X, 1, NULL, &used), SECCOMP_RET_KILL_THREAD);
}

static void public_profiles_get_a_runtimes_verdicts(void **state)
{
	static const uint64_t caps[] = { 0, 0xa80425fb /* Docker's default set */, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT(caps) * COUNT(targets); i++) {
		compare_public("docker-default.json", caps[i / COUNT(targets)], &targets[i % COUNT(targets)], true);
		compare_public(
			"containers-default.json", caps[i / COUNT(targets)], &targets[i % COUNT(targets)], false);
	}
}

static void docker_says_what_docker_says(void **state)
{
	struct seccomp_context context = { .profile = { .arch = PROFILE_X86_64, .kernel_major = 6 } };
	const uint64_t user_namespace[6] = { 0x10000011 }, child[6] = { 0x11 }, vsock[6] = { 40 }, alg[6] = { 38 };
	bool used;

	(void)state;
	compile_or_fail(SOURCE_ROOT "/tests/data/seccomp/docker-default.json", &context, &program);
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 0, NULL, &used), SECCOMP_RET_ALLOW);   /* read */
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 101, NULL, &used), SECCOMP_RET_ALLOW); /* ptrace, >= 4.8 */
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 165, NULL, &used), EPERM_VERDICT);     /* mount */
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 435, NULL, &used), ENOSYS_VERDICT);    /* clone3 */
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 56, user_namespace, &used), EPERM_VERDICT);
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 56, child, &used), SECCOMP_RET_ALLOW);
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 41, vsock, &used), EPERM_VERDICT);
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 41, alg, &used), EPERM_VERDICT);
	assert_int_equal(run(&program, AUDIT_ARCH_I386, 1, NULL, &used), SECCOMP_RET_ALLOW); /* exit of i386 */
	assert_true(warnings.count > 0);                                                     /* it lists newer calls */
	context.profile.kernel_major = 4;
	compile_or_fail(SOURCE_ROOT "/tests/data/seccomp/docker-default.json", &context, &program);
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 101, NULL, &used), EPERM_VERDICT);
	context.profile.caps = UINT64_C(1) << 21; /* SYS_ADMIN */
	compile_or_fail(SOURCE_ROOT "/tests/data/seccomp/docker-default.json", &context, &program);
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 165, NULL, &used), SECCOMP_RET_ALLOW);
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 56, user_namespace, &used), SECCOMP_RET_ALLOW);
}

/* ---- the compiler ---- */

static char scratch[32]; /* the path of the one scratch file */

static void scratch_file(const char *text)
{
	int fd;

	strcpy(scratch, "test_seccomp.XXXXXX");
	fd = mkstemp(scratch);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static const char *verdict_of(const char *rules, uint32_t number, uint64_t first, uint64_t second)
{
	static char buffer[32];
	struct seccomp_context context = { .profile.arch = PROFILE_X86_64 };
	const uint64_t args[6] = { first, second };
	char text[1024];
	bool used;

	snprintf(text, sizeof text, "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [%s]}", rules);
	scratch_file(text);
	compile_or_fail(scratch, &context, &program);
	unlink(scratch);
	return verdict_text(run(&program, AUDIT_ARCH_X86_64, number, args, &used), buffer);
}

#define ALLOW_READ(args) "{\"names\": [\"read\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [" args "]}"
#define ARG(index, op, value) "{\"index\": " #index ", \"op\": \"SCMP_CMP_" #op "\", \"value\": " #value "}"

static void comparisons_are_exact(void **state)
{
	static const struct {
		const char *rules;
		uint64_t below, at, above;
		const char *verdicts; /* a letter each: A allow, E errno */
	} cases[] = {
		{ ALLOW_READ(ARG(0, EQ, 9007199254740993)), 0x1fffffffffffff, 0x20000000000001, 0x20000000000000,
			"EAE" },
		{ ALLOW_READ(ARG(0, NE, 4294967296)), 0xffffffff, 0x100000000, 0x100000001, "AEA" },
		{ ALLOW_READ(ARG(0, LT, 4294967296)), 0xffffffff, 0x100000000, 0x100000001, "AEE" },
		{ ALLOW_READ(ARG(0, LE, 4294967296)), 0xffffffff, 0x100000000, 0x100000001, "AAE" },
		{ ALLOW_READ(ARG(0, GE, 4294967296)), 0xffffffff, 0x100000000, 0x100000001, "EAA" },
		{ ALLOW_READ(ARG(0, GT, 4294967296)), 0xffffffff, 0x100000000, 0x100000001, "EEA" },
		{ ALLOW_READ(ARG(0, GE, 18446744073709551615)), 0x7fffffffffffffff, UINT64_MAX, UINT64_MAX - 1, "EAE" },
		{ ALLOW_READ("{\"index\": 0, \"op\": \"SCMP_CMP_MASKED_EQ\", \"value\": 240, \"valueTwo\": 32}"), 0x12f,
			0x2f, 0x3f, "AAE" },
		/* of the same argument any is enough, as in runc: 1 or 3 */
		{ ALLOW_READ(ARG(0, EQ, 1) ", " ARG(0, EQ, 3)), 1, 2, 3, "AEA" },
		/* of different ones all: the second argument is 7 below */
		{ ALLOW_READ(ARG(0, EQ, 1) ", " ARG(1, EQ, 7)), 0, 1, 2, "EAE" },
		{ ALLOW_READ(ARG(0, EQ, 1) ", " ARG(1, EQ, 8)), 0, 1, 2, "EEE" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const uint64_t values[] = { cases[i].below, cases[i].at, cases[i].above };

		for (unsigned v = 0; v < 3; v++)
			assert_string_equal(verdict_of(cases[i].rules, 0, values[v], 7),
				cases[i].verdicts[v] == 'A' ? "ALLOW" : "EPERM");
	}
}

static void a_rule_like_the_default_is_no_rule(void **state)
{
	(void)state;
	assert_string_equal(verdict_of("{\"names\": [\"read\"], \"action\": \"SCMP_ACT_ERRNO\"}", 0, 0, 0), "EPERM");
	assert_string_equal(
		verdict_of("{\"names\": [\"read\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 38}", 0, 0, 0),
		"ENOSYS");
	assert_string_equal(
		verdict_of("{\"names\": [\"read\"], \"action\": \"SCMP_ACT_KILL\"}", 0, 0, 0), "KILL_THREAD");
	assert_string_equal(
		verdict_of("{\"names\": [\"read\"], \"action\": \"SCMP_ACT_KILL_PROCESS\"}", 0, 0, 0), "KILL_PROCESS");
}

static void unknown_names_are_warnings_unless_strict(void **state)
{
	static const char text[] = "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"flags\": [\"SECCOMP_FILTER_FLAG_LOG\",\n"
				   "\"SECCOMP_FILTER_FLAG_TSYNC\", \"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"],\n"
				   "\"syscalls\": [{\"names\": [\"read\",\n \"raed\", \"nosuchcall\"], \"action\": "
				   "\"SCMP_ACT_ALLOW\"}]}";
	struct seccomp_context context = { .profile.arch = PROFILE_AARCH64 };
	struct complaint why = { "" };
	char expected[128];

	(void)state;
	scratch_file(text);
	compile_or_fail(scratch, &context, &program);
	assert_int_equal(warnings.count, 2);
	assert_string_equal(warnings.unknown[0].name, "raed");
	assert_int_equal(warnings.unknown[0].line, 4);
	assert_int_equal(warnings.unknown[0].column, 2);
	assert_string_equal(warnings.unknown[1].name, "nosuchcall");
	assert_int_equal(program.flags, SECCOMP_FILTER_FLAG_LOG);
	assert_int_equal(program.listener_flags, 1 << 5);
	assert_int_equal(program.default_action, EPERM_VERDICT);
	context.strict = true;
	assert_int_equal(seccomp_compile_file(scratch, &context, &program, &warnings, &why), -EINVAL);
	snprintf(expected, sizeof expected, "%s:4:2: libseccomp does not know the syscall \"raed\"", scratch);
	assert_string_equal(why.text, expected);
	unlink(scratch);
}

static void notify_needs_a_listener(void **state)
{
	static const char text[] = "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [\n"
				   " {\"names\": [\"mount\"], \"action\": \"SCMP_ACT_NOTIFY\"}]}";
	struct seccomp_context context = { .profile.arch = PROFILE_X86_64 };
	struct complaint why = { "" };
	char expected[128];
	bool used;

	(void)state;
	scratch_file(text);
	assert_int_equal(seccomp_compile_file(scratch, &context, &program, &warnings, &why), -EOPNOTSUPP);
	snprintf(expected, sizeof expected, "%s:2:2: SCMP_ACT_NOTIFY needs somebody who listens", scratch);
	assert_string_equal(why.text, expected);
	context.allow_notify = true;
	compile_or_fail(scratch, &context, &program);
	assert_int_equal(run(&program, AUDIT_ARCH_X86_64, 165, NULL, &used), SECCOMP_RET_USER_NOTIF);
	unlink(scratch);
}

/* 5,000 rules on one argument: more than the kernel's 4096 instructions. */
static void too_many_instructions_are_refused(void **state)
{
	const size_t room = 768 * 1024;
	cleanup_free char *text = malloc(room);
	struct seccomp_context context = { .profile.arch = PROFILE_X86_64 };
	struct complaint why = { "" };
	size_t at;

	(void)state;
	assert_non_null(text);
	at = (size_t)snprintf(text, room, "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [");
	for (unsigned i = 0; i < 5000; i++)
		at += (size_t)snprintf(text + at, room - at,
			"%s{\"names\": [\"ioctl\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 1, \"op\": "
			"\"SCMP_CMP_EQ\", \"value\": %u}]}",
			i == 0 ? "" : ",", i * 17);
	snprintf(text + at, room - at, "]}");
	scratch_file(text);
	assert_int_equal(seccomp_compile_file(scratch, &context, &program, &warnings, &why), -E2BIG);
	assert_non_null(strstr(why.text, " instructions, the kernel takes 4096"));
	unlink(scratch);
}

/* ---- the child ---- */

static void the_child_gives_the_same_bytes(void **state)
{
	struct seccomp_context context;
	struct complaint why = { "" };
	const char *path = SOURCE_ROOT "/tests/data/seccomp/docker-default.json";

	(void)state;
	seccomp_context_native(0, &context);
	compile_or_fail(path, &context, &program);
	memset(&warnings, 0, sizeof warnings);
	assert_int_equal(seccomp_compile_in_child(path, &context, &other, &warnings, &why), 0);
	assert_int_equal(other.length, program.length);
	assert_memory_equal(other.insn, program.insn, program.length * sizeof program.insn[0]);
	assert_true(warnings.count > 0);
	assert_true(strlen(warnings.unknown[0].name) > 0);
}

static void a_compiled_file_is_taken_as_it_is(void **state)
{
	struct seccomp_context context;
	struct complaint why = { "" };
	FILE *out;

	(void)state;
	seccomp_context_native(0, &context);
	compile_or_fail(SOURCE_ROOT "/seccomp-profiles/node.json", &context, &program);
	scratch_file("");
	out = fopen(scratch, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(program.insn, sizeof program.insn[0], program.length, out), program.length);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(seccomp_compile_in_child(scratch, &context, &other, &warnings, &why), 0);
	assert_int_equal(other.length, program.length);
	assert_memory_equal(other.insn, program.insn, program.length * sizeof program.insn[0]);
	assert_int_equal(other.default_action, SECCOMP_DEFAULT_UNKNOWN);
	assert_int_equal(warnings.count, 0);
	assert_int_equal(truncate(scratch, 12), 0);
	assert_int_equal(seccomp_compile_in_child(scratch, &context, &other, &warnings, &why), -EINVAL);
	assert_non_null(strstr(why.text, ": expected 1 to 4096 BPF instructions of 8 bytes, not 12 bytes"));
	unlink(scratch);
}

static void the_child_says_what_is_wrong(void **state)
{
	cleanup_free char *megabyte = calloc(1, 1024 * 1024 + 1);
	struct seccomp_context context;
	struct complaint why = { "" };
	char expected[128];

	(void)state;
	seccomp_context_native(0, &context);
	assert_int_equal(seccomp_compile_in_child("/", &context, &program, &warnings, &why), -EISDIR);
	assert_string_equal(why.text, "/: Is a directory");
	assert_int_equal(seccomp_compile_in_child("/no/file", &context, &program, &warnings, &why), -ENOENT);
	assert_string_equal(why.text, "/no/file: No such file or directory");
	scratch_file("");
	assert_int_equal(seccomp_compile_in_child(scratch, &context, &program, &warnings, &why), -EINVAL);
	snprintf(expected, sizeof expected, "%s:1:1: the file is empty", scratch);
	assert_string_equal(why.text, expected);
	assert_int_equal(truncate(scratch, 100 * 1024 * 1024), 0);
	assert_int_equal(seccomp_compile_in_child(scratch, &context, &program, &warnings, &why), -EFBIG);
	snprintf(expected, sizeof expected, "%s: larger than 1048576 bytes", scratch);
	assert_string_equal(why.text, expected);
	unlink(scratch);
	assert_non_null(megabyte);
	memset(megabyte, '[', 1024 * 1024);
	scratch_file(megabyte);
	assert_int_equal(seccomp_compile_in_child(scratch, &context, &program, &warnings, &why), -EINVAL);
	snprintf(expected, sizeof expected, "%s:1:65: more than 64 arrays and objects inside each other", scratch);
	assert_string_equal(why.text, expected);
	unlink(scratch);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_profiles_say_what_is_pinned),
		cmocka_unit_test(embedded_profiles_are_the_compiled_ones),
		cmocka_unit_test(arm64_gets_what_amd64_gets),
		cmocka_unit_test(public_profiles_get_a_runtimes_verdicts),
		cmocka_unit_test(docker_says_what_docker_says),
		cmocka_unit_test(comparisons_are_exact),
		cmocka_unit_test(a_rule_like_the_default_is_no_rule),
		cmocka_unit_test(unknown_names_are_warnings_unless_strict),
		cmocka_unit_test(notify_needs_a_listener),
		cmocka_unit_test(too_many_instructions_are_refused),
		cmocka_unit_test(the_child_gives_the_same_bytes),
		cmocka_unit_test(a_compiled_file_is_taken_as_it_is),
		cmocka_unit_test(the_child_says_what_is_wrong),
	};

	if (argc == 2 && strcmp(argv[1], "--write") == 0)
		return write_tables();
	return cmocka_run_group_tests_name("seccomp_verdicts", tests, NULL, NULL);
}
