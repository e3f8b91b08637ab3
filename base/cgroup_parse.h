/* What cgroup files say, versions 1 and 2 (kernel documentation: admin-guide/cgroup-v1, admin-guide/cgroup-v2,
 * accounting/psi). Pure: takes text. Each returns 0, -EBADMSG for text of another shape, or what else it names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file of one number: memory.current, pids.current, cpuacct.usage, memory.usage_in_bytes. */
int cgroup_parse_number(const char *text, uint64_t *ret_value);

/* False for what version 1 says where there is no limit: the largest multiple of the page size below 2^63. */
bool cgroup_is_limit(uint64_t value);

/* A limit: memory.max, pids.max, memory.limit_in_bytes. -ENODATA if there is none, "max" in version 2. */
int cgroup_parse_limit(const char *text, uint64_t *ret_value);

/* A file of lines "name value": memory.events, cpu.stat, memory.stat, memory.oom_control. -ENODATA if there is no line
 * of that name. */
int cgroup_parse_field(const char *text, const char *name, uint64_t *ret_value);

/* A pressure file: the totals in nanoseconds. cpu.pressure has no "full" line before Linux 5.13: ret_full_ns is then
 * -1. */
int cgroup_parse_pressure(const char *text, int64_t *ret_some_ns, int64_t *ret_full_ns);

#define CGROUP_PATH_SIZE 4096

/* This process's path in the hierarchy of the controller, as cgroups, the text of /proc/self/cgroup, has it; controller
 * as below. Returns 0, -ENODATA or -ENAMETOOLONG. */
int cgroup_parse_path(const char *cgroups, const char *controller, size_t size, char *ret_path);

/* Finds the directory that shows this process's own cgroup: controller is "memory", "pids", "cpu", "cpuacct" for
 * version 1 and "" for version 2; cgroups is the text of /proc/self/cgroup and mounts that of /proc/self/mountinfo
 * (cgroups(7), proc(5)). A mount may show a part of the hierarchy only, as in a container without a cgroup namespace;
 * where the path leads out of what is mounted, that mount does not serve. Returns 0, -ENODATA if there is no such
 * directory, or -ENAMETOOLONG. */
int cgroup_parse_place(
	const char *cgroups, const char *mounts, const char *controller, char ret_path[static CGROUP_PATH_SIZE]);
