/* The file system as a workload sees it, by mounts: needs CAP_SYS_ADMIN, covers `docker exec` as well. */
#pragma once

#include "base/complaint.h"
#include "base/model.h"

#include <stdbool.h>

/* True if the root file system is mounted read-only already (statvfs(3)). */
bool mounts_root_is_read_only(void);

/* Checks that each path can be written to although the root is read-only: nobody here could change that.
 * Returns 0, or -EROFS or another -errno with a sentence. */
int mounts_check_writable(const struct path_list *writable, struct complaint *ret_why);

/* True if the path leads to the root directory. */
bool mounts_is_root(const char *path);

/* Gives the calling process a mount namespace of its own, whose changes nobody else sees: where we are not PID 1 the
 * mounts may be somebody else's, the host's even. Returns 0, also where CAP_SYS_ADMIN is missing (then nothing can be
 * changed anyhow), or -errno with a sentence. */
int mounts_take_own_namespace(struct complaint *ret_why);

/* Makes the whole tree of mounts read-only in place, and leaves the writable paths, those of `tmpfs` that are one
 * already, and /dev/termination-log as they are. Up to the remount itself a failure changes nothing. Returns 0, or
 * -EPERM (no CAP_SYS_ADMIN), -EBUSY (a file is open for writing) or another -errno with a sentence. */
int mounts_make_read_only(const struct path_list *writable, const struct tmpfs_list *tmpfs, struct complaint *ret_why);

/* Tells of options for a tmpfs that is there already: it keeps those that it was mounted with. */
void mounts_tell_options(const struct tmpfs_list *list, void (*warn)(const char *sentence));

/* Mounts each tmpfs (nosuid, nodev, noexec unless its options say otherwise). A path that is one already, by the
 * runtime or by an earlier start, is left as it is. Returns 0 or -errno with a sentence. */
int mounts_make_tmpfs(const struct tmpfs_list *list, struct complaint *ret_why);
