/* The options there are: a row says an option's name, and how its value gets into which member of the model. Whoever
 * adds an option adds a row and, for a kind of value that no other option has, a setter. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_NAME_SIZE 24
#define OPTION_VARIABLE_PREFIX "NEST_INIT_"
#define OPTION_VARIABLE_SIZE (sizeof OPTION_VARIABLE_PREFIX + OPTION_NAME_SIZE)

enum option {
	OPTION_CONFIG,
	OPTION_USER,
	OPTION_GROUP_ADD,
	OPTION_WORKDIR,
	OPTION_UMASK,
	OPTION_ENV,
	OPTION_FILE_ENV,
	OPTION_ULIMIT,
	OPTION_OOM_SCORE_ADJ,
	OPTION_CAP_DROP,
	OPTION_CAP_ADD,
	OPTION_SECUREBITS,
	OPTION_NO_NEW_PRIVS,
	OPTION_SECCOMP,
	OPTION_READ_ONLY,
	OPTION_WRITABLE,
	OPTION_TMPFS,
	OPTION_EXEC_ALLOW,
	OPTION_TCP_BIND,
	OPTION_TCP_CONNECT,
	OPTION_SECURITY_LEVEL,
	OPTION_BEST_EFFORT, /* the last that confines: those behind it supervise */
	OPTION_SECCOMP_REPORT,
	OPTION_STOP_ON,
	OPTION_STOP_SIGNAL,
	OPTION_REWRITE,
	OPTION_DRAIN,
	OPTION_PRE_STOP,
	OPTION_PRE_STOP_TIMEOUT,
	OPTION_STOP_TIMEOUT,
	OPTION_CLEAN_EXIT,
	OPTION_RESTART,
	OPTION_RESTART_BACKOFF,
	OPTION_ON_UNHEALTHY,
	OPTION_WATCH,
	OPTION_READY,
	OPTION_LIVE,
	OPTION_STARTUP,
	OPTION_WATCHDOG,
	OPTION_HEALTH_INTERVAL,
	OPTION_HEALTH_TIMEOUT,
	OPTION_HEALTH_START_PERIOD,
	OPTION_HEALTH_START_INTERVAL,
	OPTION_HEALTH_RETRIES,
	OPTION_EXPECT,
	OPTION_METRICS,
	OPTION_METRICS_MERGE,
	OPTION_METRICS_USERS,
	OPTION_METRICS_TOKENS,
	OPTION_METRICS_TLS_CERT,
	OPTION_METRICS_TLS_KEY,
	OPTION_TRACE_ENDPOINT,
	OPTION_OTEL_RESOURCE,
	OPTION_SERVICE_LOG,
	OPTION_LOG_FORMAT,
	OPTION_LOG_LEVEL,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_COUNT,
};

enum option_value { VALUE_NONE, VALUE_NEEDED, VALUE_OPTIONAL };

/* Of the help; its options stand there in the order of the table. */
enum option_section {
	SECTION_CONFINEMENT,
	SECTION_STOPPING,
	SECTION_HEALTH,
	SECTION_METRICS,
	SECTION_LOG,
	SECTION_COUNT,
	SECTION_NONE = SECTION_COUNT,
};

/* Flags of a row. */
#define PARTED 1 /* blanks part several values in its variable; where they do more than that, its setter sees to it */
#define COMMON 2 /* on the help's first page */
#define WHOLE 4  /* of the whole container; all others are a service's */

/* Arrays, not pointers: a table without relocations. */
struct option_row {
	char name[OPTION_NAME_SIZE];
	char argument[18]; /* as the help shows it behind the name, with what parts the two */
	char help[50];
	uint8_t section; /* enum option_section */
	uint8_t value;   /* enum option_value */
	uint8_t flags;
	uint8_t setter;  /* enum setter */
	uint16_t member; /* what it sets: its offset in the model where it is WHOLE, else in a service */
};

extern const struct option_row option_rows[];

struct model;
struct service;

/* What the option sets: a member of the one or of the other. */
void *option_member(enum option option, struct model *model, struct service *service);

/* The option of that name, or OPTION_COUNT. */
enum option option_find(const char *name, size_t length);

/* The option that was probably meant, or OPTION_COUNT when none is near. */
enum option option_nearest(const char *name);

/* "cap-drop" to "NEST_INIT_CAP_DROP". */
void option_variable(enum option option, char ret_variable[static OPTION_VARIABLE_SIZE]);
