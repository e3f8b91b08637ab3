/* Figures that the kernel gave, each known or not: what could not be read is left out of the page, never 0. Pure. */
#pragma once

#include "base/kept.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum reading {
	READING_CPU_USER_NS, /* of the service's processes, summed */
	READING_CPU_SYSTEM_NS,
	READING_RESIDENT_BYTES,
	READING_OPEN_FDS,
	READING_THREADS,
	READING_PROCESSES,
	READING_CGROUP_MEMORY_BYTES, /* of the container's cgroup */
	READING_CGROUP_MEMORY_LIMIT_BYTES,
	READING_CGROUP_PIDS,
	READING_CGROUP_PIDS_LIMIT,
	READING_CGROUP_OOM_KILLS,
	READING_CGROUP_CPU_NS,
	READING_CGROUP_THROTTLED_NS,
	READING_CGROUP_CPU_WAITING_NS, /* pressure "some"; the resources in the order of enum pressure */
	READING_CGROUP_MEMORY_WAITING_NS,
	READING_CGROUP_IO_WAITING_NS,
	READING_CGROUP_CPU_STALLED_NS, /* pressure "full" */
	READING_CGROUP_MEMORY_STALLED_NS,
	READING_CGROUP_IO_STALLED_NS,
	READING_COUNT,
};

enum pressure { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, PRESSURE_COUNT };

struct readings {       /* all zero: nothing is known */
	uint32_t known; /* a bit for each enum reading */
	uint64_t value[READING_COUNT];
};

void readings_set(struct readings *readings, enum reading which, uint64_t value);
/* Returns true and the figure if it is known. */
bool readings_get(const struct readings *readings, enum reading which, uint64_t *ret_value);

/* Adds a service's figures to those of others. */
void readings_add_service(struct readings *readings, const struct readings *service);

/* Raises both CPU figures to the mark, and the mark to them; another main process begins at 0 again. */
void readings_hold_cpu(struct readings *readings, struct cpu_mark *mark, pid_t main_pid, uint64_t started);
