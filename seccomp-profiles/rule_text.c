#include "seccomp-profiles/rule_text.h"

#include "base/capname.h"
#include "seccomp-profiles/verdict_text.h"

#include <ctype.h>
#include <string.h>

static struct filter_term term_of(const struct profile_arg *arg)
{
	struct filter_term term = { (uint8_t)arg->index, false, UINT64_MAX, arg->value, arg->value };

	switch (arg->op) {
	case PROFILE_NE:
		term.outside = true;
		break;
	case PROFILE_LT:
	case PROFILE_GE:
		term.high = UINT64_MAX;
		term.outside = arg->op == PROFILE_LT;
		break;
	case PROFILE_LE:
	case PROFILE_GT:
		term.low = 0;
		term.outside = arg->op == PROFILE_GT;
		break;
	case PROFILE_MASKED_EQ:
		term.mask = arg->value;
		term.low = term.high = arg->value_two;
		break;
	case PROFILE_EQ:
	case PROFILE_OP_COUNT:
		break;
	}
	return term;
}

void rule_args_print(FILE *out, const struct profile_rule *rule)
{
	for (size_t i = 0; i < rule->arg_count; i++) {
		struct filter_term term = term_of(&rule->args[i]);

		fputs(i > 0 ? ", " : "", out);
		filter_term_print(out, &term);
	}
}

static void print_word(FILE *out, const char **before, const char *between, const char *word)
{
	fprintf(out, "%s%s", *before, word);
	*before = between;
}

static void print_cap(FILE *out, const char **before, const char *between, unsigned cap)
{
	char name[32];

	snprintf(name, sizeof name, "CAP_%s", capname(cap));
	for (char *c = name; *c != '\0'; c++)
		*c = (char)toupper((unsigned char)*c);
	print_word(out, before, between, name);
}

/* `word` is "if" or "unless"; `all` stands between capabilities of which every one counts, or any. */
static void print_filter(FILE *out, const struct profile_filter *filter, const char *word, const char *all, bool *some)
{
	char first[16], kernel[32];
	const char *before = first;

	for (unsigned part = 0; part < 3; part++) {
		snprintf(first, sizeof first, "%s%s ", *some ? ", " : "", word);
		before = first;
		for (unsigned cap = 0; part == 0 && cap < CAPNAME_COUNT; cap++)
			if (filter->caps >> cap & 1)
				print_cap(out, &before, all, cap);
		for (unsigned arch = 0; part == 1 && arch < PROFILE_ARCH_COUNT; arch++)
			if (filter->arches >> arch & 1)
				print_word(out, &before, " or ", profile_arch_go_name((enum profile_arch)arch));
		snprintf(kernel, sizeof kernel, "Linux %u.%u", filter->kernel_major, filter->kernel_minor);
		if (part == 2 && filter->has_min_kernel)
			print_word(out, &before, "", kernel);
		*some |= before != first;
	}
}

void rule_filters_print(FILE *out, const struct profile_rule *rule)
{
	bool some = false;

	print_filter(out, &rule->includes, "if", " and ", &some);
	print_filter(out, &rule->excludes, "unless", " or ", &some);
}

bool rule_names(const struct profile_rule *rule, const char *syscall)
{
	for (size_t i = 0; i < rule->name_count; i++)
		if (strcmp(rule->names[i].text, syscall) == 0)
			return true;
	return false;
}

static bool is_empty(const struct profile_filter *filter)
{
	return filter->caps == 0 && filter->arches == 0 && !filter->has_min_kernel;
}

bool rule_has_filters(const struct profile_rule *rule)
{
	return !is_empty(&rule->includes) || !is_empty(&rule->excludes);
}
