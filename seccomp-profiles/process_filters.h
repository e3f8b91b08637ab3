/* The seccomp filters of a running process, by ptrace(2). */
#pragma once

#include "base/complaint.h"
#include "seccomp-profiles/simulate.h"

/* `pid` in digits. The filters come the newest first, their instructions in one piece of memory; the caller frees both.
 * A process without a filter has none. It stands still while they are read; who reads them needs CAP_SYS_ADMIN and no
 * filter of its own. Returns 0 or -errno with a sentence, which says mode and number if only those can be known. */
int process_filters(const char *pid, struct sock_filter **ret_insn, struct filter_program **ret_programs,
	size_t *ret_count, struct complaint *ret_why);
