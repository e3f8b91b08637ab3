#include "metrics/history.h"

#define WHOLE 10000 /* one processor, in hundredths of a percent */

size_t history_count(const struct history *history)
{
	return history->count < HISTORY_MAX ? history->count : HISTORY_MAX;
}

const struct sample *history_at(const struct history *history, size_t n)
{
	return &history->sample[(history->count - history_count(history) + n) % HISTORY_MAX];
}

bool history_is_due(const struct history *history, int64_t now_ns)
{
	const size_t count = history_count(history);

	return count == 0 || now_ns - history_at(history, count - 1)->at_ns >= HISTORY_STEP_NS;
}

static bool cpu_of(const struct readings *readings, uint64_t *ret_ns)
{
	uint64_t user, system;

	if (readings_get(readings, READING_CGROUP_CPU_NS, ret_ns))
		return true;
	if (!readings_get(readings, READING_CPU_USER_NS, &user) ||
		!readings_get(readings, READING_CPU_SYSTEM_NS, &system))
		return false;
	*ret_ns = user + system;
	return true;
}

void history_add(struct history *history, int64_t now_ns, const struct readings *readings)
{
	struct sample *sample = &history->sample[history->count++ % HISTORY_MAX];

	*sample = (struct sample){ .at_ns = now_ns };
	sample->has_cpu = cpu_of(readings, &sample->cpu_ns);
	sample->has_memory = readings_get(readings, READING_CGROUP_MEMORY_BYTES, &sample->memory_bytes) ||
		readings_get(readings, READING_RESIDENT_BYTES, &sample->memory_bytes);
}

int64_t history_cpu(const struct sample *before, const struct sample *after)
{
	const int64_t took = after->at_ns - before->at_ns;

	/* A service that was started again counts from 0. */
	if (!before->has_cpu || !after->has_cpu || after->cpu_ns < before->cpu_ns || took <= 0)
		return -1;
	return (int64_t)((double)(after->cpu_ns - before->cpu_ns) / (double)took * WHOLE + 0.5);
}
