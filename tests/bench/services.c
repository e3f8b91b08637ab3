/* The row services: from the fork to READY=1, when all of them run, and from TERM to the end; in chains of ten, each of
 * which depends on the one before. The time between is none of nest-init's. */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHAIN 10
#define ADDRESS "@nest-bench-services" /* abstract, in the bench's own network */
#define PATIENCE_MS 60000

/* The file's name says how many: services-100.json. */
static int write_file(const char *path)
{
	const int count = atoi(strrchr(path, '-') + 1);
	FILE *file = fopen(path, "we");

	if (!file)
		return -errno;
	fputs("{\"services\":{", file);
	for (int i = 0; i < count; i++) {
		fprintf(file, "%s\"s%d\":{\"command\":[\"/bin/sleep\",\"1000\"],\"stop\":{\"clean_exit\":[143]}",
			i > 0 ? "," : "", i);
		if (i % CHAIN > 0)
			fprintf(file, ",\"depends_on\":[\"s%d\"]", i - 1);
		fputs("}", file);
	}
	fputs("},\"log\":{\"level\":\"warning\"}}", file);
	return fclose(file) == 0 ? 0 : -errno;
}

static int listen_for_ready(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = ADDRESS };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	address.sun_path[0] = '\0';
	if (fd >= 0 &&
		bind(fd, (struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(ADDRESS))) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool hear_ready(int fd)
{
	struct pollfd slot = { .fd = fd, .events = POLLIN };
	char text[64] = "";

	return poll(&slot, 1, PATIENCE_MS) == 1 && recv(fd, text, sizeof text - 1, 0) > 0 &&
		strncmp(text, "READY=1", 7) == 0;
}

static pid_t start(const struct program *program)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	setenv("NOTIFY_SOCKET", ADDRESS, 1);
	execl(program->path, program->path, program->options[0], program->options[1], "--", NULL);
	_exit(127);
}

static int run(const struct program *program, int64_t *ret_ns, long *ret_kb)
{
	int fd = listen_for_ready(), status = -1, error = write_file(program->options[1]);
	int64_t began = now_ns(), ready, asked;
	bool is_ready;
	pid_t pid;

	if (fd < 0 || error < 0)
		return fd < 0 ? -errno : error;
	began = now_ns();
	pid = start(program);
	is_ready = pid > 0 && hear_ready(fd);
	ready = now_ns();
	*ret_kb = is_ready ? proc_number(pid, "smaps_rollup", "Anonymous:") : -1;
	close(fd);
	asked = now_ns();
	if (pid > 0 && kill(pid, is_ready ? SIGTERM : SIGKILL) == 0)
		waitpid(pid, &status, 0);
	*ret_ns = now_ns() - asked + ready - began;
	return is_ready && status == 0 ? 0 : -ENOEXEC;
}

int measure_services(const struct program *program, double *ret_value)
{
	int64_t ns;
	long kb;
	int error = run(program, &ns, &kb);

	if (error == 0)
		*ret_value = (double)ns;
	return error;
}

int measure_services_memory(const struct program *program, double *ret_value)
{
	int64_t ns;
	long kb;
	int error = run(program, &ns, &kb);

	if (error == 0)
		*ret_value = (double)kb;
	return error;
}
