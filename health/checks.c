#include "health/checks.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

void checks_init(struct checks *checks, const struct model *model)
{
	checks->count = model->check_count;
	checks->life = 0;
	for (size_t i = 0; i < checks->count; i++) {
		struct running_check *item = &checks->item[i];

		*item = (struct running_check){ .check = &model->check[i] };
		item->record.kind = model->check[i].kind;
		snprintf(item->record.name, sizeof item->record.name, "%s", model->check[i].text);
	}
}

/* What is counted goes on counting. */
static void forget_verdict(struct running_check *item)
{
	if (item->running)
		probe_cancel(&item->probe);
	item->running = false;
	verdict_init(&item->verdict, item->check->kind);
	item->record.healthy = verdict_passes(&item->verdict);
	item->record.settled = false;
	item->record.consecutive_failures = 0;
}

void checks_start(struct checks *checks, uint64_t life, int64_t workload_at_ns, int64_t now)
{
	if (checks->life == life)
		return;
	checks->life = life;
	checks->workload_at_ns = workload_at_ns;
	for (size_t i = 0; i < checks->count; i++) {
		forget_verdict(&checks->item[i]);
		schedule_init(&checks->item[i].schedule, now);
	}
}

void checks_stop(struct checks *checks)
{
	checks->life = 0;
	for (size_t i = 0; i < checks->count; i++)
		forget_verdict(&checks->item[i]);
}

size_t checks_pollfds(const struct checks *checks, struct pollfd ret_slots[static MODEL_CHECKS_MAX])
{
	for (size_t i = 0; i < checks->count; i++) {
		if (checks->item[i].running)
			probe_poll(&checks->item[i].probe, &ret_slots[i]);
		else
			ret_slots[i] = (struct pollfd){ .fd = -1 };
	}
	return checks->count;
}

int64_t checks_deadline_ns(const struct checks *checks)
{
	int64_t deadline = TIME_NEVER;

	for (size_t i = 0; checks->life != 0 && i < checks->count; i++) {
		const struct running_check *item = &checks->item[i];
		int64_t due = item->running ? probe_wake(&item->probe) : schedule_next(&item->schedule);

		if (due < deadline)
			deadline = due;
	}
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

static void take_result(struct checks *checks, struct running_check *item, int64_t now)
{
	const char *reason;
	bool success = probe_result(&item->probe, &reason);
	struct wire_check *record = &item->record;

	verdict_observe(&item->verdict, &item->check->timing, checks->workload_at_ns, item->run_at_ns, success);
	schedule_end(&item->schedule, &item->check->timing, item->verdict.succeeded, now);
	item->running = false;
	snprintf(record->reason, sizeof record->reason, "%s", reason);
	record->healthy = verdict_passes(&item->verdict);
	record->settled = verdict_settled(&item->verdict);
	record->consecutive_failures = item->verdict.consecutive_failures;
	record->successes += success;
	record->failures += !success;
	if (success)
		record->last_success_ns = clock_wall_ns();
	count_duration(record, clock_now_ns() - item->run_at_ns); /* most answers come within one turn of the loop */
}

static void run_one(struct checks *checks, struct running_check *item, int64_t now)
{
	if (!item->running && schedule_due(&item->schedule, now)) {
		int64_t deadline = schedule_begin(&item->schedule, &item->check->timing, now);

		item->run_at_ns = now;
		item->running = true;
		probe_start(&item->probe, &item->check->target, NULL, now, deadline);
	}
	if (item->running && probe_advance(&item->probe, now) == PROBE_DONE)
		take_result(checks, item, now);
}

void checks_run(struct checks *checks, int64_t now)
{
	for (size_t i = 0; checks->life != 0 && i < checks->count; i++)
		run_one(checks, &checks->item[i], now);
}

uint8_t checks_healthy(const struct checks *checks, enum check_kind kind, bool workload_runs)
{
	const struct verdict *verdicts[MODEL_CHECKS_MAX];

	for (size_t i = 0; i < checks->count; i++)
		verdicts[i] = &checks->item[i].verdict;
	return verdict_combine(kind, verdicts, checks->count, workload_runs);
}

uint8_t checks_unhealthy(const struct checks *checks)
{
	for (size_t i = 0; i < checks->count; i++)
		if (checks->item[i].verdict.kind != CHECK_READY && checks->item[i].verdict.state == VERDICT_UNHEALTHY)
			return 1;
	return 0;
}

void checks_records(const struct checks *checks, struct wire_check ret_records[static MODEL_CHECKS_MAX])
{
	for (size_t i = 0; i < checks->count; i++)
		ret_records[i] = checks->item[i].record;
}
