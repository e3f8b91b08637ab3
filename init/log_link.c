#include "init/log_link.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/log_kept.h"
#include "base/signame.h"
#include "init/afresh.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WHO "logs"
#define PIPE_SIZE (256 * 1024)
#define NUMBER_SIZE 24
#define FIRST_OWN_WORD 4 /* "nest-init logger FORMAT LEVEL" */
#define SERVICE_WORD FIRST_OWN_WORD
#define WORDS (FIRST_OWN_WORD + LOGGER_WORDS)

static const struct restart_policy backoff = { .backoff_ns = 10 * NS_PER_MS, .max_backoff_ns = 2 * NS_PER_S };

void log_link_none(struct log_link *link)
{
	*link = (struct log_link){ .executable = -1,
		.stream = { { -1, -1, -1 }, { -1, -1, -1 } },
		.kept = -1,
		.end = -1,
		.restart_at_ns = TIME_NEVER,
		.again = { .backoff_ns = backoff.backoff_ns } };
}

/* ---- before the point of no return ---- */

static char *number(char text[NUMBER_SIZE], uint64_t value)
{
	snprintf(text, NUMBER_SIZE, "%" PRIu64, value);
	return text;
}

/* The words of base/log_kept.h, for the life of the process; NULL where there is no memory. */
static char **make_argv(const struct model *model, const struct service *service)
{
	const struct logging *logging = &service->logging;
	const uint64_t max_buffer = logging->max_buffer_size > 0 ? logging->max_buffer_size
								 : LOGGING_MAX_BUFFER_DEFAULT;
	struct words {
		char *argv[WORDS + 1];
		char size[NUMBER_SIZE], files[NUMBER_SIZE], buffer[NUMBER_SIZE];
	} *own = calloc(1, sizeof *own);
	size_t count = 0;

	if (own == NULL)
		return NULL;
	own->argv[count++] = (char *)"nest-init";
	own->argv[count++] = (char *)"logger";
	own->argv[count++] = (char *)log_format_name(model->log_format);
	own->argv[count++] = (char *)log_level_name(model->log_level);
	own->argv[count++] = (char *)service_name(service);
	own->argv[count++] = (char *)logging_format_name(logging->format);
	own->argv[count++] = (char *)(logging->file != NULL ? logging->file : "");
	own->argv[count++] = number(own->size, logging->max_size > 0 ? logging->max_size : LOGGING_MAX_SIZE_DEFAULT);
	own->argv[count++] = number(own->files, logging->max_file > 0 ? logging->max_file : LOGGING_MAX_FILE_DEFAULT);
	own->argv[count++] = (char *)(logging->non_blocking ? "non-blocking" : "blocking");
	own->argv[count++] = number(own->buffer, logging->non_blocking ? max_buffer : 0);
	return own->argv;
}

/* Only root of a user namespace of its own may not. */
static int open_pipe(struct log_pipe *pipe, const struct confine_plan *plan)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pipe->reader = ends[0];
	pipe->writer = ends[1];
	/* Its own flag: the writer's end is another description. */
	if (fcntl(pipe->reader, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	fcntl(pipe->writer, F_SETPIPE_SZ, PIPE_SIZE); /* where there is a limit the pipe stays smaller */
	/* Who opens /dev/stderr opens the pipe anew, with its own rights: as under docker it is the user's. */
	if (plan->changes_user && fchown(pipe->writer, plan->identity.uid, plan->identity.gid) < 0 && errno != EPERM)
		return -errno;
	pipe->memory = fd_memory("log stream", LOG_RING_SIZE);
	return pipe->memory < 0 ? pipe->memory : 0;
}

void log_link_close(struct log_link *link)
{
	int open[LOG_LINK_FDS];
	const size_t count = log_link_descriptors(link, open);

	for (size_t i = 0; i < count; i++)
		if (open[i] >= 0)
			close(open[i]);
	link->executable = -1;
}

int log_link_open(struct log_link *link, int executable, const struct confine_plan *plan)
{
	const struct log_link planned = *link;
	int error = 0;

	log_link_none(link);
	link->argv = planned.argv;
	link->user = planned.user;
	link->group = planned.group;
	link->executable = executable;
	for (size_t i = 0; error == 0 && i < LOG_STREAMS; i++)
		error = open_pipe(&link->stream[i], plan);
	if (error == 0) {
		link->kept = fd_memory("logs", 0);
		error = link->kept < 0 ? link->kept : 0;
	}
	if (error < 0)
		log_link_close(link);
	return error;
}

/* Whoever owns the directory may add to it, and rename in it. */
static int find_owner(struct log_link *link, const char *file, struct complaint *ret_why)
{
	const char *slash = strrchr(file, '/');
	char directory[1100];
	struct stat status;

	link->user = link->group = AFRESH_NOBODY;
	snprintf(directory, sizeof directory, "%.*s", slash == file ? 1 : (int)(slash - file), file);
	if (stat(directory, &status) < 0)
		return complain(ret_why, errno, "--service-log: directory %.300s of the log file: %s", directory,
			strerror(errno));
	link->user = status.st_uid;
	link->group = status.st_gid;
	return 0;
}

/* As the log process will. */
static int try_file(const void *context, struct complaint *ret_why)
{
	const char *file = context;
	cleanup_close int fd = open(
		file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, LOG_FILE_MODE);
	struct stat status;

	if (fd < 0)
		return complain(ret_why, errno,
			"--service-log: cannot write to %.300s as user %d: %s (it is written as the owner of its "
			"directory, without capabilities)",
			file, (int)geteuid(), strerror(errno));
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return complain(ret_why, EINVAL, "--service-log: %.300s is no regular file", file);
	return 0;
}

int log_link_plan(
	struct log_link *link, const struct model *model, const struct service *service, struct complaint *ret_why)
{
	const char *file = service->logging.file;
	int error = 0;

	link->argv = make_argv(model, service);
	if (link->argv == NULL)
		return complain(ret_why, ENOMEM, "--service-log: %s", strerror(ENOMEM));
	link->user = link->group = AFRESH_NOBODY;
	if (file != NULL)
		error = find_owner(link, file, ret_why);
	return file == NULL || error < 0 ? error : afresh_try(WHO, link->user, link->group, try_file, file, ret_why);
}

bool log_link_is_like(const struct log_link *link, const struct log_link *other)
{
	bool same = (link->argv == NULL) == (other->argv == NULL);

	for (size_t i = FIRST_OWN_WORD; same && link->argv != NULL && i < WORDS; i++)
		same = strcmp(link->argv[i], other->argv[i]) == 0;
	return same && (link->argv == NULL || (link->user == other->user && link->group == other->group));
}

/* ---- the child ---- */

static _Noreturn void become_logger(const struct log_link *link, int end)
{
	int from[2 + 2 * LOG_STREAMS] = { end, link->kept };
	int executable = fcntl(link->executable, F_DUPFD_CLOEXEC, LOGGER_FD_STREAMS + 2 * LOG_STREAMS);
	size_t count = 2;

	for (size_t i = 0; i < LOG_STREAMS; i++) {
		from[count++] = link->stream[i].reader;
		from[count++] = link->stream[i].memory;
	}
	/* What is sent to a group, or by a terminal, is not meant for it. It outlives us for as long as it has lines to
	 * write: no death signal. */
	setsid();
	afresh_place(from, count);
	afresh_drop_privileges(WHO, link->user, link->group);
	afresh_execute(WHO, executable, link->argv, NULL);
}

/* ---- PID 1 ---- */

size_t log_link_descriptors(const struct log_link *link, int ret_fds[static LOG_LINK_FDS])
{
	size_t count = 0;

	ret_fds[count++] = link->executable;
	ret_fds[count++] = link->kept;
	ret_fds[count++] = link->end;
	for (size_t i = 0; i < LOG_STREAMS; i++) {
		ret_fds[count++] = link->stream[i].writer;
		ret_fds[count++] = link->stream[i].reader;
		ret_fds[count++] = link->stream[i].memory;
	}
	return count;
}

static void start_later(struct log_link *link, int64_t lived_ns, int64_t now)
{
	link->restart_at_ns = now + restart_backoff(&link->again, &backoff, lived_ns, now);
}

static void close_end(struct log_link *link)
{
	cleanup_close int closed = take_fd(&link->end);
	(void)closed;
}

static bool is_finished(const struct log_link *link)
{
	return link->stream[LOG_STDOUT].writer < 0;
}

void log_link_start(struct log_link *link, int64_t now)
{
	int end[2];
	pid_t pid;

	/* Neither call blocks; both may fail for want of descriptors, memory or pids, which may pass. */
	if (pipe2(end, O_CLOEXEC) < 0) {
		start_later(link, 0, now);
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(end[1]); /* it would wait for itself */
		become_logger(link, end[0]);
	}
	close(end[0]);
	if (pid < 0) {
		close(end[1]);
		start_later(link, 0, now);
		return;
	}
	link->end = end[1];
	link->pid = pid;
	link->started_at_ns = now;
	link->restart_at_ns = TIME_NEVER;
	if (is_finished(link))
		close_end(link);
}

void log_link_ended(struct log_link *link, int status, int64_t now)
{
	char name[SIGNAL_NAME_SIZE];

	close_end(link);
	link->pid = 0;
	if (is_finished(link) && !WIFSIGNALED(status))
		return; /* it has done what there was to do, or has said why not */
	if (WIFSIGNALED(status))
		log_line(LOG_LEVEL_NOTICE, "the log process of %s was killed by SIG%s; starting it again",
			link->argv[SERVICE_WORD], signal_name(WTERMSIG(status), name));
	else
		log_line(LOG_LEVEL_NOTICE, "the log process of %s ended with status %d; starting it again",
			link->argv[SERVICE_WORD], WEXITSTATUS(status));
	start_later(link, now - link->started_at_ns, now);
}

/* Bytes of the stream that were read so far. What a log process has noted is taken for a number, and no more. */
static uint64_t bytes_read(const struct log_link *link, size_t stream)
{
	const off_t place = (off_t)(stream * sizeof(struct log_stream_kept));
	const off_t position = lseek(link->stream[stream].memory, 0, SEEK_CUR);
	struct log_stream_kept kept = { .current = 0 };

	/* Memory: a read of it does not wait for anybody. */
	if (pread(link->kept, &kept, sizeof kept, place) != sizeof kept)
		kept = (struct log_stream_kept){ .current = 0 };
	return log_produced(kept.copy[kept.current & 1].consumed, (uint64_t)position);
}

static bool is_empty(const struct log_pipe *pipe)
{
	int waiting = 0;

	return ioctl(pipe->reader, FIONREAD, &waiting) < 0 || waiting == 0;
}

static bool all_empty(const struct log_link *link)
{
	return is_empty(&link->stream[LOG_STDOUT]) && is_empty(&link->stream[LOG_STDERR]);
}

void log_link_begin_life(struct log_link *link)
{
	if (log_link_is_there(link))
		link->said_before = bytes_read(link, LOG_STDERR);
}

/* Unless a line just begins there, or nothing ever was said. */
static void end_line(const struct log_link *link, size_t stream)
{
	struct pollfd out = { .fd = link->stream[stream].writer, .events = POLLOUT };
	const uint64_t end = bytes_read(link, stream);
	char last = '\n';

	if (!is_empty(&link->stream[stream]))
		last = '?';
	else if (end > 0)
		pread(link->stream[stream].memory, &last, 1, (off_t)((end - 1) % LOG_RING_SIZE));
	/* Nobody else writes now: a pipe that has room keeps it. */
	if (last != '\n' && poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0)
		write(link->stream[stream].writer, "\n", 1);
}

void log_link_read_on(struct log_link *link, int64_t now)
{
	if (link->pid == 0 && !all_empty(link))
		log_link_start(link, now);
}

bool log_link_is_read(const struct log_link *link)
{
	return all_empty(link);
}

void log_link_end_life(struct log_link *link)
{
	for (size_t i = 0; i < LOG_STREAMS; i++)
		end_line(link, i);
}

void log_link_finish(struct log_link *link, int64_t now)
{
	if (!log_link_is_there(link))
		return;
	for (size_t i = 0; i < LOG_STREAMS; i++)
		close(take_fd(&link->stream[i].writer));
	close_end(link);
	if (link->pid == 0)
		link->restart_at_ns = all_empty(link) && link->restart_at_ns == TIME_NEVER ? TIME_NEVER : now;
}

bool log_link_is_busy(const struct log_link *link)
{
	return log_link_is_there(link) && (link->pid > 0 || link->restart_at_ns != TIME_NEVER);
}

void log_link_give_up(struct log_link *link)
{
	link->restart_at_ns = TIME_NEVER;
	/* It may have another uid, and we may lack CAP_KILL: it ends by itself, soon. */
	if (link->pid > 0)
		kill(link->pid, SIGKILL);
}

size_t log_link_last(const struct log_link *link, size_t size, char *ret_text)
{
	const uint64_t end = bytes_read(link, LOG_STDERR), said = end - link->said_before;
	const size_t length = said < size - 1 ? (size_t)said : size - 1;
	const size_t place = (end - length) % LOG_RING_SIZE, to_end = LOG_RING_SIZE - place;
	const size_t first = length < to_end ? length : to_end;
	const int memory = link->stream[LOG_STDERR].memory;

	if (pread(memory, ret_text, first, (off_t)place) != (ssize_t)first ||
		pread(memory, ret_text + first, length - first, 0) != (ssize_t)(length - first)) {
		*ret_text = '\0';
		return 0;
	}
	ret_text[length] = '\0';
	return length;
}
