#include "init/loop_parts.h"

#include "base/clock.h"
#include "base/log_kept.h"
#include "init/signals.h"

#include <signal.h>
#include <sys/wait.h>

/* The log process gives up by itself before that. */
#define LOGS_END_NS (LOGGER_END_NS + NS_PER_S / 2)

bool loop_log_process_ended(struct loop *loop, pid_t pid, int status)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (unit_log_process_ended(&loop->unit[i], pid, status))
			return true;
	return false;
}

static bool logs_are_busy(const struct loop *loop)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (log_link_is_busy(&loop->unit[i].logs))
			return true;
	return false;
}

/* Starts what is due. Returns when the next is. */
static int64_t go_on_with_logs(struct loop *loop, int64_t now)
{
	int64_t next = TIME_NEVER;

	for (size_t i = 0; i < loop->unit_count; i++) {
		struct log_link *logs = &loop->unit[i].logs;

		if (now >= logs->restart_at_ns)
			log_link_start(logs, now);
		next = clock_earlier(next, logs->restart_at_ns);
	}
	return next;
}

/* Nobody is left but log processes, which have so long for what they have not written yet. Signals have nobody to go to
 * any more. */
static void wait_for_logs(struct loop *loop, int64_t now)
{
	const int64_t give_up_at_ns = now + LOGS_END_NS;
	siginfo_t info;

	for (; logs_are_busy(loop) && now < give_up_at_ns; now = clock_now_ns()) {
		const int64_t next = clock_earlier(go_on_with_logs(loop, now), give_up_at_ns);

		signals_take(supervise_signal_bit(SIGCHLD), next > now ? next - now : 0, &info);
		for (int status, pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
			loop_log_process_ended(loop, pid, status);
	}
}

void loop_finish_logs(struct loop *loop)
{
	bool any = false;
	int64_t now;

	for (size_t i = 0; i < loop->unit_count; i++)
		any = any || log_link_is_there(&loop->unit[i].logs);
	if (!any)
		return;
	now = clock_now_ns();
	for (size_t i = 0; i < loop->unit_count; i++)
		log_link_finish(&loop->unit[i].logs, now);
	wait_for_logs(loop, now);
	for (size_t i = 0; i < loop->unit_count; i++) {
		log_link_give_up(&loop->unit[i].logs);
		unit_tell_end(&loop->unit[i]);
	}
}
