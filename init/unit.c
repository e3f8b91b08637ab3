#include "init/unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signame.h"
#include "init/certificate.h"
#include "init/definition.h"
#include "init/loop.h"
#include "init/pre_stop.h"
#include "init/report.h"
#include "init/unit_signals.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECONDS_PER_LOOK 60
/* How long the last words of a life are waited for before its end is told. */
#define LAST_WORDS_NS (100 * NS_PER_MS)
#define PEEK_NS (5 * NS_PER_MS)
/* A stop waits no longer for a child that waits for a secret. */
#define SECRET_PATIENCE_NS (5 * NS_PER_S)

/* Of its filter, once it is planned. */
static void report_filter(struct unit *unit)
{
	const struct confine_filter *filter = &unit->spawn.plan->filter;
	struct wire_service *record = &unit->record;

	snprintf(record->seccomp_profile, sizeof record->seccomp_profile, "%s", filter->profile);
	snprintf(record->seccomp_sha256, sizeof record->seccomp_sha256, "%s", filter->sha256);
	snprintf(record->seccomp_default_action, sizeof record->seccomp_default_action, "%s", filter->default_action);
}

void unit_init(struct unit *unit, struct loop *loop, size_t index, const char *name)
{
	unit->loop = loop;
	unit->news_fd = -1;
	unit->pre_stop_news_fd = -1;
	unit->live = true;
	unit->late_at_ns = unit->look_at_ns = unit->tell_by_ns = unit->peek_at_ns = TIME_NEVER;
	unit->record = (struct wire_service){
		.service = (uint32_t)index, .time_to_ready_ns = -1, .last_status = -1, .stop_duration_ns = -1
	};
	snprintf(unit->record.name, sizeof unit->record.name, "%s", name);
	report_filter(unit);
}

/* ---- what others are told ---- */

static const struct coordinate_unit *coordinated(const struct unit *unit)
{
	return &unit->loop->coordinator.unit[unit - unit->loop->unit];
}

static uint32_t public_state(const struct unit *unit)
{
	switch (unit->machine.state) {
	case SUPERVISE_IDLE:
		return coordinated(unit)->phase >= COORDINATE_ENDED ? WIRE_STATE_ENDED : WIRE_STATE_WAITING;
	case SUPERVISE_RETRY:
	case SUPERVISE_STARTING:
		return WIRE_STATE_STARTING;
	case SUPERVISE_BACKOFF:
		return WIRE_STATE_RESTARTING;
	case SUPERVISE_RUNNING:
		return WIRE_STATE_RUNNING;
	case SUPERVISE_DRAINING:
	case SUPERVISE_PRE_STOP:
		return WIRE_STATE_DRAINING;
	case SUPERVISE_KILLING:
		return WIRE_STATE_KILLING;
	case SUPERVISE_DONE:
		return WIRE_STATE_ENDED;
	default:
		return WIRE_STATE_STOPPING;
	}
}

/* Its targets are the words behind `nest-init probe --wait TIME` (init/units.c). */
static void say_targets(const struct unit *wait, size_t size, char *ret_text)
{
	size_t length = 0;

	for (char **word = wait->spawn.argv + 4; *word != NULL && length < size; word++)
		length += (size_t)snprintf(ret_text + length, size - length, "%s%s", length > 0 ? ", " : "", *word);
}

static void say_what_it_waits_for(const struct unit *unit, size_t size, char *ret_text)
{
	static const char far[][16] = { [DEPENDS_STARTED] = "to be started",
		[DEPENDS_READY] = "to be ready",
		[DEPENDS_COMPLETED] = "to end well" };
	const struct coordinate_unit *waiting = coordinated(unit);
	const struct dependency_edge *edge = waiting->phase == COORDINATE_WAITING ? waiting->waits_for : NULL;
	const struct unit *on = edge != NULL ? &unit->loop->unit[edge->on] : NULL;

	if (on == NULL || edge->condition == DEPENDS_STOPPED || unit->loop->coordinator.stopping)
		return;
	if (on->record.name[0] == '\0')
		say_targets(on, size, ret_text);
	else
		snprintf(ret_text, size, "%s %s", on->record.name, far[edge->condition]);
}

struct wire_service *unit_report(struct unit *unit)
{
	const struct confine_plan *plan = unit->spawn.plan;
	struct wire_service *record = &unit->record;
	char waits_for[WIRE_WAITS_SIZE] = "";

	record->state = public_state(unit);
	say_what_it_waits_for(unit, sizeof waits_for, waits_for);
	unit->changed = unit->changed || strcmp(record->waits_for, waits_for) != 0;
	memcpy(record->waits_for, waits_for, sizeof waits_for);
	record->kind = coordinated(unit)->kind;
	record->removed = coordinated(unit)->removed;
	record->main_pid = unit->main_pid;
	record->layers_requested = plan->requested;
	/* Nothing is in force before the child has said so by executing the workload. Between two lives it is what was.
	 */
	if (unit->machine.state >= SUPERVISE_RUNNING)
		record->layers_enforced = plan->requested & ~plan->weakened & ~unit->not_enforced;
	record->capability_bounding = plan->capabilities.bounding;
	record->securebits = plan->asked->securebits;
	return record;
}

static void become_ready(struct unit *unit)
{
	if (unit->was_ready || unit->machine.state != SUPERVISE_RUNNING)
		return;
	unit->was_ready = true;
	unit->record.time_to_ready_ns = clock_now_ns() - unit->started_at_ns;
	unit->changed = true;
	loop_unit_ready(unit->loop, unit);
}

/* ---- actions ---- */

static int64_t wall_of(int64_t monotonic_ns)
{
	return monotonic_ns == TIME_NEVER ? 0 : clock_wall_ns() + (monotonic_ns - clock_now_ns());
}

static void act_spawn(struct unit *unit)
{
	int error;

	unit_tell_end(unit); /* of the life before this one */
	if (log_link_is_there(&unit->logs))
		log_link_begin_life(&unit->logs);
	if (unit->record.starts > 0) /* what it had then may be on its way to be another one */
		unit->secrets.patience_ns = SECRET_PATIENCE_NS;
	/* fork(2) does not wait for anything; the child does all that may take time. */
	error = spawn_workload(&unit->spawn, &unit->main_pid, &unit->news_fd);
	if (error < 0) {
		if (unit->machine.state != SUPERVISE_RETRY)
			log_line(LOG_LEVEL_ERROR, "%scannot start the workload: %s%s", unit->prefix, strerror(-error),
				error == -EAGAIN || error == -ENOMEM
					? "; trying again (is the pids or memory limit too low?)"
					: "");
		unit_step(
			unit, (struct supervise_event){ .type = SUPERVISE_EVENT_SPAWN_FAILED, .error = -error }, NULL);
		return;
	}
	/* Under another name every signal is simply passed on, now that there is somebody to hear it. */
	if (unit->personality->kind != NULL)
		unit->machine.policy.stop_signals = 0;
	unit->started_at_ns = clock_now_ns();
	unit->record.start_time_ns = clock_wall_ns();
	unit->record.starts++;
	report(unit->personality, PERSONALITY_SPAWNED, unit->main_pid, 0, 0);
	loop_unit_spawned(unit->loop, unit);
	unit->spawn.again = true;
	unit_step(unit, (struct supervise_event){ .type = SUPERVISE_EVENT_SPAWNED }, NULL);
	unit_take_news(unit); /* a vforked child has mostly executed by now: no need to sleep for it */
}

/* The terminal, and what PID 1 has mounted for it, are there as they were. */
static void take_definition(struct unit *unit, const struct unit *definition)
{
	const bool terminal = unit->spawn.hand_over_terminal, again = unit->spawn.again;

	definition_take(definition, unit);
	unit->spawn.hand_over_terminal = terminal;
	unit->spawn.again = unit->spawn.again || again;
	unit->next = NULL;
	report_filter(unit);
}

/* What the next life is to find as the first one did. */
static void forget_life(struct unit *unit)
{
	unit->main_pid = 0;
	unit->not_enforced = 0;
	unit->executed = unit->refused = unit->was_ready = unit->was_unhealthy = false;
	unit->stopped_by = STOPPED_BY_NOBODY;
	unit->live = true;
	unit->signal_trouble_told = unit->orphans_trouble_told = false;
	unit->signals_sent = 0;
	unit->asked_signal = 0;
	unit->stop_began_at_ns = 0;
	unit->passed = 0;
	unit->leftovers.count = 0;
	unit->record.stop_deadline_ns = 0;
	unit->record.time_to_ready_ns = -1;
}

void unit_become(struct unit *unit, const struct unit *definition, const char *name)
{
	memset(unit->record.name, 0, sizeof unit->record.name);
	snprintf(unit->record.name, sizeof unit->record.name, "%s", name);
	if (unit->main_pid == 0 && (unit->machine.state == SUPERVISE_IDLE || unit->machine.state == SUPERVISE_DONE))
		take_definition(unit, definition);
	else
		unit->next = definition;
}

void unit_keep(struct unit *unit, const struct unit *definition)
{
	take_definition(unit, definition);
}

void unit_schedule(struct unit *unit)
{
	unit->due_s = 0;
	unit->look_at_ns = unit->scheduled ? 0 : TIME_NEVER;
}

void unit_start(struct unit *unit)
{
	if (unit->machine.state == SUPERVISE_DONE) {
		const struct supervise_policy policy = unit->machine.policy;

		unit_tell_end(unit);
		supervise_init(&unit->machine, &policy);
		forget_life(unit);
	}
	unit_step(unit, (struct supervise_event){ .type = SUPERVISE_EVENT_START }, NULL);
}

static void act_not_ready(struct unit *unit, int signal)
{
	const bool by_ourselves = unit->stopped_by != STOPPED_BY_NOBODY && unit->stop_began_at_ns == 0;
	const int64_t now = clock_now_ns();

	if (unit->stop_began_at_ns == 0)
		unit->stop_began_at_ns = now;
	if (signal != 0 && !by_ourselves)
		unit->asked_at_ns = now;
	unit->asked_signal = by_ourselves ? 0 : signal; /* nobody has sent one */
	unit->record.stop_deadline_ns = wall_of(unit->machine.kill_at_ns);
	unit->changed = true;
	if (!unit->machine.restart)
		loop_tell_stopping(unit->loop);
	loop_send(unit->loop); /* before the workload hears of it: no request is to come to one that is leaving */
	if (unit->stopped_by == STOPPED_BY_SECRET)
		log_line(LOG_LEVEL_INFO, "a secret has changed: %s is started again", unit->called);
	else if (by_ourselves)
		log_line(LOG_LEVEL_INFO, "%sstopping", unit->prefix);
	else if (signal == 0 && unit->machine.changed)
		log_line(LOG_LEVEL_INFO, "files have changed: %s is started again", unit->called);
	else if (signal == 0 && unit->machine.late)
		log_line(LOG_LEVEL_WARNING, "%sits time is over: stopping", unit->prefix);
	else if (signal == 0)
		log_line(LOG_LEVEL_WARNING, "a check found %s unhealthy: %s", unit->called,
			unit->machine.restart ? "it is started again" : "stopping");
	else
		loop_say_stopping(unit->loop, unit, signal);
}

void unit_tell_end(struct unit *unit)
{
	if (unit->tell_by_ns == TIME_NEVER)
		return;
	unit->tell_by_ns = unit->peek_at_ns = TIME_NEVER;
	if (log_link_is_there(&unit->logs))
		log_link_end_life(&unit->logs);
	certificate_tell(unit);
	if (unit->machine.state == SUPERVISE_BACKOFF)
		forget_life(unit);
	unit->main_pid = 0;
	unit->changed = true;
}

/* At once, or where a log process reads what it said, when that is read; soon in any case. */
static void end_life(struct unit *unit)
{
	const int64_t now = clock_now_ns();

	if (unit->main_pid == 0)
		return;
	unit->tell_by_ns = now + LAST_WORDS_NS;
	unit->peek_at_ns = now + PEEK_NS;
	if (log_link_is_there(&unit->logs))
		log_link_read_on(&unit->logs, now);
	else
		unit_tell_end(unit);
}

static void act_restarting(struct unit *unit)
{
	end_life(unit);
	loop_unit_again(unit->loop, unit);
}

static void act_exit(struct unit *unit, int status)
{
	const struct personality *personality = unit->personality;

	unit->exit_status = status;
	if (personality->kind != NULL && unit->machine.main_ended) {
		report(personality, PERSONALITY_END, 0, status, 0);
		/* A refusal of ours is never an expected status. */
		if (!unit->refused)
			unit->exit_status = personality_exit_status(personality, unit->machine.main_status);
	}
	end_life(unit);
	if (unit->next != NULL) {
		unit_tell_end(unit); /* as what it was */
		take_definition(unit, unit->next);
		unit_schedule(unit);
	}
	loop_unit_ended(unit->loop, unit);
}

/* first: with this action a new state begins. */
static void perform(struct unit *unit, const struct supervise_action *action, const siginfo_t *info, bool first)
{
	switch (action->type) {
	case SUPERVISE_SPAWN:
		act_spawn(unit);
		break;
	case SUPERVISE_NOT_READY:
		act_not_ready(unit, action->signal);
		break;
	case SUPERVISE_PRE_STOP_START:
		pre_stop_start(unit);
		break;
	case SUPERVISE_PRE_STOP_KILL:
		pre_stop_kill(unit);
		break;
	case SUPERVISE_SIGNAL_LEADER:
		unit_pass_on(unit, action->signal, info);
		break;
	case SUPERVISE_SIGNAL_GROUP:
		if (unit->machine.policy.main_end == SUPERVISE_TERM_AND_END)
			unit_last_word(unit, action->signal);
		else
			unit_signal_group(unit, action->signal, first);
		break;
	case SUPERVISE_SIGNAL_ORPHANS:
		unit_signal_orphans(unit, action->signal, first);
		break;
	case SUPERVISE_END_MONITOR:
		loop_end_monitor(unit->loop, unit);
		break;
	case SUPERVISE_RESTARTING:
		act_restarting(unit);
		break;
	case SUPERVISE_EXIT:
		act_exit(unit, action->status);
		break;
	default:
		break;
	}
}

void unit_step(struct unit *unit, struct supervise_event event, const siginfo_t *info)
{
	enum supervise_state before = unit->machine.state, state;
	struct supervise_actions actions;
	int64_t now = supervise_needs_time(&unit->machine, event) ? clock_now_ns() : 0;

	supervise_step(&unit->machine, event, now, &actions);
	if (unit->machine.state == SUPERVISE_KILLING && before != SUPERVISE_KILLING)
		certificate_killing(unit);
	if (before == SUPERVISE_PRE_STOP && unit->machine.state == SUPERVISE_STOPPING &&
		event.type == SUPERVISE_EVENT_TIME)
		certificate_deadline(unit, WIRE_DEADLINE_PRE_STOP);
	state = unit->machine.state; /* an action may lead to the next step at once */
	for (size_t i = 0; i < actions.count; i++)
		perform(unit, &actions.list[i], info, state != before);
	if (unit->machine.state == before)
		return;
	unit->changed = true;
	loop_send(unit->loop);
}

/* ---- what the child tells ---- */

bool unit_may_live_again(const struct unit *unit)
{
	return unit->machine.policy.restart.kind != RESTART_NEVER || unit->on_unhealthy == UNHEALTHY_RESTART ||
		unit->machine.policy.watches || unit->may_rotate;
}

uint64_t unit_needs_capabilities(const struct unit *unit)
{
	const bool again = unit->loop->unit_count > 1 || unit->pre_stop.argv != NULL || unit->checks.count > 0 ||
		unit_may_live_again(unit);

	return confine_own_needed(unit->spawn.plan, unit->loop->wants_monitor || log_link_is_there(&unit->logs), again);
}

bool unit_can_start_again(const struct unit *unit)
{
	const uint64_t needed = confine_own_needed(unit->spawn.plan, unit->loop->wants_monitor, true);

	return unit->record.starts == 0 || (needed & ~unit->loop->snapshot.own_capabilities) == 0;
}

static void take_one(struct unit *unit, const struct spawn_news *news, int listener)
{
	struct wire_service *record = &unit->record;

	switch (news->type) {
	case SPAWN_LISTENER:
		monitor_link_take_listener(&unit->loop->monitor, listener);
		loop_start_monitor(unit->loop);
		return;
	case SPAWN_NO_LISTENER:
		log_line(LOG_LEVEL_WARNING, "%snot reported: seccomp: %s", unit->prefix, news->text.text);
		return;
	case SPAWN_READ_ONLY:
		if (record->starts > 1)
			return; /* "already", by the first life */
		memset(record->read_only_how, 0, sizeof record->read_only_how);
		memccpy(record->read_only_how, news->text.text, '\0', sizeof record->read_only_how - 1);
		return;
	case SPAWN_REFUSED:
		unit->refused = true; /* the certificate says it, once the child has ended */
		complain(&unit->refusal, 0, "%s%.440s", unit->prefix, news->text.text);
		return;
	default:
		unit->not_enforced |= 1U << news->layer;
		log_line(LOG_LEVEL_WARNING, "%snot in force: %s", unit->prefix, news->text.text);
	}
}

bool unit_take_news(struct unit *unit)
{
	const bool reported = spawn_is_reported(&unit->spawn);
	struct spawn_news news;
	bool any = false;
	int taken, listener = -1;

	while ((taken = spawn_read_news(unit->news_fd, &news, reported ? &listener : NULL)) == 1) {
		any = true;
		take_one(unit, &news, listener);
	}
	if (taken == -EAGAIN)
		return any;
	close(unit->news_fd);
	unit->news_fd = -1;
	if (unit->refused)
		return true;
	if (reported && unit->loop->monitor.listener < 0)
		loop_start_monitor(unit->loop);
	unit->executed = true;
	unit->record.executed_time_ns = clock_wall_ns();
	if (log_link_is_there(&unit->logs) && unit->logs.pid == 0)
		unit->logs.restart_at_ns = 0; /* it holds a file open: not before the root is read-only */
	certificate_begin(unit);
	if (unit->run_ns > 0)
		unit->late_at_ns = unit->started_at_ns + unit->run_ns;
	loop_unit_executed(unit->loop, unit);
	unit_step(unit, (struct supervise_event){ .type = SUPERVISE_EVENT_EXECUTED }, NULL);
	if (!unit->ready_follows_health)
		become_ready(unit);
	return true;
}

/* ---- its end ---- */

void unit_main_ended(struct unit *unit, bool alone)
{
	unit->was_reaped = false;
	unit->late_at_ns = TIME_NEVER;
	unit->changed = true;
	unit->loop->snapshot.reaped_services++;
	unit->record.last_status = unit->main_status;
	unit->held_signal = 0; /* whom it was for is gone */
	exec_probes_kill(&unit->loop->probes, &unit->checks);
	if (unit->news_fd >= 0)
		unit_take_news(unit); /* why it never came to executing the workload */
	certificate_end(unit, unit->main_status);
	if (unit->pre_stop.argv != NULL &&
		(unit->machine.state == SUPERVISE_DRAINING || unit->machine.state == SUPERVISE_PRE_STOP))
		log_line(LOG_LEVEL_NOTICE, "%sthe main process ended before --pre-stop %s was done", unit->prefix,
			unit->pre_stop.argv[0]);
	unit_step(unit,
		(struct supervise_event){
			.type = SUPERVISE_EVENT_MAIN_ENDED, .status = unit->main_status, .alone = alone },
		NULL);
}

/* ---- time ---- */

int64_t unit_deadline_ns(const struct unit *unit)
{
	int64_t deadline = unit->machine.deadline_ns;

	if (unit->late_at_ns < deadline)
		deadline = unit->late_at_ns;
	if (unit->peek_at_ns < deadline)
		deadline = unit->peek_at_ns;
	if (unit->logs.restart_at_ns < deadline)
		deadline = unit->logs.restart_at_ns;
	return unit->look_at_ns < deadline ? unit->look_at_ns : deadline;
}

/* The wall clock may be set: it is looked at every minute. */
static bool is_due(struct unit *unit, int64_t now)
{
	const int64_t wall_s = clock_wall_ns() / NS_PER_S;
	const bool due = unit->due_s > 0 && wall_s >= unit->due_s;

	if (unit->due_s == 0 || due)
		unit->due_s = cron_next(&unit->cron, wall_s);
	unit->look_at_ns = unit->due_s - wall_s < SECONDS_PER_LOOK ? now + (unit->due_s - wall_s) * NS_PER_S
								   : now + SECONDS_PER_LOOK * NS_PER_S;
	return due;
}

static void look_at_logs(struct unit *unit, int64_t now)
{
	if (now >= unit->logs.restart_at_ns)
		log_link_start(&unit->logs, now);
	if (now < unit->peek_at_ns)
		return;
	unit->peek_at_ns = now + PEEK_NS;
	if (now >= unit->tell_by_ns || log_link_is_read(&unit->logs))
		unit_tell_end(unit);
}

bool unit_log_process_ended(struct unit *unit, pid_t pid, int status)
{
	if (pid != unit->logs.pid)
		return false;
	log_link_ended(&unit->logs, status, clock_now_ns());
	return true;
}

bool unit_look_at_clock(struct unit *unit, int64_t now)
{
	look_at_logs(unit, now);
	if (now >= unit->late_at_ns) {
		unit->late_at_ns = TIME_NEVER;
		unit_step(unit,
			(struct supervise_event){ .type = SUPERVISE_EVENT_ORDER, .order = SUPERVISE_ORDER_LATE }, NULL);
	}
	if (now >= unit->machine.deadline_ns)
		unit_step(unit, (struct supervise_event){ .type = SUPERVISE_EVENT_TIME }, NULL);
	return now >= unit->look_at_ns && is_due(unit, now);
}

/* ---- health ---- */

/* Once for each change from healthy to unhealthy. An order ends this life anyhow: there is one of it, whatever the
 * checks say afterwards. */
static void become_unhealthy(struct unit *unit)
{
	const bool again = unit->on_unhealthy == UNHEALTHY_RESTART;
	char name[SIGNAL_NAME_SIZE];

	if (unit->was_unhealthy || unit->machine.state != SUPERVISE_RUNNING)
		return;
	unit->was_unhealthy = true;
	if (unit->on_unhealthy == UNHEALTHY_SIGNAL) {
		log_line(LOG_LEVEL_WARNING, "a check found %s unhealthy: it is sent SIG%s", unit->called,
			signal_name(unit->unhealthy_signal, name));
		unit_deliver(unit, unit->unhealthy_signal, NULL);
	} else if (unit->on_unhealthy != UNHEALTHY_NONE) {
		unit_step(unit,
			(struct supervise_event){ .type = SUPERVISE_EVENT_ORDER,
				.order = again ? SUPERVISE_ORDER_RESTART : SUPERVISE_ORDER_STOP },
			NULL);
	}
}

void unit_take_health(struct unit *unit, const struct wire_health *health)
{
	if (health->life != unit->record.starts)
		return;
	unit->live = health->healthy[CHECK_LIVE] == 1;
	if (health->healthy[CHECK_READY] == 1)
		become_ready(unit);
	if (health->unhealthy == 1)
		become_unhealthy(unit);
	else if (unit->on_unhealthy == UNHEALTHY_SIGNAL)
		unit->was_unhealthy = false;
}

bool unit_may_be_probed(const struct unit *unit)
{
	return unit->machine.state >= SUPERVISE_RUNNING && unit->machine.state <= SUPERVISE_STOPPING;
}
