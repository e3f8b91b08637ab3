/* The log hears of each verdict that changes. Of checks that flap, and of a thousand that fail at once, it hears the
 * first, and later how each stands. */
#pragma once

#include "health/checks.h"

/* checks: borrowed. Returns 0 or -ENOMEM. */
int verdict_log_init(const struct checks *checks);

/* The verdict of a check has changed, from what it was before. expected: nobody need be warned. */
void verdict_log_change(size_t index, enum verdict_state before, bool expected);

/* Tells of those that were passed over, as far as there is room. */
void verdict_log_run(int64_t now);
