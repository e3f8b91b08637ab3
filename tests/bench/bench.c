/* ./dev bench: what an init costs, as ratios to the least C that is a correct init (floor.c). Started by
 * tests/bench/run. */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MIN 3
#define CHECKS_PERCENT 5
#define EQUAL 1.02 /* of two dozen intervals around 1 one lies above it by chance */

static const enum program_id plain[] = { DIRECT, FLOOR, NEST, DUMB_INIT, TINI, TINI_STATIC, CATATONIT };
/* tini stands beside the confined starts unconfined: nest-init wants to do all of it in less than tini does nothing. */
static const enum program_id confined[] = { FLOOR, NEST_CONFINED, TINI, SETPRIV, BWRAP, MINIJAIL };
static const enum program_id hardened[] = { FLOOR, NEST_DEFAULT, NEST_COMPILED, NEST_DOCKER, BWRAP_HARDENED,
	SETPRIV_HARDENED, RUNC, CRUN };
static const enum program_id clients[] = { CURL, NEST_CLIENT, WGET, WGET_SPIDER };
static const enum program_id serving[] = { EXPORTER, NEST_SCRAPED };
static const enum program_id loaded[] = { NEST_QUIET, NEST_BUSY, NEST_MERGING };
static const enum program_id logging[] = { S6_LOG, NEST_LOGGED, MULTILOG, SVLOGD };
static const enum program_id services[] = { NEST_ONE, NEST_HUNDRED };
static const enum program_id filtered[] = { FLOOR, NEST_NODE, NEST_DEFAULT, NEST_DOCKER, RUNC, CRUN };

#define FLOOR_HEADING "times floor", "target    floor itself  pairs"
#define IDS(list) list, sizeof list / sizeof *list
static const struct {
	const enum program_id *ids;
	size_t count;
	enum program_id base;
	const char *heading, *side;
} columns_of[TABLES] = {
	[TABLE_PLAIN] = { IDS(plain), FLOOR, FLOOR_HEADING },
	[TABLE_CONFINED] = { IDS(confined), FLOOR, FLOOR_HEADING },
	[TABLE_HARDENED] = { IDS(hardened), FLOOR, FLOOR_HEADING },
	[TABLE_FILTERED] = { IDS(filtered), FLOOR, FLOOR_HEADING },
	[TABLE_CLIENTS] = { IDS(clients), CURL, "times curl", "target     curl itself  pairs" },
	[TABLE_SERVING] = { IDS(serving), EXPORTER, "times the exporter", "target      exporter's  pairs" },
	[TABLE_LATENCY] = { IDS(loaded), NEST_QUIET, "times idle", "target     idle itself  pairs" },
	[TABLE_LOGS] = { IDS(logging), S6_LOG, "times s6-log", "target   s6-log itself  pairs" },
	[TABLE_SERVICES] = { IDS(services), NEST_ONE, "times one service", "target      one itself  pairs" },
};

struct column {
	const struct program *program;
	double *values; /* one for each round; NULL: not measured */
	const char *state;
	double ratio, middle, pair_ratio, low, high;
};

struct table {
	struct column columns[PROGRAMS];
	const struct program *programs[PROGRAMS]; /* the same, for headings */
	size_t count;
};

static FILE *results;

static struct table make_table(enum table_id id)
{
	struct table table = { .count = columns_of[id].count };

	for (size_t i = 0; i < table.count; i++)
		table.programs[i] = table.columns[i].program = &programs[columns_of[id].ids[i]];
	return table;
}

static struct column *find_column(struct table *table, enum program_id id)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->columns[i].program == &programs[id])
			return &table->columns[i];
	return NULL;
}

static void drop_column(struct column *column, const char *state)
{
	free(column->values);
	column->values = NULL;
	column->state = state;
}

static void fail_column(const struct figure *figure, struct column *column)
{
	fprintf(stderr, "bench: %s: %s: %s\n", figure->key, column->program->name, instance_last_complaint());
	drop_column(column, "failed");
}

static void run_together(const struct figure *figure, struct table *table, size_t round)
{
	const struct program *which[PROGRAMS];
	double values[PROGRAMS];

	for (size_t i = 0; i < table->count; i++)
		which[i] = table->columns[i].values ? table->programs[i] : NULL;
	figure->measure_round(which, table->count, values);
	for (size_t i = 0; i < table->count; i++)
		if (which[i] && values[i] < 0)
			fail_column(figure, &table->columns[i]);
		else if (which[i])
			table->columns[i].values[round] = values[i];
}

/* One value of every program, in random order: value i of one and value i of another are a pair. */
static void run_in_turn(const struct figure *figure, struct table *table, size_t round)
{
	size_t order[PROGRAMS];

	shuffle(order, table->count);
	for (size_t i = 0; i < table->count; i++) {
		struct column *column = &table->columns[order[i]];

		if (column->values && figure->measure(column->program, &column->values[round]) < 0)
			fail_column(figure, column);
	}
}

static void run_rounds(const struct figure *figure, struct table *table, size_t rounds)
{
	bool progress = isatty(STDERR_FILENO);

	for (size_t i = 0; i < table->count; i++) {
		struct column *column = &table->columns[i];

		column->values = calloc(rounds, sizeof *column->values);
		if (!*column->program->path)
			drop_column(column, "absent");
		else if (figure->needs_init && column->program == &programs[DIRECT])
			drop_column(column, "-");
	}
	for (size_t round = 0; round < rounds; round++) {
		if (figure->measure_round)
			run_together(figure, table, round);
		else
			run_in_turn(figure, table, round);
		if (progress)
			fprintf(stderr, "\r%s %zu/%zu\033[K", figure->key, round + 1, rounds);
	}
	if (progress)
		fprintf(stderr, "\r\033[K");
}

static void compare_to(const struct column *base, struct column *column, size_t rounds)
{
	double *ratios = calloc(rounds, sizeof *ratios);

	if (!ratios)
		abort();
	for (size_t i = 0; i < rounds; i++)
		ratios[i] = column->values[i] / base->values[i];
	column->middle = median(column->values, rounds);
	column->ratio = column->middle / median(base->values, rounds);
	median_interval(ratios, rounds, &column->pair_ratio, &column->low, &column->high);
	free(ratios);
}

static const char *ratio_format(double ratio)
{
	return ratio < 9.995 ? "%.2f" : "%.1f";
}

static void print_ratios(const struct figure *figure, const struct table *table, size_t rounds, double base_median)
{
	char side[64], target[16] = "";
	const char *unit = figure->is_memory ? "KB" : base_median >= 1e7 ? "ms" : "us";
	double scale = figure->is_memory ? 1 : base_median >= 1e7 ? 1e6 : 1e3;

	table_row(figure->title, false);
	for (size_t i = 0; i < table->count; i++) {
		const struct column *column = &table->columns[i];

		if (!column->values)
			table_text(column->state);
		else if (column->program->ours && figure->target > 0)
			table_judged(ratio_format(column->ratio), column->ratio, column->ratio <= figure->target);
		else
			table_value(ratio_format(column->ratio), column->ratio);
	}
	if (figure->target > 0)
		snprintf(target, sizeof target, "<= %.2f", figure->target);
	snprintf(side, sizeof side, "%-9s %9.1f %s %6zu", target, base_median / scale, unit, rounds);
	table_side(side);
}

static void print_pair_ratios(const struct table *table)
{
	table_row("  median of pairs", true);
	for (size_t i = 0; i < table->count; i++)
		if (table->columns[i].values)
			table_value(ratio_format(table->columns[i].pair_ratio), table->columns[i].pair_ratio);
		else
			table_text("");
	table_side("");
}

/* `against`: "" for floor, or "/" and the rival's name. */
static void write_results(const struct figure *figure, const char *against, const struct column *column, size_t rounds)
{
	if (results)
		fprintf(results, "%s%s\t%s\t%zu\t%.0f\t%.4f\t%.4f\t%.4f\t%.4f\n", figure->key, against,
			column->program->name, rounds, column->middle, column->ratio, column->pair_ratio, column->low,
			column->high);
}

static bool competes(const struct column *column, const struct column *rival)
{
	return column->values && column->program->ours && (!column->program->compiles || rival->program->compiles);
}

/* Ours to a rival's, in pairs: passed unless all of the interval lies above EQUAL. One that compiles its profile is
 * held against those alone that do so as well. */
static void print_rivalry(const struct figure *figure, struct table *table, const struct column *rival, size_t rounds)
{
	char text[64];

	snprintf(text, sizeof text, "/%s", rival->program->name);
	for (size_t i = 0; i < table->count; i++)
		if (competes(&table->columns[i], rival)) {
			compare_to(rival, &table->columns[i], rounds);
			write_results(figure, text, &table->columns[i], rounds);
		}
	snprintf(text, sizeof text, "  to %s, 95 %%", rival->program->name);
	table_row(text, false);
	for (size_t i = 0; i < table->count; i++) {
		const struct column *column = &table->columns[i];

		if (!competes(column, rival))
			table_text("");
		else
			table_interval(column->low, column->high, column->low <= EQUAL);
	}
	table_side("<= 1");
}

static void run_figure(const struct figure *figure, size_t pairs)
{
	size_t rounds = pairs / (size_t)figure->divisor;
	struct table table = make_table(figure->table);
	const struct column *base = find_column(&table, columns_of[figure->table].base), *rival;

	if (rounds < ROUNDS_MIN)
		rounds = ROUNDS_MIN;
	run_rounds(figure, &table, rounds);
	if (!base->values) {
		fprintf(stderr, "bench: %s: %s could not be measured\n", figure->key, base->program->name);
		exit(EXIT_FAILURE);
	}
	for (size_t i = 0; i < table.count; i++)
		if (table.columns[i].values) {
			compare_to(base, &table.columns[i], rounds);
			write_results(figure, "", &table.columns[i], rounds);
		}
	print_ratios(figure, &table, rounds, base->middle);
	print_pair_ratios(&table);
	for (const enum program_id *id = figure->rivals; id && *id != PROGRAMS; id++)
		if ((rival = find_column(&table, *id))->values)
			print_rivalry(figure, &table, rival, rounds);
	for (size_t i = 0; i < table.count; i++)
		free(table.columns[i].values);
}

static bool is_peer(const struct program *program)
{
	return program >= &programs[DUMB_INIT] && program <= &programs[CATATONIT];
}

static void print_idle_row(
	const char *title, const struct table *table, const long *values, long target, const char *side)
{
	table_row(title, false);
	for (size_t i = 0; i < table->count; i++)
		if (values[i] < 0)
			table_text(*table->programs[i]->path ? "failed" : "absent");
		else if (table->programs[i] == &programs[NEST])
			table_judged("%.0f", (double)values[i], values[i] <= target);
		else
			table_value("%.0f", (double)values[i]);
	table_side(side);
}

static void run_idle(void)
{
	struct table table = make_table(TABLE_PLAIN);
	struct idle idle[PROGRAMS];
	long dirty[PROGRAMS], wakeups[PROGRAMS], smallest = -1;

	idle_measure(table.programs, table.count, idle);
	for (size_t i = 0; i < table.count; i++) {
		dirty[i] = idle[i].dirty_kb;
		wakeups[i] = idle[i].wakeups;
		if (is_peer(table.programs[i]) && dirty[i] >= 0 && (smallest < 0 || dirty[i] < smallest))
			smallest = dirty[i];
		if (results)
			fprintf(results, "idle\t%s\t1\tdirty_kb %ld\twakeups %ld\n", table.programs[i]->name, dirty[i],
				wakeups[i]);
	}
	table_head("idle, absolute", table.programs, table.count, "target");
	print_idle_row("private dirty, KB", &table, dirty, smallest, "<= smallest peer");
	print_idle_row("wakeups in 10 s", &table, wakeups, 0, "0");
}

static void run_checks(void)
{
	static const char *const schemes[CHECK_SCHEMES] = { "tcp", "http", "names" };
	const struct program *heading[CHECK_SCHEMES] = { &(struct program){ .name = "tcp" },
		&(struct program){ .name = "http" }, &(struct program){ .name = "names" } };
	double percent[CHECK_SCHEMES];

	table_head("1,000 checks, absolute", heading, CHECK_SCHEMES, "target");
	table_row("% of a core, every 10 s", false);
	if (!checks_measure(schemes, CHECK_SCHEMES, percent)) {
		fprintf(stderr, "bench: checks: %s\n", instance_last_complaint());
		table_text("failed");
		table_side("");
		return;
	}
	for (size_t i = 0; i < CHECK_SCHEMES; i++) {
		table_judged("%.2f", percent[i], percent[i] < CHECKS_PERCENT);
		if (results)
			fprintf(results, "checks\t%s\t1\tpercent %.3f\n", schemes[i], percent[i]);
	}
	table_side("< 5");
}

static bool run_ratios(enum table_id id, size_t pairs, const char *only)
{
	struct table table = make_table(id);
	bool any = false;

	for (size_t i = 0; i < figure_count; i++) {
		if (figures[i].table != id || (only && strcmp(only, figures[i].key) != 0))
			continue;
		if (!any)
			table_head(columns_of[id].heading, table.programs, table.count, columns_of[id].side);
		any = true;
		run_figure(&figures[i], pairs);
	}
	return any;
}

static void print_serving_notes(void)
{
	size_t ours, theirs;

	serving_sizes(&ours, &theirs);
	if (ours > 0 && theirs > 0)
		table_note("/metrics: the time for a request as wrk counts them, its 99th percentile, the peak of "
			   "resident "
			   "memory of PID 1 and");
	if (ours > 0 && theirs > 0)
		table_note("the monitor together; pages of %zu bytes, and of %zu the exporter's, whose collectors are "
			   "chosen for that.",
			ours, theirs);
	table_note("A signal, under load: scraped by 64 connections without a pause, and so with a page of 4 MB to "
		   "merge; who asks and");
	table_note("the monitor have another CPU than PID 1 and its workload, where there is one.");
}

static void print_notes(const char *settled)
{
	printf("\n");
	table_note(
		"A value is the program's median divided by floor's; below it, the median of the ratios of the pairs.");
	table_note("A round runs every program once, in random order, as PID 1 of namespaces of its own; %s.", settled);
	table_note("The absolute time of floor is this machine's and means little elsewhere.");
	table_note("Confined: nest-init --cap-drop all --seccomp node --read-only. The others do less: setpriv "
		   "capabilities and");
	table_note("no_new_privs, bwrap also a read-only root, minijail0 as setpriv, none a seccomp filter; tini "
		   "nothing at all.");
	table_note(
		"All in force: another user, no capability, no_new_privs, a filter, a read-only root, a tmpfs on /tmp. "
		"default,");
	table_note("docker.bpf and docker.json are nest-init's filters: built in, Docker's compiled before, and at the "
		   "start, as runc and");
	table_note("crun do it. bwrap loads docker.bpf, and has the user in a user namespace; setpriv has no filter "
		   "and no "
		   "mounts.");
	table_note("A call, a request: the same confinement, under floor none. Eight clients ask one server after the "
		   "other.");
	table_note("to runc, 95 %%: nest-init's ratio to runc's in pairs, its confidence interval; not passed if all "
		   "of it "
		   "is above %.2f.",
		EQUAL);
	print_serving_notes();
	table_note(
		"logs: timestamps, a file of 1 MB after the other, on a tmpfs; nest-init's start and end are in it.");
	table_note("services: each sleeps, and in chains of ten depends on the one before; start to READY=1, and TERM "
		   "to the end.");
	table_note("health: nest-init health asks PID 1's monitor, the others its page /readyz; probe: all look at one "
		   "little server.");
	table_note(
		"spider is wget -q --spider, memory the peak of what was resident. A thousand checks: the CPU time of "
		"the monitor");
	table_note("and its children; names: tcp, each of another host, which the children ask a name server for.");
	table_note(
		"crun and runc compile a list, nest-init a tree: longer in the making, and quicker where an argument "
		"decides.");
}

static void end_bench(int signo)
{
	_exit(128 + signo);
}

static int usage(void)
{
	fprintf(stderr, "usage: tests/bench/run [--pairs N] [--only ROW] NEST_INIT_BINARY\nrows: idle checks");
	for (size_t i = 0; i < figure_count; i++)
		fprintf(stderr, " %s", figures[i].key);
	fprintf(stderr, "\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pairs", required_argument, NULL, 'p' },
		{ "only", required_argument, NULL, 'o' },
		{ "own", required_argument, NULL, 'd' },
		{ 0 },
	};
	const char *only = NULL, *own = ".", *settled;
	char path[300];
	long pairs = 300;
	bool any = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'p':
			pairs = strtol(optarg, NULL, 10);
			break;
		case 'o':
			only = optarg;
			break;
		case 'd':
			own = optarg;
			break;
		default:
			return usage();
		}
	if (optind != argc - 1 || pairs < 1)
		return usage();
	/* PID 1 of the namespace that tests/bench/run made ignores what it has no handler for; its end ends everything.
	 */
	signal(SIGINT, end_bench);
	signal(SIGTERM, end_bench);
	srandom((unsigned)time(NULL));
	programs_locate(own);
	settled = instance_settle_process();
	snprintf(path, sizeof path, "%s/results.tsv", own);
	results = fopen(path, "we");
	if (results)
		fprintf(results, "figure\tprogram\tpairs\tmedian_ns\tratio\tpair_ratio\tlow95\thigh95\n");
	for (int id = 0; id < TABLES; id++)
		any |= run_ratios((enum table_id)id, (size_t)pairs, only);
	if (!only || strcmp(only, "idle") == 0) {
		run_idle();
		any = true;
	}
	if (!only || strcmp(only, "checks") == 0) {
		run_checks();
		any = true;
	}
	if (!any)
		return usage();
	print_notes(settled);
	return 0;
}
