/* notify_send() through libsystemd, for builds that have it. */
#include "init/notify.h"

#include <systemd/sd-daemon.h>

int notify_send(const char *assignment)
{
	int sent = sd_notify(0, assignment);

	return sent < 0 ? sent : 0;
}
