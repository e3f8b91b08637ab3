/* tini, and what Docker and Podman call docker-init and podman-init: a group of its own for the workload, signals to
 * the workload alone. */
#include "init/personality.h"

#include "base/signame.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define VERSION "tini version 0.19.0"

enum { LEVEL_FATAL, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG, LEVEL_TRACE };

static const struct personality_option options[] = {
	{ 'p', true, "" },
	{ 'h', false, "" },
	{ 'v', false, "" },
	{ 'w', false, "" },
	{ 'g', false, "" },
	{ 'l', false, "" },
	{ 'e', true, "" },
	{ 's', false, "" },
};

static int usage(const char *argv0, struct personality_answer *answer)
{
	const char *name = personality_basename(argv0);

	return personality_answer(answer,
		"%s (" VERSION ")\n"
		"Usage: %s [OPTIONS] PROGRAM -- [ARGS] | --version\n"
		"\n"
		"Execute a program under the supervision of a valid init process (%s)\n"
		"\n"
		"Command line options:\n"
		"\n"
		"  --version: Show version and exit.\n"
		"  -h: Show this help message and exit.\n"
		"  -s: Register as a process subreaper (requires Linux >= 3.4).\n"
		"  -p SIGNAL: Trigger SIGNAL when parent dies, e.g. \"-p SIGKILL\".\n"
		"  -v: Generate more verbose output. Repeat up to 3 times.\n"
		"  -w: Print a warning when processes are getting reaped.\n"
		"  -g: Send signals to the child's process group.\n"
		"  -e EXIT_CODE: Remap EXIT_CODE (from 0 to 255) to 0.\n"
		"  -l: Show license and exit.\n"
		"\n"
		"Environment variables:\n"
		"\n"
		"  TINI_SUBREAPER: Register as a process subreaper (requires Linux >= 3.4).\n"
		"  TINI_VERBOSITY: Set the verbosity level (default: 1).\n"
		"  TINI_KILL_PROCESS_GROUP: Send signals to the child's process group.\n"
		"\n",
		name, name, name);
}

static struct personality_answer *on_stdout(struct personality_answer *answer)
{
	answer->stream = 1;
	answer->status = 0;
	return answer;
}

/* The names that tini knows are in capitals, with SIG: all below the real-time signals but three. */
static int parse_death_signal(const char *text, int *ret_signal)
{
	char name[SIGNAL_NAME_SIZE];

	if (strncmp(text, "SIG", 3) != 0)
		return -EINVAL;
	for (int signal = SIGHUP; signal <= SIGSYS; signal++) {
		if (signal == SIGSTKFLT || signal == SIGIO || signal == SIGPWR)
			continue;
		if (strcmp(text + 3, signal_name(signal, name)) == 0) {
			*ret_signal = signal;
			return 0;
		}
	}
	return -EINVAL;
}

/* As strtol(3) has it: blanks and a sign may come first, and no digit at all is 0. */
static int parse_expected(const char *text, uint64_t expected[4])
{
	char *end;
	long status = strtol(text, &end, 10);

	if (*end != '\0' || status < 0 || status > 255)
		return -EINVAL;
	expected[status / 64] |= UINT64_C(1) << status % 64;
	return 0;
}

static int refuse_value(
	const struct personality_words *words, char letter, const char *value, struct personality_answer *answer)
{
	return personality_answer(
		answer, "[FATAL tini (%d)] Not a valid option for -%c: %s\n", words->pid, letter, value);
}

static int take_option(const struct personality_words *words, char letter, const char *value, struct personality *ret,
	struct personality_answer *answer)
{
	switch (letter) {
	case 'h':
		return usage(ret->name, on_stdout(answer));
	case 'l':
		return personality_answer(on_stdout(answer), "%s", personality_license);
	case 'p':
		return parse_death_signal(value, &ret->parent_death_signal) < 0
			? refuse_value(words, letter, value, answer)
			: 0;
	case 'e':
		return parse_expected(value, ret->expected) < 0 ? refuse_value(words, letter, value, answer) : 0;
	case 's':
		ret->subreaper = SUBREAPER_ALWAYS;
		return 0;
	case 'v':
		ret->verbosity++;
		return 0;
	case 'w':
		ret->warn_on_reap = true;
		return 0;
	case 'g':
		ret->signals_to_group = true;
		return 0;
	default:
		return usage(ret->name, answer);
	}
}

static void take_variables(char **env, struct personality *ret)
{
	const char *verbosity = personality_variable(env, "TINI_VERBOSITY");

	if (personality_variable(env, "TINI_SUBREAPER") != NULL)
		ret->subreaper = SUBREAPER_ALWAYS;
	if (personality_variable(env, "TINI_KILL_PROCESS_GROUP") != NULL)
		ret->signals_to_group = true;
	if (verbosity != NULL)
		ret->verbosity = (unsigned)strtol(verbosity, NULL, 10); /* -1 is the highest */
}

static void set_policies(struct personality *ret)
{
	static const uint8_t not_forwarded[] = { SIGKILL, SIGSTOP, SIGCHLD, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE,
		SIGSEGV, SIGSYS, SIGTTIN, SIGTTOU };

	ret->place = PLACE_GROUP;
	ret->terminal = TERMINAL_STDIN;
	ret->main_end = MAIN_END_AT_ONCE;
	ret->exec_not_found = 127;
	ret->exec_not_allowed = 126;
	ret->exec_failed = 1;
	for (size_t i = 0; i < COUNT(not_forwarded); i++)
		ret->not_forwarded |= personality_bit(not_forwarded[i]);
}

int tini_parse(struct personality_words *words, struct personality *ret, struct personality_answer *ret_answer)
{
	const char *value = NULL;
	char letter;

	if (words->argc == 2 && strcmp(words->argv[1], "--version") == 0)
		return personality_answer(on_stdout(ret_answer), VERSION "\n");
	words->options = options;
	words->option_count = COUNT(options);
	words->permute = true;
	ret->verbosity = LEVEL_WARN;
	while ((letter = personality_next_option(words, &value, ret_answer)) != 0)
		if (take_option(words, letter, value, ret, ret_answer) != 0)
			return 1;
	ret->command = words->argv + words->front;
	if (*ret->command == NULL)
		return usage(ret->name, ret_answer);
	take_variables(words->env, ret);
	set_policies(ret);
	return 0;
}

/* ---- messages ---- */

static const char not_reaper[] =
	"Tini is not running as PID 1 and isn't registered as a child subreaper.\n"
	"Zombie processes will not be re-parented to Tini, so zombie reaping won't work.\n"
	"To fix the problem, use the -s option or set the environment variable TINI_SUBREAPER to register Tini as a "
	"child subreaper, or run Tini as PID 1.";

static const struct personality_phrase phrases[] = {
	{ PERSONALITY_SUBREAPER, LEVEL_TRACE, "Registered as child subreaper" },
	{ PERSONALITY_NOT_REAPER, LEVEL_WARN, "" },
	{ PERSONALITY_SPAWNED, LEVEL_INFO, "Spawned child process '$s' with pid '$c'" },
	{ PERSONALITY_TERMINAL_NOT_TAKEN, LEVEL_DEBUG, "tcsetpgrp failed: no tty (ok to proceed)" },
	{ PERSONALITY_EXEC_FAILED, LEVEL_FATAL, "exec $s failed: $e" },
	{ PERSONALITY_SIGNAL, LEVEL_DEBUG, "Passing signal: '$g'" },
	{ PERSONALITY_FORWARD_FAILED, LEVEL_FATAL, "Unexpected error when forwarding signal: '$e'" },
	{ PERSONALITY_REAPED_EXITED, LEVEL_DEBUG, "Reaped child with pid: '$c'" },
	{ PERSONALITY_REAPED_KILLED, LEVEL_DEBUG, "Reaped child with pid: '$c'" },
	{ PERSONALITY_ORPHAN_EXITED, LEVEL_WARN, "Reaped zombie process with pid=$c" },
	{ PERSONALITY_ORPHAN_KILLED, LEVEL_WARN, "Reaped zombie process with pid=$c" },
	{ PERSONALITY_MAIN_EXITED, LEVEL_INFO, "Main child exited normally (with status '$n')" },
	{ PERSONALITY_MAIN_KILLED, LEVEL_INFO, "Main child exited with signal (with signal '$g')" },
	{ PERSONALITY_NONE_TO_REAP, LEVEL_TRACE, "No child to reap" },
	{ PERSONALITY_NO_CHILD, LEVEL_TRACE, "No child to wait" },
	{ PERSONALITY_END, LEVEL_TRACE, "Exiting: child has exited" },
};

static const struct personality_phrase received_sigchld = { PERSONALITY_SIGNAL, LEVEL_DEBUG, "Received SIGCHLD" },
				       child_was_dead = { PERSONALITY_FORWARD_FAILED, LEVEL_WARN,
					       "Child was dead when forwarding signal" },
				       no_terminal_device = { PERSONALITY_TERMINAL_NOT_TAKEN, LEVEL_DEBUG,
					       "tcsetpgrp failed: no such device (ok to proceed)" },
				       terminal_failed = { PERSONALITY_TERMINAL_NOT_TAKEN, LEVEL_FATAL,
					       "tcsetpgrp failed: $e" };

/* What is said depends on more than the event's kind. */
static const struct personality_phrase *find_phrase(
	const struct personality *personality, const struct personality_event *event)
{
	switch (event->type) {
	case PERSONALITY_SIGNAL:
		if (event->number == SIGCHLD)
			return &received_sigchld;
		if ((personality->not_forwarded & personality_bit(event->number)) != 0)
			return NULL;
		break;
	case PERSONALITY_FORWARD_FAILED:
		if (event->number == ESRCH)
			return &child_was_dead;
		break;
	case PERSONALITY_TERMINAL_NOT_TAKEN:
		if (event->number == ENXIO)
			return &no_terminal_device;
		if (personality_terminal_matters(personality, event->number))
			return &terminal_failed;
		break;
	case PERSONALITY_ORPHAN_EXITED:
	case PERSONALITY_ORPHAN_KILLED:
		if (!personality->warn_on_reap)
			return NULL;
		break;
	default:
		break;
	}
	return personality_phrase(phrases, COUNT(phrases), event->type);
}

int tini_message(const struct personality *personality, const struct personality_event *event,
	char ret_line[PERSONALITY_LINE_SIZE])
{
	static const char levels[][6] = {
		[LEVEL_FATAL] = "FATAL",
		[LEVEL_WARN] = "WARN ",
		[LEVEL_INFO] = "INFO ",
		[LEVEL_DEBUG] = "DEBUG",
		[LEVEL_TRACE] = "TRACE",
	};
	const struct personality_phrase *phrase = find_phrase(personality, event);
	char prefix[64];

	if (phrase == NULL || phrase->level > personality->verbosity)
		return 0;
	snprintf(prefix, sizeof prefix, "[%s tini (%d)] ", levels[phrase->level], event->pid);
	personality_write(prefix, event->type == PERSONALITY_NOT_REAPER ? not_reaper : phrase->text, event, ret_line);
	return phrase->level <= LEVEL_WARN ? 2 : 1;
}
