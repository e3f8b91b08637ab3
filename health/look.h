/* One look of a check, whatever it looks at: a probe of a target, or a command. The caller's loop waits, as
 * health/probe.h has it. A zeroed struct was never started: it may be cancelled. */
#pragma once

#include "health/command.h"

struct look {
	bool by_command;
	union {
		struct probe probe;
		struct command command;
	};
};

/* Begins. The check is borrowed as long as it goes. A command runs as a child of ours. */
void look_start(struct look *look, const struct check *check, int64_t now, int64_t deadline);

/* The same in the monitor: PID 1 runs the command. index: the check's, life: the service's. */
void look_start_by(struct look *look, const struct check *check, int channel, uint32_t index, uint64_t life,
	int64_t now, int64_t deadline);

void look_poll(const struct look *look, struct pollfd *ret_slot);
int64_t look_wake(const struct look *look, int64_t now);
enum probe_status look_advance(struct look *look, int64_t now);
bool look_result(const struct look *look, const char **ret_reason);
void look_cancel(struct look *look);
