#include "base/clock.h"
#include "base/signame.h"
#include "init/supervise.h"
#include "tests/unit/supervise_invariants.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define RTMIN_PLUS_3 37
#define HOUR_NS (3600 * NS_PER_S)
#define EXITED(code) ((code) << 8)
/* The clock does not begin at zero: the times in this file are counted from here, in milliseconds. */
static const int64_t origin = 1000000 * NS_PER_MS;

/* ---- a step, said in words ---- */

static const char state_names[][16] = { "idle", "backoff", "retry", "starting", "running", "draining", "pre-stop",
	"stopping", "group", "orphans", "killing", "done" };
static_assert(COUNT(state_names) == SUPERVISE_STATE_COUNT, "a name for every state");
static const char action_names[][16] = { "spawn", "not-ready", "pre-stop", "kill-pre-stop", "leader", "group",
	"orphans", "end-monitor", "restarting", "exit" };
static_assert(COUNT(action_names) == SUPERVISE_ACTION_COUNT, "a name for every action");

static size_t say_time(char *text, size_t size, int64_t ns)
{
	const int64_t ms = (ns - origin) / NS_PER_MS, rest = (ns - origin) % NS_PER_MS;

	if (ns == TIME_NEVER)
		return (size_t)snprintf(text, size, "never");
	if (rest == 0)
		return (size_t)snprintf(text, size, "%" PRId64, ms);
	return (size_t)snprintf(text, size, "%" PRId64 ".%06" PRId64, ms, rest);
}

static size_t say_action(char *text, size_t size, const struct supervise_action *action)
{
	char name[SIGNAL_NAME_SIZE];

	switch (action->type) {
	case SUPERVISE_SPAWN:
	case SUPERVISE_PRE_STOP_START:
	case SUPERVISE_PRE_STOP_KILL:
	case SUPERVISE_END_MONITOR:
	case SUPERVISE_RESTARTING:
		return (size_t)snprintf(text, size, "%s", action_names[action->type]);
	case SUPERVISE_EXIT:
		return (size_t)snprintf(text, size, "exit %d", action->status);
	case SUPERVISE_NOT_READY:
		if (action->signal == 0)
			return (size_t)snprintf(text, size, "not-ready");
		/* fallthrough */
	default:
		return (size_t)snprintf(
			text, size, "%s %s", action_names[action->type], signal_name(action->signal, name));
	}
}

/* "stopping @18000: not-ready TERM, leader TERM": the state, its deadline, what is to be done. */
static const char *say(const struct supervise *machine, const struct supervise_actions *actions)
{
	static char text[256];
	size_t at = (size_t)snprintf(text, sizeof text, "%s @", state_names[machine->state]);

	at += say_time(text + at, sizeof text - at, machine->deadline_ns);
	for (size_t i = 0; i < actions->count; i++) {
		at += (size_t)snprintf(text + at, sizeof text - at, "%s", i == 0 ? ": " : ", ");
		at += say_action(text + at, sizeof text - at, &actions->list[i]);
	}
	return text;
}

/* ---- policies ---- */

static struct supervise_policy policy_of(int stop_signal, int64_t drain_ms, int64_t timeout_ms)
{
	struct supervise_policy policy;

	supervise_default_policy(&policy);
	policy.stop_signal = stop_signal;
	policy.drain_ns = drain_ms * NS_PER_MS;
	if (timeout_ms > 0)
		policy.timeout_ns = timeout_ms * NS_PER_MS;
	return policy;
}

enum policy {
	PLAIN,
	DRAIN,
	BUDGET,
	FULL,
	REWRITE,
	SHORT,
	TIGHT,
	HOOK,
	HOOK_FULL,
	HOOK_TIGHT,
	FAILURES,
	ALWAYS,
	WATCH,
	WATCH_FAILURES
};
static const struct {
	int stop_signal;
	int drain_ms, timeout_ms;  /* timeout 0: none */
	int pre_stop_ms;           /* 0: no command */
	enum restart_kind restart; /* at once, without a backoff: test_restart.c has the times */
} policies[] = {
	[PLAIN] = { 0, 0, 0 },
	[DRAIN] = { 0, 2000, 0 },
	[BUDGET] = { 0, 0, 8000 },
	[FULL] = { 0, 2000, 8000 },
	[REWRITE] = { SIGQUIT, 2000, 8000 },
	[SHORT] = { 0, 0, 1000 },
	[TIGHT] = { 0, 2000, 1000 },
	[HOOK] = { 0, 0, 0, 3000 },
	[HOOK_FULL] = { SIGQUIT, 2000, 8000, 3000 },
	[HOOK_TIGHT] = { 0, 2000, 8000, 7000 },
	[FAILURES] = { 0, 2000, 8000, 0, RESTART_ON_FAILURE },
	[ALWAYS] = { SIGQUIT, 0, 0, 3000, RESTART_ALWAYS },
	[WATCH] = { 0, 2000, 8000 },
	[WATCH_FAILURES] = { 0, 0, 0, 0, RESTART_ON_FAILURE },
};

static void begin(struct supervise *machine, enum policy which)
{
	struct supervise_policy policy = policy_of(
		policies[which].stop_signal, policies[which].drain_ms, policies[which].timeout_ms);

	policy.pre_stop = policies[which].pre_stop_ms > 0;
	policy.pre_stop_ns = policies[which].pre_stop_ms * NS_PER_MS;
	policy.restart = (struct restart_policy){
		.kind = policies[which].restart, .attempts = 2, .window_ns = HOUR_NS, .max_backoff_ns = HOUR_NS
	};

	policy.watches = which >= WATCH;
	memset(machine, 0xa5, sizeof *machine);
	supervise_init(machine, &policy);
}

/* ---- every state, every event ---- */

struct past {
	int64_t ms;
	struct supervise_event event;
};

/* clang-format off */
#define START_EVENT { .type = SUPERVISE_EVENT_START }
#define SPAWNED_EVENT { .type = SUPERVISE_EVENT_SPAWNED }
#define FAILED_EVENT(number) { .type = SUPERVISE_EVENT_SPAWN_FAILED, .error = (number) }
#define EXECUTED_EVENT { .type = SUPERVISE_EVENT_EXECUTED }
#define SIGNAL_EVENT(number) { .type = SUPERVISE_EVENT_SIGNAL, .signal = (number) }
#define MAIN_EVENT(how) { .type = SUPERVISE_EVENT_MAIN_ENDED, .status = (how) }
#define LAST_EVENT(how) { .type = SUPERVISE_EVENT_MAIN_ENDED, .status = (how), .alone = true }
#define PRE_STOP_ENDED_EVENT { .type = SUPERVISE_EVENT_PRE_STOP_ENDED }
#define GROUP_GONE_EVENT { .type = SUPERVISE_EVENT_GROUP_GONE }
#define NO_CHILDREN_EVENT { .type = SUPERVISE_EVENT_NO_CHILDREN }
#define ORDER_EVENT(what) { .type = SUPERVISE_EVENT_ORDER, .order = SUPERVISE_ORDER_##what }
#define TIME_EVENT { .type = SUPERVISE_EVENT_TIME }

#define RUN { 1, SPAWNED_EVENT }, { 5, EXECUTED_EVENT }
#define STOP RUN, { 10000, SIGNAL_EVENT(SIGTERM) }
#define DRAINED STOP, { 12000, TIME_EVENT }
#define LEFT DRAINED, { 13000, MAIN_EVENT(EXITED(7)) }
#define ORDER { 10000, ORDER_EVENT(RESTART) }
#define CHANGE { 10000, ORDER_EVENT(CHANGED) }
#define FAILED_LEFT RUN, { 10000, MAIN_EVENT(EXITED(7)) }
/* clang-format on */

/* A state can be reached in ways that matter later. Behind START, at 0 ms, comes the past; it ends at the first entry
 * that is not set. */
enum situation {
	IDLE,
	RETRY,
	RETRY_UNDER_WAY,
	STARTING,
	RUNNING_PLAIN,
	RUNNING_DRAIN,
	RUNNING_BUDGET,
	RUNNING_FULL,
	RUNNING_REWRITE,
	RUNNING_SHORT,
	RUNNING_TIGHT,
	RUNNING_HOOK,
	RUNNING_FAILURES,
	DRAINING_NO_BUDGET,
	DRAINING,
	DRAINING_REWRITE,
	DRAINING_TIGHT,
	DRAINING_HOOK,
	PRE_STOP_PLAIN,
	PRE_STOP,
	PRE_STOP_TIGHT,
	STOPPING_PLAIN,
	STOPPING,
	STOPPING_REWRITE,
	GROUP,
	GROUP_REWRITE,
	GROUP_NO_BUDGET,
	GROUP_BY_ITSELF,
	ORPHANS,
	ORPHANS_REWRITE,
	ORPHANS_BY_THEMSELVES,
	KILLING_MAIN,
	KILLING_THE_REST,
	DRAINING_BY_ORDER,
	STOPPING_BY_ORDER,
	GROUP_BEFORE_RESTART,
	KILLING_BEFORE_RESTART,
	BACKOFF,
	BACKOFF_UNDER_WAY,
	RUNNING_WATCHED,
	DRAINING_BY_CHANGE,
	STOPPING_BY_CHANGE,
	GROUP_BEFORE_WAITING,
	WAITING,
	WAITING_NO_MORE,
	BACKOFF_WATCHED,
	DONE,
	SITUATION_COUNT,
};

static const struct {
	const char *name;
	enum supervise_state state;
	enum policy policy;
	struct past past[8];
} situations[] = {
	[IDLE] = { "idle", SUPERVISE_IDLE, FULL, { { 0, START_EVENT } } },
	[RETRY] = { "retry", SUPERVISE_RETRY, FULL, { { 2, FAILED_EVENT(EAGAIN) } } },
	[RETRY_UNDER_WAY] = { "retry under way", SUPERVISE_RETRY, FULL,
		{ { 2, FAILED_EVENT(EAGAIN) }, { 52, TIME_EVENT } } },
	[STARTING] = { "starting", SUPERVISE_STARTING, FULL, { { 1, SPAWNED_EVENT } } },
	[RUNNING_PLAIN] = { "running, plain", SUPERVISE_RUNNING, PLAIN, { RUN } },
	[RUNNING_DRAIN] = { "running, a drain", SUPERVISE_RUNNING, DRAIN, { RUN } },
	[RUNNING_BUDGET] = { "running, a budget", SUPERVISE_RUNNING, BUDGET, { RUN } },
	[RUNNING_FULL] = { "running, both", SUPERVISE_RUNNING, FULL, { RUN } },
	[RUNNING_REWRITE] = { "running, stop signal QUIT", SUPERVISE_RUNNING, REWRITE, { RUN } },
	[RUNNING_SHORT] = { "running, a budget of 1 s", SUPERVISE_RUNNING, SHORT, { RUN } },
	[RUNNING_TIGHT] = { "running, budget below drain", SUPERVISE_RUNNING, TIGHT, { RUN } },
	[RUNNING_HOOK] = { "running, a pre-stop command", SUPERVISE_RUNNING, HOOK, { RUN } },
	[DRAINING_NO_BUDGET] = { "draining, no budget", SUPERVISE_DRAINING, DRAIN, { STOP } },
	[DRAINING] = { "draining", SUPERVISE_DRAINING, FULL, { STOP } },
	[DRAINING_REWRITE] = { "draining, stop signal QUIT", SUPERVISE_DRAINING, REWRITE, { STOP } },
	[DRAINING_TIGHT] = { "draining, budget below drain", SUPERVISE_DRAINING, TIGHT, { STOP } },
	[DRAINING_HOOK] = { "draining before a pre-stop command", SUPERVISE_DRAINING, HOOK_FULL, { STOP } },
	[PRE_STOP_PLAIN] = { "pre-stop, no budget", SUPERVISE_PRE_STOP, HOOK, { STOP } },
	[PRE_STOP] = { "pre-stop, stop signal QUIT", SUPERVISE_PRE_STOP, HOOK_FULL, { DRAINED } },
	[PRE_STOP_TIGHT] = { "pre-stop, the budget ends first", SUPERVISE_PRE_STOP, HOOK_TIGHT, { DRAINED } },
	[STOPPING_PLAIN] = { "stopping, plain", SUPERVISE_STOPPING, PLAIN, { STOP } },
	[STOPPING] = { "stopping", SUPERVISE_STOPPING, FULL, { DRAINED } },
	[STOPPING_REWRITE] = { "stopping, stop signal QUIT", SUPERVISE_STOPPING, REWRITE, { DRAINED } },
	[GROUP] = { "group", SUPERVISE_GROUP, FULL, { LEFT } },
	[GROUP_REWRITE] = { "group, stop signal QUIT", SUPERVISE_GROUP, REWRITE, { LEFT } },
	[GROUP_NO_BUDGET] = { "group, no budget", SUPERVISE_GROUP, PLAIN, { STOP, { 13000, MAIN_EVENT(EXITED(7)) } } },
	[GROUP_BY_ITSELF] = { "group, no stop", SUPERVISE_GROUP, FULL, { RUN, { 10000, MAIN_EVENT(SIGSEGV) } } },
	[ORPHANS] = { "orphans", SUPERVISE_ORPHANS, FULL, { LEFT, { 14000, GROUP_GONE_EVENT } } },
	[ORPHANS_REWRITE] = { "orphans, stop signal QUIT", SUPERVISE_ORPHANS, REWRITE,
		{ LEFT, { 14000, GROUP_GONE_EVENT } } },
	[ORPHANS_BY_THEMSELVES] = { "orphans, no stop", SUPERVISE_ORPHANS, FULL,
		{ RUN, { 10000, MAIN_EVENT(SIGSEGV) }, { 12500, TIME_EVENT } } },
	[KILLING_MAIN] = { "killing main", SUPERVISE_KILLING, FULL, { DRAINED, { 18000, TIME_EVENT } } },
	[KILLING_THE_REST] = { "killing the rest", SUPERVISE_KILLING, FULL,
		{ LEFT, { 14000, GROUP_GONE_EVENT }, { 18000, TIME_EVENT } } },
	[RUNNING_FAILURES] = { "running, restarts", SUPERVISE_RUNNING, FAILURES, { RUN } },
	[DRAINING_BY_ORDER] = { "draining by order", SUPERVISE_DRAINING, FAILURES, { RUN, ORDER } },
	[STOPPING_BY_ORDER] = { "stopping by order", SUPERVISE_STOPPING, FAILURES,
		{ RUN, ORDER, { 12000, TIME_EVENT } } },
	[GROUP_BEFORE_RESTART] = { "group before a restart", SUPERVISE_GROUP, FAILURES, { FAILED_LEFT } },
	[KILLING_BEFORE_RESTART] = { "killing before a restart", SUPERVISE_KILLING, FAILURES,
		{ FAILED_LEFT, { 11000, GROUP_GONE_EVENT }, { 15000, TIME_EVENT } } },
	[BACKOFF] = { "backoff", SUPERVISE_BACKOFF, FAILURES, { RUN, { 10000, LAST_EVENT(EXITED(7)) } } },
	[BACKOFF_UNDER_WAY] = { "backoff, under way", SUPERVISE_BACKOFF, FAILURES,
		{ RUN, { 10000, LAST_EVENT(EXITED(7)) }, { 10001, TIME_EVENT } } },
	[RUNNING_WATCHED] = { "running, watched", SUPERVISE_RUNNING, WATCH, { RUN } },
	[DRAINING_BY_CHANGE] = { "draining by a change", SUPERVISE_DRAINING, WATCH, { RUN, CHANGE } },
	[STOPPING_BY_CHANGE] = { "stopping by a change", SUPERVISE_STOPPING, WATCH,
		{ RUN, CHANGE, { 12000, TIME_EVENT } } },
	[GROUP_BEFORE_WAITING] = { "group before waiting", SUPERVISE_GROUP, WATCH, { FAILED_LEFT } },
	[WAITING] = { "waiting for a change", SUPERVISE_BACKOFF, WATCH, { RUN, { 10000, LAST_EVENT(EXITED(7)) } } },
	[WAITING_NO_MORE] = { "waiting no more", SUPERVISE_BACKOFF, WATCH,
		{ RUN, { 10000, LAST_EVENT(EXITED(7)) }, { 11000, ORDER_EVENT(CHANGED) } } },
	[BACKOFF_WATCHED] = { "backoff, watched", SUPERVISE_BACKOFF, WATCH_FAILURES,
		{ RUN, { 10000, LAST_EVENT(EXITED(7)) } } },
	[DONE] = { "done", SUPERVISE_DONE, FULL, { RUN, { 10000, LAST_EVENT(EXITED(7)) } } },
};
static_assert(COUNT(situations) == SITUATION_COUNT, "a past for every situation");

/* Every event, and what varies in it. They happen 10 ms behind the last of the past, unless TIME says otherwise. */
enum happening {
	ON_START,
	ON_SPAWNED,
	ON_EAGAIN,
	ON_ENOMEM,
	ON_EPERM,
	ON_EXECUTED,
	ON_TERM,
	ON_INT,
	ON_QUIT,
	ON_RTMIN_PLUS_3,
	ON_HUP,
	ON_RTMAX,
	ON_MAIN,
	ON_LAST,
	ON_ORDER_STOP,
	ON_ORDER_RESTART,
	ON_ORDER_CHANGED,
	ON_ORDER_ROTATED,
	ON_ORDER_AGAIN,
	ON_ORDER_LATE,
	ON_PRE_STOP_ENDED,
	ON_GROUP_GONE,
	ON_NO_CHILDREN,
	ON_TIME_EARLY, /* 1 ns before the deadline; an hour later where there is none */
	ON_TIME_DUE,
	ON_TIME_LATE, /* an hour late */
	HAPPENING_COUNT,
};

static const struct {
	const char *name;
	struct supervise_event event;
} happenings[] = {
	[ON_START] = { "START", START_EVENT },
	[ON_SPAWNED] = { "SPAWNED", SPAWNED_EVENT },
	[ON_EAGAIN] = { "SPAWN_FAILED, EAGAIN", FAILED_EVENT(EAGAIN) },
	[ON_ENOMEM] = { "SPAWN_FAILED, ENOMEM", FAILED_EVENT(ENOMEM) },
	[ON_EPERM] = { "SPAWN_FAILED, EPERM", FAILED_EVENT(EPERM) },
	[ON_EXECUTED] = { "EXECUTED", EXECUTED_EVENT },
	[ON_TERM] = { "TERM", SIGNAL_EVENT(SIGTERM) },
	[ON_INT] = { "INT", SIGNAL_EVENT(SIGINT) },
	[ON_QUIT] = { "QUIT", SIGNAL_EVENT(SIGQUIT) },
	[ON_RTMIN_PLUS_3] = { "RTMIN+3", SIGNAL_EVENT(RTMIN_PLUS_3) },
	[ON_HUP] = { "HUP", SIGNAL_EVENT(SIGHUP) },
	[ON_RTMAX] = { "RTMAX", SIGNAL_EVENT(64) },
	[ON_MAIN] = { "MAIN_ENDED", MAIN_EVENT(EXITED(9)) },
	[ON_LAST] = { "MAIN_ENDED, alone", LAST_EVENT(EXITED(9)) },
	[ON_ORDER_STOP] = { "ORDER, stop", ORDER_EVENT(STOP) },
	[ON_ORDER_RESTART] = { "ORDER, restart", ORDER_EVENT(RESTART) },
	[ON_ORDER_CHANGED] = { "ORDER, changed", ORDER_EVENT(CHANGED) },
	[ON_ORDER_LATE] = { "ORDER, late", ORDER_EVENT(LATE) },
	[ON_ORDER_ROTATED] = { "ORDER, rotated", ORDER_EVENT(ROTATED) },
	[ON_ORDER_AGAIN] = { "ORDER, again", ORDER_EVENT(AGAIN) },
	[ON_PRE_STOP_ENDED] = { "PRE_STOP_ENDED", PRE_STOP_ENDED_EVENT },
	[ON_GROUP_GONE] = { "GROUP_GONE", GROUP_GONE_EVENT },
	[ON_NO_CHILDREN] = { "NO_CHILDREN", NO_CHILDREN_EVENT },
	[ON_TIME_EARLY] = { "TIME, early", TIME_EVENT },
	[ON_TIME_DUE] = { "TIME", TIME_EVENT },
	[ON_TIME_LATE] = { "TIME, late", TIME_EVENT },
};
static_assert(COUNT(happenings) == HAPPENING_COUNT, "an event for every happening");

/* What comes of it. A cell that is not here is exact as well: nothing is done and not a byte of the machine changes. */
static const struct {
	enum situation in;
	enum happening on;
	const char *outcome;
} cells[] = {
	{ IDLE, ON_START, "idle @never: spawn" },
	{ IDLE, ON_SPAWNED, "starting @never" },
	{ IDLE, ON_EAGAIN, "retry @60" },
	{ IDLE, ON_ENOMEM, "retry @60" },
	{ IDLE, ON_EPERM, "done @never: exit 125" },
	{ IDLE, ON_TERM, "done @never: exit 143" },
	{ IDLE, ON_INT, "done @never: exit 130" },
	{ IDLE, ON_QUIT, "done @never: exit 131" },
	{ IDLE, ON_RTMIN_PLUS_3, "done @never: exit 165" },

	{ RETRY, ON_SPAWNED, "starting @never" },
	{ RETRY, ON_EAGAIN, "retry @112" },
	{ RETRY, ON_ENOMEM, "retry @112" },
	{ RETRY, ON_EPERM, "done @never: exit 125" },
	{ RETRY, ON_TERM, "done @never: exit 143" },
	{ RETRY, ON_INT, "done @never: exit 130" },
	{ RETRY, ON_QUIT, "done @never: exit 131" },
	{ RETRY, ON_RTMIN_PLUS_3, "done @never: exit 165" },
	{ RETRY, ON_TIME_DUE, "retry @never: spawn" },
	{ RETRY, ON_TIME_LATE, "retry @never: spawn" },

	{ RETRY_UNDER_WAY, ON_SPAWNED, "starting @never" },
	{ RETRY_UNDER_WAY, ON_EAGAIN, "retry @162" },
	{ RETRY_UNDER_WAY, ON_ENOMEM, "retry @162" },
	{ RETRY_UNDER_WAY, ON_EPERM, "done @never: exit 125" },
	{ RETRY_UNDER_WAY, ON_TERM, "done @never: exit 143" },
	{ RETRY_UNDER_WAY, ON_INT, "done @never: exit 130" },
	{ RETRY_UNDER_WAY, ON_QUIT, "done @never: exit 131" },
	{ RETRY_UNDER_WAY, ON_RTMIN_PLUS_3, "done @never: exit 165" },

	{ STARTING, ON_EXECUTED, "running @never" },
	{ STARTING, ON_TERM, "draining @2011: not-ready TERM" },
	{ STARTING, ON_INT, "draining @2011: not-ready INT" },
	{ STARTING, ON_QUIT, "draining @2011: not-ready QUIT" },
	{ STARTING, ON_RTMIN_PLUS_3, "draining @2011: not-ready RTMIN+3" },
	{ STARTING, ON_HUP, "starting @never: leader HUP" },
	{ STARTING, ON_RTMAX, "starting @never: leader RTMIN+30" },
	{ STARTING, ON_MAIN, "group @2511: end-monitor, group TERM" },
	{ STARTING, ON_LAST, "done @never: exit 9" },

	{ RUNNING_PLAIN, ON_TERM, "stopping @never: not-ready TERM, leader TERM" },
	{ RUNNING_PLAIN, ON_INT, "stopping @never: not-ready INT, leader INT" },
	{ RUNNING_PLAIN, ON_QUIT, "stopping @never: not-ready QUIT, leader QUIT" },
	{ RUNNING_PLAIN, ON_RTMIN_PLUS_3, "stopping @never: not-ready RTMIN+3, leader RTMIN+3" },
	{ RUNNING_PLAIN, ON_HUP, "running @never: leader HUP" },
	{ RUNNING_PLAIN, ON_RTMAX, "running @never: leader RTMIN+30" },
	{ RUNNING_PLAIN, ON_MAIN, "group @2515: end-monitor, group TERM" },
	{ RUNNING_PLAIN, ON_LAST, "done @never: exit 9" },

	{ RUNNING_DRAIN, ON_TERM, "draining @2015: not-ready TERM" },
	{ RUNNING_DRAIN, ON_INT, "draining @2015: not-ready INT" },
	{ RUNNING_DRAIN, ON_QUIT, "draining @2015: not-ready QUIT" },
	{ RUNNING_DRAIN, ON_RTMIN_PLUS_3, "draining @2015: not-ready RTMIN+3" },
	{ RUNNING_DRAIN, ON_HUP, "running @never: leader HUP" },
	{ RUNNING_DRAIN, ON_RTMAX, "running @never: leader RTMIN+30" },
	{ RUNNING_DRAIN, ON_MAIN, "group @2515: end-monitor, group TERM" },
	{ RUNNING_DRAIN, ON_LAST, "done @never: exit 9" },

	{ RUNNING_BUDGET, ON_TERM, "stopping @8015: not-ready TERM, leader TERM" },
	{ RUNNING_BUDGET, ON_INT, "stopping @8015: not-ready INT, leader INT" },
	{ RUNNING_BUDGET, ON_QUIT, "stopping @8015: not-ready QUIT, leader QUIT" },
	{ RUNNING_BUDGET, ON_RTMIN_PLUS_3, "stopping @8015: not-ready RTMIN+3, leader RTMIN+3" },
	{ RUNNING_BUDGET, ON_HUP, "running @never: leader HUP" },
	{ RUNNING_BUDGET, ON_RTMAX, "running @never: leader RTMIN+30" },
	{ RUNNING_BUDGET, ON_MAIN, "group @2515: end-monitor, group TERM" },
	{ RUNNING_BUDGET, ON_LAST, "done @never: exit 9" },

	{ RUNNING_FULL, ON_TERM, "draining @2015: not-ready TERM" },
	{ RUNNING_FULL, ON_INT, "draining @2015: not-ready INT" },
	{ RUNNING_FULL, ON_QUIT, "draining @2015: not-ready QUIT" },
	{ RUNNING_FULL, ON_RTMIN_PLUS_3, "draining @2015: not-ready RTMIN+3" },
	{ RUNNING_FULL, ON_HUP, "running @never: leader HUP" },
	{ RUNNING_FULL, ON_RTMAX, "running @never: leader RTMIN+30" },
	{ RUNNING_FULL, ON_MAIN, "group @2515: end-monitor, group TERM" },
	{ RUNNING_FULL, ON_LAST, "done @never: exit 9" },

	{ RUNNING_REWRITE, ON_TERM, "draining @2015: not-ready TERM" },
	{ RUNNING_REWRITE, ON_INT, "draining @2015: not-ready INT" },
	{ RUNNING_REWRITE, ON_QUIT, "draining @2015: not-ready QUIT" },
	{ RUNNING_REWRITE, ON_RTMIN_PLUS_3, "draining @2015: not-ready RTMIN+3" },
	{ RUNNING_REWRITE, ON_HUP, "running @never: leader HUP" },
	{ RUNNING_REWRITE, ON_RTMAX, "running @never: leader RTMIN+30" },
	{ RUNNING_REWRITE, ON_MAIN, "group @2515: end-monitor, group QUIT" },
	{ RUNNING_REWRITE, ON_LAST, "done @never: exit 9" },

	{ RUNNING_SHORT, ON_TERM, "stopping @1015: not-ready TERM, leader TERM" },
	{ RUNNING_SHORT, ON_INT, "stopping @1015: not-ready INT, leader INT" },
	{ RUNNING_SHORT, ON_QUIT, "stopping @1015: not-ready QUIT, leader QUIT" },
	{ RUNNING_SHORT, ON_RTMIN_PLUS_3, "stopping @1015: not-ready RTMIN+3, leader RTMIN+3" },
	{ RUNNING_SHORT, ON_HUP, "running @never: leader HUP" },
	{ RUNNING_SHORT, ON_RTMAX, "running @never: leader RTMIN+30" },
	{ RUNNING_SHORT, ON_MAIN, "group @515: end-monitor, group TERM" },
	{ RUNNING_SHORT, ON_LAST, "done @never: exit 9" },

	{ RUNNING_TIGHT, ON_TERM, "draining @1015: not-ready TERM" },
	{ RUNNING_TIGHT, ON_INT, "draining @1015: not-ready INT" },
	{ RUNNING_TIGHT, ON_QUIT, "draining @1015: not-ready QUIT" },
	{ RUNNING_TIGHT, ON_RTMIN_PLUS_3, "draining @1015: not-ready RTMIN+3" },
	{ RUNNING_TIGHT, ON_HUP, "running @never: leader HUP" },
	{ RUNNING_TIGHT, ON_RTMAX, "running @never: leader RTMIN+30" },
	{ RUNNING_TIGHT, ON_MAIN, "group @515: end-monitor, group TERM" },
	{ RUNNING_TIGHT, ON_LAST, "done @never: exit 9" },

	{ DRAINING_NO_BUDGET, ON_TERM, "stopping @never: leader TERM" },
	{ DRAINING_NO_BUDGET, ON_INT, "stopping @never: leader TERM" },
	{ DRAINING_NO_BUDGET, ON_QUIT, "stopping @never: leader TERM" },
	{ DRAINING_NO_BUDGET, ON_RTMIN_PLUS_3, "stopping @never: leader TERM" },
	{ DRAINING_NO_BUDGET, ON_HUP, "draining @12000: leader HUP" },
	{ DRAINING_NO_BUDGET, ON_RTMAX, "draining @12000: leader RTMIN+30" },
	{ DRAINING_NO_BUDGET, ON_MAIN, "group @12510: end-monitor, group TERM" },
	{ DRAINING_NO_BUDGET, ON_LAST, "done @never: exit 9" },
	{ DRAINING_NO_BUDGET, ON_TIME_DUE, "stopping @never: leader TERM" },
	{ DRAINING_NO_BUDGET, ON_TIME_LATE, "stopping @never: leader TERM" },

	{ DRAINING, ON_TERM, "stopping @18000: leader TERM" },
	{ DRAINING, ON_INT, "stopping @18000: leader TERM" },
	{ DRAINING, ON_QUIT, "stopping @18000: leader TERM" },
	{ DRAINING, ON_RTMIN_PLUS_3, "stopping @18000: leader TERM" },
	{ DRAINING, ON_HUP, "draining @12000: leader HUP" },
	{ DRAINING, ON_RTMAX, "draining @12000: leader RTMIN+30" },
	{ DRAINING, ON_MAIN, "group @14005: end-monitor, group TERM" },
	{ DRAINING, ON_LAST, "done @never: exit 9" },
	{ DRAINING, ON_TIME_DUE, "stopping @18000: leader TERM" },
	{ DRAINING, ON_TIME_LATE, "killing @3612100: end-monitor, orphans KILL" },

	{ DRAINING_REWRITE, ON_TERM, "stopping @18000: leader QUIT" },
	{ DRAINING_REWRITE, ON_INT, "stopping @18000: leader QUIT" },
	{ DRAINING_REWRITE, ON_QUIT, "stopping @18000: leader QUIT" },
	{ DRAINING_REWRITE, ON_RTMIN_PLUS_3, "stopping @18000: leader QUIT" },
	{ DRAINING_REWRITE, ON_HUP, "draining @12000: leader HUP" },
	{ DRAINING_REWRITE, ON_RTMAX, "draining @12000: leader RTMIN+30" },
	{ DRAINING_REWRITE, ON_MAIN, "group @14005: end-monitor, group QUIT" },
	{ DRAINING_REWRITE, ON_LAST, "done @never: exit 9" },
	{ DRAINING_REWRITE, ON_TIME_DUE, "stopping @18000: leader QUIT" },
	{ DRAINING_REWRITE, ON_TIME_LATE, "killing @3612100: end-monitor, orphans KILL" },

	{ DRAINING_TIGHT, ON_TERM, "stopping @11000: leader TERM" },
	{ DRAINING_TIGHT, ON_INT, "stopping @11000: leader TERM" },
	{ DRAINING_TIGHT, ON_QUIT, "stopping @11000: leader TERM" },
	{ DRAINING_TIGHT, ON_RTMIN_PLUS_3, "stopping @11000: leader TERM" },
	{ DRAINING_TIGHT, ON_HUP, "draining @11000: leader HUP" },
	{ DRAINING_TIGHT, ON_RTMAX, "draining @11000: leader RTMIN+30" },
	{ DRAINING_TIGHT, ON_MAIN, "group @10505: end-monitor, group TERM" },
	{ DRAINING_TIGHT, ON_LAST, "done @never: exit 9" },
	{ DRAINING_TIGHT, ON_TIME_DUE, "killing @11100: end-monitor, orphans KILL" },
	{ DRAINING_TIGHT, ON_TIME_LATE, "killing @3611100: end-monitor, orphans KILL" },

	{ RUNNING_HOOK, ON_TERM, "pre-stop @3015: not-ready TERM, pre-stop" },
	{ RUNNING_HOOK, ON_INT, "pre-stop @3015: not-ready INT, pre-stop" },
	{ RUNNING_HOOK, ON_QUIT, "pre-stop @3015: not-ready QUIT, pre-stop" },
	{ RUNNING_HOOK, ON_RTMIN_PLUS_3, "pre-stop @3015: not-ready RTMIN+3, pre-stop" },
	{ RUNNING_HOOK, ON_HUP, "running @never: leader HUP" },
	{ RUNNING_HOOK, ON_RTMAX, "running @never: leader RTMIN+30" },
	{ RUNNING_HOOK, ON_MAIN, "group @2515: end-monitor, group TERM" },
	{ RUNNING_HOOK, ON_LAST, "done @never: exit 9" },

	{ DRAINING_HOOK, ON_TERM, "pre-stop @13010: pre-stop" },
	{ DRAINING_HOOK, ON_INT, "pre-stop @13010: pre-stop" },
	{ DRAINING_HOOK, ON_QUIT, "pre-stop @13010: pre-stop" },
	{ DRAINING_HOOK, ON_RTMIN_PLUS_3, "pre-stop @13010: pre-stop" },
	{ DRAINING_HOOK, ON_HUP, "draining @12000: leader HUP" },
	{ DRAINING_HOOK, ON_RTMAX, "draining @12000: leader RTMIN+30" },
	{ DRAINING_HOOK, ON_MAIN, "group @14005: end-monitor, group QUIT" },
	{ DRAINING_HOOK, ON_LAST, "done @never: exit 9" },
	{ DRAINING_HOOK, ON_TIME_DUE, "pre-stop @15000: pre-stop" },
	{ DRAINING_HOOK, ON_TIME_LATE, "killing @3612100: end-monitor, orphans KILL" },

	{ PRE_STOP_PLAIN, ON_TERM, "stopping @never: kill-pre-stop, leader TERM" },
	{ PRE_STOP_PLAIN, ON_INT, "stopping @never: kill-pre-stop, leader TERM" },
	{ PRE_STOP_PLAIN, ON_QUIT, "stopping @never: kill-pre-stop, leader TERM" },
	{ PRE_STOP_PLAIN, ON_RTMIN_PLUS_3, "stopping @never: kill-pre-stop, leader TERM" },
	{ PRE_STOP_PLAIN, ON_HUP, "pre-stop @13000: leader HUP" },
	{ PRE_STOP_PLAIN, ON_RTMAX, "pre-stop @13000: leader RTMIN+30" },
	{ PRE_STOP_PLAIN, ON_PRE_STOP_ENDED, "stopping @never: leader TERM" },
	{ PRE_STOP_PLAIN, ON_MAIN, "group @12510: end-monitor, group TERM" },
	{ PRE_STOP_PLAIN, ON_LAST, "done @never: exit 9" },
	{ PRE_STOP_PLAIN, ON_TIME_DUE, "stopping @never: kill-pre-stop, leader TERM" },
	{ PRE_STOP_PLAIN, ON_TIME_LATE, "stopping @never: kill-pre-stop, leader TERM" },

	{ PRE_STOP, ON_TERM, "stopping @18000: kill-pre-stop, leader QUIT" },
	{ PRE_STOP, ON_INT, "stopping @18000: kill-pre-stop, leader QUIT" },
	{ PRE_STOP, ON_QUIT, "stopping @18000: kill-pre-stop, leader QUIT" },
	{ PRE_STOP, ON_RTMIN_PLUS_3, "stopping @18000: kill-pre-stop, leader QUIT" },
	{ PRE_STOP, ON_HUP, "pre-stop @15000: leader HUP" },
	{ PRE_STOP, ON_RTMAX, "pre-stop @15000: leader RTMIN+30" },
	{ PRE_STOP, ON_PRE_STOP_ENDED, "stopping @18000: leader QUIT" },
	{ PRE_STOP, ON_MAIN, "group @15005: end-monitor, group QUIT" },
	{ PRE_STOP, ON_LAST, "done @never: exit 9" },
	{ PRE_STOP, ON_TIME_DUE, "stopping @18000: kill-pre-stop, leader QUIT" },
	{ PRE_STOP, ON_TIME_LATE, "killing @3615100: end-monitor, orphans KILL" },

	{ PRE_STOP_TIGHT, ON_TERM, "stopping @18000: kill-pre-stop, leader TERM" },
	{ PRE_STOP_TIGHT, ON_INT, "stopping @18000: kill-pre-stop, leader TERM" },
	{ PRE_STOP_TIGHT, ON_QUIT, "stopping @18000: kill-pre-stop, leader TERM" },
	{ PRE_STOP_TIGHT, ON_RTMIN_PLUS_3, "stopping @18000: kill-pre-stop, leader TERM" },
	{ PRE_STOP_TIGHT, ON_HUP, "pre-stop @18000: leader HUP" },
	{ PRE_STOP_TIGHT, ON_RTMAX, "pre-stop @18000: leader RTMIN+30" },
	{ PRE_STOP_TIGHT, ON_PRE_STOP_ENDED, "stopping @18000: leader TERM" },
	{ PRE_STOP_TIGHT, ON_MAIN, "group @15005: end-monitor, group TERM" },
	{ PRE_STOP_TIGHT, ON_LAST, "done @never: exit 9" },
	{ PRE_STOP_TIGHT, ON_TIME_DUE, "killing @18100: end-monitor, orphans KILL" },
	{ PRE_STOP_TIGHT, ON_TIME_LATE, "killing @3618100: end-monitor, orphans KILL" },

	{ STOPPING_PLAIN, ON_TERM, "stopping @never: leader TERM" },
	{ STOPPING_PLAIN, ON_INT, "stopping @never: leader INT" },
	{ STOPPING_PLAIN, ON_QUIT, "stopping @never: leader QUIT" },
	{ STOPPING_PLAIN, ON_RTMIN_PLUS_3, "stopping @never: leader RTMIN+3" },
	{ STOPPING_PLAIN, ON_HUP, "stopping @never: leader HUP" },
	{ STOPPING_PLAIN, ON_RTMAX, "stopping @never: leader RTMIN+30" },
	{ STOPPING_PLAIN, ON_MAIN, "group @12510: end-monitor, group TERM" },
	{ STOPPING_PLAIN, ON_LAST, "done @never: exit 9" },

	{ STOPPING, ON_TERM, "stopping @18000: leader TERM" },
	{ STOPPING, ON_INT, "stopping @18000: leader INT" },
	{ STOPPING, ON_QUIT, "stopping @18000: leader QUIT" },
	{ STOPPING, ON_RTMIN_PLUS_3, "stopping @18000: leader RTMIN+3" },
	{ STOPPING, ON_HUP, "stopping @18000: leader HUP" },
	{ STOPPING, ON_RTMAX, "stopping @18000: leader RTMIN+30" },
	{ STOPPING, ON_MAIN, "group @15005: end-monitor, group TERM" },
	{ STOPPING, ON_LAST, "done @never: exit 9" },
	{ STOPPING, ON_TIME_DUE, "killing @18100: end-monitor, orphans KILL" },
	{ STOPPING, ON_TIME_LATE, "killing @3618100: end-monitor, orphans KILL" },

	{ STOPPING_REWRITE, ON_TERM, "stopping @18000: leader QUIT" },
	{ STOPPING_REWRITE, ON_INT, "stopping @18000: leader QUIT" },
	{ STOPPING_REWRITE, ON_QUIT, "stopping @18000: leader QUIT" },
	{ STOPPING_REWRITE, ON_RTMIN_PLUS_3, "stopping @18000: leader QUIT" },
	{ STOPPING_REWRITE, ON_HUP, "stopping @18000: leader HUP" },
	{ STOPPING_REWRITE, ON_RTMAX, "stopping @18000: leader RTMIN+30" },
	{ STOPPING_REWRITE, ON_MAIN, "group @15005: end-monitor, group QUIT" },
	{ STOPPING_REWRITE, ON_LAST, "done @never: exit 9" },
	{ STOPPING_REWRITE, ON_TIME_DUE, "killing @18100: end-monitor, orphans KILL" },
	{ STOPPING_REWRITE, ON_TIME_LATE, "killing @3618100: end-monitor, orphans KILL" },

	{ GROUP, ON_TERM, "group @15500: group TERM" },
	{ GROUP, ON_INT, "group @15500: group INT" },
	{ GROUP, ON_QUIT, "group @15500: group QUIT" },
	{ GROUP, ON_RTMIN_PLUS_3, "group @15500: group RTMIN+3" },
	{ GROUP, ON_HUP, "group @15500: group HUP" },
	{ GROUP, ON_RTMAX, "group @15500: group RTMIN+30" },
	{ GROUP, ON_GROUP_GONE, "orphans @18000: orphans TERM" },
	{ GROUP, ON_NO_CHILDREN, "done @never: exit 7" },
	{ GROUP, ON_TIME_DUE, "orphans @18000: orphans TERM" },
	{ GROUP, ON_TIME_LATE, "killing @3615600: end-monitor, orphans KILL" },

	{ GROUP_REWRITE, ON_TERM, "group @15500: group QUIT" },
	{ GROUP_REWRITE, ON_INT, "group @15500: group QUIT" },
	{ GROUP_REWRITE, ON_QUIT, "group @15500: group QUIT" },
	{ GROUP_REWRITE, ON_RTMIN_PLUS_3, "group @15500: group QUIT" },
	{ GROUP_REWRITE, ON_HUP, "group @15500: group HUP" },
	{ GROUP_REWRITE, ON_RTMAX, "group @15500: group RTMIN+30" },
	{ GROUP_REWRITE, ON_GROUP_GONE, "orphans @18000: orphans QUIT" },
	{ GROUP_REWRITE, ON_NO_CHILDREN, "done @never: exit 7" },
	{ GROUP_REWRITE, ON_TIME_DUE, "orphans @18000: orphans QUIT" },
	{ GROUP_REWRITE, ON_TIME_LATE, "killing @3615600: end-monitor, orphans KILL" },

	{ GROUP_NO_BUDGET, ON_TERM, "group @15500: group TERM" },
	{ GROUP_NO_BUDGET, ON_INT, "group @15500: group INT" },
	{ GROUP_NO_BUDGET, ON_QUIT, "group @15500: group QUIT" },
	{ GROUP_NO_BUDGET, ON_RTMIN_PLUS_3, "group @15500: group RTMIN+3" },
	{ GROUP_NO_BUDGET, ON_HUP, "group @15500: group HUP" },
	{ GROUP_NO_BUDGET, ON_RTMAX, "group @15500: group RTMIN+30" },
	{ GROUP_NO_BUDGET, ON_GROUP_GONE, "orphans @18000: orphans TERM" },
	{ GROUP_NO_BUDGET, ON_NO_CHILDREN, "done @never: exit 7" },
	{ GROUP_NO_BUDGET, ON_TIME_DUE, "orphans @18000: orphans TERM" },
	{ GROUP_NO_BUDGET, ON_TIME_LATE, "killing @3615600: end-monitor, orphans KILL" },

	{ GROUP_BY_ITSELF, ON_TERM, "group @12500: group TERM" },
	{ GROUP_BY_ITSELF, ON_INT, "group @12500: group INT" },
	{ GROUP_BY_ITSELF, ON_QUIT, "group @12500: group QUIT" },
	{ GROUP_BY_ITSELF, ON_RTMIN_PLUS_3, "group @12500: group RTMIN+3" },
	{ GROUP_BY_ITSELF, ON_HUP, "group @12500: group HUP" },
	{ GROUP_BY_ITSELF, ON_RTMAX, "group @12500: group RTMIN+30" },
	{ GROUP_BY_ITSELF, ON_GROUP_GONE, "orphans @15000: orphans TERM" },
	{ GROUP_BY_ITSELF, ON_NO_CHILDREN, "done @never: exit 139" },
	{ GROUP_BY_ITSELF, ON_TIME_DUE, "orphans @15000: orphans TERM" },
	{ GROUP_BY_ITSELF, ON_TIME_LATE, "killing @3612600: end-monitor, orphans KILL" },

	{ ORPHANS, ON_TERM, "orphans @18000: orphans TERM" },
	{ ORPHANS, ON_INT, "orphans @18000: orphans INT" },
	{ ORPHANS, ON_QUIT, "orphans @18000: orphans QUIT" },
	{ ORPHANS, ON_RTMIN_PLUS_3, "orphans @18000: orphans RTMIN+3" },
	{ ORPHANS, ON_HUP, "orphans @18000: orphans HUP" },
	{ ORPHANS, ON_RTMAX, "orphans @18000: orphans RTMIN+30" },
	{ ORPHANS, ON_NO_CHILDREN, "done @never: exit 7" },
	{ ORPHANS, ON_TIME_DUE, "killing @18100: end-monitor, orphans KILL" },
	{ ORPHANS, ON_TIME_LATE, "killing @3618100: end-monitor, orphans KILL" },

	{ ORPHANS_REWRITE, ON_TERM, "orphans @18000: orphans QUIT" },
	{ ORPHANS_REWRITE, ON_INT, "orphans @18000: orphans QUIT" },
	{ ORPHANS_REWRITE, ON_QUIT, "orphans @18000: orphans QUIT" },
	{ ORPHANS_REWRITE, ON_RTMIN_PLUS_3, "orphans @18000: orphans QUIT" },
	{ ORPHANS_REWRITE, ON_HUP, "orphans @18000: orphans HUP" },
	{ ORPHANS_REWRITE, ON_RTMAX, "orphans @18000: orphans RTMIN+30" },
	{ ORPHANS_REWRITE, ON_NO_CHILDREN, "done @never: exit 7" },
	{ ORPHANS_REWRITE, ON_TIME_DUE, "killing @18100: end-monitor, orphans KILL" },
	{ ORPHANS_REWRITE, ON_TIME_LATE, "killing @3618100: end-monitor, orphans KILL" },

	{ ORPHANS_BY_THEMSELVES, ON_TERM, "orphans @15000: orphans TERM" },
	{ ORPHANS_BY_THEMSELVES, ON_INT, "orphans @15000: orphans INT" },
	{ ORPHANS_BY_THEMSELVES, ON_QUIT, "orphans @15000: orphans QUIT" },
	{ ORPHANS_BY_THEMSELVES, ON_RTMIN_PLUS_3, "orphans @15000: orphans RTMIN+3" },
	{ ORPHANS_BY_THEMSELVES, ON_HUP, "orphans @15000: orphans HUP" },
	{ ORPHANS_BY_THEMSELVES, ON_RTMAX, "orphans @15000: orphans RTMIN+30" },
	{ ORPHANS_BY_THEMSELVES, ON_NO_CHILDREN, "done @never: exit 139" },
	{ ORPHANS_BY_THEMSELVES, ON_TIME_DUE, "killing @15100: end-monitor, orphans KILL" },
	{ ORPHANS_BY_THEMSELVES, ON_TIME_LATE, "killing @3615100: end-monitor, orphans KILL" },

	/* main is noted, and nothing is said to it any more */
	{ KILLING_MAIN, ON_MAIN, "killing @18100" },
	{ KILLING_MAIN, ON_LAST, "done @never: exit 9" },
	{ KILLING_MAIN, ON_TIME_DUE, "killing @18200: orphans KILL" },
	{ KILLING_MAIN, ON_TIME_LATE, "done @never: exit 137" },

	{ KILLING_THE_REST, ON_NO_CHILDREN, "done @never: exit 7" },
	{ KILLING_THE_REST, ON_TIME_DUE, "killing @18200: orphans KILL" },
	{ KILLING_THE_REST, ON_TIME_LATE, "done @never: exit 7" },

	{ RUNNING_PLAIN, ON_ORDER_STOP, "stopping @10015: not-ready, leader TERM" },
	{ RUNNING_PLAIN, ON_ORDER_RESTART, "stopping @10015: not-ready, leader TERM" },
	{ RUNNING_PLAIN, ON_ORDER_ROTATED, "stopping @10015: not-ready, leader TERM" },
	{ RUNNING_PLAIN, ON_ORDER_AGAIN, "stopping @10015: not-ready, leader TERM" },
	{ RUNNING_PLAIN, ON_ORDER_LATE, "stopping @10015: not-ready, leader TERM" },
	{ RUNNING_DRAIN, ON_ORDER_STOP, "draining @2015: not-ready" },
	{ RUNNING_DRAIN, ON_ORDER_RESTART, "draining @2015: not-ready" },
	{ RUNNING_DRAIN, ON_ORDER_ROTATED, "draining @2015: not-ready" },
	{ RUNNING_DRAIN, ON_ORDER_AGAIN, "draining @2015: not-ready" },
	{ RUNNING_DRAIN, ON_ORDER_LATE, "draining @2015: not-ready" },
	{ RUNNING_BUDGET, ON_ORDER_STOP, "stopping @8015: not-ready, leader TERM" },
	{ RUNNING_BUDGET, ON_ORDER_RESTART, "stopping @8015: not-ready, leader TERM" },
	{ RUNNING_BUDGET, ON_ORDER_ROTATED, "stopping @8015: not-ready, leader TERM" },
	{ RUNNING_BUDGET, ON_ORDER_AGAIN, "stopping @8015: not-ready, leader TERM" },
	{ RUNNING_BUDGET, ON_ORDER_LATE, "stopping @8015: not-ready, leader TERM" },
	{ RUNNING_FULL, ON_ORDER_STOP, "draining @2015: not-ready" },
	{ RUNNING_FULL, ON_ORDER_RESTART, "draining @2015: not-ready" },
	{ RUNNING_FULL, ON_ORDER_ROTATED, "draining @2015: not-ready" },
	{ RUNNING_FULL, ON_ORDER_AGAIN, "draining @2015: not-ready" },
	{ RUNNING_FULL, ON_ORDER_LATE, "draining @2015: not-ready" },
	{ RUNNING_REWRITE, ON_ORDER_STOP, "draining @2015: not-ready" },
	{ RUNNING_REWRITE, ON_ORDER_RESTART, "draining @2015: not-ready" },
	{ RUNNING_REWRITE, ON_ORDER_ROTATED, "draining @2015: not-ready" },
	{ RUNNING_REWRITE, ON_ORDER_AGAIN, "draining @2015: not-ready" },
	{ RUNNING_REWRITE, ON_ORDER_LATE, "draining @2015: not-ready" },
	{ RUNNING_SHORT, ON_ORDER_STOP, "stopping @1015: not-ready, leader TERM" },
	{ RUNNING_SHORT, ON_ORDER_RESTART, "stopping @1015: not-ready, leader TERM" },
	{ RUNNING_SHORT, ON_ORDER_ROTATED, "stopping @1015: not-ready, leader TERM" },
	{ RUNNING_SHORT, ON_ORDER_AGAIN, "stopping @1015: not-ready, leader TERM" },
	{ RUNNING_SHORT, ON_ORDER_LATE, "stopping @1015: not-ready, leader TERM" },
	{ RUNNING_TIGHT, ON_ORDER_STOP, "draining @1015: not-ready" },
	{ RUNNING_TIGHT, ON_ORDER_RESTART, "draining @1015: not-ready" },
	{ RUNNING_TIGHT, ON_ORDER_ROTATED, "draining @1015: not-ready" },
	{ RUNNING_TIGHT, ON_ORDER_AGAIN, "draining @1015: not-ready" },
	{ RUNNING_TIGHT, ON_ORDER_LATE, "draining @1015: not-ready" },
	{ RUNNING_HOOK, ON_ORDER_STOP, "pre-stop @3015: not-ready, pre-stop" },
	{ RUNNING_HOOK, ON_ORDER_RESTART, "pre-stop @3015: not-ready, pre-stop" },
	{ RUNNING_HOOK, ON_ORDER_ROTATED, "pre-stop @3015: not-ready, pre-stop" },
	{ RUNNING_HOOK, ON_ORDER_AGAIN, "pre-stop @3015: not-ready, pre-stop" },
	{ RUNNING_HOOK, ON_ORDER_LATE, "pre-stop @3015: not-ready, pre-stop" },
	{ RUNNING_FAILURES, ON_ORDER_STOP, "draining @2015: not-ready" },
	{ RUNNING_FAILURES, ON_ORDER_RESTART, "draining @2015: not-ready" },
	{ RUNNING_FAILURES, ON_ORDER_ROTATED, "draining @2015: not-ready" },
	{ RUNNING_FAILURES, ON_ORDER_AGAIN, "draining @2015: not-ready" },
	{ RUNNING_FAILURES, ON_ORDER_LATE, "draining @2015: not-ready" },

	{ RUNNING_FAILURES, ON_TERM, "draining @2015: not-ready TERM" },
	{ RUNNING_FAILURES, ON_INT, "draining @2015: not-ready INT" },
	{ RUNNING_FAILURES, ON_QUIT, "draining @2015: not-ready QUIT" },
	{ RUNNING_FAILURES, ON_RTMIN_PLUS_3, "draining @2015: not-ready RTMIN+3" },
	{ RUNNING_FAILURES, ON_HUP, "running @never: leader HUP" },
	{ RUNNING_FAILURES, ON_RTMAX, "running @never: leader RTMIN+30" },
	{ RUNNING_FAILURES, ON_MAIN, "group @2515: group TERM" },
	{ RUNNING_FAILURES, ON_LAST, "backoff @15: restarting" },

	{ DRAINING_BY_ORDER, ON_TERM, "stopping @18000: not-ready TERM, leader TERM" },
	{ DRAINING_BY_ORDER, ON_INT, "stopping @18000: not-ready INT, leader TERM" },
	{ DRAINING_BY_ORDER, ON_QUIT, "stopping @18000: not-ready QUIT, leader TERM" },
	{ DRAINING_BY_ORDER, ON_RTMIN_PLUS_3, "stopping @18000: not-ready RTMIN+3, leader TERM" },
	{ DRAINING_BY_ORDER, ON_HUP, "draining @12000: leader HUP" },
	{ DRAINING_BY_ORDER, ON_RTMAX, "draining @12000: leader RTMIN+30" },
	{ DRAINING_BY_ORDER, ON_MAIN, "group @14005: group TERM" },
	{ DRAINING_BY_ORDER, ON_LAST, "backoff @10010: restarting" },
	{ DRAINING_BY_ORDER, ON_TIME_DUE, "stopping @18000: leader TERM" },
	{ DRAINING_BY_ORDER, ON_TIME_LATE, "killing @3612100: orphans KILL" },

	{ STOPPING_BY_ORDER, ON_TERM, "stopping @18000: not-ready TERM, leader TERM" },
	{ STOPPING_BY_ORDER, ON_INT, "stopping @18000: not-ready INT, leader INT" },
	{ STOPPING_BY_ORDER, ON_QUIT, "stopping @18000: not-ready QUIT, leader QUIT" },
	{ STOPPING_BY_ORDER, ON_RTMIN_PLUS_3, "stopping @18000: not-ready RTMIN+3, leader RTMIN+3" },
	{ STOPPING_BY_ORDER, ON_HUP, "stopping @18000: leader HUP" },
	{ STOPPING_BY_ORDER, ON_RTMAX, "stopping @18000: leader RTMIN+30" },
	{ STOPPING_BY_ORDER, ON_MAIN, "group @15005: group TERM" },
	{ STOPPING_BY_ORDER, ON_LAST, "backoff @12010: restarting" },
	{ STOPPING_BY_ORDER, ON_TIME_DUE, "killing @18100: orphans KILL" },
	{ STOPPING_BY_ORDER, ON_TIME_LATE, "killing @3618100: orphans KILL" },

	{ GROUP_BEFORE_RESTART, ON_TERM, "group @12500: not-ready TERM, end-monitor, group TERM" },
	{ GROUP_BEFORE_RESTART, ON_INT, "group @12500: not-ready INT, end-monitor, group INT" },
	{ GROUP_BEFORE_RESTART, ON_QUIT, "group @12500: not-ready QUIT, end-monitor, group QUIT" },
	{ GROUP_BEFORE_RESTART, ON_RTMIN_PLUS_3, "group @12500: not-ready RTMIN+3, end-monitor, group RTMIN+3" },
	{ GROUP_BEFORE_RESTART, ON_HUP, "group @12500: group HUP" },
	{ GROUP_BEFORE_RESTART, ON_RTMAX, "group @12500: group RTMIN+30" },
	{ GROUP_BEFORE_RESTART, ON_GROUP_GONE, "orphans @15000: orphans TERM" },
	{ GROUP_BEFORE_RESTART, ON_NO_CHILDREN, "backoff @10010: restarting" },
	{ GROUP_BEFORE_RESTART, ON_TIME_DUE, "orphans @15000: orphans TERM" },
	{ GROUP_BEFORE_RESTART, ON_TIME_LATE, "killing @3612600: orphans KILL" },

	{ KILLING_BEFORE_RESTART, ON_TERM, "killing @15100: not-ready TERM, end-monitor" },
	{ KILLING_BEFORE_RESTART, ON_INT, "killing @15100: not-ready INT, end-monitor" },
	{ KILLING_BEFORE_RESTART, ON_QUIT, "killing @15100: not-ready QUIT, end-monitor" },
	{ KILLING_BEFORE_RESTART, ON_RTMIN_PLUS_3, "killing @15100: not-ready RTMIN+3, end-monitor" },
	{ KILLING_BEFORE_RESTART, ON_NO_CHILDREN, "backoff @15010: restarting" },
	{ KILLING_BEFORE_RESTART, ON_TIME_DUE, "killing @15200: orphans KILL" },
	{ KILLING_BEFORE_RESTART, ON_TIME_LATE, "backoff @3615100: restarting" },

	{ BACKOFF, ON_ORDER_AGAIN, "backoff @never: spawn" },
	{ BACKOFF, ON_SPAWNED, "starting @never" },
	{ BACKOFF, ON_EAGAIN, "retry @10060" },
	{ BACKOFF, ON_ENOMEM, "retry @10060" },
	{ BACKOFF, ON_EPERM, "done @never: exit 125" },
	{ BACKOFF, ON_TERM, "done @never: exit 7" },
	{ BACKOFF, ON_INT, "done @never: exit 7" },
	{ BACKOFF, ON_QUIT, "done @never: exit 7" },
	{ BACKOFF, ON_RTMIN_PLUS_3, "done @never: exit 7" },
	{ BACKOFF, ON_ORDER_ROTATED, "backoff @never: spawn" },
	{ BACKOFF, ON_TIME_DUE, "backoff @never: spawn" },
	{ BACKOFF, ON_TIME_LATE, "backoff @never: spawn" },

	{ BACKOFF_UNDER_WAY, ON_SPAWNED, "starting @never" },
	{ BACKOFF_UNDER_WAY, ON_EAGAIN, "retry @10061" },
	{ BACKOFF_UNDER_WAY, ON_ENOMEM, "retry @10061" },
	{ BACKOFF_UNDER_WAY, ON_EPERM, "done @never: exit 125" },
	{ BACKOFF_UNDER_WAY, ON_TERM, "done @never: exit 7" },
	{ BACKOFF_UNDER_WAY, ON_INT, "done @never: exit 7" },
	{ BACKOFF_UNDER_WAY, ON_QUIT, "done @never: exit 7" },
	{ BACKOFF_UNDER_WAY, ON_RTMIN_PLUS_3, "done @never: exit 7" },

	{ RUNNING_WATCHED, ON_TERM, "draining @2015: not-ready TERM" },
	{ RUNNING_WATCHED, ON_INT, "draining @2015: not-ready INT" },
	{ RUNNING_WATCHED, ON_QUIT, "draining @2015: not-ready QUIT" },
	{ RUNNING_WATCHED, ON_RTMIN_PLUS_3, "draining @2015: not-ready RTMIN+3" },
	{ RUNNING_WATCHED, ON_HUP, "running @never: leader HUP" },
	{ RUNNING_WATCHED, ON_RTMAX, "running @never: leader RTMIN+30" },
	{ RUNNING_WATCHED, ON_MAIN, "group @2515: group TERM" },
	{ RUNNING_WATCHED, ON_LAST, "backoff @never: restarting" },
	{ RUNNING_WATCHED, ON_ORDER_STOP, "draining @2015: not-ready" },
	{ RUNNING_WATCHED, ON_ORDER_RESTART, "draining @2015: not-ready" },
	{ RUNNING_WATCHED, ON_ORDER_ROTATED, "draining @2015: not-ready" },
	{ RUNNING_WATCHED, ON_ORDER_LATE, "draining @2015: not-ready" },
	{ RUNNING_WATCHED, ON_ORDER_CHANGED, "draining @2015: not-ready" },
	{ RUNNING_WATCHED, ON_ORDER_AGAIN, "draining @2015: not-ready" },

	{ DRAINING_BY_CHANGE, ON_TERM, "stopping @18000: not-ready TERM, leader TERM" },
	{ DRAINING_BY_CHANGE, ON_INT, "stopping @18000: not-ready INT, leader TERM" },
	{ DRAINING_BY_CHANGE, ON_QUIT, "stopping @18000: not-ready QUIT, leader TERM" },
	{ DRAINING_BY_CHANGE, ON_RTMIN_PLUS_3, "stopping @18000: not-ready RTMIN+3, leader TERM" },
	{ DRAINING_BY_CHANGE, ON_HUP, "draining @12000: leader HUP" },
	{ DRAINING_BY_CHANGE, ON_RTMAX, "draining @12000: leader RTMIN+30" },
	{ DRAINING_BY_CHANGE, ON_MAIN, "group @14005: group TERM" },
	{ DRAINING_BY_CHANGE, ON_LAST, "backoff @10010: restarting" },
	{ DRAINING_BY_CHANGE, ON_TIME_DUE, "stopping @18000: leader TERM" },
	{ DRAINING_BY_CHANGE, ON_TIME_LATE, "killing @3612100: orphans KILL" },

	{ STOPPING_BY_CHANGE, ON_TERM, "stopping @18000: not-ready TERM, leader TERM" },
	{ STOPPING_BY_CHANGE, ON_INT, "stopping @18000: not-ready INT, leader INT" },
	{ STOPPING_BY_CHANGE, ON_QUIT, "stopping @18000: not-ready QUIT, leader QUIT" },
	{ STOPPING_BY_CHANGE, ON_RTMIN_PLUS_3, "stopping @18000: not-ready RTMIN+3, leader RTMIN+3" },
	{ STOPPING_BY_CHANGE, ON_HUP, "stopping @18000: leader HUP" },
	{ STOPPING_BY_CHANGE, ON_RTMAX, "stopping @18000: leader RTMIN+30" },
	{ STOPPING_BY_CHANGE, ON_MAIN, "group @15005: group TERM" },
	{ STOPPING_BY_CHANGE, ON_LAST, "backoff @12010: restarting" },
	{ STOPPING_BY_CHANGE, ON_TIME_DUE, "killing @18100: orphans KILL" },
	{ STOPPING_BY_CHANGE, ON_TIME_LATE, "killing @3618100: orphans KILL" },

	{ GROUP_BEFORE_WAITING, ON_TERM, "group @12500: not-ready TERM, end-monitor, group TERM" },
	{ GROUP_BEFORE_WAITING, ON_INT, "group @12500: not-ready INT, end-monitor, group INT" },
	{ GROUP_BEFORE_WAITING, ON_QUIT, "group @12500: not-ready QUIT, end-monitor, group QUIT" },
	{ GROUP_BEFORE_WAITING, ON_RTMIN_PLUS_3, "group @12500: not-ready RTMIN+3, end-monitor, group RTMIN+3" },
	{ GROUP_BEFORE_WAITING, ON_HUP, "group @12500: group HUP" },
	{ GROUP_BEFORE_WAITING, ON_RTMAX, "group @12500: group RTMIN+30" },
	{ GROUP_BEFORE_WAITING, ON_GROUP_GONE, "orphans @15000: orphans TERM" },
	{ GROUP_BEFORE_WAITING, ON_NO_CHILDREN, "backoff @never: restarting" },
	{ GROUP_BEFORE_WAITING, ON_TIME_DUE, "orphans @15000: orphans TERM" },
	{ GROUP_BEFORE_WAITING, ON_TIME_LATE, "killing @3612600: orphans KILL" },

	{ WAITING, ON_SPAWNED, "starting @never" },
	{ WAITING, ON_EAGAIN, "retry @10060" },
	{ WAITING, ON_ENOMEM, "retry @10060" },
	{ WAITING, ON_EPERM, "done @never: exit 125" },
	{ WAITING, ON_TERM, "done @never: exit 7" },
	{ WAITING, ON_INT, "done @never: exit 7" },
	{ WAITING, ON_QUIT, "done @never: exit 7" },
	{ WAITING, ON_RTMIN_PLUS_3, "done @never: exit 7" },
	{ WAITING, ON_ORDER_CHANGED, "backoff @never: spawn" },
	{ WAITING, ON_ORDER_ROTATED, "backoff @never: spawn" },
	{ WAITING, ON_ORDER_AGAIN, "backoff @never: spawn" },

	{ WAITING_NO_MORE, ON_SPAWNED, "starting @never" },
	{ WAITING_NO_MORE, ON_EAGAIN, "retry @11060" },
	{ WAITING_NO_MORE, ON_ENOMEM, "retry @11060" },
	{ WAITING_NO_MORE, ON_EPERM, "done @never: exit 125" },
	{ WAITING_NO_MORE, ON_TERM, "done @never: exit 7" },
	{ WAITING_NO_MORE, ON_INT, "done @never: exit 7" },
	{ WAITING_NO_MORE, ON_QUIT, "done @never: exit 7" },
	{ WAITING_NO_MORE, ON_RTMIN_PLUS_3, "done @never: exit 7" },

	{ BACKOFF_WATCHED, ON_SPAWNED, "starting @never" },
	{ BACKOFF_WATCHED, ON_EAGAIN, "retry @10060" },
	{ BACKOFF_WATCHED, ON_ENOMEM, "retry @10060" },
	{ BACKOFF_WATCHED, ON_EPERM, "done @never: exit 125" },
	{ BACKOFF_WATCHED, ON_TERM, "done @never: exit 7" },
	{ BACKOFF_WATCHED, ON_INT, "done @never: exit 7" },
	{ BACKOFF_WATCHED, ON_QUIT, "done @never: exit 7" },
	{ BACKOFF_WATCHED, ON_RTMIN_PLUS_3, "done @never: exit 7" },
	{ BACKOFF_WATCHED, ON_TIME_DUE, "backoff @never: spawn" },
	{ BACKOFF_WATCHED, ON_TIME_LATE, "backoff @never: spawn" },
	{ BACKOFF_WATCHED, ON_ORDER_CHANGED, "backoff @never: spawn" },
	{ BACKOFF_WATCHED, ON_ORDER_ROTATED, "backoff @never: spawn" },
	{ BACKOFF_WATCHED, ON_ORDER_AGAIN, "backoff @never: spawn" },
};

static int64_t live_through(struct supervise *machine, enum situation situation)
{
	const struct past *past = situations[situation].past;
	struct supervise_actions actions;
	int64_t now = origin;

	begin(machine, situations[situation].policy);
	supervise_step(machine, (struct supervise_event)START_EVENT, now, &actions);
	for (size_t i = 0; i < COUNT(situations[0].past) && past[i].event.type != SUPERVISE_EVENT_START; i++) {
		now = origin + past[i].ms * NS_PER_MS;
		supervise_step(machine, past[i].event, now, &actions);
	}
	return now;
}

static int64_t time_of(const struct supervise *machine, enum happening happening, int64_t last)
{
	const bool is_time = happenings[happening].event.type == SUPERVISE_EVENT_TIME;

	if (!is_time)
		return last + 10 * NS_PER_MS;
	if (machine->deadline_ns == TIME_NEVER)
		return last + HOUR_NS;
	switch (happening) {
	case ON_TIME_EARLY:
		return machine->deadline_ns - 1;
	case ON_TIME_LATE:
		return machine->deadline_ns + HOUR_NS;
	default:
		return machine->deadline_ns;
	}
}

static const char *outcome_of(enum situation situation, enum happening happening)
{
	const char *outcome = NULL;

	for (size_t i = 0; i < COUNT(cells); i++) {
		if (cells[i].in != situation || cells[i].on != happening)
			continue;
		if (outcome != NULL)
			fail_msg("%s, %s: two cells", situations[situation].name, happenings[happening].name);
		outcome = cells[i].outcome;
	}
	return outcome;
}

static void check_cell(enum situation situation, enum happening happening)
{
	const char *outcome = outcome_of(situation, happening);
	struct supervise machine, before;
	struct supervise_actions actions = { .count = 77 };
	int64_t last = live_through(&machine, situation), now = time_of(&machine, happening, last);

	assert_int_equal(machine.state, situations[situation].state);
	memcpy(&before, &machine, sizeof before);
	supervise_step(&machine, happenings[happening].event, now, &actions);
	if (outcome == NULL) {
		if (actions.count != 0 || memcmp(&before, &machine, sizeof before) != 0)
			fail_msg("%s, %s: %s, expected no change", situations[situation].name,
				happenings[happening].name, say(&machine, &actions));
	} else if (strcmp(say(&machine, &actions), outcome) != 0) {
		fail_msg("%s, %s: %s, expected %s", situations[situation].name, happenings[happening].name,
			say(&machine, &actions), outcome);
	}
}

static void walks_every_state_and_event(void **state)
{
	(void)state;
	for (size_t i = 0; i < SITUATION_COUNT; i++)
		for (size_t j = 0; j < HAPPENING_COUNT; j++)
			check_cell((enum situation)i, (enum happening)j);
}

static void table_has_every_state_and_event(void **state)
{
	bool states[SUPERVISE_STATE_COUNT] = { false }, events[SUPERVISE_EVENT_COUNT] = { false };

	(void)state;
	for (size_t i = 0; i < SITUATION_COUNT; i++)
		states[situations[i].state] = true;
	for (size_t i = 0; i < HAPPENING_COUNT; i++)
		events[happenings[i].event.type] = true;
	for (size_t i = 0; i < SUPERVISE_STATE_COUNT; i++)
		assert_true(states[i]);
	for (size_t i = 0; i < SUPERVISE_EVENT_COUNT; i++)
		assert_true(events[i]);
}

static void ignores_events_and_states_that_do_not_exist(void **state)
{
	struct supervise machine, before;
	struct supervise_actions actions = { .count = 77 };

	(void)state;
	live_through(&machine, RUNNING_FULL);
	memcpy(&before, &machine, sizeof before);
	supervise_step(&machine, (struct supervise_event){ .type = SUPERVISE_EVENT_COUNT }, origin, &actions);
	assert_int_equal(actions.count, 0);
	assert_memory_equal(&machine, &before, sizeof before);
}

/* ---- stories ---- */

struct line {
	int64_t ns; /* from the origin */
	struct supervise_event event;
	const char *outcome;
};
/* clang-format off */
#define MS(ms) ((ms) * NS_PER_MS)
#define TELL(policy, ...) \
	do { \
		const struct line lines[] = { __VA_ARGS__ }; \
		tell(policy, lines, COUNT(lines)); \
	} while (0)
#define IS_RUNNING \
	{ 0, START_EVENT, "idle @never: spawn" }, { MS(1), SPAWNED_EVENT, "starting @never" }, \
	{ MS(5), EXECUTED_EVENT, "running @never" }
/* clang-format on */

static void tell(enum policy policy, const struct line *lines, size_t count)
{
	struct supervise machine;
	struct supervise_actions actions;

	begin(&machine, policy);
	for (size_t i = 0; i < count; i++) {
		supervise_step(&machine, lines[i].event, origin + lines[i].ns, &actions);
		if (strcmp(say(&machine, &actions), lines[i].outcome) != 0)
			fail_msg("line %zu: %s, expected %s", i + 1, say(&machine, &actions), lines[i].outcome);
	}
}

static void stop_escalates_after_budget(void **state)
{
	(void)state;
	TELL(BUDGET, IS_RUNNING,
		{ MS(10000) + 3, SIGNAL_EVENT(SIGTERM), "stopping @18000.000003: not-ready TERM, leader TERM" },
		{ MS(18000) + 2, TIME_EVENT, "stopping @18000.000003" },
		{ MS(18000) + 3, TIME_EVENT, "killing @18100.000003: end-monitor, orphans KILL" },
		{ MS(18000) + 4, LAST_EVENT(SIGKILL), "done @never: exit 137" });
}

static void drain_comes_out_of_the_budget(void **state)
{
	(void)state;
	TELL(FULL, IS_RUNNING, { MS(10000), SIGNAL_EVENT(SIGTERM), "draining @12000: not-ready TERM" },
		{ MS(12000) - 1, TIME_EVENT, "draining @12000" },
		{ MS(12000), TIME_EVENT, "stopping @18000: leader TERM" },
		{ MS(18000) - 1, TIME_EVENT, "stopping @18000" },
		{ MS(18000), TIME_EVENT, "killing @18100: end-monitor, orphans KILL" });
}

static void second_stop_signal_skips_the_drain(void **state)
{
	(void)state;
	TELL(FULL, IS_RUNNING, { MS(10000), SIGNAL_EVENT(SIGTERM), "draining @12000: not-ready TERM" },
		{ MS(10500), SIGNAL_EVENT(SIGUSR1), "draining @12000: leader USR1" },
		{ MS(11000), SIGNAL_EVENT(SIGINT), "stopping @18000: leader TERM" },
		{ MS(12000), TIME_EVENT, "stopping @18000" },
		{ MS(12500), SIGNAL_EVENT(SIGTERM), "stopping @18000: leader TERM" },
		{ MS(13000), LAST_EVENT(EXITED(0)), "done @never: exit 0" });
}

static void drain_as_long_as_the_budget_leaves_no_time_to_stop(void **state)
{
	(void)state;
	TELL(TIGHT, IS_RUNNING, { MS(10000), SIGNAL_EVENT(SIGTERM), "draining @11000: not-ready TERM" },
		{ MS(11000), TIME_EVENT, "killing @11100: end-monitor, orphans KILL" });
}

static void workload_that_ends_while_draining_is_not_waited_for(void **state)
{
	(void)state;
	TELL(FULL, IS_RUNNING, { MS(10000), SIGNAL_EVENT(SIGTERM), "draining @12000: not-ready TERM" },
		{ MS(10100), LAST_EVENT(EXITED(5)), "done @never: exit 5" });
}

static void pre_stop_comes_between_drain_and_stop_signal(void **state)
{
	(void)state;
	TELL(HOOK_FULL, IS_RUNNING, { MS(100), SIGNAL_EVENT(SIGTERM), "draining @2100: not-ready TERM" },
		{ MS(2100), TIME_EVENT, "pre-stop @5100: pre-stop" },
		{ MS(2600), PRE_STOP_ENDED_EVENT, "stopping @8100: leader QUIT" });
}

/* Each further stop signal is a step: the drain, the command, the signal itself. */
static void each_stop_signal_goes_on_to_the_next_step(void **state)
{
	(void)state;
	TELL(HOOK_FULL, IS_RUNNING, { MS(100), SIGNAL_EVENT(SIGTERM), "draining @2100: not-ready TERM" },
		{ MS(200), SIGNAL_EVENT(SIGTERM), "pre-stop @3200: pre-stop" },
		{ MS(300), SIGNAL_EVENT(SIGTERM), "stopping @8100: kill-pre-stop, leader QUIT" },
		{ MS(301), PRE_STOP_ENDED_EVENT, "stopping @8100" });
}

/* Not counted, not delayed, and the status is what it would be without them. */
static void changes_are_no_failures(void **state)
{
	(void)state;
	TELL(WATCH_FAILURES, IS_RUNNING, { MS(1000), ORDER_EVENT(CHANGED), "stopping @11000: not-ready, leader TERM" },
		{ MS(1100), LAST_EVENT(SIGTERM), "backoff @1100: restarting" },
		{ MS(1100), TIME_EVENT, "backoff @never: spawn" }, { MS(1100), SPAWNED_EVENT, "starting @never" },
		{ MS(1101), ORDER_EVENT(CHANGED), "starting @never" }, { MS(1102), EXECUTED_EVENT, "running @never" },
		{ MS(2000), ORDER_EVENT(CHANGED), "stopping @12000: not-ready, leader TERM" },
		{ MS(2001), ORDER_EVENT(CHANGED), "stopping @12000" },
		{ MS(2100), LAST_EVENT(EXITED(9)), "backoff @2100: restarting" },
		{ MS(2100), TIME_EVENT, "backoff @never: spawn" }, { MS(2100), SPAWNED_EVENT, "starting @never" },
		{ MS(2102), EXECUTED_EVENT, "running @never" },
		{ MS(3000), ORDER_EVENT(CHANGED), "stopping @13000: not-ready, leader TERM" },
		{ MS(3100), LAST_EVENT(EXITED(0)), "backoff @3100: restarting" },
		{ MS(3100), TIME_EVENT, "backoff @never: spawn" }, { MS(3100), SPAWNED_EVENT, "starting @never" },
		{ MS(3102), EXECUTED_EVENT, "running @never" },
		/* the policy's two starts are all there */
		{ MS(4000), LAST_EVENT(EXITED(1)), "backoff @4000: restarting" },
		{ MS(4000), TIME_EVENT, "backoff @never: spawn" }, { MS(4000), SPAWNED_EVENT, "starting @never" },
		{ MS(4002), EXECUTED_EVENT, "running @never" },
		{ MS(5000), LAST_EVENT(EXITED(1)), "backoff @5000: restarting" },
		{ MS(5000), TIME_EVENT, "backoff @never: spawn" }, { MS(5000), SPAWNED_EVENT, "starting @never" },
		{ MS(5002), EXECUTED_EVENT, "running @never" },
		{ MS(6000), LAST_EVENT(EXITED(1)), "backoff @never: restarting" },
		{ MS(9000), ORDER_EVENT(CHANGED), "backoff @never: spawn" },
		{ MS(9000), SPAWNED_EVENT, "starting @never" }, { MS(9002), EXECUTED_EVENT, "running @never" },
		{ MS(9500), SIGNAL_EVENT(SIGTERM), "stopping @never: not-ready TERM, leader TERM" },
		{ MS(9600), LAST_EVENT(EXITED(0)), "done @never: exit 0" });
}

static void group_then_orphans_then_kill(void **state)
{
	(void)state;
	TELL(BUDGET, IS_RUNNING, { MS(10000), SIGNAL_EVENT(SIGTERM), "stopping @18000: not-ready TERM, leader TERM" },
		{ MS(12000), MAIN_EVENT(SIGTERM), "group @15000: end-monitor, group TERM" },
		{ MS(13000), GROUP_GONE_EVENT, "orphans @18000: orphans TERM" },
		{ MS(13001), GROUP_GONE_EVENT, "orphans @18000" }, { MS(18000) - 1, TIME_EVENT, "orphans @18000" },
		{ MS(18000), TIME_EVENT, "killing @18100: end-monitor, orphans KILL" },
		{ MS(18050), NO_CHILDREN_EVENT, "done @never: exit 143" });
}

static void group_that_stays_leaves_half_of_the_time_to_the_orphans(void **state)
{
	(void)state;
	TELL(BUDGET, IS_RUNNING, { MS(10000), SIGNAL_EVENT(SIGTERM), "stopping @18000: not-ready TERM, leader TERM" },
		{ MS(12000), MAIN_EVENT(EXITED(1)), "group @15000: end-monitor, group TERM" },
		{ MS(15000), TIME_EVENT, "orphans @18000: orphans TERM" },
		{ MS(15001), GROUP_GONE_EVENT, "orphans @18000" },
		{ MS(18000), TIME_EVENT, "killing @18100: end-monitor, orphans KILL" });
}

static void leader_that_ends_behind_the_budget_leaves_no_time(void **state)
{
	(void)state;
	/* EVENT_TIME is late: the leader's end is seen first. */
	TELL(BUDGET, IS_RUNNING, { MS(10000), SIGNAL_EVENT(SIGTERM), "stopping @18000: not-ready TERM, leader TERM" },
		{ MS(18001), MAIN_EVENT(EXITED(1)), "group @18001: end-monitor, group TERM" },
		{ MS(18001), TIME_EVENT, "killing @18101: end-monitor, orphans KILL" },
		{ MS(18002), NO_CHILDREN_EVENT, "done @never: exit 1" });
}

static void leftovers_of_a_main_that_ended_have_5_seconds(void **state)
{
	(void)state;
	TELL(PLAIN, IS_RUNNING, { MS(10000), MAIN_EVENT(EXITED(3)), "group @12500: end-monitor, group TERM" },
		{ MS(12500), TIME_EVENT, "orphans @15000: orphans TERM" },
		{ MS(15000) - 1, TIME_EVENT, "orphans @15000" },
		{ MS(15000), TIME_EVENT, "killing @15100: end-monitor, orphans KILL" },
		{ MS(15001), NO_CHILDREN_EVENT, "done @never: exit 3" });
}

static void shorter_budget_binds_the_leftovers_too(void **state)
{
	(void)state;
	TELL(SHORT, IS_RUNNING, { MS(10000), MAIN_EVENT(EXITED(3)), "group @10500: end-monitor, group TERM" },
		{ MS(10500), TIME_EVENT, "orphans @11000: orphans TERM" },
		{ MS(11000), TIME_EVENT, "killing @11100: end-monitor, orphans KILL" });
}

static void stop_without_a_budget_waits_as_long_as_it_takes(void **state)
{
	(void)state;
	TELL(PLAIN, IS_RUNNING, { MS(10000), SIGNAL_EVENT(SIGTERM), "stopping @never: not-ready TERM, leader TERM" },
		{ MS(10000) + 8760 * HOUR_NS, TIME_EVENT, "stopping @never" },
		{ MS(11000) + 8760 * HOUR_NS, LAST_EVENT(EXITED(0)), "done @never: exit 0" });
}

static void kill_is_repeated_and_given_up_after_2_seconds(void **state)
{
	struct supervise machine;
	struct supervise_actions actions;

	(void)state;
	live_through(&machine, KILLING_THE_REST);
	for (int64_t ms = 18100; ms < 20000; ms += 100) {
		char expected[64];

		snprintf(expected, sizeof expected, "killing @%" PRId64 ": orphans KILL", ms + 100);
		supervise_step(&machine, (struct supervise_event)TIME_EVENT, origin + MS(ms), &actions);
		assert_string_equal(say(&machine, &actions), expected);
	}
	supervise_step(&machine, (struct supervise_event)TIME_EVENT, origin + MS(20000) - 1, &actions);
	assert_string_equal(say(&machine, &actions), "killing @20000");
	supervise_step(&machine, (struct supervise_event)TIME_EVENT, origin + MS(20000), &actions);
	assert_string_equal(say(&machine, &actions), "done @never: exit 7");
}

static void main_that_was_killed_counts_once_it_is_reaped(void **state)
{
	(void)state;
	TELL(BUDGET, IS_RUNNING, { MS(10000), SIGNAL_EVENT(SIGTERM), "stopping @18000: not-ready TERM, leader TERM" },
		{ MS(18000), TIME_EVENT, "killing @18100: end-monitor, orphans KILL" },
		{ MS(18001), NO_CHILDREN_EVENT, "killing @18100" },
		/* It had ended by itself a moment before: that is the status, not 137. */
		{ MS(18002), MAIN_EVENT(EXITED(0)), "killing @18100" },
		{ MS(18003), MAIN_EVENT(EXITED(66)), "killing @18100" },
		{ MS(18100), TIME_EVENT, "killing @18200: orphans KILL" },
		{ MS(18101), NO_CHILDREN_EVENT, "done @never: exit 0" });
}

static void fork_failure_backs_off(void **state)
{
	(void)state;
	TELL(PLAIN, { 0, START_EVENT, "idle @never: spawn" }, { 0, FAILED_EVENT(EAGAIN), "retry @50" },
		{ MS(49), TIME_EVENT, "retry @50" }, { MS(50), TIME_EVENT, "retry @never: spawn" },
		{ MS(50), TIME_EVENT, "retry @never" }, { MS(50), FAILED_EVENT(ENOMEM), "retry @150" },
		{ MS(150), TIME_EVENT, "retry @never: spawn" }, { MS(150), FAILED_EVENT(EAGAIN), "retry @350" },
		{ MS(350), TIME_EVENT, "retry @never: spawn" }, { MS(350), FAILED_EVENT(EAGAIN), "retry @750" },
		{ MS(750), TIME_EVENT, "retry @never: spawn" }, { MS(750), FAILED_EVENT(EAGAIN), "retry @1550" },
		{ MS(1550), TIME_EVENT, "retry @never: spawn" }, { MS(1550), FAILED_EVENT(EAGAIN), "retry @3150" },
		{ MS(3150), TIME_EVENT, "retry @never: spawn" }, { MS(3150), FAILED_EVENT(EAGAIN), "retry @5150" },
		{ MS(5150), TIME_EVENT, "retry @never: spawn" }, { MS(5150), FAILED_EVENT(EAGAIN), "retry @7150" },
		{ MS(7150), TIME_EVENT, "retry @never: spawn" }, { MS(7151), SPAWNED_EVENT, "starting @never" },
		{ MS(7152), START_EVENT, "starting @never" }, { MS(7153), FAILED_EVENT(EAGAIN), "starting @never" },
		{ MS(9153), TIME_EVENT, "starting @never" });
}

static void fork_failure_that_waiting_cannot_cure_ends_with_125(void **state)
{
	static const int errors[] = { EPERM, EACCES, ENOSYS, EINVAL, 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++)
		TELL(PLAIN, { 0, START_EVENT, "idle @never: spawn" },
			{ 0, FAILED_EVENT(errors[i]), "done @never: exit 125" }, { MS(50), TIME_EVENT, "done @never" },
			{ MS(50), START_EVENT, "done @never" });
}

static void stop_before_there_is_a_workload_ends_at_once(void **state)
{
	(void)state;
	TELL(FULL, { 0, START_EVENT, "idle @never: spawn" }, { 0, FAILED_EVENT(EAGAIN), "retry @50" },
		{ MS(10), SIGNAL_EVENT(SIGTERM), "done @never: exit 143" }, { MS(50), TIME_EVENT, "done @never" },
		{ MS(50), SIGNAL_EVENT(SIGTERM), "done @never" });
}

static void stop_while_starting_is_kept(void **state)
{
	(void)state;
	TELL(BUDGET, { 0, START_EVENT, "idle @never: spawn" }, { MS(1), SPAWNED_EVENT, "starting @never" },
		{ MS(2), SIGNAL_EVENT(SIGTERM), "stopping @8002: not-ready TERM, leader TERM" },
		{ MS(3), EXECUTED_EVENT, "stopping @8002" }, { MS(4), LAST_EVENT(SIGTERM), "done @never: exit 143" });
}

static void workload_that_cannot_be_executed_ends_with_what_its_child_said(void **state)
{
	(void)state;
	TELL(FULL, { 0, START_EVENT, "idle @never: spawn" }, { MS(1), SPAWNED_EVENT, "starting @never" },
		{ MS(2), LAST_EVENT(EXITED(127)), "done @never: exit 127" }, { MS(3), EXECUTED_EVENT, "done @never" });
}

static void only_policy_says_which_signals_stop(void **state)
{
	(void)state;
	for (int signal = 1; signal <= 64; signal++) {
		for (int other = 0; other < 2; other++) {
			struct supervise_policy policy = policy_of(SIGUSR2, 0, 0);
			struct supervise_actions actions;
			struct supervise machine;
			const bool stops = other == 0;

			policy.stop_signals = supervise_signal_bit(stops ? signal : signal % 64 + 1);
			supervise_init(&machine, &policy);
			supervise_step(&machine, (struct supervise_event)SPAWNED_EVENT, origin, &actions);
			supervise_step(&machine, (struct supervise_event)SIGNAL_EVENT(signal), origin, &actions);
			assert_int_equal(machine.state, stops ? SUPERVISE_STOPPING : SUPERVISE_STARTING);
			assert_int_equal(actions.count, stops ? 2 : 1);
			assert_int_equal(actions.list[actions.count - 1].type, SUPERVISE_SIGNAL_LEADER);
			assert_int_equal(actions.list[actions.count - 1].signal, stops ? SIGUSR2 : signal);
			assert_int_equal(machine.stop_requested, stops);
		}
	}
}

static void default_policy_is_what_the_header_says(void **state)
{
	struct supervise_policy policy;

	(void)state;
	memset(&policy, 0xff, sizeof policy);
	supervise_default_policy(&policy);
	/* TERM 15, INT 2, QUIT 3, RTMIN+3 37 */
	assert_int_equal(policy.stop_signals, UINT64_C(0x1000004006));
	assert_int_equal(policy.stop_signal, 0);
	assert_int_equal(policy.drain_ns, 0);
	assert_int_equal(policy.timeout_ns, TIME_NEVER);
}

static void budget_beyond_the_end_of_time_is_none(void **state)
{
	struct supervise_policy policy = policy_of(0, 0, 1);
	struct supervise_actions actions;
	struct supervise machine;

	(void)state;
	policy.timeout_ns = TIME_NEVER - origin;
	policy.drain_ns = TIME_NEVER - origin;
	supervise_init(&machine, &policy);
	supervise_step(&machine, (struct supervise_event)SPAWNED_EVENT, origin, &actions);
	supervise_step(&machine, (struct supervise_event)SIGNAL_EVENT(SIGTERM), origin + 1, &actions);
	assert_string_equal(say(&machine, &actions), "draining @never: not-ready TERM");
	assert_int_equal(machine.kill_at_ns, TIME_NEVER);
}

static void a_service_that_fails_lives_again_until_the_window_is_full(void **state)
{
	(void)state;
	TELL(FAILURES, IS_RUNNING, { MS(1000), LAST_EVENT(EXITED(3)), "backoff @1000: restarting" },
		{ MS(1000), TIME_EVENT, "backoff @never: spawn" }, { MS(1001), SPAWNED_EVENT, "starting @never" },
		{ MS(1002), EXECUTED_EVENT, "running @never" },
		{ MS(2000), LAST_EVENT(SIGSEGV), "backoff @2000: restarting" },
		{ MS(2000), TIME_EVENT, "backoff @never: spawn" }, { MS(2001), SPAWNED_EVENT, "starting @never" },
		{ MS(2002), EXECUTED_EVENT, "running @never" },
		{ MS(3000), LAST_EVENT(EXITED(4)), "done @never: exit 4" });
}

static void a_success_is_the_end_unless_always_is_said(void **state)
{
	(void)state;
	TELL(FAILURES, IS_RUNNING, { MS(1000), LAST_EVENT(EXITED(0)), "done @never: exit 0" });
	TELL(ALWAYS, IS_RUNNING, { MS(1000), LAST_EVENT(EXITED(0)), "backoff @1000: restarting" });
}

static void what_cannot_be_executed_is_not_tried_again(void **state)
{
	(void)state;
	TELL(ALWAYS, { 0, START_EVENT, "idle @never: spawn" }, { MS(1), SPAWNED_EVENT, "starting @never" },
		{ MS(2), LAST_EVENT(EXITED(127)), "done @never: exit 127" });
}

static void an_end_that_was_asked_for_is_the_end(void **state)
{
	(void)state;
	TELL(ALWAYS, IS_RUNNING, { MS(1000), SIGNAL_EVENT(SIGTERM), "pre-stop @4000: not-ready TERM, pre-stop" },
		{ MS(1100), LAST_EVENT(EXITED(9)), "done @never: exit 9" });
}

/* The first one clears away by the contract, with the leader's own status lost; behind the last start it is a stop, and
 * no success. */
static void an_unhealthy_service_is_started_again_and_in_the_end_stopped(void **state)
{
	(void)state;
	TELL(SHORT, IS_RUNNING, { MS(100), ORDER_EVENT(RESTART), "stopping @1100: not-ready, leader TERM" },
		{ MS(1100), TIME_EVENT, "killing @1200: orphans KILL" },
		{ MS(1101), MAIN_EVENT(SIGKILL), "killing @1200" },
		{ MS(1102), NO_CHILDREN_EVENT, "backoff @1102: restarting" },
		{ MS(1102), TIME_EVENT, "backoff @never: spawn" }, { MS(1103), SPAWNED_EVENT, "starting @never" },
		{ MS(1104), ORDER_EVENT(RESTART), "starting @never" }, { MS(1105), EXECUTED_EVENT, "running @never" },
		{ MS(1200), ORDER_EVENT(RESTART), "stopping @2200: not-ready, leader TERM" },
		{ MS(1201), LAST_EVENT(EXITED(0)), "backoff @1201: restarting" },
		{ MS(1201), TIME_EVENT, "backoff @never: spawn" }, { MS(1202), SPAWNED_EVENT, "starting @never" },
		{ MS(1203), EXECUTED_EVENT, "running @never" },
		{ MS(1300), ORDER_EVENT(RESTART), "stopping @2300: not-ready, leader TERM" },
		{ MS(1301), LAST_EVENT(EXITED(0)), "done @never: exit 1" });
}

static void what_has_had_its_time_has_failed(void **state)
{
	(void)state;
	TELL(PLAIN, IS_RUNNING, { MS(100), ORDER_EVENT(LATE), "stopping @10100: not-ready, leader TERM" },
		{ MS(200), LAST_EVENT(EXITED(0)), "done @never: exit 124" });
	/* Done again, as a failure is. */
	TELL(FAILURES, IS_RUNNING, { MS(100), ORDER_EVENT(LATE), "draining @2100: not-ready" },
		{ MS(2100), TIME_EVENT, "stopping @8100: leader TERM" },
		{ MS(2101), LAST_EVENT(EXITED(0)), "backoff @2101: restarting" });
}

static void a_stop_takes_over_what_was_an_order(void **state)
{
	(void)state;
	TELL(HOOK_FULL, IS_RUNNING, { MS(100), ORDER_EVENT(RESTART), "draining @2100: not-ready" },
		{ MS(200), SIGNAL_EVENT(SIGTERM), "pre-stop @3200: not-ready TERM, pre-stop" },
		{ MS(300), PRE_STOP_ENDED_EVENT, "stopping @8100: leader QUIT" },
		{ MS(400), MAIN_EVENT(EXITED(0)), "group @4250: end-monitor, group QUIT" },
		{ MS(500), NO_CHILDREN_EVENT, "done @never: exit 0" });
}

static void exit_status_is_as_a_shell_says_it(void **state)
{
	(void)state;
	for (int code = 0; code < 256; code++)
		assert_int_equal(supervise_exit_status(EXITED(code)), code);
	for (int signal = 1; signal <= 64; signal++) {
		assert_int_equal(supervise_exit_status(signal), 128 + signal);
		assert_int_equal(supervise_exit_status(signal | 0x80), 128 + signal); /* with a core */
	}
}

static void only_stop_signals_are_taken_before_there_is_a_workload(void **state)
{
	const uint64_t stops = UINT64_C(0x1000004006), child = UINT64_C(1) << (SIGCHLD - 1);

	(void)state;
	for (size_t i = 0; i < SITUATION_COUNT; i++) {
		struct supervise machine;

		live_through(&machine, (enum situation)i);
		assert_int_equal(supervise_wanted_signals(&machine),
			machine.state == SUPERVISE_IDLE || machine.state == SUPERVISE_BACKOFF ||
					machine.state == SUPERVISE_RETRY
				? stops | child
				: UINT64_MAX);
	}
}

/* ---- any story ---- */

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

static void rules_hold_in_any_story(void **state)
{
	struct supervise_told told = { 0 };
	uint64_t seed = 42;

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		uint8_t bytes[5 + 3 * 20];
		const size_t length = 5 + next_random(&seed) % (sizeof bytes - 4);
		const char *broken;

		for (size_t i = 0; i < length; i++)
			bytes[i] = (uint8_t)next_random(&seed);
		broken = supervise_story(bytes, length, &told);
		if (broken != NULL)
			fail_msg("story %u breaks the rule: %s", round, broken);
	}
	/* They came to everything. */
	assert_int_equal(told.states, (1U << SUPERVISE_STATE_COUNT) - 1);
	assert_int_equal(told.actions, (1U << SUPERVISE_ACTION_COUNT) - 1);
}

/* dumb-init, tini and catatonit: every signal is passed on, and main's end is ours. */
static void under_other_names_main_is_all_there_is(void **state)
{
	static const struct {
		enum supervise_main_end main_end;
		size_t count;
		enum supervise_action_type first;
	} ends[] = { { SUPERVISE_END_AT_ONCE, 1, SUPERVISE_EXIT },
		{ SUPERVISE_TERM_AND_END, 2, SUPERVISE_SIGNAL_GROUP } };
	static const enum supervise_state from[] = { SUPERVISE_STARTING, SUPERVISE_RUNNING };

	(void)state;
	for (size_t i = 0; i < COUNT(ends) * COUNT(from) * 2; i++) {
		const struct supervise_event ended = {
			.type = SUPERVISE_EVENT_MAIN_ENDED, .status = EXITED(7), .alone = i % 2 == 1
		};
		const size_t end = i / 2 % COUNT(ends);
		struct supervise_policy policy = { .main_end = ends[end].main_end, .timeout_ns = TIME_NEVER };
		struct supervise_actions said;
		struct supervise machine;

		supervise_init(&machine, &policy);
		machine.state = from[i / 2 / COUNT(ends)];
		supervise_step(&machine, (struct supervise_event){ .type = SUPERVISE_EVENT_SIGNAL, .signal = SIGTERM },
			1, &said);
		assert_int_equal(machine.state, from[i / 2 / COUNT(ends)]);
		assert_int_equal(said.count, 1);
		assert_int_equal(said.list[0].type, SUPERVISE_SIGNAL_LEADER);
		assert_int_equal(said.list[0].signal, SIGTERM);

		supervise_step(&machine, ended, 2, &said);
		assert_int_equal(machine.state, SUPERVISE_DONE);
		assert_int_equal(said.count, ends[end].count);
		assert_int_equal(said.list[0].type, ends[end].first);
		if (ends[end].first == SUPERVISE_SIGNAL_GROUP)
			assert_int_equal(said.list[0].signal, SIGTERM);
		assert_int_equal(said.list[said.count - 1].type, SUPERVISE_EXIT);
		assert_int_equal(said.list[said.count - 1].status, 7);
	}
}

static void a_clean_exit_counts_as_0_only_after_a_stop(void **state)
{
	static const struct {
		bool stop;
		int status, expected;
	} cases[] = { { true, SIGTERM, 0 }, { false, SIGTERM, 143 }, { true, EXITED(255), 0 }, { true, EXITED(1), 1 },
		{ true, EXITED(0), 0 }, { false, EXITED(255), 255 } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct supervise_policy policy;
		struct supervise_actions said;
		struct supervise machine;

		supervise_default_policy(&policy);
		policy.clean_exit[143 / 64] |= UINT64_C(1) << 143 % 64;
		policy.clean_exit[255 / 64] |= UINT64_C(1) << 255 % 64;
		supervise_init(&machine, &policy);
		machine.state = SUPERVISE_RUNNING;
		if (cases[i].stop)
			supervise_step(&machine,
				(struct supervise_event){ .type = SUPERVISE_EVENT_SIGNAL, .signal = SIGTERM }, 1,
				&said);
		supervise_step(&machine,
			(struct supervise_event){
				.type = SUPERVISE_EVENT_MAIN_ENDED, .status = cases[i].status, .alone = true },
			2, &said);
		assert_int_equal(said.count, 1);
		assert_int_equal(said.list[0].type, SUPERVISE_EXIT);
		assert_int_equal(said.list[0].status, cases[i].expected);
	}
}

static void time_makes_no_difference_to_a_signal_that_is_passed_on(void **state)
{
	(void)state;
	for (int from = 0; from < SUPERVISE_STATE_COUNT; from++) {
		for (int signal = 1; signal <= 64; signal++) {
			const struct supervise_event event = { .type = SUPERVISE_EVENT_SIGNAL, .signal = signal };
			struct supervise early = { .state = (enum supervise_state)from, .kill_at_ns = TIME_NEVER },
					 late;
			struct supervise_actions said_early = { .count = 0 }, said_late = { .count = 0 };

			supervise_default_policy(&early.policy);
			late = early;
			if (supervise_needs_time(&early, event))
				continue;
			supervise_step(&early, event, 0, &said_early);
			supervise_step(&late, event, 1000 * NS_PER_S, &said_late);
			assert_memory_equal(&early, &late, sizeof early);
			assert_memory_equal(&said_early, &said_late, sizeof said_early);
		}
	}
}

static void only_stop_signals_need_the_time(void **state)
{
	struct supervise machine = { .state = SUPERVISE_RUNNING };

	(void)state;
	supervise_default_policy(&machine.policy);
	assert_false(supervise_needs_time(
		&machine, (struct supervise_event){ .type = SUPERVISE_EVENT_SIGNAL, .signal = SIGHUP }));
	assert_true(supervise_needs_time(
		&machine, (struct supervise_event){ .type = SUPERVISE_EVENT_SIGNAL, .signal = SIGTERM }));
	assert_true(supervise_needs_time(&machine, (struct supervise_event){ .type = SUPERVISE_EVENT_TIME }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_every_state_and_event),
		cmocka_unit_test(table_has_every_state_and_event),
		cmocka_unit_test(ignores_events_and_states_that_do_not_exist),
		cmocka_unit_test(stop_escalates_after_budget),
		cmocka_unit_test(drain_comes_out_of_the_budget),
		cmocka_unit_test(second_stop_signal_skips_the_drain),
		cmocka_unit_test(drain_as_long_as_the_budget_leaves_no_time_to_stop),
		cmocka_unit_test(workload_that_ends_while_draining_is_not_waited_for),
		cmocka_unit_test(pre_stop_comes_between_drain_and_stop_signal),
		cmocka_unit_test(each_stop_signal_goes_on_to_the_next_step),
		cmocka_unit_test(changes_are_no_failures),
		cmocka_unit_test(group_then_orphans_then_kill),
		cmocka_unit_test(group_that_stays_leaves_half_of_the_time_to_the_orphans),
		cmocka_unit_test(leader_that_ends_behind_the_budget_leaves_no_time),
		cmocka_unit_test(leftovers_of_a_main_that_ended_have_5_seconds),
		cmocka_unit_test(shorter_budget_binds_the_leftovers_too),
		cmocka_unit_test(stop_without_a_budget_waits_as_long_as_it_takes),
		cmocka_unit_test(kill_is_repeated_and_given_up_after_2_seconds),
		cmocka_unit_test(main_that_was_killed_counts_once_it_is_reaped),
		cmocka_unit_test(fork_failure_backs_off),
		cmocka_unit_test(fork_failure_that_waiting_cannot_cure_ends_with_125),
		cmocka_unit_test(stop_before_there_is_a_workload_ends_at_once),
		cmocka_unit_test(stop_while_starting_is_kept),
		cmocka_unit_test(workload_that_cannot_be_executed_ends_with_what_its_child_said),
		cmocka_unit_test(only_policy_says_which_signals_stop),
		cmocka_unit_test(default_policy_is_what_the_header_says),
		cmocka_unit_test(budget_beyond_the_end_of_time_is_none),
		cmocka_unit_test(a_service_that_fails_lives_again_until_the_window_is_full),
		cmocka_unit_test(a_success_is_the_end_unless_always_is_said),
		cmocka_unit_test(what_cannot_be_executed_is_not_tried_again),
		cmocka_unit_test(an_end_that_was_asked_for_is_the_end),
		cmocka_unit_test(an_unhealthy_service_is_started_again_and_in_the_end_stopped),
		cmocka_unit_test(what_has_had_its_time_has_failed),
		cmocka_unit_test(a_stop_takes_over_what_was_an_order),
		cmocka_unit_test(exit_status_is_as_a_shell_says_it),
		cmocka_unit_test(only_stop_signals_are_taken_before_there_is_a_workload),
		cmocka_unit_test(a_clean_exit_counts_as_0_only_after_a_stop),
		cmocka_unit_test(under_other_names_main_is_all_there_is),
		cmocka_unit_test(time_makes_no_difference_to_a_signal_that_is_passed_on),
		cmocka_unit_test(only_stop_signals_need_the_time),
		cmocka_unit_test(rules_hold_in_any_story),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
