#include "init/capabilities.h"

#include "base/capname.h"

#include <cap-ng.h>
#include <errno.h>

/* The sets of libcap-ng and ours, one row each. */
#define SET_COUNT 5
static capng_type_t set_type(size_t i)
{
	static const capng_type_t types[SET_COUNT] = { CAPNG_BOUNDING_SET, CAPNG_PERMITTED, CAPNG_EFFECTIVE,
		CAPNG_INHERITABLE, CAPNG_AMBIENT };

	return types[i];
}

static uint64_t *set_of(struct capability_sets *sets, size_t i)
{
	uint64_t *const sets_in_order[SET_COUNT] = { &sets->bounding, &sets->permitted, &sets->effective,
		&sets->inheritable, &sets->ambient };

	return sets_in_order[i];
}

static void load_state(struct capability_sets sets)
{
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < SET_COUNT; i++)
		for (unsigned cap = 0; cap < CAPNAME_COUNT; cap++)
			if ((*set_of(&sets, i) >> cap & 1) != 0)
				capng_update(CAPNG_ADD, set_type(i), cap);
}

int capabilities_read(struct capability_sets *ret_sets, struct complaint *ret_why)
{
	struct capability_sets sets = { 0 };

	if (capng_get_caps_process() != 0)
		return complain(ret_why, EIO, "cannot read the capabilities of this process");
	for (size_t i = 0; i < SET_COUNT; i++)
		for (unsigned cap = 0; cap < CAPNAME_COUNT; cap++)
			if (capng_have_capability(set_type(i), cap))
				*set_of(&sets, i) |= UINT64_C(1) << cap;
	*ret_sets = sets;
	return 0;
}

int capabilities_raise(struct complaint *ret_why)
{
	struct capability_sets sets;
	int error = capabilities_read(&sets, ret_why);

	if (error < 0)
		return error;
	sets.effective = sets.permitted;
	load_state(sets);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return complain(ret_why, EPERM, "cannot make the permitted capabilities effective");
	return 0;
}

int capabilities_apply(const struct capability_sets *want, struct complaint *ret_why)
{
	struct capability_sets have;
	int error = capabilities_read(&have, ret_why);

	if (error < 0)
		return error;
	load_state(*want);
	/* libcap-ng insists on CAP_SETPCAP even where there is nothing to drop. */
	if (have.bounding != want->bounding && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
		return complain(ret_why, EPERM, "cannot reduce the bounding set");
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return complain(ret_why, EPERM, "cannot set the permitted, effective and inheritable sets");
	if (capng_apply(CAPNG_SELECT_AMBIENT) != 0)
		return complain(ret_why, EPERM, "cannot set the ambient set");
	return 0;
}
