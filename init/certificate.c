#include "init/certificate.h"

#include "base/clock.h"
#include "base/log.h"
#include "init/descendants.h"
#include "init/last_words.h"
#include "init/oom.h"
#include "init/termination_log.h"

#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

void certificate_begin(struct loop *loop)
{
	loop->oom_is_known = oom_kills_read(&loop->oom_kills_before) == 0;
}

void certificate_deadline(struct loop *loop, enum wire_deadline deadline)
{
	loop->snapshot.deadlines_passed[deadline]++;
	loop->passed |= 1U << deadline;
}

void certificate_killing(struct loop *loop)
{
	const struct supervise *machine = &loop->machine;
	const bool budget = (machine->stop_requested && machine->policy.timeout_ns != TIME_NEVER) || machine->unhealthy;
	const pid_t spared[] = { loop->monitor.pid, loop->logs.pid, machine->main_ended ? 0 : loop->main_pid };

	certificate_deadline(loop, budget ? WIRE_DEADLINE_STOP_TIMEOUT : WIRE_DEADLINE_LEFTOVERS);
	descendants_list(spared, machine->restart, &loop->leftovers);
	loop->snapshot.leftovers_killed += loop->leftovers.count;
}

static uint64_t oom_kills_since(const struct loop *loop)
{
	uint64_t kills;

	if (!loop->oom_is_known || oom_kills_read(&kills) < 0 || kills < loop->oom_kills_before)
		return 0;
	return kills - loop->oom_kills_before;
}

/* It would have been started again. */
static bool used_up(const struct supervise *machine)
{
	return machine->no_start_left && machine->state == SUPERVISE_DONE && !machine->stop_requested;
}

static void fill_certificate(const struct loop *loop, struct death *ret_death)
{
	const struct supervise *machine = &loop->machine;
	const int64_t end_ns = machine->main_ended ? loop->main_ended_at_ns : clock_now_ns();
	const bool again = machine->state == SUPERVISE_BACKOFF;

	*ret_death = (struct death){
		.program = personality_basename(loop->spawn.argv[0]),
		.pid = loop->main_pid,
		.ended = loop->machine.main_ended,
		.wait_status = loop->machine.main_status,
		.exit_status = again ? supervise_exit_status(machine->main_status) : loop->exit_status,
		.cause = loop->cause,
		.refusal = loop->refused ? loop->refusal.text : NULL,
		.lived_ns = end_ns - loop->service_started_at_ns,
		.stop_signal = loop->asked_signal,
		.unhealthy = machine->unhealthy,
		.stopping_ns = end_ns - loop->stop_began_at_ns,
		.passed = loop->passed,
		.pre_stop_ns = loop->machine.policy.pre_stop_ns,
		.stop_timeout_ns = supervise_order_budget(&machine->policy),
		.leftovers_ns = loop->machine.kill_at_ns - loop->main_ended_at_ns,
		.oom_kills = loop->oom_kills,
		.leftovers = loop->leftovers,
		.again = again,
		.again_in_ns = machine->backoff_ns,
		.used_up = used_up(machine) ? machine->policy.restart.attempts : 0,
		.window_ns = machine->policy.restart.window_ns,
	};
}

/* What ended well needs none. */
static void add_last_words(const struct loop *loop, char words[static LAST_WORDS_SIZE], struct death *death)
{
	if (!log_link_is_there(&loop->logs) || death->refusal != NULL || death->wait_status == 0)
		return;
	if (last_words(log_link_last(&loop->logs, LAST_WORDS_SIZE, words), words) > 0)
		death->last_words = words;
}

void certificate_tell(struct loop *loop)
{
	const bool own_name = loop->personality->kind == NULL;
	struct death death;
	char sentence[1024 + LAST_WORDS_SIZE], words[LAST_WORDS_SIZE];
	enum log_level level;

	fill_certificate(loop, &death);
	level = death_level(&death);
	if (level == LOG_LEVEL_INFO && !death.again && !(own_name && log_wants(level)))
		return; /* what nobody hears need not be put into words */
	death_say(&death, sizeof loop->snapshot.last_death, loop->snapshot.last_death);
	add_last_words(loop, words, &death); /* for the log alone: who may see pages need not see them */
	death_say(&death, sizeof sentence, sentence);
	if (own_name || loop->refused)
		log_line_with(level, sentence, death_add, &death);
	if (level < LOG_LEVEL_INFO)
		termination_log_write(sentence);
}

/* We have sent it the signal that it died of: somebody asked for it through us, or its time was over. */
static bool is_our_signal(const struct loop *loop, int status)
{
	if (!WIFSIGNALED(status))
		return false;
	return loop->snapshot.signals_forwarded[WTERMSIG(status)] > 0 ||
		(WTERMSIG(status) == SIGKILL && loop->machine.state == SUPERVISE_KILLING);
}

/* By a filter of ours, or of the runtime's, which PID 1 has as well: as far as SIGSYS tells. */
static bool is_filtered(const struct loop *loop, int status)
{
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		return false;
	return (loop->spawn.plan->requested & 1U << LAYER_SECCOMP) != 0 || prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER;
}

void certificate_end(struct loop *loop, int status)
{
	struct wire_snapshot *snapshot = &loop->snapshot;

	loop->main_ended_at_ns = clock_now_ns();
	if (loop->asked_signal != 0)
		snapshot->stop_duration_ns = loop->main_ended_at_ns - loop->stop_began_at_ns;
	/* What ended well lacked nothing: the files of its cgroup are not read for that. */
	loop->oom_kills = status != 0 ? oom_kills_since(loop) : 0;
	if (loop->refused)
		loop->cause = WEXITSTATUS(status) == SPAWN_STATUS_REFUSED ? WIRE_CAUSE_REFUSED : WIRE_CAUSE_EXEC;
	else
		loop->cause = death_cause(
			status, loop->oom_kills, is_our_signal(loop, status), is_filtered(loop, status));
	wire_count_exit(snapshot, loop->cause, (uint32_t)supervise_exit_status(status));
}
