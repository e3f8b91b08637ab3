#include "health/kinship.h"

#include "base/cleanup.h"
#include "base/fdio.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who lives deeper below the main process than this is not found. */
#define DEPTH_MAX 256
#define NOBODY (-1)

/* Of a process: its parent, its real user, the leader of its session (proc_pid_status(5)). */
struct place {
	long parent, uid, session;
};

/* The first number behind the name of a line. The program's own name holds no newline there. */
static long number_behind(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line != NULL ? strtol(line + strlen(name), NULL, 10) : NOBODY;
}

static bool read_place(int proc, pid_t pid, struct place *ret_place)
{
	char path[32], text[4096];
	cleanup_close int fd = -1;
	ssize_t length;

	snprintf(path, sizeof path, "%d/status", (int)pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : fd_read_all(fd, text, sizeof text - 1);
	if (length <= 0)
		return false;
	text[length] = '\0';
	ret_place->parent = number_behind(text, "\nPPid:\t");
	ret_place->uid = number_behind(text, "\nUid:\t");
	ret_place->session = number_behind(text, "\nNSsid:\t");
	return true;
}

bool kinship_holds(int proc, pid_t main_pid, pid_t pid, uid_t uid)
{
	struct place place;

	if (pid == main_pid)
		return true;
	if (pid <= 1 || !read_place(proc, pid, &place) || place.uid != (long)uid)
		return false;
	for (int depth = 0; place.session != main_pid && place.parent != main_pid; depth++)
		if (depth == DEPTH_MAX || place.parent <= 1 || !read_place(proc, (pid_t)place.parent, &place))
			return false;
	return true;
}
