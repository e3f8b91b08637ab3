/* What reads the configuration file, for its own files alone. */
#pragma once

#include "base/config.h"
#include "base/config_keys.h"

struct config_reader {
	const struct config_input *input;
	struct config *config;
	bool said_before[OPTION_COUNT]; /* by an option or a variable */
	bool *seen;                     /* by those or the file */
	struct model *model;
	struct model *ignored; /* takes what was said before */
	struct check *check;   /* that is being read */
	bool out_of_memory;
};

/* A finding; the reading goes on. */
void config_refuse(struct config_reader *reader, const struct complaint *why);

/* False, and a finding, if it is no object or array of that kind, or larger than anybody writes one. */
bool config_is_kind(struct config_reader *reader, const struct json_node *node, enum json_kind kind);

/* False if the member of an object is a comment, or, with a finding, stands there twice. */
bool config_is_said(struct config_reader *reader, const struct json_node *member);

/* The text of one value with its variables in it, allocated for the life of the process; NULL after a finding. Empty
 * only where `may_be_empty`. */
char *config_text(struct config_reader *reader, const struct json_node *node, enum config_form form, bool may_be_empty);

/* NAME BETWEEN VALUE as one text, allocated likewise; NULL where there is no memory. */
char *config_join(struct config_reader *reader, const char *name, const char *between, const char *value);

/* An array of words, or a string that is split at blanks: NULL-terminated; NULL after a finding. */
char **config_words(struct config_reader *reader, const struct json_node *node);

/* NAME=VALUE of an object or an array, NULL-terminated; NULL after a finding. */
char **config_variables(struct config_reader *reader, const struct json_node *node);

/* "NAME=SOFT:HARD" of a member of limits; NULL after a finding. */
char *config_limit(struct config_reader *reader, const struct json_node *member);

/* Memory for the life of the process, zeroed; NULL where there is none, which ends the reading with -ENOMEM. */
void *config_allocate(struct config_reader *reader, size_t size);
