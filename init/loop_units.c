#include "init/loop_parts.h"

#include "base/log.h"
#include "base/signame.h"
#include "init/certificate.h"
#include "init/inherited.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static size_t number_of(const struct loop *loop, const struct unit *unit)
{
	return (size_t)(unit - loop->unit);
}

bool loop_matters(const struct loop *loop, size_t number)
{
	return loop->coordinator.unit[number].kind == SERVICE_LASTING && loop->coordinator.unit[number].essential;
}

bool loop_is_held(const struct loop *loop, const struct unit *unit)
{
	const struct coordinate_unit *coordinated = &loop->coordinator.unit[number_of(loop, unit)];

	return (coordinated->held || coordinated->renews) && !loop->coordinator.stopping;
}

static void stop_unit(struct loop *loop, struct unit *unit, const siginfo_t *info)
{
	unit_step(unit, (struct supervise_event){ .type = SUPERVISE_EVENT_SIGNAL, .signal = loop->stop_signal }, info);
}

/* Who stops one by hand has said so already. */
static enum stopped_by who_stops(const struct loop *loop, size_t number)
{
	const struct coordinate_unit *coordinated = &loop->coordinator.unit[number];

	if (loop->coordinator.stopping)
		return loop->stop_asked ? STOPPED_BY_NOBODY : STOPPED_BY_CONTAINER;
	return coordinated->renews || coordinated->removed ? STOPPED_BY_RELOAD : loop->unit[number].stopped_by;
}

static void act(struct loop *loop, const struct coordinate_action *action, const siginfo_t *info)
{
	switch (action->type) {
	case COORDINATE_START:
		unit_start(&loop->unit[action->unit]);
		break;
	case COORDINATE_STOP:
		loop->unit[action->unit].stopped_by = who_stops(loop, action->unit);
		stop_unit(loop, &loop->unit[action->unit], info);
		break;
	default:
		loop->ended = true;
		loop->exit_status = action->status;
	}
}

/* Who waits for somebody who will never be that far. */
static void tell_blocked(struct loop *loop)
{
	size_t number, blocker;

	while (coordinate_blocked(&loop->coordinator, &number, &blocker)) {
		const struct coordinate_unit *on = &loop->coordinator.unit[blocker];
		const struct coordinate_unit *blocked = &loop->coordinator.unit[number];
		const char *end = blocked->essential && !blocked->released ? ": stopping" : "";

		if (on->phase == COORDINATE_BLOCKED)
			log_line(LOG_LEVEL_WARNING, "%s is not started: %s is not either%s", loop->unit[number].called,
				loop->unit[blocker].called, end);
		else
			log_line(LOG_LEVEL_WARNING,
				"%s is not started: %s, which it waits for, has ended with status %d%s",
				loop->unit[number].called, loop->unit[blocker].called, on->status, end);
	}
}

void loop_coordinate_by(struct loop *loop, const siginfo_t *info)
{
	struct coordinate_action action;

	if (loop->coordinating)
		return;
	loop->coordinating = true;
	while (coordinate_next(&loop->coordinator, &action)) {
		tell_blocked(loop);
		act(loop, &action, info);
	}
	tell_blocked(loop);
	loop->coordinating = false;
}

void loop_coordinate(struct loop *loop)
{
	loop_coordinate_by(loop, NULL);
}

void loop_unit_executed(struct loop *loop, const struct unit *unit)
{
	uint64_t needed = 0;
	bool all = false;

	coordinate_started(&loop->coordinator, number_of(loop, unit));
	for (size_t i = 0; i < loop->unit_count; i++) {
		all = all || confine_is_light(loop->unit[i].spawn.plan);
		needed |= unit_needs_capabilities(&loop->unit[i]);
	}
	if (!all)
		loop->snapshot.own_capabilities = confine_keep_own(unit->spawn.plan, needed);
	secret_rotation_unit(&loop->secrets, unit);
	loop_coordinate_by(loop, NULL);
}

void loop_unit_ready(struct loop *loop, const struct unit *unit)
{
	loop_tell_ready(loop);
	coordinate_ready(&loop->coordinator, number_of(loop, unit));
	secret_rotation_unit(&loop->secrets, unit);
	loop_coordinate_by(loop, NULL);
}

void loop_unit_again(struct loop *loop, const struct unit *unit)
{
	coordinate_again(&loop->coordinator, number_of(loop, unit));
}

void loop_unit_ended(struct loop *loop, const struct unit *unit)
{
	const size_t number = number_of(loop, unit);
	const bool stopping = loop->coordinator.stopping;

	coordinate_ended(&loop->coordinator, number, unit->exit_status);
	if (loop->unit_count > 1 && !stopping && loop->coordinator.stopping)
		log_line(LOG_LEVEL_NOTICE, "%s has ended, which the container cannot do without: stopping",
			unit->called);
	loop_coordinate_by(loop, NULL);
}

/* All others are gone for good: what is left in the container is this one's. */
static bool is_last(const struct loop *loop, const struct unit *unit)
{
	if (loop->unit_count == 1)
		return true;
	for (size_t i = 0; i < loop->unit_count; i++)
		if (&loop->unit[i] != unit && loop->unit[i].main_pid > 0)
			return false;
	return loop->coordinator.stopping;
}

bool loop_has_main(const struct unit *unit)
{
	return unit->main_pid != 0 && !unit->was_reaped && !unit->machine.main_ended;
}

/* Whoever is no leftover of the unit, of our own children: helpers, and the other services themselves. */
static void list_spared(struct loop *loop, const struct unit *unit)
{
	loop->spared[0] = loop->monitor.pid;
	loop->spared_count = 1;
	for (size_t i = 0; i < loop->unit_count; i++) {
		const struct unit *other = &loop->unit[i];

		if (other->logs.pid > 0)
			loop->spared[loop->spared_count++] = other->logs.pid;
		if (other != unit && loop_has_main(other))
			loop->spared[loop->spared_count++] = other->main_pid;
	}
}

struct descendants loop_leftovers(struct loop *loop, const struct unit *unit)
{
	const bool last = is_last(loop, unit);

	list_spared(loop, unit);
	return (struct descendants){
		.spared = loop->spared,
		.spared_count = loop->spared_count,
		.session = last ? 0 : unit->main_pid,
		.ours_alone = !last || unit->machine.restart || loop_is_held(loop, unit),
	};
}

void loop_end_monitor(struct loop *loop, struct unit *unit)
{
	if (!is_last(loop, unit) || loop_is_held(loop, unit))
		return;
	if (loop->monitor.otel != NULL) { /* what the last span is made of */
		certificate_foretell(unit);
		unit->changed = true;
		loop_send(loop);
	}
	monitor_link_end(&loop->monitor);
}

static void close_inherited(const struct loop *loop)
{
	int ours[9 + MODEL_LISTEN_MAX + LOG_LINK_FDS] = { loop->unit->news_fd, loop->monitor.executable,
		loop->monitor.control, loop->monitor.channel, loop->monitor.listener, loop->monitor.denials,
		loop->monitor.notify, loop->monitor.model, loop->monitor.kept };
	size_t count = 9;

	for (size_t i = 0; i < loop->monitor.listen_count; i++)
		ours[count++] = loop->monitor.listen[i];
	count += log_link_descriptors(&loop->unit->logs, ours + count);
	inherited_close(ours, count);
}

/* The first child has its directory and its descriptors: ours hold nothing any more. Only programs that have a single
 * service do so. */
void loop_unit_spawned(struct loop *loop, const struct unit *unit)
{
	if (unit->spawn.again)
		return;
	if (loop->personality->close_descriptors)
		close_inherited(loop);
	if (loop->personality->chdir_root && chdir("/") < 0)
		log_line(LOG_LEVEL_ERROR, "cannot leave the directory: %s", strerror(errno));
}

void loop_say_stopping(const struct loop *loop, const struct unit *unit, int signal)
{
	char name[SIGNAL_NAME_SIZE];

	if (loop->unit_count > 1)
		log_line(LOG_LEVEL_INFO, "%sstopping", unit->prefix);
	else
		log_line(loop->wants_monitor ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO, "SIG%s: stopping",
			signal_name(signal, name));
}
