/* Filters that ask a listener instead of answering themselves (seccomp_unotify(2)). */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LISTENER_ROOM 256 /* for kernels whose structures have grown: SECCOMP_GET_NOTIF_SIZES */

/* Loads a filter on the calling thread, which is the only one. `give` gets the listener (borrowed), and every call that
 * the filter asks about waits until it is served: so `give` runs in another thread of this process, which the filter
 * does not bind. Returns 0 once it has returned, or -errno, and no filter is in force: EBUSY where one that is in force
 * already has a listener. */
int listener_load(const struct sock_filter *insn, uint16_t length, uint32_t flags,
	void (*give)(void *context, int listener), void *context);

/* ioctl(2) on the listener. Its third word is an int to musl, and these numbers are larger. */
static inline int listener_ask(int listener, unsigned long request, void *argument)
{
	return (int)syscall(SYS_ioctl, listener, request, argument);
}
