#include "init/capability_plan.h"

#include "base/capname.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>

/* The name of the lowest capability of a set that is not empty. */
static const char *first_name(uint64_t set)
{
	unsigned lowest = (unsigned)__builtin_ctzll(set);

	return lowest < CAPNAME_COUNT ? capname(lowest) : "unknown";
}

#define SETPCAP (UINT64_C(1) << CAP_SETPCAP)

static uint64_t asked_to_add(const struct capability_sets *have, const struct confinement *asked)
{
	/* "--cap-add all" is what the container has (asking for the impossible would never start), without what is
	 * dropped by name: so docker run understands the two. */
	uint64_t dropped_by_name = asked->cap_drop == UINT64_MAX ? 0 : asked->cap_drop;

	if (asked->cap_add == UINT64_MAX)
		return have->permitted & have->bounding & ~dropped_by_name;
	return asked->cap_add & ((UINT64_C(1) << CAPNAME_COUNT) - 1);
}

/* Root that gets no capability for being root has what another user has: what is ambient. */
static bool takes_ambient(const struct confinement *asked, bool runs_as_root)
{
	return !runs_as_root || (asked->securebits & SECBIT_NOROOT) != 0;
}

static struct capability_sets sets_for(const struct capability_sets *have, uint64_t bounding, uint64_t add,
	const struct confinement *asked, bool runs_as_root)
{
	struct capability_sets sets = { .bounding = bounding };

	sets.permitted = runs_as_root ? bounding & have->permitted : add;
	sets.effective = sets.permitted;
	sets.inheritable = takes_ambient(asked, runs_as_root) ? sets.permitted : 0;
	sets.ambient = sets.inheritable;
	return sets;
}

int capability_plan(const struct capability_sets *have, const struct confinement *asked, bool runs_as_root,
	struct capability_sets *ret_want, struct complaint *ret_why)
{
	uint64_t add = asked_to_add(have, asked), missing = add & ~(have->permitted & have->bounding);
	uint64_t bounding = (have->bounding & ~asked->cap_drop) | add;

	if (missing != 0)
		return complain(ret_why, EPERM,
			"cannot add %s: the container does not have it (start it with --cap-add %s)",
			first_name(missing), first_name(missing));
	if (bounding != have->bounding && (have->permitted & SETPCAP) == 0)
		return complain(ret_why, EPERM, "cannot drop %s from the bounding set without CAP_SETPCAP (%s)",
			first_name(have->bounding & ~bounding),
			asked->has_joined ? "docker exec without --user, and --user here"
					  : "start the container with --cap-drop, or as root with --user here");
	*ret_want = sets_for(have, bounding, add, asked, runs_as_root);
	return 0;
}

void capability_plan_possible(const struct capability_sets *have, const struct confinement *asked, bool runs_as_root,
	struct capability_sets *ret_want)
{
	uint64_t add = asked_to_add(have, asked) & have->permitted & have->bounding;
	uint64_t kept = (have->bounding & ~asked->cap_drop) | add;
	struct capability_sets sets = sets_for(have, kept, add, asked, runs_as_root);

	if ((have->permitted & SETPCAP) == 0)
		sets.bounding = have->bounding;
	*ret_want = sets;
}

uint64_t capability_plan_own(const struct capability_sets *have, uint64_t workload, bool same_user, uint64_t to_start)
{
	uint64_t keep = have->permitted & (UINT64_C(1) << CAP_KILL | to_start);
	uint64_t lacked = have->permitted & ~workload;

	if (same_user && (keep & ~workload) == 0 && lacked != 0)
		keep |= UINT64_C(1) << (63 - __builtin_clzll(lacked));
	return keep;
}
