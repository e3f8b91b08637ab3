/* Where --metrics listens: numbers and paths only, PID 1 resolves no names. */
#pragma once

#include "base/complaint.h"

/* Opens a listening stream socket (non-blocking, CLOEXEC). The text is one of
 *   "127.0.0.1:9911", "[::1]:9911", "0.0.0.0:9911", "localhost:9911", ":9911" (every address, IPv6 and IPv4);
 *   "unix:/run/nest-init.sock", "unix:/run/nest-init.sock?mode=666": a Unix socket, of mode 660 unless it says so. A
 *   socket that is left there and that nobody listens on is replaced;
 *   "fd:NAME": the socket that systemd, or who speaks its protocol, passed under that name (sd_listen_fds(3),
 *   FileDescriptorName= in systemd.socket(5)). A copy is opened: what the workload inherits is not touched.
 * Returns 0 and the descriptor, or -errno with a sentence. */
int listen_open(const char *text, int *ret_fd, struct complaint *ret_why);

/* Checks the form without opening anything. Returns 0 or -EINVAL with a sentence. */
int listen_check(const char *text, struct complaint *ret_why);
