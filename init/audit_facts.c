#include "init/audit_facts.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/secret.h"
#include "init/capabilities.h"
#include "init/landlock.h"
#include "init/mounts.h"
#include "init/program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define STATUS_MAX (64 * 1024)
#define PATH_DIRECTORIES_MAX 32
#define DEPTH_MAX 2        /* below the root: /usr/lib, /home/app */
#define ENTRIES_MAX 20000U /* of all directories that are read */

/* A file without a name needs what a new one needs, of the mount, the permissions and Landlock, and leaves nothing
 * behind (O_TMPFILE, open(2)). Where the file system has none, the mount and the permissions decide. */
static bool can_make_files(const char *directory)
{
	cleanup_close int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	return fd >= 0 || (errno == EOPNOTSUPP && access(directory, W_OK) == 0);
}

/* Opens, and is what it is called: runtimes put /dev/null over what they mask. */
static bool opens(const char *path, int flags)
{
	cleanup_close int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* ---- the root ---- */

struct walk {
	struct audit_list *list;
	dev_t device;
	unsigned entries;
};

static void look_below(struct walk *walk, const char *path, unsigned depth)
{
	DIR *directory;
	struct dirent *entry;
	struct stat status;

	if (lstat(path, &status) < 0 || !S_ISDIR(status.st_mode) || status.st_dev != walk->device)
		return;
	if (can_make_files(path))
		audit_list_add(walk->list, path);
	directory = depth < DEPTH_MAX ? opendir(path) : NULL;
	while (directory != NULL && walk->entries < ENTRIES_MAX && (entry = readdir(directory)) != NULL) {
		char below[PATH_MAX];

		walk->entries++;
		if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		if (snprintf(below, sizeof below, "%s/%s", depth > 0 ? path : "", entry->d_name) < PATH_MAX)
			look_below(walk, below, depth + 1);
	}
	if (directory != NULL)
		closedir(directory);
}

static unsigned depth_of(const char *path)
{
	unsigned depth = 0;

	while ((path = strchr(path, '/')) != NULL && *++path != '\0')
		depth++;
	return depth;
}

static void read_root(struct audit_facts *facts)
{
	struct walk walk = { .list = &facts->root_writable };
	char here[PATH_MAX];
	struct stat root;

	facts->root_is_read_only = mounts_root_is_read_only();
	if (facts->root_is_read_only || stat("/", &root) < 0)
		return;
	walk.device = root.st_dev;
	look_below(&walk, "/", 0);
	if (getcwd(here, sizeof here) != NULL && depth_of(here) > DEPTH_MAX)
		look_below(&walk, here, DEPTH_MAX);
}

/* ---- other mounts ---- */

/* What holds no files of anybody's. */
static bool is_kernels_own(const char *type)
{
	static const char types[][8] = { "proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue" };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

static void read_mounts(struct audit_facts *facts)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char line[2 * PATH_MAX];
	struct mntent mount;
	struct stat status;

	while (mounts != NULL && getmntent_r(mounts, &mount, line, sizeof line) != NULL) {
		const char *path = mount.mnt_dir;

		if (strcmp(path, "/") == 0 || is_kernels_own(mount.mnt_type) || stat(path, &status) < 0)
			continue;
		if (S_ISDIR(status.st_mode) ? can_make_files(path) : S_ISREG(status.st_mode) && opens(path, O_WRONLY))
			audit_list_add(&facts->mounts, path);
	}
	if (mounts != NULL)
		endmntent(mounts);
}

/* ---- PATH ---- */

/* setuid, setgid, or with capabilities of its own (capabilities(7), File capabilities). */
static bool gives_rights(const char *file)
{
	struct stat status;

	return lstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
		((status.st_mode & (S_ISUID | S_ISGID)) != 0 || lgetxattr(file, "security.capability", NULL, 0) > 0);
}

static void find_setuid(const char *path, unsigned *entries, struct audit_list *list)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory != NULL && *entries < ENTRIES_MAX && (entry = readdir(directory)) != NULL) {
		char file[PATH_MAX];

		(*entries)++;
		if (snprintf(file, sizeof file, "%s/%s", path, entry->d_name) < PATH_MAX && gives_rights(file))
			audit_list_add(list, file);
	}
	if (directory != NULL)
		closedir(directory);
}

/* /bin is a link to /usr/bin, and both are in PATH. */
static bool was_seen(const struct stat *seen, size_t count, const struct stat *status)
{
	while (count-- > 0)
		if (seen[count].st_dev == status->st_dev && seen[count].st_ino == status->st_ino)
			return true;
	return false;
}

static void read_path(struct audit_facts *facts)
{
	struct stat seen[PATH_DIRECTORIES_MAX];
	unsigned entries = 0;
	size_t count = 0;

	for (const char *next = program_path(); next != NULL && count < PATH_DIRECTORIES_MAX;) {
		char path[PATH_MAX];
		size_t length;

		next = program_next(next, "", path, sizeof path);
		length = strlen(path);
		if (path[0] != '/')
			audit_list_add(&facts->path_relative, path);
		if (stat(path, &seen[count]) < 0 || was_seen(seen, count, &seen[count]))
			continue;
		count++;
		if (length > 1)
			path[length - 1] = '\0';
		if (can_make_files(path))
			audit_list_add(&facts->path_writable, path);
		find_setuid(path, &entries, &facts->setuid);
	}
}

/* ---- the kernel's own ---- */

static void read_proc(struct audit_facts *facts)
{
	/* Docker and runc mask these, and make those read-only (the OCI runtime specification: maskedPaths). */
	static const char masked[][20] = { "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug",
		"/proc/latency_stats" };
	static const char settings[][32] = { "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
		"/proc/sysrq-trigger", "/sys/kernel/uevent_helper" };

	for (size_t i = 0; i < sizeof masked / sizeof masked[0]; i++)
		if (opens(masked[i], O_RDONLY))
			audit_list_add(&facts->proc_readable, masked[i]);
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
		if (opens(settings[i], O_WRONLY))
			audit_list_add(&facts->proc_writable, settings[i]);
	facts->kernel_memory = opens(masked[0], O_RDONLY);
}

/* The first of each kind has a number of its own (linux/proc_ns.h); those of mounts and networks since Linux 6.18. */
static void read_namespaces(struct audit_facts *facts)
{
	static const uint32_t first[NAMESPACE_COUNT] = {
		[NAMESPACE_CGROUP] = 0xeffffffb,
		[NAMESPACE_IPC] = 0xefffffff,
		[NAMESPACE_MNT] = 0xeffffff8,
		[NAMESPACE_NET] = 0xeffffff9,
		[NAMESPACE_PID] = 0xeffffffc,
		[NAMESPACE_TIME] = 0xeffffffa,
		[NAMESPACE_USER] = 0xeffffffd,
		[NAMESPACE_UTS] = 0xeffffffe,
	};
	unsigned major = 0, minor = 0;
	struct utsname kernel;

	if (uname(&kernel) == 0)
		sscanf(kernel.release, "%5u.%5u", &major, &minor);
	for (unsigned i = 0; i < NAMESPACE_COUNT; i++) {
		char path[32];
		struct stat status;

		snprintf(path, sizeof path, "/proc/self/ns/%s", audit_namespace_name((enum audit_namespace)i));
		if (stat(path, &status) < 0 ||
			((i == NAMESPACE_MNT || i == NAMESPACE_NET) && (major < 6 || (major == 6 && minor < 18))))
			continue;
		facts->namespaces |= 1U << i;
		facts->host_namespaces |= (uint32_t)(status.st_ino == first[i]) << i;
	}
}

static int read_seccomp(struct audit_facts *facts, struct complaint *ret_why)
{
	cleanup_free char *status = NULL;
	const char *line;
	size_t length;
	int error = file_read("/proc/self/status", STATUS_MAX, &status, &length);

	if (error < 0)
		return complain(ret_why, -error, "/proc/self/status: %s", strerror(-error));
	line = strstr(status, "\nSeccomp:");
	if (line != NULL)
		sscanf(line, "\nSeccomp: %5u\nSeccomp_filters: %5u", &facts->seccomp_mode, &facts->seccomp_filters);
	return 0;
}

/* What a child that loads filters hears; nothing else shows whether there is a listener already. They allow all, so
 * that nobody has to answer for it. Returns the errno of one with a listener, or -1 if it can load none at all. */
static int load_filters(void)
{
	struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	const struct sock_fprog program = { .len = 1, .filter = allow };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return -1;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) < 0 ? errno
													     : 0;
}

static void try_filters(struct audit_facts *facts)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(load_filters());
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	if (pid < 0)
		facts->listener_error = errno;
	else if (!WIFEXITED(status) || WEXITSTATUS(status) == (uint8_t)-1)
		facts->filters_refused = true;
	else
		facts->listener_error = WEXITSTATUS(status);
}

int audit_facts_read(char **env, struct audit_facts *ret_facts, struct complaint *ret_why)
{
	struct audit_facts facts = { .uid = geteuid(), .memory_limit = AUDIT_NO_LIMIT, .pids_limit = AUDIT_NO_LIMIT };
	int error = capabilities_read(&facts.capabilities, ret_why);

	if (error == 0)
		error = read_seccomp(&facts, ret_why);
	if (error < 0)
		return error;
	facts.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	facts.securebits = (uint32_t)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
	facts.landlock_abi = landlock_abi();
	try_filters(&facts);
	read_root(&facts);
	read_mounts(&facts);
	read_path(&facts);
	read_proc(&facts);
	read_namespaces(&facts);
	for (; *env != NULL; env++) {
		char name[64];

		snprintf(name, sizeof name, "%.*s", (int)strcspn(*env, "="), *env);
		if (secret_is_likely(*env))
			audit_list_add(&facts.secrets, name);
	}
	*ret_facts = facts;
	return 0;
}
