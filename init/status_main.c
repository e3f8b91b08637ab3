/* `nest-init status`: what PID 1 knows, in a terminal or as JSON. */
#include "init/commands.h"

#include "base/capname.h"
#include "base/clock.h"
#include "base/control_client.h"
#include "base/json_write.h"
#include "base/signame.h"
#include "base/version.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define TIMEOUT_NS INT64_C(5000000000)

static const char help_text[] = "nest-init status [--json]\n"
				"\n"
				"Shows what PID 1 knows: the service, its health, the confinement asked for and in\n"
				"force. Exit status 0, 1 if PID 1's monitor does not answer, 125 bad usage.\n"
				"\n"
				"  --json   for machines\n";

static struct answer {
	bool have_snapshot;
	struct wire_snapshot snapshot;
	struct wire_verdict verdict[CHECK_KIND_COUNT];
	struct wire_check check[MODEL_CHECKS_MAX];
	size_t check_count;
} answer;

static void take(void *context, const union wire_record *record)
{
	(void)context;
	if (record->header.type == WIRE_SNAPSHOT) {
		answer.snapshot = record->snapshot;
		answer.have_snapshot = true;
	} else if (record->header.type == WIRE_VERDICT) {
		answer.verdict[record->verdict.kind] = record->verdict;
	} else if (record->header.type == WIRE_CHECK && answer.check_count < MODEL_CHECKS_MAX) {
		answer.check[answer.check_count++] = record->check;
	}
}

static bool in_force(enum layer layer)
{
	return (answer.snapshot.layers_enforced >> layer & 1) != 0;
}

static bool asked(enum layer layer)
{
	return (answer.snapshot.layers_requested >> layer & 1) != 0;
}

/* "3d 4h", "2h 5m", "4m 12s", "12.3s": two units are as much as one wants to read. */
static const char *span(int64_t ns, char *buffer, size_t size)
{
	long long seconds = ns / NS_PER_S;

	if (ns < 60 * NS_PER_S)
		snprintf(buffer, size, "%.1fs", (double)ns / (double)NS_PER_S);
	else if (seconds < 3600)
		snprintf(buffer, size, "%lldm %llds", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		snprintf(buffer, size, "%lldh %lldm", seconds / 3600, seconds / 60 % 60);
	else
		snprintf(buffer, size, "%lldd %lldh", seconds / 86400, seconds / 3600 % 24);
	return buffer;
}

/* "net_bind_service, chown", "none", or "all 41". */
static void describe_capabilities(uint64_t set, char *buffer, size_t size)
{
	size_t have = 0;

	buffer[0] = '\0';
	if (set == (UINT64_C(1) << CAPNAME_COUNT) - 1) {
		snprintf(buffer, size, "bounding set: all of them");
		return;
	}
	for (unsigned i = 0; i < CAPNAME_COUNT; i++)
		if ((set >> i & 1) != 0 && have < size)
			have += (size_t)snprintf(
				buffer + have, size - have, "%s%s", have > 0 ? ", " : "bounding set: ", capname(i));
	if (have == 0)
		snprintf(buffer, size, "bounding set: empty");
}

static void describe_layer(enum layer layer, char *buffer, size_t size)
{
	const struct wire_snapshot *snapshot = &answer.snapshot;

	buffer[0] = '\0';
	if (layer == LAYER_CAPABILITIES)
		describe_capabilities(snapshot->capability_bounding, buffer, size);
	else if (layer == LAYER_SECCOMP && snapshot->seccomp_profile[0] != '\0')
		snprintf(buffer, size, "%s (%s)", snapshot->seccomp_profile, snapshot->seccomp_default_action);
	else if (layer == LAYER_READ_ONLY && snapshot->read_only_how[0] != '\0')
		snprintf(buffer, size, "%s",
			strcmp(snapshot->read_only_how, "landlock") == 0          ? "by Landlock"
				: strcmp(snapshot->read_only_how, "remount") == 0 ? "by a remount in place"
										  : "as the runtime mounted it");
}

static void print_service(void)
{
	const struct wire_snapshot *snapshot = &answer.snapshot;
	char up[32], ready[32];

	printf("nest-init %s: %s\n\n", NEST_INIT_VERSION, wire_state_name(snapshot->state));
	printf("service       main, pid %d, up %s", snapshot->main_pid,
		span(clock_wall_ns() - snapshot->service_start_time_ns, up, sizeof up));
	if (snapshot->time_to_ready_ns >= 0)
		printf(", ready after %s", span(snapshot->time_to_ready_ns, ready, sizeof ready));
	printf("\nhealth        ");
	for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
		printf("%s%s: %s", kind > 0 ? ", " : "", check_kind_name((enum check_kind)kind),
			answer.verdict[kind].healthy == 1 ? "yes" : "no");
	printf("\nreaped        %llu orphans\n", (unsigned long long)snapshot->reaped_orphans);
	if (snapshot->monitor_restarts > 0)
		printf("monitor       started again %llu times\n", (unsigned long long)snapshot->monitor_restarts);
}

static void print_confinement(void)
{
	printf("\n%-16s%-9s%-10s\n", "confinement", "asked", "in force");
	for (unsigned layer = 0; layer < LAYER_COUNT; layer++) {
		char how[1024];

		describe_layer((enum layer)layer, how, sizeof how);
		printf("  %-14s%-9s%-10s%s\n", layer_name((enum layer)layer), asked((enum layer)layer) ? "yes" : "-",
			in_force((enum layer)layer)        ? "yes"
				: asked((enum layer)layer) ? "NO"
							   : "-",
			how);
	}
}

static void print_checks(void)
{
	if (answer.check_count > 0)
		printf("\nchecks\n");
	for (size_t i = 0; i < answer.check_count; i++) {
		const struct wire_check *check = &answer.check[i];

		printf("  [%c] %-8s%s: %s (%llu ok, %llu failed)\n", check->healthy == 1 ? '+' : '-',
			check_kind_name((enum check_kind)check->kind), check->name,
			check->reason[0] != '\0' ? check->reason : "no result yet",
			(unsigned long long)check->successes, (unsigned long long)check->failures);
	}
}

static void print_text(void)
{
	print_service();
	print_confinement();
	print_checks();
}

static void json_service(struct json_writer *json)
{
	const struct wire_snapshot *snapshot = &answer.snapshot;

	json_write_object(json, "service");
	json_write_text(json, "name", "main");
	json_write_i64(json, "pid", snapshot->main_pid);
	json_write_u64(json, "starts", snapshot->starts);
	json_write_u64(json, "exits", snapshot->exits);
	if (snapshot->time_to_ready_ns >= 0)
		json_write_seconds(json, "time_to_ready_seconds", snapshot->time_to_ready_ns);
	json_write_end(json);
	json_write_object(json, "health");
	for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
		json_write_bool(json, check_kind_name((enum check_kind)kind), answer.verdict[kind].healthy == 1);
	json_write_end(json);
}

static void json_confinement(struct json_writer *json)
{
	json_write_object(json, "confinement");
	for (unsigned layer = 0; layer < LAYER_COUNT; layer++) {
		char how[1024];

		describe_layer((enum layer)layer, how, sizeof how);
		json_write_object(json, layer_name((enum layer)layer));
		json_write_bool(json, "requested", asked((enum layer)layer));
		json_write_bool(json, "enforced", in_force((enum layer)layer));
		if (how[0] != '\0')
			json_write_text(json, "detail", how);
		json_write_end(json);
	}
	json_write_end(json);
}

static void json_checks(struct json_writer *json)
{
	json_write_array(json, "checks");
	for (size_t i = 0; i < answer.check_count; i++) {
		const struct wire_check *check = &answer.check[i];

		json_write_object(json, NULL);
		json_write_text(json, "kind", check_kind_name((enum check_kind)check->kind));
		json_write_text(json, "target", check->name);
		json_write_bool(json, "healthy", check->healthy == 1);
		json_write_text(json, "reason", check->reason);
		json_write_u64(json, "successes", check->successes);
		json_write_u64(json, "failures", check->failures);
		json_write_u64(json, "consecutive_failures", check->consecutive_failures);
		json_write_end(json);
	}
	json_write_end(json);
}

static void print_json(void)
{
	struct json_writer json;

	json_write_begin(&json, stdout);
	json_write_text(&json, "version", NEST_INIT_VERSION);
	json_write_text(&json, "state", wire_state_name(answer.snapshot.state));
	json_service(&json);
	json_confinement(&json);
	json_checks(&json);
	json_write_u64(&json, "monitor_restarts", answer.snapshot.monitor_restarts);
	json_write_u64(&json, "reaped_orphans", answer.snapshot.reaped_orphans);
	json_write_finish(&json);
}

int status_main(int argc, char **argv)
{
	bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
	struct complaint why;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return fputs(help_text, stdout) >= 0 ? 0 : STATUS_USAGE;
	if (argc > 2 || (argc == 2 && !as_json)) {
		fprintf(stderr, "nest-init status: unknown option '%s' (nest-init status --help)\n", argv[argc - 1]);
		return STATUS_USAGE;
	}
	if (control_ask(WIRE_ASK_STATUS, CHECK_READY, TIMEOUT_NS, take, NULL, &why) < 0) {
		fprintf(stderr, "nest-init status: %s\n", why.text);
		return 1;
	}
	if (!answer.have_snapshot) {
		fprintf(stderr, "nest-init status: PID 1 has not reported yet: try again\n");
		return 1;
	}
	(as_json ? print_json : print_text)();
	return fflush(stdout) == 0 ? 0 : STATUS_USAGE;
}
