#include "init/capability_plan.h"

#include "base/capname.h"

#include <errno.h>
#include <linux/capability.h>

/* The name of the lowest capability of a set that is not empty. */
static const char *first_name(uint64_t set)
{
	unsigned lowest = (unsigned)__builtin_ctzll(set);

	return lowest < CAPNAME_COUNT ? capname(lowest) : "unknown";
}

int capability_plan(const struct capability_sets *have, const struct confinement *asked, bool runs_as_root,
	struct capability_sets *ret_want, struct complaint *ret_why)
{
	uint64_t known = (UINT64_C(1) << CAPNAME_COUNT) - 1;
	/* "--cap-add all" is what the container has (asking for the impossible would never start), without what is
	 * dropped by name: so docker run understands the two. */
	uint64_t dropped_by_name = asked->cap_drop == UINT64_MAX ? 0 : asked->cap_drop;
	uint64_t all = have->permitted & have->bounding & ~dropped_by_name;
	uint64_t add = asked->cap_add == UINT64_MAX ? all : asked->cap_add & known;
	uint64_t missing = add & ~(have->permitted & have->bounding);
	struct capability_sets want = { .bounding = (have->bounding & ~asked->cap_drop) | add };

	if (missing != 0)
		return complain(ret_why, EPERM,
			"cannot add %s: the container does not have it (start it with --cap-add %s)",
			first_name(missing), first_name(missing));
	if (want.bounding != have->bounding && (have->permitted & UINT64_C(1) << CAP_SETPCAP) == 0)
		return complain(ret_why, EPERM,
			"cannot drop %s from the bounding set without CAP_SETPCAP "
			"(start the container with --cap-drop, or as root with --user here)",
			first_name(have->bounding & ~want.bounding));
	want.permitted = runs_as_root ? want.bounding & have->permitted : add;
	want.effective = want.permitted;
	want.inheritable = runs_as_root ? 0 : add;
	want.ambient = want.inheritable;
	*ret_want = want;
	return 0;
}
