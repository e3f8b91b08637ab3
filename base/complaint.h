/* What went wrong, in words: filled where the cause is known, printed by the top floor only. */
#pragma once

struct complaint {
	char text[512]; /* one line, no newline at its end; the thing, the place, the remedy */
};

/* Replaces by ? what would end the line or speak to a terminal: a sentence quotes what others wrote. */
void complaint_flatten(char *text);

/* Writes the sentence (printf(3) format, cut at the end of the buffer, flattened) and returns -err, so that a
 * refusal is one statement: `return complain(ret_why, EINVAL, "...", ...)`. err is a positive errno. */
int complain(struct complaint *ret_why, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));
