/* catatonit, Podman's: as tini, but it owns the terminal by /dev/tty, keeps no descriptor, and can do without a
 * workload.
 */
#include "init/personality.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define USAGE "usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]\n"

enum { LEVEL_ERROR = 1, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };

static const struct personality_option options[] = {
	{ 'g', false, "" },
	{ 'h', false, "" },
	{ 'L', false, "" },
	{ 'P', false, "" },
	{ 'V', false, "version" },
};

static int help(struct personality_answer *answer)
{
	answer->status = 0;
	return personality_answer(answer,
		USAGE "\n"
		      "options:\n"
		      "  -g              Forward signals to pid1's process group.\n"
		      "  -h              Print this help page.\n"
		      "  -L              Print license information.\n"
		      "  -P              Run in pause mode (no program is run and quit on SIGINT).\n"
		      "  -V, --version   Print version information.\n"
		      "\n"
		      "The source code can be found at <https://github.com/openSUSE/catatonit/>.\n"
		      "For bug reporting instructions, please see: <https://bugs.opensuse.org/>.\n");
}

static int print(struct personality_answer *answer, const char *text)
{
	answer->stream = 1;
	answer->status = 0;
	return personality_answer(answer, "%s", text);
}

static void set_policies(struct personality *ret)
{
	static const uint8_t stopping[] = { SIGTSTP, SIGTTIN, SIGTTOU };
	static const uint8_t not_forwarded[] = { SIGKILL, SIGSTOP, SIGCHLD, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE,
		SIGSEGV, SIGSYS };

	ret->place = PLACE_GROUP;
	ret->terminal = TERMINAL_TTY_OR_STDIN;
	ret->main_end = MAIN_END_AT_ONCE;
	ret->subreaper = SUBREAPER_UNLESS_PID_1;
	ret->chdir_root = true;
	ret->close_descriptors = true;
	ret->take_listen_pid = true;
	ret->exec_not_found = ret->exec_not_allowed = ret->exec_failed = 1;
	for (size_t i = 0; i < COUNT(not_forwarded); i++)
		ret->not_forwarded |= personality_bit(not_forwarded[i]);
	for (size_t i = 0; i < COUNT(stopping); i++) {
		ret->not_forwarded |= personality_bit(stopping[i]);
		ret->child_blocks |= personality_bit(stopping[i]); /* so that it is not stopped inadvertently either */
	}
}

int catatonit_parse(struct personality_words *words, struct personality *ret, struct personality_answer *ret_answer)
{
	const char *value;
	char letter;

	ret->verbosity = personality_variable(words->env, "CATATONIT_DEBUG") != NULL ? LEVEL_DEBUG : LEVEL_ERROR;
	if (personality_variable(words->env, "CATATONIT_LOG") != NULL)
		return personality_answer(
			ret_answer, "ERROR (catatonit:%d): CATATONIT_LOG is reserved for future use\n", words->pid);
	words->options = options;
	words->option_count = COUNT(options);
	words->long_options = true;
	words->permute = true;
	while ((letter = personality_next_option(words, &value, ret_answer)) != 0) {
		switch (letter) {
		case 'h':
			return help(ret_answer);
		case 'L':
			return print(ret_answer, personality_license);
		case 'V': /* Docker looks for this beginning */
			return print(ret_answer, "tini version 0.2.1_catatonit\n");
		case 'g':
			ret->signals_to_group = true;
			break;
		case 'P':
			ret->pause = true;
			break;
		default:
			return personality_answer(ret_answer, USAGE);
		}
	}
	ret->command = words->argv + words->front;
	if (*ret->command == NULL && !ret->pause)
		return personality_answer(ret_answer, "ERROR (catatonit:%d): missing program name\n" USAGE, words->pid);
	set_policies(ret);
	return 0;
}

static const struct personality_phrase phrases[] = {
	{ PERSONALITY_SPAWNED, LEVEL_DEBUG, "pid1 ($c) spawned: $s" },
	{ PERSONALITY_BAD_LISTEN_PID, LEVEL_WARN, "LISTEN_PID has an invalid value" },
	{ PERSONALITY_NO_DEV_TTY, LEVEL_INFO, "using stdin as tty fd: could not open /dev/tty: $e" },
	{ PERSONALITY_TERMINAL_NOT_TAKEN, LEVEL_DEBUG, "setting foreground process failed: no tty present: $e" },
	{ PERSONALITY_EXEC_FAILED, LEVEL_ERROR, "failed to exec pid1: $e" },
	{ PERSONALITY_NOT_FORWARDED, LEVEL_DEBUG, "ignoring kernel attempting to stop us: tty has TOSTOP set" },
	{ PERSONALITY_FORWARD_FAILED, LEVEL_WARN, "forwarding of signal $m to pid1 ($c) failed: $e" },
	{ PERSONALITY_ORPHAN_EXITED, LEVEL_DEBUG, "child process $c exited with code $n" },
	{ PERSONALITY_ORPHAN_KILLED, LEVEL_DEBUG, "child process $c exited due to signal $n" },
	{ PERSONALITY_NO_CHILD, LEVEL_DEBUG, "got ECHILD: no children left to monitor" },
};

static const struct personality_phrase no_terminal_device = { PERSONALITY_TERMINAL_NOT_TAKEN, LEVEL_DEBUG,
	"setting foreground process failed: no such device" },
				       terminal_failed = { PERSONALITY_TERMINAL_NOT_TAKEN, LEVEL_ERROR,
					       "setting foreground process failed: $e" };

static const struct personality_phrase *find_phrase(
	const struct personality *personality, const struct personality_event *event)
{
	if (event->type == PERSONALITY_TERMINAL_NOT_TAKEN && event->number == ENXIO)
		return &no_terminal_device;
	if (event->type == PERSONALITY_TERMINAL_NOT_TAKEN && personality_terminal_matters(personality, event->number))
		return &terminal_failed;
	if (event->type == PERSONALITY_NOT_FORWARDED &&
		(personality->child_blocks & personality_bit(event->number)) == 0)
		return NULL;
	return personality_phrase(phrases, COUNT(phrases), event->type);
}

int catatonit_message(const struct personality *personality, const struct personality_event *event,
	char ret_line[PERSONALITY_LINE_SIZE])
{
	static const char levels[][6] = {
		[LEVEL_ERROR] = "ERROR", [LEVEL_WARN] = "WARN", [LEVEL_INFO] = "INFO", [LEVEL_DEBUG] = "DEBUG"
	};
	const struct personality_phrase *phrase = find_phrase(personality, event);
	char prefix[64];

	if (phrase == NULL || phrase->level > personality->verbosity)
		return 0;
	snprintf(prefix, sizeof prefix, "%s (catatonit:%d): ", levels[phrase->level], event->pid);
	personality_write(prefix, phrase->text, event, ret_line);
	return 2;
}
