/* Which processes are the service's. Pure. */
#pragma once

#include "metrics/proc_parse.h"

#include <stdbool.h>

struct process {
	struct proc_stat stat;
	enum { PROCESS_UNKNOWN, PROCESS_OTHER, PROCESS_SERVICE } whose;
};

/* Sets `whose` of each, all unknown before: the service's are those of main's session, or of its process group where it
 * leads no session (a personality may leave it in ours), or itself alone where it leads neither; and whoever descends
 * from one of them, in whatever session (a browser under test, a child that is detached). An orphan that has left the
 * session is nobody's. The list is put in the order of pids. */
void process_tree_mark(struct process *list, size_t count, const struct proc_stat *main);
