/* --user NAME or UID[:GID], read from the text of /etc/passwd and /etc/group without NSS: a static binary in an empty
 * image has no modules to load, and PID 1 asks no daemon. Pure. */
#pragma once

#include "base/complaint.h"

#include <stddef.h>
#include <sys/types.h>

#define IDENTITY_GROUPS_MAX 64

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t group[IDENTITY_GROUPS_MAX]; /* supplementary groups: the user's own, none for a bare uid */
	size_t group_count;
	char home[256]; /* "" when /etc/passwd does not say */
};

/* passwd and group: the texts of /etc/passwd and /etc/group (passwd(5), group(5)), "" where there is no such file.
 * A number is a uid even where a user is so named; a bare uid that /etc/passwd has gets that user's group (as docker
 * run does), one that it does not have gets gid 0. GID may be a name, too. More than IDENTITY_GROUPS_MAX supplementary
 * groups are refused, not cut. Returns 0, or -ENOENT, -EINVAL, -ERANGE, -E2BIG with a sentence. */
int identity_resolve(const char *user, const char *passwd, const char *group, struct identity *ret_identity,
	struct complaint *ret_why);

/* Adds a supplementary group, NAME or GID, that is not among them yet. group: as above. Returns 0, or -ENOENT, -ERANGE
 * or -E2BIG with a sentence. */
int identity_add_group(const char *name, const char *group, struct identity *identity, struct complaint *ret_why);
