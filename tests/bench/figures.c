#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SIGNALS 15 /* of one init; the value is their median */
#define REAPED 200 /* orphans of one init: 60,000 in 300 rounds */
#define BURST 5000
#define IDLE_INSTANCES 9
#define SWITCHES "voluntary_ctxt_switches:"

static void sleep_ms(long ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static int start_workload(const struct program *program, const char *mode, int count, struct instance *ret_instance)
{
	char text[16];
	const char *const words[] = { workload_path, mode, text, NULL };

	snprintf(text, sizeof text, "%d", count);
	return instance_start(program, words, ret_instance);
}

/* From the execve of the program to the workload's main(). */
static int measure_start(const struct program *program, double *ret_value)
{
	struct instance it;
	int64_t ended;
	int r = start_workload(program, "start", 0, &it);

	if (r < 0)
		return r;
	r = instance_wait_end(&it, &ended);
	if (r == 0)
		*ret_value = (double)(it.began - it.executed);
	instance_destroy(&it);
	return r;
}

/* From the execve of the program to its end; the workload ends as it begins. */
static int measure_run(const struct program *program, double *ret_value)
{
	const char *const words[] = { workload_path, "start", NULL };
	struct instance it;
	int64_t ended;
	int r = instance_start(program, words, &it);

	if (r < 0)
		return r;
	r = instance_wait_end(&it, &ended);
	if (r == 0)
		*ret_value = (double)(ended - it.executed);
	instance_destroy(&it);
	return r;
}

int time_signal(struct instance *it, double *ret_value)
{
	int64_t received, sent = now_ns();
	int r;

	if (kill(it->pid, SIGUSR1) != 0)
		return -errno;
	r = instance_hear(it, &received);
	if (r == 0)
		*ret_value = (double)(received - sent);
	return r;
}

/* From kill(init) to the workload's return from sigwaitinfo. The first signal only warms up. */
static int measure_signal(const struct program *program, double *ret_value)
{
	double values[SIGNALS];
	struct instance it;
	int r = start_workload(program, "signal", 0, &it);

	if (r < 0)
		return r;
	r = time_signal(&it, &values[0]);
	for (int i = 0; i < SIGNALS && r == 0; i++)
		r = time_signal(&it, &values[i]);
	if (r == 0)
		*ret_value = median(values, SIGNALS);
	instance_destroy(&it);
	return r;
}

/* From the workload's _exit to our return from waitpid(init). */
static int measure_end(const struct program *program, double *ret_value)
{
	struct instance it;
	int64_t ending, ended;
	int r = start_workload(program, "end", 0, &it);

	if (r < 0)
		return r;
	r = instance_go(&it);
	if (r == 0)
		r = instance_wait_end(&it, &ended);
	if (r == 0)
		r = instance_hear(&it, &ending);
	if (r == 0)
		*ret_value = (double)(ended - ending);
	instance_destroy(&it);
	return r;
}

int cpu_time(pid_t pid, double *ret_ns)
{
	char path[64];
	FILE *file;
	int got;

	snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	got = fscanf(file, "%lf", ret_ns);
	fclose(file);
	return got == 1 ? 0 : -EIO;
}

/* The init's CPU time for each orphan that ends alone and is reaped. */
static int measure_reap(const struct program *program, double *ret_value)
{
	struct instance it;
	double before, after;
	int64_t done;
	int r = start_workload(program, "reap", REAPED, &it);

	if (r < 0)
		return r;
	sleep_ms(1); /* for what the init still does about the start */
	r = cpu_time(it.pid, &before);
	if (r == 0)
		r = instance_go(&it);
	if (r == 0)
		r = instance_hear(&it, &done);
	if (r == 0)
		r = cpu_time(it.pid, &after);
	if (r == 0)
		*ret_value = (after - before) / REAPED;
	instance_destroy(&it);
	return r;
}

/* From the moment at which all orphans are let go to the reaping of the last. */
static int measure_burst(const struct program *program, double *ret_value)
{
	struct instance it;
	int64_t began, done;
	int r = start_workload(program, "burst", BURST, &it);

	if (r < 0)
		return r;
	sleep_ms(150); /* every orphan sleeps by then, and the kernel has freed what the last crowd left (RCU) */
	r = instance_go(&it);
	if (r == 0)
		r = instance_hear(&it, &began);
	if (r == 0)
		r = instance_hear(&it, &done);
	if (r == 0)
		*ret_value = (double)(done - began);
	instance_destroy(&it);
	return r;
}

long proc_number(pid_t pid, const char *name, const char *key)
{
	char path[64], line[256];
	long number = -1;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (number < 0 && fgets(line, sizeof line, file))
		if (strncmp(line, key, strlen(key)) == 0)
			sscanf(line + strlen(key), "%ld", &number);
	fclose(file);
	return number;
}

/* Of several instances, as a page more or less is chance: the median of the memory, the most wakeups. */
static struct idle finish_idle(struct instance *instances, double *dirty, const long *switches)
{
	struct idle idle = { .dirty_kb = (long)median(dirty, IDLE_INSTANCES) };

	for (int i = 0; i < IDLE_INSTANCES; i++) {
		long woken = proc_number(instances[i].pid, "status", SWITCHES) - switches[i];

		if (woken > idle.wakeups)
			idle.wakeups = woken;
		instance_destroy(&instances[i]);
	}
	return idle;
}

/* True when all instances run; none is left otherwise. */
static bool start_idle(const struct program *program, struct instance *ret_instances)
{
	for (int i = 0; i < IDLE_INSTANCES; i++)
		if (!*program->path || start_workload(program, "idle", 0, &ret_instances[i]) < 0) {
			while (i-- > 0)
				instance_destroy(&ret_instances[i]);
			return false;
		}
	return true;
}

void idle_measure(const struct program *const *which, size_t count, struct idle *ret_idle)
{
	struct instance instances[PROGRAMS][IDLE_INSTANCES];
	double dirty[PROGRAMS][IDLE_INSTANCES];
	long switches[PROGRAMS][IDLE_INSTANCES];
	bool runs[PROGRAMS];

	for (size_t i = 0; i < count; i++)
		runs[i] = start_idle(which[i], instances[i]);
	sleep_ms(500);
	for (size_t i = 0; i < count; i++)
		for (int j = 0; runs[i] && j < IDLE_INSTANCES; j++) {
			switches[i][j] = proc_number(instances[i][j].pid, "status", SWITCHES);
			dirty[i][j] = (double)proc_number(instances[i][j].pid, "smaps_rollup", "Private_Dirty:");
		}
	sleep_ms(IDLE_SECONDS * 1000);
	for (size_t i = 0; i < count; i++) {
		ret_idle[i] = (struct idle){ .dirty_kb = -1, .wakeups = -1 };
		if (runs[i])
			ret_idle[i] = finish_idle(instances[i], dirty[i], switches[i]);
	}
}

static const enum program_id confining[] = { BWRAP_HARDENED, SETPRIV_HARDENED, RUNC, CRUN, PROGRAMS };
static const enum program_id logging[] = { S6_LOG, MULTILOG, SVLOGD, PROGRAMS };
static const enum program_id filtering[] = { RUNC, CRUN, PROGRAMS };

const struct figure figures[] = {
	{ .key = "start", .title = "start of the workload", .measure = measure_start, .divisor = 1, .target = 1.3 },
	{ .key = "signal", .title = "latency of a signal", .measure = measure_signal, .divisor = 1, .target = 1.03 },
	{ .key = "end", .title = "workload's end to init's", .measure = measure_end, .divisor = 1, .target = 1.3 },
	{ .key = "reap",
		.title = "CPU per reaped orphan",
		.measure = measure_reap,
		.needs_init = true,
		.divisor = 1,
		.target = 1.03 },
	{ .key = "burst",
		.title = "5,000 orphans end at once",
		.measure = measure_burst,
		.needs_init = true,
		.divisor = 15 },
	{ .key = "confined",
		.title = "start, confined",
		.measure = measure_start,
		.table = TABLE_CONFINED,
		.divisor = 1,
		.target = 4.0 },
	{ .key = "hardened",
		.title = "start to end, all in force",
		.measure = measure_run,
		.table = TABLE_HARDENED,
		.divisor = 3,
		.rivals = confining },
	{ .key = "call",
		.title = "1,000 allowed calls",
		.measure = measure_allowed_call,
		.table = TABLE_FILTERED,
		.divisor = 6,
		.rivals = filtering },
	{ .key = "call-argument",
		.title = "1,000, by an argument",
		.measure = measure_argument_call,
		.table = TABLE_FILTERED,
		.divisor = 6,
		.rivals = filtering },
	{ .key = "call-denied",
		.title = "1,000 denied calls",
		.measure = measure_denied_call,
		.table = TABLE_FILTERED,
		.divisor = 6,
		.rivals = filtering },
	{ .key = "http",
		.title = "an HTTP request to Node",
		.measure_round = http_measure,
		.table = TABLE_FILTERED,
		.divisor = 20,
		.rivals = filtering },
	{ .key = "health",
		.title = "health, from exec to end",
		.measure = measure_health,
		.table = TABLE_CLIENTS,
		.divisor = 3,
		.target = 0.2 },
	{ .key = "health-memory",
		.title = "  its memory at most",
		.measure = measure_health_memory,
		.table = TABLE_CLIENTS,
		.is_memory = true,
		.divisor = 30,
		.target = 0.2 },
	{ .key = "probe",
		.title = "probe, from exec to end",
		.measure = measure_probe,
		.table = TABLE_CLIENTS,
		.divisor = 3,
		.target = 0.2 },
	{ .key = "probe-memory",
		.title = "  its memory at most",
		.measure = measure_probe_memory,
		.table = TABLE_CLIENTS,
		.is_memory = true,
		.divisor = 30,
		.target = 0.2 },
	{ .key = "metrics-1",
		.title = "/metrics, 1 connection",
		.measure = measure_request_1,
		.table = TABLE_SERVING,
		.divisor = 20,
		.target = 0.5 },
	{ .key = "metrics-1-p99",
		.title = "  99th percentile",
		.measure = measure_slowest_1,
		.table = TABLE_SERVING,
		.divisor = 20,
		.target = 1 },
	{ .key = "metrics-64",
		.title = "/metrics, 64 connections",
		.measure = measure_request_64,
		.table = TABLE_SERVING,
		.divisor = 20,
		.target = 0.5 },
	{ .key = "metrics-64-p99",
		.title = "  99th percentile",
		.measure = measure_slowest_64,
		.table = TABLE_SERVING,
		.divisor = 20,
		.target = 1 },
	{ .key = "metrics-memory",
		.title = "  memory at most",
		.measure = measure_serving_memory,
		.table = TABLE_SERVING,
		.is_memory = true,
		.divisor = 30,
		.target = 0.1 },
	{ .key = "latency",
		.title = "a signal, under load",
		.measure = measure_loaded_signal,
		.table = TABLE_LATENCY,
		.divisor = 5,
		.target = 1.1 },
	{ .key = "logs",
		.title = "20,000 lines into files",
		.measure = measure_logs,
		.table = TABLE_LOGS,
		.divisor = 30,
		.target = 1.0,
		.rivals = logging },
	{ .key = "services",
		.title = "start and stop of services",
		.measure = measure_services,
		.table = TABLE_SERVICES,
		.divisor = 10,
		.target = 100 },
	{ .key = "services-memory",
		.title = "  PID 1's own memory",
		.measure = measure_services_memory,
		.table = TABLE_SERVICES,
		.is_memory = true,
		.divisor = 60,
		.target = 30 },
};
const size_t figure_count = sizeof figures / sizeof figures[0];
