/* `nest-init seccomp explain`: what happens to each system call, and which rule says so. */
#include "seccomp-profiles/commands.h"

#include "base/cleanup.h"
#include "base/json_write.h"
#include "seccomp-profiles/rule_text.h"
#include "seccomp-profiles/source.h"
#include "seccomp-profiles/verdict_text.h"

#include <errno.h>
#include <getopt.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: nest-init seccomp explain SOURCE [SYSCALL...] [OPTION...]\n"
	"Say what happens to each system call, or to those that are named (by name or number), and why.\n"
	"\n"
	"SOURCE is a profile of ours (default, logger, monitor, nginx, node), a FILE (JSON, or BPF as compile writes\n"
	"it), or pid:PID: the filters of a running process, of which the strictest answer counts. To read them\n"
	"takes CAP_SYS_ADMIN and no filter on oneself; the process stands still for that moment.\n"
	"\n"
	"  --pid PID    the same as pid:PID\n"
	"  --caps LIST  what includes and excludes test: all, none or NAME,NAME (the bounding set here)\n"
	"  --arch NAME  amd64 or arm64 (this one's); a profile of ours is here for this one alone\n"
	"  --json       for machines\n"
	"  --help       show this\n"
	"\n"
	"Exit status: 0 done, 125 refused; one line on standard error says why and where.\n";

enum option_code { OPTION_PID = 256, OPTION_CAPS, OPTION_ARCH, OPTION_JSON, OPTION_HELP }; /* above any character */

static const struct option options[] = {
	{ "pid", required_argument, NULL, OPTION_PID },
	{ "caps", required_argument, NULL, OPTION_CAPS },
	{ "arch", required_argument, NULL, OPTION_ARCH },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

struct request {
	struct seccomp_context context;
	char pid[32]; /* "pid:PID" */
	bool as_json, wants_help;
};

#define COLUMN 24
#define SCREEN_WIDTH 80

/* Everything has one subject: this command ends when it has said it. */
static struct source source;
static struct request request;
static struct filter_verdict *verdict;
static struct named {
	uint32_t number, action;
	bool plain;
	char name[COMMAND_NAME_SIZE];
} calls[SECCOMP_NUMBERS_END];
static size_t call_count;

static void judge(uint32_t number)
{
	filter_simulate(source.programs, source.count, source.count, seccomp_audit_arch(request.context.profile.arch),
		number, verdict);
	filter_simplify(verdict);
}

/* ---- why ---- */

static const char *no_rule(void)
{
	bool is_enosys = filter_verdict_is_plain(verdict) &&
		verdict->cases[0].action[0] == (SECCOMP_RET_ERRNO | ENOSYS);

	return is_enosys &&
			!(source.profile->default_action == PROFILE_ERRNO && source.profile->default_errno == ENOSYS)
		? "newer than the profile"
		: "default action";
}

static bool has_rule(const char *name)
{
	for (size_t i = 0; i < source.profile->rule_count; i++)
		if (rule_names(&source.profile->rules[i], name) &&
			profile_rule_applies(&source.profile->rules[i], &request.context.profile))
			return true;
	return false;
}

static void print_comment(const char *comment)
{
	char text[256];

	if (comment == NULL || *comment == '\0')
		return;
	snprintf(text, sizeof text, "%s", comment);
	complaint_flatten(text); /* it goes to a terminal */
	printf(" \"%s\"", text);
}

static void print_rule(const struct profile_rule *rule, bool applies, size_t index)
{
	printf("; %ssyscalls[%zu] (line %u%s", applies ? "" : "not in force: ", index, rule->line,
		rule_has_filters(rule) ? ", " : "");
	rule_filters_print(stdout, rule);
	printf("): %s", profile_action_name(rule->action) + strlen("SCMP_ACT_"));
	if (rule->action == PROFILE_ERRNO && profile_errno_name(rule->errno_ret) != NULL)
		printf("(%s)", profile_errno_name(rule->errno_ret));
	if (rule->arg_count > 0)
		fputs(" where ", stdout);
	rule_args_print(stdout, rule);
	print_comment(rule->comment);
}

static void json_printed(struct json_writer *json, const char *key, const struct profile_rule *rule,
	void (*print)(FILE *out, const struct profile_rule *rule))
{
	cleanup_free char *text = NULL;
	size_t length;
	FILE *memory = open_memstream(&text, &length);

	if (memory == NULL)
		return;
	print(memory, rule);
	if (fclose(memory) == 0 && length > 0)
		json_write_text(json, key, text);
}

static void json_rule(struct json_writer *json, const struct profile_rule *rule, bool applies, size_t index)
{
	json_write_object(json, NULL);
	json_write_u64(json, "index", index);
	json_write_u64(json, "line", rule->line);
	json_write_bool(json, "in_force", applies);
	json_write_text(json, "action", profile_action_name(rule->action));
	json_printed(json, "args", rule, rule_args_print);
	json_printed(json, "filters", rule, rule_filters_print);
	if (rule->comment != NULL)
		json_write_text(json, "comment", rule->comment);
	json_write_end(json);
}

/* For people where `json` is NULL. */
static void tell_why(struct json_writer *json, const char *name)
{
	const struct profile *profile = source.profile;

	if (profile == NULL)
		return;
	if (!has_rule(name) && json == NULL)
		printf("; %s", no_rule());
	if (json != NULL) {
		json_write_text(json, "decided_by", has_rule(name) ? "rules" : no_rule());
		json_write_array(json, "rules");
	}
	for (size_t i = 0; i < profile->rule_count; i++) {
		const struct profile_rule *rule = &profile->rules[i];
		bool applies = profile_rule_applies(rule, &request.context.profile);

		if (!rule_names(rule, name))
			continue;
		if (json == NULL)
			print_rule(rule, applies, i);
		else
			json_rule(json, rule, applies, i);
	}
	if (json != NULL)
		json_write_end(json);
}

/* ---- for people ---- */

static void print_lines(void)
{
	for (size_t i = 0; i < call_count; i++) {
		judge(calls[i].number);
		printf("%-*s", COLUMN, calls[i].name);
		filter_verdict_print(stdout, verdict);
		tell_why(NULL, calls[i].name);
		putchar('\n');
	}
}

/* The names of one answer, as many on a line as it holds. */
static void print_group(uint32_t action)
{
	char text[ACTION_TEXT_SIZE];
	size_t count = 0, at = SCREEN_WIDTH;

	for (size_t i = 0; i < call_count; i++)
		count += calls[i].plain && calls[i].action == action;
	filter_action_text(action, text);
	printf("\n%s (%zu)", text, count);
	for (size_t i = 0; i < call_count; i++) {
		size_t length = strlen(calls[i].name) + 1;

		if (!calls[i].plain || calls[i].action != action)
			continue;
		if (at + length > SCREEN_WIDTH) {
			fputs("\n ", stdout);
			at = 1;
		}
		printf(" %s", calls[i].name);
		at += length;
	}
	putchar('\n');
}

static void print_conditional(void)
{
	size_t count = 0;

	for (size_t i = 0; i < call_count; i++) {
		if (calls[i].plain)
			continue;
		if (count++ == 0)
			puts("\nby arguments");
		judge(calls[i].number);
		printf("  %-*s ", COLUMN - 3, calls[i].name);
		filter_verdict_print(stdout, verdict);
		putchar('\n');
	}
}

/* The next stricter answer than `action` among the calls; false if there is none. */
static bool next_group(bool first, uint32_t *action)
{
	bool found = false;
	uint32_t next = 0;

	for (size_t i = 0; i < call_count; i++) {
		uint32_t here = calls[i].action ^ UINT32_C(1) << 31; /* in the order of signed numbers */

		if (calls[i].plain && (first || here < (*action ^ UINT32_C(1) << 31)) &&
			(!found || here > (next ^ UINT32_C(1) << 31))) {
			next = calls[i].action;
			found = true;
		}
	}
	*action = found ? next : *action;
	return found;
}

static void print_groups(void)
{
	uint32_t action = 0, last = calls[call_count - 1].number;
	bool first = true;

	printf("%s, %s", source.name, profile_arch_go_name(request.context.profile.arch));
	if (source.count != 1)
		printf(", filters: %zu", source.count);
	putchar('\n');
	for (; next_group(first, &action); first = false)
		print_group(action);
	print_conditional();
	judge(last + 1);
	printf("\nnumbers above %u\n  ", last);
	filter_verdict_print(stdout, verdict);
	putchar('\n');
}

/* ---- for machines ---- */

static void print_json(void)
{
	struct json_writer json;

	json_write_begin(&json, stdout);
	json_write_text(&json, "source", source.name);
	json_write_text(&json, "arch", profile_arch_go_name(request.context.profile.arch));
	json_write_u64(&json, "filters", source.count);
	json_write_array(&json, "syscalls");
	for (size_t i = 0; i < call_count; i++) {
		judge(calls[i].number);
		json_write_object(&json, NULL);
		json_write_text(&json, "name", calls[i].name);
		json_write_u64(&json, "number", calls[i].number);
		command_json_verdict(&json, "verdict", verdict);
		json_write_bool(&json, "by_arguments", !filter_verdict_is_plain(verdict));
		tell_why(&json, calls[i].name);
		json_write_end(&json);
	}
	json_write_end(&json);
	json_write_finish(&json);
}

/* ---- what is asked ---- */

static void add_call(uint32_t number, const char *name)
{
	struct named *call = &calls[call_count++];

	call->number = number;
	snprintf(call->name, sizeof call->name, "%s", name);
	judge(number);
	call->plain = filter_verdict_is_plain(verdict);
	call->action = call->plain ? verdict->cases[0].action[0] : 0;
}

static void add_all(void)
{
	char name[COMMAND_NAME_SIZE];

	for (uint32_t number = 0; number < SECCOMP_NUMBERS_END; number++)
		if (seccomp_syscall_name(request.context.profile.arch, number, name, sizeof name) == 0)
			add_call(number, name);
}

/* A name of this architecture, or a number, with or without a name. */
static int add_named(const char *word)
{
	char name[COMMAND_NAME_SIZE], *end;
	unsigned long number = strtoul(word, &end, 0);

	if (call_count == SECCOMP_NUMBERS_END)
		return command_refuse(word, "more system calls than there are");
	if (*word >= '0' && *word <= '9' && *end == '\0' && number <= UINT32_MAX) {
		if (seccomp_syscall_name(request.context.profile.arch, (uint32_t)number, name, sizeof name) < 0)
			snprintf(name, sizeof name, "%lu", number);
		add_call((uint32_t)number, name);
		return 0;
	}
	for (uint32_t i = 0; i < SECCOMP_NUMBERS_END; i++)
		if (seccomp_syscall_name(request.context.profile.arch, i, name, sizeof name) == 0 &&
			strcmp(name, word) == 0) {
			add_call(i, name);
			return 0;
		}
	return command_refuse(word, "no system call of this architecture that libseccomp knows; give its number");
}

static int take_option(int code, char *const *argv)
{
	switch (code) {
	case OPTION_PID:
		snprintf(request.pid, sizeof request.pid, "pid:%s", optarg);
		return 0;
	case OPTION_CAPS:
		return command_take_caps(optarg, &request.context);
	case OPTION_ARCH:
		return command_take_arch(optarg, &request.context);
	case OPTION_JSON:
		request.as_json = true;
		return 0;
	case OPTION_HELP:
		request.wants_help = true;
		return 0;
	default:
		return command_refuse_option(code, argv);
	}
}

static int explain(const char *name, char **words)
{
	int rc = command_open(name, &request.context, &source);

	if (rc != 0)
		return rc;
	for (char **word = words; *word != NULL; word++) {
		rc = add_named(*word);
		if (rc != 0)
			return rc;
	}
	if (*words == NULL)
		add_all();
	if (request.as_json)
		print_json();
	else
		(*words == NULL ? print_groups : print_lines)();
	return fflush(stdout) == 0 ? 0 : command_refuse("standard output", strerror(errno));
}

int seccomp_explain_main(int argc, char **argv)
{
	int code, rc = 0;

	command_context(&request.context);
	opterr = 0;
	optind = 0; /* glibc and musl: start afresh, whatever was parsed before */
	while (rc == 0 && (code = getopt_long(argc, argv, ":", options, NULL)) != -1)
		rc = take_option(code, argv);
	if (rc != 0)
		return rc;
	if (request.wants_help)
		return command_help(help);
	if (*request.pid == '\0' && optind == argc)
		return command_refuse("explain", "takes a SOURCE; see nest-init seccomp explain --help");
	verdict = malloc(sizeof *verdict);
	if (verdict == NULL)
		return command_refuse("explain", strerror(ENOMEM));
	if (*request.pid != '\0')
		rc = explain(request.pid, argv + optind);
	else
		rc = explain(argv[optind], argv + optind + 1);
	source_close(&source);
	free(verdict);
	return rc;
}
