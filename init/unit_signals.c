/* How a unit's processes are sent signals: its leader, its group, and whatever else is left of it. */
#include "init/unit_signals.h"

#include "base/log.h"
#include "base/signame.h"
#include "init/descendants.h"
#include "init/loop.h"
#include "init/report.h"
#include "init/signals.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void tell_signal_trouble(struct unit *unit, int signal, int error)
{
	char name[SIGNAL_NAME_SIZE];

	if (error == -ESRCH || unit->signal_trouble_told)
		return;
	unit->signal_trouble_told = true;
	log_line(LOG_LEVEL_ERROR, "%scannot send SIG%s to the workload: %s%s", unit->prefix, signal_name(signal, name),
		strerror(-error), error == -EPERM ? " (it runs as another user: leave CAP_KILL to the container)" : "");
}

/* To the leader or to its group, as the personality has it. A group that the child has not made yet is the child. */
static int send_signal(struct unit *unit, int signal, const siginfo_t *info)
{
	int error;

	if (!unit->personality->signals_to_group)
		return signals_pass_on(unit->main_pid, signal, info);
	error = signals_pass_on(-unit->main_pid, signal, info);
	return error == -ESRCH ? signals_pass_on(unit->main_pid, signal, info) : error;
}

static void count_sent(struct unit *unit, int signal)
{
	unit->loop->snapshot.signals_forwarded[signal]++;
	unit->signals_sent |= supervise_signal_bit(signal);
}

void unit_deliver(struct unit *unit, int signal, const siginfo_t *info)
{
	int error = send_signal(unit, signal, info);

	if (error == -EAGAIN && info != NULL && unit->held_signal == 0) {
		/* The queue of real-time signals is full: this one waits here, those after it in the kernel, in order.
		 */
		unit->held_signal = signal;
		unit->held_info = *info;
		return;
	}
	if (error == -EAGAIN) /* one waits already, so this one asks for a stop: kill(2) finds room, without a value */
		error = send_signal(unit, signal, NULL);
	if (error < 0)
		report(unit->personality, PERSONALITY_FORWARD_FAILED,
			unit->personality->signals_to_group ? -unit->main_pid : unit->main_pid, -error, signal);
	report(unit->personality, PERSONALITY_FORWARDED, 0, signal, 0);
	if (error == 0)
		count_sent(unit, signal);
	else
		tell_signal_trouble(unit, signal, error);
}

/* What a signal becomes under the personality: another one, or nothing at all. */
static int translate(const struct personality *personality, int signal)
{
	int becomes = personality_forwarded(personality, signal);

	if (personality->rewrite[signal] != 0)
		report(personality, PERSONALITY_TRANSLATED, 0, signal, becomes);
	if (becomes == 0)
		report(personality, PERSONALITY_NOT_FORWARDED, 0, signal, 0);
	return becomes;
}

void unit_pass_on(struct unit *unit, int signal, const siginfo_t *info)
{
	const struct personality *personality = unit->personality;
	int becomes = translate(personality, signal);

	if (becomes != 0)
		unit_deliver(unit, becomes, info);
	if ((personality->stop_self & personality_bit(signal)) != 0) {
		/* PID 1 of a namespace cannot be stopped from within it; under a shell this is what ^Z is for. */
		report(personality, PERSONALITY_STOPS_ITSELF, 0, 0, 0);
		kill(getpid(), SIGSTOP);
	}
}

void unit_pass_on_held(struct unit *unit)
{
	int signal = unit->held_signal;
	siginfo_t info = unit->held_info;

	unit->held_signal = 0;
	unit_deliver(unit, signal, &info);
}

/* By the rules for a TERM that dumb-init was sent. Its leader is reaped: without a group
 * there is nobody to send it to. */
void unit_last_word(struct unit *unit, int signal)
{
	int becomes = translate(unit->personality, signal);

	if (becomes == 0)
		return;
	if (unit->personality->signals_to_group)
		kill(-unit->main_pid, becomes);
	report(unit->personality, PERSONALITY_FORWARDED, 0, becomes, 0);
}

/* Those who are left behind get what the leader got, rewritten or dropped. SIGKILL is our own last word. */
static int for_leftovers(const struct unit *unit, int signal)
{
	return signal == SIGKILL ? signal : personality_forwarded(unit->personality, signal);
}

/* signal 0 only asks whether anybody is there (kill(2)). */
static void signal_group(struct unit *unit, int signal)
{
	/* The group's number stays taken while anybody is in it (setpgid(2)), also after its leader was reaped. */
	if (kill(-unit->main_pid, signal) < 0 && errno == ESRCH)
		unit_step(unit, (struct supervise_event){ .type = SUPERVISE_EVENT_GROUP_GONE }, NULL);
}

void unit_signal_group(struct unit *unit, int signal, bool first)
{
	int becomes = for_leftovers(unit, signal);

	/* Who is stopped could not hear of it (SIGSTOP, a terminal): woken up, as systemd does it. The signal itself
	 * comes after it, as its answer may be that nobody is there. */
	if (first && becomes != 0)
		kill(-unit->main_pid, SIGCONT);
	signal_group(unit, becomes);
}

/* Those who are asked to end for the first time, and woken up; or those who hear one more signal. Who is still in the
 * group has been asked already: a second TERM means "now" to many. */
void unit_signal_orphans(struct unit *unit, int signal, bool first)
{
	const struct descendants whom = loop_leftovers(unit->loop, unit);
	int becomes = for_leftovers(unit, signal);
	pid_t group = first && becomes != SIGKILL && kill(-unit->main_pid, 0) == 0 ? unit->main_pid : 0;
	int error;

	/* Its group is its own. One by one is not all at once: they are signalled again when it has ended. */
	if (group == 0 && monitor_link_is_ending(&unit->loop->monitor))
		group = unit->loop->monitor.pid;
	error = becomes != 0 ? descendants_signal(&whom, becomes, group) : 0;
	if (error == 0 && first && becomes != 0 && becomes != SIGKILL)
		error = descendants_signal(&whom, SIGCONT, group);
	if (error < 0 && !unit->orphans_trouble_told) {
		unit->orphans_trouble_told = true;
		log_line(LOG_LEVEL_ERROR, "%scannot find the processes that are left: /proc: %s (mount /proc)",
			unit->prefix, strerror(-error));
	}
}

void unit_look_at_group(struct unit *unit)
{
	signal_group(unit, 0);
}
