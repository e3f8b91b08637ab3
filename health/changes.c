#include "health/changes.h"

#include "base/clock.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What a look costs is bounded: by its share of the time, and by the number of files. */
#define LOOK_EVERY_NS NS_PER_S
#define LOOK_SHARE 20
#define LOOK_FILES_MAX 100000
#define DEPTH_MAX 64
#define WATCHES_MAX 100000
#define TELL_AGAIN_NS (10 * NS_PER_MS)
#define EVENTS_SIZE 4096
#define READS_AT_ONCE 64 /* in one turn of the loop, so that a flood keeps nobody else waiting */

/* A file counts once it is closed: what is half written is nothing to start with. */
#define EVENTS (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)

struct watched_directory {
	int descriptor;
	bool whole; /* all in it counts; else it is only where a root lies */
	char *path; /* owned */
};

/* One walk through a tree. */
struct walk {
	struct changes *changes;
	char path[PATH_MAX];
	size_t left;   /* files */
	uint64_t sum;  /* of what identifies each: it does not depend on their order */
	bool are_news; /* whatever is found was not there before */
};

static void note(struct changes *changes, const char *path)
{
	snprintf(changes->latest, sizeof changes->latest, "%.*s", (int)sizeof changes->latest - 1, path);
	burst_add(&changes->burst, clock_now_ns());
}

/* ---- what identifies a file ---- */

/* FNV-1a: it is to tell one state from the next, and nobody else sees it. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t length)
{
	for (const unsigned char *byte = bytes; length > 0; length--)
		hash = (hash ^ *byte++) * UINT64_C(1099511628211);
	return hash;
}

static uint64_t identify(const char *path, const struct stat *info)
{
	const uint64_t what[] = { info->st_dev, info->st_ino, (uint64_t)info->st_size, (uint64_t)info->st_mtim.tv_sec,
		(uint64_t)info->st_mtim.tv_nsec };

	return mix(mix(UINT64_C(14695981039346656037), path, strlen(path)), what, sizeof what) | 1;
}

/* Of a root, links followed. A directory's times change with every name in it, ignored ones too. */
static uint64_t identify_root(const char *path, bool *ret_is_directory)
{
	struct stat info;

	*ret_is_directory = false;
	if (stat(path, &info) < 0)
		return 0;
	*ret_is_directory = S_ISDIR(info.st_mode);
	if (*ret_is_directory)
		info.st_size = info.st_mtim.tv_sec = info.st_mtim.tv_nsec = 0;
	return identify(path, &info);
}

/* ---- watches ---- */

static struct watched_directory *find(const struct changes *changes, int descriptor)
{
	for (size_t i = 0; i < changes->directory_count; i++)
		if (changes->directory[i].descriptor == descriptor)
			return &changes->directory[i];
	return NULL;
}

/* The last one takes its place. */
static void forget(struct changes *changes, struct watched_directory *directory)
{
	free(directory->path);
	*directory = changes->directory[--changes->directory_count];
}

static void look_instead(struct changes *changes, const char *why)
{
	log_line(LOG_LEVEL_NOTICE, "%s: %s: files are looked at every second instead", changes->what, why);
	if (changes->inotify >= 0)
		close(changes->inotify);
	changes->inotify = -1;
	while (changes->directory_count > 0)
		forget(changes, changes->directory);
	changes->look_at_ns = clock_now_ns();
}

static int make_room(struct changes *changes)
{
	const size_t room = 2 * changes->directory_room + 16;
	struct watched_directory *larger;

	if (changes->directory_count < changes->directory_room)
		return 0;
	if (changes->directory_count >= WATCHES_MAX)
		return -ENOSPC;
	larger = realloc(changes->directory, room * sizeof *larger);
	if (larger == NULL)
		return -ENOMEM;
	changes->directory = larger;
	changes->directory_room = room;
	return 0;
}

/* The same directory has the same descriptor, by whatever path (inotify(7)). */
static int remember(struct changes *changes, int descriptor, const char *path, bool whole)
{
	struct watched_directory *before = find(changes, descriptor);
	char *copy;
	int error;

	if (before != NULL) {
		whole = whole || before->whole;
		forget(changes, before);
	}
	error = make_room(changes);
	if (error < 0)
		return error;
	copy = strdup(path);
	if (copy == NULL)
		return -ENOMEM;
	changes->directory[changes->directory_count++] = (struct watched_directory){ descriptor, whole, copy };
	return 0;
}

/* One that is gone meanwhile, or a file, is none. */
static void watch(struct changes *changes, const char *path, bool whole)
{
	int descriptor, error;

	if (changes->inotify < 0)
		return;
	descriptor = inotify_add_watch(changes->inotify, path, EVENTS);
	error = descriptor < 0 ? -errno : remember(changes, descriptor, path, whole);
	if (error == -ENOSPC)
		look_instead(changes, "no more watches (fs.inotify.max_user_watches)");
	else if (error == -ENOMEM)
		look_instead(changes, strerror(ENOMEM));
	else if (error == -EACCES && !changes->denied) {
		changes->denied = true;
		log_line(LOG_LEVEL_WARNING, "%s: %s: %s: not watched", changes->what, path, strerror(EACCES));
	}
}

/* What was below it is watched under its new name, if it comes back at all. */
static void unwatch_below(struct changes *changes, const char *path)
{
	const size_t length = strlen(path);

	for (size_t i = changes->directory_count; i-- > 0;) {
		struct watched_directory *directory = &changes->directory[i];
		const char next = strncmp(directory->path, path, length) == 0 ? directory->path[length] : 'x';

		if (next != '\0' && next != '/')
			continue;
		inotify_rm_watch(changes->inotify, directory->descriptor);
		forget(changes, directory);
	}
}

/* ---- a tree ---- */

static void walk_directory(struct walk *walk, size_t length, int depth);

static void walk_entry(struct walk *walk, size_t length, int depth)
{
	struct stat info;

	if (lstat(walk->path, &info) < 0)
		return;
	if (S_ISDIR(info.st_mode)) {
		walk_directory(walk, length, depth + 1);
		return;
	}
	walk->left--;
	walk->sum += identify(walk->path, &info);
	if (walk->are_news)
		note(walk->changes, walk->path);
}

/* The watch comes first: what is put in behind it is told, what was there before is found. Links are not followed. */
static void walk_directory(struct walk *walk, size_t length, int depth)
{
	struct dirent *entry;
	DIR *directory;

	watch(walk->changes, walk->path, true);
	directory = depth < DEPTH_MAX ? opendir(walk->path) : NULL;
	while (directory != NULL && walk->left > 0 && (entry = readdir(directory)) != NULL) {
		const size_t added = 1 + strlen(entry->d_name);

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			watched_ignores(entry->d_name) || length + added >= sizeof walk->path)
			continue;
		snprintf(walk->path + length, sizeof walk->path - length, "/%s", entry->d_name);
		walk_entry(walk, length + added, depth);
		walk->path[length] = '\0';
	}
	if (directory != NULL)
		closedir(directory);
}

static uint64_t walk_through(struct changes *changes, const char *path, bool are_news)
{
	static struct walk walk; /* too large for a stack that grows with the tree */

	walk = (struct walk){ .changes = changes, .left = LOOK_FILES_MAX, .are_news = are_news };
	snprintf(walk.path, sizeof walk.path, "%s", path);
	walk_directory(&walk, strcmp(path, "/") == 0 ? 0 : strlen(walk.path), 0);
	if (walk.left == 0 && !changes->cut)
		log_line(LOG_LEVEL_WARNING, "%s: %s: more than %d files: not all of them are watched", changes->what,
			path, LOOK_FILES_MAX);
	changes->cut = changes->cut || walk.left == 0;
	return walk.sum;
}

/* ---- roots ---- */

/* Whether it is another one than before, or is gone. */
static bool is_replaced(struct changed_root *root, bool *ret_is_directory)
{
	const uint64_t identity = identify_root(root->path, ret_is_directory), before = root->identity;

	root->identity = identity;
	return identity != before;
}

static void watch_root(struct changes *changes, struct changed_root *root, bool are_news)
{
	bool is_directory;

	root->identity = identify_root(root->path, &is_directory);
	watch(changes, root->parent, false);
	if (is_directory)
		walk_through(changes, root->path, are_news);
}

/* Something has changed where roots lie: a name of one, or what a link on its way leads to. */
static void check_roots(struct changes *changes, const char *parent)
{
	for (size_t i = 0; i < changes->root_count && changes->inotify >= 0; i++) {
		struct changed_root *root = &changes->root[i];
		bool is_directory;

		if (strcmp(root->parent, parent) != 0 || !is_replaced(root, &is_directory))
			continue;
		if (is_directory)
			walk_through(changes, root->path, true);
		else
			note(changes, root->path);
	}
}

static void watch_all(struct changes *changes, bool are_news)
{
	for (size_t i = 0; i < changes->root_count && changes->inotify >= 0; i++)
		watch_root(changes, &changes->root[i], are_news);
}

/* ---- events ---- */

/* A link, or one more name of a file, is there as a whole; of any other file that is new the end of writing tells. Of
 * one that never had a name (O_TMPFILE) it tells as well, and of one that is gone again the removal does. */
static bool counts(const char *path, uint32_t mask)
{
	struct stat info;

	if ((mask & (IN_CREATE | IN_CLOSE_WRITE)) == 0)
		return true;
	if (lstat(path, &info) < 0)
		return false;
	return (mask & IN_CREATE) == 0 || S_ISLNK(info.st_mode) || (S_ISREG(info.st_mode) && info.st_nlink > 1);
}

static void take_name(struct changes *changes, const struct inotify_event *event, const char *path)
{
	if ((event->mask & IN_ISDIR) == 0) {
		if (counts(path, event->mask))
			note(changes, path);
	} else if ((event->mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
		walk_through(changes, path, true);
	} else if ((event->mask & IN_MOVED_FROM) != 0) {
		unwatch_below(changes, path);
		note(changes, path);
	}
}

static void take_event(struct changes *changes, const struct inotify_event *event)
{
	struct watched_directory *directory;
	char path[PATH_MAX], parent[PATH_MAX];
	bool whole;

	if ((event->mask & IN_Q_OVERFLOW) != 0) {
		note(changes, changes->root[0].path);
		watch_all(changes, false);
		return;
	}
	directory = find(changes, event->wd);
	if (directory == NULL)
		return;
	if ((event->mask & IN_IGNORED) != 0) {
		forget(changes, directory);
		return;
	}
	snprintf(parent, sizeof parent, "%s", directory->path); /* the table may move */
	whole = directory->whole;
	check_roots(changes, parent);
	if (!whole || event->len == 0 || watched_ignores(event->name) || changes->inotify < 0)
		return;
	if (snprintf(path, sizeof path, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, event->name) <
		(int)sizeof path)
		take_name(changes, event, path);
}

static void take_events(struct changes *changes)
{
	_Alignas(struct inotify_event) char buffer[EVENTS_SIZE];

	for (unsigned reads = 0; reads < READS_AT_ONCE && changes->inotify >= 0; reads++) {
		const ssize_t length = read(changes->inotify, buffer, sizeof buffer);
		ssize_t at = 0;

		if (length <= 0)
			return;
		while (at < length && changes->inotify >= 0) {
			const struct inotify_event *event = (const void *)(buffer + at);

			take_event(changes, event);
			at += (ssize_t)(sizeof *event + event->len);
		}
	}
}

/* ---- looking ---- */

static void look(struct changes *changes, bool first)
{
	const int64_t began = clock_now_ns();
	int64_t took;

	for (size_t i = 0; i < changes->root_count; i++) {
		struct changed_root *root = &changes->root[i];
		bool is_directory, replaced = is_replaced(root, &is_directory);
		const uint64_t sum = is_directory ? walk_through(changes, root->path, false) : 0;

		if (!first && (replaced || sum != root->looks))
			note(changes, root->path);
		root->looks = sum;
	}
	took = clock_now_ns() - began;
	changes->look_at_ns = began + (LOOK_SHARE * took > LOOK_EVERY_NS ? LOOK_SHARE * took : LOOK_EVERY_NS);
}

/* Where others write to the same files from elsewhere, and the kernel is told nothing of it (statfs(2)). */
static bool is_of_others(const char *path)
{
	static const uint32_t types[] = { 0x01021997 /* 9p */, 0x65735546 /* FUSE */, 0x6969 /* NFS */,
		0x517b /* SMB */, 0xff534d42 /* CIFS */, 0xfe534d42 /* SMB 2 */, 0x786f4256 /* VirtualBox */ };
	struct statfs info;

	if (statfs(path, &info) < 0)
		return false;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if ((uint32_t)info.f_type == types[i])
			return true;
	return false;
}

/* ---- from outside ---- */

static void set_root(struct changed_root *root, const char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	snprintf(root->path, sizeof root->path, "%.*s", (int)length, path);
	while (length > 1 && path[length - 1] != '/')
		length--;
	while (length > 1 && path[length - 1] == '/')
		length--;
	snprintf(root->parent, sizeof root->parent, "%.*s", (int)length, path);
}

void changes_open(struct changes *changes, uint32_t service, const struct path_list *paths, changes_tell *tell)
{
	const char *of_others = NULL;

	changes->service = service;
	changes->tell = tell;
	changes->inotify = -1;
	changes->look_at_ns = TIME_NEVER;
	changes->root_count = paths->count;
	for (size_t i = 0; i < paths->count; i++) {
		set_root(&changes->root[i], paths->path[i]);
		if (is_of_others(changes->root[i].path))
			of_others = changes->root[i].path;
	}
	if (paths->count == 0)
		return;
	if (of_others == NULL)
		changes->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (of_others != NULL)
		look_instead(changes, "a network or shared file system tells of no change");
	else if (changes->inotify < 0)
		look_instead(changes, strerror(errno));
	watch_all(changes, false);
	if (changes->inotify < 0)
		look(changes, true);
}

size_t changes_pollfds(const struct changes *changes, struct pollfd *ret_slots)
{
	if (changes->inotify < 0)
		return 0;
	*ret_slots = (struct pollfd){ .fd = changes->inotify, .events = POLLIN };
	return 1;
}

int64_t changes_deadline_ns(const struct changes *changes)
{
	int64_t due = burst_due_ns(&changes->burst);

	if (due < changes->again_at_ns)
		due = changes->again_at_ns;
	return due < changes->look_at_ns ? due : changes->look_at_ns;
}

void changes_run(struct changes *changes, int64_t now)
{
	if (changes->inotify >= 0)
		take_events(changes);
	if (now >= changes->look_at_ns)
		look(changes, false);
	if (now < burst_due_ns(&changes->burst) || now < changes->again_at_ns)
		return;
	if (changes->tell(changes->service, changes->latest))
		changes->burst = (struct burst){ .is_open = false };
	else
		changes->again_at_ns = now + TELL_AGAIN_NS;
}
