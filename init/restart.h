/* Whether a service that ended is started again, and when: Docker's restart policies (docker run --restart) with a
 * backoff that doubles, and a limit of starts in a window as systemd has it (StartLimitBurst=, systemd.unit(5)). Pure;
 * times are nanoseconds of one clock. */
#pragma once

#include "base/model.h"

struct restart {
	int64_t window_at_ns; /* when the first of the starts that are counted was asked for */
	uint32_t in_window;   /* how many there were since; stops at UINT32_MAX */
	int64_t backoff_ns;   /* of the next one */
};

/* Nothing was started again yet. */
void restart_init(struct restart *restart, const struct restart_policy *policy);

/* Whether the policy says so; failed: the end was no success. A limit is not looked at. */
bool restart_is_wanted(const struct restart_policy *policy, bool failed);

/* Counts one start at the time `now`. False if the window is full: then nothing is counted. */
bool restart_count(struct restart *restart, const struct restart_policy *policy, int64_t now);

/* How long to wait before it, for a service that had run for lived_ns: the first backoff if that was as long as the
 * longest one, else twice what it was before. Up to a tenth is added, so that what failed together does not come back
 * together; `now` is what is random in it. */
int64_t restart_backoff(struct restart *restart, const struct restart_policy *policy, int64_t lived_ns, int64_t now);
