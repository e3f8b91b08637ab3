/* Which of the five capability sets (capabilities(7)) a workload is to have. Pure arithmetic. */
#pragma once

#include "base/complaint.h"
#include "base/model.h"

struct capability_sets { /* a bit for each capability number */
	uint64_t bounding, permitted, effective, inheritable, ambient;
};

/* From the sets this process has and from --cap-drop and --cap-add, the sets for a workload that runs as root or not.
 *
 * The base is what the container has (its bounding set); it loses what is dropped and keeps what is added ("all": what
 * the container has, without what is dropped by name). Root's permitted and effective sets are then the bounding set,
 * and it inherits nothing. Another user gets nothing but what --cap-add names, through the ambient set, as execve(2)
 * would take everything else away.
 *
 * Under SECBIT_NOROOT execve(2) gives root nothing for being root: its permitted set then is ambient as well.
 *
 * Returns 0, or -EPERM with a sentence: an added capability that this process does not hold, or a bounding set that is
 * to shrink without CAP_SETPCAP. */
int capability_plan(const struct capability_sets *have, const struct confinement *asked, bool runs_as_root,
	struct capability_sets *ret_want, struct complaint *ret_why);

/* The same as far as it goes, for best effort: adds what the container has, drops from the bounding set where that is
 * possible and from the other sets in any case. */
void capability_plan_possible(const struct capability_sets *have, const struct confinement *asked, bool runs_as_root,
	struct capability_sets *ret_want);

/* What PID 1 keeps of its permitted set once the workload runs: CAP_KILL, to signal other users' processes; and
 * to_start, what it takes to start whatever may yet be started. A workload of its own uid that
 * held all of that could trace PID 1 (ptrace(2)) and so leave its filter: there PID 1 keeps also one that the workload
 * lacks. */
uint64_t capability_plan_own(const struct capability_sets *have, uint64_t workload, bool same_user, uint64_t to_start);
