/* The monitor: health checks, the HTTP pages and the control socket, in a process that PID 1 can lose at any time.
 * PID 1 executes it afresh from its own file, without capabilities, as another user where that is possible; it closes
 * the rest of its cage itself, once everything is open. */
#include "init/commands.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/given_file.h"
#include "base/kept.h"
#include "base/log.h"
#include "base/monitor_fds.h"
#include "base/options.h"
#include "health/monitor_main.h"
#include "health/verdict_log.h"
#include "metrics/app_pages_main.h"
#include "seccomp-profiles/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A thousand checks with all that each may have are 5 MB. */
#define MODEL_TEXT_MAX (64 * 1024 * 1024)
/* How long a monitor that was started again keeps its callers waiting, until it knows what its predecessor knew: many
 * checks begin one behind the other. */
#define SETTLE_NS (500 * NS_PER_MS)
#define SETTLE_CHECK_NS (2 * NS_PER_MS)

extern char **environ;

static struct monitor monitor;

/* ---- for those who have no context ---- */

/* What a service that stops lacks was to be expected, and so is what it says of itself. */
static void tell_change(size_t index, enum verdict_state before)
{
	const struct check *check = &monitor.checks.check[index];
	const bool says_itself = check->target.kind == TARGET_NOTIFY && check->kind == CHECK_READY;

	verdict_log_change(index, before,
		says_itself || monitor.services[monitor.checks.record[index].service].state != WIRE_STATE_RUNNING);
}

/* A file that this process may not open, for base/given_file.h. */
static int open_by_init(const char *path)
{
	return monitor_open_file(&monitor, path);
}

/* ---- denial reports ---- */

static void tell_denial(const char *sentence)
{
	log_line(LOG_LEVEL_NOTICE, "%s", sentence);
}

static int notify_fd(void)
{
	return monitor.first_listen + (int)monitor.model.listen_count;
}

static int open_denials(struct complaint *ret_why)
{
	const struct service *reported = model_reported(&monitor.model);
	const int memory = notify_fd() + model_wants_notify(&monitor.model);
	int error;

	monitor.denials.listener = -1;
	if (reported == NULL)
		return 0;
	error = denial_reports_open(memory + 1, memory, reported->confinement.seccomp, tell_denial, &monitor.denials);
	return error < 0 ? complain(ret_why, -error, "--seccomp-report: %s", strerror(-error)) : 0;
}

/* ---- start ---- */

/* The tightest filter of all, last: no execve, no open for writing, death for anything else. */
static int close_the_cage(struct complaint *ret_why)
{
	const struct embedded_profile *profile = embedded_find("monitor");
	struct sock_fprog program = { .len = profile->length, .filter = (struct sock_filter *)embedded_insn(profile) };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, profile->flags, &program) < 0)
		return complain(ret_why, errno, "cannot load the monitor's own filter: %s", strerror(errno));
	return 0;
}

static void warn(const char *sentence)
{
	log_line(LOG_LEVEL_WARNING, "%s", sentence);
}

static int open_gate(struct complaint *ret_why)
{
	int error;

	if (monitor.model.users == NULL && monitor.model.tokens == NULL)
		return 0;
	error = gate_open(monitor.model.users, monitor.model.tokens, warn, &monitor.gate);
	if (error < 0)
		return complain(ret_why, -error, "--metrics-users: %s", strerror(-error));
	serve_set_guard(monitor.serve, gate_guard(monitor.gate));
	return 0;
}

static int open_server(struct complaint *ret_why)
{
	int fds[MODEL_LISTEN_MAX];
	int error;

	if (monitor.model.listen_count == 0)
		return 0;
	for (size_t i = 0; i < monitor.model.listen_count; i++) {
		fds[i] = monitor.first_listen + (int)i;
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	}
	if (monitor.model.tls_certificate != NULL &&
		served_tls_open(monitor.model.tls_certificate, monitor.model.tls_key, warn, &monitor.tls) < 0)
		return complain(ret_why, ENOMEM, "--metrics-tls-cert: %s", strerror(ENOMEM));
	error = monitor_pages_open(&monitor, fds, ret_why);
	return error < 0 ? error : open_gate(ret_why);
}

/* As many as the administrator allows: thousands of checks want more than a shell's 1024. Returns how many. */
static size_t raise_descriptors(void)
{
	struct rlimit limit = { .rlim_cur = 0 };

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur;
}

/* What PID 1 has read of a file. Each monitor reads the same description, from its beginning. */
static int read_model(struct complaint *ret_why)
{
	cleanup_free char *text = NULL;
	size_t length = 0;
	int error = lseek(MONITOR_FD_LISTEN, 0, SEEK_SET) < 0
		? -errno
		: fd_read_file(MONITOR_FD_LISTEN, MODEL_TEXT_MAX, &text, &length);

	close(MONITOR_FD_LISTEN);
	monitor.first_listen = MONITOR_FD_LISTEN + 1;
	if (error < 0)
		return complain(ret_why, -error, "cannot read the configuration: %s", strerror(-error));
	return options_parse_text("PID 1's configuration", text, length, &monitor.model, ret_why);
}

static int read_configuration(char **argv, struct complaint *ret_why)
{
	enum options_wish wish;

	if (strcmp(argv[1], MONITOR_HAS_MODEL) == 0)
		return read_model(ret_why);
	monitor.first_listen = MONITOR_FD_LISTEN;
	return options_parse(argv, environ, NULL, &monitor.model, &wish, ret_why);
}

/* Room for what is known of each service. */
static int make_services(void)
{
	monitor.service_count = model_service_count(&monitor.model);
	monitor.services = calloc(monitor.service_count, sizeof *monitor.services);
	monitor.service_readings = calloc(monitor.service_count, sizeof *monitor.service_readings);
	monitor.told = calloc(monitor.service_count, sizeof *monitor.told);
	return monitor.services == NULL || monitor.service_readings == NULL || monitor.told == NULL ? -ENOMEM : 0;
}

static void init_speaker(void)
{
	const struct service *speaker = model_speaker(&monitor.model);
	size_t index = 0;

	while (speaker != NULL && model_service(&monitor.model, index) != speaker)
		index++;
	notify_server_init(&monitor.notify, speaker != NULL ? notify_fd() : -1, monitor.proc_fd,
		model_service(&monitor.model, index), index, &monitor.checks, monitor_tell_notified);
}

static int open_changes(void)
{
	for (size_t i = 0; i < monitor.service_count; i++)
		monitor.changes_count += model_service(&monitor.model, i)->watch.count > 0;
	if (monitor.changes_count == 0)
		return 0;
	monitor.changes = calloc(monitor.changes_count, sizeof *monitor.changes);
	if (monitor.changes == NULL)
		return -ENOMEM;
	monitor.changes_count = 0;
	for (size_t i = 0; i < monitor.service_count; i++) {
		const struct path_list *watch = &model_service(&monitor.model, i)->watch;

		if (watch->count == 0)
			continue;
		monitor.changes[monitor.changes_count].what = "--watch";
		changes_open(&monitor.changes[monitor.changes_count++], (uint32_t)i, watch, monitor_tell_changed);
	}
	return 0;
}

static int prepare(char **argv, struct complaint *ret_why)
{
	int error = read_configuration(argv, ret_why);

	log_set(monitor.model.log_format, monitor.model.log_level);
	if (error < 0)
		return error;
	if (make_services() < 0)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	if (kept_open(MONITOR_FD_KEPT, model_check_count(&monitor.model), &monitor.kept) < 0 ||
		checks_init(&monitor.checks, &monitor.model, monitor.kept, raise_descriptors(), MONITOR_FD_CHANNEL) <
			0 ||
		verdict_log_init(&monitor.checks) < 0)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	monitor.checks.changed = tell_change;
	control_server_init(&monitor.control, MONITOR_FD_CONTROL, monitor_knows_verdict, monitor_answer,
		monitor_hand_over, &monitor);
	monitor.proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cgroup_roots_open(&monitor.cgroup);
	init_speaker();
	given_file_ask(open_by_init);
	app_pages_init(&monitor.model, monitor.kept);
	secret_watch_open(&monitor.secret_watch, &monitor.model, monitor_tell_look);
	if (open_changes() < 0)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	error = tracer_init(&monitor.tracer, &monitor.model, environ, monitor.kept, warn, ret_why);
	if (error == 0)
		error = open_denials(ret_why);
	if (error == 0)
		error = open_server(ret_why);
	return error < 0 ? error : close_the_cage(ret_why);
}

/* ---- the loop ---- */

static void wait_for_something(void)
{
	struct pollfd slots[4 + MODEL_SERVICES_MAX + CONTROL_POLLFDS_MAX + SERVE_POLLFDS_MAX + CHECKS_LANES_MAX +
		MODEL_MERGE_MAX + TRACER_POLLFDS_MAX];
	size_t count = 0;
	int64_t now = clock_now_ns(), deadline, left;
	struct timespec limit;

	slots[count++] = (struct pollfd){ .fd = MONITOR_FD_CHANNEL, .events = POLLIN };
	if (monitor.denials.listener >= 0)
		slots[count++] = (struct pollfd){ .fd = monitor.denials.listener, .events = POLLIN };
	count += notify_server_pollfds(&monitor.notify, slots + count);
	count += checks_pollfds(&monitor.checks, slots + count);
	for (size_t i = 0; i < monitor.changes_count; i++)
		count += changes_pollfds(&monitor.changes[i], slots + count);
	count += secret_watch_pollfds(&monitor.secret_watch, slots + count);
	count += tracer_pollfds(&monitor.tracer, slots + count);
	deadline = clock_earlier(notify_server_deadline_ns(&monitor.notify), checks_deadline_ns(&monitor.checks));
	for (size_t i = 0; i < monitor.changes_count; i++)
		deadline = clock_earlier(deadline, changes_deadline_ns(&monitor.changes[i]));
	deadline = clock_earlier(deadline, secret_watch_deadline_ns(&monitor.secret_watch));
	deadline = clock_earlier(deadline, tracer_deadline_ns(&monitor.tracer));
	if (monitor_settled(&monitor, now)) {
		count += control_server_pollfds(&monitor.control, slots + count);
		deadline = clock_earlier(deadline, control_server_deadline_ns(&monitor.control));
	} else {
		deadline = clock_earlier(deadline, monitor.settle_by_ns);
	}
	if (monitor_settled(&monitor, now) && monitor.serve != NULL) {
		count += serve_pollfds(monitor.serve, slots + count);
		deadline = clock_earlier(deadline, serve_deadline_ns(monitor.serve));
		count += app_pages_pollfds(slots + count);
		deadline = clock_earlier(deadline, app_pages_deadline_ns());
	}
	if (monitor.gate != NULL) {
		gate_poll(monitor.gate, &slots[count++]);
		deadline = clock_earlier(deadline, gate_deadline_ns(monitor.gate));
	}
	left = deadline > now ? deadline - now : 0;
	limit = (struct timespec){ .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
	ppoll(slots, count, deadline == TIME_NEVER ? NULL : &limit, NULL);
}

static void do_what_is_due(void)
{
	monitor_drain(&monitor);
	denial_reports_run(&monitor.denials, tell_denial);
	monitor.changed |= checks_run(&monitor.checks, clock_now_ns());
	monitor.changed |= notify_server_run(&monitor.notify, clock_now_ns()); /* it may be free by now */
	verdict_log_run(clock_now_ns());
	if (monitor.changed)
		monitor_tell_health(&monitor);
	for (size_t i = 0; i < monitor.changes_count; i++)
		changes_run(&monitor.changes[i], clock_now_ns());
	secret_watch_run(&monitor.secret_watch, clock_now_ns());
	tracer_run(&monitor.tracer, clock_now_ns());
	if (!monitor_settled(&monitor, clock_now_ns()))
		return;
	control_server_run(&monitor.control, clock_now_ns());
	if (monitor.serve == NULL)
		return;
	if (monitor.gate != NULL && gate_run(monitor.gate, clock_now_ns()))
		serve_resume(monitor.serve);
	if (app_pages_run(clock_now_ns()))
		serve_resume(monitor.serve);
	serve_run(monitor.serve, clock_now_ns());
	if (serve_waiting(monitor.serve) == 0)
		app_pages_release();
	monitor_sample_in_passing(&monitor);
}

int monitor_main(int argc, char **argv)
{
	struct complaint why;

	/* Who answers for a filter is out of reach of those under it, also where they are of the same user
	 * (PTRACE_MODE_ATTACH, ptrace(2)). */
	prctl(PR_SET_DUMPABLE, 0);
	log_name("nest-init monitor");
	if (fcntl(MONITOR_FD_CHANNEL, F_SETFD, FD_CLOEXEC) < 0 || fcntl(MONITOR_FD_CONTROL, F_SETFD, FD_CLOEXEC) < 0 ||
		argc < 2) {
		log_line(LOG_LEVEL_ERROR, "only PID 1 starts the monitor");
		return STATUS_USAGE;
	}
	if (prepare(argv, &why) < 0) {
		log_line(LOG_LEVEL_ERROR, "%s", why.text);
		return STATUS_USAGE;
	}
	log_never_block();
	monitor.settle_by_ns = clock_now_ns() + SETTLE_NS + (int64_t)monitor.checks.count * SETTLE_CHECK_NS;
	while (!monitor.orphaned) {
		do_what_is_due();
		wait_for_something();
	}
	tracer_end(&monitor.tracer, clock_now_ns());
	return 0;
}
