/* bash: an array of what each option takes; nest-init.bash.in has what looks into it. */
#include "packaging/completions/shell.h"

static const char kind_names[VALUE_KIND_COUNT][10] = {
	[VALUE_IS_FREE] = "free",
	[VALUE_IS_WORD] = "word",
	[VALUE_IS_LIST] = "list",
	[VALUE_IS_TARGET] = "target",
	[VALUE_IS_FILE] = "file",
	[VALUE_IS_DIRECTORY] = "directory",
	[VALUE_IS_USER] = "user",
	[VALUE_IS_GROUP] = "group",
	[VALUE_IS_PROCESS] = "process",
	[VALUE_IS_COMMAND] = "command",
};
static const char takes_names[][9] = {
	[VALUE_NONE] = "none",
	[VALUE_NEEDED] = "needed",
	[VALUE_OPTIONAL] = "optional",
};

static void bash_begin(FILE *out)
{
	fputs("_nest_init_subcommands='", out);
	for (size_t i = 0; i < context_count; i++)
		if (is_subcommand(&contexts[i]))
			fprintf(out, "%s ", contexts[i].name);
	fputs("'\n# CONTEXT/OPTION: whether a value is none, needed or optional, of what kind it is, and its words.\n"
	      "declare -gA _nest_init_takes=(\n",
		out);
}

static void bash_option(const struct context *context, const struct choice *choice, FILE *out)
{
	const char *takes = takes_names[choice->takes], *kind = kind_names[choice->kind];

	fprintf(out, "\t['%s/--%s']='%s %s %s'\n", context->name, choice->name, takes, kind, choice->words);
	if (choice->letter != '\0')
		fprintf(out, "\t['%s/-%c']='%s %s %s'\n", context->name, choice->letter, takes, kind, choice->words);
}

static void bash_operand(const struct context *context, FILE *out)
{
	fprintf(out, "\t['%s/']='operand %s %s'\n", context->name, kind_names[context->kind], context->words);
}

static void bash_end(FILE *out)
{
	fputs(")\n", out);
}

const struct shell bash = { "bash", bash_begin, NULL, bash_option, bash_operand, bash_end };
