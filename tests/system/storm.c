/* The workloads of the storms. Signals are handled by the kernel's own numbers, as libc hides 32 and 33.
 * Build: cc -O2 -o storm storm.c */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END 1000000      /* a queued value from here on ends the leader with what is above it, */
#define DIE (END + 1000) /* or by the signal that is above this */
#define WINDOW 2000      /* queued at a time: the limit of pending signals is one for all processes of a user */
#define FIRST 40         /* the first of the numbers in use, and how many there are */
#define KINDS 8

/* One write for each line: lines of several processes never mix. */
static void say(const char *format, ...)
{
	char line[256];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	line[length++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		_exit(99);
}

static void set_mask(uint64_t mask)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
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

static void sleep_us(long us)
{
	nanosleep(&(struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 }, NULL);
}

/* ---- orphans ---- */

enum fate { QUICK, SOON, OBEDIENT, STUBBORN, FATE_COUNT }; /* how an orphan ends */

static _Noreturn void be_orphan(enum fate fate, int number)
{
	if (number % 2 == 0)
		setsid();
	if (fate == SOON)
		sleep_us(number % 30 * 1000);
	if (fate == OBEDIENT)
		set_mask(0);
	while (fate == OBEDIENT || fate == STUBBORN)
		pause();
	_exit(number % 256);
}

/* By double fork. The pids limit may be reached for a moment. */
static void make_orphan(enum fate fate, int number)
{
	pid_t middle;

	while ((middle = fork()) < 0)
		sleep_us(1000);
	if (middle == 0) {
		pid_t orphan;

		while ((orphan = fork()) < 0)
			sleep_us(1000);
		if (orphan == 0)
			be_orphan(fate, number);
		_exit(0);
	}
	waitpid(middle, NULL, 0);
}

static char state_of(const char *pid)
{
	char path[64], text[512] = "";
	const char *end;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	end = strrchr(text, ')');
	return end != NULL ? end[2] : 0;
}

/* How many processes there are beside PID 1 and us, and of these zombies. */
static int others(int *ret_zombies)
{
	DIR *proc = opendir("/proc");
	int count = 0;

	*ret_zombies = 0;
	for (struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid <= 1 || pid == getpid())
			continue;
		count++;
		*ret_zombies += state_of(entry->d_name) == 'Z';
	}
	closedir(proc);
	return count;
}

/* Until nobody is a zombie any more; our own children are none of PID 1's. */
static int zombies_left(void)
{
	int zombies = 0;

	for (int tries = 0; tries < 3000; tries++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
		others(&zombies);
		if (zombies == 0)
			break;
		sleep_us(5000);
	}
	return zombies;
}

/* ---- verbs ---- */

/* blocked COMMAND...: no signal is lost from the line on that it says. */
static int verb_blocked(char **args)
{
	set_mask(UINT64_MAX);
	say("blocked");
	execv(args[0], args);
	return 94;
}

/* take QUICK SOON OBEDIENT STUBBORN: makes so many orphans of each fate, says each signal as it takes it, "SIGNAL
 * VALUE", and at the end how many zombies are left. */
static int verb_take(char **args)
{
	siginfo_t info;
	int signal;

	set_mask(UINT64_MAX);
	for (int fate = 0; fate < FATE_COUNT; fate++)
		for (int i = 0; i < atoi(args[fate]); i++)
			make_orphan((enum fate)fate, i);
	say("made");
	while (signal = take(&info), info.si_code != SI_QUEUE || info.si_value.sival_int < END)
		if (signal != SIGCHLD)
			say("%d %d", signal, info.si_code == SI_QUEUE ? info.si_value.sival_int : 0);
	say("zombies %d", zombies_left());
	if (info.si_value.sival_int >= DIE) {
		signal = info.si_value.sival_int - DIE;
		set_mask(~(UINT64_C(1) << (signal - 1)));
		kill(getpid(), signal);
	}
	return info.si_value.sival_int - END;
}

/* plain: every signal does what it does by default. */
static int verb_plain(char **args)
{
	(void)args;
	set_mask(0);
	while (pause() < 0)
		continue;
	return 95;
}

/* left: how many processes are left beside PID 1 and us. */
static int verb_left(char **args)
{
	int zombies, count = others(&zombies);

	(void)args;
	say("left %d", count);
	return 0;
}

static void queue_all(int count, const atomic_int *taken)
{
	for (int i = 0; i < count; i++) {
		siginfo_t info;

		memset(&info, 0, sizeof info);
		info.si_code = SI_QUEUE;
		info.si_pid = getpid();
		info.si_value.sival_int = i;
		while (i - atomic_load(taken) >= WINDOW)
			sleep_us(200);
		while (syscall(SYS_rt_sigqueueinfo, 1, FIRST + i % KINDS, &info) < 0)
			sleep_us(1000); /* the queue is full (EAGAIN) */
	}
}

/* heavy SIGNALS ORPHANS: a child queues real-time signals to PID 1 while another makes orphans. Each signal is to come
 * once, those of a number in order, with value and sender. Then as take. */
static int verb_heavy(char **args)
{
	int count = atoi(args[0]), orphans = atoi(args[1]), next[KINDS];
	char *none[] = { "0", "0", "0", "0", NULL };
	atomic_int *taken = mmap(NULL, sizeof *taken, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	siginfo_t info;
	pid_t sender;

	set_mask(UINT64_MAX);
	for (int kind = 0; kind < KINDS; kind++)
		next[kind] = kind;
	sender = fork();
	if (sender == 0) {
		queue_all(count, taken);
		_exit(0);
	}
	if (fork() == 0) {
		for (int i = 0; i < orphans; i++)
			make_orphan(i % 8 == 0 ? SOON : QUICK, i);
		_exit(0);
	}
	while (atomic_load(taken) < count) {
		int signal = take(&info), kind = signal - FIRST;

		if (signal == SIGCHLD)
			continue;
		if (kind < 0 || kind >= KINDS || info.si_code != SI_QUEUE || info.si_pid != sender ||
			info.si_value.sival_int != next[kind]) {
			say("signal %d: number %d, code %d, sender %d of %d, value %d", atomic_load(taken), signal,
				info.si_code, (int)info.si_pid, (int)sender, info.si_value.sival_int);
			return 1;
		}
		next[kind] += KINDS;
		atomic_fetch_add(taken, 1);
	}
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	say("all %d", count);
	return verb_take(none);
}

static const struct verb {
	const char *name;
	int (*run)(char **args);
	int least;
} verbs[] = {
	{ "blocked", verb_blocked, 1 },
	{ "heavy", verb_heavy, 2 },
	{ "left", verb_left, 0 },
	{ "plain", verb_plain, 0 },
	{ "take", verb_take, FATE_COUNT },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(argv[1], verbs[i].name) == 0 && argc - 2 >= verbs[i].least)
			return verbs[i].run(argv + 2);
	say("storm: what is '%s'?", argc > 1 ? argv[1] : "");
	return 96;
}
