/* One line a time on standard error, `nest-init: what happened`. Only the top floor logs. */
#pragma once

#include <stddef.h>

/* Errors, warnings and notices are always said; nest-init says nothing while all goes well. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* Writes text as it is to standard output or standard error, by the same rules. */
void log_raw(int fd, const char *text, size_t length);

/* From here on a line that standard error cannot take at once is dropped, and the next one that it can take says how
 * many were: PID 1 must not wait for whoever reads the log. Standard error is the workload's as well, so its
 * description is not made non-blocking; each write asks for that alone (RWF_NOWAIT, pwritev2(2)). */
void log_never_block(void);

/* What stands before each line; "nest-init" unless set. The text is borrowed. */
void log_name(const char *name);
