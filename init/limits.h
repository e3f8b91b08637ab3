/* Resource limits and the weight before the OOM killer, of the process that is to become the workload. */
#pragma once

#include "base/complaint.h"
#include "base/model.h"

/* Puts every limit in force that can be; of a hard limit that may not be raised all that there is. Needs
 * CAP_SYS_RESOURCE to raise a hard limit or to lower oom_score_adj, and /proc for the latter. Returns 0, or -errno with
 * a sentence about the first that could not be had in full. */
int limits_apply(const struct limits *asked, struct complaint *ret_why);
