#include "init/file_lender.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "init/capabilities.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS NS_PER_S

static const uint64_t to_become_another = UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID;

/* ---- the child ---- */

static int open_file(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static bool becomes(const struct identity *service)
{
	return setgroups(service->group_count, service->group) == 0 &&
		setresgid(service->gid, service->gid, service->gid) == 0 &&
		setresuid(service->uid, service->uid, service->uid) == 0;
}

static int open_as_it_may(const struct file_lender *lender, uint32_t file)
{
	const char *path = model_file(lender->model, file);
	const bool others = lender->plan->changes_user;
	struct capability_sets had;
	struct complaint why;
	int fd = -EACCES;

	if (path == NULL || capabilities_read(&had, &why) < 0 || capabilities_keep(&had, to_become_another, &why) < 0)
		return -EACCES;
	if (file < MODEL_FILE_BEARER || !others)
		fd = open_file(path);
	if (fd == -EACCES && others && becomes(&lender->plan->identity))
		fd = open_file(path);
	return fd;
}

/* The channel does not block, and who does not take what it asked for asks again. */
static _Noreturn void lend(const struct file_lender *lender, int channel, uint32_t file)
{
	union wire_record record = { .opened = { .file = file } };
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open_as_it_may(lender, file);
	record.opened.error = fd < 0 ? (uint32_t)-fd : 0;
	wire_seal(&record, WIRE_OPENED);
	if (fd >= 0)
		fd_send(channel, &record, sizeof record.opened, fd);
	else
		send(channel, &record, sizeof record.opened, MSG_DONTWAIT | MSG_NOSIGNAL);
	_exit(0);
}

/* ---- before the point of no return ---- */

int file_lender_try(const struct file_lender *lender, uint32_t file)
{
	cleanup_close int ours = -1, its = -1;
	union wire_record record;
	ssize_t length;
	int ends[2], fd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	ours = ends[0];
	its = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		lend(lender, its, file);
	close(take_fd(&its));
	length = fd_receive(ours, &record, sizeof record, &fd);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (fd < 0)
		return length == (ssize_t)sizeof record.opened && record.opened.error > 0 ? -(int)record.opened.error
											  : -EIO;
	return fd;
}

/* ---- PID 1 ---- */

static void refuse(const struct monitor_link *link, uint32_t file, int error)
{
	union wire_record record = { .opened = { .file = file, .error = (uint32_t)error } };

	wire_seal(&record, WIRE_OPENED);
	if (link->channel >= 0)
		send(link->channel, &record, sizeof record.opened, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* fork(2) and kill(2) do not block; the first may fail for want of memory or pids, which may pass. */
void file_lender_start(struct file_lender *lender, const struct monitor_link *link, uint32_t file, int64_t now)
{
	pid_t pid;

	if (model_file(lender->model, file) == NULL)
		return; /* no monitor of ours asks for that */
	if (lender->pid != 0) {
		if (now - lender->started_at_ns > PATIENCE_NS)
			kill(lender->pid, SIGKILL);
		refuse(link, file, EAGAIN);
		return;
	}
	pid = fork();
	if (pid == 0)
		lend(lender, link->channel, file);
	if (pid < 0) {
		refuse(link, file, EAGAIN);
		return;
	}
	lender->pid = pid;
	lender->started_at_ns = now;
}

bool file_lender_ended(struct file_lender *lender, pid_t pid)
{
	if (pid != lender->pid)
		return false;
	lender->pid = 0;
	return true;
}
