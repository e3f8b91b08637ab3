#include "seccomp-profiles/record.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "seccomp-profiles/record_look.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

#define STATUS_REFUSED 125
#define NOTIFICATION_ROOM 256 /* for kernels whose structures have grown: SECCOMP_GET_NOTIF_SIZES */

/* What the child says before it executes the command: nothing is wrong and here is the listener, or what is. */
struct news {
	int32_t status; /* 0, or what to exit with */
	struct complaint why;
};

/* ---- the child ---- */

/* The message that hands the listener over. Its address is in the filter, and the kernel's struct user_msghdr is musl's
 * and glibc's on 64 bits, with the padding zero. */
static struct news listener_news;
static struct iovec listener_part = { &listener_news, sizeof listener_news };
static union {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
} listener_control;
static struct msghdr listener_message = { .msg_iov = &listener_part, .msg_iovlen = 1 };

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field) + 4)
#define UNLESS(value, skipped) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, skipped)

/* Every syscall waits for us, except the one that sends us the listener: nobody could answer it yet. */
static int install(int *ret_listener)
{
	const uint64_t message = (uint64_t)(uintptr_t)&listener_message;
	struct sock_filter insn[] = {
		LOAD(nr),
		UNLESS(SYS_sendmsg, 5),
		LOAD(args[1]),
		UNLESS(message, 3),
		LOAD_HIGH(args[1]),
		UNLESS(message >> 32, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	struct sock_fprog program = { sizeof insn / sizeof insn[0], insn };
	/* A signal does not make a syscall start over that we have already been told of. */
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	long listener;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (listener < 0 && errno == EINVAL)
		listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (listener < 0)
		return -errno;
	*ret_listener = (int)listener;
	return 0;
}

static int explain_install(int error, struct complaint *ret_why)
{
	const char *hint = "";

	if (error == -EBUSY)
		hint = " (the seccomp filter that is in force here has a listener already: record outside of it)";
	else if (error == -EPERM || error == -ENOSYS || error == -EINVAL)
		hint = " (seccomp user notification needs Linux 5.5, and a container profile that allows seccomp)";
	return complain(ret_why, -error, "cannot listen to syscalls: %s%s", strerror(-error), hint);
}

static void hand_over(int channel, int listener)
{
	listener_message.msg_control = &listener_control;
	listener_message.msg_controllen = sizeof listener_control;
	listener_control.head = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS
	};
	memcpy(CMSG_DATA(&listener_control.head), &listener, sizeof listener);
	syscall(SYS_sendmsg, channel, &listener_message, 0); /* not libc's, which may send a copy */
}

static void tell(int channel, int status, const struct complaint *why)
{
	struct news news = { .status = status, .why = *why };

	fd_write_all(channel, &news, sizeof news);
}

static _Noreturn void become_command(const struct record_request *request, int channel, const sigset_t *mask)
{
	struct complaint why = { "" };
	int listener = -1, error, status = STATUS_REFUSED;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* without us every syscall would be ENOSYS */
	setsid();                         /* as under nest-init: a terminal's ^C comes by way of us */
	error = install(&listener);
	if (error == 0) {
		hand_over(channel, listener);
		close(listener);
		sigprocmask(SIG_SETMASK, mask, NULL);
		status = request->execute(request->argv, &why);
	} else {
		explain_install(error, &why);
	}
	tell(channel, status, &why);
	_exit(status);
}

/* ---- the parent ---- */

struct recording {
	const struct record_request *request;
	struct record *record;
	pid_t child;
	int signals, listener;
	bool has_ended;
	int status; /* wait status */
	int64_t rest_until_ms;
	int error;
};

/* Waits for the listener, or for the reason why there is none. */
static int take_listener(int channel, int *ret_listener, struct news *ret_news)
{
	struct iovec part = { ret_news, sizeof *ret_news };
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	struct cmsghdr *head;
	ssize_t count = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);

	if (count != sizeof *ret_news)
		return count < 0 ? -errno : -EPROTO;
	head = CMSG_FIRSTHDR(&message);
	if (head != NULL && head->cmsg_type == SCM_RIGHTS)
		memcpy(ret_listener, CMSG_DATA(head), sizeof *ret_listener);
	return 0;
}

/* One syscall: looked at, and told to go on. What has died meanwhile (ENOENT) needs no answer. */
static void serve(struct recording *recording)
{
	union {
		struct seccomp_notif call;
		char room[NOTIFICATION_ROOM];
	} in = { .room = { 0 } };
	union {
		struct seccomp_notif_resp answer;
		char room[NOTIFICATION_ROOM];
	} out = { .room = { 0 } };

	if (record_ask(recording->listener, SECCOMP_IOCTL_NOTIF_RECV, &in) < 0)
		return;
	if (recording->error == 0)
		recording->error = record_look(recording->listener, &in.call, recording->record);
	out.answer.id = in.call.id;
	out.answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	record_ask(recording->listener, SECCOMP_IOCTL_NOTIF_SEND, &out);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void reap(struct recording *recording)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == recording->child) {
			recording->has_ended = true;
			recording->status = status;
			recording->rest_until_ms = now_ms() + RECORD_REST_MS;
			recording->request->signal_rest(SIGTERM);
		}
}

static void take_signal(struct recording *recording)
{
	struct signalfd_siginfo info;

	if (read(recording->signals, &info, sizeof info) != sizeof info)
		return;
	if (info.ssi_signo == SIGCHLD)
		reap(recording);
	else if (!recording->has_ended)
		kill(recording->child, (int)info.ssi_signo);
}

/* Until nobody is left under the filter: POLLHUP. */
static void listen_to(struct recording *recording)
{
	struct pollfd slots[] = { { .fd = recording->signals, .events = POLLIN },
		{ .fd = recording->listener, .events = POLLIN } };

	for (;;) {
		int64_t left = recording->has_ended ? recording->rest_until_ms - now_ms() : -1;

		if (recording->has_ended && left <= 0) {
			recording->request->signal_rest(SIGKILL);
			left = 100; /* one that has just been forked is found the next time */
		}
		if (poll(slots, 2, (int)left) < 0)
			continue;
		if (slots[0].revents != 0)
			take_signal(recording);
		if ((slots[1].revents & POLLIN) != 0)
			serve(recording);
		else if (slots[1].revents != 0)
			break;
	}
	while (!recording->has_ended && waitpid(recording->child, &recording->status, 0) == recording->child)
		recording->has_ended = true;
}

static bool fits_the_kernel(void)
{
	struct seccomp_notif_sizes sizes;

	return syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 &&
		sizes.seccomp_notif <= NOTIFICATION_ROOM && sizes.seccomp_notif_resp <= NOTIFICATION_ROOM;
}

static int follow(struct recording *recording, int channel, int *ret_status, struct complaint *ret_why)
{
	struct news news = { .status = STATUS_REFUSED };
	int error = take_listener(channel, &recording->listener, &news);

	if (error < 0)
		return complain(ret_why, -error, "the command's process: %s", strerror(-error));
	if (recording->listener >= 0)
		listen_to(recording);
	/* exec has closed the channel, unless there was none. */
	if (recording->listener >= 0 && recv(channel, &news, sizeof news, MSG_DONTWAIT) != sizeof news) {
		*ret_status = recording->status;
		return recording->error < 0 ? complain(ret_why, ENOMEM, "out of memory") : 0;
	}
	*ret_status = news.status;
	return complain(ret_why, ECHILD, "%s", news.why.text);
}

int record_run(const struct record_request *request, struct record *record, int *ret_status, struct complaint *ret_why)
{
	struct recording recording = { .request = request, .record = record, .listener = -1 };
	cleanup_close int ours = -1, theirs = -1, signals = -1;
	sigset_t all, mask;
	int ends[2], error;

	*ret_status = STATUS_REFUSED;
	if (!fits_the_kernel())
		return explain_install(-ENOSYS, ret_why);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return complain(ret_why, errno, "socketpair: %s", strerror(errno));
	ours = ends[0];
	theirs = ends[1];
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	signal(SIGCHLD, SIG_DFL);
	/* What is orphaned becomes ours: it can still be waited for, and looked at where only descendants may be. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	recording.signals = signals = signalfd(-1, &all, SFD_CLOEXEC);
	recording.child = signals < 0 ? -1 : fork();
	if (recording.child == 0)
		become_command(request, theirs, &mask);
	if (recording.child < 0)
		return complain(ret_why, errno, "cannot start the command: %s", strerror(errno));
	close(take_fd(&theirs));
	error = follow(&recording, ours, ret_status, ret_why);
	if (recording.listener >= 0)
		close(recording.listener);
	return error;
}
