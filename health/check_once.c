#include "health/check_once.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "health/probe_run.h"

#include <errno.h>
#include <stdio.h>

/* One look of as many as go side by side. */
struct batch {
	size_t count;
	struct wire_check *record[PROBE_RUN_MAX];
	struct probe_job job[PROBE_RUN_MAX];
};

static void settle(struct wire_check *record, bool success, const char *reason)
{
	record->settled = 1;
	record->healthy = success;
	snprintf(record->reason, sizeof record->reason, "%s", reason);
}

static int look(struct batch *batch, int64_t left_ns)
{
	int r = 0;

	if (batch->count > 0 && left_ns > 0)
		r = probe_run(batch->job, batch->count, left_ns, 0);
	for (size_t i = 0; i < batch->count && r == 0; i++)
		settle(batch->record[i], batch->job[i].success,
			left_ns > 0 ? batch->job[i].reason : "not looked at: no time was left");
	batch->count = 0;
	return r;
}

/* Of notify there is nothing to look at: the workload tells it to PID 1. */
static void add(const struct check *check, struct wire_check *record, struct batch *batch)
{
	*record = (struct wire_check){ .kind = check->kind };
	snprintf(record->name, sizeof record->name, "%s", check->name);
	if (check->target.kind == TARGET_NOTIFY) {
		settle(record, false, "only a nest-init that is PID 1 hears READY=1");
		return;
	}
	batch->record[batch->count] = record;
	batch->job[batch->count++] = (struct probe_job){ .check = check };
}

int check_once(const struct model *model, unsigned kinds, int64_t timeout_ns, struct wire_check *ret_records,
	size_t *ret_count, uint8_t ret_healthy[static CHECK_KIND_COUNT])
{
	cleanup_free struct batch *batch = calloc(1, sizeof *batch);
	const int64_t end = clock_now_ns() + timeout_ns;
	size_t count = 0;
	int r = batch == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < model->main.check_count && r == 0; i++) {
		if ((kinds >> model->main.check[i].kind & 1) != 0)
			add(&model->main.check[i], &ret_records[count++], batch);
		if (batch->count == PROBE_RUN_MAX)
			r = look(batch, end - clock_now_ns());
	}
	if (r == 0)
		r = look(batch, end - clock_now_ns());
	if (r < 0)
		return r;
	for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
		ret_healthy[kind] = 1;
	for (size_t i = 0; i < count; i++)
		ret_healthy[ret_records[i].kind] &= ret_records[i].healthy;
	*ret_count = count;
	return 0;
}
