#include "health/notification.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define US_PER_MS 1000
#define PID_MAX (1 << 22) /* PID_MAX_LIMIT of proc(5) */
#define DIGITS_MAX 12     /* a day has 11 in microseconds */

/* One assignment: its value, up to the end of its line. */
struct value {
	const char *start;
	size_t length;
};

static bool is(struct value value, const char *text)
{
	return value.length == strlen(text) && memcmp(value.start, text, value.length) == 0;
}

/* Digits alone, of a number up to `most`; anything else is passed over. */
static bool read_number(struct value value, uint64_t most, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (value.length == 0 || value.length > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < value.length; i++) {
		if (value.start[i] < '0' || value.start[i] > '9')
			return false;
		number = 10 * number + (uint64_t)(value.start[i] - '0');
	}
	*ret_number = number;
	return number <= most;
}

static void take_watchdog(struct notification *notification, struct value value)
{
	if (is(value, "1"))
		notification->beat = NOTIFICATION_ALIVE;
	else if (is(value, "trigger"))
		notification->beat = NOTIFICATION_TRIGGER;
}

/* Rounded up, so that it is never shorter than what was said. */
static void take_watchdog_usec(struct notification *notification, struct value value)
{
	uint64_t us;

	if (read_number(value, UINT64_C(1000) * WIRE_WATCHDOG_MS_MAX, &us))
		notification->watchdog_ms = (uint32_t)((us + US_PER_MS - 1) / US_PER_MS);
}

static void take_errno(struct notification *notification, struct value value)
{
	uint64_t number;

	if (!read_number(value, WIRE_ERROR_MAX, &number))
		return;
	notification->has_error = true;
	notification->error = (uint32_t)number;
}

static void take_main_pid(struct notification *notification, struct value value)
{
	uint64_t pid;

	if (read_number(value, PID_MAX, &pid))
		notification->main_pid = (uint32_t)pid;
}

static void take_status(struct notification *notification, struct value value)
{
	size_t length = value.length < sizeof notification->status ? value.length : sizeof notification->status - 1;

	for (size_t i = 0; i < length; i++)
		notification->status[i] = (char)(value.start[i] >= ' ' && value.start[i] <= '~' ? value.start[i] : '?');
	notification->status[length] = '\0';
	notification->has_status = true;
}

/* Numbers, not functions: a table of pointers would be relocated at each start of a static-PIE program. */
enum assignment { READY, RELOADING, STOPPING, WATCHDOG, WATCHDOG_USEC, ERRNO, STATUS, MAINPID, ASSIGNMENT_COUNT };

static const char names[][16] = {
	"READY=", "RELOADING=", "STOPPING=", "WATCHDOG=", "WATCHDOG_USEC=", "ERRNO=", "STATUS=", "MAINPID="
};
static_assert(sizeof names / sizeof names[0] == ASSIGNMENT_COUNT, "a name for every assignment");

static void take(struct notification *notification, enum assignment assignment, struct value value)
{
	switch (assignment) {
	case READY:
	case RELOADING:
	case STOPPING:
		if (is(value, "1"))
			notification->said = (enum wire_said)(WIRE_SAID_READY + (assignment - READY));
		break;
	case WATCHDOG:
		take_watchdog(notification, value);
		break;
	case WATCHDOG_USEC:
		take_watchdog_usec(notification, value);
		break;
	case ERRNO:
		take_errno(notification, value);
		break;
	case STATUS:
		take_status(notification, value);
		break;
	case MAINPID:
		take_main_pid(notification, value);
		break;
	case ASSIGNMENT_COUNT:
		break;
	}
}

static void take_line(struct notification *notification, const char *line, size_t length)
{
	for (unsigned i = 0; i < ASSIGNMENT_COUNT; i++) {
		const size_t name = strlen(names[i]);

		if (length >= name && memcmp(line, names[i], name) == 0)
			take(notification, (enum assignment)i, (struct value){ line + name, length - name });
	}
}

int notification_parse(const char *bytes, size_t length, struct notification *ret_notification)
{
	struct notification notification = { 0 };

	if (length > NOTIFICATION_MAX)
		return -EMSGSIZE;
	if (length > 0 && bytes[length - 1] == '\0')
		length--;
	if (memchr(bytes, '\0', length) != NULL)
		return -EBADMSG;
	for (size_t at = 0; at < length;) {
		const char *end = memchr(bytes + at, '\n', length - at);
		const size_t line = end != NULL ? (size_t)(end - bytes) - at : length - at;

		take_line(&notification, bytes + at, line);
		at += line + 1;
	}
	*ret_notification = notification;
	return 0;
}
