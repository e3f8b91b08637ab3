#include "seccomp-profiles/compile.h"

#include "base/cleanup.h"
#include "base/fdio.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

/* libseccomp's answers depend on what the running kernel can do unless it is told a level: 6 is what 2.5 has in full.
 */
#define LIBSECCOMP_API_LEVEL 6
/* seccomp_attr_set(3), SCMP_FLTATR_CTL_OPTIMIZE: a binary tree, sorted by syscall number. */
#define OPTIMIZE_BINARY_TREE 2
#define X32_BIT 0x40000000u     /* __X32_SYSCALL_BIT */
#define ARM_PRIVATE 0x000f0000u /* __ARM_NR_BASE: breakpoint, cacheflush, set_tls */
#define PROLOGUE_MAX 32

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

/* An architecture of libseccomp; token 0: it does not know it. A kernel runs only programs of its own family: others in
 * a profile's list are left out, since no syscall of theirs can come. `low` says that numbers begin at 0. */
static const struct {
	uint32_t token;
	enum family {
		FAMILY_X86,
		FAMILY_ARM,
		FAMILY_MIPS,
		FAMILY_MIPSEL,
		FAMILY_PPC,
		FAMILY_PPCLE,
		FAMILY_S390,
		FAMILY_PARISC,
		FAMILY_RISCV,
		FAMILY_OTHER
	} family;
	bool low;
} arches[] = {
	[PROFILE_X86] = { SCMP_ARCH_X86, FAMILY_X86, true },
	[PROFILE_X86_64] = { SCMP_ARCH_X86_64, FAMILY_X86, true },
	[PROFILE_X32] = { SCMP_ARCH_X32, FAMILY_X86, false },
	[PROFILE_ARM] = { SCMP_ARCH_ARM, FAMILY_ARM, true },
	[PROFILE_AARCH64] = { SCMP_ARCH_AARCH64, FAMILY_ARM, true },
	[PROFILE_MIPS] = { SCMP_ARCH_MIPS, FAMILY_MIPS, false },
	[PROFILE_MIPS64] = { SCMP_ARCH_MIPS64, FAMILY_MIPS, false },
	[PROFILE_MIPS64N32] = { SCMP_ARCH_MIPS64N32, FAMILY_MIPS, false },
	[PROFILE_MIPSEL] = { SCMP_ARCH_MIPSEL, FAMILY_MIPSEL, false },
	[PROFILE_MIPSEL64] = { SCMP_ARCH_MIPSEL64, FAMILY_MIPSEL, false },
	[PROFILE_MIPSEL64N32] = { SCMP_ARCH_MIPSEL64N32, FAMILY_MIPSEL, false },
	[PROFILE_PPC] = { SCMP_ARCH_PPC, FAMILY_PPC, true },
	[PROFILE_PPC64] = { SCMP_ARCH_PPC64, FAMILY_PPC, true },
	[PROFILE_PPC64LE] = { SCMP_ARCH_PPC64LE, FAMILY_PPCLE, true },
	[PROFILE_S390] = { SCMP_ARCH_S390, FAMILY_S390, true },
	[PROFILE_S390X] = { SCMP_ARCH_S390X, FAMILY_S390, true },
	[PROFILE_PARISC] = { SCMP_ARCH_PARISC, FAMILY_PARISC, true },
	[PROFILE_PARISC64] = { SCMP_ARCH_PARISC64, FAMILY_PARISC, true },
	[PROFILE_RISCV64] = { SCMP_ARCH_RISCV64, FAMILY_RISCV, true },
	[PROFILE_LOONGARCH64] = { 0, FAMILY_OTHER, false },
	[PROFILE_M68K] = { 0, FAMILY_OTHER, false },
	[PROFILE_SH] = { 0, FAMILY_OTHER, false },
	[PROFILE_SHEB] = { 0, FAMILY_OTHER, false },
};
_Static_assert(sizeof arches / sizeof arches[0] == PROFILE_ARCH_COUNT, "a row for each architecture");

static const enum scmp_compare ops[] = {
	[PROFILE_NE] = SCMP_CMP_NE,
	[PROFILE_LT] = SCMP_CMP_LT,
	[PROFILE_LE] = SCMP_CMP_LE,
	[PROFILE_EQ] = SCMP_CMP_EQ,
	[PROFILE_GE] = SCMP_CMP_GE,
	[PROFILE_GT] = SCMP_CMP_GT,
	[PROFILE_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
};
_Static_assert(sizeof ops / sizeof ops[0] == PROFILE_OP_COUNT, "a row for each comparison");

struct compiler {
	const char *file;
	const struct profile *profile;
	const struct seccomp_context *context;
	scmp_filter_ctx filter;
	uint32_t default_action;
	uint32_t arches; /* of the program, a bit for each enum profile_arch */
	struct seccomp_warnings *warnings;
	struct complaint *why;
};

static void release_filter(scmp_filter_ctx *filter)
{
	if (*filter != NULL)
		seccomp_release(*filter);
}

/* libseccomp's values are the kernel's SECCOMP_RET_* with their data. */
static uint32_t action_value(enum profile_action action, unsigned data)
{
	switch (action) {
	case PROFILE_KILL_PROCESS:
		return SCMP_ACT_KILL_PROCESS;
	case PROFILE_KILL_THREAD:
		return SCMP_ACT_KILL_THREAD;
	case PROFILE_TRAP:
		return SCMP_ACT_TRAP;
	case PROFILE_ERRNO:
		return SCMP_ACT_ERRNO(data);
	case PROFILE_NOTIFY:
		return SCMP_ACT_NOTIFY;
	case PROFILE_TRACE:
		return SCMP_ACT_TRACE(data);
	case PROFILE_LOG:
		return SCMP_ACT_LOG;
	case PROFILE_ALLOW:
	case PROFILE_ACTION_COUNT:
		break;
	}
	return SCMP_ACT_ALLOW;
}

static int failed(struct compiler *c, int rc, const char *what)
{
	return complain(c->why, -rc, "%.256s: libseccomp: %s: %s", c->file, what, strerror(-rc));
}

/* ---- the filter's architectures and attributes ---- */

static int set_arches(struct compiler *c)
{
	enum profile_arch target = c->context->profile.arch;
	uint32_t wanted = c->profile->arches[target] | UINT32_C(1) << target;
	uint32_t token = arches[target].token;
	int rc = 0;

	if (token == 0)
		return complain(c->why, EOPNOTSUPP, "%.256s: this libseccomp does not know %s", c->file,
			profile_arch_name(target));
	if (token != seccomp_arch_native()) {
		rc = seccomp_arch_add(c->filter, token);
		if (rc == 0)
			rc = seccomp_arch_remove(c->filter, seccomp_arch_native());
	}
	c->arches = UINT32_C(1) << target;
	for (unsigned i = 0; rc == 0 && i < PROFILE_ARCH_COUNT; i++) {
		if ((wanted & UINT32_C(1) << i) == 0 || i == target || arches[i].family != arches[target].family)
			continue;
		rc = seccomp_arch_add(c->filter, arches[i].token);
		c->arches |= UINT32_C(1) << i;
	}
	return rc < 0 ? failed(c, rc, "adding an architecture") : 0;
}

static int set_attributes(struct compiler *c)
{
	int rc = c->context->linear ? 0 : seccomp_attr_set(c->filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_BINARY_TREE);

	if (rc == 0 && c->context->foreign_as_default)
		rc = seccomp_attr_set(c->filter, SCMP_FLTATR_ACT_BADARCH, c->default_action);
	return rc < 0 ? failed(c, rc, "setting an attribute") : 0;
}

/* ---- rules ---- */

static int note_unknown(struct compiler *c, const struct profile_name *name)
{
	struct seccomp_unknown *unknown;

	if (c->context->strict)
		return complain(c->why, EINVAL, "%.256s:%u:%u: libseccomp does not know the syscall \"%.64s\"", c->file,
			name->line, name->column, name->text);
	if (c->warnings->count < SECCOMP_WARNINGS_MAX) {
		unknown = &c->warnings->unknown[c->warnings->count];
		unknown->line = name->line;
		unknown->column = name->column;
		snprintf(unknown->name, sizeof unknown->name, "%s", name->text);
		for (char *byte = unknown->name; *byte != '\0'; byte++)
			if (*byte <= ' ' || *byte >= 0x7f)
				*byte = '?'; /* a syscall's name is ASCII; this one goes to a log */
	}
	c->warnings->count++;
	return 0;
}

static struct scmp_arg_cmp comparison(const struct profile_arg *arg)
{
	return (struct scmp_arg_cmp){
		.arg = arg->index, .op = ops[arg->op], .datum_a = arg->value, .datum_b = arg->value_two
	};
}

/* True if two comparisons look at the same argument, or there are more than a rule of libseccomp holds. */
static bool looks_twice(const struct profile_rule *rule)
{
	unsigned seen = 0;

	for (size_t i = 0; i < rule->arg_count; i++) {
		if (seen & 1u << rule->args[i].index)
			return true;
		seen |= 1u << rule->args[i].index;
	}
	return false;
}

static int add_conditions(struct compiler *c, const struct profile_rule *rule, uint32_t action, int number)
{
	struct scmp_arg_cmp args[PROFILE_ARGS_MAX];
	int rc = 0;

	if (!looks_twice(rule)) {
		for (size_t i = 0; i < rule->arg_count; i++)
			args[i] = comparison(&rule->args[i]);
		return seccomp_rule_add_array(c->filter, action, number, (unsigned)rule->arg_count, args);
	}
	for (size_t i = 0; rc == 0 && i < rule->arg_count; i++) {
		args[0] = comparison(&rule->args[i]);
		rc = seccomp_rule_add_array(c->filter, action, number, 1, args);
	}
	return rc;
}

static int add_rule(struct compiler *c, const struct profile_rule *rule)
{
	uint32_t action = action_value(rule->action, rule->errno_ret);

	for (size_t i = 0; i < rule->name_count; i++) {
		const struct profile_name *name = &rule->names[i];
		int number = seccomp_syscall_resolve_name(name->text), rc = 0;

		if (number == __NR_SCMP_ERROR)
			rc = note_unknown(c, name);
		if (rc < 0)
			return rc;
		/* A rule that says what the default says is no rule to libseccomp (EACCES); runc and crun skip it too.
		 */
		if (number == __NR_SCMP_ERROR || action == c->default_action)
			continue;
		rc = add_conditions(c, rule, action, number);
		if (rc < 0)
			return complain(c->why, -rc, "%.256s:%u:%u: libseccomp refuses the rule for %.64s: %s", c->file,
				name->line, name->column, name->text, strerror(-rc));
	}
	return 0;
}

static int refuse_notify(struct compiler *c, unsigned line, unsigned column)
{
	return complain(
		c->why, EOPNOTSUPP, "%.256s:%u:%u: SCMP_ACT_NOTIFY needs somebody who listens", c->file, line, column);
}

static int add_rules(struct compiler *c)
{
	if (c->profile->default_action == PROFILE_NOTIFY && !c->context->allow_notify)
		return refuse_notify(c, 1, 1);
	for (size_t i = 0; i < c->profile->rule_count; i++) {
		const struct profile_rule *rule = &c->profile->rules[i];
		int rc;

		if (!profile_rule_applies(rule, &c->context->profile))
			continue;
		if (rule->action == PROFILE_NOTIFY && !c->context->allow_notify)
			return refuse_notify(c, rule->line, rule->column);
		rc = add_rule(c, rule);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- the prologue: numbers that are newer than libseccomp ---- */

/* Symbolic targets until the prologue's length is known. */
#define TO_ENOSYS 0xfe
#define TO_FILTER 0xff

struct prologue {
	struct sock_filter insn[PROLOGUE_MAX];
	unsigned length;
};

static void emit(struct prologue *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	p->insn[p->length++] = (struct sock_filter){ .code = code, .jt = jt, .jf = jf, .k = k };
}

/* libseccomp looks through its whole table for every number, and a quarter of the compilation was this search. The
 * newest numbers of every architecture are a row: from 424 on since Linux 5.1, and x32's own from 512 to 547
 * (syscall(2) and the kernel's tables). So one of NEWEST_ROW neighbours is looked at, until one is known, and then
 * those above it. */
#define NEWEST_ROW 16

static bool is_number(uint32_t token, uint32_t number)
{
	char *name = seccomp_syscall_resolve_num_arch(token, (int)number);

	free(name);
	return name != NULL;
}

static uint32_t highest_number(uint32_t token, uint32_t base)
{
	uint32_t low = base + SECCOMP_NUMBERS_END;

	do {
		if (low == base)
			return UINT32_MAX;
		low -= NEWEST_ROW;
	} while (!is_number(token, low));
	for (uint32_t number = low + NEWEST_ROW - 1; number > low; number--)
		if (is_number(token, number))
			return number;
	return low;
}
_Static_assert(SECCOMP_NUMBERS_END % NEWEST_ROW == 0, "the search ends at 0");

/* Numbers from `base` on: those above `highest` are ENOSYS, the others are the filter's. */
static void emit_range(struct prologue *p, uint32_t base, uint32_t highest)
{
	if (base > 0)
		emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, base);
	emit(p, BPF_JMP | BPF_JGT | BPF_K, TO_ENOSYS, TO_FILTER, highest);
}

static void emit_arch(struct prologue *p, const struct compiler *c, enum profile_arch arch)
{
	uint32_t token = arches[arch].token; /* the kernel's AUDIT_ARCH_* */
	unsigned check;

	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	check = p->length;
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, token);
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	/* x32 has amd64's AUDIT_ARCH and a bit in its numbers (syscall(2)). Not of the program: libseccomp's own check
	 * of the bit decides. */
	if (arch == PROFILE_X86_64 && (c->arches & UINT32_C(1) << PROFILE_X32) != 0)
		emit_range(p, X32_BIT, highest_number(SCMP_ARCH_X32, X32_BIT));
	else if (arch == PROFILE_X86_64)
		emit_range(p, X32_BIT, UINT32_MAX);
	if (arch == PROFILE_ARM)
		emit_range(p, ARM_PRIVATE, UINT32_MAX);
	emit_range(p, 0, highest_number(token, 0));
	p->insn[check].jf = (uint8_t)(p->length - check - 1);
}

/* A libc that meets a syscall newer than the profile must see ENOSYS to fall back to an older one; EPERM looks like a
 * refusal by the kernel. libseccomp cannot say "every number above", so that these instructions stand before its own,
 * which begin by loading the architecture and need nothing of ours. */
static void make_prologue(const struct compiler *c, struct prologue *p)
{
	p->length = 0;
	if (c->context->linear || c->profile->default_action != PROFILE_ERRNO || c->profile->default_errno == ENOSYS)
		return;
	for (unsigned i = 0; i < PROFILE_ARCH_COUNT; i++)
		if ((c->arches & UINT32_C(1) << i) != 0 && arches[i].low)
			emit_arch(p, c, (enum profile_arch)i);
	if (p->length == 0)
		return;
	emit(p, BPF_JMP | BPF_JA, 0, 0, 1);
	emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
	for (unsigned i = 0; i < p->length; i++) {
		struct sock_filter *insn = &p->insn[i];
		uint8_t *targets[] = { &insn->jt, &insn->jf };

		for (unsigned t = 0; t < 2; t++)
			if (*targets[t] == TO_ENOSYS || *targets[t] == TO_FILTER)
				*targets[t] = (uint8_t)(p->length - i - 1 - (*targets[t] == TO_ENOSYS));
	}
}
/* Per architecture a load, its check, a load and two ranges of at most two: three architectures of a family at most. */
_Static_assert(3 * 7 + 2 <= PROLOGUE_MAX, "room for the prologue");

/* ---- bytes ---- */

/* seccomp_export_bpf(3) writes to a descriptor, in one write(2). */
static int export_filter(struct compiler *c, const struct prologue *p, struct seccomp_program *ret_program)
{
	cleanup_close int fd = memfd_create("seccomp", MFD_CLOEXEC);
	const size_t room = (BPF_MAXINSNS - p->length) * sizeof(struct sock_filter);
	ssize_t bytes;
	off_t size;
	int rc;

	if (fd < 0)
		return complain(c->why, errno, "%.256s: memfd_create: %s", c->file, strerror(errno));
	rc = seccomp_export_bpf(c->filter, fd);
	if (rc < 0)
		return failed(c, rc, "generating the filter");
	size = lseek(fd, 0, SEEK_END);
	if (size > (off_t)room)
		return complain(c->why, E2BIG, "%.256s: %zu instructions, the kernel takes %d", c->file,
			(size_t)size / sizeof(struct sock_filter) + p->length, BPF_MAXINSNS);
	if (size <= 0 || size % (off_t)sizeof(struct sock_filter) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		return failed(c, -EIO, "generating the filter");
	bytes = fd_read_all(fd, ret_program->insn + p->length, (size_t)size);
	if (bytes != size)
		return failed(c, bytes < 0 ? (int)bytes : -EIO, "reading the filter");
	memcpy(ret_program->insn, p->insn, p->length * sizeof p->insn[0]);
	ret_program->length = (uint32_t)((size_t)size / sizeof(struct sock_filter)) + p->length;
	return 0;
}

static void set_flags(const struct profile *profile, struct seccomp_program *ret_program)
{
	/* TSYNC is not handed out: who applies the program has one thread. */
	ret_program->flags = (profile->flags & PROFILE_FLAG_LOG ? SECCOMP_FILTER_FLAG_LOG : 0) |
		(profile->flags & PROFILE_FLAG_SPEC_ALLOW ? SECCOMP_FILTER_FLAG_SPEC_ALLOW : 0);
	ret_program->listener_flags = profile->flags & PROFILE_FLAG_WAIT_KILLABLE_RECV
		? SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
		: 0;
}

int seccomp_compile_profile(const char *file, const struct profile *profile, const struct seccomp_context *context,
	struct seccomp_program *ret_program, struct seccomp_warnings *ret_warnings, struct complaint *ret_why)
{
	__attribute__((cleanup(release_filter))) scmp_filter_ctx filter = NULL;
	struct compiler c = { .file = file, .profile = profile, .context = context, .why = ret_why };
	cleanup_free struct seccomp_warnings *warnings = calloc(1, sizeof *warnings);
	struct prologue prologue;
	int rc;

	if (warnings == NULL)
		return complain(ret_why, ENOMEM, "%.256s: out of memory", file);
	c.warnings = warnings;
	c.default_action = action_value(profile->default_action, profile->default_errno);
	seccomp_api_set(LIBSECCOMP_API_LEVEL);
	filter = c.filter = seccomp_init(c.default_action);
	if (filter == NULL)
		return complain(ret_why, EINVAL, "%.256s: libseccomp refuses %s as the default action", file,
			profile_action_name(profile->default_action));
	rc = set_arches(&c);
	if (rc == 0)
		rc = set_attributes(&c);
	if (rc == 0)
		rc = add_rules(&c);
	if (rc < 0)
		return rc;
	make_prologue(&c, &prologue);
	rc = export_filter(&c, &prologue, ret_program);
	if (rc < 0)
		return rc;
	set_flags(profile, ret_program);
	ret_program->default_action = c.default_action;
	*ret_warnings = *warnings;
	return 0;
}

/* A compiled program rather than a text: its first instruction's code is 16 bits with a high byte of zero, and no JSON
 * has a NUL. */
static bool is_compiled(const char *bytes, size_t length)
{
	return length >= sizeof(struct sock_filter) && bytes[1] == '\0';
}

/* Neither that nor a text: JSON would be blamed for what it never was. */
static bool is_binary(const char *bytes, size_t length)
{
	const unsigned char first = (unsigned char)bytes[0];

	if (first == '{' || first == 0xef) /* begun as JSON, or with a byte order mark */
		return false;
	return memchr(bytes, '\0', length) != NULL || first >= 0x7f || (first < ' ' && strchr("\t\r\n", first) == NULL);
}

static int take_compiled(const char *path, const char *bytes, size_t length, struct seccomp_program *ret_program,
	struct complaint *ret_why)
{
	size_t count = length / sizeof(struct sock_filter);

	if (length % sizeof(struct sock_filter) != 0 || count > BPF_MAXINSNS)
		return complain(ret_why, EINVAL,
			"%.256s: expected 1 to %d BPF instructions of %zu bytes, not %zu bytes", path, BPF_MAXINSNS,
			sizeof(struct sock_filter), length);
	memcpy(ret_program->insn, bytes, length);
	ret_program->length = (uint32_t)count;
	ret_program->flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW; /* as of a JSON that says nothing: read_flags() */
	ret_program->listener_flags = 0;
	ret_program->default_action = SECCOMP_DEFAULT_UNKNOWN;
	return 0;
}

int seccomp_read_file(const char *path, const struct seccomp_context *context, struct json **ret_json,
	struct profile **ret_profile, struct seccomp_program *ret_program, struct seccomp_warnings *ret_warnings,
	struct complaint *ret_why)
{
	cleanup_json struct json *json = NULL;
	cleanup_profile struct profile *profile = NULL;
	cleanup_free char *text = NULL;
	size_t length;
	int rc = json_read_text(path, SECCOMP_FILE_MAX, &text, &length, ret_why);

	if (rc < 0)
		return rc;
	if (is_compiled(text, length)) {
		rc = take_compiled(path, text, length, ret_program, ret_why);
		if (rc == 0)
			ret_warnings->count = 0;
	} else if (is_binary(text, length)) {
		rc = complain(ret_why, EINVAL, "%.256s: neither JSON nor a filter as seccomp compile writes it", path);
	} else {
		rc = json_parse(path, text, length, &json, ret_why);
		if (rc == 0)
			rc = profile_read(json, &profile, ret_why);
		if (rc == 0)
			rc = seccomp_compile_profile(path, profile, context, ret_program, ret_warnings, ret_why);
	}
	if (rc < 0)
		return rc;
	*ret_json = take_pointer(&json);
	*ret_profile = take_pointer(&profile);
	return 0;
}

int seccomp_compile_file(const char *path, const struct seccomp_context *context, struct seccomp_program *ret_program,
	struct seccomp_warnings *ret_warnings, struct complaint *ret_why)
{
	cleanup_json struct json *json = NULL;
	cleanup_profile struct profile *profile = NULL;

	return seccomp_read_file(path, context, &json, &profile, ret_program, ret_warnings, ret_why);
}

uint32_t seccomp_audit_arch(enum profile_arch arch)
{
	return arches[arch].token; /* libseccomp's tokens are the kernel's, but for x32 */
}

int seccomp_syscall_name(enum profile_arch arch, uint32_t number, char *ret_name, size_t size)
{
	cleanup_free char *name = NULL;

	if (arches[arch].token != 0)
		name = seccomp_syscall_resolve_num_arch(arches[arch].token, (int)number);
	if (name == NULL || strlen(name) >= size)
		return -ENOENT;
	strcpy(ret_name, name);
	return 0;
}

void seccomp_context_native(uint64_t caps, struct seccomp_context *ret_context)
{
	struct seccomp_context context = { .profile.caps = caps };
	struct utsname name;

#if defined(__x86_64__) && !defined(__ILP32__)
	context.profile.arch = PROFILE_X86_64;
#elif defined(__aarch64__)
	context.profile.arch = PROFILE_AARCH64;
#else
#error "nest-init is built for amd64 and arm64"
#endif
	if (uname(&name) == 0)
		sscanf(name.release, "%5u.%5u", &context.profile.kernel_major, &context.profile.kernel_minor);
	*ret_context = context;
}
