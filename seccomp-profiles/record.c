#include "seccomp-profiles/record.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "seccomp-profiles/listener.h"
#include "seccomp-profiles/record_look.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define STATUS_REFUSED 125

/* What the child says before it executes the command: nothing is wrong and here is the listener, or what is. */
struct news {
	int32_t status; /* 0, or what to exit with */
	struct complaint why;
};

/* ---- the child ---- */

static void hand_over(void *channel, int listener)
{
	const struct news news = { .status = 0 };

	if (fd_send(*(int *)channel, &news, sizeof news, listener) < 0)
		_exit(STATUS_REFUSED);
}

/* Every syscall waits for us. */
static int install(int channel)
{
	static const struct sock_filter insn = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return listener_load(&insn, 1, 0, hand_over, &channel);
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

static void tell(int channel, int status, const struct complaint *why)
{
	struct news news = { .status = status, .why = *why };

	fd_write_all(channel, &news, sizeof news);
}

static _Noreturn void become_command(const struct record_request *request, int channel)
{
	struct complaint why = { "" };
	int error, status = STATUS_REFUSED;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* without us every syscall would be ENOSYS */
	setsid();                         /* as under nest-init: a terminal's ^C comes by way of us */
	error = install(channel);
	if (error == 0) {
		sigprocmask(SIG_SETMASK, &request->mask, NULL);
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
	ssize_t count = fd_receive(channel, ret_news, sizeof *ret_news, ret_listener);

	return count == sizeof *ret_news ? 0 : count < 0 ? -errno : -EPROTO;
}

/* One syscall: looked at, and told to go on. What has died meanwhile (ENOENT) needs no answer. */
static void serve(struct recording *recording)
{
	union {
		struct seccomp_notif call;
		char room[LISTENER_ROOM];
	} in = { .room = { 0 } };
	union {
		struct seccomp_notif_resp answer;
		char room[LISTENER_ROOM];
	} out = { .room = { 0 } };

	if (listener_ask(recording->listener, SECCOMP_IOCTL_NOTIF_RECV, &in) < 0)
		return;
	if (recording->error == 0)
		recording->error = record_look(recording->listener, &in.call, recording->record);
	out.answer.id = in.call.id;
	out.answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	listener_ask(recording->listener, SECCOMP_IOCTL_NOTIF_SEND, &out);
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

void record_hold_signals(struct record_request *ret_request)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &ret_request->mask);
}

int record_run(const struct record_request *request, struct record *record, int *ret_status, struct complaint *ret_why)
{
	struct recording recording = { .request = request, .record = record, .listener = -1 };
	cleanup_close int ours = -1, theirs = -1, signals = -1;
	sigset_t all;
	int ends[2], error;

	*ret_status = STATUS_REFUSED;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return complain(ret_why, errno, "socketpair: %s", strerror(errno));
	ours = ends[0];
	theirs = ends[1];
	sigfillset(&all);
	signal(SIGCHLD, SIG_DFL);
	/* What is orphaned becomes ours: it can still be waited for, and looked at where only descendants may be. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	recording.signals = signals = signalfd(-1, &all, SFD_CLOEXEC);
	recording.child = signals < 0 ? -1 : fork();
	if (recording.child == 0)
		become_command(request, theirs);
	if (recording.child < 0)
		return complain(ret_why, errno, "cannot start the command: %s", strerror(errno));
	close(take_fd(&theirs));
	error = follow(&recording, ours, ret_status, ret_why);
	if (recording.listener >= 0)
		close(recording.listener);
	return error;
}
