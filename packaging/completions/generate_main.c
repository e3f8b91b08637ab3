/* generate-completions SHELL TEMPLATE OUTPUT: the template, with what there is to complete in place of its line @DATA@.
 * A program of the building machine; an image gets what it writes. */
#include "packaging/completions/completion.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kind_names[VALUE_KIND_COUNT][10] = {
	[VALUE_IS_FREE] = "free",
	[VALUE_IS_WORD] = "word",
	[VALUE_IS_LIST] = "list",
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

/* A shell's writers. Those of a context stand around those of its options; its operand comes behind these. */
struct shell {
	char name[5];
	void (*begin)(FILE *out);
	void (*begin_context)(const struct context *context, FILE *out); /* or NULL */
	void (*option)(const struct context *context, const struct choice *choice, FILE *out);
	void (*operand)(const struct context *context, FILE *out);
	void (*end)(FILE *out); /* or NULL */
};

static bool is_subcommand(const struct context *context)
{
	return *context->name != '\0' && strchr(context->name, ' ') == NULL;
}

/* Text between single quotes; before what is in `special` goes a backslash. */
static void write_escaped(const char *text, const char *special, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'') {
			fputs("'\\''", out);
			continue;
		}
		if (strchr(special, *text) != NULL)
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void for_each_option(const struct context *context,
	void (*write)(const struct context *context, const struct choice *choice, FILE *out), FILE *out)
{
	for (int i = 0; i < context->options_end; i++) {
		const struct option_row *row = &option_rows[i];
		const struct value value = value_of_option((enum option)i);
		/* --help takes its topic as a word behind it, and may go without. */
		const uint8_t takes = i == OPTION_HELP ? VALUE_NEEDED : row->value;
		const struct choice choice = { row->name, 0, takes, value.kind, value.words, row->help };

		write(context, &choice, out);
	}
	for (const struct choice *choice = context->choices; choice->name != NULL; choice++)
		write(context, choice, out);
}

/* ---- bash ---- */

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

/* ---- zsh ---- */

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

/* ---- fish ---- */

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

	if (kind == VALUE_IS_LIST)
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

/* ---- all of them ---- */

static const struct shell shells[] = {
	{ "bash", bash_begin, NULL, bash_option, bash_operand, bash_end },
	{ "zsh", zsh_begin, zsh_begin_context, zsh_option, zsh_operand, zsh_end },
	{ "fish", fish_begin, NULL, fish_option, fish_operand, NULL },
};

static void write_data(const struct shell *shell, FILE *out)
{
	shell->begin(out);
	for (size_t i = 0; i < context_count; i++) {
		if (shell->begin_context != NULL)
			shell->begin_context(&contexts[i], out);
		for_each_option(&contexts[i], shell->option, out);
		shell->operand(&contexts[i], out);
	}
	if (shell->end != NULL)
		shell->end(out);
}

static int generate(const struct shell *shell, FILE *template, FILE *out)
{
	char line[256];

	while (fgets(line, sizeof line, template) != NULL) {
		if (strcmp(line, "@DATA@\n") == 0)
			write_data(shell, out);
		else
			fputs(line, out);
	}
	return ferror(template) || ferror(out) ? -1 : 0;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 4 && i < sizeof shells / sizeof shells[0]; i++) {
		FILE *template, *out;

		if (strcmp(argv[1], shells[i].name) != 0)
			continue;
		template = fopen(argv[2], "r");
		out = fopen(argv[3], "w");
		if (template == NULL || out == NULL || generate(&shells[i], template, out) < 0 || fclose(out) != 0) {
			perror("generate-completions");
			return EXIT_FAILURE;
		}
		return EXIT_SUCCESS;
	}
	fputs("Usage: generate-completions bash|zsh|fish TEMPLATE OUTPUT\n", stderr);
	return EXIT_FAILURE;
}
