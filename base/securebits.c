#include "base/securebits.h"

#include <errno.h>
#include <linux/securebits.h>
#include <string.h>

/* Each bit has the one that locks it behind it (linux/securebits.h). */
static const char names[SECUREBITS_COUNT][28] = {
	[SECURE_NOROOT] = "noroot",
	[SECURE_NOROOT_LOCKED] = "noroot_locked",
	[SECURE_NO_SETUID_FIXUP] = "no_setuid_fixup",
	[SECURE_NO_SETUID_FIXUP_LOCKED] = "no_setuid_fixup_locked",
	[SECURE_KEEP_CAPS] = "keep_caps",
	[SECURE_KEEP_CAPS_LOCKED] = "keep_caps_locked",
	[SECURE_NO_CAP_AMBIENT_RAISE] = "no_cap_ambient_raise",
	[SECURE_NO_CAP_AMBIENT_RAISE_LOCKED] = "no_cap_ambient_raise_locked",
};

const char *securebits_name(unsigned bit)
{
	return names[bit];
}

int securebits_parse(const char *text, uint32_t *ret_bit)
{
	for (unsigned i = 0; i < SECUREBITS_COUNT; i++) {
		if (i != SECURE_KEEP_CAPS && strcmp(text, names[i]) == 0) {
			*ret_bit = UINT32_C(1) << i;
			return 0;
		}
	}
	return -EINVAL;
}
