#include "packaging/completions/shell.h"

bool is_subcommand(const struct context *context)
{
	return *context->name != '\0' && strchr(context->name, ' ') == NULL;
}

void write_escaped(const char *text, const char *special, FILE *out)
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

void for_each_option(const struct context *context, write_option *write, FILE *out)
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
