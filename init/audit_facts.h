/* The facts of an audit, as the process that asks finds them. Looks and opens; changes nothing. */
#pragma once

#include "base/complaint.h"
#include "init/audit.h"

/* Fills in all but the limits of the cgroup. env: the variables to look at. What cannot be looked at stays zero, but
 * for what everything hangs on: returns 0, or -errno with a sentence where /proc or the capabilities cannot be read. */
int audit_facts_read(char **env, struct audit_facts *ret_facts, struct complaint *ret_why);
