#include "seccomp-profiles/compile_child.h"

#include "base/cleanup.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

#define CHILD_MEMORY (256u * 1024 * 1024)
#define CHILD_CPU_SECONDS (SECCOMP_COMPILE_TIMEOUT_MS / 1000)

/* What the child says, whole or not at all. Plain memory of the same program: no version, no byte order. */
struct reply {
	int32_t result; /* 0 or -errno */
	struct complaint why;
	struct seccomp_warnings warnings;
	struct seccomp_program program;
};

static void limit(int resource, rlim_t value)
{
	struct rlimit both = { value, value }, now;

	if (getrlimit(resource, &now) == 0 && value < now.rlim_cur)
		setrlimit(resource, &both);
}

/* A file of somebody else's is parsed here: what it can ask for is bounded. */
static void confine(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, CHILD_CPU_SECONDS);
#if !defined(__SANITIZE_ADDRESS__) /* its shadow memory is terabytes of address space */
	limit(RLIMIT_AS, CHILD_MEMORY);
#endif
}

static _Noreturn void run_child(const char *path, const struct seccomp_context *context, struct reply *reply, int fd)
{
	confine();
	reply->result = seccomp_compile_file(path, context, &reply->program, &reply->warnings, &reply->why);
	_exit(fd_write_all(fd, reply, sizeof *reply) < 0);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads the reply until it is whole, the child has closed its end, or the time is over. Returns the bytes or -errno. */
static ssize_t read_reply(int fd, struct reply *reply)
{
	const int64_t deadline = now_ms() + SECCOMP_COMPILE_TIMEOUT_MS;
	size_t have = 0;

	while (have < sizeof *reply) {
		struct pollfd slot = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_ms();
		ssize_t count;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&slot, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
		if (slot.revents == 0)
			continue;
		count = read(fd, (char *)reply + have, sizeof *reply - have);
		if (count == 0)
			break;
		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0)
			have += (size_t)count;
	}
	return (ssize_t)have;
}

static bool is_valid(const struct reply *reply)
{
	const struct seccomp_program *program = &reply->program;

	if (reply->result != 0)
		return reply->result < 0 && reply->result > -PROFILE_ERRNO_MAX;
	return program->length >= 1 && program->length <= BPF_MAXINSNS &&
		(program->flags & ~(uint32_t)(SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW)) == 0 &&
		(program->listener_flags & ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) == 0;
}

/* Strings that came through the pipe end where their arrays end. */
static void close_strings(struct reply *reply)
{
	reply->why.text[sizeof reply->why.text - 1] = '\0';
	for (size_t i = 0; i < SECCOMP_WARNINGS_MAX; i++)
		reply->warnings.unknown[i].name[SECCOMP_NAME_SIZE - 1] = '\0';
}

static int judge(const char *path, ssize_t have, int status, const struct reply *reply, struct complaint *ret_why)
{
	if (have == -ETIMEDOUT)
		return complain(
			ret_why, ETIMEDOUT, "%.256s: not compiled after %d s", path, SECCOMP_COMPILE_TIMEOUT_MS / 1000);
	if (have < 0)
		return complain(ret_why, (int)-have, "%.256s: the compiler's pipe: %s", path, strerror((int)-have));
	if ((size_t)have < sizeof *reply && WIFSIGNALED(status))
		return complain(ret_why, EPROTO, "%.256s: the compiler died of signal %d (%s)", path, WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	if ((size_t)have < sizeof *reply || !is_valid(reply))
		return complain(ret_why, EPROTO, "%.256s: the compiler gave no answer", path);
	if (reply->result < 0)
		*ret_why = reply->why;
	return reply->result;
}

int seccomp_compile_in_child(const char *path, const struct seccomp_context *context,
	struct seccomp_program *ret_program, struct seccomp_warnings *ret_warnings, struct complaint *ret_why)
{
	cleanup_free struct reply *reply = calloc(1, sizeof *reply);
	cleanup_close int read_end = -1;
	int ends[2], status = 0, rc;
	ssize_t have;
	pid_t child;

	if (reply == NULL)
		return complain(ret_why, ENOMEM, "%.256s: out of memory", path);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return complain(ret_why, errno, "%.256s: pipe2: %s", path, strerror(errno));
	read_end = ends[0];
	child = fork();
	if (child == 0)
		run_child(path, context, reply, ends[1]);
	rc = errno;
	close(ends[1]);
	if (child < 0)
		return complain(ret_why, rc, "%.256s: fork: %s", path, strerror(rc));
	have = read_reply(read_end, reply);
	/* Whole, closed or late: in every case it has nothing more to say. One that has already ended keeps its status.
	 */
	kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	close_strings(reply);
	rc = judge(path, have, status, reply, ret_why);
	if (rc < 0)
		return rc;
	*ret_program = reply->program;
	*ret_warnings = reply->warnings;
	return 0;
}
