/* The command of an exec check under way: what it says, when it ends, what that means. It runs as a child of ours
 * (nest-init probe), or PID 1 runs it for us, inside the service's confinement, and tells us of its end. The interface
 * is that of health/probe.h, and nothing here waits either. */
#pragma once

#include "base/wire.h"
#include "health/probe.h"

#include <sys/types.h>

#define COMMAND_OUTPUT_SIZE 256 /* of which its first line is told */

struct command {
	bool running;
	bool success;
	pid_t pid;  /* of our child; 0: PID 1 runs it */
	int output; /* reading end of its output; -1 once that has ended */
	int64_t started_at;
	int64_t deadline;
	size_t length;
	char said[COMMAND_OUTPUT_SIZE];
	char reason[PROBE_REASON_SIZE];
};

/* Starts it as a child of ours, in a session of its own. */
void command_start(struct command *command, char **argv, int64_t now, int64_t deadline);

/* Asks PID 1 to run it, by its check's index. */
void command_ask(struct command *command, int channel, uint32_t check, uint64_t life, int64_t now, int64_t deadline);

/* PID 1 has told of its end. */
void command_ended(struct command *command, const struct wire_ran *ran);

void command_poll(const struct command *command, struct pollfd *ret_slot);
int64_t command_wake(const struct command *command, int64_t now);
enum probe_status command_advance(struct command *command, int64_t now);
bool command_result(const struct command *command, const char **ret_reason);

/* Gives up: a child of ours is killed and reaped. */
void command_cancel(struct command *command);
