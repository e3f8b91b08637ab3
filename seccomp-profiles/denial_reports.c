#include "seccomp-profiles/denial_reports.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "seccomp-profiles/compile.h"
#include "seccomp-profiles/listener.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define CALLS_AT_ONCE 64    /* then it is somebody else's turn */
#define X32_BIT 0x40000000u /* __X32_SYSCALL_BIT */

static_assert(DENIALS_CALL_SIZE == LISTENER_ROOM, "the kernel writes a call into the memory");

int denial_reports_memory(const struct sock_filter *insn, uint16_t length)
{
	const uint32_t count = length;
	cleanup_close int fd = fd_memory("denials", sizeof(struct denials));

	if (fd < 0)
		return take_fd(&fd);
	if (pwrite(fd, &count, sizeof count, offsetof(struct denials, length)) < 0 ||
		pwrite(fd, insn, count * sizeof *insn, offsetof(struct denials, insn)) < 0)
		return -errno;
	return take_fd(&fd);
}

/* ---- words ---- */

static void name_syscall(uint32_t arch, uint32_t number, char ret_name[SECCOMP_NAME_SIZE])
{
	struct seccomp_context native;
	enum profile_arch found = 0;
	char name[SECCOMP_NAME_SIZE - 12];

	seccomp_context_native(0, &native);
	while (found < PROFILE_ARCH_COUNT - 1 && seccomp_audit_arch(found) != arch)
		found++;
	if (found == PROFILE_X86_64 && (number & X32_BIT) != 0) /* it has amd64's AUDIT_ARCH (syscall(2)) */
		found = PROFILE_X32;
	if (seccomp_syscall_name(found, number, name, sizeof name) < 0)
		snprintf(name, sizeof name, "%u", number);
	if (found == native.profile.arch)
		snprintf(ret_name, SECCOMP_NAME_SIZE, "%s", name);
	else
		snprintf(ret_name, SECCOMP_NAME_SIZE, "%.10s:%s", profile_arch_go_name(found), name);
}

uint64_t denial_reports_at(const struct denial_reports *reports, size_t index, char ret_syscall[SECCOMP_NAME_SIZE],
	char ret_action[ACTION_TEXT_SIZE])
{
	const struct denial_kind *kind;

	if (reports->memory == NULL || index > DENIALS_KINDS_MAX)
		return 0;
	kind = &reports->memory->kind[index];
	if (index == DENIALS_KINDS_MAX) {
		strcpy(ret_syscall, "other");
		strcpy(ret_action, "other");
	} else if (kind->count > 0) {
		name_syscall(kind->arch, kind->number, ret_syscall);
		filter_action_text(SECCOMP_RET_ERRNO | (kind->action & SECCOMP_RET_DATA), ret_action);
	}
	return kind->count;
}

/* proc_pid_comm(5): what the thread calls itself. */
static void read_program(uint32_t pid, char ret_program[DENIALS_PROGRAM_SIZE])
{
	char path[32];
	cleanup_close int fd = -1;
	ssize_t length;

	snprintf(path, sizeof path, "/proc/%u/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? 0 : fd_read_all(fd, ret_program, DENIALS_PROGRAM_SIZE - 1);
	ret_program[length > 0 ? length : 0] = '\0';
	ret_program[strcspn(ret_program, "\n")] = '\0';
	if (ret_program[0] == '\0')
		strcpy(ret_program, "a program");
}

/* Once for each syscall and program. */
static void tell_once(const struct denial_reports *reports, uint32_t action, void (*tell)(const char *sentence))
{
	const struct seccomp_notif *call = &reports->memory->pending.call;
	char program[DENIALS_PROGRAM_SIZE], name[SECCOMP_NAME_SIZE], sentence[512];
	const char *error = profile_errno_name(action & SECCOMP_RET_DATA);
	uint64_t id = call->id;

	if (reports->memory->told_count >= DENIALS_TOLD_MAX)
		return;
	read_program(call->pid, program);
	/* Its number may be another's by now: then it does not wait any more (seccomp_unotify(2)). */
	if (listener_ask(reports->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0 ||
		!denials_tell(reports->memory, &call->data, program))
		return;
	name_syscall(call->data.arch, (uint32_t)call->data.nr, name);
	snprintf(sentence, sizeof sentence,
		"%s (pid %u) called %s: profile %.200s answers %s; add it there if the program needs it%s", program,
		call->pid, name, reports->profile, error != NULL ? error : "an errno",
		reports->memory->told_count < DENIALS_TOLD_MAX ? "" : " (no more is told: see /metrics)");
	tell(sentence);
}

/* ---- calls ---- */

/* The call that lies in the memory. Killed anywhere in here, our successor does it again: it is counted once. A caller
 * that has died meanwhile (ENOENT) needs no answer. */
static void answer(const struct denial_reports *reports, void (*tell)(const char *sentence))
{
	struct denials *memory = reports->memory;
	const struct seccomp_notif *call = &memory->pending.call;
	union {
		struct seccomp_notif_resp answer;
		char room[LISTENER_ROOM];
	} out = { .room = { 0 } };
	uint32_t action = denials_action(memory, &call->data);

	if (action != (SECCOMP_RET_ERRNO | ENOSYS)) {
		denials_count(memory, call->id, &call->data, action);
		tell_once(reports, action, tell);
	}
	out.answer.id = call->id;
	out.answer.error = -(int)(action & SECCOMP_RET_DATA);
	listener_ask(reports->listener, SECCOMP_IOCTL_NOTIF_SEND, &out);
}

int denial_reports_open(int listener, int memory, const char *profile, void (*tell)(const char *sentence),
	struct denial_reports *ret_reports)
{
	struct denial_reports reports = { .listener = listener, .profile = profile };

	if (fcntl(memory, F_GETFD) < 0) { /* nothing is reported */
		*ret_reports = (struct denial_reports){ .listener = -1 };
		return 0;
	}
	if (fcntl(listener, F_SETFD, FD_CLOEXEC) < 0)
		reports.listener = -1; /* it comes, or by best effort the filter is in force without it */
	reports.memory = mmap(NULL, sizeof *reports.memory, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	close(memory);
	if (reports.memory == MAP_FAILED)
		return -errno;
	if (reports.listener >= 0 && reports.memory->pending.call.id != 0)
		answer(&reports, tell);
	*ret_reports = reports;
	return 0;
}

void denial_reports_go_on(struct denial_reports *reports, int listener)
{
	if (reports->listener >= 0)
		close(reports->listener);
	reports->listener = listener;
}

void denial_reports_run(struct denial_reports *reports, void (*tell)(const char *sentence))
{
	for (unsigned i = 0; i < CALLS_AT_ONCE; i++) {
		struct pollfd slot = { .fd = reports->listener, .events = POLLIN };

		/* Without a look before it the ioctl would wait. */
		if (reports->listener < 0 || poll(&slot, 1, 0) <= 0)
			return;
		if ((slot.revents & POLLIN) == 0) { /* POLLHUP: nobody is left under the filter */
			close(take_fd(&reports->listener));
			return;
		}
		memset(&reports->memory->pending, 0, sizeof reports->memory->pending); /* as the kernel wants it */
		if (listener_ask(reports->listener, SECCOMP_IOCTL_NOTIF_RECV, &reports->memory->pending) == 0)
			answer(reports, tell);
	}
}
