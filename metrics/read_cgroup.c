#include "metrics/read_cgroup.h"

#include "base/cgroup_parse.h"
#include "base/cleanup.h"
#include "base/fdio.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>

#define FILE_MAX 16384    /* memory.stat, the longest of them, has about 3 KiB */
#define TABLE_MAX 1048576 /* /proc/self/mountinfo of a machine with thousands of mounts */

static const char controllers[][8] = { "", "memory", "pids", "cpu", "cpuacct" };
static_assert(sizeof controllers / sizeof controllers[0] == CGROUP_ROOT_COUNT, "a controller for every root");

/* The root of a hierarchy has the figures of the whole machine: it alone has this file in version 1, and has it not in
 * version 2 (kernel documentation: admin-guide/cgroup-v1, admin-guide/cgroup-v2). */
static bool is_the_machines(int dir_fd, enum cgroup_root root)
{
	if (root == CGROUP_V2)
		return faccessat(dir_fd, "cgroup.events", F_OK, 0) < 0;
	return faccessat(dir_fd, "release_agent", F_OK, 0) == 0;
}

int cgroup_directory_open(const char *path, enum cgroup_root root)
{
	cleanup_close int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return is_the_machines(fd, root) ? -ENODATA : take_fd(&fd);
}

int cgroup_roots_open(struct cgroup_roots *ret_roots)
{
	cleanup_free char *cgroups = NULL, *mounts = NULL;
	size_t length;
	int error;

	for (size_t i = 0; i < CGROUP_ROOT_COUNT; i++)
		ret_roots->fd[i] = -1;
	error = file_read("/proc/self/cgroup", TABLE_MAX, &cgroups, &length);
	if (error < 0)
		return error;
	error = file_read("/proc/self/mountinfo", TABLE_MAX, &mounts, &length);
	if (error < 0)
		return error;
	for (size_t i = 0; i < CGROUP_ROOT_COUNT; i++) {
		char path[CGROUP_PATH_SIZE];

		if (cgroup_parse_place(cgroups, mounts, controllers[i], path) < 0)
			continue;
		ret_roots->fd[i] = cgroup_directory_open(path, i);
	}
	return 0;
}

void cgroup_roots_close(struct cgroup_roots *roots)
{
	for (size_t i = 0; i < CGROUP_ROOT_COUNT; i++) {
		cleanup_close_fd(&roots->fd[i]);
		roots->fd[i] = -1;
	}
}

/* Reads a file of the directory, NUL-terminated. */
static int read_text(int dir_fd, const char *name, char ret_text[static FILE_MAX])
{
	cleanup_close int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = fd_read_all(fd, ret_text, FILE_MAX - 1);
	if (length < 0)
		return (int)length;
	ret_text[length] = '\0';
	return 0;
}

enum shape { SHAPE_NUMBER, SHAPE_LIMIT, SHAPE_FIELD, SHAPE_FIELD_US, SHAPE_FIELD_LIMIT };

/* One figure in one file. */
struct source {
	enum cgroup_root root;
	enum reading reading;
	const char *file;
	enum shape shape;
	const char *field;
};

/* The first that is there counts: version 1 before 2, for cpu.stat of version 2 exists without its controller, too, and
 * the limit that the whole hierarchy leaves before the cgroup's own one. */
static const struct source sources[] = {
	{ CGROUP_V1_MEMORY, READING_CGROUP_MEMORY_BYTES, "memory.usage_in_bytes", SHAPE_NUMBER, NULL },
	{ CGROUP_V1_MEMORY, READING_CGROUP_MEMORY_LIMIT_BYTES, "memory.stat", SHAPE_FIELD_LIMIT,
		"hierarchical_memory_limit" },
	{ CGROUP_V1_MEMORY, READING_CGROUP_MEMORY_LIMIT_BYTES, "memory.limit_in_bytes", SHAPE_LIMIT, NULL },
	{ CGROUP_V1_MEMORY, READING_CGROUP_OOM_KILLS, "memory.oom_control", SHAPE_FIELD, "oom_kill" },
	{ CGROUP_V1_PIDS, READING_CGROUP_PIDS, "pids.current", SHAPE_NUMBER, NULL },
	{ CGROUP_V1_PIDS, READING_CGROUP_PIDS_LIMIT, "pids.max", SHAPE_LIMIT, NULL },
	{ CGROUP_V1_CPUACCT, READING_CGROUP_CPU_NS, "cpuacct.usage", SHAPE_NUMBER, NULL },
	{ CGROUP_V1_CPU, READING_CGROUP_THROTTLED_NS, "cpu.stat", SHAPE_FIELD, "throttled_time" },
	{ CGROUP_V2, READING_CGROUP_MEMORY_BYTES, "memory.current", SHAPE_NUMBER, NULL },
	{ CGROUP_V2, READING_CGROUP_MEMORY_LIMIT_BYTES, "memory.max", SHAPE_LIMIT, NULL },
	{ CGROUP_V2, READING_CGROUP_OOM_KILLS, "memory.events", SHAPE_FIELD, "oom_kill" },
	{ CGROUP_V2, READING_CGROUP_PIDS, "pids.current", SHAPE_NUMBER, NULL },
	{ CGROUP_V2, READING_CGROUP_PIDS_LIMIT, "pids.max", SHAPE_LIMIT, NULL },
	{ CGROUP_V2, READING_CGROUP_CPU_NS, "cpu.stat", SHAPE_FIELD_US, "usage_usec" },
	{ CGROUP_V2, READING_CGROUP_THROTTLED_NS, "cpu.stat", SHAPE_FIELD_US, "throttled_usec" },
};

static int parse_source(const struct source *source, const char *text, uint64_t *ret_value)
{
	int error;

	switch (source->shape) {
	case SHAPE_NUMBER:
		return cgroup_parse_number(text, ret_value);
	case SHAPE_LIMIT:
		return cgroup_parse_limit(text, ret_value);
	case SHAPE_FIELD:
	case SHAPE_FIELD_US:
	case SHAPE_FIELD_LIMIT:
		break;
	}
	error = cgroup_parse_field(text, source->field, ret_value);
	if (error < 0)
		return error;
	if (source->shape == SHAPE_FIELD_US && __builtin_mul_overflow(*ret_value, 1000, ret_value))
		return -ERANGE;
	return source->shape == SHAPE_FIELD_LIMIT && !cgroup_is_limit(*ret_value) ? -ENODATA : 0;
}

static void read_source(const struct cgroup_roots *roots, const struct source *source, struct readings *readings)
{
	int root = roots->fd[source->root];
	char text[FILE_MAX];
	uint64_t value;

	if (root < 0 || readings_get(readings, source->reading, &value))
		return;
	if (read_text(root, source->file, text) == 0 && parse_source(source, text, &value) == 0)
		readings_set(readings, source->reading, value);
}

static void read_pressure(int root, enum pressure resource, struct readings *readings)
{
	static const char files[][16] = { "cpu.pressure", "memory.pressure", "io.pressure" };
	static_assert(sizeof files / sizeof files[0] == PRESSURE_COUNT, "a file for every resource");
	char text[FILE_MAX];
	int64_t some, full;

	if (read_text(root, files[resource], text) < 0 || cgroup_parse_pressure(text, &some, &full) < 0)
		return;
	readings_set(readings, READING_CGROUP_CPU_WAITING_NS + resource, (uint64_t)some);
	if (full >= 0)
		readings_set(readings, READING_CGROUP_CPU_STALLED_NS + resource, (uint64_t)full);
}

void read_cgroup(const struct cgroup_roots *roots, struct readings *readings)
{
	for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
		read_source(roots, &sources[i], readings);
	for (enum pressure resource = 0; resource < PRESSURE_COUNT && roots->fd[CGROUP_V2] >= 0; resource++)
		read_pressure(roots->fd[CGROUP_V2], resource, readings);
}
