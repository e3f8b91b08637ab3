#include "base/signame.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* musl reserves 32 to 34 and glibc 32 and 33; names must mean the same number in both builds and to Docker, whose
 * RTMIN is 34. */
#define RT_MIN 34
#define RT_MAX 64

/* Arrays, not pointers: nothing to relocate in a static PIE. Empty where the number has no name. */
static const char names[][8] = {
	[SIGHUP] = "HUP",
	[SIGINT] = "INT",
	[SIGQUIT] = "QUIT",
	[SIGILL] = "ILL",
	[SIGTRAP] = "TRAP",
	[SIGABRT] = "ABRT",
	[SIGBUS] = "BUS",
	[SIGFPE] = "FPE",
	[SIGKILL] = "KILL",
	[SIGUSR1] = "USR1",
	[SIGSEGV] = "SEGV",
	[SIGUSR2] = "USR2",
	[SIGPIPE] = "PIPE",
	[SIGALRM] = "ALRM",
	[SIGTERM] = "TERM",
	[SIGSTKFLT] = "STKFLT",
	[SIGCHLD] = "CHLD",
	[SIGCONT] = "CONT",
	[SIGSTOP] = "STOP",
	[SIGTSTP] = "TSTP",
	[SIGTTIN] = "TTIN",
	[SIGTTOU] = "TTOU",
	[SIGURG] = "URG",
	[SIGXCPU] = "XCPU",
	[SIGXFSZ] = "XFSZ",
	[SIGVTALRM] = "VTALRM",
	[SIGPROF] = "PROF",
	[SIGWINCH] = "WINCH",
	[SIGIO] = "IO",
	[SIGPWR] = "PWR",
	[SIGSYS] = "SYS",
};
#define NAME_COUNT ((int)(sizeof names / sizeof names[0]))

/* Second names of the same numbers (signal(7)). */
static const struct alias {
	char name[5];
	int signal;
} aliases[] = { { "CLD", SIGCHLD }, { "POLL", SIGIO }, { "IOT", SIGABRT } };

static int parse_number(const char *text, int low, int high, int *ret_number)
{
	char *end;
	long number;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	number = strtol(text, &end, 10);
	if (*end != '\0' || number < low || number > high)
		return -EINVAL;
	*ret_number = (int)number;
	return 0;
}

static int parse_real_time(const char *text, int *ret_signal)
{
	int offset = 0;

	if (strncasecmp(text, "RTMIN", 5) == 0) {
		if (text[5] != '\0' && (text[5] != '+' || parse_number(text + 6, 0, RT_MAX - RT_MIN, &offset) < 0))
			return -EINVAL;
		*ret_signal = RT_MIN + offset;
		return 0;
	}
	if (strncasecmp(text, "RTMAX", 5) == 0) {
		if (text[5] != '\0' && (text[5] != '-' || parse_number(text + 6, 0, RT_MAX - RT_MIN, &offset) < 0))
			return -EINVAL;
		*ret_signal = RT_MAX - offset;
		return 0;
	}
	return -EINVAL;
}

int signal_parse(const char *text, int *ret_signal)
{
	if (parse_number(text, 1, RT_MAX, ret_signal) == 0)
		return 0;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < NAME_COUNT; i++) {
		if (names[i][0] != '\0' && strcasecmp(text, names[i]) == 0) {
			*ret_signal = i;
			return 0;
		}
	}
	for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
		if (strcasecmp(text, aliases[i].name) == 0) {
			*ret_signal = aliases[i].signal;
			return 0;
		}
	}
	return parse_real_time(text, ret_signal);
}

const char *signal_name(int signal, char buffer[SIGNAL_NAME_SIZE])
{
	if (signal > 0 && signal < NAME_COUNT && names[signal][0] != '\0')
		snprintf(buffer, SIGNAL_NAME_SIZE, "%s", names[signal]);
	else if (signal == RT_MIN)
		snprintf(buffer, SIGNAL_NAME_SIZE, "RTMIN");
	else if (signal > RT_MIN && signal <= RT_MAX)
		snprintf(buffer, SIGNAL_NAME_SIZE, "RTMIN+%d", signal - RT_MIN);
	else
		snprintf(buffer, SIGNAL_NAME_SIZE, "%d", signal);
	return buffer;
}
