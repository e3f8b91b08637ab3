#include "init/monitor_link.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/control.h"
#include "base/credentials.h"
#include "base/fdio.h"
#include "base/given_file.h"
#include "base/kept.h"
#include "base/listen.h"
#include "base/log.h"
#include "base/monitor_fds.h"
#include "base/signame.h"
#include "base/tls.h"
#include "init/afresh.h"
#include "init/capabilities.h"
#include "init/confine.h"
#include "init/file_lender.h"
#include "init/monitor_model.h"
#include "init/notify_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_WORD_NS (50 * NS_PER_MS)
#define ARGS_MAX 4096
#define COPY_AT_ONCE (1024 * 1024)

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* Linux 6.3 */
#endif

static const struct restart_policy backoff = { .backoff_ns = 100 * NS_PER_MS, .max_backoff_ns = 2 * NS_PER_S };

void monitor_link_none(struct monitor_link *link)
{
	*link = (struct monitor_link){ .executable = -1,
		.model = -1,
		.control = -1,
		.notify = -1,
		.listener = -1,
		.denials = -1,
		.kept = -1,
		.channel = -1,
		.restart_at_ns = TIME_NEVER,
		.again = { .backoff_ns = backoff.backoff_ns } };
}

/* ---- before the point of no return ---- */

/* Who answers for a filter must be out of reach of those under it. Where it can only be of their user, whoever kills it
 * again and again would find it open between its exec and its own first instruction. */
static bool must_be_hidden(const struct model *model)
{
	struct capability_sets had;
	struct complaint why;

	return model_reported(model) != NULL &&
		(capabilities_read(&had, &why) < 0 || !afresh_may_change_user(had.effective));
}

static int make_memory_for_program(void)
{
	int fd = (int)syscall(SYS_memfd_create, "nest-init", MFD_CLOEXEC | MFD_EXEC);

	return fd < 0 && errno == EINVAL ? (int)syscall(SYS_memfd_create, "nest-init", MFD_CLOEXEC) : fd;
}

/* Puts a copy in memory in its place that may be executed, but not read: such a program is not dumpable from the start
 * (PR_SET_DUMPABLE, prctl(2)). One that cannot be read for a copy is so already; nor is there a way in without /proc.
 */
static int hide_executable(int *executable, struct complaint *ret_why)
{
	cleanup_close int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), copy = -1;
	char link[32];
	ssize_t sent;
	int hidden;

	if (from < 0)
		return 0;
	copy = make_memory_for_program();
	snprintf(link, sizeof link, "/proc/self/fd/%d", copy);
	do
		sent = copy < 0 ? -1 : sendfile(copy, from, NULL, COPY_AT_ONCE);
	while (sent > 0);
	if (sent < 0 || fchmod(copy, S_IXUSR) < 0 || (hidden = open(link, O_PATH | O_CLOEXEC)) < 0)
		return complain(ret_why, errno,
			"--seccomp-report: cannot put the monitor out of the workload's reach: %s "
			"(is vm.memfd_noexec set? start the container as root, with --user here)",
			strerror(errno));
	close(*executable);
	*executable = hidden;
	return 0;
}

static int open_control(struct complaint *ret_why)
{
	struct sockaddr_un address;
	socklen_t length;
	cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	control_address(getpid(), &address, &length);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, SOMAXCONN) < 0)
		return complain(
			ret_why, errno, "monitor: control socket @%s: %s", control_name(&address), strerror(errno));
	if (getpid() != 1)
		setenv(CONTROL_VARIABLE, control_name(&address), 1);
	return take_fd(&fd);
}

/* ---- the child ---- */

static void place_descriptors(const struct monitor_link *link, int channel)
{
	int from[7 + MODEL_LISTEN_MAX] = { channel, link->control, link->kept };
	size_t count = 3;

	if (link->model >= 0)
		from[count++] = link->model;
	memcpy(from + count, link->listen, link->listen_count * sizeof from[0]);
	count += link->listen_count;
	if (link->notify >= 0)
		from[count++] = link->notify;
	if (link->denials >= 0)
		from[count++] = link->denials;
	if (link->denials >= 0 && link->listener >= 0)
		from[count++] = link->listener;
	afresh_place(from, count);
}

static _Noreturn void become_monitor(const struct monitor_link *link, int channel)
{
	static char *argv[ARGS_MAX];
	size_t count = 0;
	int executable = fcntl(link->executable, F_DUPFD_CLOEXEC, MONITOR_FD_LISTEN + 3 * MODEL_LISTEN_MAX);

	argv[count++] = (char *)"nest-init";
	argv[count++] = (char *)"monitor";
	for (char **arg = link->argv + 1; *arg != NULL && count < ARGS_MAX - 1; arg++)
		argv[count++] = *arg;
	/* A group of its own: what a terminal sends to ours is not meant for it. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	place_descriptors(link, channel);
	afresh_drop_privileges("monitor", AFRESH_NOBODY, AFRESH_NOBODY);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* the change of user has cleared it (prctl(2)) */
	afresh_execute("monitor", executable, argv, link->otel);
}

/* ---- before the point of no return: as the monitor will ---- */

static int check_watched(const struct path_list *watch, struct complaint *ret_why)
{
	for (size_t i = 0; i < watch->count; i++) {
		const char *path = watch->path[i];
		struct stat info;
		const bool is_there = strlen(path) < TARGET_PATH_SIZE && stat(path, &info) == 0;

		if (strlen(path) >= TARGET_PATH_SIZE)
			return complain(ret_why, ENAMETOOLONG, "--watch %.100s...: %s", path, strerror(ENAMETOOLONG));
		if (!is_there || access(path, S_ISDIR(info.st_mode) ? R_OK | X_OK : F_OK) < 0)
			return complain(ret_why, errno, "--watch %.300s: %s (for the monitor, which is uid %u)", path,
				strerror(errno), (unsigned)getuid());
	}
	return 0;
}

/* What PID 1 would open for the monitor, by its number, or -errno. */
static struct {
	const struct model *model;
	int fd[MODEL_FILE_BEARER];
} lent;

static int take_lent(const char *path)
{
	for (uint32_t i = 0; i < MODEL_FILE_BEARER; i++)
		if (model_file(lent.model, i) == path)
			return lent.fd[i];
	return -EACCES;
}

/* As the monitor does it. */
static int load_files(const void *context, struct complaint *ret_why)
{
	static struct credentials credentials;
	const struct model *model = context;
	struct tls *tls;
	int error;

	given_file_ask(take_lent);
	error = credentials_load(model->users, model->tokens, &credentials, ret_why);
	if (error == 0 && model->tls_certificate != NULL)
		error = tls_load(model->tls_certificate, model->tls_key, &tls, ret_why);
	for (size_t i = 0; error == 0 && i < model_service_count(model); i++)
		error = check_watched(&model_service(model, i)->watch, ret_why);
	return error;
}

static bool reads_files(const struct model *model)
{
	bool any = model->users != NULL || model->tokens != NULL || model->tls_certificate != NULL;

	for (size_t i = 0; i < model_service_count(model); i++)
		any = any || model_service(model, i)->watch.count > 0;
	return any;
}

/* The files of who may see pages, and of what they are served with, and those that are watched, are read by the
 * monitor, again and again. That it can read them, and what is wrong with them, is found out by a child with no more
 * rights than it will have. */
static int check_files(const struct model *model, const struct file_lender *lender, struct complaint *ret_why)
{
	int error;

	if (!reads_files(model))
		return 0;
	lent.model = model;
	for (uint32_t i = 0; i < MODEL_FILE_BEARER; i++)
		lent.fd[i] = model_file(model, i) != NULL ? file_lender_try(lender, i) : -ENOENT;
	error = afresh_try("monitor", AFRESH_NOBODY, AFRESH_NOBODY, load_files, model, ret_why);
	for (uint32_t i = 0; i < MODEL_FILE_BEARER; i++)
		if (lent.fd[i] >= 0)
			close(lent.fd[i]);
	return error;
}

/* Where it cannot be had the counts begin anew with each monitor: a figure is worth less than a start. */
static void open_kept(struct monitor_link *link, size_t check_count)
{
	int fd = kept_make(check_count);

	if (fd < 0)
		log_line(LOG_LEVEL_WARNING,
			"monitor: no memory for its counts: %s; they begin anew when it is killed "
			"(does the runtime's seccomp profile refuse memfd_create?)",
			strerror(-fd));
	link->kept = fd < 0 ? -1 : fd;
}

static int open_listeners(struct monitor_link *link, const struct model *model, const struct file_lender *lender,
	struct complaint *ret_why)
{
	for (size_t i = 0; i < model->listen_count; i++) {
		struct complaint why;
		int error = listen_open(model->listen[i], &link->listen[i], &why);

		if (error < 0)
			return complain(ret_why, -error, "--metrics %.450s", why.text);
		link->listen_count++;
	}
	return check_files(model, lender, ret_why);
}

int monitor_link_open(struct monitor_link *link, const struct model *model, const struct file_lender *lender,
	char **argv, struct complaint *ret_why)
{
	int error;

	monitor_link_none(link);
	link->argv = argv;
	link->executable = afresh_open("monitor", ret_why);
	if (link->executable < 0)
		return link->executable;
	if (must_be_hidden(model)) {
		error = hide_executable(&link->executable, ret_why);
		if (error < 0)
			return error;
	}
	if (strcmp(argv[1], MONITOR_HAS_MODEL) == 0) {
		link->model = monitor_model_open(model, ret_why);
		if (link->model < 0)
			return link->model;
	}
	link->control = open_control(ret_why);
	if (link->control < 0)
		return link->control;
	open_kept(link, model_check_count(model));
	error = open_listeners(link, model, lender, ret_why);
	if (error < 0 || !model_wants_notify(model))
		return error;
	error = notify_socket_open(model, ret_why);
	if (error < 0)
		return error;
	link->notify = error;
	return 0;
}

/* ---- PID 1 ---- */

static void start_later(struct monitor_link *link, int64_t lived_ns, int64_t now)
{
	link->restart_at_ns = now + restart_backoff(&link->again, &backoff, lived_ns, now);
}

void monitor_link_start(struct monitor_link *link, int64_t now)
{
	int channel[2];
	pid_t pid;

	if (link->executable < 0) { /* it has had the time for its last word */
		link->restart_at_ns = TIME_NEVER;
		if (link->pid > 0)
			kill(link->pid, SIGKILL);
		return;
	}
	/* Neither call blocks; both may fail for want of descriptors, memory or pids, which may pass. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, channel) < 0) {
		start_later(link, 0, now);
		return;
	}
	pid = fork();
	if (pid == 0)
		become_monitor(link, channel[1]);
	close(channel[1]);
	if (pid < 0) {
		close(channel[0]);
		start_later(link, 0, now);
		return;
	}
	link->channel = channel[0];
	link->pid = pid;
	link->started_at_ns = now;
	link->restart_at_ns = TIME_NEVER;
}

static void close_channel(struct monitor_link *link)
{
	cleanup_close int closed = take_fd(&link->channel);
	(void)closed;
}

void monitor_link_ended(struct monitor_link *link, int status, int64_t now)
{
	char name[SIGNAL_NAME_SIZE];

	close_channel(link);
	link->pid = 0;
	if (link->executable < 0) { /* it was told to end */
		link->restart_at_ns = TIME_NEVER;
		return;
	}
	if (link->renews) {
		link->renews = false;
		link->restart_at_ns = now;
		return;
	}
	if (WIFSIGNALED(status))
		log_line(LOG_LEVEL_NOTICE, "the monitor was killed by SIG%s; starting it again",
			signal_name(WTERMSIG(status), name));
	else
		log_line(LOG_LEVEL_NOTICE, "the monitor ended with status %d; starting it again", WEXITSTATUS(status));
	link->restarts++;
	start_later(link, now - link->started_at_ns, now);
}

void monitor_link_end(struct monitor_link *link)
{
	cleanup_close int executable = take_fd(&link->executable);

	if (executable < 0)
		return; /* there is none, or it was told before */
	link->restart_at_ns = TIME_NEVER;
	/* It has another uid, and we may lack CAP_KILL: it ends by itself when the channel does. */
	close_channel(link);
	if (link->listener >= 0)
		close(take_fd(&link->listener));
	if (link->pid > 0 && link->otel != NULL)
		link->restart_at_ns = clock_now_ns() + LAST_WORD_NS;
	else if (link->pid > 0)
		kill(link->pid, SIGKILL);
}

/* Neither blocks. Where it is being started again already there is nobody to end. */
void monitor_link_renew(struct monitor_link *link)
{
	close_channel(link);
	if (link->pid <= 0)
		return;
	link->renews = true;
	kill(link->pid, SIGKILL);
}

bool monitor_link_is_ending(const struct monitor_link *link)
{
	return link->executable < 0 && link->pid > 0 && link->restart_at_ns != TIME_NEVER;
}

bool monitor_link_tell(struct monitor_link *link, union wire_record *record, enum wire_type type)
{
	if (link->channel < 0)
		return true;
	wire_seal(record, type);
	return send(link->channel, record, record->header.length, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 || errno != EAGAIN;
}

void monitor_link_take_listener(struct monitor_link *link, int listener)
{
	union wire_record record = { .listener = { .header = { 0 } } };

	if (link->listener >= 0)
		close(link->listener);
	link->listener = listener;
	if (link->channel < 0)
		return;
	wire_seal(&record, WIRE_LISTENER);
	if (fd_send(link->channel, &record, sizeof record.listener, listener) < 0)
		kill(link->pid, SIGKILL);
}

int monitor_link_receive(struct monitor_link *link, union wire_record *ret_record, int *ret_fd)
{
	ssize_t length;

	*ret_fd = -1;
	if (link->channel < 0)
		return 0;
	length = fd_receive(link->channel, ret_record, sizeof *ret_record, ret_fd); /* the channel does not block */
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (length <= 0 || (size_t)length > sizeof *ret_record || wire_validate(ret_record, (size_t)length) < 0) {
		/* It has ended, or gone mad. Until it is reaped its number is its own. */
		if (*ret_fd >= 0)
			close(take_fd(ret_fd));
		close_channel(link);
		if (link->pid > 0)
			kill(link->pid, SIGKILL);
		return 0;
	}
	return 1;
}
