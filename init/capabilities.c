#include "init/capabilities.h"

#include "base/capname.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static uint64_t both_halves(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

/* Not capng_get_caps_process(): that prints and reads /proc/self/status twice, which is a tenth of a confined start,
 * and needs /proc. */
int capabilities_read(struct capability_sets *ret_sets, struct complaint *ret_why)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	struct capability_sets sets = { 0 };
	uint64_t may_be_ambient;

	/* Its first call looks around and allocates: now, not below the point of no return (capabilities_keep()). */
	capng_clear(CAPNG_SELECT_ALL);
	if (syscall(SYS_capget, &header, data) < 0)
		return complain(ret_why, errno, "cannot read the capabilities of this process: %s", strerror(errno));
	sets.permitted = both_halves(data[0].permitted, data[1].permitted);
	sets.effective = both_halves(data[0].effective, data[1].effective);
	sets.inheritable = both_halves(data[0].inheritable, data[1].inheritable);
	may_be_ambient = sets.permitted & sets.inheritable; /* the kernel's invariant (capabilities(7)) */
	for (unsigned cap = 0; cap < CAPNAME_COUNT; cap++) {
		const uint64_t bit = UINT64_C(1) << cap;

		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			sets.bounding |= bit;
		if ((may_be_ambient & bit) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			sets.ambient |= bit;
	}
	*ret_sets = sets;
	return 0;
}

int capabilities_set_effective(const struct capability_sets *have, uint64_t effective, struct complaint *ret_why)
{
	struct capability_sets sets = *have;

	sets.effective = effective;
	load_state(sets);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return complain(ret_why, EPERM, "cannot make the permitted capabilities effective");
	return 0;
}

int capabilities_raise(const struct capability_sets *have, struct complaint *ret_why)
{
	return capabilities_set_effective(have, have->permitted, ret_why);
}

int capabilities_keep(const struct capability_sets *have, uint64_t keep, struct complaint *ret_why)
{
	struct capability_sets sets = {
		.bounding = have->bounding, .permitted = have->permitted & keep, .effective = have->effective & keep
	};

	load_state(sets);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return complain(ret_why, EPERM, "cannot give up capabilities");
	return 0;
}

/* Not capng_apply(CAPNG_SELECT_BOUNDS): that reads /proc/self/status four times before it drops anything, which is a
 * fifth of a confined start, and insists on CAP_SETPCAP even where there is nothing to drop. */
static int drop_from_bounding_set(uint64_t set, struct complaint *ret_why)
{
	for (unsigned cap = 0; cap < CAPNAME_COUNT; cap++)
		if ((set >> cap & 1) != 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return complain(ret_why, errno, "cannot drop %s from the bounding set: %s", capname(cap),
				strerror(errno));
	return 0;
}

int capabilities_add_securebits(uint32_t bits, struct complaint *ret_why)
{
	int has = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);

	if (has < 0)
		return complain(ret_why, errno, "cannot read them: %s", strerror(errno));
	if ((bits & ~(uint32_t)has) == 0)
		return 0;
	if (prctl(PR_SET_SECUREBITS, ((uint32_t)has & ~(uint32_t)SECBIT_KEEP_CAPS) | bits, 0, 0, 0) < 0)
		return complain(ret_why, errno,
			"cannot set them: %s (it needs CAP_SETPCAP: start the container with it, and as root with "
			"--user here)",
			strerror(errno));
	has = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
	if (has < 0 || (bits & ~(uint32_t)has) != 0)
		return complain(ret_why, EPERM, "the kernel did not take them");
	return 0;
}

int capabilities_apply(
	const struct capability_sets *have, const struct capability_sets *want, struct complaint *ret_why)
{
	int error = drop_from_bounding_set(have->bounding & ~want->bounding, ret_why);

	if (error < 0)
		return error;
	load_state(*want);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return complain(ret_why, EPERM, "cannot set the permitted, effective and inheritable sets");
	if (capng_apply(CAPNG_SELECT_AMBIENT) != 0)
		return complain(ret_why, EPERM, "cannot set the ambient set");
	return 0;
}
