/* The configuration model: what options, NEST_INIT_* variables (and the file) say, in one shape.
 * Strings are borrowed from argv, the environment or a buffer that lives as long as the process. */
#pragma once

#include "base/check.h"
#include "base/logging.h"
#include "base/ulimit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MODEL_PATHS_MAX 32
#define MODEL_TMPFS_MAX 8
#define MODEL_GROUPS_MAX 16
#define MODEL_PORTS_MAX 32
#define MODEL_CHECKS_MAX 1000
#define MODEL_SERVICES_MAX 256                   /* and tasks */
#define MODEL_UNITS_MAX (2 * MODEL_SERVICES_MAX) /* services, tasks, and what waits for their targets */
#define MODEL_SECRETS_MAX 32                     /* no more than paths: they are watched as such */
#define MODEL_SIGNALS 65                         /* signal numbers 0 to 64; 0 is unused */
#define MODEL_REWRITE_NOTHING 255
#define MODEL_LISTEN_MAX 4
#define MODEL_MERGE_MAX 8
#define MODEL_PRE_STOP_WORDS 63
#define MODEL_PRE_STOP_SIZE 2048

/* The protections, each of which is asked for or not, and in force or not. */
enum layer {
	LAYER_USER,
	LAYER_CAPABILITIES,
	LAYER_SECUREBITS,
	LAYER_NO_NEW_PRIVS,
	LAYER_SECCOMP,
	LAYER_READ_ONLY,
	LAYER_TMPFS,
	LAYER_LIMITS,
	LAYER_EXEC_ALLOW,
	LAYER_TCP,
	LAYER_COUNT,
};

/* "user", "capabilities", "securebits", "no_new_privs", "seccomp", "read_only", "tmpfs", "limits", "exec_allow", "tcp":
 * as metrics, status and messages say it. */
const char *layer_name(enum layer layer);

enum read_only_mode { READ_ONLY_OFF, READ_ONLY_AUTO, READ_ONLY_REMOUNT, READ_ONLY_LANDLOCK, READ_ONLY_VERIFY };

/* Counts and settings stand before the long arrays: a plain start then touches one page of a model. */
struct path_list {
	size_t count;
	const char *path[MODEL_PATHS_MAX];
};

struct tmpfs_mount {
	const char *path;    /* allocated for the life of the process: few services have any */
	const char *options; /* as docker run --tmpfs has them: "size=64m,mode=1777"; "" for none */
};

struct tmpfs_list {
	size_t count;
	struct tmpfs_mount mount[MODEL_TMPFS_MAX];
};

struct group_list {
	size_t count;
	const char *group[MODEL_GROUPS_MAX]; /* NAME or GID */
};

struct port_list {
	bool given; /* none at all are allowed where there is no more than that */
	uint8_t count;
	uint16_t port[MODEL_PORTS_MAX];
};

struct limits {
	uint32_t given; /* a bit for each RLIMIT_* of getrlimit(2) */
	bool oom_score_adj_given;
	int oom_score_adj; /* -1000 to 1000 */
	struct ulimit limit[ULIMIT_COUNT];
};

struct confinement {
	const char *user;  /* NAME or UID[:GID]; NULL: unchanged */
	uint64_t cap_drop; /* a bit for each capability number; all ones for "all" */
	uint64_t cap_add;
	bool cap_given;      /* --cap-drop or --cap-add was given */
	uint32_t securebits; /* SECBIT_* of capabilities(7) */
	bool no_new_privs;   /* on unless switched off */
	const char *seccomp; /* profile name or FILE; NULL or "unconfined": none */
	bool seccomp_report; /* the monitor answers for the filter where it denies, and tells */
	enum read_only_mode read_only;
	const char *foreign_level; /* of SECURITY_LEVEL, where it is none of ours; NULL */
	bool hardened;   /* the preset; of it the members say all but the allow-list of COMMAND's own program */
	bool has_joined; /* a container that runs: what docker exec started is confined */
	bool best_effort;
	bool umask_given;
	mode_t umask;
	const char *workdir;  /* absolute; NULL: where PID 1 was started */
	char **environment;   /* NAME=VALUE, for the service beside what it inherits; NULL-terminated, or NULL */
	const char *file_env; /* NAME,NAME or "all": NAME is in the file that NAME_FILE names; NULL: none */
	struct limits limits;
	struct group_list groups; /* supplementary ones, beside the user's own */
	struct port_list tcp_bind, tcp_connect;
	struct path_list exec_allow; /* programs, and directories of programs; empty: all, unless hardened */
	struct path_list writable;
	struct tmpfs_list tmpfs;
};

struct stop_policy {
	int signal;         /* what the workload gets; 0: the signal that asked for the stop, itself */
	int64_t drain_ns;   /* from "not ready" to the stop signal */
	int64_t timeout_ns; /* the whole budget, from the request to SIGKILL */
	uint64_t on;        /* bit n-1: signal n asks for a stop; 0: the usual four (supervise_default_policy()) */
	char **pre_stop;    /* NULL-terminated; NULL: no command */
	int64_t pre_stop_timeout_ns; /* 0: not said */
	/* What the workload gets for each signal: 0 the signal itself, MODEL_REWRITE_NOTHING, or another number. */
	uint8_t rewrite[MODEL_SIGNALS];
	uint64_t clean_exit[4]; /* bit n % 64 of word n / 64: status n counts as 0 after a stop was asked for */
};

enum restart_kind { RESTART_NEVER, RESTART_ON_FAILURE, RESTART_ALWAYS };

/* When the service is started again (init/restart.h). */
struct restart_policy {
	enum restart_kind kind;
	int64_t backoff_ns;     /* before the first start again; each next one is twice as long */
	int64_t max_backoff_ns; /* as long as that; and who ran for as long begins anew */
	unsigned attempts;      /* starts again in a window; 0: no limit */
	int64_t window_ns;
};

/* What is done when a live or startup check says that the service is unhealthy. */
enum unhealthy_action { UNHEALTHY_NONE, UNHEALTHY_STOP, UNHEALTHY_RESTART, UNHEALTHY_SIGNAL };

/* ecs: JSON in the words of the Elastic Common Schema (ECS logging). */
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_ECS, LOG_FORMAT_COUNT };

/* "text", "json", "ecs". */
const char *log_format_name(enum log_format format);

/* What is said: everything up to the level. */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_COUNT };

/* "error", "warning", "notice", "info". */
const char *log_level_name(enum log_level level);

/* How far another service is to be before one is started. */
enum dependency_condition {
	DEPENDS_STARTED,   /* executed, ever */
	DEPENDS_READY,     /* by its ready checks, now */
	DEPENDS_COMPLETED, /* it has ended well */
	DEPENDS_STOPPED,   /* of SERVICE_AFTER: gone, when the container stops */
	DEPENDENCY_CONDITION_COUNT,
};

struct dependency {
	uint16_t on; /* index of the service */
	enum dependency_condition condition;
};

enum service_kind {
	SERVICE_LASTING,   /* a service: it is to run until it is stopped */
	SERVICE_ONCE,      /* a task that does its work and ends */
	SERVICE_AFTER,     /* a task for when others have stopped */
	SERVICE_SCHEDULED, /* a task for certain times */
	SERVICE_KIND_COUNT,
};

/* What one service, or task, is told; the options of a run tell it to the only one. */
struct service {
	char **command;   /* NULL-terminated, from argv or the file */
	const char *name; /* in the file; NULL: no file says it */
	enum service_kind kind;
	bool essential;                /* without it the container stops */
	struct dependency *depends_on; /* depends_on_count of them */
	size_t depends_on_count;
	char **wait_for; /* targets (base/target.h) that are to answer before it is started; NULL-terminated, or NULL */
	int64_t run_ns;  /* how long a task may take; 0: as long as it likes */
	const char *schedule; /* of SERVICE_SCHEDULED: a cron expression */
	struct stop_policy stop;
	struct restart_policy restart;
	enum unhealthy_action on_unhealthy;
	int unhealthy_signal;       /* of UNHEALTHY_SIGNAL */
	int64_t watchdog_ns;        /* the workload is to say WATCHDOG=1 at least so often; 0: it is not asked to */
	struct check_timing timing; /* of every check that does not say its own */
	struct expected expected;   /* the same */
	struct check *check;        /* check_count of them, allocated for the life of the process */
	size_t check_count;
	struct logging logging; /* of its standard output and error */
	struct path_list watch; /* a change below these starts the service again */
	/* "FILE:LINE:COLUMN: KEY: " of what only a start can judge; NULL where no file says it. */
	const char *user_place, *seccomp_place;
	struct confinement confinement;
};

/* How the service gets it. */
enum secret_form {
	SECRET_VARIABLE, /* NAME */
	SECRET_MEMORY,   /* NAME_FILE, the path of a sealed memfd (memfd_create(2)) */
};

/* What is done when it is another one. */
enum secret_action {
	SECRET_NOTHING,
	SECRET_RESTART, /* of the services, one behind the other */
	SECRET_ROLLING, /* and then of those that depend on them */
	SECRET_SIGNAL,
	SECRET_COMMAND,
	SECRET_ACTION_COUNT,
};

/* "none", "restart", "rolling", "signal", "command". */
const char *secret_action_name(enum secret_action action);

struct secret {
	const char *name; /* of the variable, if it is a file */
	const char *path;
	bool is_directory; /* each of its files is a secret of its own name */
	enum secret_form form;
	enum secret_action action;
	int signal;                                 /* of SECRET_SIGNAL */
	char **command;                             /* of SECRET_COMMAND, NULL-terminated */
	uint64_t services[MODEL_SERVICES_MAX / 64]; /* a bit for each that gets it; none: all do */
};

struct model {
	const char *config; /* the file that was read, or is to be; NULL: none */
	enum log_format log_format;
	enum log_level log_level;
	struct service main;  /* the first of the file; the only one of a run without a file */
	struct service *more; /* more_count others, allocated for the life of the process */
	size_t more_count;
	struct secret *secret; /* secret_count of them, allocated for the life of the process */
	size_t secret_count;
	size_t listen_count;
	const char *listen[MODEL_LISTEN_MAX];  /* where the HTTP server listens (base/listen.h) */
	const char *users, *tokens;            /* files of who may see /metrics (base/credentials.h); NULL: none */
	const char *tls_certificate, *tls_key; /* files of what HTTPS is served with (base/tls.h); NULL: HTTP */
	const char *trace_endpoint;            /* where spans go (base/trace_endpoint.h); NULL: none are made */
	bool otel_resource;                    /* facts of the container for the workload's own OpenTelemetry */
	size_t merge_count;
	struct check merge[MODEL_MERGE_MAX]; /* the applications' pages (CHECK_PAGE); a timeout of 0 is not said */
};

/* The model must be zeroed (static). Then: no_new_privs on, no limit of a stop's time, and HEALTHCHECK's times; nothing
 * else is asked for. */
void model_defaults(struct model *ret_model);

/* What a service has by default; it must be zeroed. */
void service_defaults(struct service *ret_service);

/* How many services there are, tasks among them; and the one of that index. */
size_t model_service_count(const struct model *model);
const struct service *model_service(const struct model *model, size_t index);

/* What messages, pages and labels call it: "main" where no file says its name. */
const char *service_name(const struct service *service);

/* True if a check says when the service is ready, a startup check holds that back too; else it is when it runs. */
bool service_has_ready_check(const struct service *service);

/* True if the service gets the secret; if it gets any, or resolves NAME_FILE. */
bool secret_is_for(const struct secret *secret, size_t service);
bool model_has_secrets(const struct model *model, size_t service);

/* The files that the monitor reads, by number; behind the last, one for each page's token. */
enum model_file {
	MODEL_FILE_USERS,
	MODEL_FILE_TOKENS,
	MODEL_FILE_TLS_CERTIFICATE,
	MODEL_FILE_TLS_KEY,
	MODEL_FILE_BEARER, /* the first that is the service's own: those before it are the operator's */
};
#define MODEL_FILES_MAX (MODEL_FILE_BEARER + MODEL_MERGE_MAX)

/* Its path, or NULL: there is no such file. */
const char *model_file(const struct model *model, uint32_t file);

/* The service whose denials are reported, or NULL: of several there is one at the most; and the one that speaks for
 * itself. */
const struct service *model_reported(const struct model *model);
const struct service *model_speaker(const struct model *model);

/* How many checks all services have together. */
size_t model_check_count(const struct model *model);

/* True if anything is said about how to stop. */
bool model_shapes_stop(const struct model *model);

/* True if the model asks for the monitor: a check, an address for metrics, denial reports, spans; several services,
 * which somebody is to be able to ask about and to stop one by one. */
bool model_wants_monitor(const struct model *model);

/* True if the service is to speak for itself (sd_notify(3)): `notify` of --ready, or a watchdog; or if any is. */
bool service_wants_notify(const struct service *service);
bool model_wants_notify(const struct model *model);
