#include "init/limits.h"

#include "base/cleanup.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* "unlimited" or a number. */
static const char *say(uint64_t value, char ret_text[24])
{
	snprintf(ret_text, 24, value == ULIMIT_UNLIMITED ? "unlimited" : "%llu", (unsigned long long)value);
	return ret_text;
}

static rlim_t smaller(rlim_t a, rlim_t b)
{
	return a < b ? a : b;
}

static int set_limit(unsigned resource, const struct ulimit *asked, struct complaint *ret_why)
{
	struct rlimit limit = { .rlim_cur = asked->soft, .rlim_max = asked->hard }, now;
	char wanted[24], had[24];
	int error;

	if (setrlimit((int)resource, &limit) == 0)
		return 0;
	error = errno;
	getrlimit((int)resource, &now);
	if (error != EPERM || limit.rlim_max <= now.rlim_max)
		return complain(ret_why, error, "cannot set %s to %s: %s%s", ulimit_name(resource),
			say(asked->hard, wanted), strerror(error),
			resource == RLIMIT_NOFILE ? " (fs.nr_open is the most)" : "");
	limit = (struct rlimit){ smaller(limit.rlim_cur, now.rlim_max), now.rlim_max };
	setrlimit((int)resource, &limit); /* who asks for best effort gets the most that there is */
	return complain(ret_why, error,
		"cannot set %s to %s: raising a hard limit needs CAP_SYS_RESOURCE, and it is %s (start the container "
		"with --ulimit)",
		ulimit_name(resource), say(asked->hard, wanted), say(now.rlim_max, had));
}

/* The files in /proc of a process that nobody may look into are root's (PR_SET_DUMPABLE, prctl(2)), and what PID 1
 * forks is such a process: not for as long as this takes. */
static int open_oom_score_adj(void)
{
	int dumpable = prctl(PR_GET_DUMPABLE), fd;

	prctl(PR_SET_DUMPABLE, 1);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	if (dumpable == 0)
		prctl(PR_SET_DUMPABLE, 0);
	return fd;
}

static int set_oom_score_adj(int value, struct complaint *ret_why)
{
	char text[16];
	int length = snprintf(text, sizeof text, "%d", value), error;
	cleanup_close int fd = open_oom_score_adj();

	error = fd < 0 ? fd : fd_write_all(fd, text, (size_t)length);
	if (error == 0)
		return 0;
	/* EACCES is the kernel's word for it (proc(5)). */
	return complain(ret_why, -error, "cannot set oom_score_adj to %d: %s", value,
		error == -EACCES           ? "lowering oom_score_adj needs CAP_SYS_RESOURCE"
			: error == -ENOENT ? "/proc is not there (mount it)"
					   : strerror(-error));
}

int limits_apply(const struct limits *asked, struct complaint *ret_why)
{
	struct complaint later;
	int error = 0;

	for (unsigned resource = 0; resource < ULIMIT_COUNT; resource++) {
		int here = 0;

		if ((asked->given >> resource & 1) != 0)
			here = set_limit(resource, &asked->limit[resource], error == 0 ? ret_why : &later);
		if (error == 0)
			error = here;
	}
	if (asked->oom_score_adj_given) {
		int here = set_oom_score_adj(asked->oom_score_adj, error == 0 ? ret_why : &later);

		if (error == 0)
			error = here;
	}
	return error;
}
