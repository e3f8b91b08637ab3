#include "init/spawn.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "init/exec_reason.h"
#include "init/place.h"
#include "init/program.h"
#include "init/report.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SHELL_ARGS_MAX 1024

static_assert(sizeof(struct spawn_news) <= PIPE_BUF, "a message must arrive whole");

#if defined(__x86_64__)
#define THIS_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define THIS_MACHINE EM_AARCH64
#else
#error "name this architecture's e_machine of elf(5)"
#endif

extern char **environ;

/* ---- exec ---- */

/* What the kernel does not do itself: execvp(3) hands a text without #! to the shell. */
static void exec_as_script(const char *path, char **argv)
{
	static char *shell_argv[SHELL_ARGS_MAX];
	size_t count = 0;

	shell_argv[count++] = (char *)PROGRAM_SHELL;
	shell_argv[count++] = (char *)path;
	for (char **arg = argv + 1; *arg != NULL; arg++) {
		if (count == SHELL_ARGS_MAX - 1) {
			errno = E2BIG;
			return;
		}
		shell_argv[count++] = *arg;
	}
	shell_argv[count] = NULL;
	execve(PROGRAM_SHELL, shell_argv, environ);
	errno = ENOEXEC; /* the script's own fault stays the one to tell */
}

static bool looks_like_text(const char *path)
{
	char head[128];
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t length = fd < 0 ? -1 : fd_read_all(fd, head, sizeof head);

	return length >= 0 && memchr(head, '\0', (size_t)length) == NULL;
}

static void exec_file(const char *path, char **argv)
{
	execve(path, argv, environ);
	if (errno == ENOEXEC) {
		if (looks_like_text(path))
			exec_as_script(path, argv);
		else
			errno = ENOEXEC;
	}
}

/* The file tried last, and the one to blame. Static: a vforked child runs on PID 1's stack, and what it touches there
 * stays PID 1's. */
static char file[PATH_MAX], blamed[PATH_MAX];

/* Tries each directory of PATH. A hit that may not be executed is remembered, as a shell does, while the search goes
 * on. *ret_blamed is the file to blame, or the bare name. Returns errno of the failure. */
static int exec_in_path(char **argv, const char **ret_blamed)
{
	int remembered = ENOENT;

	*ret_blamed = argv[0];
	if (argv[0][0] == '\0') { /* a directory of PATH itself would be what "DIRECTORY/" means */
		*ret_blamed = "''";
		return ENOENT;
	}
	for (const char *path = program_path(); path != NULL;) {
		path = program_next(path, argv[0], file, sizeof file);
		if (file[0] == '\0')
			continue;
		exec_file(file, argv);
		if (errno == ENOTDIR || (errno == ENOENT && access(file, F_OK) < 0))
			continue;
		memcpy(blamed, file, sizeof blamed);
		*ret_blamed = blamed;
		if (errno != EACCES && errno != ENOENT)
			return errno;
		remembered = errno;
	}
	return remembered;
}

static size_t read_head(const char *path, char *head, size_t size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t length = fd < 0 ? 0 : fd_read_all(fd, head, size);

	return length < 0 ? 0 : (size_t)length;
}

int spawn_exec(char **argv, int *ret_error, struct complaint *ret_why)
{
	const char *tried = argv[0];
	struct stat status;
	char head[128];
	int error;

	if (strchr(argv[0], '/') != NULL) {
		exec_file(argv[0], argv);
		error = errno;
	} else {
		error = exec_in_path(argv, &tried);
	}
	*ret_error = error;
	return exec_reason(tried, error, stat(tried, &status) == 0 ? status.st_mode : 0, head,
		read_head(tried, head, sizeof head), THIS_MACHINE, ret_why);
}

/* As far as can be told without executing it: that it is there, and may be executed. Returns 0, or a status and a
 * sentence. */
static int rehearse_exec(char **argv, struct complaint *ret_why)
{
	const bool has_slash = strchr(argv[0], '/') != NULL;
	int error = ENOENT;

	if (has_slash && access(argv[0], X_OK) < 0)
		error = errno;
	else if (has_slash)
		return 0;
	for (const char *path = has_slash ? NULL : program_path(); path != NULL;) {
		path = program_next(path, argv[0], file, sizeof file);
		if (access(file, X_OK) == 0)
			return 0;
		if (errno == EACCES)
			error = errno;
	}
	/* Any other reason may be the filter's, which binds us already. */
	return error == ENOENT || error == EACCES ? exec_reason(argv[0], error, 0, "", 0, THIS_MACHINE, ret_why) : 0;
}

/* ---- the child ---- */

/* A libc would try again for ever, and nobody would ever hear of it. */
_Noreturn void spawn_leave(int status)
{
	syscall(SYS_exit_group, status);
	__builtin_trap();
}

/* The pipe is empty and has room for far more than all layers together could tell: this does not block. */
static void tell(int fd, enum spawn_news_type type, int layer, const char *text)
{
	struct spawn_news news = { .type = type, .layer = layer };

	snprintf(news.text.text, sizeof news.text.text, "%s", text);
	fd_write_all(fd, &news, sizeof news);
}

static void tell_not_enforced(void *context, enum layer layer, const char *why)
{
	tell(*(int *)context, SPAWN_NOT_ENFORCED, (int)layer, why);
}

static void tell_read_only(void *context, const char *how)
{
	tell(*(int *)context, SPAWN_READ_ONLY, LAYER_READ_ONLY, how);
}

static void tell_no_listener(void *context, const char *why)
{
	tell(*(int *)context, SPAWN_NO_LISTENER, LAYER_SECCOMP, why);
}

static _Noreturn void refuse(int fd, int status, const struct complaint *why)
{
	tell(fd, SPAWN_REFUSED, 0, why->text);
	spawn_leave(status);
}

static void send_listener(void *context, int listener)
{
	const struct spawn_news news = { .type = SPAWN_LISTENER };
	struct complaint why;
	int error = fd_send(*(int *)context, &news, sizeof news, listener);

	if (error < 0) {
		complain(&why, -error, "seccomp: cannot hand the listener over: %s", strerror(-error));
		refuse(*(int *)context, SPAWN_STATUS_REFUSED, &why);
	}
}

/* Where there is no /dev/null our own input stays. */
static void take_output(int output)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (nothing >= 0)
		dup2(nothing, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
}

/* Into the log's pipes. */
static void take_streams(const int streams[static 2])
{
	for (int i = 0; i < 2; i++)
		if (streams[i] > 0)
			dup2(streams[i], STDOUT_FILENO + i);
}

static _Noreturn void become_workload(const struct spawn_request *request, pid_t parent, int news_fd)
{
	const struct personality *personality = request->personality;
	struct confine_reporter reporter = {
		.not_enforced = tell_not_enforced,
		.read_only = tell_read_only,
		.listener = spawn_is_reported(request) ? send_listener : NULL,
		.no_listener = tell_no_listener,
		.context = &news_fd,
	};
	struct complaint why;
	int status, error;

	take_streams(request->streams);
	if (request->output > 0)
		take_output(request->output);
	if (!request->beside) /* sockets and watchdog are the service's */
		place_pids(personality, parent, request->watchdog);
	if (request->silent)
		place_nothing_to_say();
	if (place_child(personality, request->hand_over_terminal) != 0)
		_exit(1);
	if (request->secrets != NULL && secret_read(request->secrets, !request->beside, &why) < 0)
		refuse(news_fd, SPAWN_STATUS_REFUSED, &why);
	if (confine_apply(request->plan, request->again, &reporter, &why) < 0)
		refuse(news_fd, SPAWN_STATUS_REFUSED, &why);
	if (request->secrets != NULL && secret_put(&why) < 0)
		refuse(news_fd, SPAWN_STATUS_REFUSED, &why);
	if (request->rehearsal) {
		status = rehearse_exec(request->argv, &why);
		if (status != 0)
			refuse(news_fd, status, &why);
		spawn_leave(0);
	}
	place_signals(personality, request->signal_mask);
	status = spawn_exec(request->argv, &error, &why);
	if (personality->kind == NULL)
		refuse(news_fd, status, &why);
	report(personality, PERSONALITY_EXEC_FAILED, 0, error, 0);
	spawn_leave(personality_exec_status(personality, error));
}

/* ---- the parent ---- */

bool spawn_is_reported(const struct spawn_request *request)
{
	return request->plan->asked->seccomp_report && !request->beside;
}

int spawn_workload(const struct spawn_request *request, pid_t *ret_pid, int *ret_news_fd)
{
	pid_t parent = getpid(), pid;
	int news[2];

	if ((spawn_is_reported(request) ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, news)
					: pipe2(news, O_CLOEXEC | O_NONBLOCK)) < 0)
		return -errno;
	/* vfork(2) spares the copy of our page tables, a quarter of a plain start. It holds PID 1 until the child
	 * executes, and the child writes into our memory: both only where it has nothing to do but that, and where
	 * nobody waits for us yet. */
	pid = confine_is_light(request->plan) && !request->again && request->secrets == NULL ? vfork() : fork();
	if (pid == 0)
		become_workload(request, parent, news[1]);
	if (pid < 0) {
		int error = -errno;

		close(news[0]);
		close(news[1]);
		return error;
	}
	close(news[1]);
	*ret_pid = pid;
	*ret_news_fd = news[0];
	return 0;
}

int spawn_rehearse(const struct spawn_request *request, struct complaint *ret_why)
{
	struct spawn_request rehearsal = *request;
	struct spawn_news news;
	cleanup_close int fd = -1;
	bool refused = false;
	int error, status;
	pid_t pid;

	rehearsal.rehearsal = rehearsal.beside = rehearsal.again = true;
	rehearsal.hand_over_terminal = false;
	error = spawn_workload(&rehearsal, &pid, &fd);
	if (error < 0)
		return complain(ret_why, -error, "%s", strerror(-error));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	while (!refused && spawn_read_news(fd, &news, NULL) == 1)
		refused = news.type == SPAWN_REFUSED;
	return refused ? complain(ret_why, EINVAL, "%s", news.text.text) : 0;
}

int spawn_read_news(int fd, struct spawn_news *ret_news, int *ret_listener)
{
	struct spawn_news news;
	/* Neither blocks: pipe and sockets are made so. */
	ssize_t count = ret_listener != NULL ? fd_receive(fd, &news, sizeof news, ret_listener)
					     : read(fd, &news, sizeof news);

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (count != sizeof news || news.type < 0 || news.type >= SPAWN_NEWS_COUNT || news.layer < 0 ||
		news.layer >= LAYER_COUNT)
		return 0;
	news.text.text[sizeof news.text.text - 1] = '\0';
	*ret_news = news;
	return 1;
}
