/* Through libsystemd, for builds that have it. */
#include "init/notify.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* sd_notify(3) waits where the manager's queue is full, and PID 1 waits for nobody: so it asks first whether there is
 * room. It reads the environment, from which notify_take() has taken what it looks for. */
int notify_transmit(int manager, char *variable, const char *assignments)
{
	struct pollfd room = { .fd = manager, .events = POLLOUT };
	char *alone[] = { variable, NULL }, **ours = environ;
	int sent;

	if (poll(&room, 1, 0) != 1)
		return -EAGAIN;
	environ = alone;
	sent = sd_notify(0, assignments);
	environ = ours;
	return sent < 0 ? sent : 0;
}
