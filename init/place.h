/* Where the workload lives: its session or group, its terminal, its signals. In the child, before the confinement. */
#pragma once

#include "init/personality.h"

#include <stdbool.h>
#include <stdint.h>

/* Puts the child where the personality says. hand_over_terminal: standard input is a terminal that may be taken.
 * Returns 0, or 1 when the program that we stand in for gives up here: then exit with it. */
int place_child(const struct personality *personality, bool hand_over_terminal);

/* The last step before execve(2): dispositions, then the mask, as the workload is to find them. entry_mask: what PID 1
 * itself was given. */
void place_signals(const struct personality *personality, uint64_t entry_mask);

/* The variables that name the process which they are meant for, in the environment in place: LISTEN_PID of our own pid
 * (parent) becomes the child's, in each life (sd_listen_fds(3)); so does WATCHDOG_PID, whatever it is, where
 * the child has a watchdog (notify_socket_open()). */
void place_pids(const struct personality *personality, int parent, bool watchdog);

/* In a forked child: takes away what asks a service to speak for itself (sd_notify(3)). */
void place_nothing_to_say(void);
