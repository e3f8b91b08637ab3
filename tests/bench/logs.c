/* The row logs: from the first line that a service writes to the end of whoever wrote the last one into a file, all
 * with timestamps and files that are rotated by size; on a tmpfs, as some of them wait for the disk and others do not.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES "20000" /* of 100 bytes */
#define FOLDER "logs/"

/* svlogd reads its settings there. */
static int make_folders(void)
{
	static const char settings[] = "s1048576\nn5\n";
	int fd;

	mkdir(FOLDER "svlogd", 0755);
	mkdir(FOLDER "s6-log", 0755);
	mkdir(FOLDER "multilog", 0755);
	fd = open(FOLDER "svlogd/config", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, settings, sizeof settings - 1) < 0)
		return -errno;
	close(fd);
	return 0;
}

static _Noreturn void execute(const struct program *program, const char *const *words)
{
	const char *argv[ARGS_MAX] = { program->path };
	size_t count = 1;

	for (size_t i = 0; i < OPTIONS_MAX && program->options[i]; i++)
		argv[count++] = program->options[i];
	for (; words && *words; words++)
		argv[count++] = *words;
	argv[count] = NULL;
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static bool ends_well(pid_t pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* The service, and whoever reads what it writes. */
static bool run_pipeline(const struct program *reader, const char *const *service)
{
	int ends[2];
	pid_t from, to;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	from = fork();
	if (from == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execv(service[0], (char *const *)service);
		_exit(127);
	}
	to = fork();
	if (to == 0) {
		dup2(ends[0], STDIN_FILENO);
		execute(reader, NULL);
	}
	close(ends[0]);
	close(ends[1]);
	return ends_well(from) & ends_well(to);
}

static bool run_below(const struct program *init, const char *const *service)
{
	pid_t pid = fork();

	if (pid == 0)
		execute(init, service);
	return ends_well(pid);
}

int measure_logs(const struct program *program, double *ret_value)
{
	const char *const service[] = { workload_path, "lines", LINES, NULL };
	int error = make_folders();
	int64_t began = now_ns();

	if (error < 0)
		return error;
	if (!(program->ours ? run_below : run_pipeline)(program, service))
		return -ENOEXEC;
	*ret_value = (double)(now_ns() - began);
	return 0;
}
