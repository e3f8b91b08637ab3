#include "init/descendants.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A tree of processes deeper than this is not followed to its end at once: its upper part goes first. */
#define DEPTH_MAX 256

/* The parent of a process (proc_pid_stat(5)), or 0 when there is no such process or it has none. */
static pid_t parent_of(pid_t pid)
{
	char path[32], text[256];
	cleanup_close int fd = -1;
	const char *end;
	ssize_t length;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);                  /* a pseudo file never blocks */
	length = fd < 0 ? -1 : read(fd, text, sizeof text - 1); /* the kernel gives it whole, at once */
	if (length <= 0)
		return 0;
	text[length] = '\0';
	/* "PID (NAME) STATE PARENT": the name may hold anything, a bracket too. */
	end = strrchr(text, ')');
	return end != NULL && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

static bool descends_from(pid_t pid, pid_t ancestor)
{
	for (int depth = 0; depth < DEPTH_MAX && pid > 1; depth++) {
		pid = parent_of(pid);
		if (pid == ancestor)
			return true;
	}
	return false;
}

/* The process is held before it is looked at: should its number pass on to another, the signal goes nowhere. */
static void signal_descendant(pid_t pid, int signal)
{
	cleanup_close int held = (int)syscall(SYS_pidfd_open, pid, 0);
	bool unknown = held < 0 && errno != ESRCH; /* an old kernel, a filter, no descriptor to be had */

	if ((held < 0 && !unknown) || !descends_from(pid, getpid()))
		return;
	/* Who may hold it need not be allowed to send by it: kill(2) is what every filter lets pass. */
	if (unknown || (syscall(SYS_pidfd_send_signal, held, signal, NULL, 0) < 0 && errno != ESRCH))
		kill(pid, signal);
}

/* An empty /proc is none: we would be there at the least. */
static int signal_descendants(int signal, pid_t spared)
{
	DIR *proc = opendir("/proc");
	int error = -ENOENT;

	if (proc == NULL)
		return -errno;
	for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;

		if (pid > 0)
			error = 0;
		if (pid > 1 && pid != getpid() && pid != spared)
			signal_descendant(pid, signal);
	}
	closedir(proc);
	return error;
}

int descendants_signal(int signal, pid_t spared)
{
	if (getpid() != 1)
		return signal_descendants(signal, spared);
	kill(-1, signal);
	return 0;
}
