#include "health/checks.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "health/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many checks begin all at once; of more, each further one this much later than the one before it. */
#define TOGETHER 16
#define APART_NS NS_PER_MS
/* In one turn of the loop, so that somebody who asks meanwhile is not kept waiting. */
#define STARTS_PER_TURN 32

/* The counts of a monitor before us. */
static void take_counts(struct wire_check *record, const struct tally *tally)
{
	record->successes = tally->successes;
	record->failures = tally->failures;
	record->last_success_ns = tally->last_success_ns;
	record->duration_sum_ns = tally->duration_sum_ns;
	memcpy(record->duration_bucket, tally->duration_bucket, sizeof record->duration_bucket);
}

/* Whose check it is. */
static struct checks_service *service_of(const struct checks *checks, size_t index)
{
	return &checks->service[checks->record[index].service];
}

static void keep(struct checks *checks, size_t index, int64_t now)
{
	const struct wire_check *record = &checks->record[index];
	struct tally tally = { .successes = record->successes,
		.failures = record->failures,
		.last_success_ns = record->last_success_ns,
		.duration_sum_ns = record->duration_sum_ns,
		.verdict = {
			.life = service_of(checks, index)->life, .seen_at_ns = now, .runs = checks->runs[index] } };

	verdict_keep(&checks->verdict[index], &tally.verdict);
	memcpy(tally.duration_bucket, record->duration_bucket, sizeof tally.duration_bucket);
	kept_put_tally(checks->kept, index, &tally);
}

/* One behind the other, service by service. */
static void take_checks(struct checks *checks, const struct model *model)
{
	for (size_t i = 0; i < checks->service_count; i++) {
		const struct service *service = model_service(model, i);

		checks->service[i] = (struct checks_service){ .first = checks->count, .count = service->check_count };
		for (size_t k = 0; k < service->check_count; k++) {
			checks->record[checks->count].service = (uint32_t)i;
			checks->check[checks->count++] = service->check[k];
		}
	}
}

static int make_room(struct checks *checks, const struct model *model)
{
	size_t room = 1; /* none is a number too */

	checks->service_count = model_service_count(model);
	for (size_t i = 0; i < checks->service_count; i++)
		room += model_service(model, i)->check_count;
	checks->check = calloc(room, sizeof *checks->check);
	checks->service = calloc(checks->service_count, sizeof *checks->service);
	checks->schedule = calloc(room, sizeof *checks->schedule);
	checks->verdict = calloc(room, sizeof *checks->verdict);
	checks->record = calloc(room, sizeof *checks->record);
	checks->runs = calloc(room, sizeof *checks->runs);
	checks->is_recalled = calloc(room, sizeof *checks->is_recalled);
	return checks->check == NULL || checks->service == NULL || checks->schedule == NULL ||
			checks->verdict == NULL || checks->record == NULL || checks->runs == NULL ||
			checks->is_recalled == NULL
		? -ENOMEM
		: 0;
}

/* A name is unique in its service; of several services, its own is before it. */
static void name_check(struct wire_check *record, const char *name, const struct model *model)
{
	if (model->more_count == 0)
		snprintf(record->name, sizeof record->name, "%s", name);
	else
		snprintf(record->name, sizeof record->name, "%s/%s",
			service_name(model_service(model, record->service)), name);
}

int checks_init(struct checks *checks, const struct model *model, struct kept *kept, size_t descriptors, int channel)
{
	if (make_room(checks, model) < 0)
		return -ENOMEM;
	take_checks(checks, model);
	checks->kept = kept;
	checks->channel = channel;
	checks->random = (uint32_t)clock_now_ns();
	resolve_keep();
	checks->lane_count = descriptors / 2 < CHECKS_LANES_MAX ? descriptors / 2 : CHECKS_LANES_MAX;
	if (checks->lane_count == 0)
		checks->lane_count = 1;
	for (size_t i = 0; i < checks->count; i++) {
		struct wire_check *record = &checks->record[i];
		const struct tally tally = kept_tally(kept, i);

		verdict_init(&checks->verdict[i], checks->check[i].kind);
		schedule_init(&checks->schedule[i], TIME_NEVER);
		record->kind = checks->check[i].kind;
		name_check(record, checks->check[i].name, model);
		take_counts(record, &tally);
	}
	return 0;
}

static void show_verdict(struct checks *checks, size_t index)
{
	const struct verdict *verdict = &checks->verdict[index];
	struct wire_check *record = &checks->record[index];

	record->healthy = verdict_passes(verdict);
	record->settled = verdict_settled(verdict);
	record->consecutive_failures = verdict->consecutive_failures;
}

/* What is counted goes on counting. */
static void forget_verdict(struct checks *checks, size_t index)
{
	verdict_init(&checks->verdict[index], checks->check[index].kind);
	checks->record[index].reason[0] = '\0';
	show_verdict(checks, index);
}

static void free_lane(struct checks *checks, struct check_lane *lane)
{
	lane->busy = false;
	checks->busy_count--;
	if (lane->look.by_command)
		checks->commands--;
}

/* What may run now is given up: no more than that service's. */
static void cancel(struct checks *checks, const struct checks_service *service)
{
	for (size_t i = 0, busy = checks->busy_count; busy > 0; i++) {
		struct check_lane *lane = &checks->lane[i];

		if (!lane->busy)
			continue;
		busy--;
		if (service_of(checks, lane->index) != service)
			continue;
		look_cancel(&lane->look);
		free_lane(checks, lane);
	}
}

void checks_stop(struct checks *checks, size_t service)
{
	struct checks_service *stopped = &checks->service[service];

	stopped->life = 0;
	cancel(checks, stopped);
	for (size_t i = stopped->first; i < stopped->first + stopped->count; i++) {
		forget_verdict(checks, i);
		schedule_init(&checks->schedule[i], TIME_NEVER);
	}
}

/* ---- what startup checks decide ---- */

static bool is_held(const struct checks *checks, size_t index)
{
	return service_of(checks, index)->held && checks->check[index].kind != CHECK_STARTUP;
}

int64_t checks_start_ns(const struct checks *checks, size_t index)
{
	const struct checks_service *service = service_of(checks, index);

	return checks->check[index].kind == CHECK_STARTUP ? service->workload_at_ns : service->free_at_ns;
}

/* Whether the others of the service are held back, and by which. */
static void hold(struct checks *checks, struct checks_service *service)
{
	const size_t holder = verdict_holder(checks->verdict + service->first, service->count);
	char name[400];

	service->held = holder < service->count;
	if (service->held)
		utf8_clean(checks->check[service->first + holder].name, name, sizeof name);
	for (size_t i = service->first; i < service->first + service->count && service->held; i++)
		if (is_held(checks, i))
			snprintf(checks->record[i].reason, sizeof checks->record[i].reason,
				"startup: %s has not succeeded yet", name);
}

/* Never for a check that the service itself tells of, or that has nothing more to say. */
static int64_t first_run(const struct checks *checks, size_t index, int64_t now)
{
	if (checks->check[index].target.kind == TARGET_NOTIFY || is_held(checks, index) ||
		(checks->check[index].kind == CHECK_STARTUP && checks->verdict[index].started))
		return TIME_NEVER;
	return index < TOGETHER ? now : now + (int64_t)(index - TOGETHER) * APART_NS;
}

/* What a monitor before us knew in this life goes on. Returns false if it knew nothing. What the service tells itself
 * PID 1 keeps. */
static bool recall(struct checks *checks, size_t index, const struct last_verdict *last)
{
	const struct check *check = &checks->check[index];
	struct checks_service *service = service_of(checks, index);

	if (check->target.kind == TARGET_NOTIFY || last->life != service->life ||
		!verdict_recall(&checks->verdict[index], &check->timing, last))
		return false;
	show_verdict(checks, index);
	checks->runs[index] = last->runs;
	snprintf(checks->record[index].reason, sizeof checks->record[index].reason, "as the last monitor found it");
	if (check->kind == CHECK_STARTUP && checks->verdict[index].started && last->seen_at_ns > service->free_at_ns)
		service->free_at_ns = last->seen_at_ns;
	return true;
}

/* A check's next run is when that monitor's would have been: who dies again and again neither forgives a check nor
 * looks at it more often. */
static int64_t next_run(const struct checks *checks, size_t index, const struct last_verdict *last, int64_t now)
{
	const struct check_timing *timing = &checks->check[index].timing;
	const int64_t pause = checks->verdict[index].started ? timing->interval_ns : timing->start_interval_ns;
	const int64_t first = first_run(checks, index, now);

	if (first == TIME_NEVER || last->seen_at_ns <= 0 || last->seen_at_ns > now || now - last->seen_at_ns >= pause)
		return first;
	return last->seen_at_ns + pause;
}

void checks_start(struct checks *checks, size_t number, uint64_t life, int64_t workload_at_ns, int64_t now)
{
	struct checks_service *service = &checks->service[number];
	const size_t end = service->first + service->count;

	if (service->life == life)
		return;
	checks_stop(checks, number);
	service->life = life;
	service->workload_at_ns = service->free_at_ns = workload_at_ns;
	for (size_t i = service->first; i < end; i++) {
		const struct tally tally = kept_tally(checks->kept, i);

		checks->is_recalled[i] = recall(checks, i, &tally.verdict);
	}
	hold(checks, service);
	for (size_t i = service->first; i < end; i++) {
		const struct tally tally = kept_tally(checks->kept, i);

		schedule_init(&checks->schedule[i],
			checks->is_recalled[i] ? next_run(checks, i, &tally.verdict, now) : first_run(checks, i, now));
	}
}

/* A startup check has succeeded: it is the last run of it, and if none is left the others begin. */
static void end_startup(struct checks *checks, size_t index, int64_t now)
{
	struct checks_service *service = service_of(checks, index);

	schedule_init(&checks->schedule[index], TIME_NEVER);
	hold(checks, service);
	if (service->held)
		return;
	service->free_at_ns = now;
	for (size_t i = service->first; i < service->first + service->count; i++) {
		if (checks->check[i].kind == CHECK_STARTUP)
			continue;
		checks->record[i].reason[0] = '\0';
		schedule_init(&checks->schedule[i], first_run(checks, i, now));
	}
}

size_t checks_pollfds(const struct checks *checks, struct pollfd ret_slots[static CHECKS_LANES_MAX])
{
	size_t used = 0;

	for (size_t i = 0, busy = 0; busy < checks->busy_count; i++) {
		if (!checks->lane[i].busy)
			continue;
		busy++;
		look_poll(&checks->lane[i].look, &ret_slots[used++]);
	}
	return used;
}

/* The check that has waited longest, or will be due first, of those that could begin; count if none could. */
static size_t first_due(const struct checks *checks)
{
	const bool commands_wait = checks->commands == WIRE_RUNS_MAX;
	size_t first = checks->count;
	int64_t due = TIME_NEVER;

	for (size_t i = 0; i < checks->count; i++) {
		if (schedule_next(&checks->schedule[i]) >= due || (commands_wait && checks->check[i].command != NULL))
			continue;
		first = i;
		due = schedule_next(&checks->schedule[i]);
	}
	return first;
}

static int64_t next_due(const struct checks *checks)
{
	const size_t first = first_due(checks);

	return first < checks->count ? schedule_next(&checks->schedule[first]) : TIME_NEVER;
}

int64_t checks_deadline_ns(const struct checks *checks)
{
	int64_t deadline = resolve_tidy_ns();

	if (checks->count == 0)
		return deadline;
	for (size_t i = 0, busy = 0; busy < checks->busy_count; i++) {
		if (!checks->lane[i].busy)
			continue;
		busy++;
		deadline = clock_earlier(deadline, look_wake(&checks->lane[i].look, clock_now_ns()));
	}
	if (checks->busy_count < checks->lane_count)
		deadline = clock_earlier(deadline, next_due(checks));
	return deadline;
}

static void count_duration(struct wire_check *record, int64_t duration_ns)
{
	size_t bucket = 0;

	while (bucket < WIRE_BUCKETS && duration_ns > wire_bucket_ns[bucket])
		bucket++;
	record->duration_bucket[bucket]++;
	record->duration_sum_ns += duration_ns;
}

/* Numerical Recipes' generator: nothing but times come of it. */
static uint32_t next_random(struct checks *checks)
{
	checks->random = checks->random * 1664525 + 1013904223;
	return checks->random;
}

/* When many began one behind the other, their first pause is cut at random, to a start interval at the least: from then
 * on they are spread over the whole interval. */
static void set_next_run(struct checks *checks, size_t index, bool first_time, int64_t now)
{
	const struct check_timing *timing = &checks->check[index].timing;
	struct schedule *schedule = &checks->schedule[index];
	int64_t spare;

	schedule_end(schedule, timing, checks->verdict[index].started, next_random(checks), now);
	spare = schedule_next(schedule) - now - timing->start_interval_ns;
	if (first_time && checks->count > TOGETHER && spare > 0)
		schedule_init(schedule, schedule_next(schedule) - spare / 65536 * (next_random(checks) >> 16));
}

/* A run that says other than the verdict does says how far it is from changing that. */
static void show_reason(struct checks *checks, size_t index, const char *reason)
{
	const struct verdict *verdict = &checks->verdict[index];
	const struct check_timing *timing = &checks->check[index].timing;
	char *text = checks->record[index].reason;
	const size_t size = sizeof checks->record[index].reason;

	if (verdict->consecutive_failures > 0 && verdict_passes(verdict))
		snprintf(text, size, "%.400s (failure %u of %u)", reason, verdict->consecutive_failures,
			timing->retries);
	else if (verdict->consecutive_successes > 0 && !verdict_passes(verdict))
		snprintf(text, size, "%.400s (success %u of %u)", reason, verdict->consecutive_successes,
			timing->success_threshold);
	else
		snprintf(text, size, "%s", reason);
	utf8_trim(text);
}

bool checks_observe(struct checks *checks, size_t index, bool success, const char *reason, int64_t run_at)
{
	struct verdict *verdict = &checks->verdict[index];
	struct wire_check *record = &checks->record[index];
	const enum verdict_state before = verdict->state;
	bool changed;

	if (is_held(checks, index))
		return false;
	changed = verdict_observe(
		verdict, &checks->check[index].timing, checks_start_ns(checks, index), run_at, success);
	show_reason(checks, index, reason);
	show_verdict(checks, index);
	record->successes += success;
	record->failures += !success;
	checks->runs[index] = checks->runs[index] << 1 | success;
	if (success)
		record->last_success_ns = clock_wall_ns();
	keep(checks, index, clock_now_ns());
	if (changed && checks->changed != NULL)
		checks->changed(index, before);
	return changed;
}

static bool take_result(struct checks *checks, struct check_lane *lane, int64_t now)
{
	const size_t index = lane->index;
	const struct verdict *verdict = &checks->verdict[index];
	const bool was_started = verdict->started;
	const char *reason;
	const bool success = look_result(&lane->look, &reason);
	bool changed;

	/* Most answers come within one turn of the loop. */
	count_duration(&checks->record[index], clock_now_ns() - lane->run_at_ns);
	changed = checks_observe(checks, index, success, reason, lane->run_at_ns);
	free_lane(checks, lane);
	if (verdict->started && verdict->kind == CHECK_STARTUP)
		end_startup(checks, index, now);
	else
		set_next_run(checks, index, verdict->started && !was_started, now);
	return changed;
}

static bool advance(struct checks *checks, struct check_lane *lane, int64_t now)
{
	return look_advance(&lane->look, now) == PROBE_DONE && take_result(checks, lane, now);
}

/* There is a lane that is free. */
static bool start_one(struct checks *checks, size_t index, int64_t now)
{
	const struct check *check = &checks->check[index];
	const int64_t deadline = schedule_begin(&checks->schedule[index], &check->timing, now);
	struct check_lane *lane = checks->lane;

	while (lane->busy)
		lane++;
	lane->busy = true;
	lane->index = index;
	lane->run_at_ns = now;
	checks->busy_count++;
	if (check->command != NULL)
		checks->commands++;
	look_start_by(
		&lane->look, check, checks->channel, (uint32_t)index, service_of(checks, index)->life, now, deadline);
	return advance(checks, lane, now);
}

bool checks_run(struct checks *checks, int64_t now)
{
	const size_t busy_before = checks->busy_count;
	bool changed = false;

	resolve_tidy(now);
	if (checks->count == 0)
		return false;
	for (size_t i = 0, busy = 0; busy < busy_before; i++) {
		if (!checks->lane[i].busy)
			continue;
		busy++;
		changed |= advance(checks, &checks->lane[i], now);
	}
	for (int starts = 0; starts < STARTS_PER_TURN && checks->busy_count < checks->lane_count; starts++) {
		const size_t index = first_due(checks);

		if (index == checks->count || schedule_next(&checks->schedule[index]) > now)
			break;
		changed |= start_one(checks, index, now);
	}
	return changed;
}

void checks_ran(struct checks *checks, const struct wire_ran *ran)
{
	if (ran->check >= checks->count || ran->life != service_of(checks, ran->check)->life)
		return;
	for (size_t i = 0, busy = 0; busy < checks->busy_count; i++) {
		struct check_lane *lane = &checks->lane[i];

		busy += lane->busy;
		if (lane->busy && lane->index == ran->check && lane->look.by_command) {
			command_ended(&lane->look.command, ran);
			return;
		}
	}
}

bool checks_have_run(const struct checks *checks, size_t number)
{
	const struct checks_service *service = &checks->service[number];

	for (size_t i = service->first; i < service->first + service->count; i++)
		if (checks->verdict[i].successes + checks->verdict[i].failures == 0 && !checks->verdict[i].started &&
			!is_held(checks, i) &&
			checks->check[i].target.kind != TARGET_NOTIFY) /* it may say nothing for ever */
			return false;
	return true;
}

uint8_t checks_unhealthy(const struct checks *checks, size_t number)
{
	const struct checks_service *service = &checks->service[number];

	for (size_t i = service->first; i < service->first + service->count; i++)
		if (checks->verdict[i].kind != CHECK_READY && checks->verdict[i].state == VERDICT_UNHEALTHY)
			return 1;
	return 0;
}

uint8_t checks_healthy(const struct checks *checks, size_t number, enum check_kind kind, bool workload_runs)
{
	const struct checks_service *service = &checks->service[number];

	return verdict_combine(kind, checks->verdict + service->first, service->count, workload_runs);
}
