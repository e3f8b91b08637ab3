#include "base/control.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The first byte of an abstract name is NUL, the name follows. */
static void set_name(const char *name, struct sockaddr_un *address, socklen_t *ret_length)
{
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "%s", name);
	*ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address->sun_path + 1));
}

void control_address(pid_t pid, struct sockaddr_un *ret_address, socklen_t *ret_length)
{
	struct stat namespace;
	char name[64];
	unsigned long long inode = stat("/proc/self/ns/pid", &namespace) == 0 ? namespace.st_ino : 0;

	if (pid == 1)
		snprintf(name, sizeof name, "nest-init/%llu", inode);
	else
		snprintf(name, sizeof name, "nest-init/%llu/%d", inode, (int)pid);
	set_name(name, ret_address, ret_length);
}

void control_client_address(struct sockaddr_un *ret_address, socklen_t *ret_length)
{
	const char *name = getenv(CONTROL_VARIABLE);

	if (name != NULL && *name != '\0')
		set_name(name, ret_address, ret_length);
	else
		control_address(1, ret_address, ret_length);
}

const char *control_name(const struct sockaddr_un *address)
{
	return address->sun_path + 1;
}

/* A process of another PID namespace that is none of ours has the number 0 here (pid_namespaces(7)). */
static struct ucred peer_of(int connection)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof peer;

	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return (struct ucred){ .uid = (uid_t)-1 };
	return peer;
}

bool control_may_order(int connection, uid_t own)
{
	const struct ucred peer = peer_of(connection);

	return peer.pid > 0 && (peer.uid == 0 || (peer.uid == own && own != (uid_t)-1));
}

uid_t control_peer(int connection)
{
	return peer_of(connection).uid;
}
