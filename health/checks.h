/* The configured checks of all services at work: when each runs, what came of it, and the verdicts. Effects by
 * health/probe.h only.
 * Startup checks hold the others back, as kubelet's startupProbe does: until all have succeeded in this life of the
 * service no other runs; and then they never run again in it.
 * As many run at once as there are lanes; a check that is due while all are taken waits for the next one that is free,
 * who has waited longest first. */
#pragma once

#include "base/kept.h"
#include "base/model.h"
#include "base/wire.h"
#include "health/look.h"
#include "health/schedule.h"
#include "health/verdict.h"

#include <poll.h>

#define CHECKS_LANES_MAX 256

struct check_lane {
	bool busy;
	size_t index; /* of the check that runs in it */
	int64_t run_at_ns;
	struct look look;
};

/* The checks of one service, which stand one behind the other. */
struct checks_service {
	size_t first, count;
	uint64_t life;          /* of the service, which is looked at; 0: it does not run */
	int64_t workload_at_ns; /* when it was started, for the start period */
	bool held;              /* all but startup checks, until these have succeeded */
	int64_t free_at_ns;     /* when they had, or the service started: the start period of the others begins */
};

struct checks {
	struct check *check; /* of the model, in the order of its services */
	size_t count;
	struct checks_service *service; /* in the order of the model */
	size_t service_count;
	/* count of each; apart, because each turn of the loop goes through all schedules and hardly anything else */
	struct schedule *schedule;
	struct verdict *verdict;
	struct wire_check *record; /* what others are told, kept up to date */
	struct kept *kept;         /* borrowed: what of it outlives us */
	uint32_t *runs;            /* the last 32 of each, the lowest bit the last: 1 a success */
	bool *is_recalled;         /* it goes on with what another monitor knew of it */
	int channel;               /* to PID 1, which runs commands */
	/* Set by the caller, or NULL: hears of each verdict that changed, and of what it was. */
	void (*changed)(size_t index, enum verdict_state before);
	uint32_t random;
	size_t lane_count, busy_count;
	size_t commands; /* of the busy ones; PID 1 runs so many of them at once and no more */
	struct check_lane lane[CHECKS_LANES_MAX];
};

/* Takes the checks of the model, whose strings must outlive them. What was counted of them is in kept, which is
 * borrowed. None runs before checks_start(). descriptors: how many files this process may open in all; half of them may
 * be the checks'. channel: to PID 1, borrowed. Returns 0 or -ENOMEM. */
int checks_init(struct checks *checks, const struct model *model, struct kept *kept, size_t descriptors, int channel);

/* The service runs, started at that time: the first runs fall due now, those of many checks one behind the other,
 * and nothing is known but what another monitor has left behind of this very life. A second call with the same life (1
 * or more) changes nothing. */
void checks_start(struct checks *checks, size_t service, uint64_t life, int64_t workload_at_ns, int64_t now);

/* It has ended: nothing is looked at until the next life, and nothing is known. */
void checks_stop(struct checks *checks, size_t service);

/* What to wait for: a slot for each that runs. Returns the number of slots. */
size_t checks_pollfds(const struct checks *checks, struct pollfd ret_slots[static CHECKS_LANES_MAX]);

/* Call checks_run() at this time at the latest; TIME_NEVER: no need. */
int64_t checks_deadline_ns(const struct checks *checks);

/* Goes on as far as it can without waiting, and not for long: where many are due, some are left to the next call.
 * Returns true if a verdict changed. */
bool checks_run(struct checks *checks, int64_t now);

/* What a check is told that nobody looks at, as the service tells it itself (TARGET_NOTIFY); not while it is held back.
 * Returns true if the verdict changed. */
bool checks_observe(struct checks *checks, size_t index, bool success, const char *reason, int64_t run_at);

/* When the start period of a check begins. */
int64_t checks_start_ns(const struct checks *checks, size_t index);

/* PID 1 tells of the end of a command. */
void checks_ran(struct checks *checks, const struct wire_ran *ran);

/* True if each check that may run has run since we know of this life of the service. */
bool checks_have_run(const struct checks *checks, size_t service);

/* 1 if a live or a startup check is unhealthy: the service is to be helped. */
uint8_t checks_unhealthy(const struct checks *checks, size_t service);

/* The verdict of a kind about a service: 0 or 1. */
uint8_t checks_healthy(const struct checks *checks, size_t service, enum check_kind kind, bool workload_runs);
