#include "init/loop_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "init/notify.h"

#include <stdio.h>
#include <string.h>

/* What SIGKILL has, behind the budget of a stop (init/supervise.c). */
#define KILLING_NS (2 * NS_PER_S)
#define NS_PER_US 1000
/* A check that flaps does not fill the log with the watchdog. */
#define STARVING_QUIET_NS (10 * NS_PER_S)

static bool each_is_ready(const struct loop *loop)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (loop_matters(loop, i) && !loop->unit[i].was_ready)
			return false;
	return true;
}

void loop_tell_ready(struct loop *loop)
{
	int error;

	if (loop->ready_told || loop->stopping_told || !each_is_ready(loop))
		return;
	error = notify_send("READY=1");
	if (error < 0)
		log_line(LOG_LEVEL_WARNING, "NOTIFY_SOCKET: the service manager hears nothing: %s", strerror(-error));
	loop->ready_told = true;
	if (loop->watchdog_ns > 0)
		loop->watchdog_at_ns = clock_now_ns() + loop->watchdog_ns;
}

/* NULL: none is. */
static const struct unit *first_dead(const struct loop *loop)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (!loop->unit[i].live)
			return &loop->unit[i];
	return NULL;
}

void loop_feed_watchdog(struct loop *loop, int64_t now)
{
	const struct unit *dead;

	if (now < loop->watchdog_at_ns)
		return;
	loop->watchdog_at_ns = now + loop->watchdog_ns;
	dead = first_dead(loop);
	if (dead == NULL)
		notify_send("WATCHDOG=1");
	else if (!loop->starves && now >= loop->starving_tell_ns)
		log_line(LOG_LEVEL_WARNING, "a live check found %s unhealthy: no WATCHDOG=1 until it is healthy again",
			dead->called);
	if (dead != NULL && !loop->starves)
		loop->starving_tell_ns = now + STARVING_QUIET_NS;
	loop->starves = dead != NULL;
}

/* One behind the other, at the most. */
static int64_t time_to_stop(const struct loop *loop)
{
	int64_t sum = 0;

	for (size_t i = 0; i < loop->unit_count; i++) {
		int64_t time = supervise_order_budget(&loop->unit[i].machine.policy) + KILLING_NS;

		sum = time > TIME_NEVER - sum ? TIME_NEVER : sum + time;
	}
	return sum;
}

/* What goes before the stop signal takes from the manager's time for a stop (TimeoutStopSec=): it is asked for as much
 * as the whole of a stop may take. It never has less than its own time by that (sd_notify(3)). */
void loop_tell_stopping(struct loop *loop)
{
	const struct supervise_policy *policy = &loop->unit->machine.policy;
	char text[64] = "STOPPING=1";

	if ((loop->unit_count > 1 && !loop->coordinator.stopping) || loop_is_held(loop, loop->unit))
		return;                               /* the others go on, or the container does */
	if (!loop->ready_told || loop->stopping_told) /* nothing before READY=1 */
		return;
	loop->stopping_told = true;
	if (policy->drain_ns > 0 || policy->pre_stop || loop->unit_count > 1)
		snprintf(text, sizeof text, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld",
			(long long)(time_to_stop(loop) / NS_PER_US));
	notify_send(text);
}
