#include "init/secret_read.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "init/capabilities.h"
#include "init/secret_env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* Linux 6.3 */
#endif

#define VARIABLES_MAX 256
#define GROUPS_MAX 256
#define LOOK_AGAIN_NS (20 * NS_PER_MS)

extern char **environ;

/* Of PID 1 only the key is ever written: the bytes are a child's own copy. */
static struct secret_text text;

static struct {
	char *variable[VARIABLES_MAX], *unset[VARIABLES_MAX];
	size_t count, unset_count;
} given;

int secret_board_make(struct secret_board **ret_board)
{
	void *memory = mmap(
		NULL, sizeof(struct secret_board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	if (getrandom(text.key, sizeof text.key, 0) != (ssize_t)sizeof text.key)
		return -EIO;
	*ret_board = memory;
	return 0;
}

/* ---- rights ---- */

/* Of this child: all, and what counts while it reads. */
static struct capability_sets had;
static uint64_t effective;

struct rights {
	uid_t uid;
	gid_t gid;
	gid_t group[GROUPS_MAX];
	int group_count;
};

/* As far as files are concerned (setfsuid(2)); where that is not allowed nothing changes. */
static void become_service(const struct identity *service, struct rights *ret_own)
{
	ret_own->uid = geteuid();
	ret_own->gid = getegid();
	ret_own->group_count = getgroups(GROUPS_MAX, ret_own->group);
	if (ret_own->group_count >= 0)
		setgroups(service->group_count, service->group);
	setfsgid(service->gid);
	setfsuid(service->uid);
}

/* Back as root that has all capabilities of files again, which it is not to use (setfsuid(2)). */
static int become_own(const struct rights *own, struct complaint *ret_why)
{
	setfsuid(own->uid);
	setfsgid(own->gid);
	if (own->group_count >= 0)
		setgroups((size_t)own->group_count, own->group);
	return capabilities_set_effective(&had, effective, ret_why);
}

/* Also what is mounted read-only counts (AT_EACCESS, faccessat(2), Linux 5.8). EPERM: a runtime's filter that does not
 * know the call. */
static bool may_write(const struct identity *service, const char *directory, const struct stat *info)
{
	struct complaint why;
	struct rights own;
	int error;

	become_service(service, &own);
	error = syscall(SYS_faccessat2, AT_FDCWD, directory, W_OK, AT_EACCESS) < 0 ? errno : 0;
	if (become_own(&own, &why) < 0 || error == 0)
		return true;
	return (error == ENOSYS || error == EPERM) && (info->st_uid == service->uid || (info->st_mode & S_IWOTH) != 0);
}

/* True if the service could put something else in the place of the path, or of a directory on its way. In a sticky
 * directory only one's own can be replaced (inode(7)). */
static bool is_exposed(const struct identity *service, const char *path)
{
	char way[PATH_MAX];
	struct stat entry, directory;
	size_t length = (size_t)snprintf(way, sizeof way, "%s", path);

	while (length > 1) {
		if (lstat(way, &entry) < 0)
			return false; /* then we shall not open it either */
		while (length > 1 && way[length - 1] != '/')
			length--;
		while (length > 1 && way[length - 1] == '/')
			length--;
		way[length] = '\0';
		if (stat(way, &directory) < 0)
			return false;
		if (may_write(service, way, &directory) &&
			((directory.st_mode & S_ISVTX) == 0 || directory.st_uid == service->uid ||
				entry.st_uid == service->uid))
			return true;
	}
	return false;
}

/* By its path, and by where links on that lead. */
static bool is_exposed_anywhere(const struct identity *service, const char *path)
{
	char resolved[PATH_MAX];

	return is_exposed(service, path) || (realpath(path, resolved) != NULL && is_exposed(service, resolved));
}

/* Neither a FIFO nor a terminal keeps us waiting, or becomes ours. */
static int open_file(const char *path, int flags)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);

	return fd < 0 ? -errno : fd;
}

static int open_as_service(const struct identity *service, const char *path, int flags, struct complaint *ret_why)
{
	struct rights own;
	int fd, error;

	become_service(service, &own);
	fd = open_file(path, flags);
	error = become_own(&own, ret_why);
	if (error < 0 && fd >= 0)
		close(fd);
	return error < 0 ? error : fd;
}

static int open_as_it_may(const struct confine_plan *plan, const char *path, int flags, struct complaint *ret_why)
{
	const bool others = plan->changes_user;
	int fd = others ? open_as_service(&plan->identity, path, flags, ret_why) : open_file(path, flags);

	if (others && fd == -EACCES && is_exposed_anywhere(&plan->identity, path))
		return complain(ret_why, EACCES,
			"the service may not read it, and could put another file in its place: a directory of the "
			"path is open to it");
	if (others && fd == -EACCES)
		fd = open_file(path, flags);
	if (fd == -EACCES)
		return complain(
			ret_why, EACCES, "%s (neither PID 1's user nor the service's may read it)", strerror(EACCES));
	return fd < 0 ? complain(ret_why, -fd, "%s", strerror(-fd)) : fd;
}

/* No core of this process, and nobody looks into it (PR_SET_DUMPABLE, prctl(2)): exec ends that. Permissions count as
 * they will in the next life. */
static int begin(const struct confine_plan *plan, struct complaint *ret_why)
{
	const uint64_t all_files = UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_DAC_READ_SEARCH;
	int error;

	prctl(PR_SET_DUMPABLE, 0);
	error = capabilities_read(&had, ret_why);
	if (error < 0)
		return error;
	effective = confine_is_light(plan) ? had.effective : had.effective & ~all_files;
	return capabilities_set_effective(&had, effective, ret_why);
}

static int end(struct complaint *ret_why)
{
	return capabilities_set_effective(&had, had.effective, ret_why);
}

/* ---- one file ---- */

/* Into text.bytes. Returns the length. */
static ssize_t read_bytes(const struct confine_plan *plan, const char *path, struct complaint *ret_why)
{
	cleanup_close int fd = open_as_it_may(plan, path, 0, ret_why);
	struct stat what;
	ssize_t length;

	if (fd < 0)
		return fd;
	if (fstat(fd, &what) < 0 || !S_ISREG(what.st_mode))
		return complain(ret_why, EINVAL, "no regular file");
	length = fd_read_all(fd, text.bytes, sizeof text.bytes);
	if (length < 0)
		return complain(ret_why, (int)-length, "%s", strerror((int)-length));
	if (length > SECRET_SIZE_MAX)
		return complain(ret_why, EFBIG, "more than %d bytes", SECRET_SIZE_MAX);
	return length;
}

/* The same, once there is something to read. */
static ssize_t read_patiently(const struct secret_source *source, const char *path, struct complaint *ret_why)
{
	const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	const int64_t until = clock_now_ns() + source->patience_ns;
	ssize_t length;

	while (((length = read_bytes(source->plan, path, ret_why)) == 0 || length == -ENOENT) && clock_now_ns() < until)
		nanosleep(&pause, NULL);
	return length;
}

/* NAME and NAME_FILE are one thing said twice, unless it is the very same file. */
static int check_unset(
	const struct secret_source *source, const char *name, const char *path, struct complaint *ret_why)
{
	char *const *const lists[] = { environ, source->plan->asked->environment };

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		const char *file = secret_env_value(lists[i], name, "_FILE");

		if (secret_env_value(lists[i], name, "") != NULL)
			return complain(
				ret_why, EEXIST, "%s is set in the environment as well: unset one of them", name);
		if (file != NULL && strcmp(file, path) != 0)
			return complain(ret_why, EEXIST,
				"%s_FILE in the environment names another file: unset one of them", name);
	}
	return 0;
}

static int add(char *variable, char *unset, struct complaint *ret_why)
{
	if (given.count == VARIABLES_MAX)
		return complain(ret_why, E2BIG, "more than %d secrets of one service", VARIABLES_MAX);
	given.variable[given.count++] = variable;
	if (unset != NULL)
		given.unset[given.unset_count++] = unset;
	return 0;
}

static int give_variable(const char *name, size_t length, struct complaint *ret_why)
{
	char *variable = NULL, *unset = NULL;
	int error = secret_env_trim(text.bytes, length, ret_why);

	if (error < 0)
		return error;
	if (asprintf(&variable, "%s=%s", name, text.bytes) < 0 || asprintf(&unset, "%s_FILE", name) < 0)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	return add(variable, unset, ret_why);
}

/* It stays open for the service, which opens it by its path as often as it likes; nobody changes it any more
 * (F_SEAL_WRITE, fcntl(2)). */
static int give_memory(const char *name, size_t length, struct complaint *ret_why)
{
	cleanup_close int fd = (int)syscall(SYS_memfd_create, name, MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	char *variable = NULL;

	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, name, MFD_ALLOW_SEALING);
	if (length == 0)
		return complain(ret_why, EINVAL, "the file is empty");
	if (fd < 0 || fd_write_all(fd, text.bytes, length) < 0 || fchmod(fd, S_IRUSR | S_IRGRP | S_IROTH) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return complain(ret_why, errno, "cannot copy it into memory: %s", strerror(errno));
	if (asprintf(&variable, "%s_FILE=/proc/self/fd/%d", name, fd) < 0)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	take_fd(&fd);
	return add(variable, NULL, ret_why);
}

static int give_file(const struct secret_source *source, enum secret_form form, const char *name, const char *path,
	uint64_t *ret_hash, struct complaint *ret_why)
{
	struct complaint plain;
	ssize_t length = check_unset(source, name, path, &plain);

	if (length == 0)
		length = read_patiently(source, path, &plain);
	if (length >= 0) {
		*ret_hash = secret_hash(&text, (size_t)length);
		length = form == SECRET_MEMORY ? give_memory(name, (size_t)length, &plain)
					       : give_variable(name, (size_t)length, &plain);
	}
	explicit_bzero(text.bytes, sizeof text.bytes);
	return length < 0 ? complain(ret_why, (int)-length, "secret %s: %.200s: %.200s", name, path, plain.text) : 0;
}

/* ---- a directory ---- */

typedef int each_file(const struct secret_source *source, const struct secret *secret, const char *name,
	const char *path, uint64_t *sum, struct complaint *ret_why);

/* Names with a dot before them are the runtime's own (..data), other directories none of ours. */
static int take_entry(const struct secret_source *source, const struct secret *secret, const char *name,
	each_file *each, uint64_t *sum, struct complaint *ret_why)
{
	char path[TARGET_PATH_SIZE];
	struct stat what;

	if (*name == '.')
		return 0;
	if (snprintf(path, sizeof path, "%s/%s", secret->path, name) >= (int)sizeof path)
		return complain(
			ret_why, ENAMETOOLONG, "secret %s: %.200s: %s", secret->name, path, strerror(ENAMETOOLONG));
	if (stat(path, &what) == 0 && S_ISDIR(what.st_mode))
		return 0;
	if (!secret_names_variable(name))
		return complain(ret_why, EINVAL,
			"secret %s: %.200s: no name of a variable (letters, digits and _): rename it, or name the "
			"files "
			"one by one",
			secret->name, path);
	return each(source, secret, name, path, sum, ret_why);
}

static int walk(const struct secret_source *source, const struct secret *secret, each_file *each, uint64_t *ret_hash,
	struct complaint *ret_why)
{
	struct complaint plain;
	int fd = open_as_it_may(source->plan, secret->path, O_DIRECTORY, &plain), error = 0;
	uint64_t sum = 0;
	struct dirent *entry;
	DIR *directory;

	if (fd < 0)
		return complain(ret_why, -fd, "secret %s: %.200s: %.200s", secret->name, secret->path, plain.text);
	directory = fdopendir(fd);
	while (error == 0 && directory != NULL && (entry = readdir(directory)) != NULL)
		error = take_entry(source, secret, entry->d_name, each, &sum, ret_why);
	if (directory != NULL)
		closedir(directory);
	*ret_hash = sum != 0 ? sum : 1;
	return error;
}

static int give_entry(const struct secret_source *source, const struct secret *secret, const char *name,
	const char *path, uint64_t *sum, struct complaint *ret_why)
{
	uint64_t hash = 0;
	int error = give_file(source, secret->form, name, path, &hash, ret_why);

	*sum += secret_hash_named(name, hash);
	return error;
}

static int look_at_entry(const struct secret_source *source, const struct secret *secret, const char *name,
	const char *path, uint64_t *sum, struct complaint *ret_why)
{
	const ssize_t length = read_bytes(source->plan, path, ret_why);

	(void)secret;
	if (length >= 0)
		*sum += secret_hash_named(name, secret_hash(&text, (size_t)length));
	return length < 0 ? (int)length : 0;
}

/* ---- all ---- */

static int give_secrets(const struct secret_source *source, bool note, struct complaint *ret_why)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < source->list->count; i++) {
		const struct secret *secret = &source->list->secret[i];
		uint64_t hash = 0;

		if (secret_is_for(secret, source->service))
			error = secret->is_directory
				? walk(source, secret, give_entry, &hash, ret_why)
				: give_file(source, secret->form, secret->name, secret->path, &hash, ret_why);
		if (note && source->board != NULL)
			source->board->given[source->service][i] = hash;
	}
	return error;
}

/* What a secret of the file gives has been looked at. */
static bool is_given(const char *name)
{
	for (size_t i = 0; i < given.count; i++)
		if (strncmp(given.variable[i], name, strlen(name)) == 0 && given.variable[i][strlen(name)] == '=')
			return true;
	return false;
}

static int resolve(const struct secret_source *source, char *const *environment, struct complaint *ret_why)
{
	const char *list = source->plan->asked->file_env;
	char name[SECRET_NAME_SIZE];
	uint64_t hash;
	int error = 0;

	for (; list != NULL && environment != NULL && *environment != NULL && error == 0; environment++)
		if (secret_env_resolves(list, *environment, name) && !is_given(name))
			error = give_file(source, SECRET_VARIABLE, name, secret_env_value(environment, name, "_FILE"),
				&hash, ret_why);
	return error;
}

int secret_read(const struct secret_source *source, bool note, struct complaint *ret_why)
{
	int error = begin(source->plan, ret_why);

	if (error == 0)
		error = give_secrets(source, note, ret_why);
	if (error == 0)
		error = resolve(source, source->plan->asked->environment, ret_why);
	if (error == 0)
		error = resolve(source, environ, ret_why);
	return error == 0 ? end(ret_why) : error;
}

int secret_put(struct complaint *ret_why)
{
	for (size_t i = 0; i < given.unset_count; i++)
		unsetenv(given.unset[i]);
	for (size_t i = 0; i < given.count; i++)
		if (putenv(given.variable[i]) != 0)
			return complain(ret_why, ENOMEM, "secrets: %s", strerror(ENOMEM));
	return 0;
}

struct secret_look secret_look(const struct secret_source *source, size_t number)
{
	const struct secret *secret = &source->list->secret[number];
	struct secret_look look = { .hash = 0 };
	struct complaint why;
	ssize_t length;
	int error = begin(source->plan, &why);

	if (error == 0 && secret->is_directory) {
		error = walk(source, secret, look_at_entry, &look.hash, &why);
	} else if (error == 0) {
		length = read_bytes(source->plan, secret->path, &why);
		/* One that is being written anew, or is gone, is none (a service is refused an empty one). */
		error = length > 0 ? 0 : length == 0 ? -ENODATA : (int)length;
		if (error == 0)
			look.hash = secret_hash(&text, (size_t)length);
	}
	end(&why); /* the next one may be another service's */
	if (error < 0)
		look = (struct secret_look){ .error = -error };
	return look;
}
