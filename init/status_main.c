/* `nest-init status`: what PID 1 knows, in a terminal or as JSON. */
#include "init/commands.h"

#include "base/capname.h"
#include "base/clock.h"
#include "base/control_client.h"
#include "base/duration.h"
#include "base/json_write.h"
#include "base/paint.h"
#include "base/securebits.h"
#include "base/version.h"
#include "init/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_NS INT64_C(5000000000)
#define INTERVAL_NS (2 * NS_PER_S)
#define INTERVAL_MIN_NS (100 * NS_PER_MS)

static const char help_text[] = "nest-init status [--json|--watch [TIME]]\n"
				"\n"
				"Shows what PID 1 knows: the service, its health, the confinement asked for and in\n"
				"force. Exit status 0, 1 if PID 1's monitor does not answer, 125 bad usage.\n"
				"\n"
				"  --json           for machines\n"
				"  --watch [TIME]   again and again (2s), until q or Ctrl-C\n";

static struct answer {
	bool have_snapshot;
	struct wire_snapshot snapshot;
	struct wire_service service[MODEL_SERVICES_MAX];
	size_t service_count;
	struct wire_verdict verdict[CHECK_KIND_COUNT];
	struct wire_check check[MODEL_CHECKS_MAX];
	size_t check_count;
	struct wire_denial denial[WIRE_DENIALS_MAX];
	size_t denial_count;
	struct wire_secret secret[MODEL_SECRETS_MAX];
	size_t secret_count;
	struct wire_notified notified[MODEL_SERVICES_MAX];
	size_t notified_count;
} answer;

static void take(void *context, const union wire_record *record)
{
	(void)context;
	if (record->header.type == WIRE_SNAPSHOT) {
		answer.snapshot = record->snapshot;
		answer.have_snapshot = true;
	} else if (record->header.type == WIRE_VERDICT) {
		answer.verdict[record->verdict.kind] = record->verdict;
	} else if (record->header.type == WIRE_SERVICE && answer.service_count < MODEL_SERVICES_MAX) {
		if (!wire_is_gone(&record->service))
			answer.service[answer.service_count++] = record->service;
	} else if (record->header.type == WIRE_NOTIFIED && answer.notified_count < MODEL_SERVICES_MAX) {
		answer.notified[answer.notified_count++] = record->notified;
	} else if (record->header.type == WIRE_CHECK && answer.check_count < MODEL_CHECKS_MAX) {
		answer.check[answer.check_count++] = record->check;
	} else if (record->header.type == WIRE_SECRET && answer.secret_count < MODEL_SECRETS_MAX) {
		answer.secret[answer.secret_count++] = record->secret;
	} else if (record->header.type == WIRE_DENIAL && answer.denial_count < WIRE_DENIALS_MAX) {
		answer.denial[answer.denial_count++] = record->denial;
	}
}

static bool in_force(const struct wire_service *service, enum layer layer)
{
	return (service->layers_enforced >> layer & 1) != 0;
}

static bool asked(const struct wire_service *service, enum layer layer)
{
	return (service->layers_requested >> layer & 1) != 0;
}

/* What the service says of itself; NULL where it is not asked to. */
static const struct wire_notified *notified_by(const struct wire_service *service)
{
	for (size_t i = 0; i < answer.notified_count; i++)
		if (answer.notified[i].service == service->service)
			return &answer.notified[i];
	return NULL;
}

/* ---- for people ---- */

struct text {
	char at[DURATION_SIZE];
};

static struct text span(int64_t ns)
{
	struct text text;

	duration_format(ns, text.at);
	return text;
}

/* A clock that was set back makes no negative age. */
static struct text since(int64_t wall_ns)
{
	int64_t age = clock_wall_ns() - wall_ns;

	return span(age > 0 ? age : 0);
}

static void print_verdict(void)
{
	const struct wire_snapshot *snapshot = &answer.snapshot;
	const struct wire_verdict *live = &answer.verdict[CHECK_LIVE], *ready = &answer.verdict[CHECK_READY];
	const char *whose = answer.service_count == 1 ? answer.service->name : "the container";
	int64_t left = answer.service_count == 1 ? answer.service->stop_deadline_ns - clock_wall_ns() : 0;
	bool dead = live->healthy == 0, well = !dead && ready->healthy == 1;

	paint(well ? GREEN : dead || snapshot->state <= WIRE_STATE_RUNNING ? RED : YELLOW);
	if (well)
		printf("%s is ready", whose);
	else if (!dead && snapshot->state == WIRE_STATE_RESTARTING)
		printf("%s waits for the next start%s", whose, answer.service_count > 1 ? " of a service" : "");
	else if (dead || snapshot->state <= WIRE_STATE_RUNNING)
		printf("%s is %s", whose, dead ? live->reason : ready->reason);
	else
		printf("%s is being stopped: %s", whose, wire_state_name(snapshot->state));
	if (left > 0)
		printf(", SIGKILL in %s", span(left).at);
	paint(PLAIN);
	putchar('\n');
}

/* What was asked for and could not be had, under --best-effort: it belongs to what is read first. */
static void print_gaps(void)
{
	const char *before = "NOT in force: ";
	uint32_t gaps = 0;

	for (size_t i = 0; i < answer.service_count; i++)
		if (answer.service[i].main_pid > 0) /* else there is nobody for whom it could be */
			gaps |= answer.service[i].layers_requested & ~answer.service[i].layers_enforced;
	if (gaps == 0)
		return;
	paint(RED);
	for (unsigned layer = 0; layer < LAYER_COUNT; layer++) {
		if ((gaps >> layer & 1) == 0)
			continue;
		printf("%s%s", before, layer_name((enum layer)layer));
		before = ", ";
	}
	paint(PLAIN);
	putchar('\n');
}

#define DETAIL_COLUMN 26
#define KEEPS_COLUMN 16
#define SCREEN_WIDTH 80

/* " chown, net_bind_service", on as many lines as it takes: column is where the names begin, at where we are. */
static void print_bits(uint64_t set, unsigned count, const char *(*name)(unsigned bit), int column, int at)
{
	for (unsigned i = 0; i < count; i++) {
		if ((set >> i & 1) == 0)
			continue;
		if (at + (int)strlen(name(i)) + 2 > SCREEN_WIDTH)
			at = printf("\n%*s", column - 1, "") - 1;
		at += printf(" %s%s", name(i), set >> i > 1 ? "," : "");
	}
}

static void print_capabilities(uint64_t set, int column, int at, const char *none)
{
	if (set == 0)
		printf(" %s", none);
	print_bits(set, CAPNAME_COUNT, capname, column, at);
}

static void print_notified(const struct wire_notified *notified)
{
	if (notified == NULL)
		return;
	printf("\n%-16s%s%s%s", "it says", wire_said_name(notified->said), *notified->status != '\0' ? ": " : "",
		notified->status);
	if (notified->error > 0)
		printf(" (error %u: %s)", notified->error, strerror((int)notified->error));
}

/* The only one is called a service, each of several by its name. */
static void print_service(const struct wire_service *service)
{
	printf("\n%-16s", answer.service_count == 1 ? "service" : service->name);
	if (answer.service_count > 1)
		printf("%s%s%s", wire_state_name(service->state), service->waits_for[0] != '\0' ? " for " : "",
			service->waits_for);
	if (service->main_pid > 0)
		printf("%spid %d, up %s", answer.service_count > 1 ? ", " : "", service->main_pid,
			since(service->start_time_ns).at);
	else if (answer.service_count == 1)
		printf("none%s%s", service->last_death[0] != '\0' ? ": " : "", service->last_death);
	if (service->main_pid > 0 && service->time_to_ready_ns >= 0)
		printf(", ready after %s", span(service->time_to_ready_ns).at);
	if (answer.service_count > 1 && service->starts > 1)
		printf(", started %llu times", (unsigned long long)service->starts);
	if (answer.service_count > 1 && service->last_death[0] != '\0')
		printf("\n%16s%s", "", service->last_death);
	if (answer.service_count > 1)
		print_notified(notified_by(service));
}

static void print_services(void)
{
	static const char good[][8] = { "alive", "ready", "started" };
	static const enum check_kind order[] = { CHECK_LIVE, CHECK_STARTUP, CHECK_READY };
	const struct wire_snapshot *snapshot = &answer.snapshot;

	for (size_t i = 0; i < answer.service_count; i++)
		print_service(&answer.service[i]);
	printf("\nhealth          ");
	for (unsigned i = 0; i < CHECK_KIND_COUNT; i++) {
		bool yes = answer.verdict[order[i]].healthy == 1;

		printf("%s%s%s", i > 0 ? ", " : "", yes ? "" : "not ", good[order[i]]);
	}
	if (answer.service_count == 1)
		print_notified(notified_by(answer.service));
	printf("\nPID 1           nest-init " NEST_INIT_VERSION ", up %s, %llu orphans reaped",
		since(snapshot->start_time_ns).at, (unsigned long long)snapshot->reaped_orphans);
	if (snapshot->monitor_restarts > 0)
		printf(", monitor replaced %llu times", (unsigned long long)snapshot->monitor_restarts);
	printf("\nPID 1 keeps    ");
	print_capabilities(snapshot->own_capabilities, KEEPS_COLUMN, KEEPS_COLUMN - 1, "no capability");
	putchar('\n');
}

static void print_detail(const struct wire_service *service, enum layer layer)
{
	const char *how = service->read_only_how;

	if (layer == LAYER_CAPABILITIES)
		print_capabilities(service->capability_bounding, DETAIL_COLUMN,
			DETAIL_COLUMN - 2 + printf("  bounding set:"), "empty");
	else if (layer == LAYER_SECUREBITS)
		print_bits(service->securebits, SECUREBITS_COUNT, securebits_name, DETAIL_COLUMN,
			DETAIL_COLUMN - 2 + printf(" "));
	else if (layer == LAYER_SECCOMP)
		printf("  %s, otherwise %s", service->seccomp_profile, service->seccomp_default_action);
	else if (layer == LAYER_READ_ONLY && strcmp(how, "landlock") == 0)
		printf("  by Landlock");
	else if (layer == LAYER_READ_ONLY && strcmp(how, "remount") == 0)
		printf("  by a remount in place");
	else if (layer == LAYER_READ_ONLY && *how != '\0')
		printf("  as the runtime mounted it");
}

static void print_confinement(const struct wire_service *service)
{
	printf("\nconfinement%s%s\n", answer.service_count > 1 ? " of " : "",
		answer.service_count > 1 ? service->name : "");
	for (unsigned i = 0; i < LAYER_COUNT; i++) {
		enum layer layer = (enum layer)i;

		if (answer.service_count > 1 && !asked(service, layer))
			continue;
		printf("  %-14s", layer_name(layer));
		if (in_force(service, layer)) {
			paint_text(GREEN, "in force");
			print_detail(service, layer);
		} else {
			paint_text(asked(service, layer) ? RED : PLAIN,
				asked(service, layer) ? "NOT in force" : "not asked for");
		}
		putchar('\n');
	}
}

static void print_check(const struct wire_check *check)
{
	const bool failing = check->consecutive_failures > 0;

	if (check->healthy == 1)
		paint_text(failing ? YELLOW : GREEN, failing ? "  failing   " : "  ok        ");
	else if (check->settled == 1)
		paint_text(RED, "  FAILED    ");
	else
		paint_text(YELLOW, "  waiting   ");
	printf("%-9s%s\n%21s%s", check_kind_name((enum check_kind)check->kind), check->name, "",
		check->reason[0] != '\0' ? check->reason : "no result yet");
	if (check->healthy == 0 && check->settled == 1 && check->consecutive_failures > 1)
		printf(", %u failures in a row", check->consecutive_failures);
	if (check->last_success_ns > 0)
		printf(", last success %s ago", since(check->last_success_ns).at);
	printf(" (%llu ok, %llu failed)\n", (unsigned long long)check->successes, (unsigned long long)check->failures);
}

/* Why a call was refused belongs to what confines. */
static void print_denials(void)
{
	if (answer.denial_count > 0)
		printf("\nsystem calls denied\n");
	for (size_t i = 0; i < answer.denial_count; i++)
		printf("  %-22s%-20s %llu\n", answer.denial[i].syscall, answer.denial[i].action,
			(unsigned long long)answer.denial[i].count);
}

/* Names and times alone. */
static void print_secrets(void)
{
	if (answer.secret_count > 0)
		printf("\nsecrets\n");
	for (size_t i = 0; i < answer.secret_count; i++) {
		const struct wire_secret *secret = &answer.secret[i];

		printf("  %-22s%s on change", secret->name, secret_action_name((enum secret_action)secret->action));
		if (secret->rotations > 0)
			printf(", %llu %s, %s ago", (unsigned long long)secret->rotations,
				secret->rotations == 1 ? "change" : "changes, the last",
				since(secret->last_rotation_ns).at);
		putchar('\n');
	}
}

/* What one wants to know first comes first: is it well, why not, since when; what confines it is looked up later. */
static void print_text(void)
{
	print_verdict();
	print_gaps();
	print_services();
	if (answer.check_count > 0)
		printf("\nchecks\n");
	for (size_t i = 0; i < answer.check_count; i++)
		print_check(&answer.check[i]);
	for (size_t i = 0; i < answer.service_count; i++)
		if (answer.service_count == 1 || answer.service[i].starts > 0)
			print_confinement(&answer.service[i]);
	print_secrets();
	print_denials();
}

/* ---- for machines ---- */

static void json_notified(struct json_writer *json, const struct wire_notified *notified)
{
	if (notified == NULL)
		return;
	json_write_object(json, "says");
	json_write_text(json, "state", wire_said_name(notified->said));
	json_write_text(json, "status", notified->status);
	json_write_u64(json, "errno", notified->error);
	json_write_end(json);
}

static void json_capabilities(struct json_writer *json, const char *key, uint64_t set)
{
	json_write_bits(json, key, set, CAPNAME_COUNT, capname);
}

static void json_detail(struct json_writer *json, const struct wire_service *service, enum layer layer)
{
	if (layer == LAYER_CAPABILITIES) {
		json_capabilities(json, "bounding", service->capability_bounding);
	} else if (layer == LAYER_SECUREBITS) {
		json_write_bits(json, "bits", service->securebits, SECUREBITS_COUNT, securebits_name);
	} else if (layer == LAYER_SECCOMP && service->seccomp_profile[0] != '\0') {
		json_write_text(json, "profile", service->seccomp_profile);
		json_write_text(json, "default_action", service->seccomp_default_action);
	} else if (layer == LAYER_READ_ONLY && service->read_only_how[0] != '\0') {
		json_write_text(json, "how", service->read_only_how);
	}
}

static void json_confinement(struct json_writer *json, const struct wire_service *service)
{
	json_write_object(json, "confinement");
	for (unsigned layer = 0; layer < LAYER_COUNT; layer++) {
		json_write_object(json, layer_name((enum layer)layer));
		json_write_bool(json, "requested", asked(service, (enum layer)layer));
		json_write_bool(json, "enforced", in_force(service, (enum layer)layer));
		json_detail(json, service, (enum layer)layer);
		json_write_end(json);
	}
	json_write_end(json);
}

static void json_service(struct json_writer *json, const struct wire_service *service)
{
	json_write_object(json, NULL);
	json_write_text(json, "name", service->name);
	json_write_text(json, "state", wire_state_name(service->state));
	if (service->waits_for[0] != '\0')
		json_write_text(json, "waits_for", service->waits_for);
	json_write_i64(json, "pid", service->main_pid);
	json_write_seconds(json, "start_time", service->start_time_ns);
	json_write_u64(json, "starts", service->starts);
	json_write_u64(json, "exits", service->exits);
	if (service->time_to_ready_ns >= 0)
		json_write_seconds(json, "time_to_ready_seconds", service->time_to_ready_ns);
	if (service->last_death[0] != '\0')
		json_write_text(json, "last_end", service->last_death);
	json_notified(json, notified_by(service));
	json_confinement(json, service);
	json_write_end(json);
}

static void json_health(struct json_writer *json)
{
	json_write_object(json, "health");
	for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
		json_write_bool(json, check_kind_name((enum check_kind)kind), answer.verdict[kind].healthy == 1);
	json_write_end(json);
}

static void json_checks(struct json_writer *json)
{
	json_write_array(json, "checks");
	for (size_t i = 0; i < answer.check_count; i++) {
		const struct wire_check *check = &answer.check[i];

		json_write_object(json, NULL);
		json_write_text(json, "kind", check_kind_name((enum check_kind)check->kind));
		json_write_text(json, "name", check->name);
		json_write_bool(json, "healthy", check->healthy == 1);
		json_write_text(json, "reason", check->reason);
		json_write_u64(json, "successes", check->successes);
		json_write_u64(json, "failures", check->failures);
		json_write_u64(json, "consecutive_failures", check->consecutive_failures);
		if (check->last_success_ns > 0)
			json_write_seconds(json, "last_success", check->last_success_ns);
		json_write_end(json);
	}
	json_write_end(json);
}

static void json_denials(struct json_writer *json)
{
	json_write_array(json, "seccomp_denials");
	for (size_t i = 0; i < answer.denial_count; i++) {
		json_write_object(json, NULL);
		json_write_text(json, "syscall", answer.denial[i].syscall);
		json_write_text(json, "action", answer.denial[i].action);
		json_write_u64(json, "count", answer.denial[i].count);
		json_write_end(json);
	}
	json_write_end(json);
}

static void json_secrets(struct json_writer *json)
{
	json_write_array(json, "secrets");
	for (size_t i = 0; i < answer.secret_count; i++) {
		const struct wire_secret *secret = &answer.secret[i];

		json_write_object(json, NULL);
		json_write_text(json, "name", secret->name);
		json_write_text(json, "on_change", secret_action_name((enum secret_action)secret->action));
		json_write_u64(json, "rotations", secret->rotations);
		if (secret->last_rotation_ns > 0)
			json_write_seconds(json, "last_rotation", secret->last_rotation_ns);
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
	json_write_array(&json, "services");
	for (size_t i = 0; i < answer.service_count; i++)
		json_service(&json, &answer.service[i]);
	json_write_end(&json);
	json_health(&json);
	json_checks(&json);
	json_denials(&json);
	json_secrets(&json);
	json_capabilities(&json, "own_capabilities", answer.snapshot.own_capabilities);
	json_write_u64(&json, "monitor_restarts", answer.snapshot.monitor_restarts);
	json_write_u64(&json, "reaped_orphans", answer.snapshot.reaped_orphans);
	json_write_finish(&json);
}

/* ---- the command ---- */

/* Returns 0, or 1 and a sentence. */
static int ask(struct complaint *ret_why)
{
	answer.have_snapshot = false;
	answer.service_count = answer.notified_count = answer.check_count = answer.denial_count = answer.secret_count =
		0;
	if (control_ask(WIRE_ASK_STATUS, CHECK_READY, TIMEOUT_NS, take, NULL, ret_why) < 0)
		return 1;
	if (!answer.have_snapshot) {
		complain(ret_why, EAGAIN, "PID 1 has not reported yet: try again");
		return 1;
	}
	return 0;
}

/* One look of several: that nobody answers may pass. */
static void draw(void)
{
	struct complaint why;

	if (ask(&why) == 0)
		print_text();
	else
		printf("nest-init status: %s\n", why.text);
}

struct wish {
	bool help, json, watch;
	int64_t interval_ns;
};

static int parse_interval(const char *text, struct wish *wish, struct complaint *ret_why)
{
	if (duration_parse(text, &wish->interval_ns) < 0 || wish->interval_ns < INTERVAL_MIN_NS)
		return complain(
			ret_why, EINVAL, "--watch: '%.100s': expected a time of at least 100ms, such as 2s", text);
	return 0;
}

static int parse_word(const char *word, bool behind_watch, struct wish *wish, struct complaint *ret_why)
{
	static const char with_time[] = "--watch=";

	if (strncmp(word, with_time, strlen(with_time)) == 0) {
		wish->watch = true;
		return parse_interval(word + strlen(with_time), wish, ret_why);
	}
	if (behind_watch && word[0] != '-')
		return parse_interval(word, wish, ret_why);
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		wish->help = true;
	else if (strcmp(word, "--json") == 0)
		wish->json = true;
	else if (strcmp(word, "--watch") == 0)
		wish->watch = true;
	else
		return complain(ret_why, EINVAL, "unknown option '%.100s' (nest-init status --help)", word);
	return 0;
}

static int parse_words(char **argv, struct wish *wish, struct complaint *ret_why)
{
	int error = 0;

	for (char **word = argv + 1; error == 0 && *word != NULL; word++)
		error = parse_word(*word, strcmp(word[-1], "--watch") == 0, wish, ret_why);
	if (error == 0 && wish->json && wish->watch)
		return complain(ret_why, EINVAL, "--json is for machines, --watch for people: choose one");
	return error;
}

int status_main(int argc, char **argv)
{
	struct wish wish = { .interval_ns = INTERVAL_NS };
	struct complaint why;

	(void)argc;
	if (parse_words(argv, &wish, &why) < 0) {
		fprintf(stderr, "nest-init status: %s\n", why.text);
		return STATUS_USAGE;
	}
	if (wish.help)
		return fputs(help_text, stdout) >= 0 ? 0 : STATUS_USAGE;
	paint_begin();
	if (wish.watch)
		return watch(wish.interval_ns, draw) < 0 ? STATUS_USAGE : 0;
	if (ask(&why) != 0) {
		fprintf(stderr, "nest-init status: %s\n", why.text);
		return 1;
	}
	(wish.json ? print_json : print_text)();
	return fflush(stdout) == 0 ? 0 : STATUS_USAGE;
}
