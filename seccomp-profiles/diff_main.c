/* `nest-init seccomp diff`: what one set of filters allows and the other does not. */
#include "seccomp-profiles/commands.h"

#include "base/cleanup.h"
#include "seccomp-profiles/verdict_text.h"

#include <errno.h>
#include <getopt.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: nest-init seccomp diff A B [OPTION...]\n"
	"Say which system calls B allows and A does not (+), the reverse (-), and what else differs (~); of the\n"
	"kernel's other architectures (x86 and x32 beside amd64, arm beside arm64) only how many.\n"
	"\n"
	"A and B are profiles of ours (default, logger, monitor, nginx, node), FILEs (JSON, or BPF as compile writes\n"
	"it), or pid:PID, the filters of a running process.\n"
	"\n"
	"  --caps LIST  what includes and excludes test: all, none or NAME,NAME (the bounding set here)\n"
	"  --arch NAME  amd64 or arm64 (this one's)\n"
	"  --json       for machines\n"
	"  --help       show this\n"
	"\n"
	"Exit status: 0 the same, 1 different, 125 refused; one line on standard error says why and where.\n";

enum option_code { OPTION_CAPS = 256, OPTION_ARCH, OPTION_JSON, OPTION_HELP }; /* above any character */

static const struct option options[] = {
	{ "caps", required_argument, NULL, OPTION_CAPS },
	{ "arch", required_argument, NULL, OPTION_ARCH },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* GAINED and LOST: of some arguments one, of others the other. */
enum change { SAME, GAINED, LOST, CHANGED };

/* What is compared: both sides apart, and both with the same arguments. */
struct comparison {
	struct source side[2];
	struct filter_program *both;
	struct filter_verdict *verdict[2], *joint;
	unsigned count[CHANGED + 1];
	bool identical;
};

/* The architectures of a kernel, and where their numbers begin. */
static const struct space {
	enum profile_arch target, arch, audit; /* x32 has amd64's AUDIT_ARCH (syscall(2)) */
	uint32_t base;
} spaces[] = {
	{ PROFILE_X86_64, PROFILE_X86_64, PROFILE_X86_64, 0 },
	{ PROFILE_X86_64, PROFILE_X86, PROFILE_X86, 0 },
	{ PROFILE_X86_64, PROFILE_X32, PROFILE_X86_64, 0x40000000 },
	{ PROFILE_AARCH64, PROFILE_AARCH64, PROFILE_AARCH64, 0 },
	{ PROFILE_AARCH64, PROFILE_ARM, PROFILE_ARM, 0 },
};

static bool allows(uint32_t action)
{
	return filter_compare_actions(action, SECCOMP_RET_LOG) >= 0;
}

static enum change compare(const struct filter_verdict *joint)
{
	bool gained = false, lost = false, changed = false;

	for (size_t i = 0; i < joint->count; i++) {
		const uint32_t *action = joint->cases[i].action;

		gained |= allows(action[1]) && !allows(action[0]);
		lost |= allows(action[0]) && !allows(action[1]);
		changed |= action[0] != action[1];
	}
	if (!joint->complete || (gained && lost))
		return CHANGED;
	return gained ? GAINED : lost ? LOST : changed ? CHANGED : SAME;
}

/* The same programs: nothing is to be found, and of some too much would have to be looked at. */
static bool are_identical(const struct source side[2])
{
	if (side[0].count != side[1].count)
		return false;
	for (size_t i = 0; i < side[0].count; i++) {
		const struct filter_program *a = &side[0].programs[i], *b = &side[1].programs[i];

		if (a->length != b->length || memcmp(a->insn, b->insn, a->length * sizeof a->insn[0]) != 0)
			return false;
	}
	return true;
}

static enum change compare_number(struct comparison *c, const struct space *space, uint32_t number)
{
	uint32_t audit_arch = seccomp_audit_arch(space->audit);
	size_t count = c->side[0].count;
	enum change change;

	filter_simulate(c->both, count + c->side[1].count, count, audit_arch, number, c->joint);
	change = compare(c->joint);
	if (change == SAME)
		return SAME;
	for (unsigned i = 0; i < 2; i++) {
		filter_simulate(
			c->side[i].programs, c->side[i].count, c->side[i].count, audit_arch, number, c->verdict[i]);
		filter_simplify(c->verdict[i]);
	}
	c->count[change]++;
	return change;
}

static void tell_text(const struct comparison *c, enum change change, const char *name)
{
	printf("%c %-24s", " +-~"[change], name);
	filter_verdict_print(stdout, c->verdict[0]);
	fputs(" => ", stdout);
	filter_verdict_print(stdout, c->verdict[1]);
	putchar('\n');
}

static void tell_json(struct json_writer *json, const struct comparison *c, enum change change, const char *name)
{
	static const char words[][8] = { "", "gained", "lost", "changed" };

	json_write_object(json, NULL);
	json_write_text(json, "name", name);
	json_write_text(json, "change", words[change]);
	command_json_verdict(json, "a", c->verdict[0]);
	command_json_verdict(json, "b", c->verdict[1]);
	json_write_end(json);
}

/* `json` is NULL for people. The last number stands for all that are newer. */
static void tell_calls(struct comparison *c, const struct space *space, struct json_writer *json)
{
	char name[COMMAND_NAME_SIZE];

	for (uint32_t number = 0; number < SECCOMP_NUMBERS_END; number++) {
		enum change change;

		if (number == SECCOMP_NUMBERS_END - 1)
			snprintf(name, sizeof name, "(newer)");
		else if (seccomp_syscall_name(space->arch, space->base + number, name, sizeof name) < 0)
			continue;
		change = c->identical ? SAME : compare_number(c, space, space->base + number);
		if (change == SAME || space->arch != space->target)
			continue;
		if (json == NULL)
			tell_text(c, change, name);
		else
			tell_json(json, c, change, name);
	}
}

static void tell_counts(const struct comparison *c, const struct space *space, struct json_writer *json)
{
	const char *arch = profile_arch_go_name(space->arch);

	if (json == NULL) {
		printf("%s: %u gained, %u lost, %u changed\n", arch, c->count[GAINED], c->count[LOST],
			c->count[CHANGED]);
		return;
	}
	json_write_object(json, arch);
	json_write_u64(json, "gained", c->count[GAINED]);
	json_write_u64(json, "lost", c->count[LOST]);
	json_write_u64(json, "changed", c->count[CHANGED]);
	json_write_end(json);
}

/* Returns true if there is a difference. */
static bool tell(struct comparison *c, enum profile_arch target, struct json_writer *json)
{
	bool differs = false;

	for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
		if (spaces[i].target != target)
			continue;
		memset(c->count, 0, sizeof c->count);
		if (json != NULL && spaces[i].arch == target)
			json_write_array(json, "syscalls");
		tell_calls(c, &spaces[i], json);
		if (json != NULL && spaces[i].arch == target) {
			json_write_end(json);
			json_write_object(json, "count");
		}
		tell_counts(c, &spaces[i], json);
		differs |= c->count[GAINED] + c->count[LOST] + c->count[CHANGED] > 0;
	}
	return differs;
}

static bool tell_all(struct comparison *c, enum profile_arch target, bool as_json)
{
	struct json_writer json;
	bool differs;

	if (!as_json)
		return tell(c, target, NULL);
	json_write_begin(&json, stdout);
	json_write_text(&json, "a", c->side[0].name);
	json_write_text(&json, "b", c->side[1].name);
	differs = tell(c, target, &json);
	json_write_end(&json);
	json_write_finish(&json);
	return differs;
}

/* The programs of both sides in one list. */
static int join(struct comparison *c)
{
	size_t first = c->side[0].count, second = c->side[1].count;

	c->both = calloc(first + second + 1, sizeof *c->both);
	c->joint = malloc(sizeof *c->joint);
	for (unsigned i = 0; i < 2; i++)
		c->verdict[i] = malloc(sizeof *c->verdict[i]);
	if (c->both == NULL || c->joint == NULL || c->verdict[0] == NULL || c->verdict[1] == NULL)
		return command_refuse("diff", strerror(ENOMEM));
	for (size_t i = 0; i < first + second; i++)
		c->both[i] = i < first ? c->side[0].programs[i] : c->side[1].programs[i - first];
	return 0;
}

static int diff(struct comparison *c, char **names, struct seccomp_context *context, bool as_json)
{
	int rc = command_open(names[0], context, &c->side[0]);
	bool differs;

	if (rc == 0)
		rc = command_open(names[1], context, &c->side[1]);
	if (rc == 0)
		rc = join(c);
	if (rc != 0)
		return rc;
	c->identical = are_identical(c->side);
	differs = tell_all(c, context->profile.arch, as_json);
	return fflush(stdout) == 0 ? differs : command_refuse("standard output", strerror(errno));
}

static void free_comparison(struct comparison *c)
{
	for (unsigned i = 0; i < 2; i++) {
		source_close(&c->side[i]);
		free(c->verdict[i]);
	}
	free(c->both);
	free(c->joint);
}

int seccomp_diff_main(int argc, char **argv)
{
	__attribute__((cleanup(free_comparison))) struct comparison c = { .both = NULL };
	struct seccomp_context context;
	bool as_json = false, wants_help = false;
	int code, rc = 0;

	command_context(&context);
	opterr = 0;
	optind = 0; /* glibc and musl: start afresh, whatever was parsed before */
	while (rc == 0 && (code = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (code == OPTION_CAPS)
			rc = command_take_caps(optarg, &context);
		else if (code == OPTION_ARCH)
			rc = command_take_arch(optarg, &context);
		else if (code == OPTION_JSON || code == OPTION_HELP)
			*(code == OPTION_JSON ? &as_json : &wants_help) = true;
		else
			rc = command_refuse_option(code, argv);
	}
	if (rc != 0)
		return rc;
	if (wants_help)
		return command_help(help);
	if (argc - optind != 2)
		return command_refuse("diff", "takes two sources; see nest-init seccomp diff --help");
	return diff(&c, argv + optind, &context, as_json);
}
