#include "init/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/log_kept.h"
#include "base/signame.h"
#include "init/certificate.h"
#include "init/descendants.h"
#include "init/inherited.h"
#include "init/notify.h"
#include "init/report.h"
#include "init/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a signal waits before it is offered again to a workload whose queue is full. */
#define HELD_SIGNAL_NS (10 * NS_PER_MS)
#define REST_MS 10
/* What SIGKILL has, behind the budget of a stop (init/supervise.c). */
#define KILLING_NS (2 * NS_PER_S)
#define NS_PER_US 1000
/* The log process gives up by itself before that. */
#define LOGS_END_NS (LOGGER_END_NS + NS_PER_S / 2)
/* Signals 1 to 31: the kernel's real-time signals begin at 32. */
#define BELOW_REAL_TIME UINT64_C(0x7fffffff)

static void step(struct loop *loop, struct supervise_event event, const siginfo_t *info);
static bool take_news(struct loop *loop);
static bool take_record(struct loop *loop);

static void describe_filter(const struct confine_filter *filter, struct wire_snapshot *snapshot)
{
	snprintf(snapshot->seccomp_profile, sizeof snapshot->seccomp_profile, "%s", filter->profile);
	snprintf(snapshot->seccomp_sha256, sizeof snapshot->seccomp_sha256, "%s", filter->sha256);
	snprintf(snapshot->seccomp_default_action, sizeof snapshot->seccomp_default_action, "%s",
		filter->default_action);
}

void loop_init(struct loop *loop)
{
	loop->news_fd = -1;
	loop->signal_fd = -1;
	loop->pre_stop_news_fd = -1;
	loop->ended = false;
	loop->live = true;
	loop->watchdog_at_ns = TIME_NEVER;
	loop->snapshot = (struct wire_snapshot){ .start_time_ns = clock_wall_ns(),
		.time_to_ready_ns = -1,
		.last_status = -1,
		.stop_duration_ns = -1,
		.landlock_abi = loop->landlock_abi,
		.own_capabilities = loop->spawn.plan->had.permitted };
	describe_filter(&loop->spawn.plan->filter, &loop->snapshot);
}

/* ---- what others are told ---- */

static uint32_t public_state(const struct supervise *machine)
{
	switch (machine->state) {
	case SUPERVISE_IDLE:
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
	default:
		return WIRE_STATE_STOPPING;
	}
}

static void send_snapshot(struct loop *loop)
{
	const struct confine_plan *plan = loop->spawn.plan;
	struct wire_snapshot *snapshot = &loop->snapshot;

	snapshot->state = public_state(&loop->machine);
	snapshot->main_pid = loop->main_pid;
	snapshot->layers_requested = plan->requested;
	/* Nothing is in force before the child has said so by executing the workload. */
	snapshot->layers_enforced = loop->machine.state >= SUPERVISE_RUNNING
		? plan->requested & ~plan->weakened & ~loop->not_enforced
		: 0;
	snapshot->capability_bounding = plan->capabilities.bounding;
	snapshot->securebits = plan->asked->securebits;
	snapshot->monitor_restarts = loop->monitor.restarts;
	monitor_link_send(&loop->monitor, snapshot);
}

/* READY=1 goes out once, whatever is started again later, and never after a stop began. */
static void become_ready(struct loop *loop)
{
	if (loop->was_ready || loop->machine.state != SUPERVISE_RUNNING)
		return;
	loop->was_ready = true;
	loop->snapshot.time_to_ready_ns = clock_now_ns() - loop->service_started_at_ns;
	if (loop->ready_told)
		return;
	notify_send("READY=1");
	loop->ready_told = true;
	if (loop->watchdog_ns > 0)
		loop->watchdog_at_ns = clock_now_ns() + loop->watchdog_ns;
}

/* As long as the service is not dead; else the manager is to act. */
static void feed_watchdog(struct loop *loop, int64_t now)
{
	if (now < loop->watchdog_at_ns)
		return;
	loop->watchdog_at_ns = now + loop->watchdog_ns;
	if (loop->live)
		notify_send("WATCHDOG=1");
}

/* What goes before the stop signal takes from the manager's time for a stop (TimeoutStopSec=): it is asked for as much
 * as the whole of a stop may take. It never has less than its own time by that (sd_notify(3)). */
static void tell_stopping(struct loop *loop)
{
	const struct supervise_policy *policy = &loop->machine.policy;
	char text[64] = "STOPPING=1";

	if (!loop->ready_told || loop->stopping_told) /* nothing before READY=1 */
		return;
	loop->stopping_told = true;
	if (policy->drain_ns > 0 || policy->pre_stop)
		snprintf(text, sizeof text, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld",
			(long long)((supervise_order_budget(policy) + KILLING_NS) / NS_PER_US));
	notify_send(text);
}

/* ---- actions ---- */

static int64_t wall_of(int64_t monotonic_ns)
{
	return monotonic_ns == TIME_NEVER ? 0 : clock_wall_ns() + (monotonic_ns - clock_now_ns());
}

static void close_inherited(const struct loop *loop)
{
	int ours[7 + MODEL_LISTEN_MAX + LOG_LINK_FDS] = { loop->news_fd, loop->monitor.executable,
		loop->monitor.control, loop->monitor.channel, loop->monitor.listener, loop->monitor.denials,
		loop->monitor.notify };
	size_t count = 7;

	for (size_t i = 0; i < loop->monitor.listen_count; i++)
		ours[count++] = loop->monitor.listen[i];
	count += log_link_descriptors(&loop->logs, ours + count);
	inherited_close(ours, count);
}

/* The child has its directory and its descriptors: ours hold nothing any more. */
static void leave_inherited(const struct loop *loop)
{
	if (loop->spawn.again)
		return;
	if (loop->personality->close_descriptors)
		close_inherited(loop);
	if (loop->personality->chdir_root && chdir("/") < 0)
		log_line(LOG_LEVEL_ERROR, "cannot leave the directory: %s", strerror(errno));
}

static void act_spawn(struct loop *loop)
{
	int error;

	log_link_begin_life(&loop->logs);
	/* fork(2) does not wait for anything; the child does all that may take time. */
	error = spawn_workload(&loop->spawn, &loop->main_pid, &loop->news_fd);
	if (error < 0) {
		if (loop->machine.state != SUPERVISE_RETRY)
			log_line(LOG_LEVEL_ERROR, "cannot start the workload: %s%s", strerror(-error),
				error == -EAGAIN || error == -ENOMEM
					? "; trying again (is the pids or memory limit too low?)"
					: "");
		step(loop, (struct supervise_event){ .type = SUPERVISE_EVENT_SPAWN_FAILED, .error = -error }, NULL);
		return;
	}
	/* Under another name every signal is simply passed on, now that there is somebody to hear it. */
	if (loop->personality->kind != NULL)
		loop->machine.policy.stop_signals = 0;
	loop->service_started_at_ns = clock_now_ns();
	loop->snapshot.service_start_time_ns = clock_wall_ns();
	loop->snapshot.starts++;
	report(loop->personality, PERSONALITY_SPAWNED, loop->main_pid, 0, 0);
	leave_inherited(loop);
	loop->spawn.again = true;
	step(loop, (struct supervise_event){ .type = SUPERVISE_EVENT_SPAWNED }, NULL);
	take_news(loop); /* a vforked child has mostly executed by now: no need to sleep for it */
}

static void tell_signal_trouble(struct loop *loop, int signal, int error)
{
	char name[SIGNAL_NAME_SIZE];

	if (error == -ESRCH || loop->signal_trouble_told)
		return;
	loop->signal_trouble_told = true;
	log_line(LOG_LEVEL_ERROR, "cannot send SIG%s to the workload: %s%s", signal_name(signal, name),
		strerror(-error), error == -EPERM ? " (it runs as another user: leave CAP_KILL to the container)" : "");
}

/* To the leader or to its group, as the personality has it. A group that the child has not made yet is the child. */
static int send_signal(struct loop *loop, int signal, const siginfo_t *info)
{
	int error;

	if (!loop->personality->signals_to_group)
		return signals_pass_on(loop->main_pid, signal, info);
	error = signals_pass_on(-loop->main_pid, signal, info);
	return error == -ESRCH ? signals_pass_on(loop->main_pid, signal, info) : error;
}

static void deliver(struct loop *loop, int signal, const siginfo_t *info)
{
	int error = send_signal(loop, signal, info);

	if (error == -EAGAIN && info != NULL && loop->held_signal == 0) {
		/* The queue of real-time signals is full: this one waits here, those after it in the kernel, in order.
		 */
		loop->held_signal = signal;
		loop->held_info = *info;
		return;
	}
	if (error == -EAGAIN) /* one waits already, so this one asks for a stop: kill(2) finds room, without a value */
		error = send_signal(loop, signal, NULL);
	if (error < 0)
		report(loop->personality, PERSONALITY_FORWARD_FAILED,
			loop->personality->signals_to_group ? -loop->main_pid : loop->main_pid, -error, signal);
	report(loop->personality, PERSONALITY_FORWARDED, 0, signal, 0);
	if (error == 0)
		loop->snapshot.signals_forwarded[signal]++;
	else
		tell_signal_trouble(loop, signal, error);
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

static void pass_on(struct loop *loop, int signal, const siginfo_t *info)
{
	const struct personality *personality = loop->personality;
	int becomes = translate(personality, signal);

	if (becomes != 0)
		deliver(loop, becomes, info);
	if ((personality->stop_self & personality_bit(signal)) != 0) {
		/* PID 1 of a namespace cannot be stopped from within it; under a shell this is what ^Z is for. */
		report(personality, PERSONALITY_STOPS_ITSELF, 0, 0, 0);
		kill(getpid(), SIGSTOP);
	}
}

/* Offers the one that waits once more. */
static void pass_on_held(struct loop *loop)
{
	int signal = loop->held_signal;
	siginfo_t info = loop->held_info;

	loop->held_signal = 0;
	deliver(loop, signal, &info);
}

/* dumb-init's last word to the group, by the rules for a TERM that it was sent. Its leader is reaped: without a group
 * there is nobody to send it to. */
static void act_last_word(struct loop *loop, int signal)
{
	int becomes = translate(loop->personality, signal);

	if (becomes == 0)
		return;
	if (loop->personality->signals_to_group)
		kill(-loop->main_pid, becomes);
	report(loop->personality, PERSONALITY_FORWARDED, 0, becomes, 0);
}

/* Those who are left behind get what the leader got, rewritten or dropped. SIGKILL is our own last word. */
static int for_leftovers(const struct loop *loop, int signal)
{
	return signal == SIGKILL ? signal : personality_forwarded(loop->personality, signal);
}

/* signal 0 only asks whether anybody is there (kill(2)). */
static void signal_group(struct loop *loop, int signal)
{
	/* The group's number stays taken while anybody is in it (setpgid(2)), also after its leader was reaped. */
	if (kill(-loop->main_pid, signal) < 0 && errno == ESRCH)
		step(loop, (struct supervise_event){ .type = SUPERVISE_EVENT_GROUP_GONE }, NULL);
}

static void act_signal_group(struct loop *loop, int signal, bool first)
{
	int becomes = for_leftovers(loop, signal);

	/* Who is stopped could not hear of it (SIGSTOP, a terminal): woken up, as systemd does it. The signal itself
	 * comes after it, as its answer may be that nobody is there. */
	if (first && becomes != 0)
		kill(-loop->main_pid, SIGCONT);
	signal_group(loop, becomes);
}

/* Those who are asked to end for the first time, and woken up; or those who hear one more signal. Who is still in the
 * group has been asked already: a second TERM means "now" to many. */
static void act_signal_orphans(struct loop *loop, int signal, bool first)
{
	int (*const send)(int, pid_t, pid_t) = loop->machine.restart ? descendants_signal_ours : descendants_signal;
	int becomes = for_leftovers(loop, signal);
	/* The log process is left alone with what cannot be blocked: it has a session, and a group, of its own. */
	pid_t group = becomes == SIGKILL ? loop->logs.pid : first && kill(-loop->main_pid, 0) == 0 ? loop->main_pid : 0;
	int error = becomes != 0 ? send(becomes, loop->monitor.pid, group) : 0;

	if (error == 0 && first && becomes != 0 && becomes != SIGKILL)
		error = send(SIGCONT, loop->monitor.pid, group);

	if (error < 0 && !loop->orphans_trouble_told) {
		loop->orphans_trouble_told = true;
		log_line(LOG_LEVEL_ERROR, "cannot find the processes that are left: /proc: %s (mount /proc)",
			strerror(-error));
	}
}

static void act_not_ready(struct loop *loop, int signal)
{
	char name[SIGNAL_NAME_SIZE];

	if (loop->stop_began_at_ns == 0)
		loop->stop_began_at_ns = clock_now_ns();
	loop->asked_signal = signal;
	loop->snapshot.stop_deadline_ns = wall_of(loop->machine.kill_at_ns);
	if (!loop->machine.restart)
		tell_stopping(loop);
	send_snapshot(loop); /* before the workload hears of it: no request is to come to one that is leaving */
	if (signal == 0)
		log_line(LOG_LEVEL_WARNING, "a check found %s unhealthy: %s", personality_basename(loop->spawn.argv[0]),
			loop->machine.restart ? "it is started again" : "stopping");
	else
		log_line(loop->wants_monitor ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO, "SIG%s: stopping",
			signal_name(signal, name));
}

/* ---- the pre-stop command ---- */

static void act_pre_stop_start(struct loop *loop)
{
	/* fork(2) only, never vfork(2): whatever the command waits for, PID 1 does not. */
	int error = spawn_workload(&loop->pre_stop, &loop->pre_stop_pid, &loop->pre_stop_news_fd);

	if (error == 0) {
		loop->pre_stop_ends_ns = loop->machine.deadline_ns;
		log_line(LOG_LEVEL_INFO, "--pre-stop %s started", loop->pre_stop.argv[0]);
		return;
	}
	log_line(LOG_LEVEL_ERROR, "--pre-stop %s cannot be started: %s", loop->pre_stop.argv[0], strerror(-error));
	step(loop, (struct supervise_event){ .type = SUPERVISE_EVENT_PRE_STOP_ENDED }, NULL);
}

static void act_pre_stop_kill(struct loop *loop)
{
	if (loop->pre_stop_pid == 0)
		return;
	if (clock_now_ns() < loop->pre_stop_ends_ns)
		log_line(LOG_LEVEL_NOTICE, "--pre-stop %s is cut short by another stop signal", loop->pre_stop.argv[0]);
	else
		log_line(LOG_LEVEL_WARNING, "--pre-stop %s did not end within %lld ms: killed", loop->pre_stop.argv[0],
			(long long)(loop->machine.policy.pre_stop_ns / NS_PER_MS));
	/* Its group, or it alone as long as it has none; until it is reaped its number is its own. */
	if (kill(-loop->pre_stop_pid, SIGKILL) < 0)
		kill(loop->pre_stop_pid, SIGKILL);
}

/* Why it failed, if it did; that holds nothing up. */
static void tell_pre_stop_end(struct loop *loop, int status)
{
	const char *program = loop->pre_stop.argv[0];
	char name[SIGNAL_NAME_SIZE];
	struct spawn_news news;

	while (spawn_read_news(loop->pre_stop_news_fd, &news, NULL) == 1) {
		if (news.type == SPAWN_REFUSED) {
			log_line(LOG_LEVEL_ERROR, "--pre-stop: %s", news.text.text);
			return;
		}
	}
	if (WIFSIGNALED(status) && loop->machine.state == SUPERVISE_PRE_STOP)
		log_line(LOG_LEVEL_NOTICE, "--pre-stop %s was killed by SIG%s", program,
			signal_name(WTERMSIG(status), name));
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		log_line(LOG_LEVEL_NOTICE, "--pre-stop %s ended with status %d", program, WEXITSTATUS(status));
	else if (WIFEXITED(status))
		log_line(LOG_LEVEL_INFO, "--pre-stop %s done", program);
}

static void pre_stop_ended(struct loop *loop, int status)
{
	tell_pre_stop_end(loop, status);
	close(loop->pre_stop_news_fd);
	loop->pre_stop_news_fd = -1;
	loop->pre_stop_pid = 0;
	step(loop, (struct supervise_event){ .type = SUPERVISE_EVENT_PRE_STOP_ENDED }, NULL);
}

/* ---- the end ---- */

/* What the next life is to find as the first one did. */
static void forget_life(struct loop *loop)
{
	loop->main_pid = 0;
	loop->not_enforced = 0;
	loop->executed = loop->refused = loop->was_ready = loop->was_unhealthy = false;
	loop->live = true;
	loop->signal_trouble_told = loop->orphans_trouble_told = false;
	loop->asked_signal = 0;
	loop->stop_began_at_ns = 0;
	loop->passed = 0;
	loop->leftovers.count = 0;
	loop->snapshot.stop_deadline_ns = 0;
	loop->snapshot.time_to_ready_ns = -1;
}

static void act_restarting(struct loop *loop)
{
	log_link_end_life(&loop->logs, clock_now_ns());
	certificate_tell(loop);
	forget_life(loop);
}

static void act_exit(struct loop *loop, int status)
{
	const struct personality *personality = loop->personality;

	loop->ended = true;
	loop->exit_status = status;
	if (personality->kind != NULL && loop->machine.main_ended) {
		report(personality, PERSONALITY_END, 0, status, 0);
		/* A refusal of ours is never an expected status. */
		if (!loop->refused)
			loop->exit_status = personality_exit_status(personality, loop->machine.main_status);
	}
}

/* first: with this action a new state begins. */
static void perform(struct loop *loop, const struct supervise_action *action, const siginfo_t *info, bool first)
{
	switch (action->type) {
	case SUPERVISE_SPAWN:
		act_spawn(loop);
		break;
	case SUPERVISE_NOT_READY:
		act_not_ready(loop, action->signal);
		break;
	case SUPERVISE_PRE_STOP_START:
		act_pre_stop_start(loop);
		break;
	case SUPERVISE_PRE_STOP_KILL:
		act_pre_stop_kill(loop);
		break;
	case SUPERVISE_SIGNAL_LEADER:
		pass_on(loop, action->signal, info);
		break;
	case SUPERVISE_SIGNAL_GROUP:
		if (loop->machine.policy.main_end == SUPERVISE_TERM_AND_END)
			act_last_word(loop, action->signal);
		else
			act_signal_group(loop, action->signal, first);
		break;
	case SUPERVISE_SIGNAL_ORPHANS:
		act_signal_orphans(loop, action->signal, first);
		break;
	case SUPERVISE_END_MONITOR:
		monitor_link_end(&loop->monitor);
		break;
	case SUPERVISE_RESTARTING:
		act_restarting(loop);
		break;
	case SUPERVISE_EXIT:
		act_exit(loop, action->status);
		break;
	default:
		break;
	}
}

static void step(struct loop *loop, struct supervise_event event, const siginfo_t *info)
{
	enum supervise_state before = loop->machine.state, state;
	struct supervise_actions actions;
	int64_t now = supervise_needs_time(&loop->machine, event) ? clock_now_ns() : 0;

	supervise_step(&loop->machine, event, now, &actions);
	if (loop->machine.state == SUPERVISE_KILLING && before != SUPERVISE_KILLING)
		certificate_killing(loop);
	if (before == SUPERVISE_PRE_STOP && loop->machine.state == SUPERVISE_STOPPING &&
		event.type == SUPERVISE_EVENT_TIME)
		certificate_deadline(loop, WIRE_DEADLINE_PRE_STOP);
	state = loop->machine.state; /* an action may lead to the next step at once */
	for (size_t i = 0; i < actions.count; i++)
		perform(loop, &actions.list[i], info, state != before);
	if (loop->machine.state != before)
		send_snapshot(loop);
}

/* ---- events ---- */

/* As soon as there is something for it. Where denials are reported that is the listener of the workload's filter, which
 * the monitor gets as it gets the other descriptors. */
static void start_monitor(struct loop *loop)
{
	if (loop->wants_monitor && loop->monitor.pid == 0)
		loop->monitor.restart_at_ns = 0;
}

static bool may_live_again(const struct loop *loop)
{
	return loop->machine.policy.restart.kind != RESTART_NEVER || loop->on_unhealthy == UNHEALTHY_RESTART;
}

/* Returns whether there was any. */
static bool take_news(struct loop *loop)
{
	const bool reported = spawn_is_reported(&loop->spawn);
	struct spawn_news news;
	bool any = false;
	int taken, listener;

	while ((taken = spawn_read_news(loop->news_fd, &news, reported ? &listener : NULL)) == 1) {
		any = true;
		if (news.type == SPAWN_LISTENER) {
			monitor_link_take_listener(&loop->monitor, listener);
			start_monitor(loop);
			continue;
		}
		if (news.type == SPAWN_NO_LISTENER) {
			log_line(LOG_LEVEL_WARNING, "not reported: seccomp: %s", news.text.text);
			continue;
		}
		if (news.type == SPAWN_READ_ONLY && loop->snapshot.starts > 1)
			continue; /* "already", by the first life */
		if (news.type == SPAWN_READ_ONLY) {
			memset(loop->snapshot.read_only_how, 0, sizeof loop->snapshot.read_only_how);
			memccpy(loop->snapshot.read_only_how, news.text.text, '\0',
				sizeof loop->snapshot.read_only_how - 1);
			continue;
		}
		if (news.type == SPAWN_REFUSED) {
			loop->refused = true; /* the certificate says it, once the child has ended */
			loop->refusal = news.text;
			continue;
		}
		loop->not_enforced |= 1U << news.layer;
		log_line(LOG_LEVEL_WARNING, "not in force: %s", news.text.text);
	}
	if (taken == -EAGAIN)
		return any;
	close(loop->news_fd);
	loop->news_fd = -1;
	if (loop->refused)
		return true;
	if (reported && loop->monitor.listener < 0)
		start_monitor(loop);
	loop->executed = true;
	if (log_link_is_there(&loop->logs) && loop->logs.pid == 0)
		loop->logs.restart_at_ns = 0; /* it holds a file open: not before the root is read-only */
	certificate_begin(loop);
	loop->snapshot.own_capabilities = confine_drop_own(loop->spawn.plan,
		loop->wants_monitor || log_link_is_there(&loop->logs),
		loop->pre_stop.argv != NULL || loop->probes.check_count > 0 || may_live_again(loop));
	step(loop, (struct supervise_event){ .type = SUPERVISE_EVENT_EXECUTED }, NULL);
	if (!loop->ready_follows_health)
		become_ready(loop);
	return true;
}

static void main_ended(struct loop *loop, int status, bool alone)
{
	loop->snapshot.reaped_services++;
	loop->snapshot.last_status = status;
	loop->held_signal = 0; /* whom it was for is gone */
	exec_probes_kill_all(&loop->probes);
	if (loop->news_fd >= 0)
		take_news(loop); /* why it never came to executing the workload */
	certificate_end(loop, status);
	if (loop->pre_stop.argv != NULL &&
		(loop->machine.state == SUPERVISE_DRAINING || loop->machine.state == SUPERVISE_PRE_STOP))
		log_line(LOG_LEVEL_NOTICE, "the main process ended before --pre-stop %s was done",
			loop->pre_stop.argv[0]);
	step(loop, (struct supervise_event){ .type = SUPERVISE_EVENT_MAIN_ENDED, .status = status, .alone = alone },
		NULL);
}

static void report_reaped(const struct personality *personality, pid_t pid, int status, bool is_main)
{
	int killed = WIFSIGNALED(status), number = killed ? WTERMSIG(status) : WEXITSTATUS(status);

	report(personality, killed ? PERSONALITY_REAPED_KILLED : PERSONALITY_REAPED_EXITED, pid, number, 0);
	if (is_main)
		report(personality, killed ? PERSONALITY_MAIN_KILLED : PERSONALITY_MAIN_EXITED, pid, number, 0);
	else
		report(personality, killed ? PERSONALITY_ORPHAN_KILLED : PERSONALITY_ORPHAN_EXITED, pid, number, 0);
}

/* What it said last is heard first: what the service has told it of itself nobody says again. The channel holds so much
 * and no more, and nobody writes to it now. */
static void monitor_ended(struct loop *loop, int status)
{
	loop->monitor.pid = 0; /* its number may be another's by now */
	while (take_record(loop))
		continue;
	monitor_link_ended(&loop->monitor, status, clock_now_ns());
	exec_probes_kill_all(&loop->probes); /* nobody waits for them any more */
}

/* SIGCHLD coalesces: reap until nothing is left (signal(7)). WNOHANG: waitpid(2) never blocks. If it fails, by a filter
 * or a tracer, the SIGCHLD is used up and the child is still there: it is asked again soon. */
static void reap(struct loop *loop)
{
	bool ended = false, none;
	int status, main_status = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != loop->monitor.pid && pid != loop->logs.pid)
			report_reaped(loop->personality, pid, status, pid == loop->main_pid);
		if (pid == loop->main_pid && !loop->machine.main_ended) {
			ended = true;
			main_status = status;
		} else if (pid == loop->pre_stop_pid) {
			pre_stop_ended(loop, status);
		} else if (loop->probes.running > 0 && exec_probes_ended(&loop->probes, &loop->monitor, pid, status)) {
			continue;
		} else if (pid == loop->monitor.pid) {
			monitor_ended(loop, status);
		} else if (pid == loop->logs.pid) {
			log_link_ended(&loop->logs, status, clock_now_ns());
		} else {
			loop->snapshot.reaped_orphans++;
		}
	}
	/* ECHILD while the workload was not reaped yet is no answer either. */
	none = pid < 0 && errno == ECHILD && (ended || loop->machine.main_ended || loop->main_pid == 0);
	loop->reap_again = pid < 0 && !none;
	/* The monitor stays for the next life, and the log process until all is written. */
	if (!none &&
		(((ended || loop->machine.restart) && may_live_again(loop)) ||
			((ended || loop->machine.main_ended) && log_link_is_there(&loop->logs))))
		none = descendants_none_but(loop->monitor.pid, loop->logs.pid);
	report(loop->personality, none ? PERSONALITY_NO_CHILD : PERSONALITY_NONE_TO_REAP, 0, 0, 0);
	if (ended)
		main_ended(loop, main_status, none);
	else if (none)
		step(loop, (struct supervise_event){ .type = SUPERVISE_EVENT_NO_CHILDREN }, NULL);
	if (loop->machine.state == SUPERVISE_GROUP)
		signal_group(loop, 0); /* is anybody left in it? */
}

/* What our own write to standard error brought upon us, its reader gone or its file at its limit (write(2)): nobody has
 * sent it, and the workload would die of it. */
static bool is_of_our_own_making(int signal, const siginfo_t *info)
{
	return (signal == SIGPIPE || signal == SIGXFSZ) && info->si_code == SI_USER && info->si_pid == getpid();
}

static void take_signal(struct loop *loop, int signal, const siginfo_t *info)
{
	report(loop->personality, PERSONALITY_SIGNAL, 0, signal, 0);
	if (signal == SIGCHLD) {
		reap(loop);
		return;
	}
	if (is_of_our_own_making(signal, info))
		return;
	loop->snapshot.signals_received[signal]++;
	step(loop, (struct supervise_event){ .type = SUPERVISE_EVENT_SIGNAL, .signal = signal }, info);
}

/* Once in a life, whatever the checks say afterwards: the next word is the service's. */
static void become_unhealthy(struct loop *loop)
{
	if (loop->was_unhealthy || loop->machine.state != SUPERVISE_RUNNING)
		return;
	loop->was_unhealthy = true;
	if (loop->on_unhealthy == UNHEALTHY_SIGNAL) {
		log_line(LOG_LEVEL_WARNING, "a check found %s unhealthy: it is sent a signal",
			personality_basename(loop->spawn.argv[0]));
		deliver(loop, loop->unhealthy_signal, NULL);
	} else if (loop->on_unhealthy != UNHEALTHY_NONE) {
		step(loop,
			(struct supervise_event){ .type = SUPERVISE_EVENT_ORDER,
				.order = loop->on_unhealthy == UNHEALTHY_RESTART ? SUPERVISE_ORDER_RESTART
										 : SUPERVISE_ORDER_STOP },
			NULL);
	}
}

static void take_health(struct loop *loop, const struct wire_health *health)
{
	loop->live = health->healthy[CHECK_LIVE] == 1;
	if (health->healthy[CHECK_READY] == 1)
		become_ready(loop);
	if (health->unhealthy == 1)
		become_unhealthy(loop);
}

/* Once the main process has ended there is nothing to look at. */
static void take_run(struct loop *loop, const struct wire_run *run, int output)
{
	if (loop->machine.state >= SUPERVISE_RUNNING && loop->machine.state <= SUPERVISE_STOPPING)
		exec_probes_start(&loop->probes, &loop->monitor, run, output, clock_now_ns());
}

/* Returns whether there was one. */
static bool take_record(struct loop *loop)
{
	union wire_record record;
	int output;

	if (monitor_link_receive(&loop->monitor, &record, &output) == 0)
		return false;
	if (record.header.type == WIRE_REFRESH)
		send_snapshot(loop);
	else if (record.header.type == WIRE_RUN && record.run.life == loop->snapshot.starts)
		take_run(loop, &record.run, output);
	else if (record.header.type == WIRE_NOTIFIED && record.notified.life == loop->snapshot.starts)
		loop->notified = record.notified;
	else if (record.header.type == WIRE_HEALTH && record.health.life == loop->snapshot.starts)
		take_health(loop, &record.health);
	if (output >= 0)
		close(output);
	return true;
}

/* ---- waiting ---- */

static uint64_t wanted_signals(const struct loop *loop)
{
	uint64_t wanted = supervise_wanted_signals(&loop->machine);

	/* Behind one that waits for room the real-time signals wait too. The others have room in every queue, and are
	 * before them in every queue (signal(7)); and a stop must not wait for anybody. */
	if (loop->held_signal != 0)
		wanted &= BELOW_REAL_TIME | loop->machine.policy.stop_signals;
	return wanted;
}

static int64_t next_deadline(const struct loop *loop, int64_t now)
{
	int64_t deadline = loop->machine.deadline_ns, probes = exec_probes_deadline_ns(&loop->probes);

	if (loop->monitor.restart_at_ns < deadline)
		deadline = loop->monitor.restart_at_ns;
	if (loop->logs.restart_at_ns < deadline)
		deadline = loop->logs.restart_at_ns;
	if (probes < deadline)
		deadline = probes;
	if (loop->watchdog_at_ns < deadline)
		deadline = loop->watchdog_at_ns;
	if ((loop->held_signal != 0 || loop->reap_again) && now + HELD_SIGNAL_NS < deadline)
		deadline = now + HELD_SIGNAL_NS;
	return deadline;
}

/* TIME_NEVER, or how long to sleep at most. No clock is read where nothing is due. */
static int64_t time_to_sleep(const struct loop *loop)
{
	int64_t now, deadline;

	if (loop->machine.deadline_ns == TIME_NEVER && loop->monitor.restart_at_ns == TIME_NEVER &&
		loop->logs.restart_at_ns == TIME_NEVER && loop->held_signal == 0 && !loop->reap_again &&
		loop->probes.running == 0 && loop->watchdog_at_ns == TIME_NEVER)
		return TIME_NEVER;
	now = clock_now_ns();
	deadline = next_deadline(loop, now);
	return deadline > now ? deadline - now : 0;
}

/* It woke up for nothing: a system call fails that should not (a filter, a tracer). PID 1 does not spin then, and it
 * learns of the end of its children all the same. */
static void rest(struct loop *loop)
{
	poll(NULL, 0, REST_MS);
	reap(loop);
}

static void sleep_with_descriptors(struct loop *loop, int64_t sleep_ns)
{
	enum { SIGNALS, NEWS, CHANNEL, SLOT_COUNT };
	struct pollfd slot[SLOT_COUNT] = { [NEWS] = { .fd = loop->news_fd, .events = POLLIN },
		[CHANNEL] = { .fd = loop->monitor.channel, .events = POLLIN } };
	struct timespec limit = { .tv_sec = sleep_ns / NS_PER_S, .tv_nsec = sleep_ns % NS_PER_S };
	uint64_t wanted = wanted_signals(loop);
	int64_t patience_ns = 0;
	bool moved = false;
	siginfo_t info;
	int signal, ready;

	/* The set changes with the state: setting it on the same descriptor costs no new one. */
	loop->signal_fd = signals_descriptor(loop->signal_fd, wanted);
	slot[SIGNALS] = (struct pollfd){ .fd = loop->signal_fd, .events = POLLIN };
	if (loop->signal_fd < 0) {
		/* No descriptor to be had (EMFILE, ENFILE, ENOMEM): look often instead of sleeping through a signal. */
		loop->signal_fd = -1;
		limit = (struct timespec){ .tv_nsec = HELD_SIGNAL_NS };
	}
	ready = ppoll(slot, SLOT_COUNT, sleep_ns == TIME_NEVER && loop->signal_fd >= 0 ? NULL : &limit, NULL);
	if (ready < 0) {
		/* No memory, or a limit of descriptors below ours (ppoll(2)): look at everything, and often. */
		patience_ns = HELD_SIGNAL_NS;
		slot[NEWS].revents = loop->news_fd >= 0;
		slot[CHANNEL].revents = loop->monitor.channel >= 0;
	}
	if (slot[NEWS].revents != 0)
		moved = take_news(loop);
	if (slot[CHANNEL].revents != 0)
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

static void do_what_is_due(struct loop *loop)
{
	int64_t now;

	if (loop->reap_again)
		reap(loop);
	if (loop->ended || time_to_sleep(loop) != 0) /* a monitor that is due is not started to be left behind */
		return;
	now = clock_now_ns();
	exec_probes_kill_due(&loop->probes, now);
	feed_watchdog(loop, now);
	if (now >= loop->monitor.restart_at_ns) {
		monitor_link_start(&loop->monitor, now);
		monitor_link_tell(&loop->monitor, (union wire_record *)&loop->notified, WIRE_NOTIFIED);
		send_snapshot(loop);
	}
	if (now >= loop->logs.restart_at_ns)
		log_link_start(&loop->logs, now);
	step(loop, (struct supervise_event){ .type = SUPERVISE_EVENT_TIME }, NULL);
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

/* Nobody is left but the log process, which has so long for what it has not written yet. Signals have nobody to go to
 * any more. */
static void finish_logs(struct loop *loop)
{
	int64_t now = clock_now_ns(), give_up_at_ns = now + LOGS_END_NS, until;
	siginfo_t info;

	log_link_finish(&loop->logs, now);
	for (; log_link_is_busy(&loop->logs) && now < give_up_at_ns; now = clock_now_ns()) {
		if (now >= loop->logs.restart_at_ns)
			log_link_start(&loop->logs, now);
		until = loop->logs.restart_at_ns < give_up_at_ns ? loop->logs.restart_at_ns : give_up_at_ns;
		signals_take(supervise_signal_bit(SIGCHLD), until - now, &info);
		for (int status, pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
			if (pid == loop->logs.pid)
				log_link_ended(&loop->logs, status, clock_now_ns());
	}
	log_link_give_up(&loop->logs);
}

int loop_run(struct loop *loop)
{
	int64_t sleep_ns;

	step(loop, (struct supervise_event){ .type = SUPERVISE_EVENT_START }, NULL);
	if (!loop->ended && !spawn_is_reported(&loop->spawn))
		start_monitor(loop);
	while (!loop->ended) {
		if (loop->held_signal != 0)
			pass_on_held(loop);
		sleep_ns = time_to_sleep(loop);
		if (loop->news_fd >= 0 || loop->monitor.channel >= 0)
			sleep_with_descriptors(loop, sleep_ns);
		else
			sleep_for_signals(loop, sleep_ns);
		if (sleep_ns != TIME_NEVER)
			do_what_is_due(loop);
	}
	if (log_link_is_there(&loop->logs))
		finish_logs(loop);
	if (loop->main_pid > 0)
		certificate_tell(loop);
	return loop->exit_status;
}
