/* The monitor: health checks, the HTTP pages and the control socket, in a process that PID 1 can lose at any time.
 * PID 1 executes it afresh from its own file, without capabilities, as another user where that is possible; it closes
 * the rest of its cage itself, once everything is open. */
#include "init/commands.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/control.h"
#include "base/fdio.h"
#include "base/given_file.h"
#include "base/kept.h"
#include "base/log.h"
#include "base/monitor_fds.h"
#include "base/options.h"
#include "base/utf8.h"
#include "base/version.h"
#include "health/changes.h"
#include "health/checks.h"
#include "health/control_server.h"
#include "health/notify_server.h"
#include "health/secret_watch.h"
#include "health/tracer.h"
#include "health/verdict_log.h"
#include "metrics/app_pages_main.h"
#include "metrics/front_page.h"
#include "metrics/gate.h"
#include "metrics/health_page.h"
#include "metrics/history.h"
#include "metrics/negotiate.h"
#include "metrics/page.h"
#include "metrics/read_cgroup.h"
#include "metrics/read_proc.h"
#include "metrics/serve.h"
#include "seccomp-profiles/denial_reports.h"
#include "seccomp-profiles/embedded.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long a page may wait for PID 1's snapshot; what was said last is shown after that. */
#define REFRESH_WAIT_MS 100
/* A thousand checks with all that each may have are 5 MB. */
#define MODEL_TEXT_MAX (64 * 1024 * 1024)
/* A PID 1 that owes an answer for so long hangs: it answers in microseconds. */
#define SILENCE_NS NS_PER_S
/* How long the loop stands still for a file that PID 1 has to open: a child of it does so in a millisecond. */
#define OPEN_WAIT_NS (250 * NS_PER_MS)
/* How long a monitor that was started again keeps its callers waiting, until it knows what its predecessor knew: many
 * checks begin one behind the other. */
#define SETTLE_NS (500 * NS_PER_MS)
#define SETTLE_CHECK_NS (2 * NS_PER_MS)

extern char **environ;

static struct monitor {
	struct model model;
	struct checks checks;
	struct control_server control;
	struct notify_server notify;
	struct serve *serve;     /* NULL without --metrics */
	struct gate *gate;       /* NULL: anybody may see its pages */
	struct served_tls *tls;  /* NULL: HTTP */
	struct changes *changes; /* changes_count of them: of the services that are watched */
	size_t changes_count;
	struct secret_watch secret_watch;
	struct wire_secret secrets[MODEL_SECRETS_MAX]; /* of the model */
	struct denial_reports denials;
	struct cgroup_roots cgroup;
	struct kept *kept;
	struct history history;
	struct tracer tracer;
	int proc_fd;
	int first_listen; /* the descriptor of the first --metrics */
	bool have_snapshot;
	bool orphaned;        /* PID 1 has closed the channel */
	bool settled;         /* there is something to tell */
	bool changed;         /* PID 1 has not been told of all */
	int64_t settle_by_ns; /* it is told from then on, whatever is known */
	int64_t asked_at_ns;  /* since then PID 1 owes an answer; 0: it does not */
	struct {
		bool awaited;
		uint32_t file;
		int fd; /* or -errno */
	} opened;
	struct wire_snapshot snapshot;
	struct wire_service *services; /* of the model; each valid once the snapshot is there */
	size_t service_count, services_heard;
	struct readings *service_readings;
	struct wire_health *told; /* of each service: what PID 1 was told last */
} monitor;

/* ---- PID 1 ---- */

/* While it is starting it is still a child that confines itself. PID 1 takes no verdict then, and would never hear of
 * one that does not change any more. */
static bool service_runs(const struct wire_service *service)
{
	return service->main_pid > 0 && service->state != WIRE_STATE_STARTING && service->starts > service->exits;
}

static bool is_running(size_t service)
{
	return monitor.have_snapshot && service_runs(&monitor.services[service]);
}

/* Without it the container is nothing: the others' health is their own. */
static bool matters(size_t service)
{
	const struct service *asked = model_service(&monitor.model, service);

	return asked->kind == SERVICE_LASTING && asked->essential;
}

static void take_service(const struct wire_service *service)
{
	if (service->service >= monitor.service_count)
		return;
	if (monitor.services[service->service].header.length == 0)
		monitor.services_heard++;
	monitor.services[service->service] = *service;
}

static void look_at_service(size_t index, int64_t now)
{
	const struct wire_service *service = &monitor.services[index];
	const bool speaks = index == monitor.notify.service;

	if (is_running(index)) {
		checks_start(
			&monitor.checks, index, service->starts, now - (clock_wall_ns() - service->start_time_ns), now);
		if (speaks)
			notify_server_start(&monitor.notify, service->starts, service->main_pid, now);
		return;
	}
	if (speaks)
		notify_server_stop(&monitor.notify);
	/* While it stops the last verdicts stay; between two lives, and behind the last, nothing is known. */
	if (service->state >= WIRE_STATE_RESTARTING)
		checks_stop(&monitor.checks, index);
}

/* PID 1 tells of its services first. */
static void take_snapshot(const struct wire_snapshot *snapshot)
{
	int64_t now = clock_now_ns();

	monitor.snapshot = *snapshot;
	monitor.have_snapshot = monitor.services_heard == monitor.service_count;
	monitor.asked_at_ns = 0;
	monitor.changed = true;
	if (!monitor.have_snapshot)
		return;
	tracer_see(&monitor.tracer, snapshot, monitor.services, now);
	for (size_t i = 0; i < monitor.service_count; i++)
		look_at_service(i, now);
}

/* What nobody waits for any more has come too late. */
static void take_opened(const struct wire_opened *opened, int fd)
{
	if (!monitor.opened.awaited || monitor.opened.file != opened->file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	monitor.opened.awaited = false;
	monitor.opened.fd = fd >= 0 ? fd : -(int)opened->error;
}

/* Takes what PID 1 has sent, all of it: only the last one counts. */
static void drain_channel(void)
{
	union wire_record record;
	ssize_t length;
	int listener;

	while ((length = fd_receive(MONITOR_FD_CHANNEL, &record, sizeof record, &listener)) > 0) {
		if ((size_t)length > sizeof record || wire_validate(&record, (size_t)length) < 0)
			continue; /* PID 1 sends no such thing */
		if (record.header.type == WIRE_SNAPSHOT)
			take_snapshot(&record.snapshot);
		if (record.header.type == WIRE_SERVICE)
			take_service(&record.service);
		if (record.header.type == WIRE_SECRET)
			monitor.secrets[record.secret.secret] = record.secret;
		if (record.header.type == WIRE_RAN)
			checks_ran(&monitor.checks, &record.ran);
		if (record.header.type == WIRE_NOTIFIED)
			notify_server_restore(&monitor.notify, &record.notified);
		if (record.header.type == WIRE_OPENED)
			take_opened(&record.opened, take_fd(&listener));
		if (listener >= 0 && monitor.denials.memory == NULL)
			close(listener);
		else if (listener >= 0)
			denial_reports_go_on(&monitor.denials, listener);
	}
	if (length == 0 || (errno != EAGAIN && errno != EINTR))
		monitor.orphaned = true;
}

/* Somebody looks: asks PID 1 for its counters as they are now. Again each time, for it may drop an answer. */
static bool ask_init(void)
{
	union wire_record record = { .refresh = { .header = { 0 } } };

	if (monitor.asked_at_ns == 0)
		monitor.asked_at_ns = clock_now_ns();
	wire_seal(&record, WIRE_REFRESH);
	return send(MONITOR_FD_CHANNEL, &record, sizeof record.refresh, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

/* The same, and waits for it a little. */
static void refresh(void)
{
	struct pollfd channel = { .fd = MONITOR_FD_CHANNEL, .events = POLLIN };

	if (!ask_init())
		return;
	while (monitor.asked_at_ns != 0 && !monitor.orphaned && poll(&channel, 1, REFRESH_WAIT_MS) > 0)
		drain_channel(); /* the snapshot is the last of what it tells */
}

/* Asks once, and waits for the answer. */
static int ask_init_for(uint32_t file, int64_t until)
{
	union wire_record record = { .open = { .file = file } };

	wire_seal(&record, WIRE_OPEN);
	if (send(MONITOR_FD_CHANNEL, &record, sizeof record.open, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -EAGAIN;
	monitor.opened.file = file;
	monitor.opened.fd = -EAGAIN;
	monitor.opened.awaited = true;
	for (int64_t now; monitor.opened.awaited && !monitor.orphaned && (now = clock_now_ns()) < until;) {
		struct pollfd channel = { .fd = MONITOR_FD_CHANNEL, .events = POLLIN };

		if (poll(&channel, 1, (int)((until - now) / NS_PER_MS) + 1) > 0)
			drain_channel();
	}
	monitor.opened.awaited = false;
	return monitor.opened.fd;
}

/* A file that this process may not open, for base/given_file.h. PID 1 has one opened at a time: the last child may not
 * be gone yet. */
static int ask_init_to_open(const char *path)
{
	const int64_t until = clock_now_ns() + OPEN_WAIT_NS;
	uint32_t file = 0;
	int fd;

	while (file < MODEL_FILES_MAX && model_file(&monitor.model, file) != path)
		file++;
	while ((fd = ask_init_for(file, until)) == -EAGAIN && !monitor.orphaned && clock_now_ns() < until)
		poll(NULL, 0, 1);
	return fd;
}

static bool init_is_silent(void)
{
	return monitor.asked_at_ns != 0 && clock_now_ns() - monitor.asked_at_ns >= SILENCE_NS;
}

static bool tell_notified(const struct wire_notified *notified)
{
	union wire_record record = { .notified = *notified };

	wire_seal(&record, WIRE_NOTIFIED);
	return send(MONITOR_FD_CHANNEL, &record, sizeof record.notified, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

/* It takes the order in whatever state the service is. */
static bool tell_changed(uint32_t service, const char *path)
{
	union wire_record record = { .changed = { .service = service } };

	wire_seal(&record, WIRE_CHANGED);
	if (send(MONITOR_FD_CHANNEL, &record, sizeof record.changed, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return false;
	log_line(LOG_LEVEL_NOTICE, "%s has changed", path);
	return true;
}

/* PID 1 has the files of secrets looked at, and says what has changed. */
static bool tell_look(uint32_t service, const char *path)
{
	union wire_record record = { .look = { .header = { 0 } } };

	(void)service;
	(void)path;
	wire_seal(&record, WIRE_LOOK);
	return send(MONITOR_FD_CHANNEL, &record, sizeof record.look, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

/* What a service that stops lacks was to be expected, and so is what it says of itself. */
static void tell_change(size_t index, enum verdict_state before)
{
	const struct check *check = &monitor.checks.check[index];
	const bool says_itself = check->target.kind == TARGET_NOTIFY && check->kind == CHECK_READY;

	verdict_log_change(index, before,
		says_itself || monitor.services[monitor.checks.record[index].service].state != WIRE_STATE_RUNNING);
}

static bool tell_health_of(size_t service)
{
	union wire_record record = { .health = { .service = (uint32_t)service } };
	struct wire_health *told = &monitor.told[service];

	for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
		record.health.healthy[kind] = checks_healthy(
			&monitor.checks, service, (enum check_kind)kind, is_running(service));
	record.health.unhealthy = checks_unhealthy(&monitor.checks, service);
	record.health.life = monitor.services[service].starts;
	wire_seal(&record, WIRE_HEALTH);
	if (memcmp(&record.health, told, sizeof *told) == 0)
		return true;
	if (send(MONITOR_FD_CHANNEL, &record, sizeof record.health, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return false;
	*told = record.health;
	return true;
}

static void tell_health(void)
{
	if (!monitor.have_snapshot)
		return;
	monitor.changed = false;
	for (size_t i = 0; i < monitor.service_count; i++)
		monitor.changed |= !tell_health_of(i);
	if (monitor.told->healthy[CHECK_READY] == 1 && tracer_wants_ready(&monitor.tracer))
		ask_init();
}

/* Of a first start there is nothing to wait for; what the checks of a monitor that was started again do not know from
 * the one before it they know soon. */
static bool knows_enough(void)
{
	if (!monitor.have_snapshot)
		return false;
	if (monitor.snapshot.monitor_restarts == 0 && monitor.snapshot.reloads == 0)
		return true;
	for (size_t i = 0; i < monitor.service_count; i++)
		if (is_running(i) && !checks_have_run(&monitor.checks, i))
			return false;
	return true;
}

/* Until then callers wait in the listeners' backlogs: they hear the truth a moment later, where they would be told now
 * that a healthy service is not ready. */
static bool settled(int64_t now)
{
	monitor.settled = monitor.settled || now >= monitor.settle_by_ns || knows_enough();
	return monitor.settled;
}

/* ---- what is known, for pages and answers ---- */

struct facts {
	uint8_t healthy[CHECK_KIND_COUNT];
	struct health_facts health;
};

/* Of several services: of those that matter. */
static bool is_healthy(enum check_kind kind)
{
	for (size_t i = 0; i < monitor.service_count; i++)
		if (matters(i) && !checks_healthy(&monitor.checks, i, kind, is_running(i)))
			return false;
	return true;
}

static void collect(struct facts *facts)
{
	for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
		facts->healthy[kind] = is_healthy((enum check_kind)kind);
	facts->health = (struct health_facts){
		.snapshot = monitor.have_snapshot ? &monitor.snapshot : NULL,
		.healthy = facts->healthy,
		.checks = monitor.checks.record,
		.check_count = monitor.checks.count,
		.source = init_is_silent() ? HEALTH_INIT_SILENT : HEALTH_BY_INIT,
	};
}

/* ---- the HTTP pages ---- */

static void read_figures_of(size_t service, struct readings *readings)
{
	struct cpu_mark mark = kept_cpu(monitor.kept, service);

	memset(readings, 0, sizeof *readings);
	if (is_running(service) &&
		read_service(monitor.proc_fd, monitor.services[service].main_pid, &mark, readings) == 0)
		kept_put_cpu(monitor.kept, service, &mark); /* before anybody is told */
}

static void read_figures(struct readings *readings)
{
	memset(readings, 0, sizeof *readings);
	read_cgroup(&monitor.cgroup, readings);
	for (size_t i = 0; i < monitor.service_count; i++) {
		read_figures_of(i, &monitor.service_readings[i]);
		readings_add_service(readings, &monitor.service_readings[i]);
	}
}

/* For the front page, and only while there is one. */
static void take_sample(const struct readings *readings)
{
	const int64_t now = clock_now_ns();

	if (history_is_due(&monitor.history, now))
		history_add(&monitor.history, now, readings);
}

/* Something has woken the monitor: it need not wake up for a sample of its own. */
static void sample_in_passing(void)
{
	struct readings readings;

	if (monitor.serve == NULL || !history_is_due(&monitor.history, clock_now_ns()))
		return;
	read_figures(&readings);
	take_sample(&readings);
}

static const char *libc_name(void)
{
#ifdef __GLIBC__
	return "glibc";
#else
	return "musl";
#endif
}

static const char *architecture(void)
{
#if defined(__x86_64__)
	return "amd64";
#else
	return "arm64";
#endif
}

struct denial_texts {
	struct page_denial denial[PAGE_DENIALS_MAX];
	char syscall[PAGE_DENIALS_MAX][SECCOMP_NAME_SIZE], action[PAGE_DENIALS_MAX][ACTION_TEXT_SIZE];
	size_t count;
};

static void collect_denials(struct denial_texts *texts)
{
	texts->count = 0;
	for (size_t i = 0; i <= DENIALS_KINDS_MAX; i++) {
		char *name = texts->syscall[texts->count], *action = texts->action[texts->count];
		uint64_t count = denial_reports_at(&monitor.denials, i, name, action);

		if (count > 0)
			texts->denial[texts->count++] = (struct page_denial){ name, action, count };
	}
}

/* What the pages are made of, gathered when somebody looks. */
struct material {
	struct page_build build;
	struct readings readings;
	struct denial_texts denials;
	struct facts facts;
	struct page_facts page;
};

static void gather(struct material *material)
{
	refresh();
	collect(&material->facts);
	collect_denials(&material->denials);
	read_figures(&material->readings);
	take_sample(&material->readings);
	material->build = (struct page_build){ NEST_INIT_VERSION, NEST_INIT_REVISION, libc_name(), architecture() };
	material->page = (struct page_facts){
		.build = &material->build,
		.snapshot = material->facts.health.snapshot,
		.services = monitor.services,
		.service_count = monitor.have_snapshot ? monitor.service_count : 0,
		.ready = health_is_good(&material->facts.health, CHECK_READY),
		.checks = material->facts.health.checks,
		.check_count = material->facts.health.check_count,
		.readings = &material->readings,
		.service_readings = monitor.service_readings,
		.secrets = monitor.secrets,
		.secret_count = monitor.have_snapshot ? monitor.model.secret_count : 0,
		.denials = material->denials.denial,
		.denial_count = material->denials.count,
	};
}

/* Our page, with what the applications' own hold. */
static int write_metrics(const struct serve_request *request, struct merge *merge, struct serve_reply *ret_reply)
{
	static const enum media offered[] = { MEDIA_TEXT, MEDIA_OPENMETRICS };
	struct material material;
	enum media media = MEDIA_TEXT;
	size_t scrape_count;
	const struct app_scrape *scrapes = app_pages_scrapes(&scrape_count);

	gather(&material);
	material.page.scrapes = scrapes;
	material.page.scrape_count = scrape_count;
	material.page.merge = merge;
	negotiate(request->accept, offered, sizeof offered / sizeof offered[0], &media);
	ret_reply->status = 200;
	ret_reply->content_type = media_content_type(media);
	return metrics_page(&material.page, media == MEDIA_OPENMETRICS ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT,
		&ret_reply->body, &ret_reply->length);
}

static int answer_front(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	static const struct serve_field fields[] = {
		{ "Content-Security-Policy", front_page_policy },
		{ "Referrer-Policy", "no-referrer" },
		{ "X-Frame-Options", "DENY" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
	};
	struct material material;

	(void)context;
	(void)request;
	gather(&material);
	ret_reply->status = 200;
	ret_reply->content_type = FRONT_PAGE_TYPE;
	ret_reply->fields = fields;
	ret_reply->field_count = sizeof fields / sizeof fields[0];
	return front_page(
		&(struct front_facts){
			.known = &material.page,
			.healthy = material.facts.healthy,
			.runs = monitor.checks.runs,
			.history = &monitor.history,
			.wall_ns = clock_wall_ns(),
		},
		&ret_reply->body, &ret_reply->length);
}

static int answer_self(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	(void)context;
	return write_metrics(request, NULL, ret_reply);
}

/* Whatever becomes of the applications' pages, ours goes out. */
static int answer_metrics(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	const char *timeout = serve_header(request, "X-Prometheus-Scrape-Timeout-Seconds");
	struct merge *merge;
	int error;

	(void)context;
	if (!app_pages_ready(request->since_ns, timeout, clock_now_ns(), &ret_reply->wait_until_ns))
		return SERVE_WAIT;
	merge = app_pages_merge();
	error = write_metrics(request, merge, ret_reply);
	if (merge != NULL && (error < 0 || serve_unsent(monitor.serve) + ret_reply->length > APP_UNSENT_MAX)) {
		free(take_pointer(&ret_reply->body));
		app_pages_refused();
		error = write_metrics(request, NULL, ret_reply);
	}
	merge_free(merge);
	return error;
}

static int answer_health(
	enum check_kind kind, const char *page, const struct serve_request *request, struct serve_reply *ret_reply)
{
	static const enum media offered[] = { MEDIA_PLAIN, MEDIA_HEALTH_JSON };
	enum health_format format = serve_has(request, "verbose") ? HEALTH_VERBOSE : HEALTH_BRIEF;
	enum media media = MEDIA_PLAIN;
	struct facts facts;

	/* Not waited for: who looks again a second later is told if PID 1 has not answered by then. */
	ask_init();
	collect(&facts);
	facts.health.page = page;
	negotiate(request->accept, offered, sizeof offered / sizeof offered[0], &media);
	if (media == MEDIA_HEALTH_JSON)
		format = HEALTH_JSON;
	ret_reply->content_type = media_content_type(media);
	return health_page(&facts.health, 1U << kind, format, &ret_reply->status, &ret_reply->body, &ret_reply->length);
}

static int answer_live(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	(void)context;
	return answer_health(CHECK_LIVE, NULL, request, ret_reply);
}

/* /livez by the name that Kubernetes had for it before (deprecated since 1.16), and that load balancers ask for. */
static int answer_healthz(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	(void)context;
	return answer_health(CHECK_LIVE, "healthz", request, ret_reply);
}

static int answer_ready(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	(void)context;
	return answer_health(CHECK_READY, NULL, request, ret_reply);
}

static int answer_startup(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	(void)context;
	return answer_health(CHECK_STARTUP, NULL, request, ret_reply);
}

static const struct serve_page pages[] = {
	{ "/", answer_front, true },
	{ "/metrics", answer_metrics, true },
	{ "/metrics/self", answer_self, true },
	{ "/livez", answer_live, false },
	{ "/healthz", answer_healthz, false },
	{ "/readyz", answer_ready, false },
	{ "/startupz", answer_startup, false },
};

/* ---- the control socket ---- */

static void fill_verdict(enum check_kind kind, struct wire_verdict *verdict)
{
	struct facts facts;
	unsigned status;
	char *text = NULL;
	size_t length;

	collect(&facts);
	verdict->kind = kind;
	verdict->healthy = health_is_good(&facts.health, kind);
	verdict->silent = facts.health.source == HEALTH_INIT_SILENT;
	if (health_page(&facts.health, 1U << kind, HEALTH_BRIEF, &status, &text, &length) == 0) {
		text[strcspn(text, "\n")] = '\0';
		utf8_clean(text, verdict->reason, sizeof verdict->reason);
	}
	free(text);
}

/* A verdict is told once PID 1 has shown that it is well enough to answer, or that it is not. */
static bool knows_verdict(void *context, const struct wire_ask *ask, bool begins)
{
	(void)context;
	if (ask->question != WIRE_ASK_HEALTH)
		return true;
	if (begins)
		ask_init();
	return monitor.asked_at_ns == 0 || init_is_silent();
}

/* Who may order nothing is told so here: a flood of such need not reach PID 1, which asks the kernel again. */
static void refuse_order(int connection)
{
	union wire_record record = { .ordered = { .result = WIRE_RESULT_FORBIDDEN } }, order;

	recv(connection, &order, sizeof order, MSG_DONTWAIT); /* what is left unread would cost the client its answer */
	wire_seal(&record, WIRE_ORDERED);
	send(connection, &record, sizeof record.ordered, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* PID 1 reads the order itself, and answers. Where the channel is full the client finds its connection closed. */
static void hand_over(void *context, int connection)
{
	union wire_record record = { .client = { .header = { 0 } } };

	(void)context;
	if (!control_may_order(connection, control_peer(MONITOR_FD_CHANNEL))) {
		refuse_order(connection);
		return;
	}
	wire_seal(&record, WIRE_CLIENT);
	fd_send(MONITOR_FD_CHANNEL, &record, sizeof record.client, connection);
}

/* The denials that are counted, one after the other. Returns false behind the last. */
static bool fill_denial(size_t n, struct wire_denial *denial)
{
	static_assert(WIRE_DENIALS_MAX == DENIALS_KINDS_MAX + 1, "an answer has room for every kind");
	static_assert(WIRE_SYSCALL_SIZE >= SECCOMP_NAME_SIZE && WIRE_ACTION_SIZE >= ACTION_TEXT_SIZE,
		"a record has room for both names");

	for (size_t i = 0; i < WIRE_DENIALS_MAX; i++) {
		memset(denial, 0, sizeof *denial);
		denial->count = denial_reports_at(&monitor.denials, i, denial->syscall, denial->action);
		if (denial->count > 0 && n-- == 0)
			return true;
	}
	return false;
}

/* One verdict; or a verdict of each kind, the snapshot once there is one, what the service says where it is asked to,
 * every check, and every denial. */
static enum wire_type answer_client(void *context, const struct wire_ask *ask, size_t n, union wire_record *ret_record)
{
	const bool status = ask->question == WIRE_ASK_STATUS;
	const size_t verdicts = status ? CHECK_KIND_COUNT : 1;
	const size_t snapshots = status && monitor.have_snapshot ? 1 + monitor.service_count : 0;

	(void)context;
	if (status && n == 0)
		refresh();
	if (n < verdicts) {
		fill_verdict(status ? (enum check_kind)n : (enum check_kind)ask->kind, &ret_record->verdict);
		return WIRE_VERDICT;
	}
	n -= verdicts;
	if (n < snapshots && n > 0) {
		ret_record->service = monitor.services[n - 1];
		return WIRE_SERVICE;
	}
	if (n < snapshots) {
		ret_record->snapshot = monitor.snapshot;
		return WIRE_SNAPSHOT;
	}
	n -= snapshots;
	if (!status)
		return WIRE_END;
	if (snapshots > 0 && n < monitor.model.secret_count) {
		ret_record->secret = monitor.secrets[n];
		return WIRE_SECRET;
	}
	n -= snapshots > 0 ? monitor.model.secret_count : 0;
	if (monitor.notify.fd >= 0 && n-- == 0) {
		ret_record->notified = monitor.notify.notified;
		return WIRE_NOTIFIED;
	}
	if (n < monitor.checks.count) {
		ret_record->check = monitor.checks.record[n];
		return WIRE_CHECK;
	}
	return fill_denial(n - monitor.checks.count, &ret_record->denial) ? WIRE_DENIAL : WIRE_END;
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
	error = serve_open(fds, monitor.model.listen_count, pages, sizeof pages / sizeof pages[0], NULL, monitor.tls,
		&monitor.serve, ret_why);
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
		model_service(&monitor.model, index), index, &monitor.checks, tell_notified);
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
		changes_open(&monitor.changes[monitor.changes_count++], (uint32_t)i, watch, tell_changed);
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
	control_server_init(&monitor.control, MONITOR_FD_CONTROL, knows_verdict, answer_client, hand_over, NULL);
	monitor.proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cgroup_roots_open(&monitor.cgroup);
	init_speaker();
	given_file_ask(ask_init_to_open);
	app_pages_init(&monitor.model, monitor.kept);
	secret_watch_open(&monitor.secret_watch, &monitor.model, tell_look);
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

static int64_t earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

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
	deadline = earliest(notify_server_deadline_ns(&monitor.notify), checks_deadline_ns(&monitor.checks));
	for (size_t i = 0; i < monitor.changes_count; i++)
		deadline = earliest(deadline, changes_deadline_ns(&monitor.changes[i]));
	deadline = earliest(deadline, secret_watch_deadline_ns(&monitor.secret_watch));
	deadline = earliest(deadline, tracer_deadline_ns(&monitor.tracer));
	if (settled(now)) {
		count += control_server_pollfds(&monitor.control, slots + count);
		deadline = earliest(deadline, control_server_deadline_ns(&monitor.control));
	} else {
		deadline = earliest(deadline, monitor.settle_by_ns);
	}
	if (settled(now) && monitor.serve != NULL) {
		count += serve_pollfds(monitor.serve, slots + count);
		deadline = earliest(deadline, serve_deadline_ns(monitor.serve));
		count += app_pages_pollfds(slots + count);
		deadline = earliest(deadline, app_pages_deadline_ns());
	}
	if (monitor.gate != NULL) {
		gate_poll(monitor.gate, &slots[count++]);
		deadline = earliest(deadline, gate_deadline_ns(monitor.gate));
	}
	left = deadline > now ? deadline - now : 0;
	limit = (struct timespec){ .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
	ppoll(slots, count, deadline == TIME_NEVER ? NULL : &limit, NULL);
}

static void do_what_is_due(void)
{
	drain_channel();
	denial_reports_run(&monitor.denials, tell_denial);
	monitor.changed |= checks_run(&monitor.checks, clock_now_ns());
	monitor.changed |= notify_server_run(&monitor.notify, clock_now_ns()); /* it may be free by now */
	verdict_log_run(clock_now_ns());
	if (monitor.changed)
		tell_health();
	for (size_t i = 0; i < monitor.changes_count; i++)
		changes_run(&monitor.changes[i], clock_now_ns());
	secret_watch_run(&monitor.secret_watch, clock_now_ns());
	tracer_run(&monitor.tracer, clock_now_ns());
	if (!settled(clock_now_ns()))
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
	sample_in_passing();
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
