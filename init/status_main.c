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
	struct wire_verdict verdict[CHECK_KIND_COUNT];
	struct wire_check check[MODEL_CHECKS_MAX];
	size_t check_count;
	struct wire_denial denial[WIRE_DENIALS_MAX];
	size_t denial_count;
	bool have_notified;
	struct wire_notified notified;
} answer;

static void take(void *context, const union wire_record *record)
{
	(void)context;
	if (record->header.type == WIRE_SNAPSHOT) {
		answer.snapshot = record->snapshot;
		answer.have_snapshot = true;
	} else if (record->header.type == WIRE_VERDICT) {
		answer.verdict[record->verdict.kind] = record->verdict;
	} else if (record->header.type == WIRE_NOTIFIED) {
		answer.notified = record->notified;
		answer.have_notified = true;
	} else if (record->header.type == WIRE_CHECK && answer.check_count < MODEL_CHECKS_MAX) {
		answer.check[answer.check_count++] = record->check;
	} else if (record->header.type == WIRE_DENIAL && answer.denial_count < WIRE_DENIALS_MAX) {
		answer.denial[answer.denial_count++] = record->denial;
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
	int64_t left = snapshot->stop_deadline_ns - clock_wall_ns();
	bool dead = live->healthy == 0, well = !dead && ready->healthy == 1;

	paint(well ? GREEN : dead || snapshot->state <= WIRE_STATE_RUNNING ? RED : YELLOW);
	if (well)
		printf("main is ready");
	else if (dead || snapshot->state <= WIRE_STATE_RUNNING)
		printf("main is %s", dead ? live->reason : ready->reason);
	else
		printf("main is being stopped: %s", wire_state_name(snapshot->state));
	if (snapshot->stop_deadline_ns > 0 && left > 0)
		printf(", SIGKILL in %s", span(left).at);
	paint(PLAIN);
	putchar('\n');
}

/* What was asked for and could not be had, under --best-effort: it belongs to what is read first. */
static void print_gaps(void)
{
	uint32_t gaps = answer.snapshot.layers_requested & ~answer.snapshot.layers_enforced;
	const char *before = "NOT in force: ";

	if (gaps == 0 || answer.snapshot.main_pid == 0) /* there is nobody for whom it could be */
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

/* What the service says of itself, where it is asked to. */
static void print_notified(void)
{
	const struct wire_notified *notified = &answer.notified;

	if (!answer.have_notified)
		return;
	printf("\nit says         %s%s%s", wire_said_name(notified->said), *notified->status != '\0' ? ": " : "",
		notified->status);
	if (notified->error > 0)
		printf(" (error %u: %s)", notified->error, strerror((int)notified->error));
}

static void print_service(void)
{
	static const char good[][8] = { "alive", "ready", "started" };
	static const enum check_kind order[] = { CHECK_LIVE, CHECK_STARTUP, CHECK_READY };
	const struct wire_snapshot *snapshot = &answer.snapshot;

	if (snapshot->main_pid == 0 && *snapshot->last_death != '\0')
		printf("\nservice         none: %s", snapshot->last_death);
	else
		printf("\nservice         pid %d, up %s", snapshot->main_pid,
			since(snapshot->service_start_time_ns).at);
	if (snapshot->time_to_ready_ns >= 0)
		printf(", ready after %s", span(snapshot->time_to_ready_ns).at);
	printf("\nhealth          ");
	for (unsigned i = 0; i < CHECK_KIND_COUNT; i++) {
		bool yes = answer.verdict[order[i]].healthy == 1;

		printf("%s%s%s", i > 0 ? ", " : "", yes ? "" : "not ", good[order[i]]);
	}
	print_notified();
	printf("\nPID 1           nest-init " NEST_INIT_VERSION ", up %s, %llu orphans reaped",
		since(snapshot->start_time_ns).at, (unsigned long long)snapshot->reaped_orphans);
	if (snapshot->monitor_restarts > 0)
		printf(", monitor replaced %llu times", (unsigned long long)snapshot->monitor_restarts);
	printf("\nPID 1 keeps    ");
	print_capabilities(snapshot->own_capabilities, KEEPS_COLUMN, KEEPS_COLUMN - 1, "no capability");
	putchar('\n');
}

static void print_detail(enum layer layer)
{
	const struct wire_snapshot *snapshot = &answer.snapshot;
	const char *how = snapshot->read_only_how;

	if (layer == LAYER_CAPABILITIES)
		print_capabilities(snapshot->capability_bounding, DETAIL_COLUMN,
			DETAIL_COLUMN - 2 + printf("  bounding set:"), "empty");
	else if (layer == LAYER_SECUREBITS)
		print_bits(snapshot->securebits, SECUREBITS_COUNT, securebits_name, DETAIL_COLUMN,
			DETAIL_COLUMN - 2 + printf(" "));
	else if (layer == LAYER_SECCOMP)
		printf("  %s, otherwise %s", snapshot->seccomp_profile, snapshot->seccomp_default_action);
	else if (layer == LAYER_READ_ONLY && strcmp(how, "landlock") == 0)
		printf("  by Landlock");
	else if (layer == LAYER_READ_ONLY && strcmp(how, "remount") == 0)
		printf("  by a remount in place");
	else if (layer == LAYER_READ_ONLY && *how != '\0')
		printf("  as the runtime mounted it");
}

static void print_confinement(void)
{
	printf("\nconfinement\n");
	for (unsigned i = 0; i < LAYER_COUNT; i++) {
		enum layer layer = (enum layer)i;

		printf("  %-14s", layer_name(layer));
		if (in_force(layer)) {
			paint_text(GREEN, "in force");
			print_detail(layer);
		} else {
			paint_text(asked(layer) ? RED : PLAIN, asked(layer) ? "NOT in force" : "not asked for");
		}
		putchar('\n');
	}
}

static void print_check(const struct wire_check *check)
{
	if (check->healthy == 1)
		paint_text(GREEN, "  ok        ");
	else if (check->settled == 1)
		paint_text(RED, "  FAILED    ");
	else
		paint_text(YELLOW, "  waiting   ");
	printf("%-9s%s\n%21s%s", check_kind_name((enum check_kind)check->kind), check->name, "",
		check->reason[0] != '\0' ? check->reason : "no result yet");
	if (check->consecutive_failures > 1)
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

/* What one wants to know first comes first: is it well, why not, since when; what confines it is looked up later. */
static void print_text(void)
{
	print_verdict();
	print_gaps();
	print_service();
	if (answer.check_count > 0)
		printf("\nchecks\n");
	for (size_t i = 0; i < answer.check_count; i++)
		print_check(&answer.check[i]);
	print_confinement();
	print_denials();
}

/* ---- for machines ---- */

static void json_notified(struct json_writer *json)
{
	if (!answer.have_notified)
		return;
	json_write_object(json, "says");
	json_write_text(json, "state", wire_said_name(answer.notified.said));
	json_write_text(json, "status", answer.notified.status);
	json_write_u64(json, "errno", answer.notified.error);
	json_write_end(json);
}

static void json_service(struct json_writer *json)
{
	const struct wire_snapshot *snapshot = &answer.snapshot;

	json_write_object(json, "service");
	json_write_text(json, "name", "main");
	json_write_i64(json, "pid", snapshot->main_pid);
	json_write_seconds(json, "start_time", snapshot->service_start_time_ns);
	json_write_u64(json, "starts", snapshot->starts);
	json_write_u64(json, "exits", snapshot->exits);
	if (snapshot->time_to_ready_ns >= 0)
		json_write_seconds(json, "time_to_ready_seconds", snapshot->time_to_ready_ns);
	json_notified(json);
	json_write_end(json);
	json_write_object(json, "health");
	for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
		json_write_bool(json, check_kind_name((enum check_kind)kind), answer.verdict[kind].healthy == 1);
	json_write_end(json);
}

static void json_capabilities(struct json_writer *json, const char *key, uint64_t set)
{
	json_write_bits(json, key, set, CAPNAME_COUNT, capname);
}

static void json_detail(struct json_writer *json, enum layer layer)
{
	const struct wire_snapshot *snapshot = &answer.snapshot;

	if (layer == LAYER_CAPABILITIES) {
		json_capabilities(json, "bounding", snapshot->capability_bounding);
	} else if (layer == LAYER_SECUREBITS) {
		json_write_bits(json, "bits", snapshot->securebits, SECUREBITS_COUNT, securebits_name);
	} else if (layer == LAYER_SECCOMP && snapshot->seccomp_profile[0] != '\0') {
		json_write_text(json, "profile", snapshot->seccomp_profile);
		json_write_text(json, "default_action", snapshot->seccomp_default_action);
	} else if (layer == LAYER_READ_ONLY && snapshot->read_only_how[0] != '\0') {
		json_write_text(json, "how", snapshot->read_only_how);
	}
}

static void json_confinement(struct json_writer *json)
{
	json_write_object(json, "confinement");
	for (unsigned layer = 0; layer < LAYER_COUNT; layer++) {
		json_write_object(json, layer_name((enum layer)layer));
		json_write_bool(json, "requested", asked((enum layer)layer));
		json_write_bool(json, "enforced", in_force((enum layer)layer));
		json_detail(json, (enum layer)layer);
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

static void print_json(void)
{
	struct json_writer json;

	json_write_begin(&json, stdout);
	json_write_text(&json, "version", NEST_INIT_VERSION);
	json_write_text(&json, "state", wire_state_name(answer.snapshot.state));
	json_service(&json);
	json_confinement(&json);
	json_checks(&json);
	json_denials(&json);
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
	answer.check_count = answer.denial_count = 0;
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
