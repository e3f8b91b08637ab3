/* Runs while nest-init is built: compiles the profiles of this folder for the target's architecture into a C source.
 *     embed-profiles ARCH OUT.c PROFILE.json... */
#include "base/cleanup.h"
#include "base/sha256.h"
#include "seccomp-profiles/compile.h"
#include "seccomp-profiles/embedded.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct seccomp_program program;
static struct seccomp_warnings warnings;

/* The file's name without its folder and ".json". */
static int profile_name(const char *path, char *ret_name, size_t size)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	size_t length = strlen(name);

	if (length <= 5 || strcmp(name + length - 5, ".json") != 0 || length - 5 >= size)
		return -EINVAL;
	memcpy(ret_name, name, length - 5);
	ret_name[length - 5] = '\0';
	return 0;
}

static int compile(const char *path, const struct seccomp_context *context, struct embedded_profile *ret_profile,
	struct complaint *ret_why)
{
	cleanup_json struct json *json = NULL;
	cleanup_profile struct profile *profile = NULL;
	struct embedded_profile found = { .length = 0 };
	int rc = profile_name(path, found.name, sizeof found.name);

	if (rc < 0)
		return complain(ret_why, -rc, "%.256s: expected NAME.json, NAME of 1 to %zu letters", path,
			sizeof found.name - 1);
	rc = json_parse_file(path, SECCOMP_FILE_MAX, &json, ret_why);
	if (rc == 0)
		rc = profile_read(json, &profile, ret_why);
	if (rc == 0)
		rc = seccomp_compile_profile(path, profile, context, &program, &warnings, ret_why);
	if (rc < 0)
		return rc;
	snprintf(found.default_action, sizeof found.default_action, "%s", profile_action_name(profile->default_action));
	sha256_hex(program.insn, program.length * sizeof program.insn[0], found.sha256);
	found.length = (uint16_t)program.length;
	found.flags = program.flags;
	*ret_profile = found;
	return 0;
}

static void write_insns(FILE *out, const char *name)
{
	fprintf(out, "\t/* %s */\n", name);
	for (uint32_t i = 0; i < program.length; i++)
		fprintf(out, "\t{ 0x%02x, %u, %u, 0x%08x },\n", program.insn[i].code, program.insn[i].jt,
			program.insn[i].jf, program.insn[i].k);
}

static void write_profile(FILE *out, const struct embedded_profile *profile)
{
	fprintf(out, "\t{ \"%s\", \"%s\",\n\t\t\"%s\",\n\t\t%u, %u, %u },\n", profile->name, profile->default_action,
		profile->sha256, profile->length, profile->first, profile->flags);
}

static int embed(FILE *out, const struct seccomp_context *context, char **paths, int count, struct complaint *ret_why)
{
	cleanup_free struct embedded_profile *profiles = calloc((size_t)count, sizeof *profiles);
	uint32_t first = 0;

	if (profiles == NULL)
		return complain(ret_why, ENOMEM, "out of memory");
	fprintf(out,
		"/* Written by embed_main.c. */\n#include \"seccomp-profiles/embedded_data.h\"\n\n"
		"const struct sock_filter embedded_insns[] = {\n");
	for (int i = 0; i < count; i++) {
		int rc = compile(paths[i], context, &profiles[i], ret_why);

		if (rc < 0)
			return rc;
		profiles[i].first = first;
		first += profiles[i].length;
		write_insns(out, profiles[i].name);
	}
	fprintf(out, "};\n\nconst struct embedded_profile embedded_profiles[] = {\n");
	for (int i = 0; i < count; i++)
		write_profile(out, &profiles[i]);
	fprintf(out, "\t{ \"\", \"\", \"\", 0, 0, 0 },\n};\n");
	return 0;
}

int main(int argc, char **argv)
{
	/* Strict: a name that this libseccomp does not know is a mistake of ours. No capability, no kernel version: an
	 * embedded profile must not depend on the machine that builds it. Killing is not what these are for: a program
	 * of a foreign architecture gets the default action as well. */
	struct seccomp_context context = { .strict = true, .foreign_as_default = true };
	struct complaint why;
	FILE *out;

	if (argc < 4 || profile_arch_find(argv[1], &context.profile.arch) < 0) {
		fprintf(stderr, "usage: embed-profiles amd64|arm64 OUT.c PROFILE.json...\n");
		return 2;
	}
	out = fopen(argv[2], "we");
	if (out == NULL) {
		perror(argv[2]);
		return 1;
	}
	if (embed(out, &context, argv + 3, argc - 3, &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		fclose(out);
		remove(argv[2]);
		return 1;
	}
	if (fclose(out) != 0) {
		perror(argv[2]);
		return 1;
	}
	return 0;
}
