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

/* A process's state, parent, group and session (proc_pid_stat(5)); parent 0: there is no such process, or it has none.
 */
struct place {
	char state;
	pid_t parent, group, session;
};

static struct place place_of(pid_t pid)
{
	char path[32], text[256];
	cleanup_close int fd = -1;
	struct place place = { 0 };
	const char *end;
	ssize_t length;
	char *next;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);                  /* a pseudo file never blocks */
	length = fd < 0 ? -1 : read(fd, text, sizeof text - 1); /* the kernel gives it whole, at once */
	if (length <= 0)
		return place;
	text[length] = '\0';
	/* "PID (NAME) STATE PARENT GROUP": the name may hold anything, a bracket too. */
	end = strrchr(text, ')');
	if (end == NULL || strlen(end) <= 4)
		return place;
	place.state = end[2];
	place.parent = (pid_t)strtol(end + 4, &next, 10);
	place.group = (pid_t)strtol(next, &next, 10);
	place.session = (pid_t)strtol(next, NULL, 10);
	return place;
}

static bool descends_from(pid_t pid, pid_t ancestor)
{
	for (int depth = 0; depth < DEPTH_MAX && pid > 1; depth++) {
		pid = place_of(pid).parent;
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

/* Calls back for every process of /proc but ourselves and PID 1. Returns 0, or -errno without /proc; an empty one is
 * none: we would be there at the least. */
static int for_each_process(void (*visit)(pid_t pid, void *context), void *context)
{
	DIR *proc = opendir("/proc");
	int error = -ENOENT;

	if (proc == NULL)
		return -errno;
	for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;

		if (pid > 0)
			error = 0;
		if (pid > 1 && pid != getpid())
			visit(pid, context);
	}
	closedir(proc);
	return error;
}

struct signalling {
	const struct descendants *whom;
	int signal;
	pid_t spared_group;
};

static bool is_spared(const struct descendants *whom, pid_t pid)
{
	for (size_t i = 0; i < whom->spared_count; i++)
		if (whom->spared[i] == pid)
			return true;
	return false;
}

static bool is_meant(const struct descendants *whom, pid_t pid, const struct place *place)
{
	return !is_spared(whom, pid) && (whom->session == 0 || place->session == whom->session);
}

static void visit_to_signal(pid_t pid, void *context)
{
	const struct signalling *signalling = context;
	const struct place place = place_of(pid);

	if (!is_meant(signalling->whom, pid, &place) ||
		(signalling->spared_group != 0 && place.group == signalling->spared_group))
		return;
	if (!signalling->whom->ours_alone) /* whoever it is by now: all here are to hear it */
		kill(pid, signalling->signal);
	else
		signal_descendant(pid, signalling->signal);
}

struct listing {
	const struct descendants *whom;
	pid_t also_spared;
	bool ours_alone;
	struct leftovers *leftovers;
};

static void read_name(pid_t pid, char ret_name[LEFTOVER_NAME_SIZE])
{
	char path[32];
	cleanup_close int fd = -1;
	ssize_t length;

	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? 0 : read(fd, ret_name, LEFTOVER_NAME_SIZE);
	ret_name[length > 0 ? length - 1 : 0] = '\0'; /* in place of the newline */
}

static void visit_to_list(pid_t pid, void *context)
{
	const struct listing *listing = context;
	struct leftovers *leftovers = listing->leftovers;
	const struct place place = place_of(pid);

	if (!is_meant(listing->whom, pid, &place) || pid == listing->also_spared || place.state == 'Z' ||
		(listing->ours_alone && !descends_from(pid, getpid())))
		return;
	if (leftovers->count < LEFTOVER_NAMES_MAX) {
		leftovers->some[leftovers->count].pid = pid;
		read_name(pid, leftovers->some[leftovers->count].name);
	}
	leftovers->count++;
}

void descendants_list(const struct descendants *whom, pid_t also_spared, struct leftovers *ret_leftovers)
{
	struct listing listing = {
		.whom = whom,
		.also_spared = also_spared,
		.ours_alone = whom->ours_alone || getpid() != 1,
		.leftovers = ret_leftovers,
	};

	ret_leftovers->count = 0;
	for_each_process(visit_to_list, &listing);
}

struct counting {
	const struct descendants *whom;
	unsigned count;
};

static void visit_to_count(pid_t pid, void *context)
{
	struct counting *counting = context;
	const struct place place = place_of(pid);

	if (is_meant(counting->whom, pid, &place) && place.state != 'Z' && descends_from(pid, getpid()))
		counting->count++;
}

/* Our own children (proc_tid_children(5), for one that has a single thread). Nobody leaves the list while it is read,
 * as nobody is reaped meanwhile. Returns 1 if there are others than those that are spared, 0 if not, or -1 where the
 * kernel does not say (CONFIG_PROC_CHILDREN). */
static int has_others(const struct descendants *whom)
{
	char text[1024];
	cleanup_close int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	pid_t pid = 0;

	for (;;) {
		const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text);

		if (length <= 0)
			return (int)length;
		for (ssize_t i = 0; i < length; i++) {
			if (isdigit((unsigned char)text[i])) {
				pid = 10 * pid + (text[i] - '0');
				continue;
			}
			if (pid > 0 && !is_spared(whom, pid)) /* a blank is behind each */
				return 1;
			pid = 0;
		}
	}
}

/* A mass exit asks again and again: its own children are one look, where all of /proc is many. Who is left of a session
 * is below one of them, which then is no helper and no other service. */
bool descendants_none(const struct descendants *whom)
{
	struct counting counting = { .whom = whom };
	const int others = has_others(whom);

	if (others == 0 || (others > 0 && whom->session == 0))
		return others == 0;
	for_each_process(visit_to_count, &counting);
	return counting.count == 0;
}

int descendants_signal(const struct descendants *whom, int signal, pid_t spared_group)
{
	struct descendants ours = *whom;
	struct signalling signalling = { .whom = whom, .signal = signal, .spared_group = spared_group };
	const bool one_by_one = spared_group != 0 || (signal == SIGKILL && whom->spared_count > 1);

	ours.ours_alone = true;
	if (getpid() != 1)
		signalling.whom = &ours;
	if (signalling.whom->ours_alone)
		return for_each_process(visit_to_signal, &signalling);
	if (!one_by_one || for_each_process(visit_to_signal, &signalling) < 0)
		kill(-1, signal);
	return 0;
}
