/* Records between PID 1, the monitor and the clients of the control socket: fixed width, versioned, one a packet
 * (SOCK_SEQPACKET, unix(7)). Both ends are this very binary on one machine, so the host's byte order is the wire's.
 * Whatever does not have the exact length, a known type and fields in range is refused as a whole. */
#pragma once

#include "base/model.h"
#include "base/secret.h"

#include <stdint.h>

#define WIRE_VERSION 1
#define WIRE_SIGNALS 65 /* signal numbers 0 to 64; 0 is unused */
#define WIRE_NAME_SIZE CHECK_TEXT_SIZE
#define WIRE_REASON_SIZE 480
#define WIRE_SERVICE_NAME_SIZE 64
#define WIRE_WAITS_SIZE 156
#define WIRE_DENIALS_MAX 65 /* records in one answer */
#define WIRE_SYSCALL_SIZE 40
#define WIRE_ACTION_SIZE 24
#define WIRE_BUCKETS 8 /* healthcheck_duration_seconds: upper bounds in wire_bucket_ns[], then +Inf */
extern const int64_t wire_bucket_ns[WIRE_BUCKETS];

enum wire_type {
	WIRE_SNAPSHOT = 1, /* PID 1 to monitor, monitor to client: what PID 1 counts of itself */
	WIRE_REFRESH,      /* monitor to PID 1: send a snapshot, somebody is looking */
	WIRE_HEALTH,       /* monitor to PID 1: the verdicts, whenever one changed */
	WIRE_ASK,          /* client to monitor: a question */
	WIRE_VERDICT,      /* monitor to client: the answer about one kind */
	WIRE_CHECK,        /* monitor to client: one check */
	WIRE_DENIAL,       /* monitor to client: how often one syscall was denied, by one action */
	WIRE_END,          /* monitor to client: the answer is whole */
	WIRE_LISTENER,     /* PID 1 to monitor, with the listener of a filter that is in force now */
	WIRE_RUN,          /* monitor to PID 1, with the descriptor for its output: run the command of an exec check */
	WIRE_RAN,          /* PID 1 to monitor: what came of that */
	WIRE_NOTIFIED, /* monitor to PID 1, which keeps it, to the next monitor and to clients: what the service says */
	WIRE_SERVICE,  /* PID 1 to monitor, monitor to client: what PID 1 counts of a service */
	WIRE_OPEN,     /* monitor to PID 1: open a file of the configuration that the monitor may not */
	WIRE_OPENED,   /* PID 1, or a child of it, to monitor, with the descriptor: here it is */
	WIRE_CHANGED,  /* monitor to PID 1: files that are watched have changed */
	WIRE_LOOK,     /* monitor to PID 1: something about the files of secrets has changed */
	WIRE_SECRET,   /* PID 1 to monitor, monitor to client: what PID 1 counts of a secret */
	WIRE_ORDER,    /* client to PID 1, which reads it itself: something is to be done with a service */
	WIRE_CLIENT,   /* monitor to PID 1, with the connection of a client whose next record is an order */
	WIRE_ORDERED,  /* PID 1, or the monitor where it refuses, to client: what came of it */
	WIRE_TYPE_COUNT,
};

enum wire_state { /* of PID 1, as state{state=...} of the metrics says it */
	WIRE_STATE_STARTING,
	WIRE_STATE_RUNNING,
	WIRE_STATE_DRAINING,
	WIRE_STATE_STOPPING,
	WIRE_STATE_KILLING,
	WIRE_STATE_RESTARTING,                      /* it ended, and is about to be started again */
	WIRE_STATE_INIT_COUNT,                      /* behind the last that PID 1 itself is in */
	WIRE_STATE_WAITING = WIRE_STATE_INIT_COUNT, /* a service for another one, a task for its time */
	WIRE_STATE_ENDED,                           /* for good */
	WIRE_STATE_COUNT,
};
const char *wire_state_name(uint32_t state);

enum wire_cause { /* of the main process's end, as service_exits_total{reason=...} says it */
	WIRE_CAUSE_EXIT,
	WIRE_CAUSE_SIGNAL,
	WIRE_CAUSE_OOM,     /* SIGKILL by the kernel, for want of memory */
	WIRE_CAUSE_SECCOMP, /* SIGSYS by a seccomp filter */
	WIRE_CAUSE_EXEC,    /* it could not be executed: 126 or 127 */
	WIRE_CAUSE_REFUSED, /* a protection could not be put in force: 125 */
	WIRE_CAUSE_COUNT,
};
const char *wire_cause_name(uint32_t cause);

enum wire_deadline { /* that was passed */
	WIRE_DEADLINE_PRE_STOP,
	WIRE_DEADLINE_STOP_TIMEOUT,
	WIRE_DEADLINE_LEFTOVERS, /* the time of what the main process left behind */
	WIRE_DEADLINE_COUNT,
};
/* "pre-stop-timeout", "stop-timeout", "leftovers". */
const char *wire_deadline_name(uint32_t deadline);

#define WIRE_EXITS_MAX 8

struct wire_exit {
	uint32_t cause;
	uint32_t code; /* exit status as a shell says it, 0 to 255 */
	uint64_t count;
};

enum wire_question { WIRE_ASK_HEALTH, WIRE_ASK_STATUS, WIRE_QUESTION_COUNT };

struct wire_header {
	uint16_t version;
	uint16_t type;
	uint32_t length; /* of the whole record, header included */
};

struct wire_snapshot { /* PID 1 */
	struct wire_header header;
	uint32_t state;        /* enum wire_state, below WIRE_STATE_INIT_COUNT */
	uint32_t landlock_abi; /* 0: none */
	int64_t start_time_ns; /* wall clock */
	uint64_t deadlines_passed[WIRE_DEADLINE_COUNT];
	uint64_t leftovers_killed;
	uint64_t own_capabilities; /* that PID 1 itself holds */
	uint64_t reaped_services;
	uint64_t reaped_orphans;
	uint64_t monitor_restarts;
	uint64_t reloads;          /* of the configuration, that are over */
	int64_t reload_success_ns; /* wall clock, of the last good one, or of the start; 0: no file is the configuration
				    */
	uint32_t reload_successful;         /* 0 or 1: the last one was */
	uint32_t reserved;                  /* zero */
	char reload_said[WIRE_REASON_SIZE]; /* what came of it, in a sentence */
	uint64_t signals_received[WIRE_SIGNALS];
	uint64_t signals_forwarded[WIRE_SIGNALS];
};

struct wire_service {
	struct wire_header header;
	uint32_t service;         /* its index */
	uint32_t state;           /* enum wire_state */
	int32_t main_pid;         /* 0 while there is none */
	int32_t last_status;      /* wait status of the last exit; -1: none yet */
	int64_t start_time_ns;    /* wall clock, the last one; 0: never */
	int64_t executed_time_ns; /* wall clock, when it was executed last; before that start: not yet */
	int64_t stop_deadline_ns; /* wall clock, when SIGKILL falls due; 0: no stop was asked for */
	int64_t time_to_ready_ns; /* from its start to its first ready verdict; -1: not yet */
	int64_t stop_duration_ns; /* from the last request to stop to the main process's end; -1: none yet */
	uint64_t starts;
	uint64_t exits;
	struct wire_exit exit[WIRE_EXITS_MAX]; /* the same by cause and code; further kinds are in `exits` alone */
	uint64_t capability_bounding;          /* a bit for each capability */
	uint32_t layers_requested;             /* a bit for each enum layer */
	uint32_t layers_enforced;
	uint32_t securebits; /* asked for, SECBIT_* */
	uint32_t kind;       /* enum service_kind: a service, or a task, which is to end */
	uint32_t removed;    /* 1: the configuration does not know it any more */
	char name[WIRE_SERVICE_NAME_SIZE];
	char seccomp_profile[64];          /* as it was asked for: a name or a file; "" without one */
	char seccomp_sha256[72];           /* of the instructions, in hex */
	char seccomp_default_action[32];   /* "SCMP_ACT_ERRNO" */
	char read_only_how[16];            /* "", "already", "remount", "landlock": how the root was made read-only */
	char waits_for[WIRE_WAITS_SIZE];   /* of WIRE_STATE_WAITING: "db to be ready"; "": for its time alone */
	char last_death[WIRE_REASON_SIZE]; /* how its last life ended, in a sentence; "": it has not */
};

struct wire_refresh {
	struct wire_header header;
};

struct wire_health {
	struct wire_header header;
	uint8_t healthy[CHECK_KIND_COUNT]; /* 0 or 1 for each enum check_kind */
	uint8_t unhealthy;                 /* 1: a live or startup check says that the service is to be helped */
	uint32_t service;                  /* its index */
	uint64_t life;                     /* of the service, as `starts` counts them, that this is said of */
};

struct wire_listener {
	struct wire_header header;
};

struct wire_run {
	struct wire_header header;
	uint32_t check; /* its index in the configuration, which both have */
	uint32_t reserved;
	uint64_t life; /* of the service, as `starts` counts them */
};

#define WIRE_RUNS_MAX 8 /* commands that PID 1 runs at once */

enum wire_outcome {
	WIRE_OUTCOME_ENDED,   /* the command ended, `status` says how */
	WIRE_OUTCOME_TIMEOUT, /* it had had its time, and was killed */
	WIRE_OUTCOME_REFUSED, /* it could not be executed, or confined; `reason` says why */
	WIRE_OUTCOME_COUNT,
};

struct wire_ran {
	struct wire_header header;
	uint32_t check;
	uint32_t outcome; /* enum wire_outcome */
	int32_t status;   /* wait status (wait(2)) */
	uint32_t reserved;
	uint64_t life;
	char reason[WIRE_REASON_SIZE]; /* NUL-terminated */
};

enum wire_said { /* by the service of itself (sd_notify(3)) */
	WIRE_SAID_NOTHING,
	WIRE_SAID_READY,
	WIRE_SAID_RELOADING,
	WIRE_SAID_STOPPING,
	WIRE_SAID_COUNT,
};
/* "starting", as long as it has said nothing; "ready", "reloading", "stopping". */
const char *wire_said_name(uint32_t said);

#define WIRE_ERROR_MAX 4095 /* the kernel's own MAX_ERRNO */
#define WIRE_WATCHDOG_MS_MAX 86400000

struct wire_notified {
	struct wire_header header;
	uint32_t said;                 /* enum wire_said, the last one */
	uint32_t error;                /* ERRNO=, up to WIRE_ERROR_MAX; 0: none */
	uint32_t watchdog_ms;          /* that it has chosen itself, up to WIRE_WATCHDOG_MS_MAX; 0: it has not */
	uint32_t service;              /* its index */
	uint64_t life;                 /* of the service, as `starts` counts them */
	char status[WIRE_REASON_SIZE]; /* STATUS=: printable ASCII, NUL-terminated */
};

struct wire_open {
	struct wire_header header;
	uint32_t file; /* of model_file() (base/model.h) */
	uint32_t reserved;
};

struct wire_opened {
	struct wire_header header;
	uint32_t file;
	uint32_t error; /* errno(3), up to WIRE_ERROR_MAX; 0: the descriptor is there */
};

struct wire_changed {
	struct wire_header header;
	uint32_t service; /* whose: its index */
	uint32_t reserved;
};

struct wire_look {
	struct wire_header header;
};

struct wire_secret {
	struct wire_header header;
	uint32_t secret; /* its index */
	uint32_t action; /* enum secret_action */
	uint64_t rotations;
	int64_t last_rotation_ns; /* wall clock; 0: never */
	char name[SECRET_NAME_SIZE];
};

enum wire_command {
	WIRE_COMMAND_START,
	WIRE_COMMAND_STOP,
	WIRE_COMMAND_RESTART,
	WIRE_COMMAND_SIGNAL,
	WIRE_COMMAND_RELOAD, /* of no service: the configuration is read again */
	WIRE_COMMAND_COUNT
};

struct wire_order {
	struct wire_header header;
	uint32_t command;  /* enum wire_command */
	uint32_t service;  /* its index */
	uint32_t signal;   /* of WIRE_COMMAND_SIGNAL, 1 to 64; else 0 */
	uint32_t reserved; /* zero */
};

struct wire_client {
	struct wire_header header;
};

enum wire_result {
	WIRE_RESULT_TAKEN,     /* it is done, or under way: the service's records tell */
	WIRE_RESULT_NEEDLESS,  /* it is so already */
	WIRE_RESULT_FORBIDDEN, /* to this user */
	WIRE_RESULT_UNKNOWN,   /* no such service, or signal */
	WIRE_RESULT_DOWN,      /* nothing of it runs */
	WIRE_RESULT_BUSY,      /* it is being stopped */
	WIRE_RESULT_ENDING,    /* the container is */
	WIRE_RESULT_NO_START,  /* PID 1 has not kept the capabilities that another start takes */
	WIRE_RESULT_FOREIGN,   /* under another program's name a stop is that program's */
	WIRE_RESULT_FAILED,    /* the kernel does not let PID 1 signal it, or fork */
	WIRE_RESULT_NO_FILE,   /* no file is the configuration */
	WIRE_RESULT_LATER,     /* a task for the container's end runs then */
	WIRE_RESULT_COUNT,
};

struct wire_ordered {
	struct wire_header header;
	uint32_t result; /* enum wire_result */
	uint32_t reserved;
	uint64_t life; /* of the service, as `starts` counted them before; of a reload, as `reloads` did */
};

struct wire_ask {
	struct wire_header header;
	uint32_t question; /* enum wire_question */
	uint32_t kind;     /* enum check_kind, for WIRE_ASK_HEALTH */
};

struct wire_verdict {
	struct wire_header header;
	uint32_t kind;
	uint32_t healthy;
	uint32_t silent;               /* 1: PID 1 does not answer the monitor, which is why */
	uint32_t reserved;             /* zero */
	char reason[WIRE_REASON_SIZE]; /* NUL-terminated */
};

struct wire_check {
	struct wire_header header;
	uint32_t service;  /* its index */
	uint32_t reserved; /* zero */
	uint32_t kind;     /* enum check_kind */
	uint32_t healthy;  /* the verdict, 0 or 1 */
	uint32_t settled;  /* 0 while the check has neither succeeded nor failed often enough to have a verdict */
	uint32_t consecutive_failures;
	uint64_t successes;
	uint64_t failures;
	int64_t last_success_ns; /* wall clock; 0: never */
	int64_t duration_sum_ns;
	uint64_t duration_bucket[WIRE_BUCKETS + 1]; /* not cumulative; the last one is +Inf */
	char name[WIRE_NAME_SIZE];                  /* the target as it was written, NUL-terminated */
	char reason[WIRE_REASON_SIZE];              /* of the last run: "200 OK", "connection refused" */
};

struct wire_denial {
	struct wire_header header;
	uint64_t count;
	char syscall[WIRE_SYSCALL_SIZE]; /* as the metrics have it: "ptrace", "other" */
	char action[WIRE_ACTION_SIZE];   /* "ERRNO(EPERM)" */
};

struct wire_end {
	struct wire_header header;
};

union wire_record {
	struct wire_header header;
	struct wire_snapshot snapshot;
	struct wire_service service;
	struct wire_refresh refresh;
	struct wire_health health;
	struct wire_listener listener;
	struct wire_run run;
	struct wire_ran ran;
	struct wire_notified notified;
	struct wire_open open;
	struct wire_opened opened;
	struct wire_changed changed;
	struct wire_look look;
	struct wire_secret secret;
	struct wire_order order;
	struct wire_client client;
	struct wire_ordered ordered;
	struct wire_ask ask;
	struct wire_verdict verdict;
	struct wire_check check;
	struct wire_denial denial;
	struct wire_end end;
};

/* It was removed and has ended: nobody is to be shown it. */
bool wire_is_gone(const struct wire_service *service);

/* Counts an end of the main process. */
void wire_count_exit(struct wire_service *service, enum wire_cause cause, uint32_t code);

/* Fills in the header of a record whose other fields are set. type: enum wire_type. */
void wire_seal(union wire_record *record, enum wire_type type);

/* Takes `length` received bytes that lie in *record for a record: exact length, version, type, ranges and the NUL of
 * each string are checked. Returns 0 or -EBADMSG. */
int wire_validate(const union wire_record *record, size_t length);
