/* Where the monitor answers `nest-init health` and `nest-init status`, and takes what `nest-init ctl` wants: an
 * abstract Unix socket (unix(7)), which needs no writable file system. Its name holds the inode of the PID namespace,
 * because the containers of a pod may share one network namespace. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

/* Overrides the name; PID 1 sets it for its workload when it is not PID 1 of its namespace. */
#define CONTROL_VARIABLE "NEST_INIT_CONTROL"

/* The address of this PID namespace's nest-init. pid: 1, or the pid of one that is not PID 1. Without /proc the inode
 * is given as 0. */
void control_address(pid_t pid, struct sockaddr_un *ret_address, socklen_t *ret_length);

/* The address that a client asks: what CONTROL_VARIABLE says, else PID 1's. */
void control_client_address(struct sockaddr_un *ret_address, socklen_t *ret_length);

/* The name within an address, for CONTROL_VARIABLE and for messages. */
const char *control_name(const struct sockaddr_un *address);

/* True if the peer of a connection may change anything: root, or `own`, the user of PID 1; and in our PID namespace or
 * below it: who shares the network alone, as the containers of a pod do, has nothing to say here. Asks the kernel,
 * which knows who has connected (SO_PEERCRED, unix(7)); never blocks. */
bool control_may_order(int connection, uid_t own);

/* The user who made the other end of a socket pair or has connected to a socket; (uid_t)-1 where nobody can say. */
uid_t control_peer(int connection);
