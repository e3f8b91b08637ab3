#include "base/worker.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Connections of the caller would stay open as long as the child. Where the call is missing or denied, they do. */
static void close_others(int kept)
{
#ifdef SYS_close_range
	if (kept > 3)
		syscall(SYS_close_range, 3U, (unsigned)kept - 1, 0U);
	syscall(SYS_close_range, (unsigned)kept + 1, ~0U, 0U);
#else
	(void)kept;
#endif
}

int worker_start(void (*work)(int fd, const void *context), const void *context, pid_t *ret_pid, int *ret_fd)
{
	const pid_t caller = getpid();
	cleanup_close int ours = -1, its = -1;
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	ours = ends[0];
	its = ends[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != caller) /* it had died before that was in force */
			_exit(1);
		close_others(its);
		work(its, context);
		_exit(0);
	}
	*ret_pid = pid;
	*ret_fd = take_fd(&ours);
	return 0;
}
