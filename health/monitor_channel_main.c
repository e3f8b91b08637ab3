/* What the monitor hears from PID 1, and tells it; and what follows from that for all who ask. */
#include "health/monitor_main.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/monitor_fds.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a page may wait for PID 1's snapshot; what was said last is shown after that. */
#define REFRESH_WAIT_MS 100
/* A PID 1 that owes an answer for so long hangs: it answers in microseconds. */
#define SILENCE_NS NS_PER_S
/* How long the loop stands still for a file that PID 1 has to open: a child of it does so in a millisecond. */
#define OPEN_WAIT_NS (250 * NS_PER_MS)

/* While it is starting it is still a child that confines itself. PID 1 takes no verdict then, and would never hear of
 * one that does not change any more. */
static bool service_runs(const struct wire_service *service)
{
	return service->main_pid > 0 && service->state != WIRE_STATE_STARTING && service->starts > service->exits;
}

bool monitor_is_running(const struct monitor *monitor, size_t service)
{
	return monitor->have_snapshot && service_runs(&monitor->services[service]);
}

/* Without it the container is nothing: the others' health is their own. */
static bool matters(const struct monitor *monitor, size_t service)
{
	const struct service *asked = model_service(&monitor->model, service);

	return asked->kind == SERVICE_LASTING && asked->essential;
}

static void take_service(struct monitor *monitor, const struct wire_service *service)
{
	if (service->service >= monitor->service_count)
		return;
	if (monitor->services[service->service].header.length == 0)
		monitor->services_heard++;
	monitor->services[service->service] = *service;
}

static void look_at_service(struct monitor *monitor, size_t index, int64_t now)
{
	const struct wire_service *service = &monitor->services[index];
	const bool speaks = index == monitor->notify.service;

	if (monitor_is_running(monitor, index)) {
		checks_start(&monitor->checks, index, service->starts, now - (clock_wall_ns() - service->start_time_ns),
			now);
		if (speaks)
			notify_server_start(&monitor->notify, service->starts, service->main_pid, now);
		return;
	}
	if (speaks)
		notify_server_stop(&monitor->notify);
	/* While it stops the last verdicts stay; between two lives, and behind the last, nothing is known. */
	if (service->state >= WIRE_STATE_RESTARTING)
		checks_stop(&monitor->checks, index);
}

/* PID 1 tells of its services first. */
static void take_snapshot(struct monitor *monitor, const struct wire_snapshot *snapshot)
{
	int64_t now = clock_now_ns();

	monitor->snapshot = *snapshot;
	monitor->have_snapshot = monitor->services_heard == monitor->service_count;
	monitor->asked_at_ns = 0;
	monitor->changed = true;
	if (!monitor->have_snapshot)
		return;
	tracer_see(&monitor->tracer, snapshot, monitor->services, now);
	for (size_t i = 0; i < monitor->service_count; i++)
		look_at_service(monitor, i, now);
}

/* What nobody waits for any more has come too late. */
static void take_opened(struct monitor *monitor, const struct wire_opened *opened, int fd)
{
	if (!monitor->opened.awaited || monitor->opened.file != opened->file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	monitor->opened.awaited = false;
	monitor->opened.fd = fd >= 0 ? fd : -(int)opened->error;
}

void monitor_drain(struct monitor *monitor)
{
	union wire_record record;
	ssize_t length;
	int listener;

	while ((length = fd_receive(MONITOR_FD_CHANNEL, &record, sizeof record, &listener)) > 0) {
		if ((size_t)length > sizeof record || wire_validate(&record, (size_t)length) < 0)
			continue; /* PID 1 sends no such thing */
		if (record.header.type == WIRE_SNAPSHOT)
			take_snapshot(monitor, &record.snapshot);
		if (record.header.type == WIRE_SERVICE)
			take_service(monitor, &record.service);
		if (record.header.type == WIRE_SECRET)
			monitor->secrets[record.secret.secret] = record.secret;
		if (record.header.type == WIRE_RAN)
			checks_ran(&monitor->checks, &record.ran);
		if (record.header.type == WIRE_NOTIFIED)
			notify_server_restore(&monitor->notify, &record.notified);
		if (record.header.type == WIRE_OPENED)
			take_opened(monitor, &record.opened, take_fd(&listener));
		if (listener >= 0 && monitor->denials.memory == NULL)
			close(listener);
		else if (listener >= 0)
			denial_reports_go_on(&monitor->denials, listener);
	}
	if (length == 0 || (errno != EAGAIN && errno != EINTR))
		monitor->orphaned = true;
}

/* Somebody looks: asks PID 1 for its counters as they are now. Again each time, for it may drop an answer. */
bool monitor_ask(struct monitor *monitor)
{
	union wire_record record = { .refresh = { .header = { 0 } } };

	if (monitor->asked_at_ns == 0)
		monitor->asked_at_ns = clock_now_ns();
	wire_seal(&record, WIRE_REFRESH);
	return send(MONITOR_FD_CHANNEL, &record, sizeof record.refresh, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

void monitor_refresh(struct monitor *monitor)
{
	struct pollfd channel = { .fd = MONITOR_FD_CHANNEL, .events = POLLIN };

	if (!monitor_ask(monitor))
		return;
	while (monitor->asked_at_ns != 0 && !monitor->orphaned && poll(&channel, 1, REFRESH_WAIT_MS) > 0)
		monitor_drain(monitor); /* the snapshot is the last of what it tells */
}

/* Asks once, and waits for the answer. */
static int ask_init_for(struct monitor *monitor, uint32_t file, int64_t until)
{
	union wire_record record = { .open = { .file = file } };

	wire_seal(&record, WIRE_OPEN);
	if (send(MONITOR_FD_CHANNEL, &record, sizeof record.open, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -EAGAIN;
	monitor->opened.file = file;
	monitor->opened.fd = -EAGAIN;
	monitor->opened.awaited = true;
	for (int64_t now; monitor->opened.awaited && !monitor->orphaned && (now = clock_now_ns()) < until;) {
		struct pollfd channel = { .fd = MONITOR_FD_CHANNEL, .events = POLLIN };

		if (poll(&channel, 1, (int)((until - now) / NS_PER_MS) + 1) > 0)
			monitor_drain(monitor);
	}
	monitor->opened.awaited = false;
	return monitor->opened.fd;
}

/* A file that this process may not open, for base/given_file.h. PID 1 has one opened at a time: the last child may not
 * be gone yet. */
int monitor_open_file(struct monitor *monitor, const char *path)
{
	const int64_t until = clock_now_ns() + OPEN_WAIT_NS;
	uint32_t file = 0;
	int fd;

	while (file < MODEL_FILES_MAX && model_file(&monitor->model, file) != path)
		file++;
	while ((fd = ask_init_for(monitor, file, until)) == -EAGAIN && !monitor->orphaned && clock_now_ns() < until)
		poll(NULL, 0, 1);
	return fd;
}

bool monitor_init_is_silent(const struct monitor *monitor)
{
	return monitor->asked_at_ns != 0 && clock_now_ns() - monitor->asked_at_ns >= SILENCE_NS;
}

bool monitor_tell_notified(const struct wire_notified *notified)
{
	union wire_record record = { .notified = *notified };

	wire_seal(&record, WIRE_NOTIFIED);
	return send(MONITOR_FD_CHANNEL, &record, sizeof record.notified, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

/* It takes the order in whatever state the service is. */
bool monitor_tell_changed(uint32_t service, const char *path)
{
	union wire_record record = { .changed = { .service = service } };

	wire_seal(&record, WIRE_CHANGED);
	if (send(MONITOR_FD_CHANNEL, &record, sizeof record.changed, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return false;
	log_line(LOG_LEVEL_NOTICE, "%s has changed", path);
	return true;
}

/* PID 1 has the files of secrets looked at, and says what has changed. */
bool monitor_tell_look(uint32_t service, const char *path)
{
	union wire_record record = { .look = { .header = { 0 } } };

	(void)service;
	(void)path;
	wire_seal(&record, WIRE_LOOK);
	return send(MONITOR_FD_CHANNEL, &record, sizeof record.look, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

static bool tell_health_of(struct monitor *monitor, size_t service)
{
	union wire_record record = { .health = { .service = (uint32_t)service } };
	struct wire_health *told = &monitor->told[service];

	for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
		record.health.healthy[kind] = checks_healthy(
			&monitor->checks, service, (enum check_kind)kind, monitor_is_running(monitor, service));
	record.health.unhealthy = checks_unhealthy(&monitor->checks, service);
	record.health.life = monitor->services[service].starts;
	wire_seal(&record, WIRE_HEALTH);
	if (memcmp(&record.health, told, sizeof *told) == 0)
		return true;
	if (send(MONITOR_FD_CHANNEL, &record, sizeof record.health, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return false;
	*told = record.health;
	return true;
}

void monitor_tell_health(struct monitor *monitor)
{
	if (!monitor->have_snapshot)
		return;
	monitor->changed = false;
	for (size_t i = 0; i < monitor->service_count; i++)
		monitor->changed |= !tell_health_of(monitor, i);
	if (monitor->told->healthy[CHECK_READY] == 1 && tracer_wants_ready(&monitor->tracer))
		monitor_ask(monitor);
}

/* Of a first start there is nothing to wait for; what the checks of a monitor that was started again do not know from
 * the one before it they know soon. */
static bool knows_enough(const struct monitor *monitor)
{
	if (!monitor->have_snapshot)
		return false;
	if (monitor->snapshot.monitor_restarts == 0 && monitor->snapshot.reloads == 0)
		return true;
	for (size_t i = 0; i < monitor->service_count; i++)
		if (monitor_is_running(monitor, i) && !checks_have_run(&monitor->checks, i))
			return false;
	return true;
}

bool monitor_settled(struct monitor *monitor, int64_t now)
{
	monitor->settled = monitor->settled || now >= monitor->settle_by_ns || knows_enough(monitor);
	return monitor->settled;
}

/* ---- what is known, for pages and answers ---- */

/* Of several services: of those that matter. */
static bool is_healthy(const struct monitor *monitor, enum check_kind kind)
{
	for (size_t i = 0; i < monitor->service_count; i++)
		if (matters(monitor, i) && !checks_healthy(&monitor->checks, i, kind, monitor_is_running(monitor, i)))
			return false;
	return true;
}

void monitor_collect(const struct monitor *monitor, struct monitor_facts *facts)
{
	for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
		facts->healthy[kind] = is_healthy(monitor, (enum check_kind)kind);
	facts->health = (struct health_facts){
		.snapshot = monitor->have_snapshot ? &monitor->snapshot : NULL,
		.healthy = facts->healthy,
		.checks = monitor->checks.record,
		.check_count = monitor->checks.count,
		.source = monitor_init_is_silent(monitor) ? HEALTH_INIT_SILENT : HEALTH_BY_INIT,
	};
}
