/* What a monitor is to know of a run whose configuration is a file: PID 1's own model, as a file in memory. The monitor
 * would read another one where it has changed since, and has no environment to find ${VARIABLES} in. */
#pragma once

#include "base/complaint.h"
#include "base/model.h"

/* Returns the descriptor (the caller's, CLOEXEC; nobody can change what it holds), or -errno with a sentence. */
int monitor_model_open(const struct model *model, struct complaint *ret_why);
