#include "base/control_client.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

static int wait_for(int fd, short events, int64_t deadline_ns)
{
	for (;;) {
		struct pollfd slot = { .fd = fd, .events = events };
		int64_t left = deadline_ns - clock_now_ns();
		struct timespec limit = { .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
		int ready = left <= 0 ? 0 : ppoll(&slot, 1, &limit, NULL);

		if (ready == 0)
			return -ETIMEDOUT;
		if (ready > 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

static int open_connection(struct complaint *ret_why)
{
	struct sockaddr_un address;
	socklen_t length;
	cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	control_client_address(&address, &length);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, length) < 0)
		return complain(ret_why, errno, "no nest-init answers at @%s: %s%s", control_name(&address),
			strerror(errno),
			errno == ECONNREFUSED ? " (PID 1 serves it when it has a check, --metrics, --seccomp-report or "
						"several services)"
					      : "");
	return take_fd(&fd);
}

/* Receives one valid record. */
static int receive(int fd, int64_t deadline_ns, union wire_record *record, struct complaint *ret_why)
{
	int error = wait_for(fd, POLLIN, deadline_ns);
	ssize_t length;

	if (error < 0)
		return complain(ret_why, -error, "nest-init does not answer%s%s",
			error == -ETIMEDOUT ? " in time: PID 1 or its monitor hangs" : ": ",
			error == -ETIMEDOUT ? "" : strerror(-error));
	length = recv(fd, record, sizeof *record, MSG_TRUNC);
	if (length <= 0 || (size_t)length > sizeof *record || wire_validate(record, (size_t)length) < 0)
		return complain(ret_why, EBADMSG, "nest-init's answer broke off (is PID 1 another version of it?)");
	return 0;
}

int control_ask(enum wire_question question, enum check_kind kind, int64_t timeout_ns,
	void (*take)(void *context, const union wire_record *record), void *context, struct complaint *ret_why)
{
	int64_t deadline_ns = clock_now_ns() + timeout_ns;
	union wire_record record = { .ask = { .question = question, .kind = kind } };
	cleanup_close int fd = open_connection(ret_why);
	int error = 0;

	if (fd < 0)
		return fd;
	wire_seal(&record, WIRE_ASK);
	if (send(fd, &record, sizeof record.ask, MSG_NOSIGNAL) < 0)
		return complain(ret_why, errno, "nest-init does not listen: %s", strerror(errno));
	while ((error = receive(fd, deadline_ns, &record, ret_why)) == 0 && record.header.type != WIRE_END)
		take(context, &record);
	return error;
}

int control_order(enum wire_command command, uint32_t service, int signal, int64_t timeout_ns,
	struct wire_ordered *ret_ordered, struct complaint *ret_why)
{
	int64_t deadline_ns = clock_now_ns() + timeout_ns;
	union wire_record record = { .order = { .command = command, .service = service, .signal = (uint32_t)signal } };
	cleanup_close int fd = open_connection(ret_why);
	int error;

	if (fd < 0)
		return fd;
	wire_seal(&record, WIRE_ORDER);
	if (send(fd, &record, sizeof record.order, MSG_NOSIGNAL) < 0)
		return complain(ret_why, errno, "nest-init does not listen: %s", strerror(errno));
	error = receive(fd, deadline_ns, &record, ret_why);
	if (error == 0 && record.header.type != WIRE_ORDERED)
		return complain(ret_why, EBADMSG, "nest-init answers something else (is PID 1 another version of it?)");
	if (error == 0)
		*ret_ordered = record.ordered;
	return error;
}
