/* Where the workload says how it is (sd_notify(3)): a socket that PID 1 makes and hands to the monitor, and never looks
 * into. It outlives the monitor: what comes while there is none waits in it. */
#pragma once

#include "base/complaint.h"
#include "base/model.h"

/* Makes it, and puts NOTIFY_SOCKET into the environment, with WATCHDOG_USEC and a WATCHDOG_PID that place_pids() fills
 * in where the model has a watchdog. Before the point of no return. Returns the socket (the caller's, CLOEXEC), or
 * -errno with a sentence. */
int notify_socket_open(const struct model *model, struct complaint *ret_why);
