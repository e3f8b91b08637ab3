/* `nest-init health`: the verdict of PID 1's monitor, for HEALTHCHECK CMD and exec probes. A thin client: it needs no
 * shell, no curl and no writable file system. */
#include "init/commands.h"

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
				"  --ready          can it take requests? (the default)\n"
				"  --live           is it alive?\n"
				"  --startup        has it started?\n"
				"  --timeout TIME   how long to wait for the answer (5s)\n"
				"\n"
				"  HEALTHCHECK CMD [\"/sbin/nest-init\", \"health\"]\n";

struct answer {
	bool given;
	bool healthy;
};

static void take(void *context, const union wire_record *record)
{
	static const char good[][8] = { [CHECK_LIVE] = "alive", [CHECK_READY] = "ready", [CHECK_STARTUP] = "started" };
	struct answer *answer = context;

	if (record->header.type != WIRE_VERDICT)
		return;
	answer->given = true;
	answer->healthy = record->verdict.healthy == 1;
	/* One line, and the verdict first: Podman keeps 500 characters, and people read less. */
	printf("%s\n", answer->healthy ? good[record->verdict.kind] : record->verdict.reason);
}

static bool parse_kind(const char *word, enum check_kind *ret_kind)
{
	for (unsigned i = 0; i < CHECK_KIND_COUNT; i++) {
		if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, check_kind_name((enum check_kind)i)) == 0) {
			*ret_kind = (enum check_kind)i;
			return true;
		}
	}
	return false;
}

static int usage(const char *word)
{
	fprintf(stderr, "nest-init health: unknown option '%s' (nest-init health --help)\n", word);
	return STATUS_USAGE;
}

int health_main(int argc, char **argv)
{
	enum check_kind kind = CHECK_READY;
	int64_t timeout_ns = DEFAULT_TIMEOUT_NS;
	struct answer answer = { .given = false };
	struct complaint why;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return fputs(help_text, stdout) >= 0 ? 0 : STATUS_USAGE;
		if (strcmp(argv[i], "--timeout") == 0 && i + 1 < argc) {
			if (duration_parse(argv[++i], &timeout_ns) < 0) {
				fprintf(stderr,
					"nest-init health: --timeout: '%s': expected a duration such as 500ms or 5s\n",
					argv[i]);
				return STATUS_USAGE;
			}
		} else if (!parse_kind(argv[i], &kind)) {
			return usage(argv[i]);
		}
	}
	if (control_ask(WIRE_ASK_HEALTH, kind, timeout_ns, take, &answer, &why) < 0) {
		printf("unhealthy: %s\n", why.text);
		return STATUS_UNHEALTHY;
	}
	return answer.given && answer.healthy ? STATUS_HEALTHY : STATUS_UNHEALTHY;
}
