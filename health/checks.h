/* The configured checks at work: when each runs, what came of it, and the verdicts. Effects by health/probe.h only. */
#pragma once

#include "base/wire.h"
#include "health/probe.h"
#include "health/schedule.h"
#include "health/verdict.h"

#include <poll.h>

struct running_check {
	const struct check *check; /* borrowed from the model */
	struct verdict verdict;
	struct schedule schedule;
	struct probe probe;
	bool running;
	int64_t run_at_ns;
	struct wire_check record; /* what others are told of it, kept up to date */
};

struct checks {
	struct running_check item[MODEL_CHECKS_MAX];
	size_t count;
	uint64_t life;          /* of the service, which is looked at; 0: it does not run */
	int64_t workload_at_ns; /* when it was started, for the start period */
};

/* Takes the checks of the model, which must outlive them. None runs before checks_start(). */
void checks_init(struct checks *checks, const struct model *model);

/* There is a workload, started at that time: the first runs fall due now, and nothing is known of it. A second call
 * with the same life (1 or more) changes nothing. */
void checks_start(struct checks *checks, uint64_t life, int64_t workload_at_ns, int64_t now);

/* It has ended: nothing is looked at until the next life, and nothing is known. */
void checks_stop(struct checks *checks);

/* What to wait for: one slot a check, -1 where there is nothing. Returns the number of slots. */
size_t checks_pollfds(const struct checks *checks, struct pollfd ret_slots[static MODEL_CHECKS_MAX]);

/* Call checks_run() at this time at the latest; TIME_NEVER: no need. */
int64_t checks_deadline_ns(const struct checks *checks);

/* Goes on as far as it can without waiting. */
void checks_run(struct checks *checks, int64_t now);

/* The verdict of a kind: 0 or 1. */
uint8_t checks_healthy(const struct checks *checks, enum check_kind kind, bool workload_runs);

/* 1 if a live or a startup check is unhealthy: the service is to be helped. */
uint8_t checks_unhealthy(const struct checks *checks);

/* The records of all checks, count of them. */
void checks_records(const struct checks *checks, struct wire_check ret_records[static MODEL_CHECKS_MAX]);
