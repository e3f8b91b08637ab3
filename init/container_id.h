/* The container's id, as runtimes leave it where a process can read it (the semantic conventions' container.id). Pure.
 */
#pragma once

#define CONTAINER_ID_SIZE 65 /* 64 hexadecimal digits */

/* cgroups: the text of /proc/self/cgroup, mounts that of /proc/self/mountinfo (cgroups(7), proc(5)). Looked for in the
 * path of a cgroup, which a container with a cgroup namespace does not see, and in what the engine has mounted on
 * /etc/hostname, /etc/hosts or /etc/resolv.conf: Docker's and Podman's files are in a directory of the container,
 * containerd's in one of the pod, whose id is another one. Returns 0 or -ENODATA. */
int container_id_find(const char *cgroups, const char *mounts, char ret_id[static CONTAINER_ID_SIZE]);
