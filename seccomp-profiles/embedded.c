#include "seccomp-profiles/embedded.h"

#include "seccomp-profiles/embedded_data.h"

#include <string.h>

const struct embedded_profile *embedded_at(size_t index)
{
	for (size_t i = 0; embedded_profiles[i].name[0] != '\0'; i++)
		if (i == index)
			return &embedded_profiles[i];
	return NULL;
}

const struct embedded_profile *embedded_find(const char *name)
{
	const struct embedded_profile *profile;

	for (size_t i = 0; (profile = embedded_at(i)) != NULL; i++)
		if (strcmp(profile->name, name) == 0)
			return profile;
	return NULL;
}

const struct sock_filter *embedded_insn(const struct embedded_profile *profile)
{
	return &embedded_insns[profile->first];
}
