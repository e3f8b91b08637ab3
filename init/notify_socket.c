#include "init/notify_socket.h"

#include "base/cleanup.h"
#include "base/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_US 1000

/* An abstract name needs no writable file system, and none that the workload sees as PID 1 does. Nobody's rights keep
 * others from sending there: the monitor asks each message who has sent it, which the kernel knows (SO_PASSCRED). */
static int open_socket(struct sockaddr_un *ret_address, struct complaint *ret_why)
{
	static const int on = 1;
	static const char suffix[] = "/notify";
	cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t length;

	control_address(getpid(), ret_address, &length);
	memcpy((char *)ret_address + length, suffix,
		sizeof suffix); /* the control socket's is far shorter than the room */
	length += sizeof suffix - 1;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
		bind(fd, (struct sockaddr *)ret_address, length) < 0)
		return complain(
			ret_why, errno, "monitor: notify socket @%s: %s", control_name(ret_address), strerror(errno));
	return take_fd(&fd);
}

static int set_variables(const char *name, int64_t watchdog_ns)
{
	char text[sizeof((struct sockaddr_un *)0)->sun_path + 1];

	snprintf(text, sizeof text, "@%s", name);
	if (setenv("NOTIFY_SOCKET", text, 1) < 0)
		return -errno;
	if (watchdog_ns == 0)
		return 0;
	snprintf(text, sizeof text, "%lld", (long long)(watchdog_ns / NS_PER_US));
	return setenv("WATCHDOG_USEC", text, 1) < 0 || setenv("WATCHDOG_PID", "0", 1) < 0 ? -errno : 0;
}

int notify_socket_open(const struct model *model, struct complaint *ret_why)
{
	struct sockaddr_un address;
	cleanup_close int fd = open_socket(&address, ret_why);
	int error = fd < 0 ? fd : set_variables(control_name(&address), model_speaker(model)->watchdog_ns);

	if (error == 0)
		return take_fd(&fd);
	return fd < 0 ? fd : complain(ret_why, -error, "monitor: notify socket: %s", strerror(-error));
}
