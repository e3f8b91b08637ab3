#include "base/log.h"

#include "base/clock.h"
#include "base/complaint.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINE_SIZE 4096 /* PIPE_BUF: no other line comes in between (pipe(7)) */
#define SENTENCE_SIZE 1024
#define ECS_VERSION "8.11.0"
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

static bool never_block;
static unsigned dropped;
static const char *name = "nest-init";
static enum log_format log_format = LOG_FORMAT_TEXT;
static enum log_level log_level = LOG_LEVEL_NOTICE;

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

/* What the members are called. ECS logging wants these three first, the level's name with its dot (its reference). */
static const struct {
	char time[12], level[12], program[12];
} keys[LOG_FORMAT_COUNT] = {
	[LOG_FORMAT_JSON] = { "time", "level", "program" },
	[LOG_FORMAT_ECS] = { "@timestamp", "log.level", "log.logger" },
};

/* RFC 3339, in UTC. */
static void say_time(struct json_line *line)
{
	int64_t now = clock_wall_ns();
	time_t seconds = now / NS_PER_S;
	char text[80];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now % NS_PER_S / NS_PER_MS));
	json_line_text(line, keys[log_format].time, text);
}

/* In ECS what is ours stands below our own name. json_line_finish() closes it. */
static void add_members(
	struct json_line *line, void (*add)(struct json_line *line, const void *context), const void *context)
{
	if (log_format != LOG_FORMAT_ECS || json_line_open(line, "nest_init", '{'))
		add(line, context);
}

/* The sentence as a line, its newline included. Returns its length. */
static size_t format_line(char ret_line[LINE_SIZE], enum log_level level, const char *sentence,
	void (*add)(struct json_line *line, const void *context), const void *context)
{
	struct json_line line;
	int length;

	if (log_format == LOG_FORMAT_TEXT) {
		length = snprintf(ret_line, LINE_SIZE - 1, "%s: %s", name, sentence);
		if (length > LINE_SIZE - 2)
			length = LINE_SIZE - 2;
		complaint_flatten(ret_line);
		ret_line[length++] = '\n';
		return (size_t)length;
	}
	json_line_begin(&line, ret_line, LINE_SIZE);
	say_time(&line);
	json_line_text(&line, keys[log_format].level, log_level_name(level));
	if (log_format == LOG_FORMAT_ECS)
		json_line_text(&line, "ecs.version", ECS_VERSION);
	json_line_text(&line, keys[log_format].program, name);
	json_line_text(&line, "message", sentence);
	if (add != NULL)
		add_members(&line, add, context);
	json_line_finish(&line);
	return line.length;
}

static void confess_dropped(void)
{
	char sentence[80], line[LINE_SIZE];
	size_t length;

	snprintf(sentence, sizeof sentence, "%u lines were dropped: standard error was full", dropped);
	length = format_line(line, LOG_LEVEL_NOTICE, sentence, NULL, NULL);
	if (emit(STDERR_FILENO, line, length))
		dropped = 0;
}

bool log_wants(enum log_level level)
{
	return level <= log_level;
}

void log_line_with(enum log_level level, const char *sentence, void (*add)(struct json_line *line, const void *context),
	const void *context)
{
	char line[LINE_SIZE];
	size_t length;

	if (!log_wants(level))
		return;
	length = format_line(line, level, sentence, add, context);
	if (dropped > 0)
		confess_dropped();
	if (dropped > 0 || !emit(STDERR_FILENO, line, length))
		dropped++;
}

void log_line(enum log_level level, const char *format, ...)
{
	const bool marked = level == LOG_LEVEL_WARNING && log_format == LOG_FORMAT_TEXT;
	char sentence[SENTENCE_SIZE] = "warning: ";
	const size_t mark = marked ? strlen(sentence) : 0;
	va_list args;

	va_start(args, format);
	vsnprintf(sentence + mark, sizeof sentence - mark, format, args);
	va_end(args);
	log_line_with(level, sentence, NULL, NULL);
}

void log_raw(int fd, const char *text, size_t length)
{
	if (!emit(fd, text, length))
		dropped++;
}

void log_set(enum log_format format, enum log_level level)
{
	log_format = format;
	log_level = level;
}

void log_never_block(void)
{
	never_block = true;
}

void log_name(const char *shown)
{
	name = shown;
}
