/* What reads the configuration file, for its own files alone. */
#pragma once

#include "base/config.h"
#include "base/config_keys.h"

/* A service names another one, which may stand further down. */
struct config_reference {
	const struct json_node *node; /* the name, or the member whose key it is */
	const char *name;
	size_t service; /* that names it */
	enum dependency_condition condition;
	bool before;   /* it is the other one that depends on this one */
	size_t secret; /* 0; else one more than the index of the secret that it gets, which names it */
};

struct config_reader {
	const struct config_input *input;
	struct config *config;
	const bool *said_before; /* by an option or a variable */
	bool has_command;        /* the command line has one */
	struct model *model;
	struct model *ignored;              /* takes what was said before */
	size_t service;                     /* the index of the one that is being read */
	const struct json_node *tasks;      /* they are read when all services are */
	struct config_reference *reference; /* to services by their names: reference_count of them */
	size_t reference_count;
	struct check *check; /* that is being read */
	size_t secret;       /* that is being read: one more than its index; 0: none is */
	bool out_of_memory;
};

/* A finding; the reading goes on. */
void config_refuse(struct config_reader *reader, const struct complaint *why);

/* The same, of a value or of a key, in one sentence without arguments. */
void config_refuse_value(struct config_reader *reader, const struct json_node *node, const char *sentence);
void config_refuse_key(struct config_reader *reader, const struct json_node *member, const char *sentence);

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

/* Reads an object's members by the keys of that group. */
void config_read_object(struct config_reader *reader, enum config_group group, const struct json_node *object);

/* An unknown key of an object of that group. */
void config_refuse_unknown(struct config_reader *reader, enum config_group group, const struct json_node *member);

/* The service that is being read, and what is said of it. */
struct service *config_service(const struct config_reader *reader);
struct config_said *config_said(const struct config_reader *reader);

/* The services or the tasks of the file, and whom they name. */
void config_read_services(struct config_reader *reader, enum config_group group, const struct json_node *object);
void config_read_dependencies(struct config_reader *reader, const struct json_node *node);
void config_read_names(struct config_reader *reader, enum config_extra extra, const struct json_node *node);

/* The secrets of the file, their values, and what only the whole shows. */
void config_read_secrets(struct config_reader *reader, const struct json_node *object);
int config_set_secret(
	struct config_reader *reader, enum config_extra extra, const char *text, struct complaint *ret_why);
void config_read_on_change(struct config_reader *reader, const struct json_node *node);
void config_check_secrets(struct config_reader *reader, const struct json_node *root);

/* Once all are read: who is whom, and what nothing but the whole shows. */
void config_check_services(struct config_reader *reader, const struct json_node *root);

/* Memory for the life of the process, zeroed; NULL where there is none, which ends the reading with -ENOMEM. */
void *config_allocate(struct config_reader *reader, size_t size);
