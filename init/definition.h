/* What a unit is told, with all that it points to, in one piece of memory: so a child can read and plan, and PID 1 take
 * what came of it as it is (init/reload.h). Pure. */
#pragma once

#include "init/unit.h"

/* Memory that is handed out from its beginning, and zeroed. */
struct arena {
	char *next, *end;
	bool full; /* something had no room */
};

/* size bytes, aligned for anything, or NULL. */
void *arena_take(struct arena *arena, size_t size);

/* Copies there, NULL of NULL, or NULL where there is no room. words: NULL-terminated. */
char *arena_text(struct arena *arena, const char *text);
char **arena_words(struct arena *arena, char **words);

/* A copy of all that the caller of a unit sets; the rest is zero. NULL where there is no room. Of checks it has what
 * PID 1 looks at: commands and their times; of its log what a log process is told, and no descriptor. */
struct unit *definition_copy(const struct unit *unit, struct arena *arena);

/* What runs as the unit or beside it finds the unit's own secrets, and its own log where it has one. */
void definition_place_own(struct unit *unit);

/* The unit is that from now on. Its machine keeps its state, and it keeps its log. */
void definition_take(const struct unit *definition, struct unit *unit);
