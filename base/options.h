/* The options of a run, the NEST_INIT_* variables and the file: one table says what there is, for all. */
#pragma once

#include "base/complaint.h"
#include "base/config.h"
#include "base/model.h"

enum options_wish {
	OPTIONS_RUN,
	OPTIONS_HELP, /* the model's command is then what stands behind it: a topic, perhaps */
	OPTIONS_VERSION,
};

/* Fills the model from argv and env. Options stop at "--" or at the first word that is none: the command begins there.
 * An option wins over its variable; a variable may hold several values, parted by blanks, where the option may be
 * repeated. A NEST_INIT_* variable that nothing reads is refused, so that a misspelt protection is not silently off;
 * those that Kubernetes makes for a Service named nest-init are not meant.
 *
 * What neither says the file of --config does, or default_file where that exists (NULL: there is none); a command among
 * the words takes the place of the file's.
 *
 * Returns 0; or -EINVAL, -ERANGE, -E2BIG or -ENOMEM with a sentence that names the option or variable, its value, and
 * what was expected. Strings stay borrowed from argv and env; what a variable's value is cut into is allocated for the
 * life of the process. */
int options_parse(char **argv, char **env, const char *default_file, struct model *ret_model,
	enum options_wish *ret_wish, struct complaint *ret_why);

/* The same for a command that is confined and not supervised: a word that is no option of confinement is refused, and a
 * variable that is none is passed over, whatever it holds. *ret_service is the index of the service whose confinement
 * it takes: the one of --service, else the only one (base/which_service.h). Its command is that of the words, else its
 * own. */
int options_parse_exec(char **argv, char **env, const char *default_file, struct model *ret_model, size_t *ret_service,
	enum options_wish *ret_wish, struct complaint *ret_why);

/* The variables, and the file of NEST_INIT_CONFIG, for a run under another program's name, whose words are not ours:
 * the command is left alone, and no_new_privs is on only where a variable asks for it or for any confinement. Returns
 * as options_parse() does. */
int options_parse_environment(char **env, struct model *ret_model, struct complaint *ret_why);

/* A file whose text is the whole of it: no word and no variable is looked at. */
int options_parse_text(
	const char *file, const char *text, size_t length, struct model *ret_model, struct complaint *ret_why);

/* For `nest-init check`: the NEST_INIT_* variables of env, then the text, with all that is wrong with it. Returns 0,
 * also where there is; -EINVAL with a sentence about a variable, or -ENOMEM. *ret_config must be zeroed, and is to be
 * freed. */
int options_check_text(const struct config_input *input, char **env, struct model *ret_model, struct config *ret_config,
	struct complaint *ret_why);

/* The name of the option at `index` ("cap-drop"), or NULL behind the last: for the tests that hold help and manual to
 * the table. */
const char *options_name(size_t index);
