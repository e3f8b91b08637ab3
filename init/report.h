/* Prints what the program that we stand in for prints while it runs; nothing under our own name. */
#pragma once

#include "init/personality.h"

#include <stddef.h>

/* child, number, other: as the event's comment in personality.h has them; the text is always the command. Formats on
 * the stack and never blocks once log_never_block() was called. */
void report_event(const struct personality *personality, enum personality_event_type type, int child, int number,
	int other) __attribute__((cold));

/* Under our own name it costs no more than this look: it stands in the way of every signal. */
static inline void report(
	const struct personality *personality, enum personality_event_type type, int child, int number, int other)
{
	if (personality->kind != NULL)
		report_event(personality, type, child, number, other);
}
