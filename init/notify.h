/* sd_notify(3): telling systemd (or Podman, conmon) how the service is. PID 1 alone speaks (NotifyAccess=main). */
#pragma once

/* Sends one assignment ("READY=1") to the socket that NOTIFY_SOCKET names. Never blocks for long: one datagram.
 * Without NOTIFY_SOCKET it does nothing. Returns 0 or -errno. */
int notify_send(const char *assignment);
