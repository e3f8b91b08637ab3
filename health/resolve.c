#include "health/resolve.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "base/worker.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Who looks up a thousand names one after the other finds its child waiting each time; of who does so now and then
 * nothing is left between. */
#define WAIT_NS NS_PER_S
#define WAITING_MAX 16

/* The child's records. */
struct question {
	char host[TARGET_HOST_SIZE];
	uint16_t port;
};

struct answer {
	int32_t error;  /* of getaddrinfo(3), 0: none */
	uint32_t count; /* 1 to ENDPOINT_MAX if there is no error */
	struct endpoint endpoint[ENDPOINT_MAX];
};

/* The children that have nothing to do: the last one is the next that is asked, the first one has waited longest. */
static struct waiting {
	struct resolve child;
	int64_t until_ns;
} waiting[WAITING_MAX];
static size_t waiting_count;
static bool keeps;

void resolve_keep(void)
{
	keeps = true;
}

void resolve_tidy(int64_t now)
{
	while (waiting_count > 0 && waiting[0].until_ns <= now) {
		resolve_abandon(&waiting[0].child);
		memmove(waiting, waiting + 1, --waiting_count * sizeof waiting[0]);
	}
}

int64_t resolve_tidy_ns(void)
{
	return waiting_count > 0 ? waiting[0].until_ns : TIME_NEVER;
}

/* It has answered. */
static void let_wait(struct resolve *resolve, int64_t now)
{
	if (!keeps || waiting_count == WAITING_MAX) {
		resolve_abandon(resolve);
		return;
	}
	waiting[waiting_count++] = (struct waiting){ *resolve, now + WAIT_NS };
	*resolve = (struct resolve){ .fd = -1 };
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
	if (found != NULL)
		freeaddrinfo(found);
}

/* Until the other end is closed. */
static void answer_questions(int fd, const void *context)
{
	struct question question;
	struct answer answer;

	(void)context;
	while (read(fd, &question, sizeof question) == sizeof question) {
		memset(&answer, 0, sizeof answer);
		look_up(question.host, question.port, &answer);
		fd_write_all(fd, &answer, sizeof answer);
	}
}

static bool ask(const struct resolve *resolve, const struct question *question)
{
	return send(resolve->fd, question, sizeof *question, MSG_NOSIGNAL) == sizeof *question;
}

/* One that has died while it waited has closed its end. */
int resolve_start(struct resolve *resolve, const char *host, uint16_t port)
{
	struct question question = { .port = port };
	int r;

	snprintf(question.host, sizeof question.host, "%s", host);
	while (waiting_count > 0) {
		*resolve = waiting[--waiting_count].child;
		if (ask(resolve, &question))
			return 0;
		resolve_abandon(resolve);
	}
	r = worker_start(answer_questions, NULL, &resolve->pid, &resolve->fd);
	if (r == 0 && !ask(resolve, &question)) {
		r = -errno;
		resolve_abandon(resolve);
	}
	return r;
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

int resolve_finish(
	struct resolve *resolve, int64_t now, struct endpoint ret_endpoint[ENDPOINT_MAX], struct complaint *ret_why)
{
	struct answer answer;
	ssize_t length;
	int r;

	do {
		length = read(resolve->fd, &answer, sizeof answer);
	} while (length < 0 && errno == EINTR);
	if (length < 0 && errno == EAGAIN)
		return -EAGAIN;
	r = check_answer(&answer, length, ret_why);
	if (r > 0 || r == -ENOENT)
		let_wait(resolve, now);
	else
		resolve_abandon(resolve);
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
