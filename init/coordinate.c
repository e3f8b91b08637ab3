#include "init/coordinate.h"

/* What a container ends with where the status 0 of a unit kept another one from starting. */
#define STATUS_BLOCKED 1

static bool is_active(const struct coordinate_unit *unit)
{
	return unit->phase >= COORDINATE_STARTING && unit->phase <= COORDINATE_STOPPING;
}

static bool is_over(const struct coordinate_unit *unit)
{
	return unit->phase >= COORDINATE_ENDED;
}

/* ---- what became of the units ---- */

void coordinate_started(struct coordinator *coordinator, size_t unit)
{
	if (coordinator->unit[unit].phase == COORDINATE_STARTING)
		coordinator->unit[unit].phase = COORDINATE_STARTED;
	coordinator->unit[unit].was_started = coordinator->unit[unit].ever_ran = true;
	coordinator->unit[unit].released = false;
}

void coordinate_ready(struct coordinator *coordinator, size_t unit)
{
	if (coordinator->unit[unit].phase == COORDINATE_STARTED)
		coordinator->unit[unit].phase = COORDINATE_READY;
}

void coordinate_again(struct coordinator *coordinator, size_t unit)
{
	if (is_active(&coordinator->unit[unit]) && coordinator->unit[unit].phase != COORDINATE_STOPPING)
		coordinator->unit[unit].phase = COORDINATE_STARTING;
}

/* A unit has ended that nobody had asked to, or that cannot be started: the container cannot go on. */
static void lose(struct coordinator *coordinator, const struct coordinate_unit *unit)
{
	if (!unit->essential || coordinator->stopping)
		return;
	coordinator->stopping = true;
	coordinator->has_cause = true;
	coordinator->status = unit->status;
}

/* A task with a time of its own waits for that. */
static void begin_anew(struct coordinate_unit *unit)
{
	unit->renews = unit->was_started = unit->by_hand = unit->released = false;
	unit->phase = COORDINATE_WAITING;
	unit->due = unit->kind != SERVICE_SCHEDULED;
}

/* Nobody else hears of it: who waited for it once had what he waited for, and who does now waits on for a hand. */
static void fail_by_hand(struct coordinate_unit *unit)
{
	unit->held = unit->held || (unit->essential && !unit->done_before);
}

void coordinate_ended(struct coordinator *coordinator, size_t number, int status)
{
	struct coordinate_unit *unit = &coordinator->unit[number];

	if (!is_active(unit))
		return;
	unit->phase = COORDINATE_ENDED;
	if (unit->by_hand && status != 0)
		fail_by_hand(unit);
	else
		unit->status = status;
	if (unit->renews && !coordinator->stopping)
		begin_anew(unit);
	else if (unit->kind == SERVICE_SCHEDULED && !coordinator->stopping && !unit->held)
		unit->phase = COORDINATE_WAITING;
	else if (!unit->held && !unit->by_hand && (unit->kind == SERVICE_LASTING || status != 0))
		lose(coordinator, unit);
}

bool coordinate_due(struct coordinator *coordinator, size_t number)
{
	struct coordinate_unit *unit = &coordinator->unit[number];

	if (coordinator->stopping || unit->phase != COORDINATE_WAITING)
		return false;
	unit->due = true;
	return true;
}

bool coordinate_hold(struct coordinator *coordinator, size_t number)
{
	struct coordinate_unit *unit = &coordinator->unit[number];

	if (coordinator->stopping || is_over(unit) || (unit->phase == COORDINATE_STOPPING && !unit->renews))
		return false;
	unit->held = true;
	unit->renews = false;
	if (!is_active(unit))
		unit->phase = COORDINATE_ENDED;
	return true;
}

bool coordinate_release(struct coordinator *coordinator, size_t number)
{
	struct coordinate_unit *unit = &coordinator->unit[number];

	if (coordinator->stopping || !is_over(unit) || unit->removed)
		return false;
	unit->by_hand = unit->kind == SERVICE_ONCE;
	unit->done_before = unit->phase == COORDINATE_ENDED && unit->was_started && !unit->held && unit->status == 0;
	unit->held = false;
	unit->released = true;
	unit->phase = COORDINATE_WAITING;
	unit->due = true;
	return true;
}

void coordinate_renew(struct coordinator *coordinator, size_t number, bool again)
{
	struct coordinate_unit *unit = &coordinator->unit[number];
	const bool comes_back = unit->removed || (!unit->held && (again || unit->kind == SERVICE_LASTING));

	if (unit->removed || unit->phase == COORDINATE_BLOCKED)
		unit->held = unit->removed = false;
	if (is_active(unit))
		unit->renews = !unit->held;
	else if (is_over(unit) && (comes_back || unit->phase == COORDINATE_BLOCKED))
		begin_anew(unit);
}

void coordinate_remove(struct coordinator *coordinator, size_t number)
{
	struct coordinate_unit *unit = &coordinator->unit[number];

	unit->held = unit->removed = true;
	unit->essential = unit->renews = false;
	if (!is_active(unit))
		unit->phase = COORDINATE_ENDED;
}

void coordinate_stop(struct coordinator *coordinator)
{
	coordinator->stopping = true;
}

/* ---- what is to be done ---- */

enum answer { YES, NOT_YET, NEVER };

static enum answer is_met(const struct coordinator *coordinator, const struct dependency_edge *edge)
{
	const struct coordinate_unit *on = &coordinator->unit[edge->on];

	if (edge->condition == DEPENDS_STOPPED)
		return YES; /* looked at when the container stops */
	if (on->renews)
		return NOT_YET; /* it is about to go, to come again */
	if (edge->condition == DEPENDS_STARTED && on->was_started)
		return YES;
	if (edge->condition == DEPENDS_READY && on->phase == COORDINATE_READY)
		return YES;
	if (edge->condition == DEPENDS_COMPLETED && on->phase == COORDINATE_ENDED && on->status == 0 && !on->held)
		return YES;
	return is_over(on) && !on->held ? NEVER : NOT_YET;
}

static void look_who_waits(struct coordinator *coordinator)
{
	for (size_t i = 0; i < coordinator->unit_count; i++)
		coordinator->unit[i].waits_for = NULL;
	for (size_t i = 0; i < coordinator->edge_count; i++) {
		const struct dependency_edge *edge = &coordinator->edge[i];
		const struct dependency_edge **worst = &coordinator->unit[edge->unit].waits_for;

		if (is_met(coordinator, edge) > (*worst == NULL ? YES : is_met(coordinator, *worst)))
			*worst = edge;
	}
}

static enum answer may_start(const struct coordinator *coordinator, const struct coordinate_unit *unit)
{
	return unit->waits_for == NULL ? YES : is_met(coordinator, unit->waits_for);
}

static void block(struct coordinator *coordinator, struct coordinate_unit *unit)
{
	const int status = coordinator->unit[unit->waits_for->on].status;

	unit->phase = COORDINATE_BLOCKED;
	unit->blocker = unit->waits_for->on;
	unit->blocked_now = true;
	unit->status = status != 0 ? status : STATUS_BLOCKED;
	unit->held = unit->released; /* whose hand that was is told, and the container stays as it was */
	if (!unit->held)
		lose(coordinator, unit);
}

bool coordinate_blocked(struct coordinator *coordinator, size_t *ret_unit, size_t *ret_blocker)
{
	for (size_t i = 0; i < coordinator->unit_count; i++) {
		struct coordinate_unit *unit = &coordinator->unit[i];

		if (!unit->blocked_now)
			continue;
		unit->blocked_now = false;
		*ret_unit = i;
		*ret_blocker = unit->blocker;
		return true;
	}
	return false;
}

/* A task for the end, or for its time, waits for that. */
static bool is_called(const struct coordinate_unit *unit)
{
	if (unit->phase != COORDINATE_WAITING || unit->kind == SERVICE_AFTER)
		return false;
	return unit->kind != SERVICE_SCHEDULED || unit->due;
}

/* Returns whether there was any. */
static bool block_each(struct coordinator *coordinator)
{
	bool any = false;

	for (size_t i = 0; i < coordinator->unit_count && !coordinator->stopping; i++) {
		struct coordinate_unit *unit = &coordinator->unit[i];

		if (!is_called(unit) || may_start(coordinator, unit) != NEVER)
			continue;
		block(coordinator, unit);
		any = true;
	}
	return any;
}

static bool start_one(struct coordinator *coordinator, size_t *ret_unit)
{
	do /* who is blocked blocks others */
		look_who_waits(coordinator);
	while (block_each(coordinator));
	for (size_t i = 0; i < coordinator->unit_count && !coordinator->stopping; i++) {
		struct coordinate_unit *unit = &coordinator->unit[i];

		if (!is_called(unit) || may_start(coordinator, unit) != YES)
			continue;
		unit->phase = COORDINATE_STARTING;
		unit->due = false;
		*ret_unit = i;
		return true;
	}
	return false;
}

/* In a stop: a task for the end is still to come. */
static bool is_to_come(const struct coordinate_unit *unit)
{
	return unit->kind == SERVICE_AFTER && unit->phase == COORDINATE_WAITING;
}

static void look_who_is_left(struct coordinator *coordinator)
{
	for (size_t i = 0; i < coordinator->unit_count; i++) {
		struct coordinate_unit *unit = &coordinator->unit[i];

		unit->needed = unit->needed_later = unit->too_early = unit->has_work = false;
	}
	for (size_t i = 0; i < coordinator->edge_count; i++) {
		const struct dependency_edge *edge = &coordinator->edge[i];
		struct coordinate_unit *unit = &coordinator->unit[edge->unit], *on = &coordinator->unit[edge->on];

		/* Tasks for the end wait for each other, whichever way the file says it. */
		if (edge->condition == DEPENDS_STOPPED || on->kind == SERVICE_AFTER)
			unit->too_early = unit->too_early || is_active(on) || is_to_come(on);
		if (edge->condition == DEPENDS_STOPPED) {
			unit->has_work = unit->has_work || on->ever_ran;
			continue;
		}
		on->needed = on->needed || is_active(unit);
		on->needed_later = on->needed_later || is_to_come(unit);
	}
}

/* All that it comes after are gone. Where none of them ever was there is nothing to do after them. */
static enum answer may_come(const struct coordinate_unit *unit)
{
	if (unit->too_early)
		return NOT_YET;
	return unit->has_work ? YES : NEVER;
}

/* Returns whether there was any. */
static bool dismiss(struct coordinator *coordinator)
{
	bool any = false;

	for (size_t i = 0; i < coordinator->unit_count; i++) {
		if (!is_to_come(&coordinator->unit[i]) || may_come(&coordinator->unit[i]) != NEVER)
			continue;
		coordinator->unit[i].phase = COORDINATE_ENDED;
		any = true;
	}
	return any;
}

static bool start_one_after(struct coordinator *coordinator, size_t *ret_unit)
{
	for (size_t i = 0; i < coordinator->unit_count; i++) {
		struct coordinate_unit *unit = &coordinator->unit[i];

		if (!is_to_come(unit) || may_come(unit) != YES)
			continue;
		unit->phase = COORDINATE_STARTING;
		*ret_unit = i;
		return true;
	}
	return false;
}

/* Who depends on it and is to be renewed, too, goes first. */
static bool is_awaited(const struct coordinator *coordinator, size_t number)
{
	for (size_t i = 0; i < coordinator->edge_count; i++) {
		const struct dependency_edge *edge = &coordinator->edge[i];
		const struct coordinate_unit *unit = &coordinator->unit[edge->unit];

		if (edge->on == number && edge->condition != DEPENDS_STOPPED && unit->renews && is_active(unit))
			return true;
	}
	return false;
}

/* A task for the end is left to do its work. */
static bool is_to_stop(const struct coordinator *coordinator, const struct coordinate_unit *unit, bool spare_later)
{
	if (!is_active(unit) || unit->phase == COORDINATE_STOPPING)
		return false;
	if (!coordinator->stopping)
		return unit->held || (unit->renews && !is_awaited(coordinator, (size_t)(unit - coordinator->unit)));
	return unit->kind != SERVICE_AFTER && !unit->needed && !(unit->needed_later && spare_later);
}

static bool stop_one(struct coordinator *coordinator, bool spare_later, size_t *ret_unit)
{
	for (size_t i = 0; i < coordinator->unit_count; i++) {
		if (!is_to_stop(coordinator, &coordinator->unit[i], spare_later))
			continue;
		coordinator->unit[i].phase = COORDINATE_STOPPING;
		*ret_unit = i;
		return true;
	}
	return false;
}

/* All is done that was to be done: no task waits for its time, and nobody for a hand. */
static bool has_nothing_left(const struct coordinator *coordinator)
{
	for (size_t i = 0; i < coordinator->unit_count; i++) {
		const struct coordinate_unit *unit = &coordinator->unit[i];

		if (unit->removed && is_over(unit))
			continue;
		if (unit->held || unit->kind == SERVICE_SCHEDULED || (unit->kind != SERVICE_AFTER && !is_over(unit)))
			return false;
	}
	return true;
}

static bool is_quiet(const struct coordinator *coordinator)
{
	for (size_t i = 0; i < coordinator->unit_count; i++)
		if (is_active(&coordinator->unit[i]) || is_to_come(&coordinator->unit[i]))
			return false;
	return true;
}

/* In a stop: nobody's end is waited for. A task for the end wants somebody to be there who is to be gone before another
 * one that it comes after: that cannot be had. */
static bool is_stuck(const struct coordinator *coordinator)
{
	for (size_t i = 0; i < coordinator->unit_count; i++) {
		const struct coordinate_unit *unit = &coordinator->unit[i];

		if (unit->phase == COORDINATE_STOPPING || (unit->kind == SERVICE_AFTER && is_active(unit)))
			return false;
	}
	return true;
}

/* Where no unit's end is the cause: the first failure among those that matter. */
static int final_status(const struct coordinator *coordinator)
{
	for (size_t i = 0; i < coordinator->unit_count && !coordinator->has_cause; i++)
		if (coordinator->unit[i].essential && coordinator->unit[i].status != 0)
			return coordinator->unit[i].status;
	return coordinator->status;
}

bool coordinate_next(struct coordinator *coordinator, struct coordinate_action *ret_action)
{
	if (coordinator->exited)
		return false;
	ret_action->type = COORDINATE_START;
	if (start_one(coordinator, &ret_action->unit))
		return true;
	if (!coordinator->stopping && has_nothing_left(coordinator))
		coordinator->stopping = true;
	do /* nobody waits for those who are dismissed any more */
		look_who_is_left(coordinator);
	while (coordinator->stopping && dismiss(coordinator));
	ret_action->type = COORDINATE_STOP;
	if (stop_one(coordinator, true, &ret_action->unit))
		return true;
	if (!coordinator->stopping)
		return false;
	ret_action->type = COORDINATE_START;
	if (start_one_after(coordinator, &ret_action->unit))
		return true;
	ret_action->type = COORDINATE_STOP;
	if (is_stuck(coordinator) && stop_one(coordinator, false, &ret_action->unit))
		return true;
	coordinator->exited = is_quiet(coordinator);
	*ret_action = (struct coordinate_action){ .type = COORDINATE_EXIT, .status = final_status(coordinator) };
	return coordinator->exited;
}
