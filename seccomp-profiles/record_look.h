/* From a syscall that is being made to what it says: which file is written to, which program executed. */
#pragma once

#include "seccomp-profiles/record_profile.h"

#include <linux/seccomp.h>
#include <time.h>

/* Notes a syscall of a process that waits for its answer: name, paths, socket domain, namespaces. `listener` tells
 * whether it still waits when its memory has been read (seccomp_unotify(2)). Returns 0 or -ENOMEM. */
int record_look(int listener, const struct seccomp_notif *call, struct record *record);

/* For processes that could not be looked at: notes every file and directory that has changed since then, wherever it
 * is but in /proc, /sys, /usr and /dev (where /dev/shm counts); among the first RECORD_LOOK_MAX files, those of /run,
 * /etc, /var, /srv and /home before the others. /tmp counts in any case. Returns 0 or -ENOMEM. */
int record_changes(const struct timespec *since, struct record *record);

/* Lets parents stand for what is not there any more, and at most `max` paths remain. Returns 0 or -ENOMEM. */
int record_settle(struct record *record, size_t max);
