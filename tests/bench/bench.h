/* The parts of the bench: what runs (programs.c, runtime.c), one run (instance.c), one value (figures.c, calls.c,
 * http.c, clients.c, serving.c), many (bench.c), the table. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define OPTIONS_MAX 16
#define WORDS_MAX 4
#define ARGS_MAX (OPTIONS_MAX + WORDS_MAX + 2)
#define FILTER_FD 50 /* where a program finds its filter, if it takes one that way */

/* programs.c */

enum program_id {
	DIRECT,
	FLOOR,
	NEST,
	DUMB_INIT,
	TINI,
	TINI_STATIC,
	CATATONIT,
	NEST_CONFINED,
	SETPRIV,
	BWRAP,
	MINIJAIL,
	NEST_NODE,
	NEST_DEFAULT,
	NEST_COMPILED,
	NEST_DOCKER,
	BWRAP_HARDENED,
	SETPRIV_HARDENED,
	RUNC,
	CRUN,
	NEST_SERVING, /* asked by the clients */
	NEST_CLIENT,
	CURL,
	WGET,
	WGET_SPIDER,
	EXPORTER,
	NEST_SCRAPED,
	NEST_QUIET, /* a signal's latency: nobody asks, many do, and a great page is merged for them */
	NEST_BUSY,
	NEST_MERGING,
	WRK, /* who asks */
	NEST_LOGGED,
	S6_LOG,
	MULTILOG,
	SVLOGD,
	NEST_ONE, /* services */
	NEST_HUNDRED,
	PROGRAMS
};

struct program {
	const char *name;
	const char *file; /* looked for in PATH; NULL: set by programs_locate() */
	const char *options[OPTIONS_MAX];
	const char *filter; /* a file, open as FILTER_FD */
	bool ours;
	bool runtime;   /* gets the command in its bundle */
	bool compiles;  /* Docker's profile, at every start */
	char path[256]; /* empty: absent */
};

extern struct program programs[PROGRAMS];
extern char workload_path[256], node_path[256];

/* Finds every program; the bench's own are in `own_dir`, which is the working directory. */
void programs_locate(const char *own_dir);

/* runtime.c */

/* bundle/config.json, with this command and a cgroup of its own. 0 or -errno. */
int runtime_write_bundle(const char *const *words);

/* In the mount namespace that the runtime will run in: the directories root and state, and the cgroups. */
bool runtime_enter(void);

/* instance.c */

/* A program as PID 1 of a PID namespace and a mount namespace of its own, with the workload under it. */
struct instance {
	pid_t pid;
	int to_workload, from_workload, complaints, mounts;
	int64_t executed; /* when the program was executed, ns on CLOCK_MONOTONIC, as all times here */
	int64_t began;    /* when the workload's main() began */
};

int64_t now_ns(void);

/* One CPU for everything, and real-time priority where that is allowed; says in words what could be done. */
const char *instance_settle_process(void);

/* Returns when what was started says that it is ready: `words`, WORDS_MAX at most and then NULL, are the workload in
 * one of its modes, or a program that answers as it does. 0 or -errno; -ENOEXEC: the program gave up. */
int instance_start(const struct program *program, const char *const *words, struct instance *ret_instance);
int instance_go(struct instance *instance);                    /* lets the workload begin the measured part */
int instance_hear(struct instance *instance, int64_t *ret_ns); /* the workload's next record */
int instance_wait_end(struct instance *instance, int64_t *ret_ns);
void instance_end_input(struct instance *instance);
void instance_destroy(struct instance *instance); /* kills what is left of it */

/* Leaves the one CPU to the instances where there is another, or comes back to it. */
void instance_make_way(bool away);
/* The same for another process, for good. */
void instance_send_away(pid_t pid);

/* What is started meanwhile has no real-time priority, only the highest of the others: threads of one program would not
 * take turns, and the kernel stops whoever takes all of a CPU for 50 ms a second (sched_rt_runtime_us). */
void instance_take_turns(bool turns);
/* For a child. A session is a group of its own to the scheduler: only what is said of the group counts against others
 * (sched(7), "The autogroup feature"). */
bool instance_begin_session(void);

/* What the program that failed last said on stderr: its first line. */
const char *instance_last_complaint(void);

/* figures.c */

/* The columns that a figure has. */
enum table_id {
	TABLE_PLAIN,
	TABLE_CONFINED,
	TABLE_HARDENED,
	TABLE_FILTERED,
	TABLE_CLIENTS,
	TABLE_SERVING,
	TABLE_LATENCY,
	TABLE_LOGS,
	TABLE_SERVICES,
	TABLES
};

struct figure {
	const char *key, *title;
	int (*measure)(const struct program *program, double *ret_value); /* one value, ns or KB */
	/* Instead: a round of them; negative: it failed. */
	void (*measure_round)(const struct program *const *which, size_t count, double *ret_values);
	enum table_id table;
	bool is_memory;
	bool needs_init; /* means nothing for a direct exec */
	int divisor;     /* of the number of rounds: for what takes long */
	double target;   /* nest-init's ratio to the table's base at most; 0: none */
	const enum program_id
		*rivals; /* nest-init's ratio to each of them, in pairs, is at most 1; PROGRAMS ends them */
};

extern const struct figure figures[];
extern const size_t figure_count;

/* calls.c, http.c */
int measure_allowed_call(const struct program *program, double *ret_value);
int measure_argument_call(const struct program *program, double *ret_value);
int measure_denied_call(const struct program *program, double *ret_value);
/* One value of each program, ns for a request, all side by side; which[i] may be NULL; negative: it failed. */
void http_measure(const struct program *const *which, size_t count, double *ret_values);

int raise_loopback(void); /* 0 or -errno */

/* logs.c */
int measure_logs(const struct program *program, double *ret_value);

/* services.c */
int measure_services(const struct program *program, double *ret_value);
int measure_services_memory(const struct program *program, double *ret_value);

/* clients.c */
int measure_health(const struct program *program, double *ret_value);
int measure_health_memory(const struct program *program, double *ret_value);
int measure_probe(const struct program *program, double *ret_value);
int measure_probe_memory(const struct program *program, double *ret_value);

pid_t monitor_of(pid_t pid); /* the child of that nest-init; -1: there is none */

/* serving.c */
int measure_request_1(const struct program *program, double *ret_value); /* ns for one, of one connection */
int measure_request_64(const struct program *program, double *ret_value);
int measure_slowest_1(const struct program *program, double *ret_value); /* ns, the 99th percentile */
int measure_slowest_64(const struct program *program, double *ret_value);
int measure_serving_memory(const struct program *program, double *ret_value);
int measure_loaded_signal(const struct program *program, double *ret_value);
void serving_sizes(size_t *ret_ours, size_t *ret_theirs); /* of the pages, in bytes; 0: not asked */

#define CHECK_SCHEMES 3
/* The percentage of a core that a monitor and its children take for a thousand checks of each scheme, at an interval of
 * 10 s. "names" is tcp, each check with a host name of its own. */
bool checks_measure(const char *const *schemes, size_t count, double *ret_percent);

#define IDLE_SECONDS 10

struct idle {
	long dirty_kb, wakeups;
};

/* From kill(init) to the return of the workload's sigwaitinfo, in ns. */
int time_signal(struct instance *instance, double *ret_value);

/* The number after `key` in a file of /proc/PID; -1 if there is none. */
long proc_number(pid_t pid, const char *name, const char *key);
/* User and system time in ns: the scheduler's own sum, not the samples of the tick (proc_schedstat in kernel/sched). */
int cpu_time(pid_t pid, double *ret_ns);

/* All programs side by side; ret_idle[i] belongs to which[i], dirty_kb < 0: it failed. */
void idle_measure(const struct program *const *which, size_t count, struct idle *ret_idle);

/* stats.c */

void shuffle(size_t *order, size_t count); /* 0 to count - 1 */

double median(const double *values, size_t count);

/* Median and its 95 % confidence interval, by order statistics. */
void median_interval(const double *values, size_t count, double *ret_median, double *ret_low, double *ret_high);

/* table.c: a column is as wide as its heading needs, at least CELL. */

void table_head(const char *title, const struct program *const *columns, size_t count, const char *side);
void table_row(const char *title, bool faint);
void table_value(const char *format, double value);
void table_text(const char *text);
void table_judged(const char *format, double value, bool pass);
void table_interval(double low, double high, bool pass);
void table_side(const char *text);
void table_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
