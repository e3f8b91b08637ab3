#include "init/restart.h"

void restart_init(struct restart *restart, const struct restart_policy *policy)
{
	*restart = (struct restart){ .backoff_ns = policy->backoff_ns };
}

bool restart_is_wanted(const struct restart_policy *policy, bool failed)
{
	return policy->kind == RESTART_ALWAYS || (policy->kind == RESTART_ON_FAILURE && failed);
}

bool restart_count(struct restart *restart, const struct restart_policy *policy, int64_t now)
{
	if (restart->in_window == 0 || now - restart->window_at_ns >= policy->window_ns) {
		restart->window_at_ns = now;
		restart->in_window = 0;
	}
	if (policy->attempts != 0 && restart->in_window >= policy->attempts)
		return false;
	if (restart->in_window < UINT32_MAX)
		restart->in_window++;
	return true;
}

/* 0 to limit. Fibonacci hashing: the lowest bits of a time in nanoseconds are as good as random, and the upper half of
 * the product depends on them. */
static int64_t scatter(int64_t limit, int64_t now)
{
	uint64_t mixed = (uint64_t)now * UINT64_C(0x9e3779b97f4a7c15);

	return (int64_t)((mixed ^ mixed >> 32) % ((uint64_t)limit + 1));
}

int64_t restart_backoff(struct restart *restart, const struct restart_policy *policy, int64_t lived_ns, int64_t now)
{
	int64_t backoff = lived_ns >= policy->max_backoff_ns ? policy->backoff_ns : restart->backoff_ns;

	if (backoff > policy->max_backoff_ns)
		backoff = policy->max_backoff_ns;
	restart->backoff_ns = 2 * backoff;
	return backoff + scatter(backoff / 10, now);
}
