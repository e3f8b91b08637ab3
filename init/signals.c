#include "init/signals.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The kernel's sigset_t: 64 bits on every architecture that we build for. */
#define KERNEL_SIGSET_SIZE sizeof(uint64_t)
#define SIGNALFD_CLOEXEC 02000000
#define SIGNALFD_NONBLOCK 00004000

void signals_block_all(uint64_t *ret_previous)
{
	static const uint64_t all = UINT64_MAX;

	/* Cannot fail: the pointers are good, and KILL and STOP are left out by the kernel itself. */
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, ret_previous, KERNEL_SIGSET_SIZE);
	signal(SIGCHLD, SIG_DFL);
}

void signals_restore(uint64_t mask)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, KERNEL_SIGSET_SIZE);
}

int signals_take(uint64_t set, int64_t timeout_ns, siginfo_t *ret_info)
{
	struct timespec timeout, *limit = NULL;
	long taken;

	if (timeout_ns != TIME_NEVER) {
		timeout.tv_sec = timeout_ns / NS_PER_S;
		timeout.tv_nsec = timeout_ns % NS_PER_S;
		limit = &timeout;
	}
	taken = syscall(SYS_rt_sigtimedwait, &set, ret_info, limit, KERNEL_SIGSET_SIZE);
	return taken > 0 ? (int)taken : 0;
}

int signals_descriptor(int fd, uint64_t set)
{
	long opened = syscall(SYS_signalfd4, fd, &set, KERNEL_SIGSET_SIZE, SIGNALFD_CLOEXEC | SIGNALFD_NONBLOCK);

	return opened < 0 ? -errno : (int)opened;
}

int signals_pass_on(pid_t pid, int signal, const siginfo_t *info)
{
	if (pid > 0 && info != NULL && info->si_code == SI_QUEUE && info->si_signo == signal) {
		siginfo_t copy = *info;

		return syscall(SYS_rt_sigqueueinfo, pid, signal, &copy) < 0 ? -errno : 0;
	}
	return kill(pid, signal) < 0 ? -errno : 0;
}
