#include "init/supervise.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

/* What is left when the main process ended has this long, unless the stop's own budget says otherwise. */
#define LEFTOVERS_NS (5 * NS_PER_S)
/* SIGKILL is sent again this often while something is left: a process may have been adopted in between. */
#define KILL_AGAIN_NS (100 * NS_PER_MS)
/* A process in uninterruptible sleep does not hold us longer than this: the kernel goes on without us. */
#define KILL_GIVE_UP_NS (2 * NS_PER_S)
/* An order comes because the workload answers nobody: without a limit of its own it has this long, as under docker
 * stop, behind the drain and the pre-stop command. */
#define ORDER_NS (10 * NS_PER_S)
#define RETRY_FIRST_NS (50 * NS_PER_MS)
#define RETRY_MAX_NS (2 * NS_PER_S)
#define STATUS_OUR_FAULT 125
#define STATUS_UNHEALTHY 1
#define STATUS_LATE 124 /* as timeout(1) has it */
#define RTMIN_PLUS_3 37

void supervise_default_policy(struct supervise_policy *ret_policy)
{
	*ret_policy = (struct supervise_policy){
		.stop_signals = supervise_signal_bit(SIGTERM) | supervise_signal_bit(SIGINT) |
			supervise_signal_bit(SIGQUIT) | supervise_signal_bit(RTMIN_PLUS_3),
		.timeout_ns = TIME_NEVER,
	};
}

void supervise_init(struct supervise *machine, const struct supervise_policy *policy)
{
	*machine = (struct supervise){
		.policy = *policy,
		.deadline_ns = TIME_NEVER,
		.kill_at_ns = TIME_NEVER,
		.retry_ns = RETRY_FIRST_NS,
	};
	restart_init(&machine->restarts, &policy->restart);
}

int supervise_exit_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static int64_t later(int64_t now, int64_t delay)
{
	return delay > TIME_NEVER - now ? TIME_NEVER : now + delay;
}

int64_t supervise_order_budget(const struct supervise_policy *policy)
{
	if (policy->timeout_ns != TIME_NEVER)
		return policy->timeout_ns;
	return later(later(ORDER_NS, policy->drain_ns), policy->pre_stop ? policy->pre_stop_ns : 0);
}

static void act(struct supervise_actions *actions, enum supervise_action_type type, int number)
{
	if (actions->count == SUPERVISE_ACTIONS_MAX)
		return; /* no step asks for so many (tests/unit/test_supervise.c walks them all), and PID 1 never aborts
			 */
	actions->list[actions->count++] = (struct supervise_action){ .type = type, .signal = number };
}

static void finish(struct supervise *machine, int exit_status, struct supervise_actions *actions)
{
	machine->state = SUPERVISE_DONE;
	machine->deadline_ns = TIME_NEVER;
	act(actions, SUPERVISE_EXIT, exit_status);
}

static bool is_clean(const struct supervise *machine, int exit_status)
{
	return (machine->policy.clean_exit[exit_status / 64] >> exit_status % 64 & 1) != 0;
}

/* The status that the container ends with: the main process's, or what SIGKILL made of it. */
static int final_status(const struct supervise *machine)
{
	int status = machine->main_ended ? supervise_exit_status(machine->main_status) : 128 + SIGKILL;

	/* Next.js ends with 143 by design: after a stop that is no failure. */
	if (machine->main_ended && machine->stop_requested && is_clean(machine, status))
		status = 0;
	if (machine->late && !machine->stop_requested)
		return STATUS_LATE;
	/* Whoever starts containers again after failures is to take this for one. */
	return status == 0 && machine->unhealthy && !machine->stop_requested ? STATUS_UNHEALTHY : status;
}

/* Nobody is left: another life, or the end. */
static void end_life(struct supervise *machine, int64_t now, struct supervise_actions *actions)
{
	if (!machine->restart || !machine->main_ended) {
		finish(machine, final_status(machine), actions);
		return;
	}
	machine->restart = false;
	machine->state = SUPERVISE_BACKOFF;
	machine->deadline_ns = machine->waits ? TIME_NEVER : later(now, machine->backoff_ns);
	machine->kill_at_ns = TIME_NEVER;
	act(actions, SUPERVISE_RESTARTING, 0);
}

static void begin_killing(struct supervise *machine, int64_t now, struct supervise_actions *actions)
{
	machine->state = SUPERVISE_KILLING;
	machine->give_up_at_ns = later(now, KILL_GIVE_UP_NS);
	machine->deadline_ns = later(now, KILL_AGAIN_NS);
	if (!machine->restart)
		act(actions, SUPERVISE_END_MONITOR, 0);
	act(actions, SUPERVISE_SIGNAL_ORPHANS, SIGKILL);
}

static void begin_stopping(struct supervise *machine, struct supervise_actions *actions)
{
	machine->state = SUPERVISE_STOPPING;
	machine->deadline_ns = machine->kill_at_ns;
	act(actions, SUPERVISE_SIGNAL_LEADER, machine->stop_signal);
}

/* The drain is over. The command's own deadline never reaches beyond the budget. */
static void begin_pre_stop(struct supervise *machine, int64_t now, struct supervise_actions *actions)
{
	if (!machine->policy.pre_stop) {
		begin_stopping(machine, actions);
		return;
	}
	machine->state = SUPERVISE_PRE_STOP;
	machine->deadline_ns = clock_earlier(later(now, machine->policy.pre_stop_ns), machine->kill_at_ns);
	act(actions, SUPERVISE_PRE_STOP_START, 0);
}

static void cut_pre_stop_short(struct supervise *machine, struct supervise_actions *actions)
{
	act(actions, SUPERVISE_PRE_STOP_KILL, 0);
	begin_stopping(machine, actions);
}

static int stop_signal_for(const struct supervise *machine, int signal)
{
	return machine->policy.stop_signal != 0 ? machine->policy.stop_signal : signal;
}

/* Drain, pre-stop command and stop signal, whoever asked for it. */
static void begin_stop_contract(struct supervise *machine, int signal, int64_t now, struct supervise_actions *actions)
{
	machine->stop_signal = stop_signal_for(machine, signal);
	if (machine->policy.drain_ns == 0) {
		begin_pre_stop(machine, now, actions);
		return;
	}
	machine->state = SUPERVISE_DRAINING;
	machine->deadline_ns = clock_earlier(later(now, machine->policy.drain_ns), machine->kill_at_ns);
}

static void begin_stop(struct supervise *machine, int signal, int64_t now, struct supervise_actions *actions)
{
	machine->stop_requested = true;
	machine->kill_at_ns = later(now, machine->policy.timeout_ns);
	act(actions, SUPERVISE_NOT_READY, signal);
	begin_stop_contract(machine, signal, now, actions);
}

static void want_restart(struct supervise *machine, bool wanted, int64_t now)
{
	machine->restart = wanted && restart_count(&machine->restarts, &machine->policy.restart, now);
	machine->no_start_left = wanted && !machine->restart;
}

static void begin_order(struct supervise *machine, int64_t now, struct supervise_actions *actions)
{
	machine->kill_at_ns = later(now, supervise_order_budget(&machine->policy));
	act(actions, SUPERVISE_NOT_READY, 0);
	begin_stop_contract(machine, SIGTERM, now, actions);
}

/* One that is stopping, or being started, reads what is there then. */
static void on_change(struct supervise *machine, int64_t now, struct supervise_actions *actions)
{
	if (machine->state == SUPERVISE_BACKOFF && (machine->waits || machine->deadline_ns != TIME_NEVER)) {
		machine->waits = false;
		machine->deadline_ns = TIME_NEVER;
		act(actions, SUPERVISE_SPAWN, 0);
		return;
	}
	if (machine->state != SUPERVISE_RUNNING)
		return;
	machine->changed = true;
	machine->restart = true;
	begin_order(machine, now, actions);
}

static void on_order(
	struct supervise *machine, enum supervise_order order, int64_t now, struct supervise_actions *actions)
{
	if (order == SUPERVISE_ORDER_CHANGED || order == SUPERVISE_ORDER_ROTATED || order == SUPERVISE_ORDER_AGAIN) {
		if (order != SUPERVISE_ORDER_CHANGED || machine->policy.watches)
			on_change(machine, now, actions);
		return;
	}
	if (machine->state != SUPERVISE_RUNNING)
		return;
	machine->unhealthy = true;
	machine->late = order == SUPERVISE_ORDER_LATE;
	want_restart(machine,
		order == SUPERVISE_ORDER_RESTART ||
			(machine->late && restart_is_wanted(&machine->policy.restart, true)),
		now);
	begin_order(machine, now, actions);
}

/* A stop signal while the workload is being stopped by an order, or cleared away to be started again: it is the end
 * now. Its budget goes on. */
static void take_over(struct supervise *machine, int signal, struct supervise_actions *actions)
{
	act(actions, SUPERVISE_NOT_READY, signal);
	if (machine->restart && machine->state >= SUPERVISE_GROUP)
		act(actions, SUPERVISE_END_MONITOR, 0);
	machine->stop_requested = true;
	machine->restart = machine->waits = false;
}

/* The leader is gone. What it left behind is asked to end as it was, within what is left of the budget; the first half
 * belongs to the group, so that the orphans are asked as well before they are killed. */
static void begin_group(struct supervise *machine, int64_t now, struct supervise_actions *actions)
{
	if (!machine->stop_requested)
		machine->stop_signal = stop_signal_for(machine, SIGTERM);
	if (machine->kill_at_ns == TIME_NEVER)
		machine->kill_at_ns = later(now, clock_earlier(machine->policy.timeout_ns, LEFTOVERS_NS));
	machine->state = SUPERVISE_GROUP;
	machine->deadline_ns = now < machine->kill_at_ns ? now + (machine->kill_at_ns - now) / 2 : now;
	if (!machine->restart)
		act(actions, SUPERVISE_END_MONITOR, 0);
	act(actions, SUPERVISE_SIGNAL_GROUP, machine->stop_signal);
}

static void begin_orphans(struct supervise *machine, struct supervise_actions *actions)
{
	machine->state = SUPERVISE_ORPHANS;
	machine->deadline_ns = machine->kill_at_ns;
	act(actions, SUPERVISE_SIGNAL_ORPHANS, machine->stop_signal);
}

static void on_start(struct supervise *machine, struct supervise_actions *actions)
{
	if (machine->state == SUPERVISE_IDLE)
		act(actions, SUPERVISE_SPAWN, 0);
}

static void on_spawned(struct supervise *machine, int64_t now)
{
	if (machine->state > SUPERVISE_RETRY)
		return;
	machine->state = SUPERVISE_STARTING;
	machine->deadline_ns = TIME_NEVER;
	machine->spawned_at_ns = now;
	machine->main_ended = false;
	machine->unhealthy = machine->late = machine->changed = machine->waits = false;
}

static void on_executed(struct supervise *machine)
{
	if (machine->state != SUPERVISE_STARTING)
		return;
	machine->state = SUPERVISE_RUNNING;
	machine->executed = true;
	machine->retry_ns = RETRY_FIRST_NS;
}

/* A failed start waits and tries again where that may help, and ends where it cannot. */
static void on_spawn_failed(struct supervise *machine, int error, int64_t now, struct supervise_actions *actions)
{
	if (machine->state > SUPERVISE_RETRY)
		return;
	if (error != EAGAIN && error != ENOMEM) {
		finish(machine, STATUS_OUR_FAULT, actions);
		return;
	}
	machine->state = SUPERVISE_RETRY;
	machine->deadline_ns = later(now, machine->retry_ns);
	machine->retry_ns = clock_earlier(2 * machine->retry_ns, RETRY_MAX_NS);
}

/* What the workload gets for a signal while it is being stopped: a stop signal is rewritten if that was asked for, and
 * keeps its own number otherwise (nginx: QUIT, and then TERM by whoever loses patience). */
static int translated(const struct supervise *machine, int signal)
{
	return supervise_asks_for_stop(machine, signal) && machine->policy.stop_signal != 0
		? machine->policy.stop_signal
		: signal;
}

static void on_signal(struct supervise *machine, int signal, int64_t now, struct supervise_actions *actions)
{
	bool stop = supervise_asks_for_stop(machine, signal);

	if (stop && !machine->stop_requested && (machine->unhealthy || machine->restart) &&
		machine->state > SUPERVISE_RUNNING && machine->state < SUPERVISE_DONE)
		take_over(machine, signal, actions);
	switch (machine->state) {
	case SUPERVISE_IDLE:
	case SUPERVISE_BACKOFF:
	case SUPERVISE_RETRY:
		if (stop) /* nothing runs: nothing to wait for */
			finish(machine, machine->main_ended ? final_status(machine) : 128 + signal, actions);
		break;
	case SUPERVISE_STARTING:
	case SUPERVISE_RUNNING:
		if (stop)
			begin_stop(machine, signal, now, actions);
		else
			act(actions, SUPERVISE_SIGNAL_LEADER, signal);
		break;
	case SUPERVISE_DRAINING:
		if (stop)
			begin_pre_stop(machine, now, actions); /* somebody is in a hurry */
		else
			act(actions, SUPERVISE_SIGNAL_LEADER, signal);
		break;
	case SUPERVISE_PRE_STOP:
		if (stop)
			cut_pre_stop_short(machine, actions);
		else
			act(actions, SUPERVISE_SIGNAL_LEADER, signal);
		break;
	case SUPERVISE_STOPPING:
		act(actions, SUPERVISE_SIGNAL_LEADER, translated(machine, signal));
		break;
	case SUPERVISE_GROUP:
		act(actions, SUPERVISE_SIGNAL_GROUP, translated(machine, signal));
		break;
	case SUPERVISE_ORPHANS:
		act(actions, SUPERVISE_SIGNAL_ORPHANS, translated(machine, signal));
		break;
	default:
		break; /* KILLING, DONE: nobody is left who could listen */
	}
}

/* Once the workload was executed at all: what cannot be executed, or confined, is told and not tried again. A change of
 * its files may mend whatever ended it by itself. */
static void decide_restart(struct supervise *machine, int64_t now)
{
	const struct restart_policy *policy = &machine->policy.restart;
	const int status = supervise_exit_status(machine->main_status);
	const bool by_itself = !machine->stop_requested && !machine->unhealthy && !machine->changed &&
		machine->executed;

	if (by_itself)
		want_restart(machine, restart_is_wanted(policy, status != 0 && !is_clean(machine, status)), now);
	machine->waits = by_itself && machine->policy.watches && !machine->restart;
	if (machine->waits)
		machine->restart = true;
	else if (machine->changed)
		machine->backoff_ns = 0;
	else if (machine->restart)
		machine->backoff_ns = restart_backoff(&machine->restarts, policy, now - machine->spawned_at_ns, now);
}

static void on_main_ended(
	struct supervise *machine, struct supervise_event event, int64_t now, struct supervise_actions *actions)
{
	if (machine->state < SUPERVISE_STARTING || machine->state == SUPERVISE_DONE || machine->main_ended)
		return;
	machine->main_ended = true;
	machine->main_status = event.status;
	decide_restart(machine, now);
	if (machine->policy.main_end == SUPERVISE_TERM_AND_END)
		act(actions, SUPERVISE_SIGNAL_GROUP, SIGTERM);
	if (event.alone || machine->policy.main_end != SUPERVISE_ASK_LEFTOVERS)
		end_life(machine, now, actions);
	else if (machine->state < SUPERVISE_GROUP)
		begin_group(machine, now, actions);
}

static void on_time(struct supervise *machine, int64_t now, struct supervise_actions *actions)
{
	if (now < machine->deadline_ns)
		return;
	switch (machine->state) {
	case SUPERVISE_BACKOFF:
	case SUPERVISE_RETRY:
		machine->deadline_ns = TIME_NEVER;
		act(actions, SUPERVISE_SPAWN, 0);
		break;
	case SUPERVISE_DRAINING:
		if (now >= machine->kill_at_ns)
			begin_killing(machine, now, actions);
		else
			begin_pre_stop(machine, now, actions);
		break;
	case SUPERVISE_PRE_STOP:
		if (now >= machine->kill_at_ns)
			begin_killing(machine, now, actions);
		else
			cut_pre_stop_short(machine, actions);
		break;
	case SUPERVISE_GROUP:
		if (now >= machine->kill_at_ns)
			begin_killing(machine, now, actions);
		else
			begin_orphans(machine, actions);
		break;
	case SUPERVISE_STOPPING:
	case SUPERVISE_ORPHANS:
		begin_killing(machine, now, actions);
		break;
	case SUPERVISE_KILLING:
		if (now >= machine->give_up_at_ns) {
			end_life(machine, now, actions);
			break;
		}
		machine->deadline_ns = clock_earlier(later(now, KILL_AGAIN_NS), machine->give_up_at_ns);
		act(actions, SUPERVISE_SIGNAL_ORPHANS, SIGKILL);
		break;
	default:
		break;
	}
}

void supervise_step(
	struct supervise *machine, struct supervise_event event, int64_t now, struct supervise_actions *ret_actions)
{
	ret_actions->count = 0;
	switch (event.type) {
	case SUPERVISE_EVENT_START:
		on_start(machine, ret_actions);
		break;
	case SUPERVISE_EVENT_SPAWNED:
		on_spawned(machine, now);
		break;
	case SUPERVISE_EVENT_SPAWN_FAILED:
		on_spawn_failed(machine, event.error, now, ret_actions);
		break;
	case SUPERVISE_EVENT_EXECUTED:
		on_executed(machine);
		break;
	case SUPERVISE_EVENT_SIGNAL:
		on_signal(machine, event.signal, now, ret_actions);
		break;
	case SUPERVISE_EVENT_ORDER:
		on_order(machine, event.order, now, ret_actions);
		break;
	case SUPERVISE_EVENT_PRE_STOP_ENDED:
		if (machine->state == SUPERVISE_PRE_STOP)
			begin_stopping(machine, ret_actions);
		break;
	case SUPERVISE_EVENT_MAIN_ENDED:
		on_main_ended(machine, event, now, ret_actions);
		break;
	case SUPERVISE_EVENT_GROUP_GONE:
		if (machine->state == SUPERVISE_GROUP)
			begin_orphans(machine, ret_actions);
		break;
	case SUPERVISE_EVENT_NO_CHILDREN:
		if (machine->main_ended && machine->state >= SUPERVISE_GROUP && machine->state != SUPERVISE_DONE)
			end_life(machine, now, ret_actions);
		break;
	case SUPERVISE_EVENT_TIME:
		on_time(machine, now, ret_actions);
		break;
	default:
		break;
	}
}
