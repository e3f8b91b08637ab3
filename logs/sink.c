#include "logs/sink.h"

#include "base/clock.h"
#include "base/kept.h"
#include "base/log.h"
#include "logs/rotation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RETRY_NS NS_PER_S
#define LOOK_NS NS_PER_S
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

static void commit(struct sink *sink)
{
	kept_commit(&sink->kept->current, sink->kept->copy, &sink->mark, sizeof sink->mark);
}

static void fail(struct sink *sink, const char *what, int error, int64_t now)
{
	sink->retry_at_ns = now + RETRY_NS;
	if (!sink->told)
		log_line(LOG_LEVEL_ERROR, "log file %s: cannot %s: %s%s; trying again every second", sink->file, what,
			strerror(error), error == EROFS ? " (--writable for its directory)" : "");
	sink->told = true;
}

static bool is_in_line(const struct sink *sink)
{
	return sink->mark.tail > 0 && *ring_place(&sink->ring, sink->mark.tail - 1) != '\n';
}

/* ---- files ---- */

static bool is_marked(const struct sink *sink, const struct stat *status)
{
	return status->st_dev == sink->mark.dev && status->st_ino == sink->mark.ino;
}

static bool open_file(struct sink *sink, int64_t now)
{
	struct stat status;

	/* O_NONBLOCK: a FIFO without a reader is refused (ENXIO) where it would hold us. */
	sink->fd = open(sink->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, LOG_FILE_MODE);
	if (sink->fd < 0 || fstat(sink->fd, &status) < 0) {
		fail(sink, "open it", errno, now);
		return false;
	}
	if (!S_ISREG(status.st_mode)) { /* whatever it is, rotating it would be no service to anybody */
		close(sink->fd);
		sink->fd = -1;
		fail(sink, "open it as a file", ENODEV, now);
		return false;
	}
	/* The last process may have written more than it came to note. */
	if (is_marked(sink, &status) && (uint64_t)status.st_size > sink->mark.size &&
		(uint64_t)status.st_size - sink->mark.size <= sink->head - sink->mark.tail)
		sink->mark.tail += (uint64_t)status.st_size - sink->mark.size;
	sink->mark.size = (uint64_t)status.st_size;
	sink->mark.dev = status.st_dev;
	sink->mark.ino = status.st_ino;
	commit(sink);
	return true;
}

/* Whoever has moved the file away, or removed it, wants a new one; between two lines, or the halves of one would come
 * apart. What the new one holds is none of what was written. */
static void leave_what_was_moved(struct sink *sink, int64_t now)
{
	struct stat status;

	if (sink->file == NULL || sink->fd < 0 || now < sink->look_at_ns || is_in_line(sink))
		return;
	sink->look_at_ns = now + LOOK_NS;
	if (stat(sink->file, &status) == 0 ? is_marked(sink, &status) : errno != ENOENT)
		return;
	close(sink->fd);
	sink->fd = -1;
	sink->mark.ino = 0;
}

static bool is_there(const char *name)
{
	return access(name, F_OK) == 0;
}

/* The numbers up to the first that is free go up by one; where none is, the oldest file makes room. Cut short and done
 * again, it loses none. Returns false with errno. */
static bool move_on(const struct sink *sink)
{
	char from[PATH_MAX], to[PATH_MAX];
	unsigned number = 1;

	if (sink->max_file == 1)
		return unlink(sink->file) == 0 || errno == ENOENT;
	while (number < sink->max_file - 1 && rotation_name(sink->file, number, sizeof to, to) == 0 && is_there(to))
		number++;
	for (; number > 1; number--) {
		rotation_name(sink->file, number - 1, sizeof from, from);
		rotation_name(sink->file, number, sizeof to, to);
		if (rename(from, to) < 0 && errno != ENOENT)
			return false;
	}
	rotation_name(sink->file, 1, sizeof to, to);
	return rename(sink->file, to) == 0 || errno == ENOENT;
}

static bool rotate(struct sink *sink, int64_t now)
{
	if (!move_on(sink)) {
		fail(sink, "rotate it", errno, now);
		return false;
	}
	close(sink->fd);
	sink->fd = -1;
	return open_file(sink, now);
}

/* ---- writing ---- */

/* How much goes out in one call; 0: another file first. What others write to our standard output does not come in
 * between two halves of a line: up to PIPE_BUF bytes stay together (pipe(7)). */
static size_t portion(const struct sink *sink, const char *text, size_t length)
{
	const char *newline;

	if (sink->file == NULL) {
		if (length <= PIPE_BUF)
			return length;
		newline = memrchr(text, '\n', PIPE_BUF);
		return newline != NULL ? (size_t)(newline - text) + 1 : PIPE_BUF;
	}
	if (is_in_line(sink) && (newline = memchr(text, '\n', length)) != NULL)
		return (size_t)(newline - text) + 1;
	return rotation_portion(text, length, sink->mark.size, sink->max_size);
}

/* As base/log.c does it: our standard output is others' as well, so that it cannot be made non-blocking. */
static ssize_t write_now(const struct sink *sink, const char *text, size_t length)
{
	struct iovec part = { .iov_base = (char *)text, .iov_len = length };
	struct pollfd out = { .fd = sink->fd, .events = POLLOUT };
	ssize_t written;

	if (sink->file != NULL || sink->is_regular)
		return write(sink->fd, text, length);
	written = syscall(SYS_pwritev2, sink->fd, &part, 1, -1L, -1L, RWF_NOWAIT);
	if (written >= 0 || errno == EAGAIN || errno == EPIPE || errno == EBADF)
		return written;
	if (poll(&out, 1, 0) == 1)
		return write(sink->fd, text, length);
	errno = EAGAIN;
	return -1;
}

/* Returns whether to go on. */
static bool take_failure(struct sink *sink, int error, int64_t now)
{
	if (error == EINTR)
		return true;
	if (error == EAGAIN) {
		sink->full = true;
	} else if (sink->file != NULL) {
		fail(sink, "write to it", error, now);
	} else {
		sink->broken = true;
		log_line(LOG_LEVEL_ERROR, "standard %s: %s: the lines for it are lost",
			sink->fd == STDOUT_FILENO ? "output" : "error", strerror(error));
	}
	return false;
}

static bool write_some(struct sink *sink, int64_t now)
{
	const char *text = ring_place(&sink->ring, sink->mark.tail);
	size_t length = portion(sink, text, (size_t)(sink->head - sink->mark.tail));
	ssize_t written;

	if (length == 0)
		return rotate(sink, now);
	written = write_now(sink, text, length);
	if (written < 0)
		return take_failure(sink, errno, now);
	sink->mark.tail += (uint64_t)written;
	sink->mark.size += (uint64_t)written;
	sink->told = false;
	commit(sink);
	return true;
}

void sink_open(struct sink *sink, uint64_t head, int64_t now)
{
	struct stat status;

	sink->mark = sink->kept->copy[sink->kept->current & 1];
	sink->head = head;
	sink->retry_at_ns = TIME_NEVER;
	/* No process of ours leaves it so. */
	if (sink->mark.tail > head || head - sink->mark.tail >= sink->ring.size)
		sink->mark.tail = head;
	if (sink->file != NULL)
		open_file(sink, now);
	else
		sink->is_regular = fstat(sink->fd, &status) == 0 && S_ISREG(status.st_mode);
}

bool sink_write(struct sink *sink, int64_t now)
{
	uint64_t before;

	if (sink->full || (sink->retry_at_ns != TIME_NEVER && now < sink->retry_at_ns))
		return false;
	sink->retry_at_ns = TIME_NEVER;
	if (!sink_is_empty(sink))
		leave_what_was_moved(sink, now);
	if (sink->fd < 0 && !open_file(sink, now))
		return false;
	before = sink->mark.tail;
	while (!sink_is_empty(sink) && !sink->broken && write_some(sink, now))
		continue;
	if (sink->broken && !sink_is_empty(sink)) {
		sink->mark.tail = sink->head;
		commit(sink);
	}
	return sink->mark.tail > before;
}
