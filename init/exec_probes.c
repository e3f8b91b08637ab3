#include "init/exec_probes.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void answer(struct monitor_link *link, const struct exec_probe *probe, enum wire_outcome outcome, int status,
	const char *reason)
{
	union wire_record record = {
		.ran = { .check = probe->check, .outcome = outcome, .status = status, .life = probe->life }
	};

	snprintf(record.ran.reason, sizeof record.ran.reason, "%.470s", reason);
	monitor_link_tell(link, &record, WIRE_RAN);
}

/* A check whose last command still runs has no place for another one. */
static struct exec_probe *find_place(struct exec_probes *probes, uint32_t check)
{
	struct exec_probe *free = NULL;

	for (size_t i = 0; i < WIRE_RUNS_MAX; i++) {
		if (probes->probe[i].pid == 0)
			free = &probes->probe[i];
		else if (probes->probe[i].check == check)
			return NULL;
	}
	return free;
}

void exec_probes_start(struct exec_probes *probes, struct exec_checks *checks, struct monitor_link *link,
	const struct wire_run *run, int output, int64_t now)
{
	struct exec_probe asked = { .of = checks, .check = run->check, .life = run->life }, *probe;
	const uint32_t number = run->check - checks->first;
	const struct check *check = number < checks->count ? &checks->check[number] : NULL;
	int error;

	if (check == NULL || check->command == NULL || output < 0)
		return; /* no monitor of ours asks for that */
	probe = find_place(probes, run->check);
	if (probe == NULL) {
		answer(link, &asked, WIRE_OUTCOME_REFUSED, 0, "too many commands run already");
		return;
	}
	checks->request.argv = check->command;
	checks->request.output = output;
	/* fork(2) only: whatever the command waits for, PID 1 does not. */
	error = spawn_workload(&checks->request, &asked.pid, &asked.news_fd);
	if (error < 0) {
		answer(link, &asked, WIRE_OUTCOME_REFUSED, 0, strerror(-error));
		return;
	}
	asked.kill_at_ns = now + check->timing.timeout_ns;
	*probe = asked;
	probes->running++;
}

/* Why it was never executed, if so. */
static bool was_refused(int news_fd, struct spawn_news *ret_news)
{
	while (spawn_read_news(news_fd, ret_news, NULL) == 1)
		if (ret_news->type == SPAWN_REFUSED)
			return true;
	return false;
}

/* Its session's first group: those who left it are reaped when they end, as the service's own are. Until its leader is
 * reaped the number is its own, and afterwards as long as anybody is in it (setpgid(2)). */
static void kill_group(pid_t pid)
{
	if (kill(-pid, SIGKILL) < 0)
		kill(pid, SIGKILL);
}

bool exec_probes_ended(struct exec_probes *probes, struct monitor_link *link, pid_t pid, int status)
{
	struct exec_probe *probe = probes->probe, *const end = probe + WIRE_RUNS_MAX;
	struct spawn_news news;

	while (probe < end && probe->pid != pid)
		probe++;
	if (probe == end)
		return false;
	kill(-pid, SIGKILL);
	if (was_refused(probe->news_fd, &news))
		answer(link, probe, WIRE_OUTCOME_REFUSED, 0, news.text.text);
	else
		answer(link, probe, probe->timed_out ? WIRE_OUTCOME_TIMEOUT : WIRE_OUTCOME_ENDED, status, "");
	close(probe->news_fd);
	probe->pid = 0;
	probes->running--;
	return true;
}

int64_t exec_probes_deadline_ns(const struct exec_probes *probes)
{
	int64_t deadline = TIME_NEVER;

	for (size_t i = 0; probes->running > 0 && i < WIRE_RUNS_MAX; i++)
		if (probes->probe[i].pid != 0 && probes->probe[i].kill_at_ns < deadline)
			deadline = probes->probe[i].kill_at_ns;
	return deadline;
}

void exec_probes_kill_due(struct exec_probes *probes, int64_t now)
{
	for (size_t i = 0; probes->running > 0 && i < WIRE_RUNS_MAX; i++) {
		struct exec_probe *probe = &probes->probe[i];

		if (probe->pid == 0 || now < probe->kill_at_ns)
			continue;
		probe->timed_out = true;
		probe->kill_at_ns = TIME_NEVER; /* what SIGKILL does not end at once ends when the kernel lets it */
		kill_group(probe->pid);
	}
}

void exec_probes_kill(struct exec_probes *probes, const struct exec_checks *checks)
{
	for (size_t i = 0; probes->running > 0 && i < WIRE_RUNS_MAX; i++)
		if (probes->probe[i].pid != 0 && (checks == NULL || probes->probe[i].of == checks))
			kill_group(probes->probe[i].pid);
}
