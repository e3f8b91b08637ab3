/* The figures metrics-* and latency: how quickly /metrics is served, beside an exporter whose page has as many bytes,
 * and whether a signal waits while it is. wrk asks, and its connections stay. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 9912
#define APPLICATION_PORT 9913 /* the page to merge */
#define URL "http://127.0.0.1:9912/metrics"
#define WARM_UP 50
#define TRIES 1000 /* at 10 ms */
#define SIGNALS 51
#define SIGNAL_PAUSE_MS 2
#define BUSY_NS 1e7 /* of the monitor's time */
#define SERIES 40000
#define SERIES_WIDTH 100

/* What serves: an instance of nest-init, or the exporter. */
struct subject {
	const struct program *program;
	struct instance it;
	pid_t pid;
};

/* What wrk says. */
struct load {
	double request_ns, slowest_ns;
};

static size_t page_sizes[2]; /* the exporter's, ours */

static void pause_ms(long ms)
{
	const struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* ---- children ---- */

/* What ends with the bench, and says nothing but to `out`. */
static pid_t start_child(const char *const *argv, int out)
{
	pid_t pid = fork();
	int nothing;

	if (pid != 0)
		return pid;
	nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	instance_begin_session();
	dup2(nothing, STDIN_FILENO);
	dup2(out >= 0 ? out : nothing, STDOUT_FILENO);
	dup2(nothing, STDERR_FILENO);
	execv(argv[0], (char **)argv);
	_exit(127);
}

static void end_child(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ---- the page ---- */

static int ask(int fd, size_t *ret_length)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	static char text[256 * 1024];
	size_t length = 0;
	ssize_t got = 0;
	char *body;

	if (write(fd, request, sizeof request - 1) != sizeof request - 1)
		return -EIO;
	while (length < sizeof text - 1 && (got = read(fd, text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	body = strstr(text, "\r\n\r\n");
	if (got != 0 || !body || strncmp(text, "HTTP/1.1 200", 12) != 0)
		return -EPROTO;
	*ret_length = length - (size_t)(body + 4 - text);
	return 0;
}

static int get_page(size_t *ret_length)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? ask(fd, ret_length) : -errno;
	close(fd);
	return r;
}

/* Until it is served, and a few times more. */
static int await_page(size_t *ret_length)
{
	int r = get_page(ret_length);

	for (int i = 0; i < TRIES && r < 0; i++) {
		pause_ms(10);
		r = get_page(ret_length);
	}
	for (int i = 0; i < WARM_UP && r == 0; i++)
		r = get_page(ret_length);
	return r;
}

void serving_sizes(size_t *ret_ours, size_t *ret_theirs)
{
	*ret_ours = page_sizes[true];
	*ret_theirs = page_sizes[false];
}

/* ---- who serves ---- */

static void end_subject(struct subject *subject)
{
	if (subject->program->ours)
		instance_destroy(&subject->it);
	else
		end_child(subject->pid);
}

static int start_subject(const struct program *program, struct subject *ret_subject)
{
	static const char *const words[] = { workload_path, "idle", NULL };
	const char *argv[OPTIONS_MAX + 2] = { program->path };
	int r = raise_loopback();

	*ret_subject = (struct subject){ .program = program };
	if (r == 0 && program->ours)
		r = instance_start(program, words, &ret_subject->it);
	memcpy(argv + 1, program->options, sizeof program->options);
	if (r == 0 && !program->ours)
		r = (ret_subject->pid = start_child(argv, -1)) < 0 ? -errno : 0;
	if (r < 0)
		return r;
	r = await_page(&page_sizes[program->ours]);
	if (r < 0)
		end_subject(ret_subject);
	return r;
}

/* ---- who asks ---- */

/* "1.84ms", in ns. */
static double wrk_time(const char *text)
{
	char *unit;
	double value = strtod(text, &unit);

	return value *
		(strncmp(unit, "us", 2) == 0                  ? 1e3
				: strncmp(unit, "ms", 2) == 0 ? 1e6
				: *unit == 's'                ? 1e9
							      : 60e9);
}

static int read_wrk(FILE *out, struct load *ret_load)
{
	struct load load = { 0 };
	char line[256];
	double rate;
	bool good = true;

	while (fgets(line, sizeof line, out)) {
		char *percent = strstr(line, "99%");

		if (percent && strspn(line, " ") == (size_t)(percent - line))
			load.slowest_ns = wrk_time(percent + 3);
		if (sscanf(line, "Requests/sec: %lf", &rate) == 1 && rate > 0)
			load.request_ns = 1e9 / rate;
		good &= !strstr(line, "Non-2xx") && !strstr(line, "Socket errors");
	}
	*ret_load = load;
	return good && load.slowest_ns > 0 && load.request_ns > 0 ? 0 : -EPROTO;
}

static pid_t start_wrk(const char *connections, const char *duration, int out)
{
	const char *const argv[] = { programs[WRK].path, "-t", "1", "-c", connections, "-d", duration, "--latency",
		"--timeout", "30s", URL, NULL };
	pid_t pid;

	instance_make_way(true);
	pid = start_child(argv, out);
	instance_make_way(false);
	return pid;
}

/* For a second, from the other CPU where there is one. */
static int run_wrk(const char *connections, struct load *ret_load)
{
	int out[2], status = -1, r;
	FILE *file;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) != 0)
		return -errno;
	pid = start_wrk(connections, "1s", out[1]);
	close(out[1]);
	file = fdopen(out[0], "r");
	if (!file)
		abort();
	r = read_wrk(file, ret_load);
	fclose(file);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? r : -ENOEXEC;
}

static int measure_load(const struct program *program, const char *connections, struct load *ret_load)
{
	struct subject subject;
	int r;

	instance_take_turns(true);
	r = start_subject(program, &subject);
	if (r == 0) {
		r = run_wrk(connections, ret_load);
		end_subject(&subject);
	}
	instance_take_turns(false);
	return r;
}

int measure_request_1(const struct program *program, double *ret_value)
{
	struct load load;
	int r = measure_load(program, "1", &load);

	if (r == 0)
		*ret_value = load.request_ns;
	return r;
}

int measure_request_64(const struct program *program, double *ret_value)
{
	struct load load;
	int r = measure_load(program, "64", &load);

	if (r == 0)
		*ret_value = load.request_ns;
	return r;
}

int measure_slowest_1(const struct program *program, double *ret_value)
{
	struct load load;
	int r = measure_load(program, "1", &load);

	if (r == 0)
		*ret_value = load.slowest_ns;
	return r;
}

int measure_slowest_64(const struct program *program, double *ret_value)
{
	struct load load;
	int r = measure_load(program, "64", &load);

	if (r == 0)
		*ret_value = load.slowest_ns;
	return r;
}

/* Under that load, resident at most: what PID 1 and the monitor share counts twice. */
int measure_serving_memory(const struct program *program, double *ret_value)
{
	struct subject subject;
	struct load load;
	long peak = -1;
	int r = start_subject(program, &subject);

	if (r < 0)
		return r;
	r = run_wrk("64", &load);
	if (program->ours)
		peak = proc_number(subject.it.pid, "status", "VmHWM:") +
			proc_number(monitor_of(subject.it.pid), "status", "VmHWM:");
	else
		peak = proc_number(subject.pid, "status", "VmHWM:");
	end_subject(&subject);
	if (r == 0)
		*ret_value = (double)peak;
	return r;
}

/* ---- a signal meanwhile ---- */

/* An application whose page is nearly as large as one may be, for whoever comes. */
static _Noreturn void serve_application(int listener)
{
	static char page[128 + SERIES * SERIES_WIDTH];
	size_t length = (size_t)sprintf(page, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	char request[4096];

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < SERIES; i++)
		length += (size_t)sprintf(page + length, "series{i=\"%05d\",padding=\"%072d\"} 1\n", i, 0);
	for (;;) {
		int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (client >= 0 && read(client, request, sizeof request) > 0)
			for (size_t sent = 0; sent < length;) {
				ssize_t n = write(client, page + sent, length - sent);

				if (n <= 0)
					break;
				sent += (size_t)n;
			}
		close(client);
	}
}

static pid_t start_application(void)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(APPLICATION_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	pid_t pid = -1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	instance_make_way(true);
	if (bind(listener, (const struct sockaddr *)&address, sizeof address) == 0 && listen(listener, SOMAXCONN) == 0)
		pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve_application(listener);
	}
	instance_make_way(false);
	close(listener);
	return pid;
}

/* Far enough apart to meet every moment of a scrape, and PID 1 asleep. The first only warms up. */
static int space_signals(struct instance *it, double *ret_median)
{
	double values[SIGNALS];
	int r = time_signal(it, &values[0]);

	for (int i = 0; i < SIGNALS && r == 0; i++) {
		pause_ms(SIGNAL_PAUSE_MS);
		r = time_signal(it, &values[i]);
	}
	if (r == 0)
		*ret_median = median(values, SIGNALS);
	return r;
}

static pid_t await_monitor(pid_t pid)
{
	for (int i = 0; i < TRIES && monitor_of(pid) < 0; i++)
		pause_ms(10);
	pause_ms(100); /* it has opened all that it wants by then */
	return monitor_of(pid);
}

/* Until it has worked for BUSY_NS. -EPROTO: it does not. */
static int await_busy(pid_t monitor)
{
	double before, now;
	int r = cpu_time(monitor, &before);

	for (int i = 0; i < TRIES && r == 0; i++) {
		pause_ms(10);
		r = cpu_time(monitor, &now);
		if (r == 0 && now - before >= BUSY_NS)
			return 0;
	}
	return r < 0 ? r : -EPROTO;
}

/* PID 1, its workload and we have one CPU; the monitor, the application and who asks another one. */
static int signal_under_load(struct instance *it, pid_t monitor, double *ret_value)
{
	const pid_t load = start_wrk("64", "60s", -1);
	int r = await_busy(monitor);

	if (r == 0)
		r = space_signals(it, ret_value);
	if (r == 0)
		r = await_busy(monitor); /* it still is */
	end_child(load);
	return r;
}

static int signal_under(const struct program *program, struct instance *it, double *ret_value)
{
	const pid_t monitor = await_monitor(it->pid);

	if (monitor < 0)
		return -ESRCH;
	instance_send_away(monitor);
	return program == &programs[NEST_QUIET] ? space_signals(it, ret_value)
						: signal_under_load(it, monitor, ret_value);
}

int measure_loaded_signal(const struct program *program, double *ret_value)
{
	static const char *const words[] = { workload_path, "signal", NULL };
	struct instance it;
	pid_t application = 0;
	int r = raise_loopback();

	if (r == 0 && program == &programs[NEST_MERGING])
		r = (application = start_application()) < 0 ? -EADDRINUSE : 0;
	if (r == 0)
		r = instance_start(program, words, &it);
	if (r == 0) {
		r = signal_under(program, &it, ret_value);
		instance_destroy(&it);
	}
	end_child(application);
	return r;
}
