#include "init/certificate.h"

#include "base/clock.h"
#include "base/log.h"
#include "init/descendants.h"
#include "init/last_words.h"
#include "init/loop.h"
#include "init/oom.h"
#include "init/termination_log.h"

#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

void certificate_begin(struct unit *unit)
{
	unit->oom_is_known = oom_kills_read(&unit->oom_kills_before) == 0;
}

void certificate_deadline(struct unit *unit, enum wire_deadline deadline)
{
	unit->loop->snapshot.deadlines_passed[deadline]++;
	unit->passed |= 1U << deadline;
}

void certificate_killing(struct unit *unit)
{
	const struct supervise *machine = &unit->machine;
	const struct descendants whom = loop_leftovers(unit->loop, unit);
	const bool budget = (machine->stop_requested && machine->policy.timeout_ns != TIME_NEVER) ||
		machine->unhealthy || machine->changed;

	certificate_deadline(unit, budget ? WIRE_DEADLINE_STOP_TIMEOUT : WIRE_DEADLINE_LEFTOVERS);
	descendants_list(&whom, machine->main_ended ? 0 : unit->main_pid, &unit->leftovers);
	unit->loop->snapshot.leftovers_killed += unit->leftovers.count;
}

static uint64_t oom_kills_since(const struct unit *unit)
{
	uint64_t kills;

	if (!unit->oom_is_known || oom_kills_read(&kills) < 0 || kills < unit->oom_kills_before)
		return 0;
	return kills - unit->oom_kills_before;
}

/* It would have been started again. */
static bool used_up(const struct supervise *machine)
{
	return machine->no_start_left && machine->state == SUPERVISE_DONE && !machine->stop_requested;
}

static void fill_certificate(const struct unit *unit, struct death *ret_death)
{
	const struct supervise *machine = &unit->machine;
	const int64_t end_ns = machine->main_ended ? unit->main_ended_at_ns : clock_now_ns();
	const bool again = machine->state == SUPERVISE_BACKOFF;

	*ret_death = (struct death){
		.program = unit->called,
		.pid = unit->main_pid,
		.ended = unit->machine.main_ended,
		.wait_status = unit->machine.main_status,
		.exit_status = again ? supervise_exit_status(machine->main_status) : unit->exit_status,
		.cause = unit->cause,
		.refusal = unit->refused ? unit->refusal.text : NULL,
		.lived_ns = end_ns - unit->started_at_ns,
		.stop_signal = unit->asked_signal,
		.unhealthy = machine->unhealthy,
		.late = machine->late,
		.stopped_by = unit->stopped_by == STOPPED_BY_NOBODY && machine->changed ? STOPPED_BY_CHANGE
											: unit->stopped_by,
		.stopping_ns = end_ns - unit->stop_began_at_ns,
		.asked_ns = end_ns - unit->asked_at_ns,
		.passed = unit->passed,
		.pre_stop_ns = unit->machine.policy.pre_stop_ns,
		.stop_timeout_ns = supervise_order_budget(&machine->policy),
		.stop_timeout_given = machine->policy.timeout_ns != TIME_NEVER,
		.leftovers_ns = unit->machine.kill_at_ns - unit->main_ended_at_ns,
		.oom_kills = unit->oom_kills,
		.leftovers = unit->leftovers,
		.again = again,
		.again_in_ns = machine->waits ? -1 : machine->backoff_ns,
		.used_up = used_up(machine) ? machine->policy.restart.attempts : 0,
		.window_ns = machine->policy.restart.window_ns,
	};
}

void certificate_foretell(struct unit *unit)
{
	struct death death;

	fill_certificate(unit, &death);
	if (!death.ended) /* its time is over: that is what it gets in a moment */
		death.wait_status = SIGKILL;
	death.ended = true;
	death_say(&death, sizeof unit->record.last_death, unit->record.last_death);
}

/* What ended well needs none. */
static void add_last_words(const struct unit *unit, char words[static LAST_WORDS_SIZE], struct death *death)
{
	if (!log_link_is_there(&unit->logs) || death->refusal != NULL || death->wait_status == 0)
		return;
	if (last_words(log_link_last(&unit->logs, LAST_WORDS_SIZE, words), words) > 0)
		death->last_words = words;
}

void certificate_tell(struct unit *unit)
{
	const bool own_name = unit->personality->kind == NULL;
	struct death death;
	char sentence[1024 + LAST_WORDS_SIZE], words[LAST_WORDS_SIZE];
	enum log_level level;

	fill_certificate(unit, &death);
	level = death_level(&death);
	if (level == LOG_LEVEL_INFO && !death.again && !(own_name && log_wants(level)))
		return; /* what nobody hears need not be put into words */
	death_say(&death, sizeof unit->record.last_death, unit->record.last_death);
	add_last_words(unit, words, &death); /* for the log alone: who may see pages need not see them */
	death_say(&death, sizeof sentence, sentence);
	if (own_name || unit->refused)
		log_line_with(level, sentence, death_add, &death);
	if (level < LOG_LEVEL_INFO)
		termination_log_write(sentence);
}

/* We have sent it the signal that it died of: somebody asked for it through us, or its time was over. */
static bool is_our_signal(const struct unit *unit, int status)
{
	if (!WIFSIGNALED(status))
		return false;
	return (unit->signals_sent & supervise_signal_bit(WTERMSIG(status))) != 0 ||
		(WTERMSIG(status) == SIGKILL && unit->machine.state == SUPERVISE_KILLING);
}

/* By a filter of ours, or of the runtime's, which PID 1 has as well: as far as SIGSYS tells. */
static bool is_filtered(const struct unit *unit, int status)
{
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		return false;
	return (unit->spawn.plan->requested & 1U << LAYER_SECCOMP) != 0 || prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER;
}

void certificate_end(struct unit *unit, int status)
{
	unit->main_ended_at_ns = clock_now_ns();
	if (unit->asked_signal != 0)
		unit->record.stop_duration_ns = unit->main_ended_at_ns - unit->asked_at_ns;
	/* What ended well lacked nothing: the files of its cgroup are not read for that. */
	unit->oom_kills = status != 0 ? oom_kills_since(unit) : 0;
	if (unit->refused)
		unit->cause = WEXITSTATUS(status) == SPAWN_STATUS_REFUSED ? WIRE_CAUSE_REFUSED : WIRE_CAUSE_EXEC;
	else
		unit->cause = death_cause(
			status, unit->oom_kills, is_our_signal(unit, status), is_filtered(unit, status));
	wire_count_exit(&unit->record, unit->cause, (uint32_t)supervise_exit_status(status));
}
