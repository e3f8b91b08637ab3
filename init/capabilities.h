/* Capability sets of this process through libcap-ng, which no other file knows. */
#pragma once

#include "init/capability_plan.h"

/* Reads the five sets. Returns 0 or -EIO with a sentence. */
int capabilities_read(struct capability_sets *ret_sets, struct complaint *ret_why);

/* Makes effective what is permitted: after a change of uid with PR_SET_KEEPCAPS only the permitted set is left.
 * have: the sets read before that change. Returns 0 or -EPERM with a sentence. */
int capabilities_raise(const struct capability_sets *have, struct complaint *ret_why);

/* Makes these effective alone, for a while: all that is permitted stays so. have: the sets as they are. Returns 0 or
 * -EPERM with a sentence. */
int capabilities_set_effective(const struct capability_sets *have, uint64_t effective, struct complaint *ret_why);

/* Gives up for good what is not in `keep`, of the permitted and the effective set, and the whole inheritable set; the
 * bounding set stays. One capset(2), which neither blocks nor allocates: PID 1 calls it while the workload runs.
 * Returns 0 or -EPERM with a sentence. have: the sets as they are. */
int capabilities_keep(const struct capability_sets *have, uint64_t keep, struct complaint *ret_why);

/* Adds to the securebits of this process, which takes CAP_SETPCAP unless they are there. Clears keep_caps, as execve(2)
 * would. Returns 0, or -errno with a sentence. */
int capabilities_add_securebits(uint32_t bits, struct complaint *ret_why);

/* Puts all five sets in force: bounding first, while CAP_SETPCAP is still there. have: the sets as they were read.
 * Returns 0 or -EPERM with a sentence. */
int capabilities_apply(
	const struct capability_sets *have, const struct capability_sets *want, struct complaint *ret_why);
