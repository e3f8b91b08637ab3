#include "seccomp-profiles/listener.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

#define STACK_SIZE 32768
#define NOT_YET (-2)

/* What the two threads share. */
static struct {
	void (*give)(void *context, int listener);
	void *context;
	atomic_int listener; /* NOT_YET; -1: there is none */
	atomic_bool given;
} hand_over;

static int give_listener(void *unused)
{
	int listener;

	(void)unused;
	while ((listener = atomic_load(&hand_over.listener)) == NOT_YET)
		sched_yield();
	if (listener >= 0) {
		hand_over.give(hand_over.context, listener);
		close(listener);
	}
	atomic_store(&hand_over.given, true);
	syscall(SYS_exit, 0); /* of this thread alone */
	return 0;
}

/* Static: a page that is never touched costs nothing. */
static int start_thread(void)
{
	static _Alignas(16) char stack[STACK_SIZE];
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

	return clone(give_listener, stack + sizeof stack, flags, NULL) < 0 ? -errno : 0;
}

static bool fits_the_kernel(void)
{
	struct seccomp_notif_sizes sizes;

	return syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 && sizes.seccomp_notif <= LISTENER_ROOM &&
		sizes.seccomp_notif_resp <= LISTENER_ROOM;
}

static int install(const struct sock_filter *insn, uint16_t length, uint32_t flags)
{
	struct sock_fprog program = { .len = length, .filter = (struct sock_filter *)insn };
	const unsigned long with_listener = flags | SECCOMP_FILTER_FLAG_NEW_LISTENER;
	/* A signal does not make a syscall start over that we have already been told of. */
	long listener = syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER, with_listener | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);

	if (listener < 0 && errno == EINVAL)
		listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, with_listener, &program);
	return listener < 0 ? -errno : (int)listener;
}

int listener_load(const struct sock_filter *insn, uint16_t length, uint32_t flags,
	void (*give)(void *context, int listener), void *context)
{
	int listener, error = fits_the_kernel() ? 0 : -ENOSYS;

	hand_over.give = give;
	hand_over.context = context;
	atomic_store(&hand_over.listener, NOT_YET);
	if (error == 0)
		error = start_thread();
	if (error < 0)
		return error;
	listener = install(insn, length, flags);
	atomic_store(&hand_over.listener, listener < 0 ? -1 : listener);
	while (!atomic_load(&hand_over.given)) /* any call at all might be one that waits */
		continue;
	return listener < 0 ? listener : 0;
}
