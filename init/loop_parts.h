/* What the files of the loop share, and nobody else is to call: init/loop.c takes what happened from the kernel,
 * loop_units.c knows who is started and stopped by it, loop_manager.c tells the service manager, and loop_logs.c waits
 * for log processes at the very end. */
#pragma once

#include "init/loop.h"

/* ---- loop_units.c ---- */

/* A service that the container is there for. */
bool loop_matters(const struct loop *loop, size_t number);

/* It is being stopped by hand, or was, or is to be another one: the container stays. */
bool loop_is_held(const struct loop *loop, const struct unit *unit);

/* It was started, and nobody has reaped it. */
bool loop_has_main(const struct unit *unit);

/* Does all that is to be done now. What an action leads to is done here as well, not within it. info: of the signal
 * that asks, or NULL. */
void loop_coordinate_by(struct loop *loop, const siginfo_t *info);

/* ---- loop_manager.c ---- */

/* READY=1 goes out once, whatever is started again later, and never after a stop began. */
void loop_tell_ready(struct loop *loop);

/* As long as no service is dead; else the manager is to act, and the log says why it will. */
void loop_feed_watchdog(struct loop *loop, int64_t now);

/* ---- loop_logs.c ---- */

/* A child was reaped. Returns whether it was a log process. */
bool loop_log_process_ended(struct loop *loop, pid_t pid, int status);

/* Nobody is left but log processes: they write what they have not written yet, within LOGS_END_NS, and then each life
 * that has ended is told. Signals have nobody to go to any more. */
void loop_finish_logs(struct loop *loop);
