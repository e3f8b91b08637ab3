/* libFuzzer: reads a message of sd_notify(3), and holds what comes of it to what a record on the wire may hold. Built
 * and run by tests/fuzz/run. */
#include "health/notification.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static int is_fine(const struct notification *notification)
{
	union wire_record record = { .notified = { .said = notification->said,
					     .error = notification->error,
					     .watchdog_ms = notification->watchdog_ms } };

	memcpy(record.notified.status, notification->status, sizeof record.notified.status);
	wire_seal(&record, WIRE_NOTIFIED);
	if (wire_validate(&record, sizeof record.notified) < 0)
		return 0;
	for (const char *at = notification->status; *at != '\0'; at++)
		if (*at < ' ' || *at > '~')
			return 0;
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct notification notification;
	char *exact = malloc(length); /* so that one byte too many is seen */

	if (exact == NULL)
		return 0;
	memcpy(exact, bytes, length);
	if (notification_parse(exact, length, &notification) == 0 && !is_fine(&notification))
		abort();
	free(exact);
	return 0;
}
