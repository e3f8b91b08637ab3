#include "init/descendants.h"

#include "base/cleanup.h"
#include "base/fdio.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* Children beyond what the buffer holds are reached the next time round: those before them are gone by then. */
#define CHILDREN_SIZE 16384

static void signal_children(int signal, pid_t spared)
{
	static char list[CHILDREN_SIZE];
	char path[64];
	cleanup_close int fd = -1;
	ssize_t length;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC); /* proc_pid_children(5): a pseudo file never blocks */
	length = fd < 0 ? -1 : fd_read_all(fd, list, sizeof list - 1);
	if (length <= 0)
		return;
	/* A number that the end of the buffer may have cut is left out. */
	while (length > 0 && list[length - 1] != ' ')
		length--;
	list[length] = '\0';
	for (char *at = list; *at != '\0';) {
		pid_t pid = (pid_t)strtol(at, &at, 10);

		if (pid > 1 && pid != spared)
			kill(pid, signal);
		while (*at == ' ')
			at++;
	}
}

void descendants_signal(int signal, pid_t spared)
{
	if (getpid() == 1)
		kill(-1, signal);
	else
		signal_children(signal, spared);
}
