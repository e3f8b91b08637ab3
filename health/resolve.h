/* Host names, looked up in a child process: getaddrinfo(3) blocks as long as it likes, and the caller's loop must not.
 */
#pragma once

#include "health/endpoint.h"

#include <sys/types.h>

struct resolve {
	int fd; /* readable when the answer is there; -1: nothing is going on */
	pid_t pid;
};

/* Forks the child. Returns 0 or -errno. */
int resolve_start(struct resolve *resolve, const char *host, uint16_t port);

/* Takes the answer. Returns the number of endpoints (1 to ENDPOINT_MAX); -EAGAIN: not yet; another negative number:
 * there will be none, *ret_why says why. Unless it is -EAGAIN the child is gone and reaped afterwards. */
int resolve_finish(struct resolve *resolve, struct endpoint ret_endpoint[ENDPOINT_MAX], struct complaint *ret_why);

/* Kills and reaps the child, if there is one. */
void resolve_abandon(struct resolve *resolve);
