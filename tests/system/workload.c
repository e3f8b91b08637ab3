/* The workloads of the system tests: each verb is a small process whose behaviour is known to the letter. Signals are
 * handled by the kernel's own numbers, as libc hides 32 and 33. Build: cc -O2 -o workload workload.c */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define END 1000000 /* a queued value from here on ends `take` with what is above it */

/* One write for each line: lines of several processes never mix. */
static void say(const char *format, ...)
{
	char line[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	line[length++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		_exit(99);
}

static void block_all(void)
{
	uint64_t all = UINT64_MAX;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, sizeof all);
}

static int take(siginfo_t *info)
{
	uint64_t all = UINT64_MAX;
	long signal;

	do
		signal = syscall(SYS_rt_sigtimedwait, &all, info, NULL, sizeof all);
	while (signal < 0 && errno == EINTR);
	return (int)signal;
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static void wait_for_file(const char *path)
{
	while (access(path, F_OK) < 0)
		sleep_ms(5);
}

/* take [FILE]: says each signal as it takes it, "SIGNAL CODE SENDER VALUE"; takes none before FILE is there. */
static int verb_take(char **args)
{
	siginfo_t info;

	block_all();
	say("ready");
	if (args[0] != NULL)
		wait_for_file(args[0]);
	for (;;) {
		int signal = take(&info);

		if (info.si_code == SI_QUEUE && info.si_value.sival_int >= END)
			return info.si_value.sival_int - END;
		if (signal == SIGCHLD)
			continue;
		say("%d %d %d %d", signal, info.si_code, (int)info.si_pid,
			info.si_code == SI_QUEUE ? info.si_value.sival_int : 0);
	}
}

static int run(char **args);

/* limited COUNT VERB...: with at most COUNT signals queued. */
static int verb_limited(char **args)
{
	struct rlimit limit = { (rlim_t)atol(args[0]), (rlim_t)atol(args[0]) };

	setrlimit(RLIMIT_SIGPENDING, &limit);
	return run(args + 1);
}

static void queue(pid_t pid, int signal, int value)
{
	siginfo_t info;

	memset(&info, 0, sizeof info);
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_value.sival_int = value;
	while (syscall(SYS_rt_sigqueueinfo, pid, signal, &info) < 0) {
		if (errno != EAGAIN)
			_exit(98);
		sleep_ms(1);
	}
}

/* flood COUNT: a child queues COUNT real-time signals of two numbers to PID 1, which are to come back to us, those of
 * each number in order, with their values and their sender. Says the first fault. */
static int verb_flood(char **args)
{
	int count = atoi(args[0]), next[2] = { 0, 1 };
	siginfo_t info;
	pid_t child;

	block_all();
	child = fork();
	if (child == 0) {
		for (int i = 0; i < count; i++)
			queue(1, 40 + i % 2, i);
		_exit(0);
	}
	for (int taken = 0; taken < count;) {
		int signal = take(&info);

		if (signal == SIGCHLD)
			continue;
		taken++;
		if (signal < 40 || signal > 41 || info.si_code != SI_QUEUE || info.si_pid != child ||
			info.si_value.sival_int != next[signal - 40]) {
			say("signal %d: number %d, code %d, sender %d of %d, value %d", taken, signal, info.si_code,
				(int)info.si_pid, (int)child, info.si_value.sival_int);
			return 1;
		}
		next[signal - 40] += 2;
	}
	say("all %d", count);
	return 0;
}

/* How many processes there are beside PID 1 and ourselves, zombies included. */
static int others(void)
{
	DIR *proc = opendir("/proc");
	int count = 0;

	for (struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 1 && pid != getpid())
			count++;
	}
	closedir(proc);
	return count;
}

/* orphans COUNT [session]: makes them by double fork; they all end at once. Says how many are left, zombies included.
 */
static int verb_orphans(char **args)
{
	int count = atoi(args[0]), before = others(), gate[2], left;

	if (pipe(gate) < 0)
		return 97;
	for (int i = 0; i < count; i++) {
		pid_t middle = fork();

		if (middle == 0) {
			if (fork() == 0) {
				char byte;

				if (args[1] != NULL)
					setsid();
				close(gate[1]);
				_exit(read(gate[0], &byte, 1) != 0);
			}
			_exit(0);
		}
		waitpid(middle, NULL, 0);
	}
	say("made %d", others() - before);
	close(gate[1]);
	for (int tries = 0; (left = others() - before) > 0 && tries < 2000; tries++)
		sleep_ms(10);
	say("left %d", left);
	return left > 0;
}

/* member NAME STATUS: says "NAME up", and at TERM says NAME and ends after a moment with STATUS. */
static int verb_member(char **args)
{
	siginfo_t info;

	block_all();
	say("%s up", args[0]);
	while (take(&info) != SIGTERM)
		continue;
	sleep_ms(30);
	say("%s", args[0]);
	return atoi(args[1]);
}

/* stubborn NAME: says "NAME up" and ends by SIGKILL alone. */
static int verb_stubborn(char **args)
{
	siginfo_t info;

	block_all();
	say("%s up", args[0]);
	while (take(&info) > 0)
		continue;
	return 95;
}

/* chain DEPTH: a process in a session of its own that has a child in a session of its own, and so on; all end by TERM,
 * each says so. */
static int verb_chain(char **args)
{
	char depth[16], *deeper[] = { depth, NULL };
	siginfo_t info;

	block_all();
	setsid();
	if (atoi(args[0]) > 1) {
		snprintf(depth, sizeof depth, "%d", atoi(args[0]) - 1);
		if (fork() == 0)
			_exit(verb_chain(deeper));
	}
	say("%s up", args[0]);
	while (take(&info) != SIGTERM)
		continue;
	say("%s", args[0]);
	return 0;
}

/* place: where it stands, and which descriptors it has. */
static int verb_place(char **args)
{
	char list[256] = "";
	size_t length = 0;

	(void)args;
	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			length += (size_t)snprintf(list + length, sizeof list - length, " %d", fd);
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0) {
		/* Nowhere to say it: the status does, 100 and nothing else open. */
		return length == 0 ? 100 : 101;
	}
	say("pid %d parent %d session %d group %d terminal %d descriptors%s", (int)getpid(), (int)getppid(),
		(int)getsid(0), (int)getpgrp(), (int)tcgetpgrp(STDIN_FILENO), list);
	return 0;
}

/* fill NAME: fills standard error, which must be a pipe, to the last byte; then as stubborn. */
static int verb_fill(char **args)
{
	fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
	while (write(STDERR_FILENO, "x", 1) == 1)
		continue;
	fcntl(STDERR_FILENO, F_SETFL, 0);
	return verb_stubborn(args);
}

static void wake(int signal)
{
	(void)signal;
}

/* gated NAME COMMAND...: waits for USR1 and executes COMMAND under the NAME; whoever wants to trace it can come first.
 * It calls nothing in between that nest-init calls as well: strace(1) counts. */
static int verb_gated(char **args)
{
	sigset_t block, before;
	char *program;

	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, &before);
	signal(SIGUSR1, wake);
	sigsuspend(&before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	program = args[1];
	args[1] = args[0];
	execve(program, args + 1, environ);
	return 94;
}

static const struct verb {
	const char *name;
	int (*run)(char **args);
	int least;
} verbs[] = {
	{ "chain", verb_chain, 1 },
	{ "fill", verb_fill, 1 },
	{ "flood", verb_flood, 1 },
	{ "gated", verb_gated, 2 },
	{ "limited", verb_limited, 2 },
	{ "member", verb_member, 2 },
	{ "orphans", verb_orphans, 1 },
	{ "place", verb_place, 0 },
	{ "stubborn", verb_stubborn, 1 },
	{ "take", verb_take, 0 },
};

static int run(char **args)
{
	int count = 0;

	while (args[count] != NULL)
		count++;
	for (size_t i = 0; count > 0 && i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(args[0], verbs[i].name) == 0 && count > verbs[i].least)
			return verbs[i].run(args + 1);
	say("workload: what is '%s'?", count > 0 ? args[0] : "");
	return 96;
}

int main(int argc, char **argv)
{
	(void)argc;
	return run(argv + 1);
}
