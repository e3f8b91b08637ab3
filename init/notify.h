/* sd_notify(3): telling systemd (or Podman, conmon) how the service is. PID 1 alone speaks (NotifyAccess=main).
 * It sends the one documented datagram itself: libsystemd's sd_notify() waits where the manager's queue is full, and
 * PID 1 waits for nobody. */
#pragma once

#include <stdint.h>

/* Before the point of no return: takes what a service manager has put into the environment out of it (NOTIFY_SOCKET,
 * WATCHDOG_USEC, WATCHDOG_PID), so that nobody but PID 1 speaks for the service. Until it is called, and where there is
 * no NOTIFY_SOCKET, notify_send() does nothing. *ret_watchdog_ns is how often the manager wants to hear WATCHDOG=1,
 * half of the time after which it would act (sd_watchdog_enabled(3)), 10 ms at the least; 0: not at all. Returns 0, or
 * -EINVAL where WATCHDOG_USEC is no number, which is passed over. */
int notify_take(int64_t *ret_watchdog_ns);

/* Sends assignments ("READY=1") in one datagram, if the manager's socket takes it at once. Returns 0 or -errno. */
int notify_send(const char *assignments);
