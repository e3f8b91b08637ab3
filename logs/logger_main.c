/* The log process: PID 1 starts it where logs are asked for, and starts it again when it is killed. It reads what the
 * services write and passes it on line by line. */
#include "init/commands.h"

#include "base/clock.h"
#include "base/log.h"
#include "logs/sink.h"
#include "logs/stream.h"
#include "seccomp-profiles/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STREAMS_OF_SERVICE 2
#define OWN_SINKS 2 /* standard output and error, before the files */
#define RING_SMALLEST (256 * 1024)
#define PAGE 4096

/* The words of a service (base/log_kept.h). */
enum word { WORD_NAME, WORD_FORMAT, WORD_FILE, WORD_MAX_SIZE, WORD_MAX_FILE, WORD_MODE, WORD_MAX_BUFFER_SIZE };

static struct {
	struct stream *stream;
	struct sink *sink;
	struct pollfd *slot; /* the end, the streams, the sinks */
	size_t stream_count, sink_count;
	bool ending;
	int64_t end_at_ns; /* once ending */
} logger = { .end_at_ns = TIME_NEVER };

/* ---- what was asked for ---- */

static enum logging_format format_of(const char *word)
{
	return strcmp(word, logging_format_name(LOGGING_JSON)) == 0 ? LOGGING_JSON : LOGGING_TAGGED;
}

/* The sink of a file, a new one for a new name. */
static struct sink *sink_for(char *const *word)
{
	struct sink *sink = logger.sink + OWN_SINKS;

	while (sink < logger.sink + logger.sink_count && strcmp(sink->file, word[WORD_FILE]) != 0)
		sink++;
	if (sink < logger.sink + logger.sink_count)
		return sink;
	logger.sink_count++;
	*sink = (struct sink){ .file = word[WORD_FILE],
		.max_size = strtoull(word[WORD_MAX_SIZE], NULL, 10),
		.max_file = (unsigned)strtoul(word[WORD_MAX_FILE], NULL, 10),
		.fd = -1 };
	return sink;
}

static void take_service(char *const *word)
{
	static const char names[STREAMS_OF_SERVICE][8] = { "stdout", "stderr" };
	struct sink *file = *word[WORD_FILE] != '\0' ? sink_for(word) : NULL;
	const size_t wanted = strtoull(word[WORD_MAX_BUFFER_SIZE], NULL, 10);

	for (size_t i = 0; i < STREAMS_OF_SERVICE; i++) {
		struct sink *sink = file != NULL ? file : &logger.sink[i];
		const int fd = LOGGER_FD_STREAMS + 2 * (int)logger.stream_count;

		if (sink->ring.size < wanted)
			sink->ring.size = (wanted + PAGE - 1) / PAGE * PAGE;
		if (sink->ring.size < RING_SMALLEST)
			sink->ring.size = RING_SMALLEST;
		logger.stream[logger.stream_count++] = (struct stream){ .service = word[WORD_NAME],
			.name = names[i],
			.format = format_of(word[WORD_FORMAT]),
			.drop = strcmp(word[WORD_MODE], "non-blocking") == 0,
			.pipe = fd,
			.memory = fd + 1,
			.sink = sink };
	}
}

static int allocate(size_t service_count)
{
	const size_t streams = service_count * STREAMS_OF_SERVICE, sinks = OWN_SINKS + service_count;

	logger.stream = calloc(streams, sizeof *logger.stream);
	logger.sink = calloc(sinks, sizeof *logger.sink);
	logger.slot = calloc(1 + streams + sinks, sizeof *logger.slot);
	if (logger.stream == NULL || logger.sink == NULL || logger.slot == NULL)
		return -ENOMEM;
	logger.sink_count = OWN_SINKS;
	logger.sink[0].fd = STDOUT_FILENO;
	logger.sink[1].fd = STDERR_FILENO;
	return 0;
}

/* ---- where the last one was ---- */

static size_t whole_pages(size_t size)
{
	return (size + PAGE - 1) / PAGE * PAGE;
}

/* The marks of all streams, of all sinks, and behind them the sinks' rings. The file is made as large as that by the
 * first of us. */
static int map_kept(size_t service_count)
{
	const size_t sinks_at = logger.stream_count * sizeof(struct log_stream_kept);
	const size_t marks = whole_pages(sinks_at + (OWN_SINKS + service_count) * sizeof(struct log_sink_kept));
	size_t size = marks, at = marks;
	char *kept;

	for (size_t i = 0; i < logger.sink_count; i++)
		size += logger.sink[i].ring.size;
	if (ftruncate(LOGGER_FD_KEPT, (off_t)size) < 0)
		return -errno;
	kept = mmap(NULL, marks, PROT_READ | PROT_WRITE, MAP_SHARED, LOGGER_FD_KEPT, 0);
	if (kept == MAP_FAILED)
		return -errno;
	for (size_t i = 0; i < logger.stream_count; i++)
		logger.stream[i].kept = (struct log_stream_kept *)(void *)kept + i;
	for (size_t i = 0; i < logger.sink_count; i++) {
		struct sink *sink = &logger.sink[i];
		const size_t length = sink->ring.size;
		const int error = length > 0 ? ring_map(LOGGER_FD_KEPT, (off_t)at, length, &sink->ring) : 0;

		if (error < 0)
			return error;
		sink->kept = (struct log_sink_kept *)(void *)(kept + sinks_at) + i;
		at += length;
	}
	return 0;
}

static int open_streams(void)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < logger.stream_count; i++)
		error = stream_open(&logger.stream[i]);
	return error;
}

/* A sink was given what the last of its streams says. */
static void open_sinks(int64_t now)
{
	for (size_t i = 0; i < logger.sink_count; i++) {
		uint64_t head = 0;

		for (size_t k = 0; k < logger.stream_count; k++)
			if (logger.stream[k].sink == &logger.sink[i] && logger.stream[k].mark.head > head)
				head = logger.stream[k].mark.head;
		if (logger.sink[i].ring.size > 0)
			sink_open(&logger.sink[i], head, now);
	}
}

/* ---- the loop ---- */

static bool is_used(const struct sink *sink)
{
	return sink->ring.size > 0;
}

static int64_t time_to_sleep(int64_t now)
{
	int64_t until = logger.end_at_ns;

	for (size_t i = 0; i < logger.sink_count; i++)
		if (is_used(&logger.sink[i]) && logger.sink[i].retry_at_ns < until)
			until = logger.sink[i].retry_at_ns;
	return until == TIME_NEVER ? TIME_NEVER : until > now ? until - now : 0;
}

static void wait_for_something(void)
{
	const int64_t sleep_ns = time_to_sleep(clock_now_ns());
	const struct timespec limit = { .tv_sec = sleep_ns / NS_PER_S, .tv_nsec = sleep_ns % NS_PER_S };
	struct pollfd *slot = logger.slot;

	*slot++ = (struct pollfd){ .fd = logger.ending ? -1 : LOGGER_FD_END, .events = POLLIN };
	for (size_t i = 0; i < logger.stream_count; i++) {
		const struct stream *stream = &logger.stream[i];

		*slot++ = (struct pollfd){ .fd = !stream->ended && stream_room(stream) > 0 ? stream->pipe : -1,
			.events = POLLIN };
	}
	for (size_t i = 0; i < logger.sink_count; i++)
		*slot++ = (struct pollfd){ .fd = logger.sink[i].full ? logger.sink[i].fd : -1, .events = POLLOUT };
	if (ppoll(logger.slot, (nfds_t)(slot - logger.slot), sleep_ns == TIME_NEVER ? NULL : &limit, NULL) < 0)
		for (slot = logger.slot; slot < logger.slot + 1 + logger.stream_count + logger.sink_count; slot++)
			slot->revents = 0;
}

/* PID 1 never writes there: its end is closed. */
static void take_end(int64_t now)
{
	if (logger.ending || logger.slot[0].revents == 0)
		return;
	logger.ending = true;
	logger.end_at_ns = now + LOGGER_END_NS;
}

static void read_streams(void)
{
	const int64_t wall_ns = clock_wall_ns();

	for (size_t i = 0; i < logger.stream_count; i++)
		if (logger.slot[1 + i].revents != 0 || logger.ending)
			stream_read(&logger.stream[i], wall_ns, logger.ending);
}

/* As long as anything moves: what a sink has written is room for its streams. */
static void pass_on(int64_t now)
{
	bool moved;

	for (size_t i = 0; i < logger.sink_count; i++)
		if (logger.slot[1 + logger.stream_count + i].revents != 0)
			logger.sink[i].full = false;
	do {
		moved = false;
		for (size_t i = 0; i < logger.stream_count; i++)
			moved |= stream_pump(&logger.stream[i]);
		for (size_t i = 0; i < logger.sink_count; i++)
			if (is_used(&logger.sink[i]))
				moved |= sink_write(&logger.sink[i], now);
	} while (moved);
}

static bool is_done(void)
{
	bool done = logger.ending;

	for (size_t i = 0; i < logger.stream_count; i++) {
		const struct stream *stream = &logger.stream[i];

		done = done && stream->ended && stream->produced == stream->mark.consumed && stream->mark.untold == 0;
	}
	for (size_t i = 0; i < logger.sink_count; i++)
		done = done && (!is_used(&logger.sink[i]) || sink_is_empty(&logger.sink[i]));
	return done;
}

/* ---- start ---- */

/* No program can be started, no memory executed, no socket opened. */
static int close_the_cage(void)
{
	const struct embedded_profile *profile = embedded_find("logger");
	struct sock_fprog program = { .len = profile->length, .filter = (struct sock_filter *)embedded_insn(profile) };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, profile->flags, &program) < 0)
		return -errno;
	return 0;
}

/* As PID 1 speaks. */
static void set_log(const char *format_word, const char *level_word)
{
	enum log_format format = 0;
	enum log_level level = 0;

	while (format < LOG_FORMAT_COUNT - 1 && strcmp(format_word, log_format_name(format)) != 0)
		format++;
	while (level < LOG_LEVEL_COUNT - 1 && strcmp(level_word, log_level_name(level)) != 0)
		level++;
	log_set(format, level);
	log_name("nest-init logger");
}

/* With one of 0 to 2 closed a log file would take its number, and somebody's output with it. */
static void hold_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/", O_PATH | O_CLOEXEC);
}

static int prepare(int argc, char **argv)
{
	const size_t service_count = (size_t)(argc - 3) / LOGGER_WORDS;
	int error = allocate(service_count);

	if (error < 0)
		return error;
	for (size_t i = 0; i < service_count; i++)
		take_service(argv + 3 + i * LOGGER_WORDS);
	error = map_kept(service_count);
	if (error == 0)
		error = open_streams();
	if (error == 0)
		error = close_the_cage();
	return error;
}

int logger_main(int argc, char **argv)
{
	int64_t now = clock_now_ns();
	sigset_t all;
	int error;

	/* PID 1 says when it is time: what it sends to all, and a reader that leaves, is not meant for us. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_DUMPABLE, 0);
	umask(0);
	if (argc < 3 + LOGGER_WORDS || (argc - 3) % LOGGER_WORDS != 0 || fcntl(LOGGER_FD_KEPT, F_GETFD) < 0) {
		log_line(LOG_LEVEL_ERROR, "only PID 1 starts the log process");
		return STATUS_USAGE;
	}
	set_log(argv[1], argv[2]);
	hold_standard_descriptors();
	error = prepare(argc, argv);
	if (error < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot begin: %s", strerror(-error));
		return STATUS_USAGE;
	}
	log_never_block();
	open_sinks(now);
	pass_on(now); /* what the last one left */
	while (!is_done()) {
		if (now >= logger.end_at_ns) {
			log_line(LOG_LEVEL_WARNING, "what is left of %s could not be written in time",
				logger.stream->service);
			return 1;
		}
		wait_for_something();
		now = clock_now_ns();
		take_end(now);
		read_streams();
		pass_on(now);
	}
	return 0;
}
