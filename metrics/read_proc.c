#include "metrics/read_proc.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "metrics/process_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* What the processes of one service add up to. */
struct sum {
	uint64_t user_ticks;
	uint64_t system_ticks;
	uint64_t resident_pages;
	uint64_t threads;
	uint64_t processes;
	uint64_t fds;
	bool fds_known;
};

static int read_stat(int proc_fd, pid_t pid, struct proc_stat *ret_stat)
{
	char path[32], text[2048]; /* 52 numbers of at most 20 digits, and a name of 64 bytes */
	cleanup_close int fd = -1;
	ssize_t length;

	snprintf(path, sizeof path, "%d/stat", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = fd_read_all(fd, text, sizeof text - 1);
	if (length <= 0)
		return length == 0 ? -ESRCH : (int)length;
	text[length] = '\0';
	return proc_parse_stat(text, ret_stat);
}

/* How many descriptors the process has open. Since Linux 6.2 the size of /proc/PID/fd says so (proc_pid_fd(5)): it
 * needs no right to look into the directory. */
static int count_fds(int proc_fd, const char *pid, uint64_t *ret_count)
{
	char path[64];
	struct stat info;

	snprintf(path, sizeof path, "%s/fd", pid);
	if (fstatat(proc_fd, path, &info, 0) < 0)
		return -errno;
	*ret_count = (uint64_t)info.st_size;
	return 0;
}

/* An older kernel says 0 for every process: this one has a descriptor open at least, proc_fd. */
static bool can_count_fds(int proc_fd)
{
	uint64_t own = 0;

	return count_fds(proc_fd, "self", &own) == 0 && own > 0;
}

static void add_process(int proc_fd, const struct proc_stat *stat, struct sum *sum)
{
	char pid[16];
	uint64_t fds = 0;
	int error;

	sum->user_ticks += stat->user_ticks + stat->child_user_ticks;
	sum->system_ticks += stat->system_ticks + stat->child_system_ticks;
	sum->resident_pages += stat->resident_pages;
	sum->threads += stat->threads;
	sum->processes++;
	if (!sum->fds_known || stat->state == 'Z')
		return;
	snprintf(pid, sizeof pid, "%d", stat->pid);
	error = count_fds(proc_fd, pid, &fds);
	if (error == 0)
		sum->fds += fds;
	else if (error != -ENOENT && error != -ESRCH) /* it may be gone by now */
		sum->fds_known = false;
}

/* Everybody in /proc. */
struct list {
	struct process *process;
	size_t count, room;
};

static int add_to_list(struct list *list, const struct proc_stat *stat)
{
	if (list->count == list->room) {
		const size_t room = list->room > 0 ? 2 * list->room : 64;
		struct process *larger = realloc(list->process, room * sizeof *larger);

		if (larger == NULL)
			return -ENOMEM;
		list->process = larger;
		list->room = room;
	}
	list->process[list->count++] = (struct process){ .stat = *stat };
	return 0;
}

static int read_everybody(DIR *directory, int proc_fd, struct list *list)
{
	struct dirent *entry;
	size_t seen = 0;

	while ((entry = readdir(directory)) != NULL) {
		struct proc_stat stat;
		pid_t pid;
		int error;

		if (proc_parse_pid(entry->d_name, &pid) < 0)
			continue;
		if (++seen > READ_PROC_MAX)
			return -E2BIG;
		if (read_stat(proc_fd, pid, &stat) < 0)
			continue; /* it has ended meanwhile */
		error = add_to_list(list, &stat);
		if (error < 0)
			return error;
	}
	return 0;
}

static int list_everybody(int proc_fd, struct list *list)
{
	int dir_fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;
	DIR *directory;

	if (dir_fd < 0)
		return -errno;
	directory = fdopendir(dir_fd);
	if (directory == NULL) {
		close(dir_fd);
		return -ENOMEM;
	}
	error = read_everybody(directory, proc_fd, list);
	closedir(directory);
	return error;
}

static int add_up(int proc_fd, const struct proc_stat *main, struct sum *sum)
{
	struct list list = { .count = 0 };
	int error = list_everybody(proc_fd, &list);

	if (error == 0) {
		process_tree_mark(list.process, list.count, main);
		for (size_t i = 0; i < list.count; i++)
			if (list.process[i].whose == PROCESS_SERVICE)
				add_process(proc_fd, &list.process[i].stat, sum);
	}
	free(list.process);
	return error;
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
	long per_second = sysconf(_SC_CLK_TCK);

	return ticks * (uint64_t)(NS_PER_S / per_second); /* 100 of them on Linux (time(7)): no remainder */
}

int read_service(int proc_fd, pid_t main_pid, struct cpu_mark *mark, struct readings *readings)
{
	struct sum sum = { 0 };
	struct proc_stat main;
	int error;

	if (main_pid == 0)
		return 0;
	error = read_stat(proc_fd, main_pid, &main);
	if (error < 0)
		return error == -ENOENT ? -ESRCH : error;
	sum.fds_known = can_count_fds(proc_fd);
	error = add_up(proc_fd, &main, &sum);
	if (error < 0)
		return error;
	readings_set(readings, READING_CPU_USER_NS, ticks_to_ns(sum.user_ticks));
	readings_set(readings, READING_CPU_SYSTEM_NS, ticks_to_ns(sum.system_ticks));
	readings_set(readings, READING_RESIDENT_BYTES, sum.resident_pages * (uint64_t)sysconf(_SC_PAGESIZE));
	readings_set(readings, READING_THREADS, sum.threads);
	readings_set(readings, READING_PROCESSES, sum.processes);
	if (sum.fds_known)
		readings_set(readings, READING_OPEN_FDS, sum.fds);
	readings_hold_cpu(readings, mark, main_pid, main.start_ticks);
	return 0;
}
