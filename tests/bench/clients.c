/* The figures health, probe and checks: what asks whether a service is well, as a container's HEALTHCHECK runs it, and
 * what a thousand checks cost the monitor. All of them look at one little server of the bench's own. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER_PORT 8070
#define SERVER_URL "http://127.0.0.1:8070/"
#define CHECKS 1000
#define CHECKS_SECONDS 20 /* two rounds of every check */
#define CHECK_WORDS 48    /* bytes of the longest */
#define CLIENT_WORDS 8

/* ---- the server ---- */

static unsigned long *served; /* connections, in memory that it shares with us */

static _Noreturn void serve(int listener)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwell\n";
	char request[4096];

	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (client < 0)
			continue;
		++*served;
		if (read(client, request, sizeof request) > 0 && write(client, answer, sizeof answer - 1) < 0)
			shutdown(client, SHUT_RDWR);
		close(client);
	}
}

/* Started once; it ends with the namespace of the bench. */
static int start_server(void)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(SERVER_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int listener, r = served ? 0 : raise_loopback();

	if (served || r < 0)
		return r;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	served = mmap(NULL, sizeof *served, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (listener < 0 || served == MAP_FAILED ||
		bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
		listen(listener, SOMAXCONN) != 0)
		return -errno;
	switch (fork()) {
	case -1:
		return -errno;
	case 0:
		serve(listener);
	}
	close(listener);
	return 0;
}

/* ---- the PID 1 that is asked ---- */

/* "NEST_INIT_CONTROL=..." of an instance: we ask from outside of its PID namespace. */
static int control_variable(pid_t pid, char *ret_text, size_t size)
{
	struct stat namespace;
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
	if (stat(path, &namespace) != 0)
		return -errno;
	snprintf(ret_text, size, "NEST_INIT_CONTROL=nest-init/%llu", (unsigned long long)namespace.st_ino);
	return 0;
}

static const char *const *client_environment(void)
{
	static char control[64];
	static const char *const environment[] = { "PATH=/usr/bin:/bin", control, NULL };
	static const char *const words[] = { workload_path, "idle", NULL };
	static struct instance asked;

	if (asked.pid == 0 &&
		(instance_start(&programs[NEST_SERVING], words, &asked) < 0 ||
			control_variable(asked.pid, control, sizeof control) < 0))
		return NULL;
	return environment;
}

/* ---- one run of a client ---- */

struct client {
	const char *argv[CLIENT_WORDS];
	const char *const *environment;
	int64_t executed;
};

/* What is asked: nest-init by its own words, the others by a URL. */
struct question {
	const char *words[2];
	const char *url;
};
static const struct question about_pid_1 = { { "health" }, "http://127.0.0.1:9911/readyz" }; /* of NEST_SERVING */
static const struct question about_server = { { "probe", SERVER_URL }, SERVER_URL };

static int make_client(const struct program *program, const struct question *question, struct client *ret_client)
{
	size_t n = 1;

	*ret_client = (struct client){ .argv = { program->path }, .environment = client_environment() };
	for (size_t i = 0; program->options[i]; i++)
		ret_client->argv[n++] = program->options[i];
	for (size_t i = 0; program->ours && i < 2 && question->words[i]; i++)
		ret_client->argv[n++] = question->words[i];
	if (!program->ours)
		ret_client->argv[n] = question->url;
	return ret_client->environment ? start_server() : -ENOEXEC;
}

static int become_client(void *arg)
{
	struct client *client = arg;
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2; fd++)
		dup2(nothing, fd);
	client->executed = now_ns();
	execve(client->argv[0], (char **)client->argv, (char **)client->environment);
	_exit(127);
}

/* From the execve to the end: all that a HEALTHCHECK waits for. */
static int time_client(struct client *client, double *ret_value)
{
	static char stack[64 * 1024] __attribute__((aligned(64)));
	pid_t pid = clone(become_client, stack + sizeof stack, CLONE_VM | SIGCHLD, client);
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	*ret_value = (double)(now_ns() - client->executed);
	return status == 0 ? 0 : -ENOEXEC;
}

/* The most that it had in memory at once, in KB: read while it ends, for ru_maxrss begins with what we have ourselves.
 */
static int weigh_client(struct client *client, double *ret_value)
{
	pid_t pid = fork();
	long peak = -1;
	int status;

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		become_client(client);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
	while (ptrace(PTRACE_CONT, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
			peak = proc_number(pid, "status", "VmHWM:");
	*ret_value = (double)peak;
	return peak > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOEXEC;
}

int measure_health(const struct program *program, double *ret_value)
{
	struct client client;
	int r = make_client(program, &about_pid_1, &client);

	return r < 0 ? r : time_client(&client, ret_value);
}

int measure_health_memory(const struct program *program, double *ret_value)
{
	struct client client;
	int r = make_client(program, &about_pid_1, &client);

	return r < 0 ? r : weigh_client(&client, ret_value);
}

int measure_probe(const struct program *program, double *ret_value)
{
	struct client client;
	int r = make_client(program, &about_server, &client);

	return r < 0 ? r : time_client(&client, ret_value);
}

int measure_probe_memory(const struct program *program, double *ret_value)
{
	struct client client;
	int r = make_client(program, &about_server, &client);

	return r < 0 ? r : weigh_client(&client, ret_value);
}

/* ---- a thousand checks ---- */

/* A name server: every name is 127.0.0.1 and has no IPv6 address (RFC 1035, section 4). */
static _Noreturn void serve_names(int server)
{
	static const unsigned char address[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1 };
	unsigned char message[512 + sizeof address];
	struct sockaddr_in client;

	for (;;) {
		socklen_t size = sizeof client;
		ssize_t length = recvfrom(server, message, 512, 0, (struct sockaddr *)&client, &size);

		if (length < 17) /* a header, and the shortest question */
			continue;
		message[2] = 0x81;                     /* an answer, recursion desired */
		message[3] = 0x80;                     /* recursion available, no error */
		message[7] = message[length - 3] == 1; /* answers: one, if A was asked for */
		if (message[7] == 1) {
			memcpy(message + length, address, sizeof address);
			length += sizeof address;
		}
		sendto(server, message, (size_t)length, 0, (struct sockaddr *)&client, size);
	}
}

/* It is the bench's own, as are the mount namespace and the network. 0 or -errno. */
static int start_name_server(void)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	FILE *file = fopen("state/resolv.conf", "we");

	if (server < 0 || !file || fputs("nameserver 127.0.0.1\n", file) < 0 || fclose(file) != 0 ||
		mount("state/resolv.conf", "/etc/resolv.conf", NULL, MS_BIND, NULL) != 0 ||
		bind(server, (const struct sockaddr *)&address, sizeof address) != 0)
		return -errno;
	switch (fork()) {
	case -1:
		return -errno;
	case 0:
		serve_names(server);
	}
	close(server);
	return 0;
}

/* A nest-init with a thousand checks of that kind, or -1. */
static int start_checks(const char *scheme, struct instance *ret_instance)
{
	static const char *const words[] = { workload_path, "idle", NULL };
	struct program program = programs[NEST];
	char *text = malloc(CHECKS * CHECK_WORDS);
	const bool names = strcmp(scheme, "names") == 0;
	size_t length = 0;
	int r;

	if (!text)
		abort();
	if (names && start_name_server() < 0)
		abort();
	for (int i = 0; i < CHECKS; i++) {
		char host[16] = "127.0.0.1";

		if (names)
			snprintf(host, sizeof host, "c%d.example", i);
		length += (size_t)snprintf(text + length, CHECK_WORDS, "name=c%d %s://%s:%d ", i,
			names ? "tcp" : scheme, host, SERVER_PORT);
	}
	program.options[0] = "--health-interval=10s";
	program.options[1] = "--ready";
	program.options[2] = text;
	program.options[3] = "--";
	r = instance_start(&program, words, ret_instance);
	free(text);
	return r;
}

/* Of its two children the one that is of its own name. */
pid_t monitor_of(pid_t pid)
{
	char path[64], command[64];
	int found = -1, child;
	FILE *children, *file;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	children = fopen(path, "re");
	while (children && found < 0 && fscanf(children, "%d", &child) == 1) {
		snprintf(path, sizeof path, "/proc/%d/cmdline", child);
		file = fopen(path, "re");
		if (file && fread(command, 1, sizeof command, file) > sizeof "nest-init" &&
			strcmp(command, "nest-init") == 0)
			found = child;
		if (file)
			fclose(file);
	}
	if (children)
		fclose(children);
	return found;
}

/* Of a process, of its children, and of those that it has waited for. */
static int family_time(pid_t pid, double *ret_ns)
{
	char path[64];
	long user = 0, system = 0;
	double own;
	FILE *file;
	int child, r = cpu_time(pid, ret_ns);

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (r < 0 || !file)
		return -EIO;
	/* Fields 16 and 17 (proc_pid_stat(5)); the name in the second one has no blank. */
	if (fscanf(file, "%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s %ld %ld", &user, &system) != 2)
		r = -EIO;
	fclose(file);
	*ret_ns += (double)(user + system) * 1e9 / (double)sysconf(_SC_CLK_TCK);
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &child) == 1)
		if (cpu_time(child, &own) == 0)
			*ret_ns += own;
	if (file)
		fclose(file);
	return r;
}

/* Side by side, each against the same server. Every check has had its first run before. */
bool checks_measure(const char *const *schemes, size_t count, double *ret_percent)
{
	struct instance instance[CHECK_SCHEMES];
	double before[CHECK_SCHEMES], after;
	unsigned long first;
	bool well = start_server() == 0;

	for (size_t i = 0; i < count && well; i++)
		well = start_checks(schemes[i], &instance[i]) == 0;
	if (!well)
		return false;
	sleep(3);
	first = *served;
	for (size_t i = 0; i < count; i++)
		well &= family_time(monitor_of(instance[i].pid), &before[i]) == 0;
	sleep(CHECKS_SECONDS);
	for (size_t i = 0; i < count; i++) {
		well &= family_time(monitor_of(instance[i].pid), &after) == 0;
		ret_percent[i] = (after - before[i]) / (CHECKS_SECONDS * 1e7);
		instance_destroy(&instance[i]);
	}
	/* Two rounds of each, but for those that are still under way. */
	return well && *served - first >= count * CHECKS * 19 / 10;
}
