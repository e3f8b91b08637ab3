#include "init/mounts.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

/* The kernel's interface (mount_setattr(2), open_tree(2)): musl has no wrapper, and glibc's names would clash. */
#define TREE_CLONE 1
#define MOVE_FROM_EMPTY_PATH 0x4
#define MOVE_TO_FOLLOWS_LINKS 0x10
#define ATTRIBUTE_READ_ONLY 0x1
struct mount_attributes {
	uint64_t set, clear, propagation, user_namespace;
};
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

#define TERMINATION_LOG "/dev/termination-log"
#define KEPT_MAX (MODEL_PATHS_MAX + MODEL_TMPFS_MAX + 1)

/* Copies of the writable mounts, detached, so that making the tree read-only does not reach them. */
struct kept {
	const char *path[KEPT_MAX];
	int fd[KEPT_MAX];
	size_t count;
};

static void close_kept(struct kept *kept)
{
	for (size_t i = 0; i < kept->count; i++)
		close(kept->fd[i]);
}

bool mounts_root_is_read_only(void)
{
	struct statvfs root;

	return statvfs("/", &root) == 0 && (root.f_flag & ST_RDONLY) != 0;
}

bool mounts_is_root(const char *path)
{
	struct stat here, root;

	return stat(path, &here) == 0 && stat("/", &root) == 0 && here.st_dev == root.st_dev &&
		here.st_ino == root.st_ino;
}

int mounts_check_writable(const struct path_list *writable, struct complaint *ret_why)
{
	for (size_t i = 0; i < writable->count; i++) {
		struct statvfs status;

		if (statvfs(writable->path[i], &status) < 0)
			return complain(ret_why, errno, "writable path '%s': %s", writable->path[i], strerror(errno));
		if ((status.f_flag & ST_RDONLY) != 0)
			return complain(ret_why, EROFS,
				"writable path '%s' is on a read-only file system (mount a volume or a tmpfs there)",
				writable->path[i]);
	}
	return 0;
}

int mounts_take_own_namespace(struct complaint *ret_why)
{
	if (unshare(CLONE_NEWNS) < 0)
		return errno == EPERM ? 0
				      : complain(ret_why, errno, "cannot get a mount namespace: %s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return complain(ret_why, errno, "cannot keep mounts to ourselves: %s", strerror(errno));
	return 0;
}

static int keep(struct kept *kept, const char *path)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, TREE_CLONE | AT_RECURSIVE | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	kept->path[kept->count] = path;
	kept->fd[kept->count++] = fd;
	return 0;
}

static int refuse_remount(int error, struct complaint *ret_why)
{
	if (error == EBUSY)
		return complain(
			ret_why, EBUSY, "cannot remount the root read-only while a file on it is open for writing");
	if (error == EINVAL)
		return complain(
			ret_why, EINVAL, "cannot remount the root read-only: / is not a mount point here (a chroot?)");
	return complain(ret_why, error, "cannot remount the root read-only: %s%s", strerror(error),
		error == EPERM ? " (it needs CAP_SYS_ADMIN)" : "");
}

static bool is_tmpfs(const char *path)
{
	struct statfs status;
	struct stat here, root;

	/* A directory on a root file system that is itself a tmpfs is not meant: compare the devices. */
	return statfs(path, &status) == 0 && status.f_type == TMPFS_MAGIC && stat(path, &here) == 0 &&
		stat("/", &root) == 0 && here.st_dev != root.st_dev;
}

static int keep_path(struct kept *kept, const char *path, struct complaint *ret_why)
{
	int error = keep(kept, path);

	if (error == -EPERM) /* said before the path is even looked for (open_tree(2)) */
		return refuse_remount(EPERM, ret_why);
	return error < 0 ? complain(ret_why, -error, "writable path '%s': %s", path, strerror(-error)) : 0;
}

/* A tmpfs that is not there yet is mounted later, on what is read-only by then. */
static int keep_all(
	struct kept *kept, const struct path_list *writable, const struct tmpfs_list *tmpfs, struct complaint *ret_why)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < writable->count; i++)
		error = keep_path(kept, writable->path[i], ret_why);
	for (size_t i = 0; error == 0 && i < tmpfs->count; i++)
		if (is_tmpfs(tmpfs->mount[i].path))
			error = keep_path(kept, tmpfs->mount[i].path, ret_why);
	if (error == 0)
		keep(kept, TERMINATION_LOG); /* Kubernetes has it, others do not */
	return error;
}

static int set_read_only(struct complaint *ret_why)
{
	struct mount_attributes attributes = { .set = ATTRIBUTE_READ_ONLY };

	if (syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof attributes) == 0)
		return 0;
	return refuse_remount(errno, ret_why);
}

static int put_back(const struct kept *kept, struct complaint *ret_why)
{
	for (size_t i = 0; i < kept->count; i++)
		if (syscall(SYS_move_mount, kept->fd[i], "", AT_FDCWD, kept->path[i],
			    MOVE_FROM_EMPTY_PATH | MOVE_TO_FOLLOWS_LINKS) < 0)
			return complain(ret_why, errno, "writable path '%s': %s", kept->path[i], strerror(errno));
	return 0;
}

int mounts_make_read_only(const struct path_list *writable, const struct tmpfs_list *tmpfs, struct complaint *ret_why)
{
	struct kept kept = { .count = 0 };
	int error = keep_all(&kept, writable, tmpfs, ret_why);

	if (error == 0)
		error = set_read_only(ret_why);
	if (error == 0)
		error = put_back(&kept, ret_why);
	close_kept(&kept);
	return error;
}

/* The words of docker run --tmpfs that are mount flags; everything else is the file system's own (tmpfs(5)). */
static const struct flag_word {
	char word[12];
	unsigned long set, clear;
} flag_words[] = {
	{ "rw", 0, MS_RDONLY },
	{ "ro", MS_RDONLY, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "noexec", MS_NOEXEC, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "nosuid", MS_NOSUID, 0 },
	{ "dev", 0, MS_NODEV },
	{ "nodev", MS_NODEV, 0 },
	{ "noatime", MS_NOATIME, 0 },
};

static bool take_flag(const char *word, size_t length, unsigned long *flags)
{
	for (size_t i = 0; i < sizeof flag_words / sizeof flag_words[0]; i++) {
		if (strlen(flag_words[i].word) != length || memcmp(flag_words[i].word, word, length) != 0)
			continue;
		*flags = (*flags | flag_words[i].set) & ~flag_words[i].clear;
		return true;
	}
	return false;
}

/* Parts "ro,size=64m" into flags and the file system's own options. */
static void part_options(const char *options, unsigned long *flags, char *ret_data, size_t size)
{
	size_t have = 0;

	ret_data[0] = '\0';
	while (*options != '\0') {
		size_t length = strcspn(options, ",");

		if (length > 0 && !take_flag(options, length, flags) && have + length + 2 < size)
			have += (size_t)snprintf(
				ret_data + have, size - have, "%s%.*s", have > 0 ? "," : "", (int)length, options);
		options += length + (options[length] == ',');
	}
}

static int refuse_tmpfs(const struct tmpfs_mount *wanted, int error, struct complaint *ret_why)
{
	if (error == EINVAL && wanted->options[0] != '\0')
		return complain(ret_why, error, "cannot mount a tmpfs on '%.160s': %s (options '%s', see tmpfs(5))",
			wanted->path, strerror(error), wanted->options);
	return complain(ret_why, error, "cannot mount a tmpfs on '%s': %s%s", wanted->path, strerror(error),
		error == EPERM ? " (it needs CAP_SYS_ADMIN; or start the container with --tmpfs)" : "");
}

void mounts_tell_options(const struct tmpfs_list *list, void (*warn)(const char *sentence))
{
	for (size_t i = 0; i < list->count; i++) {
		const struct tmpfs_mount *wanted = &list->mount[i];
		struct complaint why;

		if (wanted->options[0] == '\0' || !is_tmpfs(wanted->path))
			continue;
		complain(&why, EBUSY,
			"tmpfs: the runtime mounted %.160s already: %s is not put in force (say it there)",
			wanted->path, wanted->options);
		warn(why.text);
	}
}

int mounts_make_tmpfs(const struct tmpfs_list *list, struct complaint *ret_why)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct tmpfs_mount *wanted = &list->mount[i];
		unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
		char data[256];

		if (mounts_is_root(wanted->path)) /* it would lie over a root that everybody keeps using */
			return complain(ret_why, EINVAL, "cannot mount a tmpfs on '%s': it is the root", wanted->path);
		if (is_tmpfs(wanted->path))
			continue;
		part_options(wanted->options, &flags, data, sizeof data);
		if (mount("tmpfs", wanted->path, "tmpfs", flags, data) < 0)
			return refuse_tmpfs(wanted, errno, ret_why);
	}
	return 0;
}
