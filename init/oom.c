#include "init/oom.h"

#include "base/cgroup_parse.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Small: what PID 1's stack once touched stays its own. A place that is too long is not looked at. */
#define CGROUPS_SIZE 1024
#define TEXT_SIZE 256
#define PATH_SIZE 200
#define MOUNT "/sys/fs/cgroup"

static int read_text(const char *path, size_t size, char *ret_text)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	/* One read: the kernel gives such a file whole, at once. */
	ssize_t length = fd < 0 ? -1 : read(fd, ret_text, size - 1);

	if (length < 0)
		return -errno;
	ret_text[length] = '\0';
	return 0;
}

static int read_kills(const char *mount, const char *place, const char *file, uint64_t *ret_kills)
{
	char path[PATH_SIZE + 64], text[TEXT_SIZE];

	snprintf(path, sizeof path, "%s%s/%s", mount, place, file);
	return read_text(path, sizeof text, text) == 0 ? cgroup_parse_field(text, "oom_kill", ret_kills) : -ENODATA;
}

/* Where the mount shows the whole hierarchy the path leads to our own cgroup; in a container the mount is that. */
static int read_either(
	const char *cgroups, const char *controller, const char *mount, const char *file, uint64_t *ret_kills)
{
	char place[PATH_SIZE];

	if (cgroup_parse_path(cgroups, controller, sizeof place, place) == 0 &&
		read_kills(mount, place, file, ret_kills) == 0)
		return 0;
	return read_kills(mount, "", file, ret_kills);
}

int oom_kills_read(uint64_t *ret_kills)
{
	char cgroups[CGROUPS_SIZE];

	if (read_text("/proc/self/cgroup", sizeof cgroups, cgroups) < 0)
		cgroups[0] = '\0';
	if (read_either(cgroups, "", MOUNT, "memory.events", ret_kills) == 0 ||
		read_either(cgroups, "memory", MOUNT "/memory", "memory.oom_control", ret_kills) == 0)
		return 0;
	return -ENODATA;
}
