#include "base/cgroup_parse.h"

#include <errno.h>
#include <string.h>

/* Parses the digits at the beginning of text. Returns where they end; NULL if there are none or they exceed 64 bits. */
static const char *parse_digits(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *end = text;

	for (; *end >= '0' && *end <= '9'; end++)
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*end - '0'), &value))
			return NULL;
	if (end == text)
		return NULL;
	*ret_value = value;
	return end;
}

static bool at_line_end(const char *text)
{
	return *text == '\n' || *text == '\0';
}

int cgroup_parse_number(const char *text, uint64_t *ret_value)
{
	uint64_t value;
	const char *end = parse_digits(text, &value);

	if (end == NULL || !at_line_end(end))
		return -EBADMSG;
	*ret_value = value;
	return 0;
}

bool cgroup_is_limit(uint64_t value)
{
	/* Version 1 says PAGE_COUNTER_MAX pages: LONG_MAX rounded down to a page, of 64 KiB at the most. */
	return value < INT64_MAX / 65536 * UINT64_C(65536);
}

int cgroup_parse_limit(const char *text, uint64_t *ret_value)
{
	uint64_t value;
	int error;

	if (strncmp(text, "max", 3) == 0 && at_line_end(text + 3))
		return -ENODATA;
	error = cgroup_parse_number(text, &value);
	if (error < 0)
		return error;
	if (!cgroup_is_limit(value))
		return -ENODATA;
	*ret_value = value;
	return 0;
}

static const char *next_line(const char *text)
{
	text += strcspn(text, "\n");
	return *text == '\n' ? text + 1 : text;
}

int cgroup_parse_field(const char *text, const char *name, uint64_t *ret_value)
{
	size_t length = strlen(name);

	for (; *text != '\0'; text = next_line(text))
		if (strncmp(text, name, length) == 0 && text[length] == ' ')
			return cgroup_parse_number(text + length + 1, ret_value);
	return -ENODATA;
}

/* The total of a line such as "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234", microseconds. */
static int parse_stall(const char *text, const char *kind, int64_t *ret_ns)
{
	size_t length = strlen(kind);

	for (; *text != '\0'; text = next_line(text)) {
		const char *total = strstr(text, " total=");
		uint64_t us;

		if (strncmp(text, kind, length) != 0 || text[length] != ' ')
			continue;
		if (total == NULL || total > text + strcspn(text, "\n"))
			return -EBADMSG;
		if (cgroup_parse_number(total + strlen(" total="), &us) < 0 || us > INT64_MAX / 1000)
			return -EBADMSG;
		*ret_ns = (int64_t)us * 1000;
		return 0;
	}
	return -ENODATA;
}

int cgroup_parse_pressure(const char *text, int64_t *ret_some_ns, int64_t *ret_full_ns)
{
	int64_t some, full = -1;
	int error = parse_stall(text, "full", &full);

	if ((error < 0 && error != -ENODATA) || parse_stall(text, "some", &some) < 0)
		return -EBADMSG;
	*ret_some_ns = some;
	*ret_full_ns = full;
	return 0;
}

struct span {
	const char *text;
	size_t length;
};

static bool span_is(struct span span, const char *word)
{
	return span.length == strlen(word) && memcmp(span.text, word, span.length) == 0;
}

/* True if the list, with commas between its members, has the word. */
static bool list_has(struct span list, const char *word)
{
	const char *at = list.text, *end = list.text + list.length;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma != NULL ? comma : end;

		if (span_is((struct span){ at, (size_t)(stop - at) }, word))
			return true;
		at = stop + 1;
	}
	return false;
}

/* The path of this process in the hierarchy that has the controller: "4:memory:/docker/x", "0::/" (cgroups(7)). */
static int find_path(const char *cgroups, const char *controller, struct span *ret_path)
{
	for (; *cgroups != '\0'; cgroups = next_line(cgroups)) {
		const char *end = cgroups + strcspn(cgroups, "\n");
		const char *list = memchr(cgroups, ':', (size_t)(end - cgroups));
		const char *path = list == NULL ? NULL : memchr(list + 1, ':', (size_t)(end - list - 1));
		struct span names;

		if (path == NULL)
			continue;
		names = (struct span){ list + 1, (size_t)(path - list - 1) };
		if (*controller == '\0' ? names.length > 0 : !list_has(names, controller))
			continue;
		*ret_path = (struct span){ path + 1, (size_t)(end - path - 1) };
		return 0;
	}
	return -ENODATA;
}

int cgroup_parse_path(const char *cgroups, const char *controller, size_t size, char *ret_path)
{
	struct span path;
	int error = find_path(cgroups, controller, &path);

	if (error < 0)
		return error;
	if (path.length >= size)
		return -ENAMETOOLONG;
	memcpy(ret_path, path.text, path.length);
	ret_path[path.length] = '\0';
	return 0;
}

struct mount {
	struct span root; /* what of the file system is mounted, and where: with the octal escapes of proc(5) */
	struct span point;
	struct span type;
	struct span options; /* of the superblock: version 1 lists its controllers there */
};

/* Splits "36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw,errors=continue": any number of optional
 * fields stands before the dash (proc(5)). */
static bool split_mount(const char *line, struct mount *ret_mount)
{
	struct mount mount = { 0 };
	size_t field = 0, dash = 0;

	while (!at_line_end(line)) {
		struct span word = { line, strcspn(line, " \n") };

		if (field == 3)
			mount.root = word;
		else if (field == 4)
			mount.point = word;
		else if (field > 5 && dash == 0 && span_is(word, "-"))
			dash = field;
		else if (dash > 0 && field == dash + 1)
			mount.type = word;
		else if (dash > 0 && field == dash + 3)
			mount.options = word;
		field++;
		line += word.length;
		if (*line == ' ')
			line++;
	}
	*ret_mount = mount;
	return mount.options.text != NULL;
}

/* Undoes the escapes of blank, tab, newline and backslash. Returns 0 or -ENAMETOOLONG. */
static int unescape(struct span from, char ret_path[static CGROUP_PATH_SIZE])
{
	size_t used = 0;

	for (size_t i = 0; i < from.length; i++) {
		const char *at = from.text + i;
		char byte = *at;

		if (byte == '\\' && i + 3 < from.length && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' &&
			at[2] <= '7' && at[3] >= '0' && at[3] <= '7') {
			byte = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
			i += 3;
		}
		if (used + 1 >= CGROUP_PATH_SIZE)
			return -ENAMETOOLONG;
		ret_path[used++] = byte;
	}
	ret_path[used] = '\0';
	return 0;
}

/* True if a component is "..": the path leaves what this process may see as its root (cgroup_namespaces(7)). */
static bool climbs(struct span path)
{
	for (size_t i = 0; i + 3 <= path.length; i++)
		if (memcmp(path.text + i, "/..", 3) == 0 && (i + 3 == path.length || path.text[i + 3] == '/'))
			return true;
	return false;
}

/* Joins the mount point and what of the path lies below the mount's root; -ENODATA if the path is not below it. */
static int join(const struct mount *mount, struct span path, char ret_path[static CGROUP_PATH_SIZE])
{
	char root[CGROUP_PATH_SIZE], joined[CGROUP_PATH_SIZE];
	size_t skip, have;
	struct span below;

	if (unescape(mount->root, root) < 0 || unescape(mount->point, joined) < 0)
		return -ENAMETOOLONG;
	skip = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (skip > path.length || memcmp(path.text, root, skip) != 0)
		return -ENODATA;
	below = (struct span){ path.text + skip, path.length - skip };
	if ((below.length > 0 && *below.text != '/') || climbs(below))
		return -ENODATA;
	if (below.length == 1)
		below.length = 0; /* "/": the mount point itself */
	have = strlen(joined);
	if (have + below.length + 1 > sizeof joined)
		return -ENAMETOOLONG;
	memcpy(joined + have, below.text, below.length);
	joined[have + below.length] = '\0';
	memcpy(ret_path, joined, have + below.length + 1);
	return 0;
}

int cgroup_parse_place(
	const char *cgroups, const char *mounts, const char *controller, char ret_path[static CGROUP_PATH_SIZE])
{
	bool version2 = *controller == '\0';
	struct span path;
	int result = find_path(cgroups, controller, &path);

	if (result < 0)
		return result;
	/* Where one mount covers another at the same place, the later one is what a path leads to. */
	for (result = -ENODATA; *mounts != '\0'; mounts = next_line(mounts)) {
		struct mount mount;
		int joined;

		if (!split_mount(mounts, &mount) || !span_is(mount.type, version2 ? "cgroup2" : "cgroup"))
			continue;
		if (!version2 && !list_has(mount.options, controller))
			continue;
		joined = join(&mount, path, ret_path);
		if (joined == 0 || (joined == -ENAMETOOLONG && result < 0))
			result = joined;
	}
	return result;
}
