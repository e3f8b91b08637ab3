#include "init/watch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdio.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define TEXT_MAX (512 * 1024)
#define CONTROL_C 3
#define CONTROL_D 4

/* Another screen, no cursor, lines that are cut instead of wrapped (xterm's control sequences); and back. */
#define SCREEN_OPEN "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_CLOSE "\033[?7h\033[?25h\033[?1049l"

static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
	ended = ended || signal != SIGWINCH; /* a terminal of another size is only drawn anew */
}

/* They come while we wait, and at no other time. Returns the mask for that. */
static sigset_t hold_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
	const struct sigaction action = { .sa_handler = on_signal };
	sigset_t held, open;

	sigemptyset(&held);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		sigaddset(&held, signals[i]);
		sigaction(signals[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &held, &open);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigdelset(&open, signals[i]);
	return open;
}

/* Until the time is over, a key or a signal. Returns false if that was to be the end. */
static bool wait_for_key(int64_t interval_ns, const sigset_t *open, int keys)
{
	struct pollfd slot = { .fd = keys, .events = POLLIN };
	const struct timespec limit = { .tv_sec = interval_ns / NS_PER_S, .tv_nsec = interval_ns % NS_PER_S };
	unsigned char key = 0;

	if (ppoll(&slot, 1, &limit, open) <= 0)
		return !ended;
	return read(keys, &key, 1) == 1 && key != 'q' && key != 'Q' && key != CONTROL_C && key != CONTROL_D;
}

/* What draw writes to stdout, in memory. Returns its length or -errno. */
static ssize_t capture(void (*draw)(void), char *text, size_t size)
{
	cleanup_close int memory = (int)syscall(SYS_memfd_create, "screen", 1U /* MFD_CLOEXEC */);
	cleanup_close int terminal = dup(STDOUT_FILENO);

	if (memory < 0 || terminal < 0 || dup2(memory, STDOUT_FILENO) < 0)
		return -errno;
	draw();
	fflush(stdout);
	dup2(terminal, STDOUT_FILENO);
	return lseek(memory, 0, SEEK_SET) < 0 ? -errno : fd_read_all(memory, text, size);
}

/* As many lines as the terminal has, each over what stood there before: nothing flickers. */
static int show(const char *text, size_t length)
{
	static char screen[2 * TEXT_MAX];
	struct winsize window = { .ws_row = 24 };
	size_t at = (size_t)snprintf(screen, sizeof screen, "\033[H");
	const char *end = text + length;

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
	for (unsigned row = 1; row < window.ws_row && text < end; row++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const size_t line = (size_t)((newline != NULL ? newline : end) - text);

		if (at + line + 8 > sizeof screen)
			break;
		memcpy(screen + at, text, line);
		at += line;
		memcpy(screen + at, "\033[K\n", 4);
		at += 4;
		text += line + (newline != NULL);
	}
	at += (size_t)snprintf(screen + at, sizeof screen - at, "\033[J");
	return fd_write_all(STDOUT_FILENO, screen, at);
}

static int watch_terminal(int64_t interval_ns, void (*draw)(void), const sigset_t *open)
{
	static char text[TEXT_MAX];
	struct termios before, raw;
	int error = 0;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return -errno;
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fd_write_all(STDOUT_FILENO, SCREEN_OPEN, strlen(SCREEN_OPEN));
	do {
		ssize_t length = capture(draw, text, sizeof text);

		error = length < 0 ? (int)length : show(text, (size_t)length);
	} while (error == 0 && wait_for_key(interval_ns, open, STDIN_FILENO));
	fd_write_all(STDOUT_FILENO, SCREEN_CLOSE, strlen(SCREEN_CLOSE));
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	return error;
}

static int watch_stream(int64_t interval_ns, void (*draw)(void), const sigset_t *open)
{
	for (;;) {
		draw();
		if (fflush(stdout) != 0)
			return errno == EPIPE ? 0 : -errno;
		if (!wait_for_key(interval_ns, open, -1))
			return 0;
		putchar('\n');
	}
}

int watch(int64_t interval_ns, void (*draw)(void))
{
	const bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	const sigset_t open = hold_signals();

	signal(SIGPIPE, SIG_IGN);
	return (terminal ? watch_terminal : watch_stream)(interval_ns, draw, &open);
}
