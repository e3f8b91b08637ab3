/* old_landlock ABI COMMAND [ARG...]: runs COMMAND as a kernel with that older Landlock ABI would have it (1 to 4), by
 * answering for landlock_create_ruleset(2): the version asked for is ABI, and rules that it does not know are refused
 * as landlock(7) says. Everything else is this kernel's. Ends with COMMAND's status. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYS_CALL SYS_landlock_create_ruleset

static long abi;

static void must(int holds, const char *what)
{
	if (holds)
		return;
	perror(what);
	_exit(99);
}

/* What that kernel knows of each kind of right: a bit for each. */
static uint64_t known_files(void)
{
	return abi == 1 ? (1 << 13) - 1 : abi == 2 ? (1 << 14) - 1 : (1 << 15) - 1;
}

static uint64_t known_ports(void)
{
	return abi >= 4 ? 3 : 0;
}

/* Of the attributes that the caller passes. 0: this kernel may go on with them. */
static int judge(pid_t pid, uint64_t address, uint64_t size)
{
	uint64_t attributes[3] = { 0 };
	char path[64];
	int memory;

	if (size < 8 || size > sizeof attributes)
		return EINVAL;
	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	must(memory >= 0 && pread(memory, attributes, size, (off_t)address) == (ssize_t)size, "the caller's memory");
	close(memory);
	if (attributes[2] != 0 || (abi < 4 && attributes[1] != 0))
		return E2BIG; /* a structure that is longer than it knows, and not zero there */
	if ((attributes[0] & ~known_files()) != 0 || (attributes[1] & ~known_ports()) != 0)
		return EINVAL;
	return attributes[0] == 0 && attributes[1] == 0 ? ENOMSG : 0;
}

static void answer(int listener)
{
	struct seccomp_notif call;
	struct seccomp_notif_resp out = { 0 };

	memset(&call, 0, sizeof call);
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return;
	out.id = call.id;
	if (call.data.args[2] == LANDLOCK_CREATE_RULESET_VERSION)
		out.val = abi;
	else if (call.data.args[2] != 0)
		out.error = -EINVAL;
	else
		out.error = -judge((pid_t)call.pid, call.data.args[0], call.data.args[1]);
	if (call.data.args[2] == 0 && out.error == 0)
		out.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &out);
}

static int listen_for_it(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_CALL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof code[0], code };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* The listener's number is sent, and the descriptor taken over by it: the child executes its command at once. */
int main(int argc, char **argv)
{
	int ends[2], listener, status;
	pid_t child;

	must(argc > 2, "old_landlock ABI COMMAND");
	abi = atol(argv[1]);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	child = fork();
	if (child == 0) {
		int own = listen_for_it();
		char go;

		must(own >= 0 && write(ends[1], &own, sizeof own) == sizeof own && read(ends[1], &go, 1) == 1,
			"listener");
		close(own);
		execvp(argv[2], argv + 2);
		must(0, argv[2]);
	}
	must(read(ends[0], &listener, sizeof listener) == sizeof listener, "the child's listener");
	listener = (int)syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, child, 0), listener, 0);
	must(listener >= 0 && write(ends[0], "", 1) == 1, "pidfd_getfd");
	for (;;) {
		struct pollfd slot = { .fd = listener, .events = POLLIN };

		poll(&slot, 1, 50);
		if ((slot.revents & POLLIN) != 0)
			answer(listener);
		if (waitpid(child, &status, WNOHANG) == child)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}
