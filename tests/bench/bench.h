/* The parts of the bench: what runs (programs.c), one run (instance.c), one value (figures.c), many (bench.c), the
 * table. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define ARGS_MAX 24

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
	PROGRAMS
};

struct program {
	const char *name;
	const char *file; /* looked for in PATH; NULL: set by programs_locate() */
	const char *options[8];
	char path[256]; /* empty: absent */
};

extern struct program programs[PROGRAMS];
extern char workload_path[256];

/* Finds every program; the bench's own are in `own_dir`. */
void programs_locate(const char *own_dir);

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

/* Returns when the workload has said that it is ready in `mode`. 0 or -errno; -ENOEXEC: the program gave up. */
int instance_start(const struct program *program, const char *mode, int count, struct instance *ret_instance);
int instance_go(struct instance *instance);                    /* lets the workload begin the measured part */
int instance_hear(struct instance *instance, int64_t *ret_ns); /* the workload's next record */
int instance_wait_end(struct instance *instance, int64_t *ret_ns);
void instance_destroy(struct instance *instance); /* kills what is left of it */

/* What the program that failed last said on stderr: its first line. */
const char *instance_last_complaint(void);

/* figures.c */

struct figure {
	const char *key, *title;
	int (*measure)(const struct program *program, double *ret_value); /* one value, ns */
	bool confined;   /* the columns of the confined table instead of the plain ones */
	bool needs_init; /* means nothing for a direct exec */
	int divisor;     /* of the number of rounds: for what takes long */
	double target;   /* nest-init's ratio to floor at most; 0: none */
};

extern const struct figure figures[];
extern const size_t figure_count;

#define IDLE_SECONDS 10

struct idle {
	long dirty_kb, wakeups;
};

/* All programs side by side; ret_idle[i] belongs to which[i], dirty_kb < 0: it failed. */
void idle_measure(const struct program *const *which, size_t count, struct idle *ret_idle);

/* stats.c */

double median(const double *values, size_t count);

/* Median and its 95 % confidence interval, by order statistics. */
void median_interval(const double *values, size_t count, double *ret_median, double *ret_low, double *ret_high);

/* table.c: a column is as wide as its heading needs, at least CELL. */

void table_head(const char *title, const struct program *const *columns, size_t count, const char *side);
void table_row(const char *title, bool faint);
void table_value(const char *format, double value);
void table_text(const char *text);
void table_judged(const char *format, double value, bool pass);
void table_side(const char *text);
void table_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
