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

/* A copy of all that the caller of a unit sets; the rest is zero. NULL where there is no room. Of checks it has what
 * PID 1 looks at: commands and their times. */
struct unit *definition_copy(const struct unit *unit, struct arena *arena);

/* The unit is that from now on. Its machine keeps its state. */
void definition_take(const struct unit *definition, struct unit *unit);
