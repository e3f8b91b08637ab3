/* A read-only file system by Landlock (landlock(7)): for containers that may not mount, whatever their uid. */
#pragma once

#include "base/complaint.h"
#include "base/model.h"

/* The Landlock ABI of the kernel, 1 or more, or 0 where there is none (not built in, disabled, or filtered). */
unsigned landlock_abi(void);

/* From here on this process and its children write nowhere but below the paths of `writable` and `tmpfs`, to what
 * standard input, output and error are (those that are open for writing), to /dev/null and its like, to terminals and
 * to /dev/termination-log. Reading and executing are not touched. Needs no_new_privs or CAP_SYS_ADMIN. Returns 0 or
 * -errno with a sentence; -ENOSYS also where an old kernel's rules are in force, but let files be cut (below ABI 3). */
int landlock_make_read_only(
	const struct path_list *writable, const struct tmpfs_list *tmpfs, struct complaint *ret_why);

/* From here on this process and its children bind TCP sockets to no other ports than those of `bind`, and connect them
 * to none but those of `connect` (where the list is given). UDP is not touched, nor listen(2) of a socket that was
 * never bound, which takes a free port. Needs ABI 4 (Linux 6.7). As above. */
int landlock_allow_ports(const struct port_list *bind, const struct port_list *connect, struct complaint *ret_why);

/* From here on this process and its children execute nothing but `command`, the files of `allowed`, what these take to
 * be executed (program.h), and what is below the directories of `allowed`. Reading is not touched, nor what is mapped
 * as a library: a dynamic loader that is on the list runs whatever it can read, and an interpreter any script. As
 * above. */
int landlock_allow_exec(const struct path_list *allowed, const char *command, struct complaint *ret_why);
