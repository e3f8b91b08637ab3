/* How a unit's processes are sent signals; for the unit's own files. */
#pragma once

#include "init/unit.h"

/* A signal that PID 1 was sent, as the personality has it. */
void unit_pass_on(struct unit *unit, int signal, const siginfo_t *info);

/* dumb-init's last word to the group. */
void unit_last_word(struct unit *unit, int signal);

/* What the leader left behind in its group is asked to end; first: for the first time. */
void unit_signal_group(struct unit *unit, int signal, bool first);

/* Whatever else is left is. */
void unit_signal_orphans(struct unit *unit, int signal, bool first);
