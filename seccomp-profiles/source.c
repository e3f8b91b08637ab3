#include "seccomp-profiles/source.h"

#include "base/cleanup.h"
#include "seccomp-profiles/embedded.h"
#include "seccomp-profiles/process_filters.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int check_programs(const struct source *source, struct complaint *ret_why)
{
	for (size_t i = 0; i < source->count; i++) {
		size_t at;

		if (filter_check(source->programs[i].insn, source->programs[i].length, &at) < 0)
			return complain(ret_why, EINVAL, "%.256s: instruction %zu is none that seccomp(2) takes there",
				source->name, at);
	}
	return 0;
}

static int take_one(struct source *source, const struct sock_filter *insn, size_t length, struct complaint *ret_why)
{
	source->programs = malloc(sizeof *source->programs);
	if (source->programs == NULL)
		return complain(ret_why, ENOMEM, "%.256s: out of memory", source->name);
	source->programs[0] = (struct filter_program){ insn, length };
	source->count = 1;
	return check_programs(source, ret_why);
}

static int open_own(
	struct source *source, const struct embedded_profile *own, enum profile_arch arch, struct complaint *ret_why)
{
	struct seccomp_context native;

	seccomp_context_native(0, &native);
	if (arch != native.profile.arch)
		return complain(ret_why, EINVAL,
			"%s: our own profiles are here for %s alone: for another take seccomp-profiles/%s.json of the "
			"source",
			own->name, profile_arch_go_name(native.profile.arch), own->name);
	return take_one(source, embedded_insn(own), own->length, ret_why);
}

int source_find(const char *name, struct complaint *ret_why)
{
	if (embedded_find(name) != NULL || strchr(name, '/') != NULL || access(name, F_OK) == 0)
		return 0;
	return complain(ret_why, ENOENT,
		"'%.256s' is neither a profile of ours (default, logger, monitor, nginx, node) nor a file", name);
}

static int open_file(struct source *source, const struct seccomp_context *context, struct complaint *ret_why)
{
	int rc = source_find(source->name, ret_why);

	if (rc < 0)
		return rc;
	source->compiled = malloc(sizeof *source->compiled);
	if (source->compiled == NULL)
		return complain(ret_why, ENOMEM, "%.256s: out of memory", source->name);
	rc = seccomp_read_file(
		source->name, context, &source->json, &source->profile, source->compiled, &source->warnings, ret_why);
	return rc < 0 ? rc : take_one(source, source->compiled->insn, source->compiled->length, ret_why);
}

int source_open(
	const char *name, const struct seccomp_context *context, struct source *ret_source, struct complaint *ret_why)
{
	const struct embedded_profile *own = embedded_find(name);
	int rc;

	*ret_source = (struct source){ .name = name };
	if (own != NULL)
		return open_own(ret_source, own, context->profile.arch, ret_why);
	if (strncmp(name, "pid:", 4) != 0)
		return open_file(ret_source, context, ret_why);
	rc = process_filters(name + 4, &ret_source->insn, &ret_source->programs, &ret_source->count, ret_why);
	return rc < 0 ? rc : check_programs(ret_source, ret_why);
}

void source_close(struct source *source)
{
	profile_free(source->profile);
	json_free(source->json);
	free(source->compiled);
	free(source->programs);
	free(source->insn);
}
