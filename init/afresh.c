#include "init/afresh.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "init/capabilities.h"
#include "init/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3

extern char **environ;

int afresh_open(const char *who, struct complaint *ret_why)
{
	int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);

	/* Without /proc the kernel still says by what name it executed us (getauxval(3)). */
	if (fd < 0)
		fd = open((const char *)getauxval(AT_EXECFN), O_PATH | O_CLOEXEC);
	if (fd < 0)
		return complain(
			ret_why, errno, "%s: cannot open this program again: %s (mount /proc)", who, strerror(errno));
	return fd;
}

bool afresh_may_change_user(uint64_t effective)
{
	const uint64_t both = UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID;

	return (effective & both) == both;
}

/* No capability, no_new_privs, and another user where we may become one. */
void afresh_drop_privileges(const char *who, uid_t user, gid_t group)
{
	static const struct confine_reporter silent;
	static struct confinement asked; /* as a constant its 8 KB of zeros would be in the file */
	struct confine_plan plan = { .asked = &asked };
	struct complaint why;

	asked.no_new_privs = true;
	plan.requested = 1U << LAYER_NO_NEW_PRIVS;
	if (capabilities_read(&plan.had, &why) == 0) {
		plan.requested |= 1U << LAYER_CAPABILITIES;
		plan.changes_user = afresh_may_change_user(plan.had.effective);
		/* Without CAP_SETPCAP the bounding set stays; no_new_privs makes it meaningless. */
		if ((plan.had.effective & UINT64_C(1) << CAP_SETPCAP) == 0)
			plan.capabilities.bounding = plan.had.bounding;
	}
	if (plan.changes_user) {
		plan.requested |= 1U << LAYER_USER;
		plan.identity = (struct identity){ .uid = user, .gid = group };
	}
	if (confine_apply(&plan, false, &silent, &why) < 0) {
		log_line(LOG_LEVEL_ERROR, "%s: %s", who, why.text);
		_exit(125);
	}
}

/* What we inherited is the workload's: a listening socket, a pipe to somebody. Before Linux 5.11 there is no such flag:
 * who inherits anything has it at a low number. */
static void close_the_rest(int from)
{
	if (syscall(SYS_close_range, (unsigned)from, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (int fd = from; fd < 1024; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* They are moved up first, so that none is overwritten. */
void afresh_place(int *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FIRST_FD + (int)count);
	for (size_t i = 0; i < count; i++)
		if (dup2(from[i], FIRST_FD + (int)i) < 0)
			close(FIRST_FD + (int)i); /* nothing of the workload's stays in its place */
	close_the_rest(FIRST_FD + (int)count);
}

/* What configures (options.h) only: the workload's secrets are none of the monitor's business. */
static void keep_own_variables(char **more, char **ret_env, size_t size)
{
	size_t count = 0;

	for (char **variable = environ; *variable != NULL && count < size - 1; variable++)
		if (strncmp(*variable, "NEST_INIT_", strlen("NEST_INIT_")) == 0 ||
			strncmp(*variable, "SECURITY_LEVEL=", strlen("SECURITY_LEVEL=")) == 0)
			ret_env[count++] = *variable;
	for (; more != NULL && *more != NULL && count < size - 1; more++)
		ret_env[count++] = *more;
	ret_env[count] = NULL;
}

_Noreturn void afresh_execute(const char *who, int executable, char **argv, char **more)
{
	static char *env[256];

	keep_own_variables(more, env, sizeof env / sizeof env[0]);
	syscall(SYS_execveat, executable, "", argv, env, AT_EMPTY_PATH); /* musl has no wrapper */
	log_line(LOG_LEVEL_ERROR, "%s: cannot execute this program again: %s", who, strerror(errno));
	_exit(126);
}

int afresh_try(const char *who, uid_t user, gid_t group, int (*work)(const void *context, struct complaint *ret_why),
	const void *context, struct complaint *ret_why)
{
	cleanup_close int reader = -1, writer = -1;
	ssize_t length;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return complain(ret_why, errno, "%s: %s", who, strerror(errno));
	reader = ends[0];
	writer = ends[1];
	pid = fork();
	if (pid < 0)
		return complain(ret_why, errno, "%s: %s", who, strerror(errno));
	if (pid == 0) {
		struct complaint why = { .text = "" };
		int error;

		afresh_drop_privileges(who, user, group);
		error = work(context, &why);
		_exit(error < 0 && fd_write_all(writer, why.text, strlen(why.text)) == 0);
	}
	close(take_fd(&writer));
	length = fd_read_all(reader, ret_why->text, sizeof ret_why->text - 1);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (length > 0)
		ret_why->text[length] = '\0';
	return length > 0 ? -EINVAL : 0;
}
