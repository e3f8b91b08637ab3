/* The profiles that are compiled when nest-init is built: bytes of the target's architecture, in the binary. */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* Arrays rather than pointers: nothing here needs a relocation when a static-PIE program starts. */
struct embedded_profile {
	char name[16];           /* "default", "node", "monitor" */
	char default_action[32]; /* "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS" */
	char sha256[65];         /* of the BPF bytes, in hex: what sha256sum says of `seccomp compile NAME -o OUT` */
	uint16_t length;         /* instructions */
	uint32_t first;          /* where they begin; embedded_insn() knows of what */
	uint32_t flags;          /* for seccomp(2) */
};

/* The profile of that name, or NULL. */
const struct embedded_profile *embedded_find(const char *name);
/* The profiles in the order of their names, NULL behind the last one. */
const struct embedded_profile *embedded_at(size_t index);
/* Its `length` instructions. */
const struct sock_filter *embedded_insn(const struct embedded_profile *profile);
