/* `nest-init check`: all that is wrong with a configuration file, and what a run would make of it. */
#include "init/commands.h"

#include "base/cleanup.h"
#include "base/config_write.h"
#include "base/memory_limit.h"
#include "base/options.h"
#include "base/secret.h"
#include "init/check_here.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define STATUS_INVALID 1

extern char **environ;

static const char help_text[] = "nest-init check [--print] [FILE]\n"
				"\n"
				"Tells all that is wrong with a configuration file, as FILE:LINE:COLUMN: KEY:\n"
				"SENTENCE. FILE: else NEST_INIT_CONFIG, else " CONFIG_DEFAULT ".\n"
				"  --print   the configuration of a run with this file and the variables that are\n"
				"            set here, as such a file; REDACTED: what looks like a secret by\n"
				"            its name or form (README), which not each one does\n"
				"Exit status: 0; 1 if anything is wrong; 125 bad usage, or FILE cannot be read.\n";

struct wish {
	const char *file;
	bool print;
};

/* Returns 0 or an exit status. */
static int parse(char **argv, struct wish *wish)
{
	while (*++argv != NULL) {
		if (strcmp(*argv, "--print") == 0) {
			wish->print = true;
		} else if (**argv == '-' || wish->file != NULL) {
			fprintf(stderr, "nest-init check: unexpected '%s' (nest-init check --help)\n", *argv);
			return STATUS_USAGE;
		} else {
			wish->file = *argv;
		}
	}
	if (wish->file == NULL)
		wish->file = getenv("NEST_INIT_CONFIG");
	if (wish->file == NULL || *wish->file == '\0')
		wish->file = CONFIG_DEFAULT;
	return 0;
}

/* The environment that ${NAME} is looked for in: no sentence and no print quotes a secret. */
static char **without_secrets(void)
{
	size_t count = 0;
	char **env;

	while (environ[count] != NULL)
		count++;
	env = calloc(count + 1, sizeof *env);
	for (size_t i = 0; env != NULL && i < count; i++) {
		env[i] = environ[i];
		if (secret_is_likely(environ[i]) &&
			asprintf(&env[i], "%.*s=%s", (int)strcspn(environ[i], "="), environ[i], CONFIG_REDACTED) < 0)
			return NULL;
	}
	return env;
}

static void tell(const struct config *config)
{
	for (size_t i = 0; i < config->finding_count; i++)
		fprintf(stderr, "%s%s\n", config->finding[i].why.text,
			config->finding[i].is_warning ? " (here; a start needs it)" : "");
	if (config->error_count + config->warning_count > config->finding_count)
		fprintf(stderr, "and %zu more\n", config->error_count + config->warning_count - config->finding_count);
}

int check_main(int argc, char **argv)
{
	static struct model model;
	cleanup_free char *text = NULL;
	cleanup_config struct config config = { .json = NULL };
	struct config_input input = { .env = without_secrets(), .unset_is_no_error = true };
	struct wish wish = { .file = NULL };
	struct complaint why;
	int status;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return fputs(help_text, stdout) >= 0 ? 0 : STATUS_USAGE;
	status = parse(argv, &wish);
	if (status != 0)
		return status;
	input.file = wish.file;
	if (json_read_text(wish.file, CONFIG_SIZE_MAX, &text, &input.length, &why) < 0 || input.env == NULL) {
		fprintf(stderr, "nest-init check: %s\n", input.env == NULL ? strerror(ENOMEM) : why.text);
		return STATUS_USAGE;
	}
	input.text = text;
	memory_limit_read(&input.memory);
	if (options_check_text(&input, environ, &model, &config, &why) < 0) {
		fprintf(stderr, "nest-init check: %s\n", why.text);
		return STATUS_INVALID;
	}
	if (config.error_count == 0 && check_here(&model, &config) < 0) {
		fprintf(stderr, "nest-init check: %s\n", strerror(ENOMEM));
		return STATUS_USAGE;
	}
	tell(&config);
	if (config.error_count > 0)
		return STATUS_INVALID;
	if (wish.print)
		config_write(&model, CONFIG_FOR_PEOPLE, stdout);
	else
		printf("%s: nothing is wrong%s\n", wish.file,
			config.warning_count > 0 ? " but what is not there here" : "");
	return fflush(stdout) == 0 ? 0 : STATUS_USAGE;
}
