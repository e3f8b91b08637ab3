#include "health/resolve.h"

#include "base/cleanup.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child sends: one record, shorter than PIPE_BUF, so that it comes whole (pipe(7)). */
struct answer {
	int32_t error;  /* of getaddrinfo(3), 0: none */
	uint32_t count; /* 1 to ENDPOINT_MAX if there is no error */
	struct endpoint endpoint[ENDPOINT_MAX];
};
_Static_assert(sizeof(struct answer) <= PIPE_BUF, "an answer is written at once");

/* Everything but standard streams and the pipe: connections of the parent would stay open as long as the child. Where
 * the call is missing or denied, they do. */
static void close_others(int kept)
{
#ifdef SYS_close_range
	if (kept > 3)
		syscall(SYS_close_range, 3U, (unsigned)kept - 1, 0U);
	syscall(SYS_close_range, (unsigned)kept + 1, ~0U, 0U);
#else
	(void)kept;
#endif
}

/* The addresses in the order of getaddrinfo(3). AI_ADDRCONFIG is left out: in a container without a network it would
 * hide the names of /etc/hosts that mean loopback. */
static void look_up(const char *host, uint16_t port, struct answer *ret_answer)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV
	};
	struct addrinfo *found = NULL, *each;
	char service[sizeof "65535"];

	snprintf(service, sizeof service, "%u", port);
	ret_answer->error = getaddrinfo(host, service, &hints, &found);
	for (each = found; ret_answer->error == 0 && each != NULL && ret_answer->count < ENDPOINT_MAX;
		each = each->ai_next)
		if ((each->ai_family == AF_INET || each->ai_family == AF_INET6) &&
			each->ai_addrlen <= sizeof ret_answer->endpoint[0])
			memcpy(&ret_answer->endpoint[ret_answer->count++], each->ai_addr, each->ai_addrlen);
	if (ret_answer->error == 0 && ret_answer->count == 0)
		ret_answer->error = EAI_NONAME;
}

/* The list is not freed: the process ends. It dies with its parent, which might be killed (PR_SET_PDEATHSIG, prctl(2)).
 */
static _Noreturn void run_child(int fd, pid_t parent, const char *host, uint16_t port)
{
	struct answer answer;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	close_others(fd);
	memset(&answer, 0, sizeof answer);
	look_up(host, port, &answer);
	_exit(fd_write_all(fd, &answer, sizeof answer) < 0);
}

int resolve_start(struct resolve *resolve, const char *host, uint16_t port)
{
	cleanup_close int reader = -1;
	cleanup_close int writer = -1;
	const pid_t parent = getpid();
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	reader = ends[0];
	writer = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_child(writer, parent, host, port);
	resolve->fd = take_fd(&reader);
	resolve->pid = pid;
	return 0;
}

/* The C library's own words differ between glibc and musl. */
static const struct {
	int error;
	const char *text;
} lookup_errors[] = {
	{ EAI_NONAME, "name not known" },
	{ EAI_AGAIN, "name server does not answer" },
	{ EAI_FAIL, "name server failed" },
	{ EAI_MEMORY, "no memory for the name's addresses" },
#ifdef EAI_NODATA
	{ EAI_NODATA, "name has no address" },
#endif
};

static const char *describe_lookup_error(int error)
{
	size_t i;

	for (i = 0; i < sizeof lookup_errors / sizeof lookup_errors[0]; i++)
		if (lookup_errors[i].error == error)
			return lookup_errors[i].text;
	return "name cannot be looked up";
}

/* The child parses what a name server sent: it is not trusted. */
static int check_answer(const struct answer *answer, ssize_t length, struct complaint *ret_why)
{
	size_t i;

	if (length != sizeof *answer)
		return complain(ret_why, ENODATA, "the resolver ended without an answer");
	if (answer->error != 0)
		return complain(ret_why, ENOENT, "%s", describe_lookup_error(answer->error));
	if (answer->count < 1 || answer->count > ENDPOINT_MAX)
		return complain(ret_why, EBADMSG, "the resolver's answer is not valid");
	for (i = 0; i < answer->count; i++)
		if (answer->endpoint[i].address.any.sa_family != AF_INET &&
			answer->endpoint[i].address.any.sa_family != AF_INET6)
			return complain(ret_why, EBADMSG, "the resolver's answer is not valid");
	return (int)answer->count;
}

int resolve_finish(struct resolve *resolve, struct endpoint ret_endpoint[ENDPOINT_MAX], struct complaint *ret_why)
{
	struct answer answer;
	ssize_t length;
	int r;

	do {
		length = read(resolve->fd, &answer, sizeof answer);
	} while (length < 0 && errno == EINTR);
	if (length < 0 && errno == EAGAIN)
		return -EAGAIN;
	resolve_abandon(resolve);
	r = check_answer(&answer, length, ret_why);
	if (r > 0)
		memcpy(ret_endpoint, answer.endpoint, (size_t)r * sizeof ret_endpoint[0]);
	return r;
}

/* Waiting for a process that SIGKILL has reached takes microseconds; not waiting would leave a zombie. */
void resolve_abandon(struct resolve *resolve)
{
	if (resolve->pid <= 0)
		return;
	close(resolve->fd);
	kill(resolve->pid, SIGKILL);
	while (waitpid(resolve->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*resolve = (struct resolve){ .fd = -1 };
}
