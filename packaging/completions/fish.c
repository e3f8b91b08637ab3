/* fish: a `complete` for each option (complete(1) of fish). */
#include "packaging/completions/shell.h"

static void fish_write_valued(const struct context *context, const struct choice *choice, FILE *out)
{
	if (choice->takes != VALUE_NEEDED)
		return;
	fprintf(out, " '%s/--%s'", context->name, choice->name);
	if (choice->letter != '\0')
		fprintf(out, " '%s/-%c'", context->name, choice->letter);
}

static void fish_begin(FILE *out)
{
	fputs("# CONTEXT/OPTION of those whose value may be the next word.\nset -g __nest_init_valued", out);
	for (size_t i = 0; i < context_count; i++)
		for_each_option(&contexts[i], fish_write_valued, out);
	fputs("\nset -g __nest_init_contexts", out);
	for (size_t i = 0; i < context_count; i++)
		fprintf(out, " '%s'", contexts[i].name);
	fputs("\n", out);
	for (size_t i = 0; i < context_count; i++) {
		if (!is_subcommand(&contexts[i]))
			continue;
		fprintf(out, "complete -c nest-init -n __nest_init_first -a %s -d '", contexts[i].name);
		write_escaped(contexts[i].help, "", out);
		fputs("'\n", out);
	}
}

static void fish_write_value(enum value_kind kind, const char *words, FILE *out)
{
	static const char *const calls[VALUE_KIND_COUNT] = {
		[VALUE_IS_DIRECTORY] = "(__fish_complete_directories)",
		[VALUE_IS_USER] = "(__fish_complete_users)",
		[VALUE_IS_GROUP] = "(__fish_complete_groups)",
		[VALUE_IS_PROCESS] = "(__fish_complete_pids)",
		[VALUE_IS_COMMAND] = "(__nest_init_command)",
	};

	if (kind == VALUE_IS_TARGET)
		fprintf(out, " -a '%s (__nest_init_path)'", words);
	else if (kind == VALUE_IS_LIST)
		fprintf(out, " -a '(__fish_complete_list , \"string split \\' \\' \\'%s\\'\")'", words);
	else if (calls[kind] != NULL)
		fprintf(out, " -a '%s'", calls[kind]);
	else if (*words != '\0')
		fprintf(out, " -a '%s'", words);
}

static void fish_option(const struct context *context, const struct choice *choice, FILE *out)
{
	fprintf(out, "complete -c nest-init -n '__nest_init_in \"%s\"' -l %s", context->name, choice->name);
	if (choice->letter != '\0')
		fprintf(out, " -s %c", choice->letter);
	if (choice->takes == VALUE_NEEDED)
		fputs(" -r", out);
	if (choice->takes != VALUE_NONE) {
		fputs(choice->kind == VALUE_IS_FILE ? " -F" : " -f", out);
		fish_write_value(choice->kind, choice->words, out);
	}
	fputs(" -d '", out);
	write_escaped(choice->help, "", out);
	fputs("'\n", out);
}

static void fish_operand(const struct context *context, FILE *out)
{
	if (context->kind == VALUE_IS_FREE)
		return;
	fprintf(out, "complete -c nest-init -n '__nest_init_in \"%s\"'%s", context->name,
		context->kind == VALUE_IS_FILE ? " -F" : " -f");
	fish_write_value(context->kind, context->words, out);
	fputc('\n', out);
}

const struct shell fish = { "fish", fish_begin, NULL, fish_option, fish_operand, NULL };
