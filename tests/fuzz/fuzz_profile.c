/* libFuzzer: looks for a text that breaks the reading of JSON, of a profile in it, or the sentences about its rules.
 * Built and run by tests/fuzz/run. */
#include "base/cleanup.h"
#include "seccomp-profiles/rule_text.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void look_at(const struct profile *profile)
{
	const struct profile_context context = { .caps = 1, .arch = PROFILE_X86_64, .kernel_major = 6 };
	cleanup_free char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	require(out != NULL, "out of memory");
	for (size_t i = 0; i < profile->rule_count; i++) {
		const struct profile_rule *rule = &profile->rules[i];

		require(rule->name_count > 0, "a rule without a name");
		require(rule_names(rule, rule->names[rule->name_count - 1].text), "a rule has its names");
		for (size_t arg = 0; arg < rule->arg_count; arg++)
			require(rule->args[arg].index < PROFILE_ARGS_MAX, "no such argument");
		if (!rule_has_filters(rule))
			require(profile_rule_applies(rule, &context), "without a filter it applies");
		rule_args_print(out, rule);
		rule_filters_print(out, rule);
	}
	fclose(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	cleanup_json struct json *json = NULL;
	cleanup_profile struct profile *profile = NULL;
	struct complaint why = { "" };
	int rc = json_parse("x", (const char *)bytes, length, &json, &why);

	if (rc == 0)
		rc = profile_read(json, &profile, &why);
	if (rc == 0)
		look_at(profile);
	else
		require((rc == -EINVAL || rc == -ENOMEM) && strncmp(why.text, "x:", 2) == 0,
			"a sentence with its place");
	return 0;
}
