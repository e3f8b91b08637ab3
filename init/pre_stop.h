/* The command that runs before a unit is sent the stop signal. PID 1 waits for none of it: that it ends, or has had its
 * time, are events as others are. */
#pragma once

#include "init/unit.h"

/* Starts it. */
void pre_stop_start(struct unit *unit);

/* It has had its time, or another stop signal came: SIGKILL to its group. */
void pre_stop_kill(struct unit *unit);

/* A child was reaped. Returns whether it was this unit's command. */
bool pre_stop_ended(struct unit *unit, pid_t pid, int status);
