#include "seccomp-profiles/commands.h"

#include "base/capname.h"
#include "base/cleanup.h"
#include "seccomp-profiles/verdict_text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

int command_refuse(const char *what, const char *why)
{
	fprintf(stderr, "nest-init seccomp: %s: %s\n", what, why);
	return EXIT_REFUSED;
}

int command_refuse_option(int code, char *const *argv)
{
	char letter[3] = { '-', (char)optopt, '\0' };
	const char *word = optopt > 0 && optopt < 256 ? letter : argv[optind - 1];

	return command_refuse(word, code == ':' ? "takes an argument" : "unknown option; see --help");
}

/* capabilities(7): a capability above the kernel's last is EINVAL. */
static uint64_t bounding_set(void)
{
	uint64_t caps = 0;

	for (unsigned cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			caps |= UINT64_C(1) << cap;
	return caps;
}

/* all, none, or names with commas between them. */
static int parse_caps(const char *list, uint64_t *ret_caps)
{
	uint64_t caps = 0;
	char name[64];

	if (strcmp(list, "none") == 0) {
		*ret_caps = 0;
		return 0;
	}
	for (;;) {
		size_t length = strcspn(list, ",");
		uint64_t bits;

		if (length == 0 || length >= sizeof name)
			return -EINVAL;
		memcpy(name, list, length);
		name[length] = '\0';
		if (capname_parse(name, &bits) < 0)
			return -EINVAL;
		caps |= bits;
		if (list[length] == '\0')
			break;
		list += length + 1;
	}
	*ret_caps = caps;
	return 0;
}

void command_context(struct seccomp_context *ret_context)
{
	seccomp_context_native(bounding_set(), ret_context);
}

int command_take_caps(const char *list, struct seccomp_context *context)
{
	return parse_caps(list, &context->profile.caps) < 0 ? command_refuse(list, "not a list of capabilities") : 0;
}

int command_take_arch(const char *name, struct seccomp_context *context)
{
	enum profile_arch arch;

	if (profile_arch_find(name, &arch) < 0 || (arch != PROFILE_X86_64 && arch != PROFILE_AARCH64))
		return command_refuse(name, "the architectures are amd64 and arm64");
	context->profile.arch = arch;
	return 0;
}

int command_help(const char *help)
{
	return fputs(help, stdout) < 0 || fflush(stdout) != 0 ? EXIT_REFUSED : 0;
}

int command_open(const char *name, struct seccomp_context *context, struct source *ret_source)
{
	struct complaint why;
	char text[1024];

	context->allow_notify = true; /* nothing is loaded */
	if (source_open(name, context, ret_source, &why) < 0) {
		fprintf(stderr, "nest-init seccomp: %s\n", why.text);
		return EXIT_REFUSED;
	}
	seccomp_warnings_text(name, &ret_source->warnings, text, sizeof text);
	if (ret_source->warnings.count > 0)
		fprintf(stderr, "nest-init seccomp: %s\n", text);
	return 0;
}

void command_json_verdict(struct json_writer *json, const char *key, const struct filter_verdict *verdict)
{
	cleanup_free char *text = NULL;
	size_t length;
	FILE *memory = open_memstream(&text, &length);

	if (memory == NULL)
		return;
	filter_verdict_print(memory, verdict);
	if (fclose(memory) == 0)
		json_write_text(json, key, text);
}
