/* What a monitor is to know of a run whose configuration is a file: PID 1's own model, as a file in memory. The monitor
 * would read another one where it has changed since, and has no environment to find ${VARIABLES} in. */
#pragma once

#include "base/complaint.h"
#include "base/model.h"

/* Returns the descriptor (the caller's, CLOEXEC; nobody can change what it holds), or -errno with a sentence. */
int monitor_model_open(const struct model *model, struct complaint *ret_why);

/* The same in steps, where a child does the writing: empty memory (a descriptor, or -errno), the text, and that nobody
 * changes it any more (0 or -errno). The first and the last do not block. */
int monitor_model_memory(void);
int monitor_model_write(const struct model *model, int fd);
int monitor_model_seal(int fd);
