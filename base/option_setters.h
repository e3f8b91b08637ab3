/* How an option's value is read into its member of the model: a row of the option table names its setter. */
#pragma once

#include "base/model.h"

/* Numbers, not functions: a table of pointers would be relocated at each start of a static-PIE program. */
enum setter {
	SET_NOTHING, /* a wish, not a setting */
	SET_TEXT,
	SET_BOOL,
	SET_SIGNAL,
	SET_PATH,
	ADD_PATH,
	SET_DURATION,
	SET_TIMEOUT,  /* of at least 1 ms: a command or a check that has no time at all is a mistake */
	SET_INTERVAL, /* of at least 10 ms: so is a check that runs without a pause */

	/* option_confinement.c */
	ADD_GROUP,
	SET_UMASK,
	ADD_VARIABLE,
	SET_FILE_ENV,
	ADD_ULIMIT,
	SET_OOM_SCORE_ADJ,
	DROP_CAPABILITIES,
	ADD_CAPABILITIES,
	ADD_SECUREBITS,
	SET_READ_ONLY,
	ADD_TMPFS,
	ADD_PORTS,
	SET_SECURITY_LEVEL,

	/* option_supervision.c */
	ADD_STOP_SIGNALS,
	ADD_REWRITE,
	SET_PRE_STOP,
	ADD_CLEAN_EXIT,
	SET_RESTART,
	SET_ON_UNHEALTHY,
	ADD_READY,
	ADD_LIVE,
	ADD_STARTUP,
	SET_WATCHDOG,
	SET_RETRIES,
	SET_EXPECTED,
	ADD_LISTEN,
	ADD_MERGE,
	SET_TRACE_ENDPOINT,
	SET_LOGGING,
	SET_LOG_FORMAT,
	SET_LOG_LEVEL,
};

/* Reads `value`, which is not empty, into `member`. Returns 0, or -errno with a sentence that tells the value and what
 * was expected. Strings are borrowed. */
int option_set(enum setter setter, const char *value, void *member, struct complaint *ret_why);

/* The same for the setters of one subject, each in a file of its own. */
int option_set_confinement(enum setter setter, const char *value, void *member, struct complaint *ret_why);
int option_set_supervision(enum setter setter, const char *value, void *member, struct complaint *ret_why);

/* Adds NAME=VALUE (borrowed) to a list that ends with NULL and is allocated for the life of the process; in the place
 * of one of that name where it wins, else behind all. Returns 0 or -ENOMEM. */
int option_add_variable(const char *variable, bool wins, char ***list);

/* Adds a check that is complete, with what it points at, to the service. */
int option_add_check(const struct check *check, struct service *service, struct complaint *ret_why);

/* The same for a page of an application, to the model. */
int option_add_page(const struct check *page, struct model *model, struct complaint *ret_why);
