#include "tests/unit/supervise_invariants.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The promises, in numbers of our own: not those of supervise.c. */
#define LEFTOVERS_NS (5 * NS_PER_S)
#define ORDER_NS (10 * NS_PER_S)
#define GIVE_UP_NS (2 * NS_PER_S)
#define KILL_AGAIN_NS (100 * NS_PER_MS)
#define LONGEST_RETRY_NS (2 * NS_PER_S)

struct story {
	const uint8_t *next, *end;
	bool punctual; /* EVENT_TIME comes at every deadline; otherwise it may be late */
	bool orderly;  /* only events that init/loop.c can bring; otherwise any, at any time */
	struct supervise machine;
	int64_t now;

	/* what happened so far */
	bool spawn_under_way, spawned, executed, leader_told;
	int64_t end_by;  /* the end that was promised; TIME_NEVER: none was */
	int64_t kill_at; /* the same for the first SIGKILL */
	int64_t killing_since, killed_at;
	struct supervise_told *told;
};

/* One step, and what it was taken from. */
struct moment {
	const struct story *story; /* as it was before the step */
	const struct supervise *before, *after;
	const struct supervise_event *event;
	const struct supervise_actions *actions;
	int64_t now;
};

static size_t count_of(const struct moment *moment, enum supervise_action_type type)
{
	size_t count = 0;

	for (size_t i = 0; i < moment->actions->count; i++)
		count += moment->actions->list[i].type == type;
	return count;
}

static const struct supervise_action *action_of(const struct moment *moment, enum supervise_action_type type)
{
	for (size_t i = 0; i < moment->actions->count; i++)
		if (moment->actions->list[i].type == type)
			return &moment->actions->list[i];
	return NULL;
}

static bool is_first(const struct moment *moment, enum supervise_action_type type)
{
	return moment->actions->count > 0 && moment->actions->list[0].type == type;
}

static bool entered(const struct moment *moment, enum supervise_state state)
{
	return moment->before->state != state && moment->after->state == state;
}

static bool untouched(const struct moment *moment)
{
	return moment->actions->count == 0 && memcmp(moment->before, moment->after, sizeof *moment->before) == 0;
}

static int64_t sum(int64_t a, int64_t b)
{
	return a > TIME_NEVER - b ? TIME_NEVER : a + b;
}

static bool is_stop(const struct moment *moment)
{
	return (moment->before->policy.stop_signals >> (moment->event->signal - 1) & 1) != 0;
}

static bool takes_a_stop(const struct moment *moment)
{
	return moment->after->stop_requested && !moment->before->stop_requested;
}

static bool is_change(const struct moment *moment)
{
	return moment->event->type == SUPERVISE_EVENT_ORDER &&
		(moment->event->order == SUPERVISE_ORDER_CHANGED || moment->event->order == SUPERVISE_ORDER_ROTATED ||
			moment->event->order == SUPERVISE_ORDER_AGAIN);
}

/* Files mean something to who watches them; a secret to whoever has it, and what somebody wants always. */
static bool means_something(const struct moment *moment)
{
	return moment->event->order != SUPERVISE_ORDER_CHANGED || moment->before->policy.watches;
}

static bool takes_an_order(const struct moment *moment)
{
	return moment->event->type == SUPERVISE_EVENT_ORDER && moment->before->state == SUPERVISE_RUNNING &&
		(!is_change(moment) || means_something(moment));
}

/* By a change, what has ended and is not being started already. */
static bool is_woken(const struct moment *moment)
{
	return is_change(moment) && means_something(moment) && moment->before->state == SUPERVISE_BACKOFF &&
		!moment->story->spawn_under_way && !moment->story->spawned &&
		(moment->before->waits || moment->before->deadline_ns != TIME_NEVER);
}

static bool is_being_stopped(const struct supervise *machine)
{
	return machine->stop_requested || machine->unhealthy || machine->changed;
}

/* ---- the rules ---- */

static bool room_is_left(const struct moment *moment)
{
	return moment->actions->count < SUPERVISE_ACTIONS_MAX;
}

static bool states_go_forwards(const struct moment *moment)
{
	const enum supervise_state before = moment->before->state, after = moment->after->state;

	if (after == SUPERVISE_BACKOFF && before != SUPERVISE_BACKOFF)
		return before >= SUPERVISE_STARTING && before < SUPERVISE_DONE &&
			moment->before->restart + (moment->event->type == SUPERVISE_EVENT_MAIN_ENDED) > 0;
	return after >= before && after < SUPERVISE_STATE_COUNT;
}

static bool done_is_done(const struct moment *moment)
{
	return moment->before->state != SUPERVISE_DONE || untouched(moment);
}

static bool exits_once(const struct moment *moment)
{
	const size_t exits = count_of(moment, SUPERVISE_EXIT);

	if (!entered(moment, SUPERVISE_DONE))
		return exits == 0;
	return exits == 1 && moment->actions->list[moment->actions->count - 1].type == SUPERVISE_EXIT;
}

static bool exits_with_the_right_status(const struct moment *moment)
{
	const struct supervise_action *exit = action_of(moment, SUPERVISE_EXIT);
	const int status = moment->after->main_status;

	if (exit == NULL)
		return true;
	if (moment->event->type == SUPERVISE_EVENT_SPAWN_FAILED)
		return exit->status == 125;
	if (moment->after->late && !moment->after->stop_requested)
		return exit->status == 124;
	if (moment->after->main_ended && moment->after->unhealthy && !moment->after->stop_requested &&
		status == 0) /* no success */
		return exit->status == 1;
	if (moment->after->main_ended)
		return exit->status == ((status & 0x7f) == 0 ? status >> 8 : 128 + (status & 0x7f));
	if (moment->event->type == SUPERVISE_EVENT_SIGNAL)
		return moment->before->state <= SUPERVISE_RETRY && exit->status == 128 + moment->event->signal;
	return moment->before->state == SUPERVISE_KILLING && exit->status == 137;
}

static bool spawns_before_all_else(const struct moment *moment)
{
	const bool may = (moment->event->type == SUPERVISE_EVENT_START || moment->event->type == SUPERVISE_EVENT_TIME ||
				 is_woken(moment)) &&
		moment->after->state <= SUPERVISE_RETRY && !moment->story->spawned && !moment->after->stop_requested;

	return count_of(moment, SUPERVISE_SPAWN) <= (may ? 1 : 0);
}

static bool spawns_one_at_a_time(const struct moment *moment)
{
	return !moment->story->orderly || !moment->story->spawn_under_way || count_of(moment, SUPERVISE_SPAWN) == 0;
}

static bool readiness_falls_first(const struct moment *moment)
{
	const bool accepted = takes_a_stop(moment) || takes_an_order(moment);

	return count_of(moment, SUPERVISE_NOT_READY) == (accepted ? 1 : 0) &&
		(!accepted || is_first(moment, SUPERVISE_NOT_READY));
}

static bool monitor_ends_first(const struct moment *moment)
{
	const bool due = (entered(moment, SUPERVISE_GROUP) || entered(moment, SUPERVISE_KILLING)) &&
		!moment->after->restart;
	const bool taken_over = takes_a_stop(moment) && moment->before->restart &&
		moment->before->state >= SUPERVISE_GROUP;

	return count_of(moment, SUPERVISE_END_MONITOR) == (due || taken_over ? 1 : 0) &&
		(!due || is_first(moment, SUPERVISE_END_MONITOR));
}

static bool signals_once(const struct moment *moment)
{
	return count_of(moment, SUPERVISE_SIGNAL_LEADER) + count_of(moment, SUPERVISE_SIGNAL_GROUP) +
		count_of(moment, SUPERVISE_SIGNAL_ORPHANS) <=
		1;
}

/* Nothing is lost: who is there hears it. A stop signal may be the one that begins a drain, and is then kept. */
static bool passes_on_what_came(const struct moment *moment)
{
	const enum supervise_state state = moment->before->state;
	const struct supervise_action *passed = NULL;
	bool must;

	if (moment->event->type != SUPERVISE_EVENT_SIGNAL)
		return true;
	must = state >= SUPERVISE_STARTING && state <= SUPERVISE_ORPHANS &&
		!(is_stop(moment) && (entered(moment, SUPERVISE_DRAINING) || entered(moment, SUPERVISE_PRE_STOP)));
	for (size_t i = 0; i < moment->actions->count; i++)
		if (moment->actions->list[i].type >= SUPERVISE_SIGNAL_LEADER &&
			moment->actions->list[i].type <= SUPERVISE_SIGNAL_ORPHANS)
			passed = &moment->actions->list[i];
	if (passed == NULL || !must)
		return passed == NULL && !must;
	if (is_stop(moment) && (moment->before->unhealthy || moment->before->changed) && state <= SUPERVISE_PRE_STOP)
		return passed->signal == moment->after->stop_signal;
	if (is_stop(moment) &&
		(moment->after->policy.stop_signal != 0 || state == SUPERVISE_DRAINING || state == SUPERVISE_PRE_STOP))
		return passed->signal == moment->after->stop_signal; /* the one that was decided on */
	return passed->signal == moment->event->signal;
}

/* The number of a leader that was reaped may be anybody's. */
static bool signals_only_who_is_there(const struct moment *moment)
{
	const struct supervise *after = moment->after;

	if (count_of(moment, SUPERVISE_SIGNAL_LEADER) > 0 && (after->main_ended || !moment->story->spawned))
		return false;
	if (count_of(moment, SUPERVISE_SIGNAL_GROUP) > 0 && (!after->main_ended || after->state != SUPERVISE_GROUP))
		return false;
	return count_of(moment, SUPERVISE_SIGNAL_ORPHANS) == 0 || after->state == SUPERVISE_ORPHANS ||
		after->state == SUPERVISE_KILLING;
}

static bool kills_when_the_budget_is_spent(const struct moment *moment)
{
	const struct supervise_action *kill = action_of(moment, SUPERVISE_SIGNAL_ORPHANS);

	if (moment->after->state != SUPERVISE_KILLING)
		return true;
	if (moment->before->state != SUPERVISE_KILLING)
		return moment->event->type == SUPERVISE_EVENT_TIME && kill != NULL && kill->signal == SIGKILL &&
			moment->now >= moment->story->kill_at &&
			(!moment->story->punctual || moment->now == moment->story->kill_at);
	return kill == NULL || (kill->signal == SIGKILL && moment->now >= moment->story->killed_at + KILL_AGAIN_NS);
}

static bool what_was_decided_stays(const struct moment *moment)
{
	const struct supervise *before = moment->before, *after = moment->after;

	if (memcmp(&before->policy, &after->policy, sizeof before->policy) != 0)
		return false;
	if (entered(moment, SUPERVISE_BACKOFF) || before->state <= SUPERVISE_RETRY) /* another life */
		return after->stop_requested >= before->stop_requested;
	return after->stop_requested >= before->stop_requested && after->main_ended >= before->main_ended &&
		after->unhealthy >= before->unhealthy && after->late >= before->late &&
		after->changed >= before->changed &&
		(!before->main_ended || after->main_status == before->main_status) &&
		(before->kill_at_ns == TIME_NEVER || after->kill_at_ns == before->kill_at_ns) &&
		(!is_being_stopped(before) || after->stop_signal == before->stop_signal);
}

static bool time_makes_progress(const struct moment *moment)
{
	if (moment->event->type != SUPERVISE_EVENT_TIME)
		return true;
	if (moment->now < moment->before->deadline_ns)
		return untouched(moment);
	/* A backoff of 0 is due at once. */
	return moment->after->deadline_ns > moment->now || entered(moment, SUPERVISE_BACKOFF);
}

static bool deadline_suits_the_state(const struct moment *moment)
{
	const struct supervise *after = moment->after;
	const int64_t deadline = after->deadline_ns;

	switch (after->state) {
	case SUPERVISE_BACKOFF:
		return deadline == TIME_NEVER || moment->before->state == SUPERVISE_BACKOFF ||
			deadline <= sum(moment->now, after->backoff_ns);
	case SUPERVISE_RETRY:
		return deadline == TIME_NEVER || deadline <= moment->now + LONGEST_RETRY_NS;
	case SUPERVISE_DRAINING:
		return deadline <= after->kill_at_ns && deadline <= sum(moment->now, after->policy.drain_ns);
	case SUPERVISE_PRE_STOP:
		return deadline <= after->kill_at_ns && deadline <= sum(moment->now, after->policy.pre_stop_ns);
	case SUPERVISE_GROUP:
		return deadline <= after->kill_at_ns || deadline <= moment->now;
	case SUPERVISE_STOPPING:
	case SUPERVISE_ORPHANS:
		return deadline == after->kill_at_ns;
	case SUPERVISE_KILLING:
		return deadline <= moment->now + KILL_AGAIN_NS;
	default:
		return deadline == TIME_NEVER; /* nothing is awaited: no wakeup */
	}
}

static bool wants_the_right_signals(const struct moment *moment)
{
	const uint64_t wanted = supervise_wanted_signals(moment->after), child = UINT64_C(1) << (SIGCHLD - 1);

	if (moment->after->state <= SUPERVISE_RETRY)
		return wanted == (moment->after->policy.stop_signals | child);
	return wanted == UINT64_MAX;
}

static bool ends_in_time(const struct moment *moment)
{
	return !moment->story->punctual || moment->after->state == SUPERVISE_DONE ||
		entered(moment, SUPERVISE_BACKOFF) || moment->story->end_by == TIME_NEVER ||
		moment->now < moment->story->end_by;
}

/* What the options leave to the workload is for them to see to (base/options.c). */
static int64_t longest_before_stop_signal(const struct supervise_policy *policy)
{
	return sum(policy->drain_ns, policy->pre_stop ? policy->pre_stop_ns : 0);
}

static bool asks_before_it_kills(const struct moment *moment)
{
	if (!moment->story->punctual || !entered(moment, SUPERVISE_KILLING))
		return true;
	if (moment->after->main_ended)
		return moment->before->state == SUPERVISE_ORPHANS;
	return moment->story->leader_told ||
		longest_before_stop_signal(&moment->after->policy) >= moment->after->policy.timeout_ns;
}

/* What was decided in this step, and what it has to be. */
static bool decides_the_stop_signal(const struct moment *moment)
{
	const struct supervise *before = moment->before, *after = moment->after;
	const bool stop = takes_a_stop(moment) && before->state <= SUPERVISE_RUNNING;
	const bool group = entered(moment, SUPERVISE_GROUP) && !is_being_stopped(after);

	if (!stop && !group && !takes_an_order(moment))
		return true;
	if (after->policy.stop_signal != 0)
		return after->stop_signal == after->policy.stop_signal;
	return after->stop_signal == (stop ? moment->event->signal : SIGTERM);
}

static bool sends(const struct moment *moment, enum supervise_action_type type, int signal)
{
	const struct supervise_action *action = action_of(moment, type);

	return action != NULL && action->signal == signal;
}

static bool asks_whom_the_state_names(const struct moment *moment)
{
	const int stop_signal = moment->after->stop_signal;

	if (entered(moment, SUPERVISE_STOPPING))
		return sends(moment, SUPERVISE_SIGNAL_LEADER, stop_signal);
	if (entered(moment, SUPERVISE_GROUP))
		return sends(moment, SUPERVISE_SIGNAL_GROUP, stop_signal);
	if (entered(moment, SUPERVISE_ORPHANS))
		return sends(moment, SUPERVISE_SIGNAL_ORPHANS, stop_signal);
	return true;
}

static bool is_due(const struct moment *moment)
{
	return moment->event->type == SUPERVISE_EVENT_TIME && moment->now >= moment->before->deadline_ns;
}

static bool event_orders_restart(const struct moment *moment)
{
	return moment->event->order == SUPERVISE_ORDER_RESTART ||
		(moment->event->order == SUPERVISE_ORDER_LATE && moment->before->policy.restart.kind != RESTART_NEVER);
}

/* Nothing is forgotten: each event has its effect where it means something. */
static bool answers(const struct moment *moment)
{
	const struct supervise *before = moment->before, *after = moment->after;
	const bool unborn = before->state <= SUPERVISE_RETRY, done = after->state == SUPERVISE_DONE;
	const int error = moment->event->error;

	switch (moment->event->type) {
	case SUPERVISE_EVENT_START:
		return before->state != SUPERVISE_IDLE || count_of(moment, SUPERVISE_SPAWN) == 1;
	case SUPERVISE_EVENT_SPAWNED:
		return !unborn || after->state == SUPERVISE_STARTING;
	case SUPERVISE_EVENT_SPAWN_FAILED:
		if (error == EAGAIN || error == ENOMEM)
			return !unborn || (after->state == SUPERVISE_RETRY && after->deadline_ns > moment->now);
		return !unborn || done;
	case SUPERVISE_EVENT_EXECUTED:
		return before->state != SUPERVISE_STARTING || after->state == SUPERVISE_RUNNING;
	case SUPERVISE_EVENT_SIGNAL:
		if (is_stop(moment) && unborn)
			return done;
		if (is_stop(moment) && is_being_stopped(before) && !unborn && before->state != SUPERVISE_DONE)
			return after->stop_requested && !after->restart;
		return !is_stop(moment) || before->state > SUPERVISE_RUNNING || after->stop_requested;
	case SUPERVISE_EVENT_ORDER:
		if (is_woken(moment))
			return count_of(moment, SUPERVISE_SPAWN) == 1 && after->deadline_ns == TIME_NEVER;
		if (!takes_an_order(moment))
			return untouched(moment);
		if (is_change(moment))
			return after->changed && !after->unhealthy && after->restart &&
				memcmp(&after->restarts, &before->restarts, sizeof after->restarts) == 0;
		return after->unhealthy && after->late == (moment->event->order == SUPERVISE_ORDER_LATE) &&
			after->kill_at_ns != TIME_NEVER && (!after->restart || event_orders_restart(moment));
	case SUPERVISE_EVENT_MAIN_ENDED:
		if (unborn || before->state == SUPERVISE_DONE || before->main_ended)
			return untouched(moment);
		return after->main_ended && after->main_status == moment->event->status &&
			(done || after->state == SUPERVISE_BACKOFF) == moment->event->alone &&
			(done || after->state == SUPERVISE_BACKOFF || after->state >= SUPERVISE_GROUP);
	case SUPERVISE_EVENT_PRE_STOP_ENDED:
		return before->state != SUPERVISE_PRE_STOP || after->state == SUPERVISE_STOPPING;
	case SUPERVISE_EVENT_GROUP_GONE:
		return before->state != SUPERVISE_GROUP || after->state == SUPERVISE_ORPHANS;
	case SUPERVISE_EVENT_NO_CHILDREN:
		if (before->state <= SUPERVISE_RETRY)
			return untouched(moment);
		return !before->main_ended || done == !before->restart;
	case SUPERVISE_EVENT_TIME:
		if ((before->state == SUPERVISE_BACKOFF || before->state == SUPERVISE_RETRY) && is_due(moment))
			return count_of(moment, SUPERVISE_SPAWN) == 1;
		return before->state != SUPERVISE_KILLING || !is_due(moment) || done ||
			after->state == SUPERVISE_BACKOFF || sends(moment, SUPERVISE_SIGNAL_ORPHANS, SIGKILL);
	default:
		return false;
	}
}

static bool drains_first(const struct moment *moment)
{
	const struct supervise *after = moment->after;

	if (!takes_an_order(moment) && (!takes_a_stop(moment) || moment->before->state > SUPERVISE_RUNNING))
		return true;
	if (after->policy.drain_ns > 0)
		return after->state == SUPERVISE_DRAINING;
	return after->state == (after->policy.pre_stop ? SUPERVISE_PRE_STOP : SUPERVISE_STOPPING);
}

/* A command that is there runs once, before the leader hears of the stop, and is killed if it is not waited for. */
static bool runs_the_pre_stop_command(const struct moment *moment)
{
	const struct supervise *before = moment->before, *after = moment->after;
	const bool leaves = before->state == SUPERVISE_PRE_STOP && after->state == SUPERVISE_STOPPING;
	const size_t started = count_of(moment, SUPERVISE_PRE_STOP_START),
		     killed = count_of(moment, SUPERVISE_PRE_STOP_KILL);

	if (started != (entered(moment, SUPERVISE_PRE_STOP) ? 1 : 0) || (started > 0 && !after->policy.pre_stop))
		return false;
	if (entered(moment, SUPERVISE_STOPPING) && after->policy.pre_stop && before->state != SUPERVISE_PRE_STOP)
		return false;
	return killed == (leaves && moment->event->type != SUPERVISE_EVENT_PRE_STOP_ENDED ? 1 : 0);
}

static bool halves_the_time(const struct moment *moment)
{
	const int64_t left = moment->story->kill_at - moment->now;

	if (!entered(moment, SUPERVISE_GROUP) || !is_being_stopped(moment->before) ||
		moment->story->kill_at == TIME_NEVER)
		return true;
	return moment->after->deadline_ns == moment->now + (left > 0 ? left / 2 : 0);
}

static bool gives_up_late_enough(const struct moment *moment)
{
	return moment->event->type != SUPERVISE_EVENT_TIME || !entered(moment, SUPERVISE_DONE) ||
		moment->now >= moment->story->killing_since + GIVE_UP_NS;
}

/* A workload is started again where the policy says so, and after a stop that was asked for never. */
static bool restarts_as_the_policy_says(const struct moment *moment)
{
	const struct supervise *before = moment->before, *after = moment->after;
	const bool another = entered(moment, SUPERVISE_BACKOFF);
	const bool failed = after->main_status != 0;

	if (count_of(moment, SUPERVISE_RESTARTING) != (another ? 1 : 0))
		return false;
	if (!another)
		return true;
	if (before->stop_requested || !before->executed || !after->main_ended)
		return false;
	if (after->waits)
		return after->policy.watches && !before->unhealthy && !before->changed &&
			after->deadline_ns == TIME_NEVER;
	return before->unhealthy || before->changed || after->policy.restart.kind == RESTART_ALWAYS ||
		(after->policy.restart.kind == RESTART_ON_FAILURE && failed);
}

/* In any window there are no more starts than the policy allows. */
static bool keeps_within_the_limit(const struct moment *moment)
{
	const unsigned attempts = moment->after->policy.restart.attempts;

	return attempts == 0 || moment->after->restarts.in_window <= attempts;
}

static const struct rule {
	bool (*holds)(const struct moment *moment);
	const char *sentence;
} rules[] = {
	{ room_is_left, "no step asks for as many actions as there is room for: none is ever dropped" },
	{ states_go_forwards, "states go forwards only, or to the next life" },
	{ done_is_done, "nothing happens in DONE" },
	{ exits_once, "EXIT comes once, last, and with DONE" },
	{ exits_with_the_right_status, "the exit status is main's, or 137, 125, 128 + the stop signal" },
	{ spawns_before_all_else, "no SPAWN once a workload was started or a stop was asked for" },
	{ spawns_one_at_a_time, "no SPAWN while another is under way" },
	{ readiness_falls_first, "NOT_READY comes first when a stop or an order is accepted" },
	{ monitor_ends_first,
		"END_MONITOR comes first when the group is asked, and when all are killed, unless a life follows" },
	{ signals_once, "one step sends one signal" },
	{ passes_on_what_came, "a signal is passed on once, as what it was or as the stop signal" },
	{ signals_only_who_is_there, "signals go to the leader before it was reaped, to the others after it" },
	{ kills_when_the_budget_is_spent, "SIGKILL falls when the budget is spent, then every 100 ms" },
	{ what_was_decided_stays, "a stop, the end of main, the end of the budget are decided once" },
	{ time_makes_progress, "EVENT_TIME at the deadline moves it ahead, before the deadline it means nothing" },
	{ deadline_suits_the_state, "each state has its deadline, and quiet states have none" },
	{ wants_the_right_signals, "only stop signals are taken before there is a workload, all behind it" },
	{ ends_in_time, "a stop with a budget ends within it and the time to give up" },
	{ asks_before_it_kills, "everybody is asked before being killed" },
	{ decides_the_stop_signal, "the stop signal is the policy's, else the one that came, else TERM" },
	{ asks_whom_the_state_names, "the leader, the group, the orphans hear the stop signal in their state" },
	{ answers, "every event has its effect where it means something" },
	{ drains_first, "a stop begins with the drain where there is one" },
	{ runs_the_pre_stop_command,
		"the pre-stop command runs once, between drain and stop signal, and no longer than it may" },
	{ halves_the_time, "the group has half of what is left" },
	{ gives_up_late_enough, "SIGKILL has 2 s before it is given up" },
	{ restarts_as_the_policy_says, "another life follows where policy or order say so, once for each" },
	{ keeps_within_the_limit, "no more starts in a window than the policy allows" },
};

/* ---- telling ---- */

static void remember(struct story *story, const struct moment *moment)
{
	const struct supervise *before = moment->before, *after = moment->after;
	const struct supervise_policy *policy = &after->policy;
	const struct supervise_action *leader = action_of(moment, SUPERVISE_SIGNAL_LEADER);

	for (size_t i = 0; i < moment->actions->count; i++)
		story->told->actions |= 1U << moment->actions->list[i].type;
	story->told->states |= 1U << after->state;
	if (count_of(moment, SUPERVISE_SPAWN) > 0)
		story->spawn_under_way = true;
	if (leader != NULL && is_being_stopped(after) && leader->signal == after->stop_signal)
		story->leader_told = true;
	if (entered(moment, SUPERVISE_KILLING))
		story->killing_since = moment->now;
	if (count_of(moment, SUPERVISE_SIGNAL_ORPHANS) > 0)
		story->killed_at = moment->now;
	if (takes_a_stop(moment) && before->state <= SUPERVISE_RUNNING)
		story->kill_at = sum(moment->now, policy->timeout_ns);
	if (takes_an_order(moment))
		story->kill_at = sum(moment->now,
			policy->timeout_ns != TIME_NEVER ? policy->timeout_ns
							 : sum(ORDER_NS, longest_before_stop_signal(policy)));
	if (after->main_ended && !before->main_ended && story->kill_at == TIME_NEVER)
		story->kill_at = sum(
			moment->now, policy->timeout_ns < LEFTOVERS_NS ? policy->timeout_ns : LEFTOVERS_NS);
	if (entered(moment, SUPERVISE_BACKOFF)) {
		story->kill_at = TIME_NEVER;
		story->spawned = story->executed = story->leader_told = false;
	}
	story->end_by = sum(story->kill_at, GIVE_UP_NS);
}

static const char *step(struct story *story, struct supervise_event event)
{
	struct supervise before;
	struct supervise_actions actions;
	struct moment moment = { story, &before, &story->machine, &event, &actions, story->now };

	/* memcpy: padding and all, so that memcmp can tell whether it was touched. */
	memcpy(&before, &story->machine, sizeof before);
	if (event.type == SUPERVISE_EVENT_SPAWNED || event.type == SUPERVISE_EVENT_SPAWN_FAILED) {
		story->spawn_under_way = false;
		story->spawned = story->spawned || event.type == SUPERVISE_EVENT_SPAWNED;
	}
	if (event.type == SUPERVISE_EVENT_EXECUTED)
		story->executed = true;
	supervise_step(&story->machine, event, story->now, &actions);
	for (size_t i = 0; i < COUNT(rules); i++)
		if (!rules[i].holds(&moment))
			return rules[i].sentence;
	remember(story, &moment);
	return NULL;
}

static uint8_t next_byte(struct story *story)
{
	return story->next < story->end ? *story->next++ : 0;
}

static void next_restart_policy(struct story *story, struct restart_policy *ret_policy)
{
	static const int64_t times[] = { 0, 1, 10 * NS_PER_MS, NS_PER_S, 30 * NS_PER_S };
	const uint8_t kind = next_byte(story), times_byte = next_byte(story);

	*ret_policy = (struct restart_policy){
		.kind = (enum restart_kind)(kind % 3),
		.attempts = kind / 3 % 4,
		.backoff_ns = times[times_byte % COUNT(times)],
		.max_backoff_ns = times[times_byte / 5 % COUNT(times)],
		.window_ns = 1 + times[times_byte / 25 % COUNT(times)],
	};
}

static struct supervise_policy next_policy(struct story *story)
{
	static const int64_t times[] = { 0, 1, NS_PER_MS, NS_PER_S, 2 * NS_PER_S, 8 * NS_PER_S, 60 * NS_PER_S,
		INT64_C(365) * 24 * 3600 * NS_PER_S };
	static const int stop_signals[] = { 0, SIGTERM, SIGQUIT, SIGKILL, 37, 64 };
	struct supervise_policy policy;
	uint8_t sets = next_byte(story), budget;

	supervise_default_policy(&policy);
	if (sets % 4 == 1)
		policy.stop_signals = UINT64_C(1) << sets % 64;
	else if (sets % 4 == 2)
		policy.stop_signals = sets % 8 == 2 ? 0 : UINT64_MAX;
	policy.stop_signal = stop_signals[next_byte(story) % COUNT(stop_signals)];
	policy.drain_ns = times[next_byte(story) % COUNT(times)];
	budget = next_byte(story);
	if (budget % 4 != 0)
		policy.timeout_ns = times[1 + budget / 4 % (COUNT(times) - 1)]; /* options refuse a budget of 0 */
	next_restart_policy(story, &policy.restart);
	policy.pre_stop = sets >= 128;
	policy.watches = sets / 8 % 2 == 1;
	policy.pre_stop_ns = times[1 + next_byte(story) % (COUNT(times) - 1)];
	return policy;
}

/* Whether init/loop.c could bring this event now. */
static bool is_orderly(const struct story *story, enum supervise_event_type type)
{
	const struct supervise *machine = &story->machine;

	switch (type) {
	case SUPERVISE_EVENT_START:
		return false; /* it came, first of all */
	case SUPERVISE_EVENT_SPAWNED:
	case SUPERVISE_EVENT_SPAWN_FAILED:
		return story->spawn_under_way;
	case SUPERVISE_EVENT_ORDER:
		return story->executed || machine->policy.watches;
	case SUPERVISE_EVENT_EXECUTED:
		return story->spawned && !story->executed && !machine->main_ended;
	case SUPERVISE_EVENT_MAIN_ENDED:
		return story->spawned && !machine->main_ended;
	case SUPERVISE_EVENT_PRE_STOP_ENDED:
		return machine->stop_requested && machine->policy.pre_stop;
	case SUPERVISE_EVENT_GROUP_GONE:
		return machine->state == SUPERVISE_GROUP;
	case SUPERVISE_EVENT_NO_CHILDREN:
		return machine->main_ended;
	default:
		return true;
	}
}

static struct supervise_event next_event(struct story *story)
{
	static const int errors[] = { EAGAIN, ENOMEM, EPERM, EACCES };
	/* More signals than anything else, most of them the usual ones. */
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, 37, 64, SIGWINCH };
	const uint8_t what = next_byte(story), number = next_byte(story);
	struct supervise_event event = { .type = what % (SUPERVISE_EVENT_COUNT + 2) };

	if (event.type >= SUPERVISE_EVENT_COUNT)
		event.type = SUPERVISE_EVENT_SIGNAL;
	if (event.type == SUPERVISE_EVENT_SPAWN_FAILED)
		event.error = errors[number % COUNT(errors)];
	else if (event.type == SUPERVISE_EVENT_ORDER)
		event.order = number % SUPERVISE_ORDER_COUNT;
	else if (event.type == SUPERVISE_EVENT_MAIN_ENDED)
		event.status = number < 128 ? number << 8 : (number & 0x80) | (1 + number % 64);
	else
		event.signal = number < 192 ? signals[number % COUNT(signals)] : 1 + number % 64;
	event.alone = what >= 192;
	return event;
}

static int64_t next_time(struct story *story)
{
	static const int64_t waits[] = { 0, 1, NS_PER_MS, 49 * NS_PER_MS, 100 * NS_PER_MS, NS_PER_S, 3 * NS_PER_S,
		60 * NS_PER_S };
	const int64_t deadline = story->machine.deadline_ns;
	const uint8_t wait = next_byte(story);
	int64_t time = story->now + waits[wait % COUNT(waits)];

	if (deadline != TIME_NEVER && wait >= 128)
		time = wait < 160 ? deadline - 1 : wait < 208 ? deadline : deadline + waits[wait % COUNT(waits)];
	return time > story->now ? time : story->now;
}

/* Lets the time come, with EVENT_TIME at every deadline on the way where the story is punctual. */
static const char *pass_time(struct story *story, int64_t until)
{
	while (story->punctual && story->machine.deadline_ns <= until && story->machine.deadline_ns != TIME_NEVER) {
		const char *broken;

		if (story->machine.deadline_ns > story->now)
			story->now = story->machine.deadline_ns;
		broken = step(story, (struct supervise_event){ .type = SUPERVISE_EVENT_TIME });
		if (broken != NULL)
			return broken;
	}
	story->now = until;
	return NULL;
}

/* Nothing happens any more: a stop with a budget ends all the same, and so does what main left behind. */
static const char *let_it_end(struct story *story)
{
	for (unsigned steps = 0; story->machine.deadline_ns != TIME_NEVER; steps++) {
		const int64_t deadline = story->machine.deadline_ns;
		const char *broken;

		if (steps == 40)
			return "time alone brings a machine to its end, in a few steps";
		if (deadline > story->now)
			story->now = deadline;
		if (!story->punctual)
			story->now += 30 * NS_PER_MS;
		broken = step(story, (struct supervise_event){ .type = SUPERVISE_EVENT_TIME });
		if (broken != NULL)
			return broken;
	}
	if (story->end_by != TIME_NEVER && story->machine.state != SUPERVISE_DONE)
		return "a stop with a budget ends, and so does what main left behind";
	return NULL;
}

const char *supervise_story(const uint8_t *bytes, size_t length, struct supervise_told *told)
{
	struct story story = { .next = bytes, .end = bytes + length, .told = told };
	const uint8_t manner = next_byte(&story);
	const struct supervise_policy policy = next_policy(&story);
	const char *broken = NULL;

	story.punctual = (manner & 1) != 0;
	story.orderly = (manner & 2) != 0;
	story.now = (manner & 4) != 0 ? 0 : 1000 * NS_PER_S;
	story.end_by = story.kill_at = TIME_NEVER;
	memset(&story.machine, 0, sizeof story.machine);
	supervise_init(&story.machine, &policy);
	if (story.orderly)
		broken = step(&story, (struct supervise_event){ .type = SUPERVISE_EVENT_START });
	while (broken == NULL && story.next < story.end) {
		const struct supervise_event event = next_event(&story);

		broken = pass_time(&story, next_time(&story));
		if (broken == NULL && (!story.orderly || is_orderly(&story, event.type)))
			broken = step(&story, event);
	}
	return broken != NULL ? broken : let_it_end(&story);
}
