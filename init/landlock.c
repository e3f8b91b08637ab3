#include "init/landlock.h"

#include "base/cleanup.h"
#include "init/program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Rights of later ABIs that Debian 12's headers may not have. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

/* Of ABI 4, which Debian 12's headers lack as a whole (landlock(7)). */
struct ruleset_attributes {
	uint64_t files, ports;
};
struct port_rule {
	uint64_t rights, port;
};
#define RULE_PORT 2
#define BIND_TCP 1U
#define CONNECT_TCP 2U
#define ABI_OF_PORTS 4
#define ABI_OF_TRUNCATION 3

#define WRITE_TO_FILES LANDLOCK_ACCESS_FS_WRITE_FILE
#define WRITE_TO_DIRECTORIES                                                                                           \
	(LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |               \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |             \
		LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* Writable whatever is asked: without them no program runs. Those that an image lacks are passed over. */
static const char always_writable[][24] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
	"/dev/tty", "/dev/console", "/dev/ptmx", "/dev/pts", "/dev/termination-log" };

struct rights {
	uint64_t file; /* that make sense on a file */
	uint64_t all;
};

static struct rights rights_of_abi(unsigned abi)
{
	struct rights rights = { .file = WRITE_TO_FILES };

	if (abi >= ABI_OF_TRUNCATION)
		rights.file |= LANDLOCK_ACCESS_FS_TRUNCATE;
	rights.all = rights.file | WRITE_TO_DIRECTORIES;
	if (abi >= 2)
		rights.all |= LANDLOCK_ACCESS_FS_REFER;
	return rights;
}

unsigned landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (unsigned)abi : 0;
}

/* Allows writing below what an O_PATH descriptor stands for. */
static int allow_descriptor(int ruleset, int fd, const struct rights *rights)
{
	struct stat status;
	struct landlock_path_beneath_attr beneath = { .parent_fd = fd };

	if (fstat(fd, &status) < 0)
		return -errno;
	beneath.allowed_access = S_ISDIR(status.st_mode) ? rights->all : rights->file;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
		return -errno;
	return 0;
}

static int allow_path(int ruleset, const char *path, const struct rights *rights)
{
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return allow_descriptor(ruleset, fd, rights);
}

/* False for the O_PATH descriptor that holds the place of a stream that is closed; O_ACCMODE would not do, as musl
 * counts O_PATH to it. */
static bool is_open_for_writing(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & (O_WRONLY | O_RDWR)) != 0;
}

/* What a program may open again by /dev/stdout: a terminal, a file. Pipes and sockets lie on no file system that
 * Landlock sees (EBADFD) and need no rule. */
static void allow_stdio(int ruleset, const struct rights *rights)
{
	for (int i = 0; i <= STDERR_FILENO; i++) {
		char link[32];

		snprintf(link, sizeof link, "/proc/self/fd/%d", i);
		if (is_open_for_writing(i))
			allow_path(ruleset, link, rights);
	}
}

static int allow_asked_path(int ruleset, const char *path, const struct rights *rights, struct complaint *ret_why)
{
	int error = allow_path(ruleset, path, rights);

	return error < 0 ? complain(ret_why, -error, "writable path '%s': %s", path, strerror(-error)) : 0;
}

/* Before ABI 4 the kernel takes more bytes than it knows, as long as they are zero. */
static int make_ruleset(uint64_t files, uint64_t ports, struct complaint *ret_why)
{
	struct ruleset_attributes attributes = { files, ports };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);

	if (ruleset < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
		return complain(ret_why, ENOSYS, "the kernel has no Landlock");
	return ruleset < 0 ? complain(ret_why, errno, "cannot make a Landlock rule set: %s", strerror(errno)) : ruleset;
}

static int put_in_force(int ruleset, struct complaint *ret_why)
{
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return complain(ret_why, errno, "cannot put Landlock in force: %s%s", strerror(errno),
			errno == EPERM ? " (it needs no_new_privs or CAP_SYS_ADMIN)" : "");
	return 0;
}

int landlock_make_read_only(const struct path_list *writable, const struct tmpfs_list *tmpfs, struct complaint *ret_why)
{
	const unsigned abi = landlock_abi();
	struct rights rights = rights_of_abi(abi);
	cleanup_close int ruleset = make_ruleset(rights.all, 0, ret_why);
	int error = 0;

	if (ruleset < 0)
		return ruleset;
	for (size_t i = 0; i < sizeof always_writable / sizeof always_writable[0]; i++)
		allow_path(ruleset, always_writable[i], &rights);
	allow_stdio(ruleset, &rights);
	for (size_t i = 0; error == 0 && i < writable->count; i++)
		error = allow_asked_path(ruleset, writable->path[i], &rights, ret_why);
	for (size_t i = 0; error == 0 && i < tmpfs->count; i++)
		error = allow_asked_path(ruleset, tmpfs->mount[i].path, &rights, ret_why);
	if (error == 0)
		error = put_in_force(ruleset, ret_why);
	if (error == 0 && abi < ABI_OF_TRUNCATION)
		error = complain(ret_why, ENOSYS,
			"the kernel's Landlock does not stop truncate(2) (ABI %u; 3 does, Linux 6.2)", abi);
	return error;
}

static const struct rights may_execute = { LANDLOCK_ACCESS_FS_EXECUTE, LANDLOCK_ACCESS_FS_EXECUTE };

static int allow_program(void *context, const char *file)
{
	return allow_path(*(int *)context, file, &may_execute);
}

/* A directory stands for what is below it; a program brings what it takes. */
static int allow_listed(int ruleset, const char *path)
{
	int error = allow_path(ruleset, path, &may_execute);

	return error == 0 ? program_visit(path, allow_program, &ruleset) : error;
}

int landlock_allow_exec(const struct path_list *allowed, const char *command, struct complaint *ret_why)
{
	/* A rule set that says nothing of moving files between directories forbids it (landlock(7)): allowed from the
	 * root on, it forbids only to move a file to where it could be executed. */
	const struct rights may_move = { .all = LANDLOCK_ACCESS_FS_REFER };
	bool knows_moving = landlock_abi() >= 2;
	cleanup_close int ruleset = make_ruleset(
		LANDLOCK_ACCESS_FS_EXECUTE | (knows_moving ? LANDLOCK_ACCESS_FS_REFER : 0), 0, ret_why);
	int error = 0;

	if (ruleset < 0)
		return ruleset;
	if (knows_moving)
		allow_path(ruleset, "/", &may_move);
	error = program_visit(command, allow_program, &ruleset);
	for (size_t i = 0; error == 0 && i < allowed->count; i++)
		error = allow_listed(ruleset, allowed->path[i]);
	if (error < 0)
		return complain(ret_why, -error, "cannot allow a program: %s", strerror(-error));
	return put_in_force(ruleset, ret_why);
}

static int allow_ports(int ruleset, const struct port_list *list, uint64_t rights)
{
	for (size_t i = 0; i < list->count; i++) {
		struct port_rule rule = { rights, list->port[i] };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0) < 0)
			return -errno;
	}
	return 0;
}

int landlock_allow_ports(const struct port_list *bind, const struct port_list *connect, struct complaint *ret_why)
{
	cleanup_close int ruleset = -1;
	unsigned abi = landlock_abi();
	int error;

	if (abi < ABI_OF_PORTS)
		return complain(
			ret_why, ENOSYS, "the kernel's Landlock knows no ports (ABI %u; 4 does, Linux 6.7)", abi);
	ruleset = make_ruleset(0, (bind->given ? BIND_TCP : 0) | (connect->given ? CONNECT_TCP : 0), ret_why);
	if (ruleset < 0)
		return ruleset;
	error = allow_ports(ruleset, bind, BIND_TCP);
	if (error == 0)
		error = allow_ports(ruleset, connect, CONNECT_TCP);
	return error < 0 ? complain(ret_why, -error, "cannot allow a port: %s", strerror(-error))
			 : put_in_force(ruleset, ret_why);
}
