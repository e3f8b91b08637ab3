#include "metrics/page.h"

#include "base/capname.h"
#include "base/signame.h"
#include "base/utf8.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define PREFIX "nest_init_"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAME_SIZE UTF8_CLEAN_SIZE(WIRE_NAME_SIZE)

#define LABELS_OF(service) (const struct label[]){ { "service", (service)->name } }, 1
#define NONE NULL, 0

typedef void service_writer(struct exposition *page, const struct wire_service *service);

typedef void check_writer(
	struct exposition *page, const struct wire_check *check, const struct label *labels, size_t count);

/* The checks' names as labels. They are cleaned first, and compared after: two that are alike once they are clean (or
 * were cut alike) would be one series twice, and that breaks the scrape. */
struct names {
	char (*text)[NAME_SIZE];
	uint16_t *first; /* the first check that has this name */
	bool *repeats;   /* one before it has this name and this kind */
};

/* PID 1 */

static void write_build(struct exposition *page, const struct page_facts *facts)
{
	const struct page_build *build = facts->build;

	if (build != NULL)
		exposition_u64(page,
			(const struct label[]){ { "version", build->version }, { "revision", build->revision },
				{ "libc", build->libc }, { "arch", build->arch } },
			4, 1);
}

static void write_start_time(struct exposition *page, const struct wire_snapshot *snapshot)
{
	exposition_seconds(page, NONE, snapshot->start_time_ns);
}

static void write_ready(struct exposition *page, const struct page_facts *facts)
{
	exposition_u64(page, NONE, facts->ready);
}

static void write_state(struct exposition *page, const struct wire_snapshot *snapshot)
{
	for (uint32_t state = 0; state < WIRE_STATE_INIT_COUNT; state++)
		exposition_u64(page, (const struct label[]){ { "state", wire_state_name(state) } }, 1,
			snapshot->state == state);
}

static void write_reaped(struct exposition *page, const struct wire_snapshot *snapshot)
{
	exposition_u64(page, (const struct label[]){ { "origin", "service" } }, 1, snapshot->reaped_services);
	exposition_u64(page, (const struct label[]){ { "origin", "orphan" } }, 1, snapshot->reaped_orphans);
}

static void write_deadlines_passed(struct exposition *page, const struct wire_snapshot *snapshot)
{
	for (uint32_t deadline = 0; deadline < WIRE_DEADLINE_COUNT; deadline++)
		exposition_u64(page, (const struct label[]){ { "deadline", wire_deadline_name(deadline) } }, 1,
			snapshot->deadlines_passed[deadline]);
}

static void write_leftovers(struct exposition *page, const struct wire_snapshot *snapshot)
{
	exposition_u64(page, NONE, snapshot->leftovers_killed);
}

static void write_monitor_restarts(struct exposition *page, const struct wire_snapshot *snapshot)
{
	exposition_u64(page, NONE, snapshot->monitor_restarts);
}

static void write_reload_successful(struct exposition *page, const struct wire_snapshot *snapshot)
{
	if (snapshot->reload_success_ns > 0)
		exposition_u64(page, NONE, snapshot->reload_successful);
}

static void write_reload_success(struct exposition *page, const struct wire_snapshot *snapshot)
{
	if (snapshot->reload_success_ns > 0)
		exposition_seconds(page, NONE, snapshot->reload_success_ns);
}

/* A series for each signal that was seen: 64 of them, always, would only hide the few that matter. TERM is there from
 * the start, so that a rate over the first one is right. */
static void write_signals(struct exposition *page, const uint64_t counts[static WIRE_SIGNALS])
{
	char name[SIGNAL_NAME_SIZE];

	for (int signal = 1; signal < WIRE_SIGNALS; signal++)
		if (counts[signal] > 0 || signal == SIGTERM)
			exposition_u64(page, (const struct label[]){ { "signal", signal_name(signal, name) } }, 1,
				counts[signal]);
}

static void write_received(struct exposition *page, const struct wire_snapshot *snapshot)
{
	write_signals(page, snapshot->signals_received);
}

static void write_forwarded(struct exposition *page, const struct wire_snapshot *snapshot)
{
	write_signals(page, snapshot->signals_forwarded);
}

/* The service */

static void write_up(struct exposition *page, const struct wire_service *service)
{
	if (service->kind == SERVICE_LASTING) /* of a task that is over nobody is to be told that it is down */
		exposition_u64(page, LABELS_OF(service), service->main_pid > 0);
}

static void write_service_start(struct exposition *page, const struct wire_service *service)
{
	if (service->start_time_ns > 0)
		exposition_seconds(page, LABELS_OF(service), service->start_time_ns);
}

/* As a shell says it: the exit status, or 128 and the signal. */
static void write_last_exit(struct exposition *page, const struct wire_service *service)
{
	int status = service->last_status;

	if (status >= 0)
		exposition_i64(
			page, LABELS_OF(service), WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void write_starts(struct exposition *page, const struct wire_service *service)
{
	exposition_u64(page, LABELS_OF(service), service->starts);
}

static void write_exits_of(struct exposition *page, const struct wire_service *service, const char *reason,
	const char *code, uint64_t count)
{
	const struct label labels[] = { { "service", service->name }, { "reason", reason }, { "code", code } };

	exposition_u64(page, labels, 3, count);
}

/* Kinds that the snapshot has no room for are counted as one more. */
static void write_exits(struct exposition *page, const struct wire_service *service)
{
	uint64_t told = 0;

	for (size_t i = 0; i < WIRE_EXITS_MAX && service->exit[i].count > 0; i++) {
		const struct wire_exit *kind = &service->exit[i];
		char code[12];

		snprintf(code, sizeof code, "%u", kind->code);
		write_exits_of(page, service, wire_cause_name(kind->cause), code, kind->count);
		told += kind->count;
	}
	if (service->exits > told || told == 0)
		write_exits_of(
			page, service, told == 0 ? "exit" : "other", told == 0 ? "0" : "other", service->exits - told);
}

static void write_stop_duration(struct exposition *page, const struct wire_service *service)
{
	if (service->stop_duration_ns >= 0)
		exposition_seconds(page, LABELS_OF(service), service->stop_duration_ns);
}

static void write_time_to_ready(struct exposition *page, const struct wire_service *service)
{
	if (service->time_to_ready_ns >= 0)
		exposition_seconds(page, LABELS_OF(service), service->time_to_ready_ns);
}

static void write_deadline(struct exposition *page, const struct wire_service *service)
{
	if (service->stop_deadline_ns > 0)
		exposition_seconds(page, LABELS_OF(service), service->stop_deadline_ns);
}

/* Readings */

static void write_service_reading(struct exposition *page, const struct page_facts *facts, enum reading first)
{
	uint64_t value;

	for (size_t i = 0; i < facts->service_count; i++)
		if (readings_get(&facts->service_readings[i], first, &value))
			exposition_u64(page, LABELS_OF(&facts->services[i]), value);
}

static void write_service_cpu(struct exposition *page, const struct page_facts *facts, enum reading first)
{
	static const char *const modes[] = { "user", "system" };
	uint64_t value;

	for (size_t i = 0; i < facts->service_count; i++)
		for (size_t mode = 0; mode < COUNT(modes); mode++)
			if (readings_get(&facts->service_readings[i], first + mode, &value))
				exposition_seconds(page,
					(const struct label[]){
						{ "service", facts->services[i].name }, { "mode", modes[mode] } },
					2, (int64_t)value);
}

static void write_reading(struct exposition *page, const struct readings *readings, enum reading first)
{
	uint64_t value;

	if (readings_get(readings, first, &value))
		exposition_u64(page, NONE, value);
}

static void write_reading_seconds(struct exposition *page, const struct readings *readings, enum reading first)
{
	uint64_t value;

	if (readings_get(readings, first, &value))
		exposition_seconds(page, NONE, (int64_t)value);
}

static void write_pressure(struct exposition *page, const struct readings *readings, enum reading first)
{
	static const char *const resources[PRESSURE_COUNT] = { "cpu", "memory", "io" };
	uint64_t value;

	for (size_t i = 0; i < PRESSURE_COUNT; i++)
		if (readings_get(readings, first + i, &value))
			exposition_seconds(
				page, (const struct label[]){ { "resource", resources[i] } }, 1, (int64_t)value);
}

/* Checks */

static void write_check_up(
	struct exposition *page, const struct wire_check *check, const struct label *labels, size_t count)
{
	if (check->settled)
		exposition_u64(page, labels, count, check->healthy);
}

static void write_check_failures(
	struct exposition *page, const struct wire_check *check, const struct label *labels, size_t count)
{
	exposition_u64(page, labels, count, check->consecutive_failures);
}

static void write_check_last_success(
	struct exposition *page, const struct wire_check *check, const struct label *labels, size_t count)
{
	if (check->last_success_ns > 0)
		exposition_seconds(page, labels, count, check->last_success_ns);
}

static void write_check_runs(
	struct exposition *page, const struct wire_check *check, const struct label *labels, size_t count)
{
	(void)count;
	exposition_u64(page, (const struct label[]){ labels[0], { "result", "success" } }, 2, check->successes);
	exposition_u64(page, (const struct label[]){ labels[0], { "result", "failure" } }, 2, check->failures);
}

static void write_check_duration(
	struct exposition *page, const struct wire_check *check, const struct label *labels, size_t count)
{
	exposition_histogram(
		page, labels, count, wire_bucket_ns, check->duration_bucket, WIRE_BUCKETS, check->duration_sum_ns);
}

/* Confinement */

static void write_layers(struct exposition *page, uint32_t layers)
{
	for (uint32_t layer = 0; layer < LAYER_COUNT; layer++)
		exposition_u64(page, (const struct label[]){ { "layer", layer_name(layer) } }, 1, layers >> layer & 1);
}

uint32_t page_layers_requested(const struct page_facts *facts)
{
	uint32_t layers = 0;

	for (size_t i = 0; i < facts->service_count; i++)
		layers |= wire_is_gone(&facts->services[i]) ? 0 : facts->services[i].layers_requested;
	return layers;
}

uint32_t page_layers_enforced(const struct page_facts *facts)
{
	uint32_t asked = 0, missing = 0;

	for (size_t i = 0; i < facts->service_count; i++) {
		const struct wire_service *service = &facts->services[i];

		if (service->starts == 0 || wire_is_gone(service))
			continue;
		asked |= service->layers_requested;
		missing |= service->layers_requested & ~service->layers_enforced;
	}
	return asked & ~missing;
}

/* The set of a workload that was never there is not known. Returns whether there was any. */
static bool bounding_sets(const struct page_facts *facts, uint64_t *ret_set)
{
	bool any = false;

	*ret_set = 0;
	for (size_t i = 0; i < facts->service_count; i++) {
		if (facts->services[i].starts == 0 || wire_is_gone(&facts->services[i]))
			continue;
		*ret_set |= facts->services[i].capability_bounding;
		any = true;
	}
	return any;
}

static void write_capabilities(struct exposition *page, uint64_t set)
{
	for (unsigned number = 0; number < 64; number++) {
		const char *name = number < CAPNAME_COUNT ? capname(number) : NULL;
		uint64_t has = set >> number & 1;
		char digits[8];

		if (name == NULL && !has)
			continue;
		snprintf(digits, sizeof digits, "%u", number); /* newer than this program: its number is its name */
		exposition_u64(page, (const struct label[]){ { "capability", name != NULL ? name : digits } }, 1, has);
	}
}

static void write_landlock(struct exposition *page, const struct wire_snapshot *snapshot)
{
	exposition_u64(page, NONE, snapshot->landlock_abi);
}

static bool same_filter(const struct wire_service *a, const struct wire_service *b)
{
	return strcmp(a->seccomp_profile, b->seccomp_profile) == 0 &&
		strcmp(a->seccomp_sha256, b->seccomp_sha256) == 0 &&
		strcmp(a->seccomp_default_action, b->seccomp_default_action) == 0;
}

/* Each filter once. */
static void write_seccomp(struct exposition *page, const struct page_facts *facts)
{
	for (size_t i = 0; i < facts->service_count; i++) {
		const struct wire_service *service = &facts->services[i];
		size_t first = 0;

		if (wire_is_gone(service))
			continue;
		while (wire_is_gone(&facts->services[first]) || !same_filter(&facts->services[first], service))
			first++;
		if (first == i && service->seccomp_profile[0] != '\0')
			exposition_u64(page,
				(const struct label[]){ { "profile", service->seccomp_profile },
					{ "sha256", service->seccomp_sha256 },
					{ "default_action", service->seccomp_default_action } },
				3, 1);
	}
}

static void write_denials(struct exposition *page, const struct page_facts *facts)
{
	for (size_t i = 0; i < facts->denial_count; i++)
		exposition_u64(page,
			(const struct label[]){
				{ "syscall", facts->denials[i].syscall }, { "action", facts->denials[i].action } },
			2, facts->denials[i].count);
}

/* Once for each name and kind: the first of two that are alike. */
static void write_each_check(
	struct exposition *page, const struct page_facts *facts, const struct names *names, check_writer *write)
{
	for (size_t i = 0; i < facts->check_count; i++) {
		const char *probe = check_kind_name(facts->checks[i].kind);

		if (!names->repeats[i])
			write(page, &facts->checks[i],
				(const struct label[]){ { "check", names->text[i] }, { "probe", probe } }, 2);
	}
}

static void add_check(struct wire_check *sum, const struct wire_check *other)
{
	sum->successes += other->successes;
	sum->failures += other->failures;
	sum->duration_sum_ns += other->duration_sum_ns;
	for (size_t i = 0; i <= WIRE_BUCKETS; i++)
		sum->duration_bucket[i] += other->duration_bucket[i];
}

/* Once for each name: the sum of all that have it. */
static void write_check_sums(
	struct exposition *page, const struct page_facts *facts, const struct names *names, check_writer *write)
{
	for (size_t i = 0; i < facts->check_count; i++) {
		struct wire_check sum = facts->checks[i];

		if (names->first[i] != i)
			continue;
		for (size_t k = i + 1; k < facts->check_count; k++)
			if (names->first[k] == i)
				add_check(&sum, &facts->checks[k]);
		write(page, &sum, (const struct label[]){ { "check", names->text[i] } }, 1);
	}
}

/* ---- the families, in the order of the page ---- */

static void family(struct exposition *page, enum metric_type type, const char *name, const char *unit, const char *help)
{
	exposition_family(page, &(struct family){ name, type, unit, help });
}

static void write_build_and_start(struct exposition *page, const struct page_facts *facts)
{
	family(page, METRIC_GAUGE, PREFIX "build_info", NULL, "The nest-init that runs here; always 1.");
	write_build(page, facts);
	if (facts->snapshot == NULL)
		return;
	family(page, METRIC_GAUGE, PREFIX "start_time_seconds", "seconds",
		"When PID 1 of this container started, seconds since the epoch.");
	write_start_time(page, facts->snapshot);
}

static void write_readiness(struct exposition *page, const struct page_facts *facts)
{
	family(page, METRIC_GAUGE, PREFIX "ready", NULL,
		"1 if /readyz answers 200: PID 1 is running and every ready check is healthy.");
	write_ready(page, facts);
	if (facts->snapshot == NULL)
		return;
	family(page, METRIC_GAUGE, PREFIX "state", NULL, "1 for the phase of life that PID 1 is in, 0 for the others.");
	write_state(page, facts->snapshot);
}

static void write_each_service(struct exposition *page, const struct page_facts *facts, service_writer *write)
{
	for (size_t i = 0; i < facts->service_count; i++)
		if (!wire_is_gone(&facts->services[i]))
			write(page, &facts->services[i]);
}

static void write_services(struct exposition *page, const struct page_facts *facts)
{
	family(page, METRIC_GAUGE, PREFIX "service_up", NULL,
		"1 while the main process of the service is alive. Tasks, which are to end, have none.");
	write_each_service(page, facts, write_up);
	family(page, METRIC_GAUGE, PREFIX "service_start_time_seconds", "seconds",
		"When the service was last started, seconds since the epoch.");
	write_each_service(page, facts, write_service_start);
	family(page, METRIC_GAUGE, PREFIX "service_last_exit_code", NULL,
		"Exit status of the service when it last ended, 128 plus the signal that killed it. Absent before.");
	write_each_service(page, facts, write_last_exit);
	family(page, METRIC_COUNTER, PREFIX "service_starts", NULL, "How often the service was started.");
	write_each_service(page, facts, write_starts);
	family(page, METRIC_COUNTER, PREFIX "service_exits", NULL,
		"How often the main process of the service ended, by what ended it and with what.");
	write_each_service(page, facts, write_exits);
}

static void write_service_readings(struct exposition *page, const struct page_facts *facts)
{
	family(page, METRIC_COUNTER, PREFIX "service_cpu_seconds", "seconds",
		"CPU time of the processes of the service and of the children they waited for.");
	write_service_cpu(page, facts, READING_CPU_USER_NS);
	family(page, METRIC_GAUGE, PREFIX "service_resident_memory_bytes", "bytes",
		"Resident memory of the processes of the service; shared pages count for each.");
	write_service_reading(page, facts, READING_RESIDENT_BYTES);
	family(page, METRIC_GAUGE, PREFIX "service_open_fds", NULL,
		"Descriptors that the processes of the service have open. Absent before Linux 6.2.");
	write_service_reading(page, facts, READING_OPEN_FDS);
	family(page, METRIC_GAUGE, PREFIX "service_threads", NULL, "Threads of the processes of the service.");
	write_service_reading(page, facts, READING_THREADS);
	family(page, METRIC_GAUGE, PREFIX "service_processes", NULL,
		"Processes of the service: its session and whoever descends from it, zombies included.");
	write_service_reading(page, facts, READING_PROCESSES);
}

static void write_stop(struct exposition *page, const struct page_facts *facts)
{
	family(page, METRIC_GAUGE, PREFIX "time_to_ready_seconds", "seconds",
		"From the service's start to the first time that it was ready. Absent until then.");
	write_each_service(page, facts, write_time_to_ready);
	family(page, METRIC_GAUGE, PREFIX "shutdown_deadline_timestamp_seconds", "seconds",
		"When SIGKILL falls due, seconds since the epoch. Absent unless a stop was asked for.");
	write_each_service(page, facts, write_deadline);
	family(page, METRIC_GAUGE, PREFIX "shutdown_duration_seconds", "seconds",
		"From the last request to stop to the end of the service's main process. Absent before.");
	write_each_service(page, facts, write_stop_duration);
	family(page, METRIC_COUNTER, PREFIX "deadlines_passed", NULL,
		"Deadlines of a stop that passed, so that somebody was killed.");
	write_deadlines_passed(page, facts->snapshot);
	family(page, METRIC_COUNTER, PREFIX "leftover_processes_killed", NULL,
		"Processes that were left when the time of a stop was over, and got SIGKILL.");
	write_leftovers(page, facts->snapshot);
}

static void write_reaped_and_signals(struct exposition *page, const struct wire_snapshot *snapshot)
{
	family(page, METRIC_COUNTER, PREFIX "reaped_processes", NULL,
		"Processes that PID 1 reaped: the service's own, and orphans that it adopted.");
	write_reaped(page, snapshot);
	family(page, METRIC_COUNTER, PREFIX "signals_received", NULL,
		"Signals that PID 1 received; TERM, and those that were seen.");
	write_received(page, snapshot);
	family(page, METRIC_COUNTER, PREFIX "signals_forwarded", NULL,
		"Signals that PID 1 sent to the service, by what was sent; TERM, and those that were seen.");
	write_forwarded(page, snapshot);
}

static void write_checks(struct exposition *page, const struct page_facts *facts, const struct names *names)
{
	family(page, METRIC_GAUGE, PREFIX "healthcheck_up", NULL,
		"Verdict of a check: 1 healthy, 0 after as many failures in a row as it allows. Absent before.");
	write_each_check(page, facts, names, write_check_up);
	family(page, METRIC_GAUGE, PREFIX "healthcheck_consecutive_failures", NULL,
		"Failures of a check since its last success; those in its start period do not count.");
	write_each_check(page, facts, names, write_check_failures);
	family(page, METRIC_GAUGE, PREFIX "healthcheck_last_success_timestamp_seconds", "seconds",
		"When a check last succeeded, seconds since the epoch. Absent until then.");
	write_each_check(page, facts, names, write_check_last_success);
	family(page, METRIC_COUNTER, PREFIX "healthcheck_runs", NULL, "Runs of a check, by result.");
	write_check_sums(page, facts, names, write_check_runs);
	family(page, METRIC_HISTOGRAM, PREFIX "healthcheck_duration_seconds", "seconds",
		"How long the runs of a check took, whatever their result.");
	write_check_sums(page, facts, names, write_check_duration);
}

static void write_confinement(struct exposition *page, const struct page_facts *facts)
{
	uint64_t bounding;

	family(page, METRIC_GAUGE, PREFIX "hardening_requested", NULL, "1 if this layer of confinement was asked for.");
	write_layers(page, page_layers_requested(facts));
	family(page, METRIC_GAUGE, PREFIX "hardening_enforced", NULL,
		"1 if this layer of confinement is in force. Less than requested only after --best-effort.");
	write_layers(page, page_layers_enforced(facts));
	family(page, METRIC_GAUGE, PREFIX "capability_bounding", NULL,
		"1 for each capability in the service's bounding set: what it could still get hold of.");
	if (bounding_sets(facts, &bounding))
		write_capabilities(page, bounding);
	family(page, METRIC_GAUGE, PREFIX "own_capability", NULL,
		"1 for each capability that PID 1 itself still holds: what it keeps to signal and to start again.");
	write_capabilities(page, facts->snapshot->own_capabilities);
	family(page, METRIC_GAUGE, PREFIX "landlock_abi", NULL,
		"Version of Landlock that the kernel offers; 0 if it has none.");
	write_landlock(page, facts->snapshot);
}

static void write_secrets(struct exposition *page, const struct page_facts *facts)
{
	if (facts->secret_count == 0)
		return;
	family(page, METRIC_COUNTER, PREFIX "secret_rotations", NULL,
		"How often a secret became another one, by what is done then.");
	for (size_t i = 0; i < facts->secret_count; i++)
		exposition_u64(page,
			(const struct label[]){ { "secret", facts->secrets[i].name },
				{ "action", secret_action_name((enum secret_action)facts->secrets[i].action) } },
			2, facts->secrets[i].rotations);
	family(page, METRIC_GAUGE, PREFIX "secret_last_rotation_timestamp_seconds", "seconds",
		"When a secret last became another one, seconds since the epoch. Absent until then.");
	for (size_t i = 0; i < facts->secret_count; i++)
		if (facts->secrets[i].last_rotation_ns > 0)
			exposition_seconds(page, (const struct label[]){ { "secret", facts->secrets[i].name } }, 1,
				facts->secrets[i].last_rotation_ns);
}

static void write_monitor(struct exposition *page, const struct page_facts *facts)
{
	family(page, METRIC_GAUGE, PREFIX "seccomp_info", NULL,
		"The system call filter of the service; always 1. Absent without one.");
	write_seccomp(page, facts);
	family(page, METRIC_COUNTER, PREFIX "seccomp_denials", NULL,
		"Calls that the service's filter denied, by its answer. Only with --seccomp-report.");
	write_denials(page, facts);
	write_secrets(page, facts);
	if (facts->snapshot == NULL)
		return;
	family(page, METRIC_COUNTER, PREFIX "monitor_restarts", NULL,
		"How often PID 1 had to replace the monitor, which serves this page.");
	write_monitor_restarts(page, facts->snapshot);
	family(page, METRIC_GAUGE, PREFIX "config_last_reload_successful", NULL,
		"1 if the last reading of the configuration file was good, the start's included. Only with a file.");
	write_reload_successful(page, facts->snapshot);
	family(page, METRIC_GAUGE, PREFIX "config_last_reload_success_timestamp_seconds", "seconds",
		"When the configuration file was read well for the last time. Only with a file.");
	write_reload_success(page, facts->snapshot);
}

static void write_cgroup(struct exposition *page, const struct readings *readings)
{
	family(page, METRIC_GAUGE, PREFIX "cgroup_memory_usage_bytes", "bytes",
		"Memory of the container's cgroup, page cache included.");
	write_reading(page, readings, READING_CGROUP_MEMORY_BYTES);
	family(page, METRIC_GAUGE, PREFIX "cgroup_memory_limit_bytes", "bytes",
		"Memory limit of the container's cgroup. Absent if there is none.");
	write_reading(page, readings, READING_CGROUP_MEMORY_LIMIT_BYTES);
	family(page, METRIC_GAUGE, PREFIX "cgroup_pids", NULL, "Tasks in the container's cgroup, threads included.");
	write_reading(page, readings, READING_CGROUP_PIDS);
	family(page, METRIC_GAUGE, PREFIX "cgroup_pids_limit", NULL,
		"Most tasks that the container's cgroup may have. Absent if there is no limit.");
	write_reading(page, readings, READING_CGROUP_PIDS_LIMIT);
	family(page, METRIC_COUNTER, PREFIX "cgroup_oom_kills", NULL,
		"Processes of the container's cgroup that the kernel killed for want of memory.");
	write_reading(page, readings, READING_CGROUP_OOM_KILLS);
	family(page, METRIC_COUNTER, PREFIX "cgroup_cpu_seconds", "seconds", "CPU time of the container's cgroup.");
	write_reading_seconds(page, readings, READING_CGROUP_CPU_NS);
	family(page, METRIC_COUNTER, PREFIX "cgroup_cpu_throttled_seconds", "seconds",
		"Time that the container's cgroup was held back because its CPU quota was used up.");
	write_reading_seconds(page, readings, READING_CGROUP_THROTTLED_NS);
	family(page, METRIC_COUNTER, PREFIX "cgroup_pressure_waiting_seconds", "seconds",
		"Time in which at least one task of the container's cgroup waited for the resource (PSI some).");
	write_pressure(page, readings, READING_CGROUP_CPU_WAITING_NS);
	family(page, METRIC_COUNTER, PREFIX "cgroup_pressure_stalled_seconds", "seconds",
		"Time in which every busy task of the container's cgroup waited for the resource (PSI full).");
	write_pressure(page, readings, READING_CGROUP_CPU_STALLED_NS);
}

static void write_all(struct exposition *page, const struct page_facts *facts, const struct names *names)
{
	write_build_and_start(page, facts);
	write_readiness(page, facts);
	if (facts->snapshot != NULL)
		write_services(page, facts);
	if (facts->service_readings != NULL)
		write_service_readings(page, facts);
	if (facts->snapshot != NULL) {
		write_stop(page, facts);
		write_reaped_and_signals(page, facts->snapshot);
	}
	write_checks(page, facts, names);
	if (facts->snapshot != NULL)
		write_confinement(page, facts);
	write_monitor(page, facts);
	if (facts->readings != NULL)
		write_cgroup(page, facts->readings);
	app_scrape_write(page, facts->scrapes, facts->scrape_count);
	if (facts->merge != NULL)
		merge_write(facts->merge, page->format, &page->buffer);
}

/* Hashes part most names, so that of a thousand checks not every two are compared letter by letter (FNV-1a). */
static uint32_t hash(const char *text)
{
	uint32_t hash = 2166136261;

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619;
	return hash;
}

static void compare_names(const struct page_facts *facts, const uint32_t *hashes, struct names *names)
{
	for (size_t i = 0; i < facts->check_count; i++) {
		names->first[i] = (uint16_t)i;
		for (size_t k = 0; k < i; k++) {
			if (hashes[k] != hashes[i] || strcmp(names->text[k], names->text[i]) != 0)
				continue;
			if (names->first[i] == i)
				names->first[i] = (uint16_t)k;
			names->repeats[i] |= facts->checks[k].kind == facts->checks[i].kind;
		}
	}
}

static int read_names(const struct page_facts *facts, struct names *names)
{
	const size_t room = facts->check_count + 1; /* none is a number too */
	uint32_t *hashes = calloc(room, sizeof *hashes);

	names->text = calloc(room, sizeof *names->text);
	names->first = calloc(room, sizeof *names->first);
	names->repeats = calloc(room, sizeof *names->repeats);
	if (hashes == NULL || names->text == NULL || names->first == NULL || names->repeats == NULL) {
		free(hashes);
		return -ENOMEM;
	}
	for (size_t i = 0; i < facts->check_count; i++) {
		utf8_clean(facts->checks[i].name, names->text[i], NAME_SIZE);
		hashes[i] = hash(names->text[i]);
	}
	compare_names(facts, hashes, names);
	free(hashes);
	return 0;
}

static void free_names(struct names *names)
{
	free(names->text);
	free(names->first);
	free(names->repeats);
}

int metrics_page(const struct page_facts *facts, enum exposition_format format, char **ret_text, size_t *ret_length)
{
	struct exposition page;
	struct names names;
	int error;

	if (facts->check_count > MODEL_CHECKS_MAX)
		return -E2BIG;
	error = read_names(facts, &names);
	if (error == 0) {
		exposition_open(&page, format, METRICS_PAGE_MAX);
		write_all(&page, facts, &names);
		error = exposition_close(&page, ret_text, ret_length);
	}
	free_names(&names);
	return error;
}
