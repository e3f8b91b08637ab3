#include "seccomp-profiles/record_look.h"

#include "base/cleanup.h"
#include "seccomp-profiles/compile.h"
#include "seccomp-profiles/listener.h"
#include "seccomp-profiles/own_arch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define NONE (-1)
#define X32_BIT 0x40000000u /* __X32_SYSCALL_BIT */
#define DEPTH_MAX 64        /* of directories that are looked through for changes */
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* Linux 6.6 */
#endif

/* What a syscall does to a path. */
enum effect {
	OPENS,   /* by its flags: `extra` is their argument, NONE: it creates */
	OPENS2,  /* the same, with flags in memory: struct open_how */
	CREATES, /* an entry of a directory that is not there */
	MOVES,   /* to there, whatever was there */
	REMOVES, /* one that is there */
	CHANGES, /* owner, mode, times, length of what is there */
	BINDS,   /* an AF_UNIX socket; `extra` is the address' length */
	EXECUTES,
};

/* The arguments' indices; `directory` NONE: the working directory. `path` NONE: the descriptor itself is meant. */
static const struct path_call {
	int number;
	enum effect effect;
	signed char directory, path, extra;
} path_calls[] = {
#ifdef SYS_open
	{ SYS_open, OPENS, NONE, 0, 1 },
	{ SYS_creat, OPENS, NONE, 0, NONE },
	{ SYS_mkdir, CREATES, NONE, 0, 0 },
	{ SYS_mknod, CREATES, NONE, 0, 0 },
	{ SYS_symlink, CREATES, NONE, 1, 0 },
	{ SYS_link, CREATES, NONE, 1, 0 },
	{ SYS_rename, REMOVES, NONE, 0, 0 },
	{ SYS_rename, MOVES, NONE, 1, 0 },
	{ SYS_unlink, REMOVES, NONE, 0, 0 },
	{ SYS_rmdir, REMOVES, NONE, 0, 0 },
	{ SYS_chmod, CHANGES, NONE, 0, 0 },
	{ SYS_chown, CHANGES, NONE, 0, 0 },
	{ SYS_lchown, CHANGES, NONE, 0, 0 },
	{ SYS_utime, CHANGES, NONE, 0, 0 },
	{ SYS_utimes, CHANGES, NONE, 0, 0 },
	{ SYS_futimesat, CHANGES, 0, 1, 0 },
	{ SYS_renameat, REMOVES, 0, 1, 0 },
	{ SYS_renameat, MOVES, 2, 3, 0 },
#endif
	{ SYS_openat, OPENS, 0, 1, 2 },
	{ SYS_openat2, OPENS2, 0, 1, 2 },
	{ SYS_mkdirat, CREATES, 0, 1, 0 },
	{ SYS_mknodat, CREATES, 0, 1, 0 },
	{ SYS_symlinkat, CREATES, 1, 2, 0 },
	{ SYS_linkat, CREATES, 2, 3, 0 },
	{ SYS_renameat2, REMOVES, 0, 1, 0 },
	{ SYS_renameat2, MOVES, 2, 3, 0 },
	{ SYS_unlinkat, REMOVES, 0, 1, 0 },
	{ SYS_fchmodat, CHANGES, 0, 1, 0 },
	{ SYS_fchmodat2, CHANGES, 0, 1, 0 },
	{ SYS_fchownat, CHANGES, 0, 1, 0 },
	{ SYS_utimensat, CHANGES, 0, 1, 0 },
	{ SYS_truncate, CHANGES, NONE, 0, 0 },
	{ SYS_setxattr, CHANGES, NONE, 0, 0 },
	{ SYS_lsetxattr, CHANGES, NONE, 0, 0 },
	{ SYS_removexattr, CHANGES, NONE, 0, 0 },
	{ SYS_lremovexattr, CHANGES, NONE, 0, 0 },
	{ SYS_fchmod, CHANGES, 0, NONE, 0 },
	{ SYS_fchown, CHANGES, 0, NONE, 0 },
	{ SYS_fsetxattr, CHANGES, 0, NONE, 0 },
	{ SYS_fremovexattr, CHANGES, 0, NONE, 0 },
	{ SYS_bind, BINDS, NONE, 1, 2 },
	{ SYS_execve, EXECUTES, NONE, 0, 0 },
	{ SYS_execveat, EXECUTES, 0, 1, 0 },
};

struct look {
	int listener;
	const struct seccomp_notif *call;
	struct record *record;
};

/* ---- the caller's memory and files ---- */

/* Reads at most `size` bytes; fewer at the end of a mapping. Returns the number or -errno: EACCES for a process that
 * may not be looked at (ptrace(2), "Ptrace access mode checking"). */
static ssize_t read_memory(const struct look *look, uint64_t address, void *buffer, size_t size)
{
	cleanup_close int memory = -1;
	uint64_t id = look->call->id;
	char name[48];
	ssize_t count;

	snprintf(name, sizeof name, "/proc/%u/mem", look->call->pid);
	memory = open(name, O_RDONLY | O_CLOEXEC);
	count = memory < 0 ? -1 : pread(memory, buffer, size, (off_t)address);
	if (count < 0)
		return -errno;
	/* Its number may have passed on to another process before we opened that one's memory. */
	return listener_ask(look->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0 ? -ENOENT : count;
}

static int read_text(const struct look *look, uint64_t address, char *ret_text)
{
	ssize_t count = read_memory(look, address, ret_text, PATH_MAX);

	if (count < 0)
		return (int)count;
	return memchr(ret_text, '\0', (size_t)count) != NULL ? 0 : -EFAULT;
}

/* What one of the links in /proc/PID points to. */
static int read_link(const struct look *look, const char *kind, int fd, char *ret_path)
{
	char name[64];
	ssize_t length;

	if (fd >= 0)
		snprintf(name, sizeof name, "/proc/%u/fd/%d", look->call->pid, fd);
	else
		snprintf(name, sizeof name, "/proc/%u/%s", look->call->pid, kind);
	length = readlink(name, ret_path, PATH_MAX - 1);
	if (length < 0)
		return -errno;
	ret_path[length] = '\0';
	return ret_path[0] == '/' ? 0 : -ENOTDIR; /* "pipe:[17]" */
}

/* The path as this process would say it. ret_path has room for two. */
static int caller_path(const struct look *look, int directory, const char *text, char *ret_path)
{
	int error = text[0] == '/'      ? read_link(look, "root", NONE, ret_path)
		: directory == AT_FDCWD ? read_link(look, "cwd", NONE, ret_path)
					: read_link(look, NULL, directory, ret_path);
	size_t length;

	if (error < 0)
		return error;
	while (text[0] == '/' && text[1] == '/') /* realpath(3) may keep two of them at the start */
		text++;
	length = strlen(ret_path);
	while (length > 0 && ret_path[length - 1] == '/')
		length--;
	snprintf(ret_path + length, 2 * PATH_MAX - length, "%s%s", text[0] == '/' || text[0] == '\0' ? "" : "/", text);
	if (ret_path[0] == '\0')
		strcpy(ret_path, "/");
	return 0;
}

/* ---- what it means ---- */

/* The directory that holds the entry, if it is there. */
static int note_parent(struct record *record, char *path)
{
	char real[PATH_MAX];

	for (size_t length = strlen(path); length > 1 && path[length - 1] == '/';)
		path[--length] = '\0';
	record_paths_to_parent(path);
	return realpath(path, real) != NULL ? record_paths_note(&record->writable, real) : 0;
}

static bool is_there(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

static int note_changed(struct record *record, const char *path)
{
	char real[PATH_MAX];

	return realpath(path, real) != NULL ? record_paths_note(&record->writable, real) : 0;
}

/* A file that is there is opened as it is; one that is not needs its directory. /dev/stdout that is a pipe is there and
 * has no path. */
static int note_opened(struct record *record, char *path, uint64_t flags)
{
	char real[PATH_MAX];

	if (realpath(path, real) != NULL)
		return record_paths_note(&record->writable, real);
	return (flags & O_CREAT) != 0 && !is_there(path) ? note_parent(record, path) : 0;
}

/* The interpreter of a script: the kernel executes that one (execve(2)). */
static int note_interpreter(struct record *record, const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char head[PATH_MAX], *start, real[PATH_MAX];
	ssize_t length = fd < 0 ? -1 : read(fd, head, sizeof head - 1);

	if (length < 2 || head[0] != '#' || head[1] != '!')
		return 0;
	head[length] = '\0';
	start = head + 2 + strspn(head + 2, " \t");
	start[strcspn(start, " \t\n")] = '\0';
	return realpath(start, real) != NULL ? text_set_add(&record->programs, real) : 0;
}

static int note_program(struct record *record, const char *path)
{
	char real[PATH_MAX];
	struct stat status;
	int error;

	/* A shell tries each directory of PATH: what is not there is no program. */
	if (realpath(path, real) == NULL || stat(real, &status) < 0 || !S_ISREG(status.st_mode) ||
		(status.st_mode & 0111) == 0)
		return 0;
	error = text_set_add(&record->programs, real);
	return error < 0 ? error : note_interpreter(record, real);
}

static bool writes(uint64_t flags)
{
	return (flags & O_PATH) != O_PATH &&
		((flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE);
}

static int note_path(struct record *record, enum effect effect, uint64_t flags, char *path)
{
	switch (effect) {
	case OPENS:
	case OPENS2:
		return note_opened(record, path, flags);
	case CREATES: /* what is there is EEXIST on a read-only file system too */
	case BINDS:
		return is_there(path) ? 0 : note_parent(record, path);
	case MOVES:
		return note_parent(record, path);
	case REMOVES:
		return is_there(path) ? note_parent(record, path) : 0;
	case CHANGES:
		return note_changed(record, path);
	case EXECUTES:
		return note_program(record, path);
	}
	return 0;
}

static int read_bound_path(const struct look *look, uint64_t address, uint64_t length, char *ret_text)
{
	struct sockaddr_un name = { .sun_family = 0 };
	size_t size = length < sizeof name ? (size_t)length : sizeof name;
	ssize_t count = read_memory(look, address, &name, size);

	if (count < 0)
		return (int)count;
	if (name.sun_family != AF_UNIX || name.sun_path[0] == '\0') /* elsewhere, or an abstract name (unix(7)) */
		return -ENOTDIR;
	snprintf(ret_text, PATH_MAX, "%.*s", (int)sizeof name.sun_path, name.sun_path);
	return 0;
}

/* 0: there is a path and it is to be noted. -ENOTDIR: there is none. */
static int read_path(const struct look *look, const struct path_call *row, char *ret_text)
{
	const __u64 *args = look->call->data.args;

	if (row->effect == BINDS)
		return read_bound_path(look, args[row->path], args[row->extra], ret_text);
	ret_text[0] = '\0';
	if (row->path == NONE || args[row->path] == 0) /* utimensat(2): no path, the descriptor itself */
		return 0;
	return read_text(look, args[row->path], ret_text);
}

static int read_flags(const struct look *look, const struct path_call *row, uint64_t *ret_flags)
{
	const __u64 *args = look->call->data.args;
	struct open_how how;
	ssize_t count;

	*ret_flags = O_CREAT | O_WRONLY;
	if (row->effect == OPENS && row->extra != NONE)
		*ret_flags = args[row->extra];
	if (row->effect != OPENS2)
		return 0;
	count = read_memory(look, args[row->extra], &how, sizeof how);
	if (count != sizeof how)
		return count < 0 ? (int)count : -EFAULT;
	*ret_flags = how.flags;
	return 0;
}

/* What is newer than libseccomp has no name that a profile could say: it is ENOSYS then. */
static int note_name(const struct look *look, struct text_set *names)
{
	struct seccomp_context context;
	char name[SECCOMP_NAME_SIZE];

	seccomp_context_native(0, &context);
	if (seccomp_syscall_name(context.profile.arch, (uint32_t)look->call->data.nr, name, sizeof name) < 0)
		return 0;
	return text_set_add(names, name);
}

static int note_call(const struct look *look, const struct path_call *row)
{
	char text[PATH_MAX], path[2 * PATH_MAX];
	int directory = row->directory == NONE ? AT_FDCWD : (int)look->call->data.args[row->directory];
	uint64_t flags;
	int error = read_flags(look, row, &flags);

	if (error == 0 && row->effect <= OPENS2 && !writes(flags))
		return 0;
	if (error == 0)
		error = read_path(look, row, text);
	if (error == 0)
		error = caller_path(look, directory, text, path);
	if (error == -EACCES || error == -EPERM)
		return note_name(look, &look->record->blind);
	/* Gone, a pointer into nowhere, no file: the call itself is going to fail, or needs nothing. */
	return error < 0 ? 0 : note_path(look->record, row->effect, flags, path);
}

/* ---- arguments ---- */

static void note_arguments(const struct look *look)
{
	const struct seccomp_data *data = &look->call->data;
	uint64_t flags = 0;

	if (data->nr == SYS_socket && data->args[0] < 64)
		look->record->domains |= UINT64_C(1) << data->args[0];
	if (data->nr == SYS_clone)
		flags = data->args[0];
	/* flags is the first member of struct clone_args. Unread, it is a clone without namespaces. */
	if (data->nr == SYS_clone3 && read_memory(look, data->args[0], &flags, sizeof flags) != sizeof flags)
		flags = 0;
	look->record->namespaces |= (uint32_t)flags & RECORD_NAMESPACES;
}

int record_look(int listener, const struct seccomp_notif *call, struct record *record)
{
	struct look look = { listener, call, record };
	uint32_t number = (uint32_t)call->data.nr;
	bool is_new = number >= RECORD_NUMBERS || !record->is_seen[number];
	int error = 0;

	if (call->data.arch != OWN_ARCH || (number & X32_BIT) != 0) {
		record->is_foreign = true;
		return 0;
	}
	if (is_new)
		error = note_name(&look, &record->seen); /* libseccomp searches all its table */
	if (number < RECORD_NUMBERS)
		record->is_seen[number] = true;
	note_arguments(&look);
	for (size_t i = 0; error == 0 && i < sizeof path_calls / sizeof path_calls[0]; i++)
		if (path_calls[i].number == call->data.nr)
			error = note_call(&look, &path_calls[i]);
	return error;
}

/* ---- afterwards ---- */

static bool is_since(const struct timespec *time, const struct timespec *since)
{
	return time->tv_sec > since->tv_sec || (time->tv_sec == since->tv_sec && time->tv_nsec >= since->tv_nsec);
}

/* Where services keep what changes (hier(7)): looked through before a large volume can use up the number. */
static const char looked_through_first[][8] = { "/run", "/etc", "/var", "/srv", "/home" };

static bool is_first(const char *path)
{
	for (size_t i = 0; i < sizeof looked_through_first / sizeof looked_through_first[0]; i++)
		if (strcmp(looked_through_first[i], path) == 0)
			return true;
	return false;
}

/* The kernel's own file systems, the one where nothing changes (hier(7)), and the one that is writable as a whole. */
static bool is_passed_over(const char *path)
{
	return strcmp(path, "/proc") == 0 || strcmp(path, "/sys") == 0 || strcmp(path, "/dev") == 0 ||
		strcmp(path, "/usr") == 0 || strcmp(path, "/tmp") == 0;
}

static int look_through(char *path, unsigned depth, const struct timespec *since, struct record *record);

/* At a file, or at a directory and what is below it. */
static int look_at(char *path, unsigned depth, const struct timespec *since, struct record *record)
{
	struct stat status;
	int error = 0;

	if (lstat(path, &status) < 0)
		return 0;
	/* A directory that overlayfs copies up has a new ctime, and keeps its mtime. */
	if (is_since(S_ISDIR(status.st_mode) ? &status.st_mtim : &status.st_ctim, since))
		error = record_paths_note(&record->writable, path);
	return error == 0 && S_ISDIR(status.st_mode) && depth < DEPTH_MAX ? look_through(path, depth + 1, since, record)
									  : error;
}

/* `path` is a directory's, with room for PATH_MAX. */
static int look_through(char *path, unsigned depth, const struct timespec *since, struct record *record)
{
	DIR *directory = opendir(depth == 0 ? "/" : path);
	size_t length = strlen(path);
	int error = 0;

	if (directory == NULL)
		return 0;
	for (struct dirent *entry; error == 0 && (entry = readdir(directory)) != NULL;) {
		if (++record->looked_through > RECORD_LOOK_MAX)
			break;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			length + strlen(entry->d_name) + 2 > PATH_MAX)
			continue;
		sprintf(path + length, "/%s", entry->d_name);
		if (!is_passed_over(path) && !is_first(path))
			error = look_at(path, depth, since, record);
	}
	path[length] = '\0';
	closedir(directory);
	return error;
}

int record_changes(const struct timespec *since, struct record *record)
{
	char path[PATH_MAX];
	struct stat status;
	int error;

	/* A temporary file that never had a name (O_TMPFILE) leaves no trace. */
	error = note_changed(record, "/tmp");
	/* Of /dev this is all in which files come and go (shm_open(3)). */
	if (error == 0 && stat("/dev/shm", &status) == 0 && is_since(&status.st_mtim, since))
		error = note_changed(record, "/dev/shm");
	for (size_t i = 0; error == 0 && i < sizeof looked_through_first / sizeof looked_through_first[0]; i++) {
		strcpy(path, looked_through_first[i]);
		error = look_at(path, 0, since, record);
	}
	path[0] = '\0';
	return error < 0 ? error : look_through(path, 0, since, record);
}

int record_settle(struct record *record, size_t max)
{
	struct text_set left = record->writable;
	int error = 0;

	record->writable = (struct text_set){ NULL, 0 };
	for (size_t i = 0; error == 0 && i < left.count; i++) {
		while (!is_there(left.text[i]))
			record_paths_to_parent(left.text[i]);
		error = record_paths_note(&record->writable, left.text[i]);
	}
	text_set_clear(&left);
	return error < 0 ? error : record_paths_limit(&record->writable, max);
}
