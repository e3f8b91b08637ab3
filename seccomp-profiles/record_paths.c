#include "seccomp-profiles/record_paths.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NEIGHBOURS 3 /* as many that lie in one directory stand for all of it */

/* ---- sets ---- */

/* Where a word is, or would be. */
static size_t position(const struct text_set *set, const char *text)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(set->text[middle], text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool text_set_has(const struct text_set *set, const char *text)
{
	size_t at = position(set, text);

	return at < set->count && strcmp(set->text[at], text) == 0;
}

int text_set_add(struct text_set *set, const char *text)
{
	size_t at = position(set, text);
	char **larger, *copy;

	if (at < set->count && strcmp(set->text[at], text) == 0)
		return 0;
	larger = realloc(set->text, (set->count + 1) * sizeof *larger);
	if (larger == NULL)
		return -ENOMEM;
	set->text = larger;
	copy = strdup(text);
	if (copy == NULL)
		return -ENOMEM;
	memmove(larger + at + 1, larger + at, (set->count - at) * sizeof *larger);
	larger[at] = copy;
	set->count++;
	return 0;
}

static void remove_at(struct text_set *set, size_t at)
{
	free(set->text[at]);
	set->count--;
	memmove(set->text + at, set->text + at + 1, (set->count - at) * sizeof *set->text);
}

void text_set_clear(struct text_set *set)
{
	while (set->count > 0)
		free(set->text[--set->count]);
	free(set->text);
	set->text = NULL;
}

/* ---- paths ---- */

static bool covers(const char *directory, const char *path)
{
	size_t length = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

	return strncmp(directory, path, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* --read-only leaves these writable, and what programs write to /sys they do without. */
static bool needs_nothing(const char *path)
{
	static const char list[][24] = { "/sys", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
		"/dev/tty", "/dev/console", "/dev/ptmx", "/dev/pts", "/dev/termination-log" };

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
		if (covers(list[i], path))
			return true;
	return false;
}

/* Directories in which several services have something of their own (hier(7)). */
static bool is_shared(const char *path)
{
	static const char list[][12] = { "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media",
		"/mnt", "/opt", "/root", "/run", "/sbin", "/srv", "/usr", "/usr/bin", "/usr/lib", "/usr/local",
		"/usr/sbin", "/usr/share", "/var", "/var/cache", "/var/lib", "/var/log", "/var/spool" };

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
		if (strcmp(list[i], path) == 0)
			return true;
	return false;
}

void record_paths_to_parent(char *path)
{
	char *end = strrchr(path, '/');

	if (end != NULL)
		end[end == path] = '\0';
}

static size_t count_neighbours(const struct text_set *paths, const char *directory)
{
	size_t count = 0, length = strlen(directory);

	for (size_t i = 0; i < paths->count; i++)
		count += covers(directory, paths->text[i]) && paths->text[i][length] == '/' &&
			strchr(paths->text[i] + length + 1, '/') == NULL;
	return count;
}

static int put(struct text_set *paths, const char *path)
{
	for (size_t i = 0; i < paths->count; i++)
		if (covers(paths->text[i], path))
			return 0;
	for (size_t i = paths->count; i-- > 0;)
		if (covers(path, paths->text[i]))
			remove_at(paths, i);
	return text_set_add(paths, path);
}

/* A file of one process stands for /proc, as no --writable could name it for one that is yet to come. Its name and its
 * place before the OOM killer are wishes that nobody depends on. */
static const char *of_any_process(const char *path)
{
	const char *name = strrchr(path, '/');

	if (!covers("/proc", path))
		return path;
	return strcmp(name, "/comm") == 0 || strcmp(name, "/oom_score_adj") == 0 ? "/dev/null" : "/proc";
}

int record_paths_note(struct text_set *paths, const char *text)
{
	const char *path = of_any_process(text);
	cleanup_free char *directory = strdup(path);
	int error = directory == NULL ? -ENOMEM : 0;

	if (error == 0 && !needs_nothing(path))
		error = put(paths, path);
	if (error == 0)
		record_paths_to_parent(directory);
	while (error == 0 && !is_shared(directory) && count_neighbours(paths, directory) >= NEIGHBOURS) {
		error = put(paths, directory);
		record_paths_to_parent(directory);
	}
	return error;
}

static size_t depth(const char *path)
{
	size_t slashes = 0;

	for (; *path != '\0'; path++)
		slashes += *path == '/';
	return slashes;
}

int record_paths_limit(struct text_set *paths, size_t max)
{
	int error = 0;

	while (error == 0 && paths->count > max) {
		size_t deepest = 0;
		cleanup_free char *parent = NULL;

		for (size_t i = 1; i < paths->count; i++)
			if (depth(paths->text[i]) > depth(paths->text[deepest]))
				deepest = i;
		parent = strdup(paths->text[deepest]);
		if (parent == NULL)
			return -ENOMEM;
		record_paths_to_parent(parent);
		error = put(paths, parent);
	}
	return error;
}
