#include "metrics/readings.h"

#include <assert.h>

static_assert(READING_COUNT <= 32, "a bit of readings.known for each");

void readings_set(struct readings *readings, enum reading which, uint64_t value)
{
	readings->value[which] = value;
	readings->known |= UINT32_C(1) << which;
}

bool readings_get(const struct readings *readings, enum reading which, uint64_t *ret_value)
{
	if ((readings->known >> which & 1) == 0)
		return false;
	*ret_value = readings->value[which];
	return true;
}

void readings_add_service(struct readings *readings, const struct readings *service)
{
	uint64_t value, sum;

	for (enum reading which = READING_CPU_USER_NS; which <= READING_PROCESSES; which++)
		if (readings_get(service, which, &value))
			readings_set(readings, which, value + (readings_get(readings, which, &sum) ? sum : 0));
}

static void hold(struct readings *readings, enum reading which, uint64_t *mark)
{
	uint64_t value;

	if (!readings_get(readings, which, &value))
		return;
	if (value > *mark)
		*mark = value;
	readings_set(readings, which, *mark);
}

void readings_hold_cpu(struct readings *readings, struct cpu_mark *mark, pid_t main_pid, uint64_t started)
{
	if (mark->main_pid != main_pid || mark->started != started)
		*mark = (struct cpu_mark){ .main_pid = main_pid, .started = started };
	hold(readings, READING_CPU_USER_NS, &mark->user_ns);
	hold(readings, READING_CPU_SYSTEM_NS, &mark->system_ns);
}
