/* From runs of a check to a verdict, and from verdicts to an answer about a kind. Pure. */
#pragma once

#include "base/kept.h"
#include "base/model.h"

/* Docker's three words for it (HEALTHCHECK, Dockerfile reference). */
enum verdict_state {
	VERDICT_STARTING, /* neither a success nor enough failures yet: not settled */
	VERDICT_HEALTHY,
	VERDICT_UNHEALTHY,
	VERDICT_STATE_COUNT,
};

/* "starting", "healthy", "unhealthy". */
const char *verdict_state_name(enum verdict_state state);

struct verdict {
	enum check_kind kind;
	enum verdict_state state;
	bool succeeded;                 /* at least once since verdict_init() */
	bool started;                   /* has been healthy since then */
	unsigned consecutive_failures;  /* those that count: not those of the start period; stops at UINT_MAX */
	unsigned consecutive_successes; /* stops at UINT_MAX too */
	uint64_t successes;             /* all runs, whether they counted or not */
	uint64_t failures;
};

/* A check of which nothing is known: at the start, and again when the workload is started again. */
void verdict_init(struct verdict *verdict, enum check_kind kind);

/* Takes in the end of one run. started_at is when the workload started and run_at when this run did, both in the same
 * nanoseconds: as in Docker, it is the start of a run that decides whether it falls into the start period.
 * A check is healthy after as many successes in a row as its threshold says, at first and after it was unhealthy. Any
 * success ends the start period, as in Docker, which knows no threshold.
 * Returns true if the state changed by it. */
bool verdict_observe(
	struct verdict *verdict, const struct check_timing *timing, int64_t started_at, int64_t run_at, bool success);

/* What outlives the monitor: all but life, seen_at_ns and runs, which are the caller's. */
void verdict_keep(const struct verdict *verdict, struct last_verdict *last);

/* Goes on with what another monitor knew. Returns false, and *verdict stays, where no runs with this timing lead there:
 * it is then made up, or torn. */
bool verdict_recall(struct verdict *verdict, const struct check_timing *timing, const struct last_verdict *last);

static inline bool verdict_settled(const struct verdict *verdict)
{
	return verdict->state != VERDICT_STARTING;
}

/* True unless this check alone is enough to fail its kind: ready asks for healthy, live for not unhealthy, startup for
 * having been healthy once. */
bool verdict_passes(const struct verdict *verdict);

/* The answer about a kind: every check of that kind passes (those of other kinds are skipped, none is fine). Ready asks
 * that every startup check passes, too. Ready and startup ask for a running workload; live does not, for a workload
 * that is to be started again is not dead. */
bool verdict_combine(enum check_kind kind, const struct verdict *verdicts, size_t count, bool workload_runs);

/* The first startup check that has not succeeded yet, for which all others wait; count if there is none. */
size_t verdict_holder(const struct verdict *verdicts, size_t count);
