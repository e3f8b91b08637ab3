#include "init/loop_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signame.h"
#include "init/orders.h"
#include "init/pre_stop.h"
#include "init/report.h"
#include "init/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a signal waits before it is offered again to a workload whose queue is full. */
#define HELD_SIGNAL_NS (10 * NS_PER_MS)
/* And a record to a monitor whose channel is. */
#define UNSENT_RECORD_NS (100 * NS_PER_MS)
#define REST_MS 10
/* Signals 1 to 31: the kernel's real-time signals begin at 32. */
#define BELOW_REAL_TIME UINT64_C(0x7fffffff)

static bool take_record(struct loop *loop);

/* Where nobody has sent one: TERM, unless that does not ask for a stop here. */
static int usual_stop_signal(const struct supervise_policy *policy)
{
	const uint64_t set = policy->stop_signals;

	return set == 0 || (set & supervise_signal_bit(SIGTERM)) != 0 ? SIGTERM : __builtin_ctzll(set) + 1;
}

void loop_init(struct loop *loop)
{
	loop->signal_fd = -1;
	loop->ended = false;
	loop->watchdog_at_ns = TIME_NEVER;
	loop->stop_signal = usual_stop_signal(&loop->unit->machine.policy);
	loop->snapshot = (struct wire_snapshot){ .start_time_ns = loop->start_time_ns,
		.landlock_abi = loop->landlock_abi,
		.own_capabilities = loop->unit->spawn.plan->had.permitted,
		.reload_successful = 1,
		.reload_success_ns = loop->reload.read != NULL ? loop->start_time_ns : 0 };
}

/* ---- what others are told ---- */

/* Of several services the container runs when all of those do that it is there for. */
static uint32_t public_state(const struct loop *loop)
{
	uint32_t state = WIRE_STATE_RUNNING;

	if (loop->unit_count == 1 && loop->unit->record.state < WIRE_STATE_INIT_COUNT)
		return loop->unit->record.state;
	if (loop->coordinator.stopping)
		return WIRE_STATE_STOPPING;
	for (size_t i = 0; i < loop->unit_count; i++) {
		if (loop_matters(loop, i) && loop->unit[i].record.state != WIRE_STATE_RUNNING)
			state = loop->unit[i].record.state == WIRE_STATE_RESTARTING ? WIRE_STATE_RESTARTING
										    : WIRE_STATE_STARTING;
	}
	return state;
}

/* What the channel does not take now is offered again soon: the monitor may be looking at none of it. */
void loop_send(struct loop *loop)
{
	struct wire_snapshot *snapshot = &loop->snapshot;

	loop->unsent = false;
	if (loop->monitor.channel < 0)
		return;
	for (size_t i = 0; i < loop->unit_count && !loop->unsent; i++) {
		struct unit *unit = &loop->unit[i];

		unit_report(unit);
		if (unit->changed)
			unit->changed = !monitor_link_tell(
				&loop->monitor, (union wire_record *)&unit->record, WIRE_SERVICE);
		loop->unsent = unit->changed;
	}
	loop->unsent = loop->unsent || !secret_rotation_tell(loop);
	snapshot->state = public_state(loop);
	snapshot->monitor_restarts = loop->monitor.restarts;
	if (!loop->unsent)
		loop->unsent = !monitor_link_tell(&loop->monitor, (union wire_record *)snapshot, WIRE_SNAPSHOT);
}

/* ---- the monitor ---- */

void loop_start_monitor(struct loop *loop)
{
	if (loop->wants_monitor && loop->monitor.pid == 0)
		loop->monitor.restart_at_ns = 0;
}

/* It is told all there is to know. */
static void start_monitor(struct loop *loop, int64_t now)
{
	monitor_link_start(&loop->monitor, now);
	secret_rotation_tell_all(&loop->secrets);
	for (size_t i = 0; i < loop->unit_count; i++) {
		loop->unit[i].changed = true;
		monitor_link_tell(&loop->monitor, (union wire_record *)&loop->unit[i].notified, WIRE_NOTIFIED);
	}
	loop_send(loop);
}

/* What it said last is heard first: what a service has told it of itself nobody says again. The channel holds so much
 * and no more, and nobody writes to it now. */
static void monitor_ended(struct loop *loop, int status)
{
	loop->monitor.pid = 0; /* its number may be another's by now */
	while (take_record(loop))
		continue;
	monitor_link_ended(&loop->monitor, status, clock_now_ns());
	exec_probes_kill(&loop->probes, NULL); /* nobody waits for them any more */
}

/* Once the main process has ended there is nothing to look at. */
static void take_run(struct loop *loop, const struct wire_run *run, int output)
{
	for (size_t i = 0; i < loop->unit_count; i++) {
		struct unit *unit = &loop->unit[i];

		if (run->check - unit->checks.first < unit->checks.count && run->life == unit->record.starts &&
			unit_may_be_probed(unit))
			exec_probes_start(&loop->probes, &unit->checks, &loop->monitor, run, output, clock_now_ns());
	}
}

static void take_notified(struct loop *loop, const struct wire_notified *notified)
{
	struct unit *unit = notified->service < loop->unit_count ? &loop->unit[notified->service] : NULL;

	if (unit != NULL && notified->life == unit->record.starts)
		unit->notified = *notified;
}

/* Returns whether there was one. */
static bool take_record(struct loop *loop)
{
	union wire_record record;
	int output;

	if (monitor_link_receive(&loop->monitor, &record, &output) == 0)
		return false;
	if (record.header.type == WIRE_REFRESH)
		loop_send(loop);
	else if (record.header.type == WIRE_RUN)
		take_run(loop, &record.run, output);
	else if (record.header.type == WIRE_OPEN)
		file_lender_start(&loop->lender, &loop->monitor, record.open.file, clock_now_ns());
	else if (record.header.type == WIRE_LOOK)
		secret_rotation_look(&loop->secrets);
	else if (record.header.type == WIRE_CLIENT)
		orders_take(loop, output);
	else if (record.header.type == WIRE_NOTIFIED)
		take_notified(loop, &record.notified);
	else if (record.header.type == WIRE_CHANGED && record.changed.service < loop->unit_count)
		unit_step(&loop->unit[record.changed.service],
			(struct supervise_event){ .type = SUPERVISE_EVENT_ORDER, .order = SUPERVISE_ORDER_CHANGED },
			NULL);
	else if (record.header.type == WIRE_HEALTH && record.health.service < loop->unit_count)
		unit_take_health(&loop->unit[record.health.service], &record.health);
	if (output >= 0)
		close(output);
	return true;
}

/* ---- children ---- */

static void report_reaped(const struct personality *personality, pid_t pid, int status, bool is_main)
{
	int killed = WIFSIGNALED(status), number = killed ? WTERMSIG(status) : WEXITSTATUS(status);

	report(personality, killed ? PERSONALITY_REAPED_KILLED : PERSONALITY_REAPED_EXITED, pid, number, 0);
	if (is_main)
		report(personality, killed ? PERSONALITY_MAIN_KILLED : PERSONALITY_MAIN_EXITED, pid, number, 0);
	else
		report(personality, killed ? PERSONALITY_ORPHAN_KILLED : PERSONALITY_ORPHAN_EXITED, pid, number, 0);
}

static struct unit *unit_of(const struct loop *loop, pid_t pid)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (loop->unit[i].main_pid == pid && loop_has_main(&loop->unit[i]))
			return &loop->unit[i];
	return NULL;
}

static bool is_pre_stop_of_one(struct loop *loop, pid_t pid, int status)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (pre_stop_ended(&loop->unit[i], pid, status))
			return true;
	return false;
}

static void take_child(struct loop *loop, pid_t pid, int status)
{
	struct unit *unit = unit_of(loop, pid);

	if (pid == loop->monitor.pid) {
		monitor_ended(loop, status);
		return;
	}
	if (loop_log_process_ended(loop, pid, status))
		return;
	report_reaped(loop->personality, pid, status, unit != NULL);
	if (unit != NULL) {
		unit->was_reaped = true;
		unit->main_status = status;
	} else if (!is_pre_stop_of_one(loop, pid, status) &&
		!(loop->probes.running > 0 && exec_probes_ended(&loop->probes, &loop->monitor, pid, status)) &&
		!file_lender_ended(&loop->lender, pid) && !secret_rotation_ended(loop, pid, status) &&
		!reload_ended(loop, pid, status)) {
		loop->snapshot.reaped_orphans++;
	}
}

static bool has_unreaped(const struct loop *loop)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (loop_has_main(&loop->unit[i]))
			return true;
	return false;
}

/* none: no child at all is left, not even the monitor. It stays where another life may come, or another unit is there:
 * who else is left is looked for then. */
static bool is_alone(struct loop *loop, const struct unit *unit, bool none)
{
	const struct descendants whom = loop_leftovers(loop, unit);
	const bool monitor_stays = loop_is_held(loop, unit) ||
		((unit->was_reaped || unit->machine.restart) && unit_may_live_again(unit));

	if (none)
		return true;
	return (loop->unit_count > 1 || monitor_stays || loop->spared_count > 1) && descendants_none(&whom);
}

/* The machine hears of what was reaped. */
static void settle(struct loop *loop, struct unit *unit, bool none)
{
	const bool waits = unit->machine.main_ended && unit->machine.state >= SUPERVISE_GROUP &&
		unit->machine.state != SUPERVISE_DONE;
	const bool alone = (unit->was_reaped || waits) && is_alone(loop, unit, none);

	if (unit->was_reaped)
		unit_main_ended(unit, alone);
	else if (alone)
		unit_step(unit, (struct supervise_event){ .type = SUPERVISE_EVENT_NO_CHILDREN }, NULL);
	if (unit->machine.state == SUPERVISE_GROUP)
		unit_look_at_group(unit);
}

/* SIGCHLD coalesces: reap until nothing is left (signal(7)). WNOHANG: waitpid(2) never blocks. If it fails, by a filter
 * or a tracer, the SIGCHLD is used up and the child is still there: it is asked again soon. */
static void reap(struct loop *loop)
{
	bool none;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		take_child(loop, pid, status);
	/* ECHILD while a main process was not reaped yet is no answer either. */
	none = pid < 0 && errno == ECHILD && !has_unreaped(loop);
	loop->reap_again = pid < 0 && !none;
	report(loop->personality, none ? PERSONALITY_NO_CHILD : PERSONALITY_NONE_TO_REAP, 0, 0, 0);
	for (size_t i = 0; i < loop->unit_count; i++)
		settle(loop, &loop->unit[i], none);
}

/* ---- signals ---- */

/* What our own write to standard error brought upon us, its reader gone or its file at its limit (write(2)): nobody has
 * sent it, and the workload would die of it. */
static bool is_of_our_own_making(int signal, const siginfo_t *info)
{
	return (signal == SIGPIPE || signal == SIGXFSZ) && info->si_code == SI_USER && info->si_pid == getpid();
}

/* To each that is there to hear it; a task has its own work to do. */
static void pass_on(struct loop *loop, struct supervise_event event, const siginfo_t *info)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (loop->coordinator.unit[i].kind == SERVICE_LASTING)
			unit_step(&loop->unit[i], event, info);
}

/* Another one while they stop: each goes on to its next step. */
static void hurry(struct loop *loop, struct supervise_event event, const siginfo_t *info)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (loop->coordinator.unit[i].phase == COORDINATE_STOPPING)
			unit_step(&loop->unit[i], event, info);
}

static void ask_for_stop(struct loop *loop, int signal, const siginfo_t *info)
{
	char name[SIGNAL_NAME_SIZE];

	if (loop->unit_count > 1)
		log_line(LOG_LEVEL_NOTICE, "SIG%s: stopping", signal_name(signal, name));
	loop->stop_signal = signal;
	loop->stop_asked = true;
	coordinate_stop(&loop->coordinator);
	loop_tell_stopping(loop); /* one that is stopped by hand hears of nothing new */
	loop_coordinate_by(loop, info);
}

/* Where a file is the configuration HUP has that read again, unless a service is told what becomes of it. */
static void take_hangup(struct loop *loop, struct supervise_event event, const siginfo_t *info)
{
	bool any = false;

	for (size_t i = 0; i < loop->unit_count; i++) {
		const uint8_t becomes = loop->unit[i].personality->rewrite[SIGHUP];

		if (becomes == 0 || becomes == PERSONALITY_DROPPED || loop->coordinator.unit[i].kind != SERVICE_LASTING)
			continue;
		any = true;
		unit_step(&loop->unit[i], event, info);
	}
	if (!any)
		reload_start(loop, true);
}

static void take_signal(struct loop *loop, int signal, const siginfo_t *info)
{
	const struct supervise_event event = { .type = SUPERVISE_EVENT_SIGNAL, .signal = signal };

	report(loop->personality, PERSONALITY_SIGNAL, 0, signal, 0);
	if (signal == SIGCHLD) {
		reap(loop);
		return;
	}
	if (is_of_our_own_making(signal, info))
		return;
	loop->snapshot.signals_received[signal]++;
	if (signal == SIGHUP && loop->reload.read != NULL && !supervise_asks_for_stop(&loop->unit->machine, signal))
		take_hangup(loop, event, info);
	else if (!supervise_asks_for_stop(&loop->unit->machine, signal))
		pass_on(loop, event, info);
	else if (loop->coordinator.stopping)
		hurry(loop, event, info);
	else
		ask_for_stop(loop, signal, info);
}

/* ---- waiting ---- */

/* While there is no workload signals stay queued in the kernel; with several they are taken once one is there. */
static uint64_t wanted_signals(const struct loop *loop)
{
	uint64_t wanted = 0;
	bool holds = false;

	for (size_t i = 0; i < loop->unit_count; i++) {
		wanted |= supervise_wanted_signals(&loop->unit[i].machine);
		holds = holds || loop->unit[i].held_signal != 0;
	}
	/* Behind one that waits for room the real-time signals wait too. The others have room in every queue, and are
	 * before them in every queue (signal(7)); and a stop must not wait for anybody. */
	if (holds)
		wanted &= BELOW_REAL_TIME | loop->unit->machine.policy.stop_signals;
	return wanted;
}

/* What is due at a known time. */
static int64_t next_deadline(const struct loop *loop)
{
	int64_t deadline = clock_earlier(loop->monitor.restart_at_ns, loop->watchdog_at_ns);

	deadline = clock_earlier(deadline, secret_rotation_deadline_ns(&loop->secrets));
	deadline = clock_earlier(deadline, reload_deadline_ns(loop));
	for (size_t i = 0; i < loop->unit_count; i++)
		deadline = clock_earlier(deadline, unit_deadline_ns(&loop->unit[i]));
	return loop->probes.running > 0 ? clock_earlier(deadline, exec_probes_deadline_ns(&loop->probes)) : deadline;
}

/* How long what is tried again waits; TIME_NEVER: nothing is. */
static int64_t next_try(const struct loop *loop)
{
	int64_t pause = loop->unsent ? UNSENT_RECORD_NS : TIME_NEVER;

	for (size_t i = 0; i < loop->unit_count; i++)
		if (loop->unit[i].held_signal != 0)
			return HELD_SIGNAL_NS;
	return loop->reap_again ? HELD_SIGNAL_NS : pause;
}

/* TIME_NEVER, or how long to sleep at most. No clock is read where nothing is due. */
static int64_t time_to_sleep(const struct loop *loop)
{
	const int64_t pause = next_try(loop), deadline = next_deadline(loop);
	int64_t now;

	if (deadline == TIME_NEVER)
		return pause;
	now = clock_now_ns();
	return deadline > now ? clock_earlier(deadline - now, pause) : 0;
}

/* It woke up for nothing: a system call fails that should not (a filter, a tracer). PID 1 does not spin then, and it
 * learns of the end of its children all the same. */
static void rest(struct loop *loop)
{
	poll(NULL, 0, REST_MS);
	reap(loop);
}

/* Of all that are starting. blind: nobody could say which has any. */
static bool take_news(struct loop *loop, bool blind, const struct pollfd *slot)
{
	bool moved = false;

	for (size_t i = 0; i < loop->unit_count; i++) {
		if (loop->unit[i].news_fd < 0)
			continue;
		if (blind || slot->revents != 0)
			moved |= unit_take_news(&loop->unit[i]);
		slot++;
	}
	return moved;
}

static void sleep_with_descriptors(struct loop *loop, int64_t sleep_ns)
{
	enum { SIGNALS, CHANNEL, NEWS };
	struct pollfd slot[NEWS + MODEL_UNITS_MAX];
	struct timespec limit = { .tv_sec = sleep_ns / NS_PER_S, .tv_nsec = sleep_ns % NS_PER_S };
	uint64_t wanted = wanted_signals(loop);
	int64_t patience_ns = 0;
	size_t count = NEWS;
	bool moved, blind;
	siginfo_t info;
	int signal, ready;

	/* The set changes with the state: setting it on the same descriptor costs no new one. */
	loop->signal_fd = signals_descriptor(loop->signal_fd, wanted);
	slot[SIGNALS] = (struct pollfd){ .fd = loop->signal_fd, .events = POLLIN };
	slot[CHANNEL] = (struct pollfd){ .fd = loop->monitor.channel, .events = POLLIN };
	for (size_t i = 0; i < loop->unit_count; i++)
		if (loop->unit[i].news_fd >= 0)
			slot[count++] = (struct pollfd){ .fd = loop->unit[i].news_fd, .events = POLLIN };
	if (loop->signal_fd < 0) {
		/* No descriptor to be had (EMFILE, ENFILE, ENOMEM): look often instead of sleeping through a signal. */
		loop->signal_fd = -1;
		limit = (struct timespec){ .tv_nsec = HELD_SIGNAL_NS };
	}
	ready = ppoll(slot, count, sleep_ns == TIME_NEVER && loop->signal_fd >= 0 ? NULL : &limit, NULL);
	/* No memory, or a limit of descriptors below ours (ppoll(2)): look at everything, and often. */
	blind = ready < 0;
	if (blind)
		patience_ns = HELD_SIGNAL_NS;
	moved = take_news(loop, blind, slot + NEWS);
	if (blind ? loop->monitor.channel >= 0 : slot[CHANNEL].revents != 0)
		moved |= take_record(loop);
	signal = signals_take(wanted, patience_ns, &info);
	if (signal > 0)
		take_signal(loop, signal, &info);
	else if (ready != 0 && !moved)
		rest(loop);
}

static void sleep_for_signals(struct loop *loop, int64_t sleep_ns)
{
	siginfo_t info;
	int signal = signals_take(wanted_signals(loop), sleep_ns, &info);

	if (signal > 0)
		take_signal(loop, signal, &info);
	else if (time_to_sleep(loop) != 0)
		rest(loop);
}

static bool has_news(const struct loop *loop)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (loop->unit[i].news_fd >= 0)
			return true;
	return false;
}

static void start_scheduled(struct loop *loop, size_t number)
{
	if (coordinate_due(&loop->coordinator, number))
		loop_coordinate_by(loop, NULL);
	else if (!loop->coordinator.stopping)
		log_line(LOG_LEVEL_WARNING, "%snot started: it still runs from the last time",
			loop->unit[number].prefix);
}

static void do_what_is_due(struct loop *loop)
{
	int64_t now;

	if (loop->reap_again)
		reap(loop);
	if (loop->ended) /* a monitor that is due is not started to be left behind */
		return;
	now = clock_now_ns();
	if (loop->unsent)
		loop_send(loop);
	exec_probes_kill_due(&loop->probes, now);
	loop_feed_watchdog(loop, now);
	secret_rotation_run(loop, now);
	reload_run(loop, now);
	if (now >= loop->monitor.restart_at_ns)
		start_monitor(loop, now);
	for (size_t i = 0; i < loop->unit_count; i++)
		if (unit_look_at_clock(&loop->unit[i], now))
			start_scheduled(loop, i);
}

static void pass_on_held(struct loop *loop)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (loop->unit[i].held_signal != 0)
			unit_pass_on_held(&loop->unit[i]);
}

int loop_pause(struct loop *loop)
{
	siginfo_t info;
	int signal, status;

	for (;;) {
		signal = signals_take(UINT64_MAX, TIME_NEVER, &info);
		report(loop->personality, PERSONALITY_SIGNAL, 0, signal, 0);
		if (signal == SIGTERM || signal == SIGINT)
			return 0;
		while (signal == SIGCHLD && waitpid(-1, &status, WNOHANG) > 0)
			continue;
	}
}

int loop_run(struct loop *loop)
{
	int64_t sleep_ns;

	loop_coordinate_by(loop, NULL);
	for (size_t i = 0; i < loop->unit_count; i++)
		unit_schedule(&loop->unit[i]);
	/* Of several services others are looked at before that one is there. */
	if (!loop->ended && (loop->unit_count > 1 || !spawn_is_reported(&loop->unit->spawn)))
		loop_start_monitor(loop);
	while (!loop->ended) {
		pass_on_held(loop);
		sleep_ns = time_to_sleep(loop);
		if (has_news(loop) || loop->monitor.channel >= 0)
			sleep_with_descriptors(loop, sleep_ns);
		else
			sleep_for_signals(loop, sleep_ns);
		if (sleep_ns != TIME_NEVER)
			do_what_is_due(loop);
	}
	loop_finish_logs(loop);
	return loop->exit_status;
}
