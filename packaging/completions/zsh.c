/* zsh: specifications for _arguments (zshcompsys(1)). */
#include "packaging/completions/shell.h"

static void zsh_begin(FILE *out)
{
	fputs("_nest_init_subcommands=(\n", out);
	for (size_t i = 0; i < context_count; i++) {
		if (!is_subcommand(&contexts[i]))
			continue;
		fprintf(out, "\t'%s:", contexts[i].name);
		write_escaped(contexts[i].help, ":", out);
		fputs("'\n", out);
	}
	fputs(")\n# CONTEXT: the specifications that _arguments takes (zshcompsys(1)).\n"
	      "_nest_init_specifications() {\n\tcase $1 in\n",
		out);
}

static void zsh_begin_context(const struct context *context, FILE *out)
{
	fprintf(out, "\t'%s') specifications=(\n", context->name);
}

static void zsh_write_action(enum value_kind kind, const char *words, FILE *out)
{
	static const char actions[VALUE_KIND_COUNT][20] = {
		[VALUE_IS_FREE] = " ",
		[VALUE_IS_WORD] = " _nest_init_word ",
		[VALUE_IS_LIST] = " _nest_init_list ",
		[VALUE_IS_TARGET] = " _nest_init_target ",
		[VALUE_IS_FILE] = " _nest_init_file ",
		[VALUE_IS_DIRECTORY] = "_files -/",
		[VALUE_IS_USER] = "_users",
		[VALUE_IS_GROUP] = "_groups",
		[VALUE_IS_PROCESS] = "_pids",
		[VALUE_IS_COMMAND] = "->command",
	};

	fputs(actions[kind], out);
	write_escaped(words, ":", out);
}

static void zsh_write_option(const struct choice *choice, const char *dashes_and_name, FILE *out)
{
	static const char behind_the_name[][3] = { [VALUE_NONE] = "", [VALUE_NEEDED] = "=", [VALUE_OPTIONAL] = "=-" };

	fprintf(out, "\t\t'*%s%s[", dashes_and_name, behind_the_name[choice->takes]);
	write_escaped(choice->help, "[]:\\", out);
	fputc(']', out);
	if (choice->takes != VALUE_NONE) {
		fprintf(out, "%s%s:", choice->takes == VALUE_OPTIONAL ? "::" : ":", choice->name);
		zsh_write_action(choice->kind, choice->words, out);
	}
	fputs("'\n", out);
}

static void zsh_option(const struct context *context, const struct choice *choice, FILE *out)
{
	char name[OPTION_NAME_SIZE + 2];

	(void)context;
	snprintf(name, sizeof name, "--%s", choice->name);
	zsh_write_option(choice, name, out);
	snprintf(name, sizeof name, "-%c", choice->letter);
	if (choice->letter != '\0')
		zsh_write_option(choice, name, out);
}

static void zsh_operand(const struct context *context, FILE *out)
{
	if (context->kind != VALUE_IS_FREE) {
		fprintf(out, "\t\t'*%s:operand:", context->kind == VALUE_IS_COMMAND ? ":" : "");
		zsh_write_action(context->kind, context->words, out);
		fputs("'\n", out);
	}
	fputs("\t) ;;\n", out);
}

static void zsh_end(FILE *out)
{
	fputs("\tesac\n}\n", out);
}

const struct shell zsh = { "zsh", zsh_begin, zsh_begin_context, zsh_option, zsh_operand, zsh_end };
