/* Reads the figures of the container's cgroup. Opens for reading only; the directories are found and opened once. */
#pragma once

#include "metrics/readings.h"

enum cgroup_root { CGROUP_V2, CGROUP_V1_MEMORY, CGROUP_V1_PIDS, CGROUP_V1_CPU, CGROUP_V1_CPUACCT, CGROUP_ROOT_COUNT };

struct cgroup_roots {
	int fd[CGROUP_ROOT_COUNT]; /* directories (O_PATH), owned; below 0: this container has none */
};

/* Opens the directory of a cgroup. Returns a descriptor, -ENODATA for the root of a hierarchy, whose figures are the
 * machine's and no container's, or another -errno. */
int cgroup_directory_open(const char *path, enum cgroup_root root);

/* Finds this process's own cgroup: the monitor lives in the container's. Returns 0 (with whatever there is, possibly
 * nothing at all) or -errno if /proc/self/cgroup or mountinfo cannot be read; then there is none, and reading and
 * closing it are still allowed: a container's figures are worth having, not dying for. */
int cgroup_roots_open(struct cgroup_roots *ret_roots);
void cgroup_roots_close(struct cgroup_roots *roots);

/* Adds what can be read to *readings. A controller is in one hierarchy only; where version 1 has it, that one counts.
 */
void read_cgroup(const struct cgroup_roots *roots, struct readings *readings);
