/* Work that takes time, in a child process: the caller's loop must not wait for it, and reads the answer from a socket.
 */
#pragma once

#include <sys/types.h>

/* Forks a child that calls work(fd, context), which writes its answer to fd and need not return: the child ends behind
 * it. It holds none of the caller's descriptors but standard streams and fd, and dies with the caller
 * (PR_SET_PDEATHSIG, prctl(2)). Each write is one record, in both directions (SOCK_SEQPACKET, unix(7)): the child may
 * read questions from fd, which blocks for it. Returns 0, its pid, for the caller to reap, and the other end
 * (non-blocking, CLOEXEC, the caller's); or -errno. */
int worker_start(void (*work)(int fd, const void *context), const void *context, pid_t *ret_pid, int *ret_fd);
