/* `nest-init health`: the verdict of PID 1's monitor, for HEALTHCHECK CMD and exec probes. A thin client: it needs no
 * shell, no curl and no writable file system. */
#include "init/commands.h"

#include "base/clock.h"
#include "base/control_client.h"
#include "base/duration.h"

#include <stdio.h>
#include <string.h>

/* Docker's statuses: 2 is reserved, so bad usage must not be 2 either. */
#define STATUS_HEALTHY 0
#define STATUS_UNHEALTHY 1
#define DEFAULT_TIMEOUT_NS INT64_C(5000000000)

static const char help_text[] = "nest-init health [--live|--ready|--startup] [--timeout TIME]\n"
				"\n"
				"Asks PID 1's monitor for its verdict: exit status 0 healthy, 1 not, 125 bad usage.\n"
				"The verdict and its reason go to standard output, in one line.\n"
				"\n"
				"  (no option)      all of it: alive, started and ready\n"
				"  --ready          can it take requests?\n"
				"  --live           is it alive?\n"
				"  --startup        has it started?\n"
				"  --timeout TIME   how long to wait for the answer (5s)\n"
				"\n"
				"  HEALTHCHECK CMD [\"/sbin/nest-init\", \"health\"]\n";

struct request {
	bool asks[CHECK_KIND_COUNT];
	bool asks_for_one;
	bool help;
	int64_t timeout_ns;
};

struct answer {
	bool healthy;
	char reason[WIRE_REASON_SIZE];
};

static void take(void *context, const union wire_record *record)
{
	static const char good[][8] = { [CHECK_LIVE] = "alive", [CHECK_READY] = "ready", [CHECK_STARTUP] = "started" };
	struct answer *answer = context;

	if (record->header.type != WIRE_VERDICT)
		return;
	answer->healthy = record->verdict.healthy == 1;
	/* One line, and the verdict first: Podman keeps 500 characters, and people read less. */
	snprintf(answer->reason, sizeof answer->reason, "%s",
		answer->healthy ? good[record->verdict.kind] : record->verdict.reason);
}

static bool parse_kind(const char *word, struct request *request)
{
	for (unsigned i = 0; i < CHECK_KIND_COUNT; i++) {
		if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, check_kind_name((enum check_kind)i)) == 0) {
			request->asks[i] = true;
			request->asks_for_one = true;
			return true;
		}
	}
	return false;
}

static bool refuse(const char *what, const char *why)
{
	fprintf(stderr, "nest-init health: %s '%s'%s\n", what, why,
		strcmp(what, "unknown option") == 0 ? " (nest-init health --help)"
						    : ": expected a duration such as 500ms or 5s");
	return false;
}

static bool parse_words(int argc, char **argv, struct request *request)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			request->help = true;
			return true;
		}
		if (strcmp(argv[i], "--timeout") == 0 && i + 1 < argc) {
			if (duration_parse(argv[++i], &request->timeout_ns) < 0)
				return refuse("--timeout:", argv[i]);
		} else if (!parse_kind(argv[i], request)) {
			return refuse("unknown option", argv[i]);
		}
	}
	return true;
}

/* Asks for each kind that is wanted, in the order live, startup, ready: the first one that fails is the reason, and the
 * last one's words stand for all. The time is the time of all together. */
static int ask(const struct request *request)
{
	static const enum check_kind order[] = { CHECK_LIVE, CHECK_STARTUP, CHECK_READY };
	const int64_t deadline_ns = clock_now_ns() + request->timeout_ns;
	struct answer answer = { .healthy = true };
	struct complaint why;

	for (size_t i = 0; i < CHECK_KIND_COUNT && answer.healthy; i++) {
		if (request->asks_for_one && !request->asks[order[i]])
			continue;
		answer.healthy = false;
		if (control_ask(WIRE_ASK_HEALTH, order[i], deadline_ns - clock_now_ns(), take, &answer, &why) < 0)
			snprintf(answer.reason, sizeof answer.reason, "unhealthy: %.460s", why.text);
	}
	printf("%s\n", answer.reason);
	return answer.healthy ? STATUS_HEALTHY : STATUS_UNHEALTHY;
}

int health_main(int argc, char **argv)
{
	struct request request = { .timeout_ns = DEFAULT_TIMEOUT_NS };

	if (!parse_words(argc, argv, &request))
		return STATUS_USAGE;
	if (request.help)
		return fputs(help_text, stdout) >= 0 ? 0 : STATUS_USAGE;
	return ask(&request);
}
