/* generate-completions SHELL TEMPLATE OUTPUT: the template, with what there is to complete in place of its line @DATA@.
 * A program of the building machine; an image gets what it writes. */
#include "packaging/completions/shell.h"

#include <stdlib.h>

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

static int generate(const struct shell *shell, const char *template_path, const char *path)
{
	FILE *template = fopen(template_path, "r"), *out = fopen(path, "w");
	char line[256];
	int error = template == NULL || out == NULL ? -1 : 0;

	while (error == 0 && fgets(line, sizeof line, template) != NULL) {
		if (strcmp(line, "@DATA@\n") == 0)
			write_data(shell, out);
		else
			fputs(line, out);
	}
	if (template != NULL && (ferror(template) || fclose(template) != 0))
		error = -1;
	if (out != NULL && (ferror(out) || fclose(out) != 0))
		error = -1;
	return error;
}

int main(int argc, char **argv)
{
	static const struct shell *const shells[] = { &bash, &zsh, &fish };

	for (size_t i = 0; argc == 4 && i < sizeof shells / sizeof shells[0]; i++) {
		if (strcmp(argv[1], shells[i]->name) != 0)
			continue;
		if (generate(shells[i], argv[2], argv[3]) == 0)
			return EXIT_SUCCESS;
		perror("generate-completions");
		return EXIT_FAILURE;
	}
	fputs("Usage: generate-completions bash|zsh|fish TEMPLATE OUTPUT\n", stderr);
	return EXIT_FAILURE;
}
