/* The subcommands, as their own --help has them; tests/system/test_completions.py holds the two to each other. */
#include "packaging/completions/completion.h"

/* A value: its kind and its words. */
#define NOTHING VALUE_IS_FREE, ""
#define FILE_NAME VALUE_IS_FILE, ""
#define CAPABILITIES VALUE_IS_LIST, "all none"
#define ARCHITECTURES VALUE_IS_WORD, "amd64 arm64"
#define TARGETS VALUE_IS_TARGET, "http:// http+unix: tcp:// unix: file: exec:"
#define PROFILES "default logger monitor nginx node"
/* Choices that several have. */
#define HELP "help", 0, VALUE_NONE, NOTHING, "show what there is"
#define JSON "json", 0, VALUE_NONE, NOTHING, "for machines"
#define CAPS "caps", 0, VALUE_NEEDED, CAPABILITIES, "what includes and excludes test"
#define ARCH "arch", 0, VALUE_NEEDED, ARCHITECTURES, "of which machine"
#define OUTPUT "output", 'o', VALUE_NEEDED, FILE_NAME, "where to write; - is standard output"
#define TIMEOUT "timeout", 0, VALUE_NEEDED, NOTHING, "how long to wait for each (1m30s)"
#define NO_WAIT "no-wait", 0, VALUE_NONE, NOTHING, "it is enough that PID 1 does it"

const struct context contexts[] = {
	{ "", "supervise COMMAND", OPTION_COUNT, VALUE_IS_COMMAND, "", { { .name = 0 } } },
	{ "audit", "the posture of this container", 0, NOTHING,
		{ { JSON },
			{ "fail-on", 0, VALUE_NEEDED, VALUE_IS_WORD, "none low medium high",
				"status 1 if anything is found at it or above" },
			{ HELP } } },
	{ "check", "all that is wrong in FILE", 0, FILE_NAME,
		{ { "print", 0, VALUE_NONE, NOTHING, "the configuration of a run with this file" }, { HELP } } },
	{ "ctl", "start, stop and signal services by hand", 0, VALUE_IS_WORD, "start stop restart signal reload",
		{ { HELP } } },
	{ "ctl reload", "", 0, NOTHING, { { TIMEOUT }, { NO_WAIT } } },
	{ "ctl restart", "", 0, NOTHING, { { TIMEOUT }, { NO_WAIT } } },
	{ "ctl signal", "", 0, VALUE_IS_WORD, "HUP INT KILL QUIT TERM USR1 USR2", { { .name = 0 } } },
	{ "ctl start", "", 0, NOTHING, { { TIMEOUT }, { NO_WAIT } } },
	{ "ctl stop", "", 0, NOTHING, { { TIMEOUT }, { NO_WAIT } } },
	{ "exec", "confine, then become COMMAND", OPTION_SECCOMP_REPORT, VALUE_IS_COMMAND, "",
		{ { "service", 0, VALUE_NEEDED, NOTHING, "as this service, or task, of several in the file" },
			{ HELP } } },
	{ "health", "PID 1's verdict, for HEALTHCHECK", 0, NOTHING,
		{ { "ready", 0, VALUE_OPTIONAL, TARGETS, "can it take requests?" },
			{ "live", 0, VALUE_OPTIONAL, TARGETS, "is it alive?" },
			{ "startup", 0, VALUE_OPTIONAL, TARGETS, "has it started?" },
			{ "json", 0, VALUE_NONE, NOTHING, "the same, and every check" },
			{ "timeout", 0, VALUE_NEEDED, NOTHING, "how long it may take, all in all (800ms)" },
			{ HELP } } },
	{ "probe", "look at each target once, now", 0, TARGETS,
		{ { "timeout", 0, VALUE_NEEDED, NOTHING, "give up after so long (5s)" },
			{ "expect", 0, VALUE_NEEDED, NOTHING, "HTTP statuses that are a success (200-399)" },
			{ "wait", 0, VALUE_NEEDED, NOTHING, "try again until each TARGET has succeeded" }, { HELP } } },
	{ "seccomp", "make profiles, look into them", 0, VALUE_IS_WORD, "compile explain diff record", { { HELP } } },
	{ "seccomp compile", "", 0, VALUE_IS_FILE, PROFILES,
		{ { OUTPUT },
			{ "strict", 0, VALUE_NONE, NOTHING, "refuse a syscall name that libseccomp does not know" },
			{ CAPS }, { ARCH }, { HELP } } },
	{ "seccomp diff", "", 0, VALUE_IS_FILE, PROFILES " pid:", { { CAPS }, { ARCH }, { JSON }, { HELP } } },
	{ "seccomp explain", "", 0, VALUE_IS_FILE, PROFILES " pid:",
		{ { "pid", 0, VALUE_NEEDED, VALUE_IS_PROCESS, "", "the filters of a running process" }, { CAPS },
			{ ARCH }, { JSON }, { HELP } } },
	{ "seccomp record", "", 0, VALUE_IS_COMMAND, "",
		{ { OUTPUT }, { "merge", 0, VALUE_NEEDED, FILE_NAME, "add to what an earlier record wrote" },
			{ HELP } } },
	{ "status", "what runs, and what is in force", 0, NOTHING,
		{ { JSON }, { "watch", 0, VALUE_NONE, NOTHING, "again and again, until q or Ctrl-C" }, { HELP } } },
};
const size_t context_count = sizeof contexts / sizeof contexts[0];
