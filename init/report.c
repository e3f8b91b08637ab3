#include "init/report.h"

#include "base/log.h"

#include <string.h>
#include <unistd.h>

void report_event(
	const struct personality *personality, enum personality_event_type type, int child, int number, int other)
{
	struct personality_event event = { .type = type, .child = child, .number = number, .other = other };
	char line[PERSONALITY_LINE_SIZE];
	int fd;

	event.pid = getpid();
	event.text = personality->command[0];
	fd = personality_message(personality, &event, line);
	if (fd > 0)
		log_raw(fd, line, strlen(line));
}
