/* Verdicts in words. Pure. */
#pragma once

#include "seccomp-profiles/simulate.h"

#include <stdio.h>

#define ACTION_TEXT_SIZE 24

/* "ALLOW", "ERRNO(EPERM)", "TRACE(7)", "KILL_PROCESS". Takes SECCOMP_RET_* as filter_simulate() gives it. */
void filter_action_text(uint32_t action, char ret_text[ACTION_TEXT_SIZE]);

/* "arg0 & 0x7e020000 == 0x0". */
void filter_term_print(FILE *out, const struct filter_term *term);

/* What side 0 answers, on one line: "ALLOW", or "arg0 == 0x0 or 0x8 -> ALLOW, else ERRNO(EPERM)". The answer that takes
 * most conditions is the one behind "else". */
void filter_verdict_print(FILE *out, const struct filter_verdict *verdict);

/* True if one answer holds for all arguments. */
static inline bool filter_verdict_is_plain(const struct filter_verdict *verdict)
{
	return verdict->complete && verdict->count == 1;
}
