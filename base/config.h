/* The configuration file: JSON of the shape that config_keys.c says, read into the same model that options and
 * variables fill. A key is read by its option's own setter, so that both mean the same. Pure: the caller has the text.
 */
#pragma once

#include "base/complaint.h"
#include "base/config_arithmetic.h"
#include "base/json.h"
#include "base/model.h"
#include "base/option_table.h"

#define CONFIG_DEFAULT "/etc/nest-init.json"
#define CONFIG_SIZE_MAX (1024 * 1024)
#define CONFIG_FINDINGS_MAX 100 /* more are not told */

struct config_input {
	const char *file; /* what findings call it */
	const char *text; /* `length` bytes */
	size_t length;
	char **env; /* what ${NAME} means */
	struct config_memory memory;
	bool without_commands;  /* the monitor's: PID 1 alone needs them */
	bool unset_is_no_error; /* a ${NAME} that is not set is a warning, and its value is not looked at */
};

struct config_finding {
	bool is_warning;
	struct complaint why; /* FILE:LINE:COL: PATH: SENTENCE */
};

/* What the file says of a service, of the container, or of both. */
struct config_said {
	bool seen[OPTION_COUNT];                     /* by an option, a variable or the file */
	const struct json_node *where[OPTION_COUNT]; /* the value that says it, in json; NULL: none does */
};

struct config {
	struct json *json;
	struct config_said *said; /* of each service, in the order of the model; the container's with the first */
	size_t said_count;
	struct config_finding *finding;
	size_t finding_count; /* that are told */
	size_t error_count, warning_count;
};

/* Reads the whole text. What an option or a variable has said before (seen) wins, and is looked at all the same. The
 * command is taken where the model has none. Returns 0, also where errors were found, or -ENOMEM; *ret_config is to be
 * freed with config_free() in any case. The strings of the model are allocated for the life of the process. */
int config_read(const struct config_input *input, const bool seen[static OPTION_COUNT], struct model *model,
	struct config *ret_config);

/* Adds an error that only the whole shows, at the place of that service's key of that option where there is one. */
int config_add(struct config *config, size_t service, enum option option, const char *sentence);

/* The same of what a start may find otherwise. */
int config_warn(struct config *config, size_t service, enum option option, const char *sentence);

/* The first error (there is one), and where there are others how to see them. Returns -EINVAL. */
int config_complain(const struct config *config, const char *file, struct complaint *ret_why);

void config_free(struct config *config);
#define cleanup_config __attribute__((cleanup(config_free)))
