#include "init/reload.h"

#include "base/clock.h"
#include "base/kept.h"
#include "base/log.h"
#include "init/monitor_model.h"
#include "init/reload_image.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Files may be on a file system that hangs; nobody waits for the child. */
#define PATIENCE_NS (30 * NS_PER_S)

/* ---- the child ---- */

static _Noreturn void work(struct loop *loop, struct reload_image *image)
{
	struct complaint why;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (reload_make_image(loop, loop->reload.model_fd, image, &why) == 0)
		_exit(0);
	snprintf(image->said, sizeof image->said, "%.470s", why.text);
	_exit(1);
}

/* ---- PID 1: the beginning ---- */

/* A unit that waits for its end to be another one still is what an earlier image says. */
static bool is_pending(const struct loop *loop)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (loop->unit[i].next != NULL)
			return true;
	return false;
}

static bool is_wanted_again(const struct loop *loop)
{
	return loop->reload.again && !loop->coordinator.stopping && !is_pending(loop);
}

static void forget(struct reload_image **image)
{
	if (*image != NULL)
		munmap(*image, RELOAD_SIZE);
	*image = NULL;
}

/* Neither call blocks; pages come as the child writes to them, and it is the child that is refused where there are
 * none. */
static struct reload_image *make_memory(struct reload *reload)
{
	void *memory = mmap(
		NULL, RELOAD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	reload->model_fd = monitor_model_memory();
	if (reload->model_fd >= 0)
		return memory;
	munmap(memory, RELOAD_SIZE);
	return NULL;
}

static bool begin(struct loop *loop)
{
	struct reload *reload = &loop->reload;
	pid_t pid;

	forget(&reload->before);
	reload->coming = make_memory(reload);
	if (reload->coming == NULL)
		return false;
	pid = fork(); /* waits for nobody */
	if (pid == 0)
		work(loop, reload->coming);
	if (pid < 0) {
		close(reload->model_fd);
		forget(&reload->coming);
		return false;
	}
	reload->pid = pid;
	reload->ended = false;
	reload->deadline_ns = clock_now_ns() + PATIENCE_NS;
	return true;
}

enum wire_result reload_start(struct loop *loop, bool later)
{
	struct reload *reload = &loop->reload;

	if (reload->read == NULL)
		return WIRE_RESULT_NO_FILE;
	if (loop->coordinator.stopping)
		return WIRE_RESULT_ENDING;
	if (reload->pid == 0 && later && !reload->again && is_pending(loop))
		log_line(LOG_LEVEL_NOTICE,
			"the configuration is read again once the service that has changed has stopped");
	if (reload->pid != 0 || is_pending(loop)) {
		reload->again = reload->again || later;
		return later ? WIRE_RESULT_TAKEN : WIRE_RESULT_BUSY;
	}
	reload->again = false;
	if (begin(loop))
		return WIRE_RESULT_TAKEN;
	log_line(LOG_LEVEL_ERROR, "the configuration is not read again: %s", strerror(errno));
	return WIRE_RESULT_FAILED;
}

bool reload_ended(struct loop *loop, pid_t pid, int status)
{
	if (loop->reload.pid != pid || pid == 0)
		return false;
	loop->reload.ended = true;
	loop->reload.status = status;
	return true;
}

int64_t reload_deadline_ns(const struct loop *loop)
{
	const struct reload *reload = &loop->reload;

	if (reload->pid == 0)
		return is_wanted_again(loop) ? 0 : TIME_NEVER;
	if (reload->ended || (loop->coordinator.stopping && reload->deadline_ns != TIME_NEVER))
		return 0;
	return reload->deadline_ns; /* TIME_NEVER: it was killed, and is to be reaped */
}

/* ---- PID 1: what came of it ---- */

static bool is_inside(const struct reload_image *image, const void *at, size_t size)
{
	const char *from = (const char *)(image + 1), *end = (const char *)image + RELOAD_SIZE;

	return (const char *)at >= from && (const char *)at <= end && size <= (size_t)(end - (const char *)at);
}

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* Every unit that there is, in its order, and none but those. */
static bool has_all_units(const struct loop *loop, const struct reload_image *image)
{
	int next = 0;

	for (size_t i = 0; i < image->count; i++) {
		const struct reload_entry *entry = &image->entry[i];

		if (!is_inside(image, entry->definition, sizeof(struct unit)) ||
			!is_text(entry->name, sizeof entry->name) || (entry->old >= 0) != (entry->fate != RELOAD_NEW) ||
			(entry->old >= 0 && entry->old != next))
			return false;
		next += entry->old >= 0;
	}
	return next == (int)loop->unit_count;
}

/* Of a fork of this very process; what it says of itself is looked at all the same. */
static bool is_sound(const struct loop *loop, const struct reload_image *image)
{
	if (!image->complete || image->count > MODEL_UNITS_MAX || image->service_count > MODEL_SERVICES_MAX ||
		image->service_count > image->count || image->secret_count > MODEL_SECRETS_MAX ||
		image->edge_count > RELOAD_SIZE / sizeof *image->edge ||
		!is_inside(image, image->edge, image->edge_count * sizeof *image->edge))
		return false;
	for (size_t i = 0; i < image->edge_count; i++)
		if (image->edge[i].unit >= image->count || image->edge[i].on >= image->count)
			return false;
	for (size_t i = 0; i < image->secret_count; i++)
		if (image->secret_from[i] >= (int)loop->secrets.list.count)
			return false;
	return has_all_units(loop, image);
}

/* None is further in front than it was: from the last one on none is lost. */
static void make_places(struct loop *loop, const struct reload_image *image)
{
	struct coordinate_unit *coordinated = loop->coordinator.unit;

	for (size_t i = image->count; i-- > 0;) {
		const int old = image->entry[i].old;

		if (old == (int)i)
			continue;
		if (old >= 0) {
			loop->unit[i] = loop->unit[old];
			coordinated[i] = coordinated[old];
		} else {
			memset(&loop->unit[i], 0, sizeof *loop->unit);
			memset(&coordinated[i], 0, sizeof *coordinated);
		}
	}
	for (size_t i = 0; i < image->count; i++)
		coordinated[i].waits_for = NULL; /* it is an edge of before, until the next look */
	loop->unit_count = loop->coordinator.unit_count = image->count;
	loop->coordinator.edge = image->edge;
	loop->coordinator.edge_count = image->edge_count;
}

/* What waits for targets is no service: nobody asks for its name. */
static const char *shown_name(const struct reload_entry *entry)
{
	return entry->waits ? "" : entry->name;
}

static void begin_new(struct loop *loop, size_t number, const struct reload_entry *entry)
{
	struct unit *unit = &loop->unit[number];

	log_link_none(&unit->logs);
	if (entry->definition->logs.argv != NULL)
		unit->logs = entry->definition->logs;
	definition_take(entry->definition, unit);
	supervise_init(&unit->machine, &entry->definition->machine.policy);
	unit_init(unit, loop, number, shown_name(entry));
}

static void change(struct loop *loop, size_t number, const struct reload_entry *entry)
{
	struct unit *unit = &loop->unit[number];

	unit->checks.count = 0; /* those that are asked for now are the next life's */
	unit_become(unit, entry->definition, shown_name(entry));
	coordinate_renew(&loop->coordinator, number, entry->waits);
}

static void take_entry(struct loop *loop, size_t number, const struct reload_entry *entry)
{
	struct coordinate_unit *coordinated = &loop->coordinator.unit[number];
	struct unit *unit = &loop->unit[number];

	unit->record.service = unit->notified.service = (uint32_t)number;
	if (entry->fate == RELOAD_REMOVED) {
		unit_keep(unit, entry->definition);
		unit->look_at_ns = TIME_NEVER;
		coordinate_remove(&loop->coordinator, number);
		return;
	}
	coordinated->kind = entry->kind;
	coordinated->essential = entry->essential;
	if (entry->fate == RELOAD_NEW)
		begin_new(loop, number, entry);
	else if (entry->fate == RELOAD_CHANGED)
		change(loop, number, entry);
	else
		unit_keep(unit, entry->definition);
	if (entry->fate != RELOAD_SAME) {
		unit_schedule(unit);
		confine_hide_own(entry->definition->spawn.plan); /* prctl(2) does not block */
	}
	unit->changed = true;
}

static void take_secrets(struct loop *loop, const struct reload_image *image)
{
	const struct secret_list list = { .secret = image->secret, .count = image->secret_count };
	int from[MODEL_UNITS_MAX];

	for (size_t i = 0; i < image->count; i++)
		from[i] = image->entry[i].old;
	secret_rotation_renew(loop, &list, image->secret_from, from);
}

/* The next monitor reads it from its beginning. A sealed one cannot be made another (fcntl(2)). */
static void hand_to_monitor(struct loop *loop, const struct reload_image *image)
{
	struct monitor_link *link = &loop->monitor;
	int kept;

	if (!image->differs || !loop->wants_monitor || link->executable < 0 ||
		monitor_model_seal(loop->reload.model_fd) < 0) {
		close(loop->reload.model_fd);
		return;
	}
	exec_probes_kill(&loop->probes, NULL);
	kept = image->forgets ? kept_make(image->check_count) : link->kept;
	if (kept != link->kept && link->kept >= 0)
		close(link->kept);
	link->kept = kept < 0 ? -1 : kept;
	if (link->model >= 0)
		close(link->model);
	link->model = loop->reload.model_fd;
	monitor_link_renew(link);
}

/* What the output of new services goes into is opened here, who keeps it; nothing of it blocks. Where there are no
 * descriptors for all of them there are none. Returns 0 or -errno. */
static int open_logs(struct loop *loop, struct reload_image *image)
{
	int error = 0;
	size_t i;

	for (i = 0; error == 0 && i < image->count; i++) {
		struct unit *unit = image->entry[i].definition;
		int executable;

		if (image->entry[i].fate != RELOAD_NEW || unit->logs.argv == NULL)
			continue;
		executable = fcntl(loop->monitor.executable, F_DUPFD_CLOEXEC, 0);
		error = executable < 0 ? -errno : log_link_open(&unit->logs, executable, unit->spawn.plan);
	}
	while (error < 0 && i-- > 0)
		if (image->entry[i].fate == RELOAD_NEW && log_link_is_there(&image->entry[i].definition->logs))
			log_link_close(&image->entry[i].definition->logs);
	return error;
}

static void take(struct loop *loop)
{
	struct reload *reload = &loop->reload;
	struct reload_image *image = reload->coming;

	mprotect(image, RELOAD_SIZE, PROT_READ); /* nobody writes to it any more */
	make_places(loop, image);
	take_secrets(loop, image);
	for (size_t i = 0; i < image->count; i++)
		take_entry(loop, i, &image->entry[i]);
	log_set(image->log_format, image->log_level);
	loop->lender.plan = loop->unit->spawn.plan;
	hand_to_monitor(loop, image);
	/* What still stops is what the last one says: that goes with the next reload. */
	reload->before = reload->image;
	reload->image = image;
	reload->coming = NULL;
	loop->snapshot.reload_success_ns = clock_wall_ns();
	loop_coordinate(loop);
}

static void finish(struct loop *loop)
{
	struct reload *reload = &loop->reload;
	struct reload_image *image = reload->coming;
	bool good = reload->status == 0 && is_sound(loop, image);
	const int error = good ? open_logs(loop, image) : 0;
	struct wire_snapshot *snapshot = &loop->snapshot;

	good = good && error == 0;
	if (error < 0)
		snprintf(image->said, sizeof image->said, "logs: %s", strerror(-error));
	reload->pid = 0;
	snapshot->reloads++;
	snapshot->reload_successful = good;
	image->said[sizeof image->said - 1] = '\0';
	memset(snapshot->reload_said, 0, sizeof snapshot->reload_said);
	snprintf(snapshot->reload_said, sizeof snapshot->reload_said, "%s",
		image->said[0] != '\0' ? image->said : "it took too long, or was killed");
	if (good) {
		log_line(LOG_LEVEL_NOTICE, "%s", snapshot->reload_said);
		take(loop);
	} else {
		log_line(LOG_LEVEL_ERROR, "the configuration stays as it was: %s", snapshot->reload_said);
		close(reload->model_fd);
		forget(&reload->coming);
	}
	loop_send(loop);
}

void reload_run(struct loop *loop, int64_t now)
{
	struct reload *reload = &loop->reload;

	if (reload->pid == 0) {
		if (is_wanted_again(loop))
			reload_start(loop, true);
		return;
	}
	if (!reload->ended) {
		if (now >= reload->deadline_ns || loop->coordinator.stopping) {
			kill(reload->pid, SIGKILL);
			reload->deadline_ns = TIME_NEVER;
		}
		return;
	}
	if (loop->coordinator.stopping) {
		reload->pid = 0;
		return;
	}
	finish(loop);
}
