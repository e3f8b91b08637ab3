#include "health/command.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/fdio.h"
#include "base/signame.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child of ours is looked at this often: it may end with its output held open by somebody else. */
#define LOOK_NS (10 * NS_PER_MS)
/* PID 1 begins the time a moment after us. If it says nothing by then it never will. */
#define GRACE_NS NS_PER_S
/* Of one call, so that a command that never stops talking does not stop us. */
#define READS_AT_ONCE 16

static void close_output(struct command *command)
{
	if (command->output >= 0)
		close(command->output);
	command->output = -1;
}

/* Reads what is there. The beginning is kept, the rest is only taken, so that the command is not held up. */
static void read_output(struct command *command)
{
	char rest[4096];

	for (int i = 0; command->output >= 0 && i < READS_AT_ONCE; i++) {
		const size_t room = sizeof command->said - 1 - command->length;
		const ssize_t count = read(command->output, room > 0 ? command->said + command->length : rest,
			room > 0 ? room : sizeof rest);

		if (count < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (count <= 0)
			close_output(command);
		else if (room > 0)
			command->length += (size_t)count;
	}
}

/* A character that is whole and no control of a terminal's: U+0080 to U+009F are such (ECMA-48). Its length, or 0. */
static size_t printable(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;

	return *byte < ' ' || *byte == 0x7f || (byte[0] == 0xc2 && byte[1] < 0xa0) ? 0 : utf8_step(text);
}

/* ": its first line", in characters that harm no page and no terminal. */
static void add_first_line(struct command *command)
{
	const char *line = command->said;
	size_t at = strlen(command->reason);

	command->said[command->length] = '\0';
	line += strspn(line, " \t\r\n");
	if (*line == '\0')
		return;
	at += (size_t)snprintf(command->reason + at, sizeof command->reason - at, ": ");
	while (*line != '\0' && *line != '\n' && *line != '\r') {
		const size_t length = printable(line), taken = length > 0 ? length : 1;

		if (at + taken >= sizeof command->reason)
			break;
		memcpy(command->reason + at, length > 0 ? line : "?", taken);
		at += taken;
		line += taken;
	}
	command->reason[at] = '\0';
}

static void finish(struct command *command, bool success)
{
	read_output(command);
	close_output(command);
	add_first_line(command);
	command->success = success;
	command->running = false;
}

static void finish_with(struct command *command, const char *sentence)
{
	command->length = 0;
	snprintf(command->reason, sizeof command->reason, "%s", sentence);
	finish(command, false);
}

static void finish_status(struct command *command, int status)
{
	char name[SIGNAL_NAME_SIZE];

	if (WIFSIGNALED(status))
		snprintf(command->reason, sizeof command->reason, "killed by SIG%s",
			signal_name(WTERMSIG(status), name));
	else
		snprintf(command->reason, sizeof command->reason, "status %d", WEXITSTATUS(status));
	finish(command, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void finish_late(struct command *command)
{
	char time[DURATION_SIZE];

	duration_format(command->deadline - command->started_at, time);
	snprintf(command->reason, sizeof command->reason, "not ended within %s", time);
	finish(command, false);
}

/* Returns the writing end, or -1 with the result. */
static int begin(struct command *command, int64_t now, int64_t deadline)
{
	int ends[2];

	*command = (struct command){ .running = true, .output = -1, .started_at = now, .deadline = deadline };
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		finish_with(command, errno == EMFILE || errno == ENFILE ? "too many open files" : strerror(errno));
		return -1;
	}
	/* A pipe that does not block is a surprise to most programs. */
	fcntl(ends[1], F_SETFL, 0);
	command->output = ends[0];
	return ends[1];
}

static _Noreturn void become(char **argv, int output)
{
	const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setsid();
	if (nothing >= 0)
		dup2(nothing, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

void command_start(struct command *command, char **argv, int64_t now, int64_t deadline)
{
	const int output = begin(command, now, deadline);

	if (output < 0)
		return;
	command->pid = fork();
	if (command->pid == 0)
		become(argv, output);
	close(output);
	if (command->pid < 0)
		finish_with(command, strerror(errno));
}

void command_ask(struct command *command, int channel, uint32_t check, uint64_t life, int64_t now, int64_t deadline)
{
	const int output = begin(command, now, deadline);
	union wire_record record = { .run = { .check = check, .life = life } };
	int error;

	if (output < 0)
		return;
	wire_seal(&record, WIRE_RUN);
	error = fd_send(channel, &record, sizeof record.run, output);
	close(output);
	if (error < 0)
		finish_with(command, "PID 1 takes no order");
}

void command_ended(struct command *command, const struct wire_ran *ran)
{
	if (!command->running)
		return;
	if (ran->outcome == WIRE_OUTCOME_ENDED)
		finish_status(command, ran->status);
	else if (ran->outcome == WIRE_OUTCOME_TIMEOUT)
		finish_late(command);
	else
		finish_with(command, ran->reason);
}

void command_poll(const struct command *command, struct pollfd *ret_slot)
{
	*ret_slot = (struct pollfd){ .fd = command->running ? command->output : -1, .events = POLLIN };
}

int64_t command_wake(const struct command *command, int64_t now)
{
	if (!command->running)
		return TIME_NEVER;
	if (command->pid == 0)
		return command->deadline + GRACE_NS;
	return now + LOOK_NS < command->deadline ? now + LOOK_NS : command->deadline;
}

/* Its session's first group, while its number is its own. A system call that does not end keeps nobody waiting. */
static void kill_child(struct command *command)
{
	if (kill(-command->pid, SIGKILL) < 0)
		kill(command->pid, SIGKILL);
	waitpid(command->pid, NULL, WNOHANG);
}

enum probe_status command_advance(struct command *command, int64_t now)
{
	int status;

	if (command->running)
		read_output(command);
	if (command->running && command->pid > 0 && waitpid(command->pid, &status, WNOHANG) == command->pid) {
		kill(-command->pid, SIGKILL); /* what it left behind, if anything */
		finish_status(command, status);
	} else if (command->running && command->pid > 0 && now >= command->deadline) {
		kill_child(command);
		finish_late(command);
	} else if (command->running && now >= command->deadline + GRACE_NS) {
		finish_with(command, "PID 1 has not told of its end");
	}
	return command->running ? PROBE_RUNNING : PROBE_DONE;
}

bool command_result(const struct command *command, const char **ret_reason)
{
	*ret_reason = command->reason;
	return command->success;
}

void command_cancel(struct command *command)
{
	if (!command->running)
		return;
	if (command->pid > 0)
		kill_child(command);
	close_output(command);
	command->running = false;
}
