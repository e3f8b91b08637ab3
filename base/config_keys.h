/* The keys of the configuration file: a row says where a key stands, what its value may be, and what that sets. */
#pragma once

#include "base/option_table.h"

#define CONFIG_KEY_SIZE 20

/* The objects of the file. */
enum config_group {
	GROUP_ROOT,
	GROUP_SERVICE,
	GROUP_TASK, /* and those of a service that are marked so */
	GROUP_CAPABILITIES,
	GROUP_SECCOMP,
	GROUP_FILESYSTEM,
	GROUP_NETWORK,
	GROUP_RESTART,
	GROUP_STOP,
	GROUP_HEALTH,
	GROUP_CHECK,
	GROUP_PAGE, /* of metrics.merge: its keys are among those of a check */
	GROUP_METRICS,
	GROUP_TRACING,
	GROUP_SECRET,
	GROUP_LOG,
	GROUP_LOGGING,
	GROUP_COUNT,
};

/* What a value may be. Where a number or a flag is expected, a string that holds a ${VARIABLE} will do. */
enum config_form {
	FORM_TEXT,      /* a string */
	FORM_WORD,      /* a string or an integer */
	FORM_TIME,      /* a duration, in quotes */
	FORM_NUMBER,    /* an integer */
	FORM_FLAG,      /* true or false */
	FORM_MODE,      /* the same, or a string */
	FORM_PERCENT,   /* an integer, or "10%" */
	FORM_SCALARS,   /* behind the last that is one value */
	FORM_SCHEMA,    /* "$schema", for editors */
	FORM_OBJECT,    /* the keys of another group */
	FORM_COMMAND,   /* an array of words, or a string that is split at blanks */
	FORM_PORTS,     /* integers; an empty array is "none" */
	FORM_STATUSES,  /* of HTTP: integers or strings such as "200-299" */
	FORM_PAIRS,     /* an object of NAME to value, or an array of NAME:VALUE */
	FORM_VARIABLES, /* an object, or an array of NAME=VALUE */
	FORM_LIMITS,
	FORM_CHECKS,
	FORM_PAGES, /* strings as --metrics-merge has them, or objects */
	FORM_SERVICES,
	FORM_DEPENDENCIES, /* an array of services, or an object of SERVICE to how far it is to be */
	FORM_NAMES,        /* of services: one, or an array */
	FORM_SECRETS,      /* an object of NAME to a file, or to the keys of a secret */
	FORM_ON_CHANGE,    /* of a secret: a string, or an object with a command */
	FORM_COUNT,
};

/* What no option says. */
enum config_extra {
	EXTRA_COMMAND = OPTION_COUNT,
	EXTRA_ATTEMPTS,
	EXTRA_MAX_BACKOFF,
	EXTRA_WINDOW,
	EXTRA_TARGET, /* of a check */
	EXTRA_ESSENTIAL,
	EXTRA_WAIT_FOR,
	EXTRA_BEFORE,
	EXTRA_AFTER,
	EXTRA_SCHEDULE,
	EXTRA_RUN_TIME,
	EXTRA_RETRIES,
	EXTRA_LOGGING_FILE, /* in the order of enum logging_key, behind the format */
	EXTRA_LOGGING_MAX_SIZE,
	EXTRA_LOGGING_MAX_FILE,
	EXTRA_LOGGING_MODE,
	EXTRA_LOGGING_MAX_BUFFER_SIZE,
	EXTRA_SECRET_FILE,
	EXTRA_SECRET_DIRECTORY,
	EXTRA_SECRET_AS,
	EXTRA_SECRET_ACTION,
	EXTRA_SECRET_SERVICES,
	EXTRA_NOTHING,
};

/* Flags of a row. */
#define CONFIG_LIST 1  /* one value, or an array of them */
#define CONFIG_SHORT 2 /* an object; a string in its place is the value of that group's first key */
#define CONFIG_TASK 4  /* of a service, and of a task as well */

/* Arrays, not pointers: a table without relocations. */
struct config_key {
	char name[CONFIG_KEY_SIZE];
	uint8_t group; /* enum config_group: where it stands */
	uint8_t form;  /* enum config_form */
	uint8_t flags;
	uint8_t sets; /* enum option or config_extra; of FORM_OBJECT an enum config_group, in a check an enum check_key
		       */
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* True if the key may stand in an object of that group. */
bool config_key_is_in(const struct config_key *key, enum config_group group);

/* True if the key is a check's, or a page's: it sets an enum check_key, or the target. */
bool config_key_is_of_check(const struct config_key *key);

/* The key of that name in that group, or NULL. */
const struct config_key *config_key_find(enum config_group group, const char *name);

/* How another program names what here is another key ("healthcheck": "health"), or NULL. */
const char *config_key_elsewhere(const char *name);
