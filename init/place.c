#include "init/place.h"

#include "base/cleanup.h"
#include "init/report.h"
#include "init/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define STANDARD_SIGNALS 31

extern char **environ;

/* SIGTTOU is still blocked here: tcsetpgrp(3) of a background group does not stop us. */
static int take_foreground(const struct personality *personality)
{
	cleanup_close int tty = -1;

	if (personality->terminal == TERMINAL_TTY_OR_STDIN) {
		tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
		if (tty < 0)
			report(personality, PERSONALITY_NO_DEV_TTY, 0, errno, 0);
	}
	return tcsetpgrp(tty >= 0 ? tty : STDIN_FILENO, getpgrp()) < 0 ? -errno : 0;
}

static int take_terminal(const struct personality *personality, bool hand_over_terminal)
{
	switch (personality->terminal) {
	case TERMINAL_SESSION:
		/* Our own start asks before it tries: a message would be told by those who always try. */
		if (personality->kind == NULL && !hand_over_terminal)
			return 0;
		return ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0 ? -errno : 0;
	case TERMINAL_STDIN:
	case TERMINAL_TTY_OR_STDIN:
		return take_foreground(personality);
	default:
		return 0;
	}
}

int place_child(const struct personality *personality, bool hand_over_terminal)
{
	int error;

	/* A session of its own: the kernel's check for orphaned groups makes a mass exit in PID 1's session dear. */
	if (personality->place == PLACE_SESSION)
		setsid();
	else if (personality->place == PLACE_GROUP)
		setpgid(0, 0);
	error = take_terminal(personality, hand_over_terminal);
	if (error < 0) {
		report(personality, PERSONALITY_TERMINAL_NOT_TAKEN, 0, -error, 0);
		if (personality->kind != NULL && personality_terminal_matters(personality, -error))
			return 1;
	}
	if (personality->place == PLACE_SESSION)
		report(personality, PERSONALITY_SESSION_DONE, 0, 0, 0);
	return 0;
}

void place_signals(const struct personality *personality, uint64_t entry_mask)
{
	for (int number = 1; personality->clear_signals && number <= STANDARD_SIGNALS; number++)
		signal(number, SIG_DFL);
	signals_restore((personality->clear_signals ? 0 : entry_mask) | personality->child_blocks);
}

/* Where a vforked child of an earlier life has put its own, PID 1 finds it again: it wrote into our memory. */
static int find_listen_pid(const char *ours, int parent)
{
	for (int i = 0; environ[i] != NULL; i++)
		if (environ[i] == ours)
			return i;
	return personality_find_listen_pid(environ, parent);
}

static void place_watchdog_pid(void)
{
	static const char name[] = "WATCHDOG_PID=";
	static char watchdog_pid[32];
	int index = 0;

	while (environ[index] != NULL && strncmp(environ[index], name, strlen(name)) != 0)
		index++;
	if (environ[index] == NULL)
		return;
	snprintf(watchdog_pid, sizeof watchdog_pid, "%s%d", name, (int)getpid());
	environ[index] = watchdog_pid;
}

void place_nothing_to_say(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void place_pids(const struct personality *personality, int parent, bool watchdog)
{
	static char listen_pid[32];
	int index;

	if (watchdog)
		place_watchdog_pid();
	if (!personality->take_listen_pid)
		return;
	index = find_listen_pid(listen_pid, parent);
	if (index == -ERANGE)
		report(personality, PERSONALITY_BAD_LISTEN_PID, 0, 0, 0);
	if (index < 0)
		return;
	snprintf(listen_pid, sizeof listen_pid, "LISTEN_PID=%d", (int)getpid());
	environ[index] = listen_pid;
}
