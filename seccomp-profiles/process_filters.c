#include "seccomp-profiles/process_filters.h"

#include "base/cleanup.h"
#include "base/fdio.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

#define STATUS_MAX (64 * 1024)
#define FILTERS_MAX 512 /* the kernel takes 32,768 instructions in all (MAX_INSNS_PER_PATH) */
#define STOP_TRIES 2000 /* a millisecond each */

/* The number behind "KEY:" in /proc/PID/status, 0 where there is none. */
static unsigned long field(const char *status, const char *key)
{
	const char *line = strstr(status, key);

	return line == NULL ? 0 : strtoul(line + strlen(key), NULL, 10);
}

/* Asked, not signalled (PTRACE_SEIZE): it does not see it. It may be asleep in the kernel for long. */
static int stop(pid_t pid)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		return -errno;
	for (unsigned i = 0; i < STOP_TRIES; i++) {
		pid_t got = waitpid(pid, &status, WNOHANG | __WALL);

		if (got < 0)
			return -errno;
		if (got == pid)
			return WIFSTOPPED(status) ? 0 : -ESRCH;
		nanosleep(&moment, NULL);
	}
	return -ETIMEDOUT;
}

/* Filter 0 is the oldest. Grows *insn by what it reads. */
static int read_filter(pid_t pid, size_t index, struct sock_filter **insn, size_t *total, size_t *ret_length)
{
	long length = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)index, NULL);
	struct sock_filter *more;

	if (length < 0)
		return -errno;
	if (length == 0 || length > BPF_MAXINSNS)
		return -EPROTO;
	more = realloc(*insn, (*total + (size_t)length) * sizeof *more);
	if (more == NULL)
		return -ENOMEM;
	*insn = more;
	if (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)index, more + *total) < 0)
		return -errno;
	*total += (size_t)length;
	*ret_length = (size_t)length;
	return 0;
}

static int read_filters(pid_t pid, struct sock_filter **insn, size_t lengths[FILTERS_MAX], size_t *ret_count)
{
	size_t total = 0, count = 0;
	int rc = stop(pid);

	while (rc == 0 && count < FILTERS_MAX) {
		rc = read_filter(pid, count, insn, &total, &lengths[count]);
		count += rc == 0;
	}
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	if (rc != -ENOENT) /* behind the last one */
		return rc < 0 ? rc : -E2BIG;
	*ret_count = count;
	return 0;
}

static int read_status(const char *pid, char **ret_status, struct complaint *ret_why)
{
	char path[64];
	size_t length;
	int rc;

	if (*pid == '\0' || strlen(pid) >= 20 || pid[strspn(pid, "0123456789")] != '\0')
		return complain(ret_why, EINVAL, "pid:%.20s: not a process number", pid);
	snprintf(path, sizeof path, "/proc/%s/status", pid);
	rc = file_read(path, STATUS_MAX, ret_status, &length);
	return rc < 0 ? complain(ret_why, -rc, "pid:%.20s: no such process here", pid) : 0;
}

int process_filters(const char *pid, struct sock_filter **ret_insn, struct filter_program **ret_programs,
	size_t *ret_count, struct complaint *ret_why)
{
	cleanup_free char *status = NULL;
	cleanup_free struct sock_filter *insn = NULL;
	cleanup_free struct filter_program *programs = NULL;
	size_t lengths[FILTERS_MAX], count = 0, at = 0;
	unsigned long mode;
	int rc = read_status(pid, &status, ret_why);

	if (rc < 0)
		return rc;
	mode = field(status, "\nSeccomp:");
	if (mode == SECCOMP_MODE_STRICT)
		return complain(ret_why, EOPNOTSUPP,
			"pid:%s: seccomp mode 1, strict: read, write, exit and sigreturn alone", pid);
	if (mode == SECCOMP_MODE_FILTER)
		rc = read_filters((pid_t)strtoul(pid, NULL, 10), &insn, lengths, &count);
	if (rc < 0)
		return complain(ret_why, -rc,
			"pid:%s: seccomp mode 2, filters: %lu, but they cannot be read: %s (it takes CAP_SYS_ADMIN, "
			"and no "
			"filter on who reads: ask as root from outside the container)",
			pid, field(status, "\nSeccomp_filters:"), strerror(-rc));
	programs = calloc(count + 1, sizeof *programs);
	if (programs == NULL)
		return complain(ret_why, ENOMEM, "pid:%s: out of memory", pid);
	for (size_t i = 0; i < count; at += lengths[i++])
		programs[count - 1 - i] = (struct filter_program){ insn + at, lengths[i] };
	*ret_insn = take_pointer(&insn);
	*ret_programs = take_pointer(&programs);
	*ret_count = count;
	return 0;
}
