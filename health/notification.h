/* What a service says of itself in a message of sd_notify(3): assignments, parted by newlines. Pure. */
#pragma once

#include "base/wire.h"

#include <stddef.h>

#define NOTIFICATION_MAX 4096 /* bytes of a message; systemd takes no longer one either */

enum notification_beat { NOTIFICATION_SILENT, NOTIFICATION_ALIVE, NOTIFICATION_TRIGGER };

struct notification {
	enum wire_said said;         /* READY=1, RELOADING=1 or STOPPING=1, the last of them; WIRE_SAID_NOTHING: none */
	enum notification_beat beat; /* WATCHDOG=1 or WATCHDOG=trigger */
	uint32_t watchdog_ms;        /* WATCHDOG_USEC=, at least 1; 0: not said, or not from 1 us to a day */
	bool has_error, has_status;
	uint32_t error;                /* ERRNO=, 0 to WIRE_ERROR_MAX */
	char status[WIRE_REASON_SIZE]; /* STATUS=, cut; what is not printable ASCII is a question mark */
	uint32_t main_pid;             /* MAINPID=; 0: not said, or no pid */
};

/* What means nothing here is passed over (MONOTONIC_USEC, EXTEND_TIMEOUT_USEC, FDSTORE, BARRIER, X_...). Returns 0,
 * -EMSGSIZE for a message that is too long, -EBADMSG for one with a NUL, but at its end: systemd takes none either. */
int notification_parse(const char *bytes, size_t length, struct notification *ret_notification);
