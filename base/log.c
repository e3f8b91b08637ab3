#include "base/log.h"

#include "base/complaint.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINE_SIZE 1024
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

static bool never_block;
static unsigned dropped;
static const char *name = "nest-init";

static bool write_blocking(int fd, const char *line, size_t length)
{
	return write(fd, line, length) >= 0;
}

/* Terminals and old kernels do not know RWF_NOWAIT: there a look before the write has to do. */
static bool write_if_ready(int fd, const char *line, size_t length)
{
	struct pollfd out = { .fd = fd, .events = POLLOUT };

	return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0 && write_blocking(fd, line, length);
}

static bool write_now(int fd, const char *line, size_t length)
{
	struct iovec part = { .iov_base = (char *)line, .iov_len = length };

	/* The offset -1 is the file's own position, in two halves as the kernel takes it (pwritev2(2)). */
	if (syscall(SYS_pwritev2, fd, &part, 1, -1L, -1L, RWF_NOWAIT) >= 0)
		return true;
	return errno != EAGAIN && errno != EBADF && write_if_ready(fd, line, length);
}

static bool emit(int fd, const char *line, size_t length)
{
	return never_block ? write_now(fd, line, length) : write_blocking(fd, line, length);
}

static void confess_dropped(void)
{
	char line[LINE_SIZE];
	int length = snprintf(line, sizeof line, "%s: %u lines were dropped: standard error was full\n", name, dropped);

	if (emit(STDERR_FILENO, line, (size_t)length))
		dropped = 0;
}

void log_line(const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	int start = snprintf(line, sizeof line - 1, "%s: ", name), length;

	va_start(args, format);
	length = start + vsnprintf(line + start, sizeof line - 1 - (size_t)start, format, args);
	va_end(args);
	if (length > (int)sizeof line - 2)
		length = sizeof line - 2;
	complaint_flatten(line);
	line[length++] = '\n';
	if (dropped > 0)
		confess_dropped();
	if (dropped > 0 || !emit(STDERR_FILENO, line, (size_t)length))
		dropped++;
}

void log_raw(int fd, const char *text, size_t length)
{
	if (!emit(fd, text, length))
		dropped++;
}

void log_never_block(void)
{
	never_block = true;
}

void log_name(const char *shown)
{
	name = shown;
}
