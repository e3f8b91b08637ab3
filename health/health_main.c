/* `nest-init health`: the verdict of PID 1's monitor, for HEALTHCHECK CMD and exec probes. A thin client: it needs no
 * shell, no curl and no writable file system. Where no monitor runs it looks at the configured checks itself. */
#include "init/commands.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/control_client.h"
#include "base/duration.h"
#include "base/json_write.h"
#include "base/options.h"
#include "base/utf8.h"
#include "health/check_once.h"
#include "metrics/health_page.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Docker's statuses: 2 is reserved, so bad usage must not be 2 either. */
#define STATUS_HEALTHY 0
#define STATUS_UNHEALTHY 1
/* Below the second that Kubernetes gives a probe unless told otherwise, with a fifth of it left for the runtime to
 * start us; above the 0.6 s that a monitor which was killed keeps its callers waiting. */
#define DEFAULT_TIMEOUT_NS (800 * NS_PER_MS)
#define ALL_KINDS ((1U << CHECK_KIND_COUNT) - 1)

extern char **environ;

static const char help_text[] = "nest-init health [--live|--ready|--startup] [--json] [--timeout TIME]\n"
				"\n"
				"Asks PID 1's monitor for its verdict: exit status 0 healthy, 1 not, 125 bad usage.\n"
				"The verdict and its reason go to standard output, in one line.\n"
				"\n"
				"  (no option)      all of it: alive, started and ready\n"
				"  --ready          can it take requests?\n"
				"  --live           is it alive?\n"
				"  --startup        has it started?\n"
				"                   (several: all of these)\n"
				"  --json           the same, and every check, as application/health+json\n"
				"  --timeout TIME   how long it may take, all in all (800ms)\n"
				"\n"
				"Where no monitor runs (PID 1 is no nest-init, or has no check and no --metrics) it\n"
				"looks at the checks of NEST_INIT_READY, _LIVE and _STARTUP itself, each once; or at\n"
				"those of --ready=TARGET, --live=TARGET, --startup=TARGET, which win over them.\n"
				"\n"
				"  HEALTHCHECK CMD [\"/sbin/nest-init\", \"health\"]\n";

struct request {
	unsigned kinds; /* a bit for each enum check_kind */
	bool json;
	bool help;
	int64_t timeout_ns;
	size_t target_count;
	const char **targets; /* "--ready=TARGET": options of a run */
};

/* ---- words ---- */

static bool parse_kind(const char *word, struct request *request)
{
	for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++) {
		const char *name = check_kind_name((enum check_kind)kind);
		const size_t length = strlen(name);

		if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, length) != 0)
			continue;
		if (word[2 + length] == '=')
			request->targets[request->target_count++] = word;
		else if (word[2 + length] != '\0')
			continue;
		request->kinds |= 1U << kind;
		return true;
	}
	return false;
}

static bool refuse(const char *what, const char *why)
{
	fprintf(stderr, "nest-init health: %s '%s'%s\n", what, why,
		strcmp(what, "unknown option") == 0 ? " (nest-init health --help)"
						    : ": expected a duration above zero, such as 500ms or 5s");
	return false;
}

/* What stands alone is mostly meant as a TARGET. */
static bool refuse_word(const char *word)
{
	if (*word == '-')
		return refuse("unknown option", word);
	fprintf(stderr,
		"nest-init health: unexpected '%s': a target is joined to its option by a =, as in --ready=%s\n", word,
		word);
	return false;
}

static bool set_timeout(const char *value, struct request *request)
{
	if (value == NULL) {
		fputs("nest-init health: --timeout: a value is missing\n", stderr);
		return false;
	}
	if (duration_parse(value, &request->timeout_ns) < 0 || request->timeout_ns == 0)
		return refuse("--timeout:", value);
	return true;
}

static bool parse_words(int argc, char **argv, struct request *request)
{
	static const char timeout[] = "--timeout=";

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			request->help = true;
			return true;
		}
		if (strcmp(argv[i], "--json") == 0) {
			request->json = true;
		} else if (strcmp(argv[i], "--timeout") == 0) {
			if (!set_timeout(argv[++i], request)) /* argv ends with NULL */
				return false;
		} else if (strncmp(argv[i], timeout, strlen(timeout)) == 0) {
			if (!set_timeout(argv[i] + strlen(timeout), request))
				return false;
		} else if (!parse_kind(argv[i], request)) {
			return refuse_word(argv[i]);
		}
	}
	if (request->kinds == 0)
		request->kinds = ALL_KINDS;
	return true;
}

/* ---- the answer, wherever it comes from ---- */

struct answer {
	bool healthy;
	bool silent;                   /* PID 1 does not answer its monitor */
	char reason[WIRE_REASON_SIZE]; /* the verdict first: Podman keeps 500 characters, and people read less */
	/* for --json */
	bool have_snapshot;
	struct wire_snapshot snapshot;
	uint8_t kind_healthy[CHECK_KIND_COUNT];
	size_t check_count;
	struct wire_check check[MODEL_CHECKS_MAX];
};

/* In this order: the first one that fails is the reason, and the last one's word stands for all. */
static const struct {
	enum check_kind kind;
	char good[8];
} order[] = { { CHECK_LIVE, "alive" }, { CHECK_STARTUP, "started" }, { CHECK_READY, "ready" } };
static_assert(sizeof order / sizeof order[0] == CHECK_KIND_COUNT, "every kind");
#define GOOD_SIZE 32 /* of all of them */

static bool asks(const struct request *request, enum check_kind kind)
{
	return (request->kinds >> kind & 1) != 0;
}

/* No verdict could be had: that is none that is good. */
static int print_no_verdict(const struct request *request, const char *why)
{
	struct json_writer json;

	if (!request->json) {
		printf("unhealthy: %.460s\n", why);
		return STATUS_UNHEALTHY;
	}
	json_write_begin(&json, stdout);
	json_write_text(&json, "status", "fail");
	json_write_text(&json, "output", why);
	json_write_finish(&json);
	return STATUS_UNHEALTHY;
}

static int print_json(const struct request *request, const struct answer *answer, enum health_source source)
{
	const struct health_facts facts = {
		.snapshot = answer->have_snapshot ? &answer->snapshot : NULL,
		.healthy = answer->kind_healthy,
		.checks = answer->check,
		.check_count = answer->check_count,
		.source = source,
	};
	cleanup_free char *text = NULL;
	unsigned status;
	size_t length;
	int r = health_page(&facts, request->kinds, HEALTH_JSON, &status, &text, &length);

	if (r < 0)
		return print_no_verdict(request, strerror(-r));
	fputs(text, stdout);
	return status == 200 ? STATUS_HEALTHY : STATUS_UNHEALTHY;
}

/* ---- the monitor's ---- */

static void take_verdict(void *context, const union wire_record *record)
{
	struct answer *answer = context;

	if (record->header.type != WIRE_VERDICT)
		return;
	answer->healthy = record->verdict.healthy == 1;
	answer->silent = record->verdict.silent == 1;
	snprintf(answer->reason, sizeof answer->reason, "%s", record->verdict.reason);
}

static void take_status(void *context, const union wire_record *record)
{
	struct answer *answer = context;

	if (record->header.type == WIRE_SNAPSHOT) {
		answer->snapshot = record->snapshot;
		answer->have_snapshot = true;
	} else if (record->header.type == WIRE_VERDICT) {
		answer->kind_healthy[record->verdict.kind] = record->verdict.healthy == 1;
	} else if (record->header.type == WIRE_CHECK && answer->check_count < MODEL_CHECKS_MAX) {
		answer->check[answer->check_count++] = record->check;
	}
}

/* What is well: each kind that was asked for, or the last one's word for all of them. */
static void join_good(const struct request *request, char ret_words[static GOOD_SIZE])
{
	size_t length = 0;

	for (size_t i = 0; i < CHECK_KIND_COUNT; i++) {
		if (!asks(request, order[i].kind))
			continue;
		if (request->kinds == ALL_KINDS)
			length = 0;
		length += (size_t)snprintf(
			ret_words + length, GOOD_SIZE - length, "%s%s", length > 0 ? ", " : "", order[i].good);
	}
}

/* Asks for one kind after the other. Returns 0, or -errno with a sentence. */
static int ask_verdicts(
	const struct request *request, int64_t deadline_ns, struct answer *answer, struct complaint *ret_why)
{
	char good[GOOD_SIZE];
	int r = 0;

	answer->healthy = true;
	for (size_t i = 0; i < CHECK_KIND_COUNT && answer->healthy && r == 0; i++) {
		if (!asks(request, order[i].kind))
			continue;
		answer->healthy = false;
		r = control_ask(
			WIRE_ASK_HEALTH, order[i].kind, deadline_ns - clock_now_ns(), take_verdict, answer, ret_why);
	}
	join_good(request, good);
	if (answer->healthy)
		snprintf(answer->reason, sizeof answer->reason, "%s", good);
	return r;
}

static int print_verdict(const struct answer *answer)
{
	printf("%s\n", answer->reason);
	return answer->healthy ? STATUS_HEALTHY : STATUS_UNHEALTHY;
}

/* ---- our own ---- */

/* The options of a run, as PID 1 would read them. */
static int read_checks(const struct request *request, struct model *model, struct complaint *ret_why)
{
	cleanup_free char **argv = calloc(request->target_count + 4, sizeof *argv);
	enum options_wish wish;

	if (argv == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	argv[0] = (char *)"health";
	memcpy(argv + 1, request->targets, request->target_count * sizeof *argv);
	argv[request->target_count + 1] = (char *)"--";
	argv[request->target_count + 2] = (char *)"health";
	return options_parse(argv, environ, CONFIG_DEFAULT, model, &wish, ret_why);
}

static int print_looked_at(const struct request *request, const struct answer *answer)
{
	const struct health_facts facts = {
		.healthy = answer->kind_healthy,
		.checks = answer->check,
		.check_count = answer->check_count,
		.source = HEALTH_BY_OURSELVES,
	};
	char good[GOOD_SIZE];

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		cleanup_free char *text = NULL;
		unsigned status = 503;
		size_t length;

		if (!asks(request, order[i].kind))
			continue;
		if (health_page(&facts, 1U << order[i].kind, HEALTH_BRIEF, &status, &text, &length) < 0)
			return print_no_verdict(request, strerror(ENOMEM));
		if (status != 200) {
			char line[HEALTH_BRIEF_BYTES + 1];

			text[strcspn(text, "\n")] = '\0';
			utf8_clean(text, line, sizeof line);
			printf("%s (looked at just now: no monitor runs)\n", line);
			return STATUS_UNHEALTHY;
		}
	}
	join_good(request, good);
	printf("%s: looked at just now, as no monitor runs\n", good);
	return STATUS_HEALTHY;
}

static int refuse_nothing(const struct request *request, const struct complaint *no_monitor)
{
	struct complaint why;

	complain(&why, ENOENT,
		"%.200s, and no check is configured: set NEST_INIT_READY=TARGET, or give PID 1 --ready TARGET",
		no_monitor->text);
	return print_no_verdict(request, why.text);
}

static int look_ourselves(
	const struct request *request, int64_t deadline_ns, const struct complaint *no_monitor, struct answer *answer)
{
	static struct model model;
	struct complaint why;
	int r = read_checks(request, &model, &why);

	if (r < 0 && request->target_count > 0 && strncmp(why.text, "--", 2) == 0) {
		fprintf(stderr, "nest-init health: %s\n", why.text);
		return STATUS_USAGE;
	}
	if (r < 0)
		return print_no_verdict(request, why.text);
	if (model.main.check_count == 0)
		return refuse_nothing(request, no_monitor);
	signal(SIGPIPE, SIG_IGN); /* nobody reads the line: the exit status still tells */
	r = check_once(&model, request->kinds, deadline_ns - clock_now_ns(), answer->check, &answer->check_count,
		answer->kind_healthy);
	if (r < 0)
		return print_no_verdict(request, strerror(-r));
	if (request->json)
		return print_json(request, answer, HEALTH_BY_OURSELVES);
	return print_looked_at(request, answer);
}

/* ---- one after the other ---- */

static int answer_request(const struct request *request)
{
	const int64_t deadline_ns = clock_now_ns() + request->timeout_ns;
	/* Its pages are touched as far as checks fill them. */
	cleanup_free struct answer *answer = calloc(1, sizeof *answer);
	struct complaint why;
	int r;

	if (answer == NULL)
		return print_no_verdict(request, strerror(ENOMEM));
	r = ask_verdicts(request, deadline_ns, answer, &why);
	if (r == -ECONNREFUSED)
		return look_ourselves(request, deadline_ns, &why, answer);
	if (r == 0 && request->target_count > 0)
		fprintf(stderr, "nest-init health: %s is passed over: PID 1's monitor has its own checks\n",
			request->targets[0]);
	if (r == 0 && request->json)
		r = control_ask(WIRE_ASK_STATUS, CHECK_READY, deadline_ns - clock_now_ns(), take_status, answer, &why);
	if (r < 0)
		return print_no_verdict(request, why.text);
	if (request->json)
		return print_json(request, answer, answer->silent ? HEALTH_INIT_SILENT : HEALTH_BY_INIT);
	return print_verdict(answer);
}

int health_main(int argc, char **argv)
{
	cleanup_free const char **targets = calloc((size_t)argc, sizeof *targets);
	struct request request = { .timeout_ns = DEFAULT_TIMEOUT_NS, .targets = targets };

	if (targets == NULL || !parse_words(argc, argv, &request))
		return STATUS_USAGE;
	if (request.help)
		return fputs(help_text, stdout) >= 0 ? 0 : STATUS_USAGE;
	return answer_request(&request);
}
