#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/utf8.h"
#include "metrics/front_page.h"
#include "metrics/health_page.h"
#include "metrics/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <assert.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *golden_dir = "tests/unit/golden";
static bool golden_write;

static const struct page_build build = { "1.2.3", "64d1af5", "musl", "amd64" };
/* PID 1 in the middle of its life: draining, and everything on the page known. */
static struct wire_snapshot full_snapshot(void)
{
	struct wire_snapshot snapshot = {
		.state = WIRE_STATE_DRAINING,
		.start_time_ns = INT64_C(1732331234123456789),
		.deadlines_passed = { [WIRE_DEADLINE_STOP_TIMEOUT] = 1 },
		.leftovers_killed = 3,
		.landlock_abi = 7,
		.own_capabilities = UINT64_C(1) << 5,
		.reaped_services = 1,
		.reaped_orphans = 4711,
		.monitor_restarts = 3,
		.reload_successful = 1,
		.reload_success_ns = INT64_C(1760000000500000000),
	};

	snapshot.signals_received[SIGHUP] = 2;
	snapshot.signals_received[SIGTERM] = 1;
	snapshot.signals_received[37] = 30000; /* RTMIN+3 */
	snapshot.signals_forwarded[SIGHUP] = 2;
	return snapshot;
}

/* And its service. */
static const struct wire_service full_service = {
	.state = WIRE_STATE_DRAINING,
	.main_pid = 7,
	.start_time_ns = INT64_C(1732331234200000000),
	.stop_deadline_ns = INT64_C(1732334842000000000),
	.time_to_ready_ns = 1250 * NS_PER_MS,
	.starts = 2,
	.exits = 5,
	.exit = { { WIRE_CAUSE_OOM, 137, 1 }, { WIRE_CAUSE_EXIT, 1, 2 } },
	.stop_duration_ns = 8100 * NS_PER_MS,
	.last_status = SIGKILL, /* a wait status: killed */
	.layers_requested = 1 << LAYER_USER | 1 << LAYER_CAPABILITIES | 1 << LAYER_SECCOMP | 1 << LAYER_READ_ONLY,
	.layers_enforced = 1 << LAYER_USER | 1 << LAYER_CAPABILITIES | 1 << LAYER_SECCOMP,
	.capability_bounding = UINT64_C(1) << 10 | UINT64_C(1) << 45,
	.name = "main",
	.seccomp_profile = "node",
	.seccomp_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	.seccomp_default_action = "errno",
};

static const struct wire_check checks[] = {
	{ .kind = CHECK_READY,
		.healthy = 1,
		.settled = 1,
		.successes = 120,
		.failures = 2,
		.last_success_ns = INT64_C(1732334800500000000),
		.duration_sum_ns = 360 * NS_PER_MS,
		.duration_bucket = { 100, 18, 2, 0, 0, 0, 0, 0, 2 },
		.name = "http://127.0.0.1:4000/api/health?a=\"b\\c\"",
		.reason = "200 OK" },
	{ .kind = CHECK_READY,
		.healthy = 0,
		.settled = 1,
		.consecutive_failures = 4,
		.failures = 4,
		.duration_sum_ns = 20 * NS_PER_S,
		.duration_bucket = { 0, 0, 0, 0, 0, 0, 0, 4, 0 },
		.name = "tcp://postgres:5432",
		.reason = "connection refused" },
	/* The same target for another kind: one more series where the kind is a label, a sum where it is not. */
	{ .kind = CHECK_LIVE,
		.healthy = 1,
		.settled = 1,
		.successes = 10,
		.last_success_ns = INT64_C(1732334800000000000),
		.duration_sum_ns = 10 * NS_PER_MS,
		.duration_bucket = { 10 },
		.name = "http://127.0.0.1:4000/api/health?a=\"b\\c\"",
		.reason = "200 OK" },
	/* Two that are alike once they are clean, and have no verdict yet. */
	{ .kind = CHECK_STARTUP, .successes = 1, .duration_bucket = { 1 }, .name = "file:/run/\xff" },
	{ .kind = CHECK_STARTUP, .successes = 2, .duration_bucket = { 2 }, .name = "file:/run/\xfe" },
};

static const struct wire_secret secrets[] = { { .name = "DATABASE_URL",
						      .action = SECRET_RESTART,
						      .rotations = 2,
						      .last_rotation_ns = INT64_C(1732334800500000000) },
	{ .name = "API_KEY", .action = SECRET_COMMAND } };
static const struct page_denial denials[] = { { "ptrace", "ERRNO(EPERM)", 3 }, { "other", "other", 7 } };

static struct readings full_readings(void)
{
	struct readings readings = { 0 };

	for (enum reading which = 0; which < READING_COUNT; which++)
		readings_set(&readings, which, UINT64_C(1000000000001) * (which + 1));
	return readings;
}

static const struct app_scrape scrapes[] = {
	{ "http://127.0.0.1:4000/metrics", true, true, 12 * NS_PER_MS, { 0 } },
	{ "worker", true, false, 5 * NS_PER_S, { 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "never asked", false, false, 0, { 0 } },
};

static void assert_golden(const char *name, const char *text, size_t length)
{
	cleanup_free char *expected = NULL;
	size_t expected_length;
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", golden_dir, name);
	if (golden_write) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		assert_int_equal(fwrite(text, 1, length, file), length);
		assert_int_equal(fclose(file), 0);
	}
	assert_int_equal(file_read(path, METRICS_PAGE_MAX, &expected, &expected_length), 0);
	assert_string_equal(text, expected);
	assert_int_equal(length, expected_length);
}

static void the_page_is_the_golden_one(void **state)
{
	static const char *const names[] = {
		[EXPOSITION_TEXT] = "metrics.txt",
		[EXPOSITION_OPENMETRICS] = "metrics.openmetrics",
	};
	struct wire_snapshot snapshot = full_snapshot();
	struct readings readings = full_readings();
	struct page_facts facts = { &build, &snapshot, &full_service, 1, false, checks, COUNT(checks), &readings,
		&readings, denials, COUNT(denials), scrapes, COUNT(scrapes), NULL, secrets, COUNT(secrets) };

	(void)state;
	for (enum exposition_format format = 0; format < EXPOSITION_FORMAT_COUNT; format++) {
		cleanup_free char *text = NULL;
		size_t length;

		assert_int_equal(metrics_page(&facts, format, &text, &length), 0);
		assert_golden(names[format], text, length);
	}
}

static void what_is_not_known_is_left_out(void **state)
{
	struct page_facts facts = { .snapshot = NULL };
	struct wire_snapshot snapshot = { .state = WIRE_STATE_STARTING };
	const struct wire_service service = {
		.last_status = -1, .time_to_ready_ns = -1, .stop_duration_ns = -1, .name = "main"
	};
	struct readings readings = { 0 };
	cleanup_free char *nothing = NULL, *early = NULL;
	size_t length;
	static const char *const absent[] = { "last_exit_code", "service_start_time", "time_to_ready", "shutdown_",
		"cpu_seconds", "cgroup", "capability_bounding", "seccomp_", "healthcheck", "build_info" };

	(void)state;
	assert_int_equal(metrics_page(&facts, EXPOSITION_TEXT, &nothing, &length), 0);
	assert_string_equal(nothing,
		"# HELP nest_init_ready 1 if /readyz answers 200: PID 1 is running and every ready check is healthy.\n"
		"# TYPE nest_init_ready gauge\n"
		"nest_init_ready 0\n");
	facts.snapshot = &snapshot;
	facts.services = &service;
	facts.service_count = 1;
	facts.readings = facts.service_readings = &readings;
	assert_int_equal(metrics_page(&facts, EXPOSITION_TEXT, &early, &length), 0);
	for (size_t i = 0; i < COUNT(absent); i++)
		assert_null(strstr(early, absent[i]));
	assert_non_null(strstr(early, "\nnest_init_service_up{service=\"main\"} 0\n"));
	assert_non_null(strstr(early, "\nnest_init_signals_received_total{signal=\"TERM\"} 0\n"));
}

/* What comes of the application stands behind all that is ours, under one # EOF. */
static void the_applications_page_is_merged_behind_ours(void **state)
{
	static const char app[] = "# TYPE a counter\na_total 1\n# EOF\n";
	const struct siphash_key key = { { 1, 2 } };
	struct app_page page;
	struct merge_left left;
	struct merge *merge;
	struct page_facts facts = { .snapshot = NULL };
	cleanup_free char *text = NULL;
	size_t length;

	(void)state;
	assert_int_equal(app_page_read(app, strlen(app), APP_OPENMETRICS, &page), 0);
	assert_int_equal(merge_build(&page, 1, &key, &left, &merge), 0);
	facts.merge = merge;
	assert_int_equal(metrics_page(&facts, EXPOSITION_OPENMETRICS, &text, &length), 0);
	assert_non_null(strstr(text, "\nnest_init_ready 0\n# TYPE a counter\na_total 1\n# EOF\n"));
	assert_ptr_equal(strstr(text, "# EOF\n"), text + length - strlen("# EOF\n"));
	merge_free(merge);
}

static void the_longest_page_is_within_its_limit(void **state)
{
	static struct wire_check longest[MODEL_CHECKS_MAX];
	static struct page_denial many[PAGE_DENIALS_MAX];
	struct wire_snapshot snapshot = full_snapshot();
	struct wire_service service = full_service;
	struct readings readings = full_readings();
	struct page_facts facts = { &build, &snapshot, &service, 1, true, longest, MODEL_CHECKS_MAX, &readings,
		&readings, many, PAGE_DENIALS_MAX, scrapes, COUNT(scrapes), NULL, secrets, COUNT(secrets) };
	cleanup_free char *text = NULL;
	size_t length = 0;

	(void)state;
	memset(longest, 0xff, sizeof longest);
	for (size_t i = 0; i < PAGE_DENIALS_MAX; i++)
		many[i] = (struct page_denial){ "mips64n32:a_syscall_of_a_very_long_name", "ERRNO(ESOCKTNOSUPPORT)",
			UINT64_MAX };
	memset(snapshot.signals_received, 0xff, sizeof snapshot.signals_received);
	memset(snapshot.signals_forwarded, 0xff, sizeof snapshot.signals_forwarded);
	service.capability_bounding = snapshot.own_capabilities = UINT64_MAX;
	for (size_t i = 0; i < MODEL_CHECKS_MAX; i++) {
		longest[i].kind = i % CHECK_KIND_COUNT;
		longest[i].name[i % 500] = (char)('x' + i / 500); /* each has a name of its own */
		longest[i].name[WIRE_NAME_SIZE - 1] = '\0';
	}
	assert_int_equal(metrics_page(&facts, EXPOSITION_TEXT, &text, &length), 0);
	assert_in_range(length, 100000, METRICS_PAGE_MAX);
	facts.check_count++;
	assert_int_equal(metrics_page(&facts, EXPOSITION_TEXT, &text, &length), -E2BIG);
}

/* Health */

static void assert_health(const struct health_facts *facts, enum check_kind kind, enum health_format format,
	unsigned expected_status, const char *expected)
{
	cleanup_free char *text = NULL;
	unsigned status = 0;
	size_t length;

	assert_int_equal(health_page(facts, 1U << kind, format, &status, &text, &length), 0);
	assert_string_equal(text, expected);
	assert_int_equal(length, strlen(expected));
	assert_int_equal(status, expected_status);
	assert_int_equal(health_is_good(facts, kind), expected_status == 200);
}

static void ready_needs_a_running_init_and_alive_does_not(void **state)
{
	static const struct {
		uint32_t state;
		unsigned live, ready, startup;
	} rows[] = {
		{ WIRE_STATE_STARTING, 200, 503, 200 },
		{ WIRE_STATE_RUNNING, 200, 200, 200 },
		{ WIRE_STATE_DRAINING, 200, 503, 200 },
		{ WIRE_STATE_STOPPING, 200, 503, 200 },
		{ WIRE_STATE_KILLING, 200, 503, 200 },
		{ WIRE_STATE_RESTARTING, 200, 503, 200 },
	};
	static const uint8_t healthy[CHECK_KIND_COUNT] = { 1, 1, 1 };

	(void)state;
	static_assert(COUNT(rows) == WIRE_STATE_INIT_COUNT, "a row for every state");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wire_snapshot snapshot = { .state = rows[i].state };
		struct health_facts facts = { .snapshot = &snapshot, .healthy = healthy };
		char reason[64];

		snprintf(reason, sizeof reason, "not ready: nest-init: %s\n", wire_state_name(rows[i].state));
		assert_health(&facts, CHECK_LIVE, HEALTH_BRIEF, rows[i].live, "ok\n");
		assert_health(&facts, CHECK_READY, HEALTH_BRIEF, rows[i].ready, rows[i].ready == 200 ? "ok\n" : reason);
		assert_health(&facts, CHECK_STARTUP, HEALTH_BRIEF, rows[i].startup, "ok\n");
	}
}

static void nothing_is_good_before_the_first_snapshot(void **state)
{
	static const uint8_t healthy[CHECK_KIND_COUNT] = { 1, 1, 1 };
	struct health_facts facts = { .healthy = healthy };

	(void)state;
	assert_health(&facts, CHECK_LIVE, HEALTH_BRIEF, 503, "not alive: nest-init: has not reported yet\n");
	assert_health(&facts, CHECK_READY, HEALTH_BRIEF, 503, "not ready: nest-init: has not reported yet\n");
	assert_health(&facts, CHECK_STARTUP, HEALTH_BRIEF, 503, "not started: nest-init: has not reported yet\n");
}

static void health_lists_the_checks_of_its_kind(void **state)
{
	static const uint8_t healthy[CHECK_KIND_COUNT] = { 1, 0, 0 };
	struct wire_snapshot snapshot = { .state = WIRE_STATE_RUNNING };
	struct health_facts facts = { &snapshot, healthy, checks, COUNT(checks), HEALTH_BY_INIT, NULL };

	(void)state;
	assert_health(&facts, CHECK_STARTUP, HEALTH_BRIEF, 503,
		"not started: file:/run/\xef\xbf\xbd: no result yet; file:/run/\xef\xbf\xbd: no result yet\n");
	facts.check_count -= 2; /* those of startup, which hold readiness back */
	assert_health(&facts, CHECK_READY, HEALTH_BRIEF, 503, "not ready: tcp://postgres:5432: connection refused\n");
	assert_health(&facts, CHECK_READY, HEALTH_VERBOSE, 503,
		"[+]nest-init ok\n"
		"[+]http://127.0.0.1:4000/api/health?a=\"b\\c\" ok\n"
		"[-]tcp://postgres:5432 failed: connection refused\n"
		"readyz check failed\n");
	assert_health(&facts, CHECK_LIVE, HEALTH_VERBOSE, 200,
		"[+]nest-init ok\n"
		"[+]http://127.0.0.1:4000/api/health?a=\"b\\c\" ok\n"
		"livez check passed\n");
	assert_health(&facts, CHECK_READY, HEALTH_JSON, 503,
		"{\"status\":\"fail\",\"output\":\"not ready: tcp://postgres:5432: connection refused\","
		"\"description\":\"whether the container takes requests\",\"checks\":{"
		"\"nest-init\":[{\"status\":\"pass\",\"output\":\"running\"}],"
		"\"http://127.0.0.1:4000/api/health?a=\\\"b\\\\c\\\"\":[{\"status\":\"pass\",\"output\":\"200 OK\"}],"
		"\"tcp://postgres:5432\":[{\"status\":\"fail\",\"output\":\"connection refused\"}]}}\n");
}

static void a_reason_cannot_forge_a_line(void **state)
{
	static const struct wire_check forged = {
		.kind = CHECK_READY, .settled = 1, .name = "tcp://x:1", .reason = "no\n[+]tcp://x:1 ok\r\n\x1b[32m"
	};
	static const uint8_t healthy[CHECK_KIND_COUNT] = { 0 };
	struct wire_snapshot snapshot = { .state = WIRE_STATE_RUNNING };
	struct health_facts facts = { &snapshot, healthy, &forged, 1, HEALTH_BY_INIT, NULL };

	(void)state;
	assert_health(&facts, CHECK_READY, HEALTH_BRIEF, 503, "not ready: tcp://x:1: no [+]tcp://x:1 ok   [32m\n");
}

/* A PID 1 that hangs can neither stop nor reap: nothing is well then, whatever was known before. */
static void a_silent_init_fails_every_kind(void **state)
{
	static const uint8_t healthy[CHECK_KIND_COUNT] = { 1, 1, 1 };
	struct wire_snapshot snapshot = { .state = WIRE_STATE_RUNNING };
	struct health_facts facts = { .snapshot = &snapshot, .healthy = healthy, .source = HEALTH_INIT_SILENT, NULL };

	(void)state;
	assert_health(&facts, CHECK_LIVE, HEALTH_BRIEF, 503, "not alive: nest-init: PID 1 does not answer\n");
	assert_health(&facts, CHECK_READY, HEALTH_BRIEF, 503, "not ready: nest-init: PID 1 does not answer\n");
	assert_health(&facts, CHECK_STARTUP, HEALTH_VERBOSE, 503,
		"[-]nest-init failed: PID 1 does not answer\nstartupz check failed\n");
}

/* What was looked at without a monitor says so, and nothing of PID 1. */
static void what_was_looked_at_alone_says_so(void **state)
{
	static const struct wire_check check = {
		.kind = CHECK_READY, .healthy = 1, .settled = 1, .name = "api", .reason = "200 OK"
	};
	static const uint8_t healthy[CHECK_KIND_COUNT] = { 1, 1, 1 };
	struct health_facts facts = { NULL, healthy, &check, 1, HEALTH_BY_OURSELVES, NULL };

	(void)state;
	assert_health(&facts, CHECK_READY, HEALTH_JSON, 200,
		"{\"status\":\"pass\",\"description\":\"whether the container takes requests\","
		"\"notes\":[\"looked at just now: no monitor runs\"],"
		"\"checks\":{\"api\":[{\"status\":\"pass\",\"output\":\"200 OK\"}]}}\n");
	assert_health(&facts, CHECK_LIVE, HEALTH_VERBOSE, 200, "livez check passed\n");
}

/* All kinds in one: names carry their kind, as two kinds may have the same. */
static void several_kinds_are_one_answer(void **state)
{
	static const struct wire_check both[] = {
		{ .kind = CHECK_LIVE, .healthy = 1, .settled = 1, .name = "api", .reason = "200 OK" },
		{ .kind = CHECK_READY, .settled = 1, .name = "api", .reason = "503 \"no\"" },
		{ .kind = CHECK_STARTUP, .healthy = 1, .settled = 1, .name = "file", .reason = "there" },
	};
	static const uint8_t healthy[CHECK_KIND_COUNT] = { [CHECK_LIVE] = 1, [CHECK_STARTUP] = 1 };
	struct wire_snapshot snapshot = { .state = WIRE_STATE_RUNNING };
	struct health_facts facts = { &snapshot, healthy, both, COUNT(both), HEALTH_BY_INIT, NULL };
	cleanup_free char *text = NULL;
	unsigned status;
	size_t length;

	(void)state;
	assert_int_equal(
		health_page(&facts, 1U << CHECK_LIVE | 1U << CHECK_READY, HEALTH_JSON, &status, &text, &length), 0);
	assert_int_equal(status, 503);
	assert_string_equal(text,
		"{\"status\":\"fail\",\"output\":\"unhealthy: ready:api: 503 \\\"no\\\"\","
		"\"description\":\"whether the container is well\",\"checks\":{"
		"\"nest-init\":[{\"status\":\"pass\",\"output\":\"running\"}],"
		"\"live:api\":[{\"status\":\"pass\",\"output\":\"200 OK\"}],"
		"\"ready:api\":[{\"status\":\"fail\",\"output\":\"503 \\\"no\\\"\"}]}}\n");
}

/* The startup check is the reason, once, whatever the ready checks would have to say; each of them says it of itself.
 */
static void a_startup_check_holds_readiness_back(void **state)
{
	static const struct wire_check held[] = {
		{ .kind = CHECK_READY, .name = "api", .reason = "startup: late has not succeeded yet" },
		{ .kind = CHECK_STARTUP, .healthy = 1, .settled = 1, .name = "early", .reason = "exists" },
		{ .kind = CHECK_STARTUP, .name = "late", .reason = "not there" },
		{ .kind = CHECK_LIVE, .healthy = 1, .name = "beat", .reason = "startup: late has not succeeded yet" },
	};
	static const uint8_t healthy[CHECK_KIND_COUNT] = { [CHECK_LIVE] = 1 };
	struct wire_snapshot snapshot = { .state = WIRE_STATE_RUNNING };
	struct health_facts facts = { &snapshot, healthy, held, COUNT(held), HEALTH_BY_INIT, NULL };
	cleanup_free char *text = NULL;
	unsigned status;
	size_t length;

	(void)state;
	assert_health(&facts, CHECK_READY, HEALTH_BRIEF, 503, "not ready: startup: late has not succeeded yet\n");
	assert_health(&facts, CHECK_READY, HEALTH_VERBOSE, 503,
		"[+]nest-init ok\n"
		"[-]startup failed: late has not succeeded yet\n"
		"[-]api failed: startup: late has not succeeded yet\n"
		"readyz check failed\n");
	assert_health(&facts, CHECK_LIVE, HEALTH_VERBOSE, 200, "[+]nest-init ok\n[+]beat ok\nlivez check passed\n");
	assert_health(&facts, CHECK_STARTUP, HEALTH_BRIEF, 503, "not started: late: not there\n");
	assert_int_equal(health_page(&facts, 7, HEALTH_BRIEF, &status, &text, &length), 0);
	assert_string_equal(text, "unhealthy: startup:late: not there\n");
	facts.source = HEALTH_BY_OURSELVES; /* a look at each, and no service that starts */
	assert_health(&facts, CHECK_READY, HEALTH_BRIEF, 503, "not ready: api: startup: late has not succeeded yet\n");
}

/* Docker and Podman keep the beginning: a long name must not push the reason out of it. */
static void a_long_name_leaves_room_for_the_reason(void **state)
{
	static const uint8_t healthy[CHECK_KIND_COUNT] = { 0 };
	struct wire_snapshot snapshot = { .state = WIRE_STATE_RUNNING };
	struct wire_check check = { .kind = CHECK_READY, .settled = 1, .reason = "connection refused" };
	struct health_facts facts = { &snapshot, healthy, &check, 1, HEALTH_BY_INIT, NULL };
	char expected[200];

	(void)state;
	memset(check.name, 'n', sizeof check.name - 1);
	snprintf(expected, sizeof expected, "not ready: %.97s...: connection refused\n", check.name);
	assert_health(&facts, CHECK_READY, HEALTH_BRIEF, 503, expected);
	check.kind = CHECK_STARTUP;
	snprintf(expected, sizeof expected, "not ready: startup: %.100s has not succeeded yet\n", check.name);
	assert_health(&facts, CHECK_READY, HEALTH_BRIEF, 503, expected);
	check.kind = CHECK_READY;
	check.name[100] = '\0';
	snprintf(expected, sizeof expected, "not ready: %.100s: connection refused\n", check.name);
	assert_health(&facts, CHECK_READY, HEALTH_BRIEF, 503, expected);
}

/* The control socket's answer has 480 bytes: who does not fit is counted. */
static void what_does_not_fit_into_the_brief_page_is_counted(void **state)
{
	static const uint8_t healthy[CHECK_KIND_COUNT] = { 0 };
	static struct wire_check six[6];
	struct wire_snapshot snapshot = { .state = WIRE_STATE_RUNNING };
	struct health_facts facts = { &snapshot, healthy, six, 6, HEALTH_BY_INIT, NULL };
	char expected[HEALTH_BRIEF_BYTES + 1] = "not ready", reason[141];
	size_t length = strlen(expected);

	(void)state;
	memset(reason, 'r', sizeof reason - 1);
	reason[sizeof reason - 1] = '\0';
	for (unsigned i = 0; i < 6; i++) {
		six[i] = (struct wire_check){ .kind = CHECK_READY, .settled = 1 };
		snprintf(six[i].name, sizeof six[i].name, "c%u", i);
		snprintf(six[i].reason, sizeof six[i].reason, "%s", reason);
		if (i < 2)
			length += (size_t)snprintf(expected + length, sizeof expected - length, "%s c%u: %s",
				i == 0 ? ":" : ";", i, reason);
	}
	snprintf(expected + length, sizeof expected - length, "; and 4 more\n");
	assert_health(&facts, CHECK_READY, HEALTH_BRIEF, 503, expected);
}

static void a_page_may_have_a_name_of_its_own(void **state)
{
	static const uint8_t healthy[CHECK_KIND_COUNT] = { 1, 1, 1 };
	struct wire_snapshot snapshot = { .state = WIRE_STATE_RUNNING };
	struct health_facts facts = { &snapshot, healthy, NULL, 0, HEALTH_BY_INIT, "healthz" };

	(void)state;
	assert_health(&facts, CHECK_LIVE, HEALTH_VERBOSE, 200, "[+]nest-init ok\nhealthz check passed\n");
}

static void a_character_that_was_cut_is_taken_away(void **state)
{
	static const char *const cases[][2] = { { "a\xc3", "a" }, { "a\xc3\xa4", "a\xc3\xa4" }, { "", "" },
		{ "\xe2\x82", "" }, { "a\xf0\x9f\x98", "a" }, { "abc", "abc" }, { "a\xe2\x82\xac", "a\xe2\x82\xac" } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[8];

		strcpy(text, cases[i][0]);
		utf8_trim(text);
		assert_string_equal(text, cases[i][1]);
	}
}

/* ---- the front page ---- */

/* A sample every ten seconds: memory goes up by a MiB, the processor is busy for a half, and was not in between. */
static struct history full_history(size_t count)
{
	struct history history = { .count = 0 };
	struct readings readings = { .known = 0 };
	uint64_t cpu_ns = 0;

	for (size_t i = 0; i < count; i++) {
		cpu_ns += i % 10 == 0 ? 0 : 5 * NS_PER_S;
		readings_set(&readings, READING_CGROUP_CPU_NS, cpu_ns);
		readings_set(&readings, READING_CGROUP_MEMORY_BYTES, (40 + i) << 20);
		history_add(&history, (int64_t)i * HISTORY_STEP_NS, &readings);
	}
	return history;
}

static const uint32_t runs[COUNT(checks)] = { 0xfffffffb, 0, 0x3ff, 1, 3 };

static char *make_front(const struct wire_snapshot *snapshot, const struct wire_service *services, size_t service_count,
	const struct wire_check *checked, size_t check_count, const struct history *history)
{
	struct readings readings = { .known = 0 }, own[3] = { { .known = 0 } };
	const struct page_facts known = { &build, snapshot, services, service_count,
		snapshot != NULL && snapshot->state == WIRE_STATE_RUNNING, checked, check_count, &readings, own,
		denials, COUNT(denials), NULL, 0, NULL, NULL, 0 };
	static const uint8_t healthy[CHECK_KIND_COUNT] = { 1, 1, 1 };
	const struct front_facts facts = { &known, healthy, runs, history, INT64_C(1732334812000000000) };
	char *text;
	size_t length;

	readings_set(&readings, READING_CGROUP_MEMORY_BYTES, UINT64_C(98) << 20);
	readings_set(&readings, READING_CGROUP_MEMORY_LIMIT_BYTES, UINT64_C(512) << 20);
	readings_set(own, READING_PROCESSES, 1);
	readings_set(own, READING_THREADS, 22);
	assert_int_equal(front_page(&facts, &text, &length), 0);
	assert_int_equal(strlen(text), length);
	return text;
}

static void the_front_page_is_the_golden_one(void **state)
{
	struct wire_snapshot snapshot = full_snapshot();
	struct wire_service service = full_service;
	const struct history history = full_history(60);
	cleanup_free char *text = NULL;

	(void)state;
	snprintf(service.last_death, sizeof service.last_death,
		"node (pid 7) was killed by SIGKILL after 3h2m: out of memory, most likely");
	text = make_front(&snapshot, &service, 1, checks, COUNT(checks), &history);
	assert_golden("front.html", text, strlen(text));
}

static void several_services_are_listed(void **state)
{
	struct wire_snapshot snapshot = full_snapshot();
	struct wire_service services[2] = { full_service, { .state = WIRE_STATE_WAITING, .name = "<cache>" } };
	const struct history history = full_history(60);
	cleanup_free char *text = NULL;

	(void)state;
	snprintf(services[0].last_death, sizeof services[0].last_death, "backend (pid 7) ended with status 1");
	services[1].time_to_ready_ns = -1;
	text = make_front(&snapshot, services, 2, checks, COUNT(checks), &history);
	assert_non_null(strstr(text, "<h1>the container is draining</h1><p class=\"soft\">2 services</p>"));
	assert_non_null(strstr(text, "<b>main</b> <span class=\"soft\">pid 7, up "));
	assert_non_null(strstr(text, "<b>&lt;cache&gt;</b> <span class=\"soft\">no process</span>"));
	assert_non_null(strstr(text, ">waiting</span>"));
	assert_non_null(strstr(text, "<p>backend (pid 7) ended with status 1</p>"));
}

/* It would be down for ever, and somebody would be called for it. */
static void a_task_that_is_over_is_not_down(void **state)
{
	struct wire_snapshot snapshot = full_snapshot();
	struct wire_service services[2] = { full_service, full_service };
	struct page_facts facts = { .snapshot = &snapshot, .services = services, .service_count = 2 };
	cleanup_free char *text = NULL;
	size_t length;

	(void)state;
	snprintf(services[1].name, sizeof services[1].name, "migrate");
	services[1].kind = SERVICE_ONCE;
	services[1].state = WIRE_STATE_ENDED;
	services[1].main_pid = 0;
	assert_int_equal(metrics_page(&facts, EXPOSITION_TEXT, &text, &length), 0);
	assert_non_null(strstr(text, "service_up{service=\"main\"} 1\n"));
	assert_null(strstr(text, "service_up{service=\"migrate\"}"));
	assert_non_null(strstr(text, "service_starts_total{service=\"migrate\"} "));
}

static void what_a_reload_has_removed_is_shown_until_it_has_ended(void **state)
{
	struct wire_snapshot snapshot = full_snapshot();
	struct wire_service services[3] = { full_service, full_service, full_service };
	const struct history history = full_history(60);
	struct page_facts facts = { .snapshot = &snapshot, .services = services, .service_count = 3 };

	(void)state;
	snprintf(services[0].name, sizeof services[0].name, "gone");
	snprintf(services[0].last_death, sizeof services[0].last_death, "gone (pid 9) ended");
	snprintf(services[1].name, sizeof services[1].name, "going");
	services[0].removed = services[1].removed = 1;
	services[0].state = WIRE_STATE_ENDED;
	services[0].layers_requested = 1 << LAYER_TCP; /* nobody's any more */
	for (unsigned page = 0; page < 2; page++) {
		cleanup_free char *text = NULL;
		size_t length;

		if (page == 0)
			text = make_front(&snapshot, services, 3, NULL, 0, &history);
		else
			assert_int_equal(metrics_page(&facts, EXPOSITION_TEXT, &text, &length), 0);
		assert_null(strstr(text, "gone"));
		assert_non_null(strstr(text, "going"));
		assert_non_null(strstr(text, "main"));
		assert_non_null(strstr(text, page == 0 ? "2 services" : "hardening_requested{layer=\"tcp\"} 0\n"));
		assert_non_null(strstr(text, page == 0 ? "going" : "nest_init_seccomp_info{"));
	}
}

static void who_waits_says_for_what(void **state)
{
	struct wire_snapshot snapshot = full_snapshot();
	struct wire_service services[2] = { full_service, full_service };
	const struct history history = full_history(60);
	cleanup_free char *text = NULL;

	(void)state;
	services[1].state = WIRE_STATE_WAITING;
	snprintf(services[1].waits_for, sizeof services[1].waits_for, "tcp://<db>:1");
	text = make_front(&snapshot, services, 2, NULL, 0, &history);
	assert_non_null(strstr(text, "<span class=\"soft\">for tcp://&lt;db&gt;:1</span>"));
}

static void figures_of_several_services_have_their_names(void **state)
{
	struct wire_snapshot snapshot = full_snapshot();
	struct wire_service services[3] = { full_service, full_service, full_service };
	struct readings own[3] = { { .known = 0 } };
	struct page_facts facts = {
		.snapshot = &snapshot, .services = services, .service_count = 2, .service_readings = own
	};
	cleanup_free char *text = NULL;
	size_t length;

	(void)state;
	services[2].starts = 0; /* who never ran asks for nothing that could be missing */
	services[2].layers_enforced = 0;
	snprintf(services[1].name, sizeof services[1].name, "cache");
	services[1].layers_requested = services[1].layers_enforced = 1 << LAYER_READ_ONLY | 1 << LAYER_LIMITS;
	services[1].capability_bounding = UINT64_C(1) << 12;
	readings_set(&own[1], READING_THREADS, 4);
	assert_int_equal(metrics_page(&facts, EXPOSITION_TEXT, &text, &length), 0);
	assert_non_null(strstr(text, "service_up{service=\"main\"} 1\nnest_init_service_up{service=\"cache\"} 1\n"));
	assert_non_null(strstr(text, "\nnest_init_service_threads{service=\"cache\"} 4\n"));
	assert_null(strstr(text, "service_threads{service=\"main\"}"));
	/* In force is what is for all that ask for it. */
	assert_non_null(strstr(text, "hardening_requested{layer=\"read_only\"} 1\n"));
	assert_non_null(strstr(text, "hardening_enforced{layer=\"read_only\"} 0\n"));
	assert_non_null(strstr(text, "hardening_enforced{layer=\"limits\"} 1\n"));
	assert_non_null(strstr(text, "bounding{capability=\"net_bind_service\"} 1\n"));
	assert_non_null(strstr(text, "bounding{capability=\"net_admin\"} 1\n"));
	/* One filter is one series. */
	assert_null(strstr(strstr(text, "seccomp_info{") + 1, "\nnest_init_seccomp_info{"));
}

static void a_front_page_without_anything_is_one_too(void **state)
{
	const struct history none = { .count = 0 };
	cleanup_free char *text = make_front(NULL, NULL, 0, NULL, 0, &none);

	(void)state;
	assert_non_null(strstr(text, "<h1>the container is not known yet</h1>"));
	assert_null(strstr(text, "Checks"));
	assert_null(strstr(text, "<svg"));
}

static void what_others_wrote_stays_text(void **state)
{
	static const struct wire_check evil[] = {
		{ .name = "<script>alert('1')</script>", .reason = "\"&\x1b[31m\xff<b>" },
	};
	struct wire_snapshot snapshot = full_snapshot();
	struct wire_service service = full_service;
	const struct history none = { .count = 0 };
	cleanup_free char *text = NULL;

	(void)state;
	snprintf(service.last_death, sizeof service.last_death, "<i> ended");
	snprintf(service.seccomp_profile, sizeof service.seccomp_profile, "/tmp/<u>");
	text = make_front(&snapshot, &service, 1, evil, COUNT(evil), &none);
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "<i>"));
	assert_null(strstr(text, "<u>"));
	assert_non_null(strstr(text, "<b>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;</b>"));
	assert_non_null(strstr(text, "&quot;&amp; [31m\xef\xbf\xbd&lt;b&gt;"));
	assert_non_null(strstr(text, "<p>&lt;i&gt; ended</p>"));
	assert_non_null(strstr(text, "/tmp/&lt;u&gt;"));
}

static void history_keeps_the_last_and_is_asked_seldom(void **state)
{
	struct history history = full_history(HISTORY_MAX + 5);

	(void)state;
	assert_int_equal(history_count(&history), HISTORY_MAX);
	assert_int_equal(history_at(&history, 0)->at_ns, 5 * HISTORY_STEP_NS);
	assert_int_equal(history_at(&history, HISTORY_MAX - 1)->at_ns, (HISTORY_MAX + 4) * HISTORY_STEP_NS);
	assert_false(history_is_due(&history, (HISTORY_MAX + 5) * HISTORY_STEP_NS - 1));
	assert_true(history_is_due(&history, (HISTORY_MAX + 5) * HISTORY_STEP_NS));
	assert_int_equal(history_cpu(history_at(&history, 0), history_at(&history, 1)), 5000); /* 50 % */
	assert_int_equal(history_cpu(history_at(&history, 1), history_at(&history, 0)), -1);
	history = (struct history){ .count = 0 };
	assert_true(history_is_due(&history, 0));
}

static void history_does_without_a_cgroup(void **state)
{
	struct history history = { .count = 0 };
	struct readings readings = { .known = 0 };

	(void)state;
	history_add(&history, 1, &readings);
	readings_set(&readings, READING_CPU_USER_NS, 3);
	history_add(&history, 2, &readings);
	readings_set(&readings, READING_CPU_SYSTEM_NS, 4);
	readings_set(&readings, READING_RESIDENT_BYTES, 5);
	history_add(&history, 3, &readings);
	assert_false(history_at(&history, 0)->has_cpu || history_at(&history, 1)->has_cpu);
	assert_int_equal(history_cpu(history_at(&history, 1), history_at(&history, 2)), -1);
	assert_true(history_at(&history, 2)->has_cpu && history_at(&history, 2)->has_memory);
	assert_int_equal(history_at(&history, 2)->cpu_ns, 7);
	assert_int_equal(history_at(&history, 2)->memory_bytes, 5);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_is_the_golden_one),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(the_applications_page_is_merged_behind_ours),
		cmocka_unit_test(the_longest_page_is_within_its_limit),
		cmocka_unit_test(ready_needs_a_running_init_and_alive_does_not),
		cmocka_unit_test(nothing_is_good_before_the_first_snapshot),
		cmocka_unit_test(health_lists_the_checks_of_its_kind),
		cmocka_unit_test(a_reason_cannot_forge_a_line),
		cmocka_unit_test(a_silent_init_fails_every_kind),
		cmocka_unit_test(what_was_looked_at_alone_says_so),
		cmocka_unit_test(several_kinds_are_one_answer),
		cmocka_unit_test(a_startup_check_holds_readiness_back),
		cmocka_unit_test(a_long_name_leaves_room_for_the_reason),
		cmocka_unit_test(what_does_not_fit_into_the_brief_page_is_counted),
		cmocka_unit_test(a_page_may_have_a_name_of_its_own),
		cmocka_unit_test(a_character_that_was_cut_is_taken_away),
		cmocka_unit_test(the_front_page_is_the_golden_one),
		cmocka_unit_test(several_services_are_listed),
		cmocka_unit_test(a_task_that_is_over_is_not_down),
		cmocka_unit_test(what_a_reload_has_removed_is_shown_until_it_has_ended),
		cmocka_unit_test(who_waits_says_for_what),
		cmocka_unit_test(figures_of_several_services_have_their_names),
		cmocka_unit_test(a_front_page_without_anything_is_one_too),
		cmocka_unit_test(what_others_wrote_stays_text),
		cmocka_unit_test(history_keeps_the_last_and_is_asked_seldom),
		cmocka_unit_test(history_does_without_a_cgroup),
	};

	if (argc > 1)
		golden_dir = argv[1];
	golden_write = argc > 2 && strcmp(argv[2], "write") == 0; /* to renew them: read the difference, then commit */
	return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
