/* What is known of a unit's end, gathered on the way and told when it is over (init/death.h). No call here
 * waits for anybody, and none allocates but the list of /proc, whose size is bounded (opendir(3)). */
#pragma once

#include "init/unit.h"

/* The workload executes: what the kernel counted before that is none of its doing. */
void certificate_begin(struct unit *unit);

/* A deadline has passed. */
void certificate_deadline(struct unit *unit, enum wire_deadline deadline);

/* SIGKILL is about to be sent to all: who is left is known now, and in a moment no more. */
void certificate_killing(struct unit *unit);

/* The main process was reaped with this wait status. */
void certificate_end(struct unit *unit, int status);

/* The same sentence as far as it is known by now, for the snapshot alone. */
void certificate_foretell(struct unit *unit);

/* All is over, or a life is: one line in the log, in the snapshot, and in Kubernetes' file. */
void certificate_tell(struct unit *unit);
