#include "health/resolve.h"

#include "base/fdio.h"
#include "base/worker.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child sends: one record, shorter than PIPE_BUF, so that it comes whole (pipe(7)). */
struct answer {
	int32_t error;  /* of getaddrinfo(3), 0: none */
	uint32_t count; /* 1 to ENDPOINT_MAX if there is no error */
	struct endpoint endpoint[ENDPOINT_MAX];
};
_Static_assert(sizeof(struct answer) <= PIPE_BUF, "an answer is written at once");

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

struct question {
	const char *host;
	uint16_t port;
};

/* The list is not freed: the process ends. */
static void answer_question(int fd, const void *context)
{
	const struct question *question = context;
	struct answer answer;

	memset(&answer, 0, sizeof answer);
	look_up(question->host, question->port, &answer);
	fd_write_all(fd, &answer, sizeof answer);
}

int resolve_start(struct resolve *resolve, const char *host, uint16_t port)
{
	return worker_start(answer_question, &(struct question){ host, port }, &resolve->pid, &resolve->fd);
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
