/*
 * What the inits of the bench run: `workload MODE [COUNT|CALL]`. It answers on stdout in records of eight bytes, the
 * time on CLOCK_MONOTONIC in ns; the first is always the time at which main() began, sent once the mode is ready to be
 * measured. A byte on stdin starts the measured part of the modes end, reap and burst.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ORPHANS_MAX 10000
#define BATCHES 101
#define BATCH 1000

/* Shared, so that the parent of the orphans can tell their pids before it ends. */
static pid_t *orphans;

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void say(int64_t ns)
{
	if (write(STDOUT_FILENO, &ns, sizeof ns) != sizeof ns)
		_exit(111);
}

/* Waits for the bench's byte; the end of stdin means that nobody is interested any more. */
static void await_go(void)
{
	char byte;

	if (read(STDIN_FILENO, &byte, 1) != 1)
		_exit(0);
}

static void linger(void)
{
	for (;;)
		pause();
}

/* Leaves `count` orphans behind that sleep, adopted by the init, in the workload's process group. */
static void make_orphans(int count)
{
	pid_t parent, orphan;
	int status;

	orphans = mmap(NULL, ORPHANS_MAX * sizeof *orphans, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (count > ORPHANS_MAX || orphans == MAP_FAILED || (parent = fork()) < 0)
		_exit(112);
	if (parent == 0) {
		for (int i = 0; i < count; i++) {
			orphan = fork();
			if (orphan == 0)
				linger();
			if (orphan < 0)
				_exit(113);
			orphans[i] =
				orphan; /* by the parent alone: the page is shared, and fork() answers 0 to the child */
		}
		_exit(0);
	}
	if (waitpid(parent, &status, 0) != parent || status != 0)
		_exit(114);
}

static void run_signal(int64_t began)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	say(began);
	while (sigwaitinfo(&set, NULL) == SIGUSR1)
		say(now());
}

static void run_end(int64_t began)
{
	say(began);
	await_go();
	say(now());
	_exit(0);
}

/* One orphan after the other, each reaped before the next one ends, so that every init is woken once for each. */
static void run_reap(int64_t began, int count)
{
	make_orphans(count);
	say(began);
	await_go();
	for (int i = 0; i < count; i++) {
		kill(orphans[i], SIGKILL);
		while (kill(orphans[i], 0) == 0)
			sched_yield();
	}
	say(now());
	linger();
}

/*
 * The whole group at once, as a stop does it; answers when it began and when the init had reaped the last one. The
 * kernel signals the youngest first, which is the expensive order for will_become_orphaned_pgrp(): it passes over the
 * zombies.
 */
static void run_burst(int64_t began, int count)
{
	const struct timespec pause_between = { .tv_nsec = 200000 };

	make_orphans(count);
	signal(SIGTERM, SIG_IGN);
	say(began);
	await_go();
	say(now());
	kill(0, SIGTERM);
	for (int i = 0; i < count; i++)
		while (kill(orphans[i], 0) == 0)
			nanosleep(&pause_between, NULL);
	say(now());
	linger();
}

#define ANY (-1)

/* The kernel has as little as possible to do. socket is allowed by its first argument in every profile, and gives up
 * because of its second. bpf has no such command, and nobody who is confined may call it. */
static const struct call {
	const char *name;
	long number, first, second;
	int error; /* what it fails with */
} calls[] = {
	{ "allowed", SYS_getppid, 0, 0, 0 },
	{ "argument", SYS_socket, AF_UNIX, -1, EINVAL },
	{ "denied", SYS_bpf, -1, 0, ANY },
};

static int64_t time_batch(const struct call *call)
{
	int64_t began = now();

	for (int i = 0; i < BATCH; i++) {
		bool failed = syscall(call->number, call->first, call->second, 0) < 0;

		if (failed != (call->error != 0) || (failed && call->error != ANY && errno != call->error))
			_exit(115);
	}
	return now() - began;
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median of many batches, as other load stretches some. */
static void run_calls(int64_t began, const char *name)
{
	static int64_t batches[BATCHES];
	const struct call *call = calls;

	while (strcmp(call->name, name) != 0)
		call++;
	say(began);
	for (int i = 0; i < BATCHES; i++)
		batches[i] = time_batch(call);
	qsort(batches, BATCHES, sizeof batches[0], compare);
	say(batches[BATCHES / 2]);
}

/* Lines of 100 bytes, written as a libc's stdio does it. */
static void run_lines(int count)
{
	enum { LINE = 100, PAGE = 4096 };
	char page[PAGE + LINE];
	size_t length = 0;

	for (int i = 0; i < count; i++) {
		memset(page + length, 'a' + i % 26, LINE - 1);
		page[length + LINE - 1] = '\n';
		length += LINE;
		if (length < PAGE && i < count - 1)
			continue;
		if (write(STDOUT_FILENO, page, length) != (ssize_t)length)
			_exit(116);
		length = 0;
	}
}

int main(int argc, char **argv)
{
	int64_t began = now();
	const char *mode = argc > 1 ? argv[1] : "";
	int count = argc > 2 ? atoi(argv[2]) : 0;

	if (strcmp(mode, "start") == 0)
		say(began);
	else if (strcmp(mode, "signal") == 0)
		run_signal(began);
	else if (strcmp(mode, "end") == 0)
		run_end(began);
	else if (strcmp(mode, "reap") == 0)
		run_reap(began, count);
	else if (strcmp(mode, "burst") == 0)
		run_burst(began, count);
	else if (strcmp(mode, "calls") == 0 && argc > 2)
		run_calls(began, argv[2]);
	else if (strcmp(mode, "lines") == 0)
		run_lines(count);
	else if (strcmp(mode, "idle") == 0) {
		say(began);
		linger();
	} else
		return 110;
	return 0;
}
