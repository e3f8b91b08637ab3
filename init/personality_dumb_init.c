/* dumb-init: a session of its own for the workload, signals to its whole group, and signals that become others. */
#include "init/personality.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define VERSION_LINE "dumb-init v1.2.5\n"
#define REWRITABLE 31

enum { LEVEL_ALWAYS, LEVEL_DEBUG };

static const struct personality_option options[] = {
	{ 'h', false, "help" },
	{ 'c', false, "single-child" },
	{ 'r', true, "rewrite" },
	{ 'v', false, "verbose" },
	{ 'V', false, "version" },
};

/* Both, like all that it prints, on standard error. */
static int help(const char *name, struct personality_answer *answer)
{
	answer->status = 0;
	return personality_answer(answer,
		VERSION_LINE "Usage: %s [option] command [[arg] ...]\n"
			     "\n"
			     "dumb-init is a simple process supervisor that forwards signals to children.\n"
			     "It is designed to run as PID1 in minimal container environments.\n"
			     "\n"
			     "Optional arguments:\n"
			     "   -c, --single-child   Run in single-child mode.\n"
			     "                        In this mode, signals are only proxied to the\n"
			     "                        direct child and not any of its descendants.\n"
			     "   -r, --rewrite s:r    Rewrite received signal s to new signal r before proxying.\n"
			     "                        To ignore (not proxy) a signal, rewrite it to 0.\n"
			     "                        This option can be specified multiple times.\n"
			     "   -v, --verbose        Print debugging information to stderr.\n"
			     "   -h, --help           Print this help message and exit.\n"
			     "   -V, --version        Print the current version and exit.\n"
			     "\n"
			     "Full help is available online at https://github.com/Yelp/dumb-init\n",
		name);
}

static int version(struct personality_answer *answer)
{
	answer->status = 0;
	return personality_answer(answer, VERSION_LINE);
}

/* "s:r" as scanf(3) reads "%d:%d": blanks and signs before a number are fine, and so is anything behind the second. */
static int parse_rewrite(const char *text, uint8_t rewrite[PERSONALITY_SIGNALS + 1], struct personality_answer *answer)
{
	char *end, *last;
	long from = strtol(text, &end, 10), to;

	if (end != text && *end == ':' && from >= 1 && from <= REWRITABLE) {
		to = strtol(end + 1, &last, 10);
		if (last != end + 1 && to >= 0 && to <= REWRITABLE) {
			rewrite[from] = to == 0 ? PERSONALITY_DROPPED : (uint8_t)to;
			return 0;
		}
	}
	return personality_answer(answer,
		"Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.\n"
		"This option can be specified multiple times.\n"
		"Use --help for full usage.\n");
}

static bool is_set_to(char **env, const char *name, const char *value)
{
	const char *found = personality_variable(env, name);

	return found != NULL && strcmp(found, value) == 0;
}

static void set_policies(bool session, struct personality *ret)
{
	static const uint8_t suspending[] = { SIGTSTP, SIGTTIN, SIGTTOU };

	ret->place = session ? PLACE_SESSION : PLACE_SAME;
	ret->terminal = session ? TERMINAL_SESSION : TERMINAL_NONE;
	ret->main_end = MAIN_END_TERM_GROUP;
	ret->subreaper = SUBREAPER_NEVER;
	ret->signals_to_group = session;
	ret->ignore_first_hup_cont = session;
	ret->clear_signals = true;
	ret->chdir_root = true;
	ret->exec_not_found = ret->exec_not_allowed = ret->exec_failed = 2;
	ret->not_forwarded = personality_bit(SIGKILL) | personality_bit(SIGSTOP) | personality_bit(SIGCHLD);
	for (size_t i = 0; i < COUNT(suspending); i++) {
		ret->stop_self |= personality_bit(suspending[i]);
		/* Alone in its session the group is an orphaned one, and only STOP stops those (POSIX, <signal.h>). */
		if (session && ret->rewrite[suspending[i]] == 0)
			ret->rewrite[suspending[i]] = SIGSTOP;
	}
}

int dumb_init_parse(struct personality_words *words, struct personality *ret, struct personality_answer *ret_answer)
{
	bool session = true;
	const char *value;
	char letter;

	words->options = options;
	words->option_count = COUNT(options);
	words->long_options = true;
	while ((letter = personality_next_option(words, &value, ret_answer)) != 0) {
		switch (letter) {
		case 'h':
			return help(ret->name, ret_answer);
		case 'V':
			return version(ret_answer);
		case 'v':
			ret->verbosity = LEVEL_DEBUG;
			break;
		case 'c':
			session = false;
			break;
		case 'r':
			if (parse_rewrite(value, ret->rewrite, ret_answer) != 0)
				return 1;
			break;
		default:
			return 1;
		}
	}
	ret->command = words->argv + words->front;
	if (*ret->command == NULL)
		return personality_answer(ret_answer,
			"Usage: %s [option] program [args]\n"
			"Try %s --help for full usage.\n",
			ret->name, ret->name);
	ret->debug_by_variable = is_set_to(words->env, "DUMB_INIT_DEBUG", "1");
	if (ret->debug_by_variable)
		ret->verbosity = LEVEL_DEBUG;
	ret->no_session_by_variable = is_set_to(words->env, "DUMB_INIT_SETSID", "0");
	set_policies(session && !ret->no_session_by_variable, ret);
	return 0;
}

static const struct personality_phrase phrases[] = {
	{ PERSONALITY_DEBUG_MODE, LEVEL_DEBUG, "Running in debug mode." },
	{ PERSONALITY_NO_SESSION, LEVEL_DEBUG, "Not running in setsid mode." },
	{ PERSONALITY_TERMINAL_KEPT, LEVEL_DEBUG, "Unable to detach from controlling tty (errno=$n $e)." },
	{ PERSONALITY_TERMINAL_LEFT_AS_LEADER, LEVEL_DEBUG,
		"Detached from controlling tty, ignoring the first SIGHUP and SIGCONT we receive." },
	{ PERSONALITY_TERMINAL_LEFT, LEVEL_DEBUG, "Detached from controlling tty, but was not session leader." },
	{ PERSONALITY_SPAWNED, LEVEL_DEBUG, "Child spawned with PID $c." },
	{ PERSONALITY_TERMINAL_NOT_TAKEN, LEVEL_DEBUG, "Unable to attach to controlling tty (errno=$n $e)." },
	{ PERSONALITY_SESSION_DONE, LEVEL_DEBUG, "setsid complete." },
	{ PERSONALITY_EXEC_FAILED, LEVEL_ALWAYS, "$s: $e" },
	{ PERSONALITY_SIGNAL, LEVEL_DEBUG, "Received signal $n." },
	{ PERSONALITY_HANDOFF, LEVEL_DEBUG, "Ignoring tty hand-off signal $n." },
	{ PERSONALITY_TRANSLATED, LEVEL_DEBUG, "Translating signal $n to $m." },
	{ PERSONALITY_FORWARDED, LEVEL_DEBUG, "Forwarded signal $n to children." },
	{ PERSONALITY_NOT_FORWARDED, LEVEL_DEBUG, "Not forwarding signal 0 to children (ignored)." },
	{ PERSONALITY_STOPS_ITSELF, LEVEL_DEBUG, "Suspending self due to TTY signal." },
	{ PERSONALITY_REAPED_EXITED, LEVEL_DEBUG, "A child with PID $c exited with exit status $n." },
	{ PERSONALITY_REAPED_KILLED, LEVEL_DEBUG, "A child with PID $c was terminated by signal $n." },
	{ PERSONALITY_END, LEVEL_DEBUG, "Child exited with status $n. Goodbye." },
};

int dumb_init_message(const struct personality *personality, const struct personality_event *event,
	char ret_line[PERSONALITY_LINE_SIZE])
{
	const struct personality_phrase *phrase = personality_phrase(phrases, COUNT(phrases), event->type);

	if (phrase == NULL || phrase->level > personality->verbosity)
		return 0;
	if (event->type == PERSONALITY_DEBUG_MODE && !personality->debug_by_variable)
		return 0;
	if (event->type == PERSONALITY_NO_SESSION && !personality->no_session_by_variable)
		return 0;
	personality_write("[dumb-init] ", phrase->text, event, ret_line);
	return 2;
}
