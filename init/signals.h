/* Signals by the kernel's own numbers. libc keeps 32 to 34 for itself and hides them from its sets; the workload's libc
 * may be another one whose SIGRTMIN is 34, so the sets here are plain 64-bit words and the calls are the kernel's. */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

/* Blocks every signal that can be blocked and sets SIGCHLD to its default: ignored, it would be no signal at all and
 * children would vanish unreaped (wait(2)). *ret_previous gets the mask found, bit n-1 for signal n. */
void signals_block_all(uint64_t *ret_previous);

/* Restores a mask, in the child before it executes the workload. */
void signals_restore(uint64_t mask);

/* Takes the next pending signal of the set, waiting for at most timeout_ns (0: not at all; TIME_NEVER: for ever).
 * Returns its number, or 0 when there was none in time or the wait was interrupted. */
int signals_take(uint64_t set, int64_t timeout_ns, siginfo_t *ret_info);

/* A descriptor that is readable while a signal of the set is pending (signalfd(2)), for ppoll(2) alone: signals are
 * taken with signals_take() and nothing reads from it. Pass the descriptor of an earlier call, or -1, as `fd`.
 * Returns the descriptor or -errno. */
int signals_descriptor(int fd, uint64_t set);

/* Passes a signal on to a process, or with -pid to its group (kill(2)). To a process, one that was queued with a value
 * (sigqueue(3)) and keeps its number keeps its value and its sender too. Returns 0 or -errno; -EAGAIN: the queue of
 * real-time signals is full. */
int signals_pass_on(pid_t pid, int signal, const siginfo_t *info);
