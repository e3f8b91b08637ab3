#include "init/notify.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NS_PER_US 1000
#define SHORTEST_NS (10 * NS_PER_MS) /* PID 1 has other things to do */

/* The manager's address; NULL: nobody is told. */
static const char *manager;

/* A number of digits alone, or 0. */
static int64_t number_of(const char *text)
{
	char *end;
	long long number;

	if (text == NULL || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	number = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' ? number : 0;
}

/* It is meant for us unless it names another process. */
static int64_t watchdog_of(const char *usec, const char *pid)
{
	const int64_t us = number_of(usec);
	int64_t half;

	if (us == 0 || us >= TIME_NEVER / NS_PER_US || (pid != NULL && number_of(pid) != getpid()))
		return 0;
	half = us * NS_PER_US / 2;
	return half > SHORTEST_NS ? half : SHORTEST_NS;
}

int notify_take(int64_t *ret_watchdog_ns)
{
	const char *address = getenv("NOTIFY_SOCKET"), *usec = getenv("WATCHDOG_USEC");
	bool understood = true;

	*ret_watchdog_ns = 0;
	if (address != NULL && *address != '\0') {
		manager = address; /* it stays where the kernel has put it */
		*ret_watchdog_ns = watchdog_of(usec, getenv("WATCHDOG_PID"));
		understood = usec == NULL || *usec == '\0' || strcmp(usec, "0") == 0 || number_of(usec) > 0;
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return understood ? 0 : -EINVAL;
}

static int connect_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const size_t length = strlen(name);
	cleanup_close int fd = -1;

	if ((name[0] != '/' && name[0] != '@') || length >= sizeof address.sun_path)
		return -EINVAL;
	memcpy(address.sun_path, name, length);
	if (name[0] == '@')
		address.sun_path[0] = '\0'; /* an abstract name (unix(7)) */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* A datagram's connect(2) waits for nobody. */
	if (fd < 0 ||
		connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) <
			0)
		return -errno;
	return take_fd(&fd);
}

int notify_send(const char *assignments)
{
	cleanup_close int fd = -1;

	if (manager == NULL)
		return 0;
	fd = connect_to(manager);
	if (fd < 0)
		return fd;
	return send(fd, assignments, strlen(assignments), MSG_NOSIGNAL) < 0 ? -errno : 0;
}
