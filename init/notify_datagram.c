/* As sd_notify(3) documents the protocol, for static builds: libsystemd does not exist for musl. */
#include "init/notify.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int notify_transmit(int manager, char *variable, const char *assignments)
{
	(void)variable;
	return send(manager, assignments, strlen(assignments), MSG_NOSIGNAL) < 0 ? -errno : 0;
}
