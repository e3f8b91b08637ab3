#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* No single step takes a second; a program that hangs must not stop the bench. */
#define STUCK_SECONDS 60

/* What the child needs. It shares our memory, so it can answer in here, too. */
struct launch {
	const struct program *program;
	const char *argv[ARGS_MAX];
	int in, out, err;
	int64_t executed;
	int error;
};

static char complaint[256];
static volatile pid_t watched;
static cpu_set_t our_cpu, other_cpus;
static bool real_time, turns_are_taken;

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* The init's death takes its namespace along, so whoever waits for the workload sees the end of its pipe. */
static void kill_stuck(int signo)
{
	(void)signo;
	if (watched > 0)
		kill(watched, SIGKILL);
}

static bool be_real_time(void)
{
	const struct sched_param priority = { .sched_priority = 10 };

	return sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
}

const char *instance_settle_process(void)
{
	int last = -1;

	signal(SIGALRM, kill_stuck);
	signal(SIGPIPE, SIG_IGN);
	sched_getaffinity(0, sizeof other_cpus, &other_cpus);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &other_cpus))
			last = i;
	CPU_SET(last, &our_cpu);
	CPU_CLR(last, &other_cpus);
	if (sched_setaffinity(0, sizeof our_cpu, &our_cpu) != 0)
		return "not pinned";
	real_time = be_real_time();
	if (!real_time)
		return "pinned to one CPU, without real-time priority: other load disturbs";
	return "pinned to one CPU, SCHED_FIFO";
}

void instance_make_way(bool away)
{
	if (CPU_COUNT(&other_cpus) > 0)
		sched_setaffinity(0, sizeof our_cpu, away ? &other_cpus : &our_cpu);
}

void instance_send_away(pid_t pid)
{
	if (CPU_COUNT(&other_cpus) > 0)
		sched_setaffinity(pid, sizeof other_cpus, &other_cpus);
}

void instance_take_turns(bool turns)
{
	const struct sched_param none = { .sched_priority = 0 };

	turns_are_taken = turns;
	if (turns) {
		sched_setscheduler(0, SCHED_OTHER, &none);
		setpriority(PRIO_PROCESS, 0, -20);
	} else if (real_time) {
		be_real_time();
	}
}

bool instance_begin_session(void)
{
	int fd;

	if (setsid() < 0)
		return false;
	if (!turns_are_taken)
		return true;
	fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC); /* not every kernel has it */
	if (fd >= 0 && write(fd, "-20", 3) < 0)
		return false;
	close(fd);
	return true;
}

/* What a program wants of whoever starts it. */
static bool provide(const struct program *program)
{
	const char *filter = program->filter;

	return (!filter || dup2(open(filter, O_RDONLY | O_CLOEXEC), FILTER_FD) >= 0) &&
		(!program->runtime || runtime_enter());
}

/* All that is not the program's own doing happens before `executed`: namespaces, /proc, descriptors. */
static int run_child(void *arg)
{
	struct launch *launch = arg;
	static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

	/* Private first: whatever a program remounts must stay in here. A session, as a container runtime gives it:
	 * what the workload sends to its group must not reach the bench. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("proc", "/proc", "proc", 0, NULL) == 0 &&
		instance_begin_session() && dup2(launch->in, STDIN_FILENO) >= 0 &&
		dup2(launch->out, STDOUT_FILENO) >= 0 && dup2(launch->err, STDERR_FILENO) >= 0 &&
		provide(launch->program)) {
		signal(SIGPIPE, SIG_DFL);
		launch->executed = now_ns();
		execve(launch->argv[0], (char **)launch->argv, (char **)environment);
	}
	launch->error = errno;
	_exit(127);
}

static void fill_argv(const struct program *program, const char *const *words, const char **ret_argv)
{
	size_t n = 0;

	ret_argv[n++] = program->path;
	for (size_t i = 0; i < OPTIONS_MAX && program->options[i]; i++)
		ret_argv[n++] = program->options[i];
	/* A runtime has it from its bundle; without an init the workload is the program. */
	for (size_t i = program == &programs[DIRECT]; i < WORDS_MAX && words[i] && !program->runtime; i++)
		ret_argv[n++] = words[i];
	ret_argv[n] = NULL;
}

static void note_complaint(const struct instance *instance)
{
	ssize_t length = pread(instance->complaints, complaint, sizeof complaint - 1, 0);

	complaint[length > 0 ? length : 0] = '\0';
	complaint[strcspn(complaint, "\n")] = '\0';
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Keeps the mount namespace alive beyond the init: taking it down is no work of the init's, and dwarfs it. */
static int open_mounts(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int instance_start(const struct program *program, const char *const *words, struct instance *ret_instance)
{
	/* Not vfork: its parent wakes up at the exec, on our one CPU, in the midst of what is measured. Ours sleeps
	 * until the workload speaks, and leaves stack and launch alone until then. */
	static char stack[64 * 1024] __attribute__((aligned(64)));
	static struct launch launch;
	struct instance it = { .pid = -1, .to_workload = -1, .from_workload = -1, .complaints = -1, .mounts = -1 };
	int in[2], out[2], r;

	if (program->runtime && (r = runtime_write_bundle(words)) < 0)
		return r;
	if (pipe2(in, O_CLOEXEC) != 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) != 0) {
		r = -errno;
		close(in[0]);
		close(in[1]);
		return r;
	}
	it.complaints = memfd_create("stderr", MFD_CLOEXEC);
	launch = (struct launch){ .program = program, .in = in[0], .out = out[1], .err = it.complaints };
	fill_argv(program, words, launch.argv);
	it.pid = clone(run_child, stack + sizeof stack, CLONE_VM | CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, &launch);
	r = it.pid < 0 ? -errno : 0;
	close(in[0]);
	close(out[1]);
	it.to_workload = in[1];
	it.from_workload = out[0];
	if (r == 0)
		r = instance_hear(&it, &it.began);
	it.executed = launch.executed;
	if (r == 0) {
		it.mounts = open_mounts(it.pid);
		*ret_instance = it;
		return 0;
	}
	if (launch.error)
		snprintf(complaint, sizeof complaint, "%s", strerror(launch.error));
	instance_destroy(&it);
	return r;
}

int instance_go(struct instance *instance)
{
	return write(instance->to_workload, "", 1) == 1 ? 0 : -errno;
}

int instance_hear(struct instance *instance, int64_t *ret_ns)
{
	int64_t ns;
	ssize_t got;

	watched = instance->pid;
	alarm(STUCK_SECONDS);
	do
		got = read(instance->from_workload, &ns, sizeof ns);
	while (got < 0 && errno == EINTR);
	alarm(0);
	watched = 0;
	if (got != sizeof ns) {
		note_complaint(instance);
		return -ENOEXEC;
	}
	*ret_ns = ns;
	return 0;
}

int instance_wait_end(struct instance *instance, int64_t *ret_ns)
{
	int64_t ended;
	int status;

	watched = instance->pid;
	alarm(STUCK_SECONDS);
	while (waitpid(instance->pid, &status, 0) < 0 && errno == EINTR)
		;
	ended = now_ns();
	alarm(0);
	watched = 0;
	instance->pid = -1;
	if (status != 0) {
		note_complaint(instance);
		return -ENOEXEC;
	}
	*ret_ns = ended;
	return 0;
}

void instance_end_input(struct instance *instance)
{
	close_fd(&instance->to_workload);
}

void instance_destroy(struct instance *instance)
{
	if (instance->pid > 0) {
		kill(instance->pid, SIGKILL);
		while (waitpid(instance->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	instance->pid = -1;
	close_fd(&instance->to_workload);
	close_fd(&instance->from_workload);
	close_fd(&instance->complaints);
	close_fd(&instance->mounts);
}

const char *instance_last_complaint(void)
{
	return complaint;
}
