#include "init/container_id.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define LENGTH (CONTAINER_ID_SIZE - 1)

/* True if exactly so many digits stand there: one more would be something else. */
static bool is_id(const char *text)
{
	return strspn(text, "0123456789abcdef") == LENGTH;
}

static void take(const char *text, char ret_id[static CONTAINER_ID_SIZE])
{
	memcpy(ret_id, text, LENGTH);
	ret_id[LENGTH] = '\0';
}

/* The last part of a path: "/docker/ID", "/system.slice/docker-ID.scope", ".../cri-containerd-ID.scope",
 * ".../libpod-ID/container" (below a container that manages cgroups itself it is not the last). */
static int find_in_path(const char *path, size_t length, char ret_id[static CONTAINER_ID_SIZE])
{
	int result = -ENODATA;

	for (size_t i = 1; i + LENGTH <= length; i++) {
		const char *at = path + i, *end = at + LENGTH;
		const bool begins = strchr("/-:", at[-1]) != NULL;

		if (!begins || !is_id(at) || (end < path + length && *end != '.' && *end != '/'))
			continue;
		take(at, ret_id);
		result = 0;
	}
	return result;
}

static bool is_engines(const char *point)
{
	static const char points[][20] = { "/etc/hostname ", "/etc/hosts ", "/etc/resolv.conf " };

	for (size_t i = 0; i < sizeof points / sizeof points[0]; i++)
		if (strncmp(point, points[i], strlen(points[i])) == 0)
			return true;
	return false;
}

/* "36 35 8:1 /var/lib/docker/containers/ID/hostname /etc/hostname rw - ext4 /dev/sda1 rw": the fourth field is the
 * file, the fifth where it is. */
static int find_in_mount(const char *line, size_t length, char ret_id[static CONTAINER_ID_SIZE])
{
	static const char directory[] = "containers/"; /* also Podman's overlay-containers */
	const char *root = line, *end = line + length, *point, *at;

	for (int field = 0; field < 3 && root != NULL; field++) {
		root = memchr(root, ' ', (size_t)(end - root));
		root = root != NULL ? root + 1 : NULL;
	}
	point = root != NULL ? memchr(root, ' ', (size_t)(end - root)) : NULL;
	if (point == NULL || !is_engines(point + 1))
		return -ENODATA;
	for (at = root; (at = memmem(at, (size_t)(point - at), directory, strlen(directory))) != NULL;) {
		at += strlen(directory);
		if (is_id(at) && at[LENGTH] == '/') {
			take(at, ret_id);
			return 0;
		}
	}
	return -ENODATA;
}

static int find_in_lines(const char *text, int (*find)(const char *line, size_t length, char *ret_id), char *ret_id)
{
	while (*text != '\0') {
		const size_t length = strcspn(text, "\n");

		if (find(text, length, ret_id) == 0)
			return 0;
		text += length + (text[length] == '\n');
	}
	return -ENODATA;
}

int container_id_find(const char *cgroups, const char *mounts, char ret_id[static CONTAINER_ID_SIZE])
{
	return find_in_lines(cgroups, find_in_path, ret_id) == 0 ? 0 : find_in_lines(mounts, find_in_mount, ret_id);
}
