/* ADDRESS:PORT of --metrics: numbers only, PID 1 resolves no names. */
#pragma once

#include "base/complaint.h"

/* Opens a listening TCP socket (non-blocking, CLOEXEC) on "127.0.0.1:9911", "[::1]:9911", "0.0.0.0:9911",
 * "localhost:9911" or ":9911" (every address, IPv6 and IPv4). Returns 0 and the descriptor, or -errno with a sentence.
 */
int listen_open(const char *text, int *ret_fd, struct complaint *ret_why);

/* Checks the form without opening anything. Returns 0 or -EINVAL with a sentence. */
int listen_check(const char *text, struct complaint *ret_why);
