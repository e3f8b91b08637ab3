/* One line a time on standard error: `nest-init: what happened`, or an object of JSON. Only the top floor logs. */
#pragma once

#include "base/json_line.h"
#include "base/model.h"

#include <stdbool.h>
#include <stddef.h>

/* Says a sentence of that level, and nothing where the level is beyond what was asked for. A warning in
 * text says that it is one. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* The same of one sentence (no format), and where the format is JSON with the members that `add` writes behind it. */
void log_line_with(enum log_level level, const char *sentence, void (*add)(struct json_line *line, const void *context),
	const void *context);

/* True if a sentence of that level would be said. */
bool log_wants(enum log_level level);

/* Writes text as it is to standard output or standard error, and never blocks where log_line() does not. */
void log_raw(int fd, const char *text, size_t length);

/* How it is said, and up to what level; text and notices unless set. */
void log_set(enum log_format format, enum log_level level);

/* From here on a line that standard error cannot take at once is dropped, and the next one that it can take says how
 * many were: PID 1 must not wait for whoever reads the log. Standard error is the workload's as well, so its
 * description is not made non-blocking; each write asks for that alone (RWF_NOWAIT, pwritev2(2)). */
void log_never_block(void);

/* What stands before each line; "nest-init" unless set. The text is borrowed. */
void log_name(const char *name);
