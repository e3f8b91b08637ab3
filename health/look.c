#include "health/look.h"

static void start_probe(struct look *look, const struct check *check, int64_t now, int64_t deadline)
{
	look->by_command = false;
	probe_start(&look->probe, &check->target, &check->exchange, now, deadline);
}

void look_start(struct look *look, const struct check *check, int64_t now, int64_t deadline)
{
	if (check->command == NULL) {
		start_probe(look, check, now, deadline);
		return;
	}
	look->by_command = true;
	command_start(&look->command, check->command, now, deadline);
}

void look_start_by(struct look *look, const struct check *check, int channel, uint32_t index, uint64_t life,
	int64_t now, int64_t deadline)
{
	if (check->command == NULL) {
		start_probe(look, check, now, deadline);
		return;
	}
	look->by_command = true;
	command_ask(&look->command, channel, index, life, now, deadline);
}

void look_poll(const struct look *look, struct pollfd *ret_slot)
{
	if (look->by_command)
		command_poll(&look->command, ret_slot);
	else
		probe_poll(&look->probe, ret_slot);
}

int64_t look_wake(const struct look *look, int64_t now)
{
	return look->by_command ? command_wake(&look->command, now) : probe_wake(&look->probe);
}

enum probe_status look_advance(struct look *look, int64_t now)
{
	return look->by_command ? command_advance(&look->command, now) : probe_advance(&look->probe, now);
}

bool look_result(const struct look *look, const char **ret_reason)
{
	return look->by_command ? command_result(&look->command, ret_reason) : probe_result(&look->probe, ret_reason);
}

void look_cancel(struct look *look)
{
	if (look->by_command)
		command_cancel(&look->command);
	else
		probe_cancel(&look->probe);
}
