#include "init/pre_stop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signame.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void pre_stop_start(struct unit *unit)
{
	/* fork(2) only, never vfork(2): whatever the command waits for, PID 1 does not. */
	int error = spawn_workload(&unit->pre_stop, &unit->pre_stop_pid, &unit->pre_stop_news_fd);

	if (error == 0) {
		unit->pre_stop_ends_ns = unit->machine.deadline_ns;
		log_line(LOG_LEVEL_INFO, "%s--pre-stop %s started", unit->prefix, unit->pre_stop.argv[0]);
		return;
	}
	log_line(LOG_LEVEL_ERROR, "%s--pre-stop %s cannot be started: %s", unit->prefix, unit->pre_stop.argv[0],
		strerror(-error));
	unit_step(unit, (struct supervise_event){ .type = SUPERVISE_EVENT_PRE_STOP_ENDED }, NULL);
}

void pre_stop_kill(struct unit *unit)
{
	if (unit->pre_stop_pid == 0)
		return;
	if (clock_now_ns() < unit->pre_stop_ends_ns)
		log_line(LOG_LEVEL_NOTICE, "%s--pre-stop %s is cut short by another stop signal", unit->prefix,
			unit->pre_stop.argv[0]);
	else
		log_line(LOG_LEVEL_WARNING, "%s--pre-stop %s did not end within %lld ms: killed", unit->prefix,
			unit->pre_stop.argv[0], (long long)(unit->machine.policy.pre_stop_ns / NS_PER_MS));
	/* Its group, or it alone as long as it has none; until it is reaped its number is its own. */
	if (kill(-unit->pre_stop_pid, SIGKILL) < 0)
		kill(unit->pre_stop_pid, SIGKILL);
}

/* Why it failed, if it did; that holds nothing up. */
static void tell_end(struct unit *unit, int status)
{
	const char *program = unit->pre_stop.argv[0];
	char name[SIGNAL_NAME_SIZE];
	struct spawn_news news;

	while (spawn_read_news(unit->pre_stop_news_fd, &news, NULL) == 1) {
		if (news.type == SPAWN_REFUSED) {
			log_line(LOG_LEVEL_ERROR, "%s--pre-stop: %s", unit->prefix, news.text.text);
			return;
		}
	}
	if (WIFSIGNALED(status) && unit->machine.state == SUPERVISE_PRE_STOP)
		log_line(LOG_LEVEL_NOTICE, "%s--pre-stop %s was killed by SIG%s", unit->prefix, program,
			signal_name(WTERMSIG(status), name));
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		log_line(LOG_LEVEL_NOTICE, "%s--pre-stop %s ended with status %d", unit->prefix, program,
			WEXITSTATUS(status));
	else if (WIFEXITED(status))
		log_line(LOG_LEVEL_INFO, "%s--pre-stop %s done", unit->prefix, program);
}

bool pre_stop_ended(struct unit *unit, pid_t pid, int status)
{
	if (pid != unit->pre_stop_pid)
		return false;
	tell_end(unit, status);
	close(unit->pre_stop_news_fd);
	unit->pre_stop_news_fd = -1;
	unit->pre_stop_pid = 0;
	unit_step(unit, (struct supervise_event){ .type = SUPERVISE_EVENT_PRE_STOP_ENDED }, NULL);
	return true;
}
