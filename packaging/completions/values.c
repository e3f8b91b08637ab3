/* Values by what reads them: a setter of base/option_setters.h takes the same for each option that it is of. */
#include "packaging/completions/completion.h"

#include "base/capname.h"
#include "base/option_setters.h"
#include "base/securebits.h"
#include "base/signame.h"
#include "base/ulimit.h"

#include <linux/securebits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SIGNAL_REAL_TIME 32 /* signal(7): those below have names */
#define WORDS_SIZE 1024
#define TARGETS "http:// http+unix: tcp:// unix: file: exec:"

static char words[WORDS_SIZE];

static void add_word(const char *word, const char *end)
{
	const size_t length = strlen(words);

	snprintf(words + length, sizeof words - length, "%s%s%s", length > 0 ? " " : "", word, end);
}

/* By name, and the first one for real time, as RTMIN+3 and the like begin. */
static void add_signals(void)
{
	char name[SIGNAL_NAME_SIZE];

	for (int signal = 1; signal < SIGNAL_REAL_TIME; signal++)
		add_word(signal_name(signal, name), "");
	add_word("RTMIN", "");
}

/* Those that can come to PID 1 and mean something there. */
static void add_stop_signals(void)
{
	char name[SIGNAL_NAME_SIZE];

	for (int signal = 1; signal < SIGNAL_REAL_TIME; signal++)
		if (signal != SIGKILL && signal != SIGSTOP && signal != SIGCHLD)
			add_word(signal_name(signal, name), "");
	add_word("RTMIN", "");
}

static void add_capabilities(void)
{
	add_word("all", "");
	for (unsigned capability = 0; capability < CAPNAME_COUNT; capability++)
		add_word(capname(capability), "");
}

static void add_securebits(void)
{
	for (unsigned bit = 0; bit < SECUREBITS_COUNT; bit++)
		if (bit != SECURE_KEEP_CAPS) /* execve clears it: no option sets it */
			add_word(securebits_name(bit), "");
}

static void add_limits(void)
{
	for (unsigned resource = 0; resource < ULIMIT_COUNT; resource++)
		add_word(ulimit_name(resource), "=");
}

static struct value made_of(enum value_kind kind, void (*add)(void))
{
	add();
	return (struct value){ kind, words };
}

static struct value value_of_setter(uint8_t setter)
{
	switch (setter) {
	case SET_BOOL:
		return (struct value){ VALUE_IS_WORD, "yes no" };
	case SET_PATH:
	case ADD_PATH:
		return (struct value){ VALUE_IS_FILE, "" };
	case ADD_TMPFS:
		return (struct value){ VALUE_IS_DIRECTORY, "" };
	case ADD_GROUP:
		return (struct value){ VALUE_IS_GROUP, "" };
	case SET_FILE_ENV:
		return (struct value){ VALUE_IS_WORD, "all" };
	case ADD_ULIMIT:
		return made_of(VALUE_IS_WORD, add_limits);
	case DROP_CAPABILITIES:
	case ADD_CAPABILITIES:
		return made_of(VALUE_IS_LIST, add_capabilities);
	case ADD_SECUREBITS:
		return made_of(VALUE_IS_LIST, add_securebits);
	case ADD_PORTS:
		return (struct value){ VALUE_IS_WORD, "none" };
	case SET_SIGNAL:
		return made_of(VALUE_IS_WORD, add_signals);
	case ADD_STOP_SIGNALS:
		return made_of(VALUE_IS_LIST, add_stop_signals);
	case SET_READ_ONLY:
		return (struct value){ VALUE_IS_WORD, "auto remount landlock verify no" };
	case SET_SECURITY_LEVEL:
		return (struct value){ VALUE_IS_WORD, "standard hardened" };
	case SET_PRE_STOP:
		return (struct value){ VALUE_IS_FILE, "" };
	case SET_RESTART:
		return (struct value){ VALUE_IS_WORD, "no on-failure always" };
	case SET_ON_UNHEALTHY:
		add_word("none stop restart", "");
		return made_of(VALUE_IS_WORD, add_signals);
	case ADD_READY:
		return (struct value){ VALUE_IS_TARGET, TARGETS " notify" };
	case ADD_LIVE:
	case ADD_STARTUP:
		return (struct value){ VALUE_IS_TARGET, TARGETS };
	case ADD_LISTEN:
		return (struct value){ VALUE_IS_TARGET, "127.0.0.1: 0.0.0.0: unix: fd:" };
	case ADD_MERGE:
		return (struct value){ VALUE_IS_WORD, "http:// http+unix:" };
	case SET_TRACE_ENDPOINT:
		return (struct value){ VALUE_IS_WORD, "env http://" };
	case SET_LOGGING:
		return (struct value){ VALUE_IS_WORD, "tagged json none" };
	case SET_LOG_FORMAT:
		return (struct value){ VALUE_IS_WORD, "text json ecs" };
	case SET_LOG_LEVEL:
		return (struct value){ VALUE_IS_WORD, "error warning notice info" };
	default:
		return (struct value){ VALUE_IS_FREE, "" };
	}
}

struct value value_of_option(enum option option)
{
	words[0] = '\0';
	switch (option) {
	/* What is read when it is needed has one setter, whatever it is. */
	case OPTION_CONFIG:
		return (struct value){ VALUE_IS_FILE, "" };
	case OPTION_USER:
		return (struct value){ VALUE_IS_USER, "" };
	case OPTION_SECCOMP:
		return (struct value){ VALUE_IS_FILE, "node nginx default unconfined" };
	case OPTION_WORKDIR:
		return (struct value){ VALUE_IS_DIRECTORY, "" };
	case OPTION_HELP:
		return (struct value){ VALUE_IS_WORD, "all confinement stopping health metrics log" };
	default:
		return value_of_setter(option_rows[option].setter);
	}
}
