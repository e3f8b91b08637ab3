#include "init/personality.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#ifndef SOURCE_ROOT
#error "define SOURCE_ROOT: where LICENSE is"
#endif

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define WORDS_MAX 10
#define PID 42
#define BIT(signal) (UINT64_C(1) << ((signal)-1))
#define EXITED(status) ((status) << 8) /* as wait(2) has it */

static struct personality personality;
static struct personality_answer answer;
static char *argv[WORDS_MAX + 1];

/* Parses; everything it used stays valid until the next call. */
static int parse(const char *const words[WORDS_MAX], const char *const env[3])
{
	static char *variables[4];
	int argc = 0;

	memset(&personality, 0x55, sizeof personality);
	memset(&answer, 0x55, sizeof answer);
	memset(argv, 0, sizeof argv);
	while (argc < WORDS_MAX && words[argc] != NULL) {
		argv[argc] = (char *)words[argc];
		argc++;
	}
	for (int i = 0; i < 3; i++)
		variables[i] = env != NULL ? (char *)env[i] : NULL;
	return personality_parse(personality_find(argv[0]), argc, argv, variables, PID, &personality, &answer);
}

#define WORDS(...) ((const char *const[WORDS_MAX]){ __VA_ARGS__ })
#define ENV(...) ((const char *const[3]){ __VA_ARGS__ })

/* ---- names ---- */

static void goes_by_the_last_component_of_its_name(void **state)
{
	static const char *const names[] = { "dumb-init", "tini", "tini-static", "docker-init", "podman-init",
		"catatonit", "/sbin/docker-init", "/tini", "./../x/catatonit" };
	static const char *const others[] = { "nest-init", "", "tini/", "tini2", "Tini", "-dumb-init", "/usr/bin/",
		"dumb-init /x" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		if (personality_find(names[i]) == NULL)
			fail_msg("%s", names[i]);
	for (size_t i = 0; i < COUNT(others); i++)
		if (personality_find(others[i]) != NULL)
			fail_msg("%s", others[i]);
	assert_null(personality_find(NULL));
}

/* ---- policies ---- */

#define FAULTS                                                                                                         \
	(BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGABRT) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGSEGV) | BIT(SIGSYS) | ALWAYS)
#define ALWAYS (BIT(SIGKILL) | BIT(SIGSTOP) | BIT(SIGCHLD))
#define TTY_STOPS (BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))

static const struct policy {
	const char *words[WORDS_MAX];
	const char *env[3];
	struct personality is; /* kind, name, command and rewrite have tests of their own */
} policies[] = {
	{ { "dumb-init", "x" }, { NULL },
		{ .place = PLACE_SESSION,
			.terminal = TERMINAL_SESSION,
			.main_end = MAIN_END_TERM_GROUP,
			.subreaper = SUBREAPER_NEVER,
			.signals_to_group = true,
			.clear_signals = true,
			.ignore_first_hup_cont = true,
			.chdir_root = true,
			.exec_not_found = 2,
			.exec_not_allowed = 2,
			.exec_failed = 2,
			.not_forwarded = ALWAYS,
			.stop_self = TTY_STOPS } },
	{ { "dumb-init", "-cv", "x" }, { NULL },
		{ .place = PLACE_SAME,
			.terminal = TERMINAL_NONE,
			.main_end = MAIN_END_TERM_GROUP,
			.subreaper = SUBREAPER_NEVER,
			.clear_signals = true,
			.chdir_root = true,
			.verbosity = 1,
			.exec_not_found = 2,
			.exec_not_allowed = 2,
			.exec_failed = 2,
			.not_forwarded = ALWAYS,
			.stop_self = TTY_STOPS } },
	{ { "dumb-init", "-v", "x" }, { "DUMB_INIT_DEBUG=1" },
		{ .place = PLACE_SESSION,
			.terminal = TERMINAL_SESSION,
			.main_end = MAIN_END_TERM_GROUP,
			.subreaper = SUBREAPER_NEVER,
			.signals_to_group = true,
			.clear_signals = true,
			.ignore_first_hup_cont = true,
			.chdir_root = true,
			.debug_by_variable = true,
			.verbosity = 1,
			.exec_not_found = 2,
			.exec_not_allowed = 2,
			.exec_failed = 2,
			.not_forwarded = ALWAYS,
			.stop_self = TTY_STOPS } },
	{ { "tini", "x" }, { NULL },
		{ .place = PLACE_GROUP,
			.terminal = TERMINAL_STDIN,
			.main_end = MAIN_END_AT_ONCE,
			.subreaper = SUBREAPER_NEVER,
			.verbosity = 1,
			.exec_not_found = 127,
			.exec_not_allowed = 126,
			.exec_failed = 1,
			.not_forwarded = FAULTS | BIT(SIGTTIN) | BIT(SIGTTOU) } },
	{ { "docker-init", "-gwsvv", "-p", "SIGKILL", "-e", "64", "x" }, { NULL },
		{ .place = PLACE_GROUP,
			.terminal = TERMINAL_STDIN,
			.main_end = MAIN_END_AT_ONCE,
			.subreaper = SUBREAPER_ALWAYS,
			.signals_to_group = true,
			.warn_on_reap = true,
			.parent_death_signal = SIGKILL,
			.verbosity = 3,
			.exec_not_found = 127,
			.exec_not_allowed = 126,
			.exec_failed = 1,
			.not_forwarded = FAULTS | BIT(SIGTTIN) | BIT(SIGTTOU),
			.expected = { 0, 1 } } },
	{ { "podman-init", "-vvv", "x" }, { "TINI_SUBREAPER=", "TINI_KILL_PROCESS_GROUP=0", "TINI_VERBOSITY=0" },
		{ .place = PLACE_GROUP,
			.terminal = TERMINAL_STDIN,
			.main_end = MAIN_END_AT_ONCE,
			.subreaper = SUBREAPER_ALWAYS,
			.signals_to_group = true,
			.exec_not_found = 127,
			.exec_not_allowed = 126,
			.exec_failed = 1,
			.not_forwarded = FAULTS | BIT(SIGTTIN) | BIT(SIGTTOU) } },
	{ { "catatonit", "x" }, { NULL },
		{ .place = PLACE_GROUP,
			.terminal = TERMINAL_TTY_OR_STDIN,
			.main_end = MAIN_END_AT_ONCE,
			.subreaper = SUBREAPER_UNLESS_PID_1,
			.chdir_root = true,
			.close_descriptors = true,
			.take_listen_pid = true,
			.verbosity = 1,
			.exec_not_found = 1,
			.exec_not_allowed = 1,
			.exec_failed = 1,
			.not_forwarded = FAULTS | TTY_STOPS,
			.child_blocks = TTY_STOPS } },
	{ { "catatonit", "x", "-g" }, { NULL },
		{ .place = PLACE_GROUP,
			.terminal = TERMINAL_TTY_OR_STDIN,
			.main_end = MAIN_END_AT_ONCE,
			.subreaper = SUBREAPER_UNLESS_PID_1,
			.signals_to_group = true,
			.chdir_root = true,
			.close_descriptors = true,
			.take_listen_pid = true,
			.verbosity = 1,
			.exec_not_found = 1,
			.exec_not_allowed = 1,
			.exec_failed = 1,
			.not_forwarded = FAULTS | TTY_STOPS,
			.child_blocks = TTY_STOPS } },
	{ { "catatonit", "-gP" }, { "CATATONIT_DEBUG=" },
		{ .place = PLACE_GROUP,
			.terminal = TERMINAL_TTY_OR_STDIN,
			.main_end = MAIN_END_AT_ONCE,
			.subreaper = SUBREAPER_UNLESS_PID_1,
			.signals_to_group = true,
			.chdir_root = true,
			.close_descriptors = true,
			.take_listen_pid = true,
			.pause = true,
			.verbosity = 4,
			.exec_not_found = 1,
			.exec_not_allowed = 1,
			.exec_failed = 1,
			.not_forwarded = FAULTS | TTY_STOPS,
			.child_blocks = TTY_STOPS } },
};

#define SAME(field)                                                                                                    \
	if (expected->field != personality.field)                                                                      \
	fail_msg("row %zu: " #field, row)

static void check_policies(size_t row, const struct personality *expected)
{
	SAME(place);
	SAME(terminal);
	SAME(main_end);
	SAME(subreaper);
	SAME(signals_to_group);
	SAME(clear_signals);
	SAME(ignore_first_hup_cont);
	SAME(chdir_root);
	SAME(close_descriptors);
	SAME(take_listen_pid);
	SAME(pause);
	SAME(warn_on_reap);
	SAME(debug_by_variable);
	SAME(no_session_by_variable);
	SAME(parent_death_signal);
	SAME(verbosity);
	SAME(exec_not_found);
	SAME(exec_not_allowed);
	SAME(exec_failed);
	SAME(not_forwarded);
	SAME(stop_self);
	SAME(child_blocks);
	for (size_t i = 0; i < COUNT(expected->expected); i++)
		SAME(expected[i]);
}

static void follows_the_policies_of_its_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(policies); i++) {
		assert_int_equal(parse(policies[i].words, policies[i].env), 0);
		assert_string_equal(personality.name, policies[i].words[0]);
		assert_ptr_equal(personality.kind, personality_find(policies[i].words[0]));
		check_policies(i, &policies[i].is);
	}
}

static void a_variable_counts_only_as_the_original_reads_it(void **state)
{
	static const struct {
		const char *name;
		const char *variable;
		unsigned verbosity;
		enum personality_place place;
	} rows[] = {
		{ "dumb-init", "DUMB_INIT_DEBUG=1", 1, PLACE_SESSION },
		{ "dumb-init", "DUMB_INIT_DEBUG=", 0, PLACE_SESSION },
		{ "dumb-init", "DUMB_INIT_DEBUG=11", 0, PLACE_SESSION },
		{ "dumb-init", "DUMB_INIT_DEBUG2=1", 0, PLACE_SESSION },
		{ "dumb-init", "DUMB_INIT_DEBUG", 0, PLACE_SESSION },
		{ "dumb-init", "DUMB_INIT_SETSID=0", 0, PLACE_SAME },
		{ "dumb-init", "DUMB_INIT_SETSID=00", 0, PLACE_SESSION },
		{ "dumb-init", "DUMB_INIT_SETSID=no", 0, PLACE_SESSION },
		{ "tini", "TINI_VERBOSITY=", 0, PLACE_GROUP },
		{ "tini", "TINI_VERBOSITY=3x", 3, PLACE_GROUP },
		{ "tini", "TINI_VERBOSITY= 2", 2, PLACE_GROUP },
		{ "tini", "TINI_VERBOSITY=x", 0, PLACE_GROUP },
		{ "tini", "TINI_VERBOSITY=-1", ~0U, PLACE_GROUP },
		{ "tini", "DUMB_INIT_DEBUG=1", 1, PLACE_GROUP },
		{ "catatonit", "CATATONIT_DEBUG=0", 4, PLACE_GROUP },
		{ "catatonit", "TINI_VERBOSITY=3", 1, PLACE_GROUP },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(parse(WORDS(rows[i].name, "x"), ENV("A=B", rows[i].variable)), 0);
		if (personality.verbosity != rows[i].verbosity || personality.place != rows[i].place)
			fail_msg("%s: %u, %d", rows[i].variable, personality.verbosity, personality.place);
	}
}

static void under_its_own_name_it_is_itself(void **state)
{
	struct personality_event event = { .type = PERSONALITY_SPAWNED, .text = "x" };
	char line[PERSONALITY_LINE_SIZE];

	(void)state;
	personality_own("nest-init", &personality);
	assert_null(personality.kind);
	assert_int_equal(personality.place, PLACE_SESSION);
	assert_int_equal(personality.terminal, TERMINAL_SESSION);
	assert_int_equal(personality.main_end, MAIN_END_ASK_LEFTOVERS);
	assert_int_equal(personality.subreaper, SUBREAPER_UNLESS_PID_1);
	assert_false(personality.signals_to_group);
	for (int signal = 1; signal <= PERSONALITY_SIGNALS; signal++)
		assert_int_equal(personality_forwarded(&personality, signal), signal == SIGCHLD ? 0 : signal);
	assert_int_equal(personality_exec_status(&personality, ENOENT), 127);
	assert_int_equal(personality_exec_status(&personality, EACCES), 126);
	assert_int_equal(personality_exec_status(&personality, ENOEXEC), 126);
	assert_int_equal(personality_exit_status(&personality, EXITED(3)), 3);
	assert_int_equal(personality_message(&personality, &event, line), 0);
}

/* ---- commands ---- */

static const struct command {
	const char *words[WORDS_MAX];
	const char *env[3];
	const char *is[WORDS_MAX];
} commands[] = {
	/* dumb-init stops at the first word that is no option. */
	{ { "dumb-init", "echo", "-c", "--help" }, { NULL }, { "echo", "-c", "--help" } },
	{ { "dumb-init", "-v", "--", "echo", "--", "-c" }, { NULL }, { "echo", "--", "-c" } },
	{ { "dumb-init", "--single", "-r", "1:2", "--rew", "3:4", "--rewrite=5:6", "-r7:8", "x" }, { NULL }, { "x" } },
	{ { "dumb-init", "--", "--" }, { NULL }, { "--" } },
	{ { "dumb-init", "-", "-V" }, { NULL }, { "-", "-V" } },
	{ { "dumb-init", "", "-V" }, { NULL }, { "", "-V" } },
	/* tini and catatonit look for options everywhere before "--", */
	{ { "tini", "echo", "--", "hi" }, { NULL }, { "echo", "hi" } },
	{ { "tini", "echo", "-s", "hi", "-g" }, { NULL }, { "echo", "hi" } },
	{ { "tini", "echo", "-sg", "hi", "--", "-x" }, { NULL }, { "echo", "hi", "-x" } },
	{ { "tini", "--", "echo", "--", "-g" }, { NULL }, { "echo", "--", "-g" } },
	{ { "tini", "a", "-e", "3", "b", "-pSIGTERM", "c", "-e1", "d" }, { NULL }, { "a", "b", "c", "d" } },
	{ { "tini", "a", "-e", "3", "", "-", "b" }, { NULL }, { "a", "", "-", "b" } },
	{ { "tini", "a", "-se", "3", "b", "--", "-s", "--" }, { NULL }, { "a", "b", "-s", "--" } },
	{ { "catatonit", "echo", "--", "-g" }, { NULL }, { "echo", "-g" } },
	{ { "catatonit", "echo", "-g", "hi" }, { NULL }, { "echo", "hi" } },
	{ { "catatonit", "-P" }, { NULL }, { NULL } },
	{ { "catatonit", "-P", "x" }, { NULL }, { "x" } },
	/* unless POSIX is asked for (getopt(3)). */
	{ { "tini", "-s", "echo", "-g", "hi" }, { "POSIXLY_CORRECT=" }, { "echo", "-g", "hi" } },
	{ { "catatonit", "echo", "--", "-g" }, { "POSIXLY_CORRECT=1" }, { "echo", "--", "-g" } },
};

static void runs_the_command_that_the_original_would_run(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++) {
		size_t word = 0;

		assert_int_equal(parse(commands[i].words, commands[i].env), 0);
		for (; commands[i].is[word] != NULL; word++)
			if (personality.command[word] == NULL ||
				strcmp(personality.command[word], commands[i].is[word]) != 0)
				fail_msg("row %zu: word %zu", i, word);
		assert_null(personality.command[word]);
		assert_ptr_equal(argv[0], commands[i].words[0]);
	}
}

/* ---- answers ---- */

#define REWRITE_HELP                                                                                                   \
	"Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.\n"                              \
	"This option can be specified multiple times.\n"                                                               \
	"Use --help for full usage.\n"
#define DUMB_INIT_USAGE                                                                                                \
	"Usage: dumb-init [option] program [args]\n"                                                                   \
	"Try dumb-init --help for full usage.\n"
#define CATATONIT_USAGE "usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]\n"
#define CATATONIT_VERSION "tini version 0.2.1_catatonit\n"

/* .text, or how it begins, if it ends with "..." */
static const struct reply {
	const char *words[WORDS_MAX];
	const char *env[3];
	int stream;
	int status;
	const char *text;
} replies[] = {
	{ { "dumb-init", "-V" }, { NULL }, 2, 0, "dumb-init v1.2.5\n" },
	{ { "dumb-init", "--vers", "x" }, { NULL }, 2, 0, "dumb-init v1.2.5\n" },
	{ { "/x/dumb-init", "-h" }, { NULL }, 2, 0,
		"dumb-init v1.2.5\nUsage: /x/dumb-init [option] command [[arg] ...]\n\ndumb-init is a simple..." },
	{ { "dumb-init", "--h", "--yolo" }, { NULL }, 2, 0, "dumb-init v1.2.5\nUsage: dumb-init..." },
	{ { "dumb-init" }, { NULL }, 2, 1, DUMB_INIT_USAGE },
	{ { "dumb-init", "-c", "--" }, { "DUMB_INIT_DEBUG=1" }, 2, 1, DUMB_INIT_USAGE },
	{ { "dumb-init", "--yolo", "x" }, { NULL }, 2, 1, "dumb-init: unrecognized option '--yolo'\n" },
	{ { "dumb-init", "--foo=bar" }, { NULL }, 2, 1, "dumb-init: unrecognized option '--foo=bar'\n" },
	{ { "dumb-init", "--versions" }, { NULL }, 2, 1, "dumb-init: unrecognized option '--versions'\n" },
	{ { "dumb-init", "--ver" }, { NULL }, 2, 1,
		"dumb-init: option '--ver' is ambiguous; possibilities: '--verbose' '--version'\n" },
	{ { "dumb-init", "--=x" }, { NULL }, 2, 1,
		"dumb-init: option '--=x' is ambiguous; possibilities: '--help' '--single-child' '--rewrite' "
		"'--verbose' "
		"'--version'\n" },
	{ { "dumb-init", "--he=1" }, { NULL }, 2, 1, "dumb-init: option '--help' doesn't allow an argument\n" },
	{ { "dumb-init", "--rew" }, { NULL }, 2, 1, "dumb-init: option '--rewrite' requires an argument\n" },
	{ { "dumb-init", "-cr" }, { NULL }, 2, 1, "dumb-init: option requires an argument -- 'r'\n" },
	{ { "/x/dumb-init", "-cx" }, { NULL }, 2, 1, "/x/dumb-init: invalid option -- 'x'\n" },
	{ { "dumb-init", "-c-" }, { NULL }, 2, 1, "dumb-init: invalid option -- '-'\n" },
	{ { "dumb-init", "-:" }, { NULL }, 2, 1, "dumb-init: invalid option -- ':'\n" },

	{ { "tini", "--version" }, { NULL }, 1, 0, "tini version 0.19.0\n" },
	{ { "podman-init", "--version" }, { NULL }, 1, 0, "tini version 0.19.0\n" },
	{ { "tini", "--version", "x" }, { NULL }, 2, 1,
		"tini: invalid option -- '-'\ntini (tini version 0.19.0)\nUsage: ..." },
	{ { "/sbin/docker-init", "x", "-h" }, { NULL }, 1, 0,
		"docker-init (tini version 0.19.0)\nUsage: docker-init [OPTIONS] PROGRAM -- [ARGS] | "
		"--version\n\nExecute a "
		"program under the supervision of a valid init process (docker-init)\n\n..." },
	{ { "/sbin/docker-init", "-x" }, { NULL }, 2, 1,
		"/sbin/docker-init: invalid option -- 'x'\ndocker-init (tini version 0.19.0)\n..." },
	{ { "tini" }, { NULL }, 2, 1, "tini (tini version 0.19.0)\nUsage: ..." },
	{ { "tini", "-s", "--" }, { NULL }, 2, 1, "tini (tini version 0.19.0)\nUsage: ..." },
	{ { "tini", "--help" }, { NULL }, 2, 1, "tini: invalid option -- '-'\ntini (tini version 0.19.0)\n..." },
	{ { "tini", "-V" }, { NULL }, 2, 1, "tini: invalid option -- 'V'\ntini (..." },
	{ { "tini", "x", "-e" }, { NULL }, 2, 1, "tini: option requires an argument -- 'e'\ntini (..." },
	{ { "docker-init", "-e", "256", "x" }, { NULL }, 2, 1, "[FATAL tini (42)] Not a valid option for -e: 256\n" },
	{ { "tini", "-e", "-1", "x" }, { NULL }, 2, 1, "[FATAL tini (42)] Not a valid option for -e: -1\n" },
	{ { "tini", "-e", "1x", "x" }, { "TINI_VERBOSITY=0" }, 2, 1,
		"[FATAL tini (42)] Not a valid option for -e: 1x\n" },
	{ { "tini", "-p", "15", "x" }, { NULL }, 2, 1, "[FATAL tini (42)] Not a valid option for -p: 15\n" },
	{ { "tini", "-p", "TERM", "x" }, { NULL }, 2, 1, "[FATAL tini (42)] Not a valid option for -p: TERM\n" },
	{ { "tini", "-p", "SIGterm", "x" }, { NULL }, 2, 1, "[FATAL tini (42)] Not a valid option for -p: SIGterm\n" },
	{ { "tini", "-p", "SIG15", "x" }, { NULL }, 2, 1, "[FATAL tini (42)] Not a valid option for -p: SIG15\n" },
	{ { "tini", "-p", "SIGRTMIN", "x" }, { NULL }, 2, 1,
		"[FATAL tini (42)] Not a valid option for -p: SIGRTMIN\n" },
	{ { "tini", "-p", "SIGIO", "x" }, { NULL }, 2, 1, "[FATAL tini (42)] Not a valid option for -p: SIGIO\n" },
	{ { "tini", "-p", "SIGPWR", "x" }, { NULL }, 2, 1, "[FATAL tini (42)] Not a valid option for -p: SIGPWR\n" },
	{ { "tini", "-p", "SIGSTKFLT", "x" }, { NULL }, 2, 1,
		"[FATAL tini (42)] Not a valid option for -p: SIGSTKFLT\n" },
	{ { "tini", "-p", "", "x" }, { NULL }, 2, 1, "[FATAL tini (42)] Not a valid option for -p: \n" },

	{ { "catatonit", "-V" }, { NULL }, 1, 0, CATATONIT_VERSION },
	{ { "catatonit", "x", "--v" }, { NULL }, 1, 0, CATATONIT_VERSION },
	{ { "/x/catatonit", "-gh" }, { NULL }, 2, 0, CATATONIT_USAGE "\noptions:\n  -g    ..." },
	{ { "catatonit" }, { NULL }, 2, 1, "ERROR (catatonit:42): missing program name\n" CATATONIT_USAGE },
	{ { "catatonit", "--help" }, { NULL }, 2, 1, "catatonit: unrecognized option '--help'\n" CATATONIT_USAGE },
	{ { "catatonit", "--rewrite" }, { NULL }, 2, 1,
		"catatonit: unrecognized option '--rewrite'\n" CATATONIT_USAGE },
	{ { "/x/catatonit", "-x" }, { NULL }, 2, 1, "/x/catatonit: invalid option -- 'x'\n" CATATONIT_USAGE },
	{ { "catatonit", "--=x" }, { NULL }, 2, 1,
		"catatonit: option '--version' doesn't allow an argument\n" CATATONIT_USAGE },
	{ { "catatonit", "-V" }, { "CATATONIT_LOG=" }, 2, 1,
		"ERROR (catatonit:42): CATATONIT_LOG is reserved for future use\n" },
};

static void answers_in_the_originals_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(replies); i++) {
		size_t length = strlen(replies[i].text);
		bool begins = length > 3 && strcmp(replies[i].text + length - 3, "...") == 0;

		if (parse(replies[i].words, replies[i].env) != 1 || answer.stream != replies[i].stream ||
			answer.status != replies[i].status ||
			(begins ? strncmp(answer.text, replies[i].text, length - 3)
				: strcmp(answer.text, replies[i].text)) != 0)
			fail_msg("row %zu: stream %d, status %d, %s", i, answer.stream, answer.status, answer.text);
		assert_int_equal(answer.text[strlen(answer.text) - 1], '\n');
	}
}

static void prints_its_own_license(void **state)
{
	char text[PERSONALITY_ANSWER_SIZE] = "";
	FILE *file = fopen(SOURCE_ROOT "/LICENSE", "r");

	(void)state;
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof text - 1, file) > 0);
	fclose(file);
	assert_int_equal(parse(WORDS("tini", "-l"), NULL), 1);
	assert_string_equal(answer.text, text);
	assert_int_equal(answer.stream, 1);
	assert_int_equal(answer.status, 0);
	assert_int_equal(parse(WORDS("catatonit", "-L"), NULL), 1);
	assert_string_equal(answer.text, text);
	assert_int_equal(answer.stream, 1);
	assert_int_equal(answer.status, 0);
}

static void cuts_an_answer_that_is_too_long(void **state)
{
	static char word[2 * PERSONALITY_ANSWER_SIZE];

	(void)state;
	memset(word, 'x', sizeof word - 1);
	assert_int_equal(parse(WORDS("tini", "-e", word, "x"), NULL), 1);
	assert_int_equal(strlen(answer.text), PERSONALITY_ANSWER_SIZE - 1);
	word[0] = word[1] = '-';
	assert_int_equal(parse(WORDS("catatonit", word), NULL), 1);
	assert_int_equal(strlen(answer.text), PERSONALITY_ANSWER_SIZE - 1);
}

/* ---- values ---- */

static void rewrites_as_scanf_would_read_it(void **state)
{
	static const struct {
		const char *text;
		int from;
		int becomes; /* of .from; -1: refused */
	} rows[] = {
		{ "15:3", 15, 3 },
		{ "15:3x", 15, 3 },
		{ "15:3:2", 15, 3 },
		{ " 15: 3", 15, 3 },
		{ "+15:+3", 15, 3 },
		{ "015:010", 15, 10 },
		{ "15:15", 15, 15 },
		{ "15:0", 15, 0 },
		{ "15:-0", 15, 0 },
		{ "1:31", 1, 31 },
		{ "31:1", 31, 1 },
		{ "17:1", 17, 0 }, /* CHLD is not passed on whatever it is to become */
		{ "", 0, -1 },
		{ ":", 0, -1 },
		{ "herp:derp", 0, -1 },
		{ "15", 0, -1 },
		{ "15:", 0, -1 },
		{ "15::12", 0, -1 },
		{ "15 :3", 0, -1 },
		{ "15:derp", 0, -1 },
		{ ":3", 0, -1 },
		{ "0:1", 0, -1 },
		{ "-1:1", 0, -1 },
		{ "1:-1", 0, -1 },
		{ "1:32", 0, -1 },
		{ "32:1", 0, -1 },
		{ "99999999999999999999:1", 0, -1 },
		{ "1:99999999999999999999", 0, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int refused = parse(WORDS("dumb-init", "-c", "-r", rows[i].text, "x"), NULL);

		if (refused != (rows[i].becomes < 0))
			fail_msg("%s", rows[i].text);
		if (refused) {
			assert_string_equal(answer.text, REWRITE_HELP);
			assert_int_equal(answer.status, 1);
			continue;
		}
		for (int signal = 1; signal <= PERSONALITY_SIGNALS; signal++) {
			int expected = signal == rows[i].from ? rows[i].becomes : signal == SIGCHLD ? 0 : signal;

			if (signal == SIGKILL || signal == SIGSTOP)
				expected = 0;
			if (personality_forwarded(&personality, signal) != expected)
				fail_msg("%s: %d", rows[i].text, signal);
		}
	}
}

static void the_last_rewrite_of_a_signal_counts(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("dumb-init", "-r", "15:0", "--rewrite=15:2", "-r", "2:15", "x"), NULL), 0);
	assert_int_equal(personality_forwarded(&personality, SIGTERM), SIGINT);
	assert_int_equal(personality_forwarded(&personality, SIGINT), SIGTERM);
}

static void a_session_is_stopped_by_stop(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("dumb-init", "-r", "20:1", "-r", "21:21", "x"), NULL), 0);
	assert_int_equal(personality_forwarded(&personality, SIGTSTP), SIGHUP);
	assert_int_equal(personality_forwarded(&personality, SIGTTIN), SIGTTIN);
	assert_int_equal(personality_forwarded(&personality, SIGTTOU), SIGSTOP);
	assert_int_equal(parse(WORDS("dumb-init", "-c", "x"), NULL), 0);
	assert_int_equal(personality_forwarded(&personality, SIGTSTP), SIGTSTP);
	assert_int_equal(personality_forwarded(&personality, SIGTTIN), SIGTTIN);
	assert_int_equal(personality_forwarded(&personality, SIGTTOU), SIGTTOU);
}

static void passes_every_other_signal_on_unchanged(void **state)
{
	static const struct {
		const char *name;
		uint64_t not_forwarded;
	} rows[] = { { "tini", FAULTS | BIT(SIGTTIN) | BIT(SIGTTOU) }, { "catatonit", FAULTS | TTY_STOPS } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(parse(WORDS(rows[i].name, "x"), NULL), 0);
		for (int signal = 1; signal <= PERSONALITY_SIGNALS; signal++)
			assert_int_equal(personality_forwarded(&personality, signal),
				rows[i].not_forwarded & BIT(signal) ? 0 : signal);
	}
}

static void knows_the_28_signals_that_a_parents_death_may_send(void **state)
{
	static const struct {
		const char *name;
		int number;
	} rows[] = { { "SIGHUP", SIGHUP }, { "SIGINT", SIGINT }, { "SIGQUIT", SIGQUIT }, { "SIGILL", SIGILL },
		{ "SIGTRAP", SIGTRAP }, { "SIGABRT", SIGABRT }, { "SIGBUS", SIGBUS }, { "SIGFPE", SIGFPE },
		{ "SIGKILL", SIGKILL }, { "SIGUSR1", SIGUSR1 }, { "SIGSEGV", SIGSEGV }, { "SIGUSR2", SIGUSR2 },
		{ "SIGPIPE", SIGPIPE }, { "SIGALRM", SIGALRM }, { "SIGTERM", SIGTERM }, { "SIGCHLD", SIGCHLD },
		{ "SIGCONT", SIGCONT }, { "SIGSTOP", SIGSTOP }, { "SIGTSTP", SIGTSTP }, { "SIGTTIN", SIGTTIN },
		{ "SIGTTOU", SIGTTOU }, { "SIGURG", SIGURG }, { "SIGXCPU", SIGXCPU }, { "SIGXFSZ", SIGXFSZ },
		{ "SIGVTALRM", SIGVTALRM }, { "SIGPROF", SIGPROF }, { "SIGWINCH", SIGWINCH }, { "SIGSYS", SIGSYS } };

	(void)state;
	assert_int_equal(COUNT(rows), 28);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(parse(WORDS("tini", "-p", "SIGHUP", "-p", rows[i].name, "x"), NULL), 0);
		assert_int_equal(personality.parent_death_signal, rows[i].number);
	}
}

/* ---- statuses ---- */

static void an_expected_status_counts_as_success(void **state)
{
	char text[8];

	(void)state;
	for (int expected = 0; expected < 256; expected++) {
		snprintf(text, sizeof text, "%d", expected);
		assert_int_equal(parse(WORDS("tini", "-e", text, "x"), NULL), 0);
		for (int status = 0; status < 256; status++)
			assert_int_equal(
				personality_exit_status(&personality, EXITED(status)), status == expected ? 0 : status);
	}
}

static void several_statuses_may_be_expected(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("tini", "-e", "143", "-e", "+7", "-e", " 255", "-e", "", "x"), NULL), 0);
	assert_int_equal(personality_exit_status(&personality, SIGTERM), 0);
	assert_int_equal(personality_exit_status(&personality, EXITED(143)), 0);
	assert_int_equal(personality_exit_status(&personality, EXITED(7)), 0);
	assert_int_equal(personality_exit_status(&personality, EXITED(255)), 0);
	assert_int_equal(personality_exit_status(&personality, SIGKILL), 137);
	assert_int_equal(personality_exit_status(&personality, EXITED(15)), 15);
}

static void a_signal_counts_128_more(void **state)
{
	static const char *const names[] = { "dumb-init", "tini", "catatonit" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(parse(WORDS(names[i], "x"), NULL), 0);
		for (int signal = 1; signal <= PERSONALITY_SIGNALS; signal++)
			assert_int_equal(personality_exit_status(&personality, signal), 128 + signal);
		assert_int_equal(personality_exit_status(&personality, SIGSEGV | 0x80), 139); /* with a core */
	}
}

static void a_failed_exec_has_the_originals_status(void **state)
{
	static const struct {
		const char *name;
		int error;
		int status;
	} rows[] = {
		{ "dumb-init", ENOENT, 2 },
		{ "dumb-init", EACCES, 2 },
		{ "dumb-init", ENOTDIR, 2 },
		{ "tini", ENOENT, 127 },
		{ "tini", EACCES, 126 },
		{ "tini", ENOTDIR, 1 },
		{ "tini", ENOEXEC, 1 },
		{ "tini", EPERM, 1 },
		{ "catatonit", ENOENT, 1 },
		{ "catatonit", EACCES, 1 },
		{ "catatonit", ENOEXEC, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(parse(WORDS(rows[i].name, "x"), NULL), 0);
		assert_int_equal(personality_exec_status(&personality, rows[i].error), rows[i].status);
	}
}

static void a_missing_terminal_stops_nobody(void **state)
{
	static const int missing[] = { ENOTTY, ENXIO, EBADF };
	static const char *const names[] = { "tini", "catatonit" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(parse(WORDS(names[i], "x"), NULL), 0);
		for (size_t j = 0; j < COUNT(missing); j++)
			assert_false(personality_terminal_matters(&personality, missing[j]));
		assert_true(personality_terminal_matters(&personality, EPERM));
	}
	assert_int_equal(parse(WORDS("dumb-init", "x"), NULL), 0);
	assert_false(personality_terminal_matters(&personality, EPERM));
}

static void finds_the_listen_pid_that_is_its_own(void **state)
{
	static const struct {
		const char *value;
		int result;
	} rows[] = {
		{ "LISTEN_PID=42", 1 },
		{ "LISTEN_PID= +42.5", 1 },
		{ "LISTEN_PID=43", -ENOENT },
		{ "LISTEN_PID=", -ENOENT },
		{ "LISTEN_PID=x42", -ENOENT },
		{ "LISTEN_PIDS=42", -ENOENT },
		{ "LISTEN_PID", -ENOENT },
		{ "LISTEN_PID=99999999999999999999", -ERANGE },
		{ "LISTEN_PID=-99999999999999999999", -ERANGE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *env[] = { (char *)"LISTEN_FDS=2", (char *)rows[i].value, NULL };

		if (personality_find_listen_pid(env, 42) != rows[i].result)
			fail_msg("%s", rows[i].value);
	}
}

/* ---- messages ---- */

static const struct message {
	const char *name;
	const char *option;
	struct personality_event event;
	int stream; /* 0: nothing */
	const char *line;
} messages[] = {
	/* What is printed at all unless asked for. */
	{ "dumb-init", "--", { .type = PERSONALITY_SPAWNED, .child = 7, .text = "x" }, 0, "" },
	{ "dumb-init", "--", { .type = PERSONALITY_EXEC_FAILED, .number = ENOENT, .text = "/x/y" }, 2,
		"[dumb-init] /x/y: No such file or directory\n" },
	{ "dumb-init", "--", { .type = PERSONALITY_NOT_REAPER }, 0, "" },
	{ "tini", "--", { .type = PERSONALITY_SPAWNED, .child = 7, .text = "x" }, 0, "" },
	{ "docker-init", "--", { .type = PERSONALITY_EXEC_FAILED, .pid = 7, .number = EACCES, .text = "y" }, 2,
		"[FATAL tini (7)] exec y failed: Permission denied\n" },
	{ "tini", "--", { .type = PERSONALITY_NOT_REAPER, .pid = 7 }, 2,
		"[WARN  tini (7)] Tini is not running as PID 1 and isn't registered as a child subreaper.\n"
		"Zombie processes will not be re-parented to Tini, so zombie reaping won't work.\n"
		"To fix the problem, use the -s option or set the environment variable TINI_SUBREAPER to register Tini "
		"as a "
		"child subreaper, or run Tini as PID 1.\n" },
	{ "tini", "--", { .type = PERSONALITY_ORPHAN_EXITED, .pid = 1, .child = 7 }, 0, "" },
	{ "tini", "-w", { .type = PERSONALITY_ORPHAN_EXITED, .pid = 1, .child = 7 }, 2,
		"[WARN  tini (1)] Reaped zombie process with pid=7\n" },
	{ "tini", "-w", { .type = PERSONALITY_ORPHAN_KILLED, .pid = 1, .child = 7 }, 2,
		"[WARN  tini (1)] Reaped zombie process with pid=7\n" },
	{ "tini", "--", { .type = PERSONALITY_FORWARD_FAILED, .pid = 1, .number = ESRCH }, 2,
		"[WARN  tini (1)] Child was dead when forwarding signal\n" },
	{ "catatonit", "--", { .type = PERSONALITY_SPAWNED, .child = 7, .text = "x" }, 0, "" },
	{ "catatonit", "--", { .type = PERSONALITY_BAD_LISTEN_PID }, 0, "" },
	{ "catatonit", "--", { .type = PERSONALITY_EXEC_FAILED, .pid = 7, .number = ENOENT, .text = "y" }, 2,
		"ERROR (catatonit:7): failed to exec pid1: No such file or directory\n" },
	{ "catatonit", "--", { .type = PERSONALITY_TERMINAL_NOT_TAKEN, .pid = 7, .number = EPERM }, 2,
		"ERROR (catatonit:7): setting foreground process failed: Operation not permitted\n" },
	/* dumb-init -v */
	{ "dumb-init", "-v", { .type = PERSONALITY_DEBUG_MODE }, 0, "" },
	{ "dumb-init", "-v", { .type = PERSONALITY_NO_SESSION }, 0, "" },
	{ "dumb-init", "-v", { .type = PERSONALITY_TERMINAL_KEPT, .number = EBADF }, 2,
		"[dumb-init] Unable to detach from controlling tty (errno=9 Bad file descriptor).\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_TERMINAL_LEFT_AS_LEADER }, 2,
		"[dumb-init] Detached from controlling tty, ignoring the first SIGHUP and SIGCONT we receive.\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_TERMINAL_LEFT }, 2,
		"[dumb-init] Detached from controlling tty, but was not session leader.\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_SPAWNED, .child = 7, .text = "x" }, 2,
		"[dumb-init] Child spawned with PID 7.\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_TERMINAL_NOT_TAKEN, .number = EPERM }, 2,
		"[dumb-init] Unable to attach to controlling tty (errno=1 Operation not permitted).\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_SESSION_DONE }, 2, "[dumb-init] setsid complete.\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_SIGNAL, .number = SIGCHLD }, 2,
		"[dumb-init] Received signal 17.\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_HANDOFF, .number = SIGHUP }, 2,
		"[dumb-init] Ignoring tty hand-off signal 1.\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_TRANSLATED, .number = 15, .other = 0 }, 2,
		"[dumb-init] Translating signal 15 to 0.\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_FORWARDED, .number = 3 }, 2,
		"[dumb-init] Forwarded signal 3 to children.\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_NOT_FORWARDED, .number = 15 }, 2,
		"[dumb-init] Not forwarding signal 0 to children (ignored).\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_STOPS_ITSELF }, 2,
		"[dumb-init] Suspending self due to TTY signal.\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_REAPED_EXITED, .child = 7, .number = 3 }, 2,
		"[dumb-init] A child with PID 7 exited with exit status 3.\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_REAPED_KILLED, .child = 7, .number = 9 }, 2,
		"[dumb-init] A child with PID 7 was terminated by signal 9.\n" },
	{ "dumb-init", "-v", { .type = PERSONALITY_MAIN_EXITED, .child = 7 }, 0, "" },
	{ "dumb-init", "-v", { .type = PERSONALITY_END, .number = 137 }, 2,
		"[dumb-init] Child exited with status 137. Goodbye.\n" },
	/* tini -vvv */
	{ "tini", "-vv", { .type = PERSONALITY_SUBREAPER, .pid = 7 }, 0, "" },
	{ "tini", "-vvv", { .type = PERSONALITY_SUBREAPER, .pid = 7 }, 1,
		"[TRACE tini (7)] Registered as child subreaper\n" },
	{ "tini", "-v", { .type = PERSONALITY_SPAWNED, .pid = 1, .child = 7, .text = "x" }, 1,
		"[INFO  tini (1)] Spawned child process 'x' with pid '7'\n" },
	{ "tini", "-vv", { .type = PERSONALITY_TERMINAL_NOT_TAKEN, .pid = 7, .number = ENOTTY }, 1,
		"[DEBUG tini (7)] tcsetpgrp failed: no tty (ok to proceed)\n" },
	{ "tini", "-vv", { .type = PERSONALITY_TERMINAL_NOT_TAKEN, .pid = 7, .number = ENXIO }, 1,
		"[DEBUG tini (7)] tcsetpgrp failed: no such device (ok to proceed)\n" },
	{ "tini", "--", { .type = PERSONALITY_TERMINAL_NOT_TAKEN, .pid = 7, .number = EPERM }, 2,
		"[FATAL tini (7)] tcsetpgrp failed: Operation not permitted\n" },
	{ "tini", "-vv", { .type = PERSONALITY_SIGNAL, .pid = 1, .number = SIGCHLD }, 1,
		"[DEBUG tini (1)] Received SIGCHLD\n" },
	{ "tini", "-vv", { .type = PERSONALITY_SIGNAL, .pid = 1, .number = SIGTERM }, 1,
		"[DEBUG tini (1)] Passing signal: 'Terminated'\n" },
	{ "tini", "-vv", { .type = PERSONALITY_SIGNAL, .pid = 1, .number = SIGSEGV }, 0, "" },
	{ "tini", "-vv", { .type = PERSONALITY_REAPED_EXITED, .pid = 1, .child = 7 }, 1,
		"[DEBUG tini (1)] Reaped child with pid: '7'\n" },
	{ "tini", "-v", { .type = PERSONALITY_MAIN_EXITED, .pid = 1, .child = 7, .number = 3 }, 1,
		"[INFO  tini (1)] Main child exited normally (with status '3')\n" },
	{ "tini", "-v", { .type = PERSONALITY_MAIN_KILLED, .pid = 1, .child = 7, .number = SIGKILL }, 1,
		"[INFO  tini (1)] Main child exited with signal (with signal 'Killed')\n" },
	{ "tini", "-vvv", { .type = PERSONALITY_NONE_TO_REAP, .pid = 1 }, 1, "[TRACE tini (1)] No child to reap\n" },
	{ "tini", "-vvv", { .type = PERSONALITY_NO_CHILD, .pid = 1 }, 1, "[TRACE tini (1)] No child to wait\n" },
	{ "tini", "-vvv", { .type = PERSONALITY_END, .pid = 1 }, 1, "[TRACE tini (1)] Exiting: child has exited\n" },
};

/* catatonit has no option for it, only a variable. */
static const struct message debug_messages[] = {
	{ "catatonit", "--", { .type = PERSONALITY_SPAWNED, .pid = 1, .child = 7, .text = "x" }, 2,
		"DEBUG (catatonit:1): pid1 (7) spawned: x\n" },
	{ "catatonit", "--", { .type = PERSONALITY_BAD_LISTEN_PID, .pid = 7 }, 2,
		"WARN (catatonit:7): LISTEN_PID has an invalid value\n" },
	{ "catatonit", "--", { .type = PERSONALITY_NO_DEV_TTY, .pid = 7, .number = ENXIO }, 2,
		"INFO (catatonit:7): using stdin as tty fd: could not open /dev/tty: No such device or address\n" },
	{ "catatonit", "--", { .type = PERSONALITY_TERMINAL_NOT_TAKEN, .pid = 7, .number = EBADF }, 2,
		"DEBUG (catatonit:7): setting foreground process failed: no tty present: Bad file descriptor\n" },
	{ "catatonit", "--", { .type = PERSONALITY_TERMINAL_NOT_TAKEN, .pid = 7, .number = ENXIO }, 2,
		"DEBUG (catatonit:7): setting foreground process failed: no such device\n" },
	{ "catatonit", "--", { .type = PERSONALITY_NOT_FORWARDED, .pid = 1, .number = SIGTSTP }, 2,
		"DEBUG (catatonit:1): ignoring kernel attempting to stop us: tty has TOSTOP set\n" },
	{ "catatonit", "--", { .type = PERSONALITY_NOT_FORWARDED, .pid = 1, .number = SIGSEGV }, 0, "" },
	{ "catatonit", "--",
		{ .type = PERSONALITY_FORWARD_FAILED, .pid = 1, .child = -7, .number = EPERM, .other = SIGTERM }, 2,
		"WARN (catatonit:1): forwarding of signal 15 to pid1 (-7) failed: Operation not permitted\n" },
	{ "catatonit", "--", { .type = PERSONALITY_ORPHAN_EXITED, .pid = 1, .child = 7, .number = 3 }, 2,
		"DEBUG (catatonit:1): child process 7 exited with code 3\n" },
	{ "catatonit", "--", { .type = PERSONALITY_ORPHAN_KILLED, .pid = 1, .child = 7, .number = 9 }, 2,
		"DEBUG (catatonit:1): child process 7 exited due to signal 9\n" },
	{ "catatonit", "--", { .type = PERSONALITY_REAPED_EXITED, .pid = 1, .child = 7 }, 0, "" },
	{ "catatonit", "--", { .type = PERSONALITY_NO_CHILD, .pid = 1 }, 2,
		"DEBUG (catatonit:1): got ECHILD: no children left to monitor\n" },
	{ "dumb-init", "--", { .type = PERSONALITY_DEBUG_MODE }, 2, "[dumb-init] Running in debug mode.\n" },
	{ "dumb-init", "-c", { .type = PERSONALITY_NO_SESSION }, 2, "[dumb-init] Not running in setsid mode.\n" },
};

static void check_message(const struct message *message, const char *const env[3])
{
	char line[PERSONALITY_LINE_SIZE] = "";

	assert_int_equal(parse(WORDS(message->name, message->option, "--", "x"), env), 0);
	if (personality_message(&personality, &message->event, line) != message->stream ||
		strcmp(line, message->line) != 0)
		fail_msg("%s %s: not %sbut %s", message->name, message->option, message->line, line);
}

static void says_what_the_original_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++)
		check_message(&messages[i], NULL);
	for (size_t i = 0; i < COUNT(debug_messages); i++)
		check_message(&debug_messages[i], ENV("CATATONIT_DEBUG=", "DUMB_INIT_DEBUG=1", "DUMB_INIT_SETSID=0"));
}

static void every_event_of_every_name_is_one_line_or_nothing(void **state)
{
	static const char *const names[] = { "dumb-init", "tini", "catatonit" };
	static char long_text[2 * PERSONALITY_LINE_SIZE];

	(void)state;
	memset(long_text, 'x', sizeof long_text - 1);
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(parse(WORDS(names[i], "x"), ENV("CATATONIT_DEBUG=", "TINI_VERBOSITY=4")), 0);
		for (int type = 0; type < PERSONALITY_EVENT_COUNT; type++) {
			struct personality_event event = { .type = (enum personality_event_type)type,
				.number = SIGTERM,
				.child = -2147483647,
				.text = long_text };
			char line[PERSONALITY_LINE_SIZE];
			int stream = personality_message(&personality, &event, line);

			assert_in_range(stream, 0, 2);
			if (stream != 0)
				assert_int_equal(line[strlen(line) - 1], '\n');
			if (type == PERSONALITY_EXEC_FAILED && strcmp(names[i], "catatonit") != 0)
				assert_int_equal(strlen(line), PERSONALITY_LINE_SIZE - 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_by_the_last_component_of_its_name),
		cmocka_unit_test(follows_the_policies_of_its_name),
		cmocka_unit_test(a_variable_counts_only_as_the_original_reads_it),
		cmocka_unit_test(under_its_own_name_it_is_itself),
		cmocka_unit_test(runs_the_command_that_the_original_would_run),
		cmocka_unit_test(answers_in_the_originals_words),
		cmocka_unit_test(prints_its_own_license),
		cmocka_unit_test(cuts_an_answer_that_is_too_long),
		cmocka_unit_test(rewrites_as_scanf_would_read_it),
		cmocka_unit_test(the_last_rewrite_of_a_signal_counts),
		cmocka_unit_test(a_session_is_stopped_by_stop),
		cmocka_unit_test(passes_every_other_signal_on_unchanged),
		cmocka_unit_test(knows_the_28_signals_that_a_parents_death_may_send),
		cmocka_unit_test(an_expected_status_counts_as_success),
		cmocka_unit_test(several_statuses_may_be_expected),
		cmocka_unit_test(a_signal_counts_128_more),
		cmocka_unit_test(a_failed_exec_has_the_originals_status),
		cmocka_unit_test(a_missing_terminal_stops_nobody),
		cmocka_unit_test(finds_the_listen_pid_that_is_its_own),
		cmocka_unit_test(says_what_the_original_says),
		cmocka_unit_test(every_event_of_every_name_is_one_line_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
