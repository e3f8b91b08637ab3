/* Host names, looked up in a child process: getaddrinfo(3) blocks as long as it likes, and the caller's loop must not.
 * A child that has answered may wait for the next question a little while: to fork one costs more than most look-ups.
 */
#pragma once

#include "health/endpoint.h"

#include <stdint.h>
#include <sys/types.h>

struct resolve {
	int fd; /* readable when the answer is there; -1: nothing is going on */
	pid_t pid;
};

/* From now on children are kept, by who calls resolve_tidy(). */
void resolve_keep(void);

/* Ends the children that have waited for long enough. */
void resolve_tidy(int64_t now);

/* Call it then; TIME_NEVER: no need. */
int64_t resolve_tidy_ns(void);

/* Asks a child that waits, or a new one. Returns 0 or -errno. */
int resolve_start(struct resolve *resolve, const char *host, uint16_t port);

/* Takes the answer. Returns the number of endpoints (1 to ENDPOINT_MAX); -EAGAIN: not yet; another negative number:
 * there will be none, *ret_why says why. Unless it is -EAGAIN nothing is going on afterwards: the child waits for
 * another question, or is gone and reaped. */
int resolve_finish(
	struct resolve *resolve, int64_t now, struct endpoint ret_endpoint[ENDPOINT_MAX], struct complaint *ret_why);

/* Kills and reaps the child, if there is one. */
void resolve_abandon(struct resolve *resolve);
