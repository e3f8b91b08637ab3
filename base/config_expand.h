/* Variables in the values of the configuration file, as Compose has them: ${NAME} is refused where NAME is not set,
 * ${NAME:-TEXT} is TEXT where it is not set or empty, ${memory.limit ...} is a number (config_arithmetic.h), and $$ is
 * a dollar sign. Pure. */
#pragma once

#include "base/complaint.h"
#include "base/config_arithmetic.h"

#include <stdbool.h>

#define CONFIG_TEXT_MAX 131071 /* as long as a word that is executed may be (MAX_ARG_STRLEN, execve(2)) */

/* True if something is to be put into the text. */
bool config_has_variable(const char *text);

/* Returns 0 and the text with the variables of env in it (the caller's to free); -ENOENT where one is not set, or there
 * is no limit; -EINVAL, -E2BIG, -ENOMEM, -ERANGE or -EDOM; each with a sentence. */
int config_expand(
	const char *text, char **env, const struct config_memory *memory, char **ret_text, struct complaint *ret_why);
