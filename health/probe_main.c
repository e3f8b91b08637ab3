#include "health/probe_main.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/duration.h"
#include "health/probe_run.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 125 /* our own refusals, as docker run has it */

static const char help[] =
	"Usage: nest-init probe [OPTION...] [KEY=VALUE...] TARGET...\n"
	"Look at every TARGET once, all at the same time; succeed if all of them do.\n"
	"\n"
	"  --timeout T    give up after T (5s); names and slow answers included\n"
	"  --expect LIST  HTTP statuses that are a success (200-399), such as 200,429 or 200-299,401\n"
	"  --wait T       try again until each TARGET has succeeded, T at the most; --timeout bounds one try\n"
	"  --help         show this\n"
	"  KEY=VALUE      before a TARGET, for it alone: name, timeout, expect, method, header,\n"
	"                 body (a text that the answer's body must contain)\n"
	"\n"
	"TARGET: http://HOST[:PORT][/PATH]    complete headers decide\n"
	"        http+unix:SOCKET:/PATH       the same through a Unix socket\n"
	"        tcp://HOST:PORT              a connection is made\n"
	"        unix:SOCKET                  the same to a Unix socket\n"
	"        file:PATH[?max_age=T]        it exists, modified at most T ago\n"
	"        exec:COMMAND ARG...          it ends with status 0; all that follows belongs to it\n"
	"Durations: 500ms, 8s, 1m30s. An IPv6 address is written in brackets.\n"
	"\n"
	"One line for each TARGET says \"ok\" or \"failed\" first; failures come before successes.\n"
	"Exit status: 0 all succeeded, 1 not, 125 bad usage.\n";

struct request {
	struct expected expected;
	int64_t timeout_ns;
	int64_t wait_ns;
	size_t count;
	struct check check[PROBE_RUN_MAX];
	struct probe_job job[PROBE_RUN_MAX];
};

static int refuse(const char *what, const char *why)
{
	fprintf(stderr, "nest-init probe: %s: %s\n", what, why);
	return EXIT_USAGE;
}

static int take_duration(const char *option, const char *text, int64_t *ret_ns)
{
	int64_t ns;

	if (duration_parse(text, &ns) < 0 || ns == 0) {
		fprintf(stderr,
			"nest-init probe: %s: '%s': expected a duration above zero, such as 500ms, 8s or 1m30s\n",
			option, text);
		return EXIT_USAGE;
	}
	*ret_ns = ns;
	return 0;
}

static int take_expected(const char *text, struct expected *ret_expected)
{
	struct complaint why;

	return expected_parse(text, ret_expected, &why) < 0 ? refuse("--expect", why.text) : 0;
}

enum option_code { OPTION_TIMEOUT = 256, OPTION_EXPECT, OPTION_WAIT, OPTION_HELP }; /* above any character */

static const struct option options[] = {
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "expect", required_argument, NULL, OPTION_EXPECT },
	{ "wait", required_argument, NULL, OPTION_WAIT },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* What getopt_long(3) did not like: a letter, which is in optopt, or a word, which is behind it. */
static int refuse_option(int code, char **argv)
{
	const char letter[] = { '-', (char)optopt, '\0' };
	const char *name = optopt > 0 && optopt < OPTION_TIMEOUT ? letter : argv[optind - 1];

	return refuse(name, code == ':' ? "needs a value" : "is not an option here (--help lists them)");
}

/* Returns 0, an exit status, or -1 when --help was asked for. */
static int take_options(int argc, char **argv, struct request *request)
{
	int r = 0;

	opterr = 0;
	optind = 0; /* main may have parsed options already: start afresh (getopt(3)) */
	while (r == 0) {
		const int code = getopt_long(argc, argv, ":h", options, NULL);

		if (code == -1)
			return 0;
		if (code == OPTION_TIMEOUT)
			r = take_duration("--timeout", optarg, &request->timeout_ns);
		else if (code == OPTION_EXPECT)
			r = take_expected(optarg, &request->expected);
		else if (code == OPTION_WAIT)
			r = take_duration("--wait", optarg, &request->wait_ns);
		else if (code == OPTION_HELP || code == 'h')
			r = -1;
		else
			r = refuse_option(code, argv);
	}
	return r;
}

/* What only a check that is run again and again has: here it would say what is not done. */
static int refuse_repetition(const struct check *check)
{
	static const enum check_key keys[] = { CHECK_INTERVAL, CHECK_START_PERIOD, CHECK_START_INTERVAL, CHECK_RETRIES,
		CHECK_SUCCESS_THRESHOLD, CHECK_JITTER };

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if ((check->given >> keys[i] & 1) != 0)
			return refuse(check_key_name(keys[i]),
				"is for a check of PID 1's monitor: a probe looks once, or until --wait is over");
	return 0;
}

static int take_check(const struct check *check, struct request *request)
{
	struct check *own = &request->check[request->count];
	struct check_timing timing = check_default_timing;

	if (refuse_repetition(check) != 0)
		return EXIT_USAGE;
	if (check->target.kind == TARGET_NOTIFY)
		return refuse("TARGET", "notify is what a workload tells PID 1: nothing that can be asked for");
	if (request->count == PROBE_RUN_MAX)
		return refuse("too many targets", "64 at the most");
	timing.timeout_ns = request->timeout_ns;
	*own = *check;
	check_inherit(own, &timing, &request->expected);
	request->job[request->count++].check = own;
	return 0;
}

/* All words in one text, as a variable or an option has them: blanks part them. The checks point into it. */
static char *join(char **words)
{
	size_t length = 1;
	char *text, *end;

	for (char **word = words; *word != NULL; word++)
		length += strlen(*word) + 1;
	text = malloc(length);
	if (text == NULL)
		return NULL;
	for (end = text; *words != NULL; words++) {
		end = stpcpy(end, *words);
		*end++ = ' ';
	}
	*end = '\0';
	return text;
}

static int take_targets(char *text, struct request *request)
{
	struct complaint why;
	struct check check;
	size_t at = 0;
	int r;

	while ((r = check_parse(text, &at, CHECK_READY, &check, &why)) == 1) {
		r = take_check(&check, request);
		if (r != 0)
			return r;
	}
	if (r == 0 && request->count == 0)
		return refuse(
			"TARGET is missing", "nest-init probe http://127.0.0.1:4000/health (--help lists the forms)");
	return r < 0 ? refuse("TARGET", why.text) : 0;
}

/* Failures first: Docker and Podman keep only the beginning of a probe's output. Returns how many there are of them. */
static size_t report(const struct request *request, bool success)
{
	size_t i, found = 0;

	for (i = 0; i < request->count; i++) {
		if (request->job[i].success != success)
			continue;
		found++;
		printf("%s %s: %s\n", success ? "ok" : "failed", request->check[i].name, request->job[i].reason);
	}
	return found;
}

static int run(struct request *request)
{
	size_t failures;
	int r = probe_run(request->job, request->count, request->timeout_ns, request->wait_ns);

	if (r < 0)
		return refuse("cannot run", strerror(-r));
	failures = report(request, false);
	report(request, true);
	return failures > 0;
}

int probe_main(int argc, char **argv)
{
	cleanup_free struct request *request = calloc(1, sizeof *request);
	cleanup_free char *text = NULL;
	int r;

	if (request == NULL)
		return refuse("cannot run", strerror(ENOMEM));
	request->timeout_ns = 5 * NS_PER_S;
	r = take_options(argc, argv, request);
	if (r < 0) {
		fputs(help, stdout);
		return 0;
	}
	text = join(argv + optind);
	if (text == NULL)
		return refuse("cannot run", strerror(ENOMEM));
	if (r == 0)
		r = take_targets(text, request);
	if (r > 0)
		return r;
	signal(SIGPIPE, SIG_IGN); /* nobody reads the lines: the exit status still tells */
	return run(request);
}
