#include "base/memory_limit.h"

#include "base/cgroup_parse.h"
#include "base/cleanup.h"
#include "base/fdio.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

#define FILE_MAX 16384    /* memory.stat, the longest of them, has about 3 KiB */
#define TABLE_MAX 1048576 /* /proc/self/mountinfo of a machine with thousands of mounts */

/* What one file says, UINT64_MAX where that is no limit. A NULL field: the file is one number. */
static uint64_t read_limit(const char *directory, const char *name, const char *field)
{
	cleanup_free char *text = NULL;
	char path[CGROUP_PATH_SIZE + 32];
	uint64_t value;
	size_t length;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	if (file_read(path, FILE_MAX, &text, &length) < 0)
		return UINT64_MAX;
	if (field == NULL)
		return cgroup_parse_limit(text, &value) == 0 ? value : UINT64_MAX;
	return cgroup_parse_field(text, field, &value) == 0 && cgroup_is_limit(value) ? value : UINT64_MAX;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Version 1 also says what all above leave, those that a container does not see among them (kernel documentation:
 * admin-guide/cgroup-v1/memory). */
uint64_t memory_limit_of(const char *directory, bool version2)
{
	char path[CGROUP_PATH_SIZE];
	uint64_t limit = UINT64_MAX;

	snprintf(path, sizeof path, "%s", directory);
	if (!version2)
		limit = read_limit(path, "memory.stat", "hierarchical_memory_limit");
	while (*path != '\0') {
		limit = smaller(limit, read_limit(path, version2 ? "memory.max" : "memory.limit_in_bytes", NULL));
		*strrchr(path, '/') = '\0';
	}
	return limit;
}

void memory_limit_read(struct config_memory *ret_memory)
{
	cleanup_free char *cgroups = NULL, *mounts = NULL;
	uint64_t limit = UINT64_MAX;
	struct sysinfo machine;
	size_t length;

	*ret_memory = (struct config_memory){ .total = 0 };
	if (sysinfo(&machine) == 0)
		ret_memory->total = (uint64_t)machine.totalram * machine.mem_unit;
	if (file_read("/proc/self/cgroup", TABLE_MAX, &cgroups, &length) < 0 ||
		file_read("/proc/self/mountinfo", TABLE_MAX, &mounts, &length) < 0)
		return;
	for (int version2 = 0; version2 <= 1; version2++) {
		char directory[CGROUP_PATH_SIZE];

		if (cgroup_parse_place(cgroups, mounts, version2 ? "" : "memory", directory) == 0)
			limit = smaller(limit, memory_limit_of(directory, version2));
	}
	if (limit == UINT64_MAX)
		return;
	ret_memory->limit = ret_memory->total != 0 ? smaller(limit, ret_memory->total) : limit;
}
