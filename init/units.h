/* The units of a configuration, prepared: everything that may fail before they can be started. */
#pragma once

#include "init/loop.h"

struct units_request {
	struct loop *loop;                     /* whose units and edges are set; borrowed by them: */
	const struct model *model;             /* what they are told, */
	const struct personality *personality; /* and how, the first one's; the others have copies */
	uint64_t entry_mask;                   /* the signal mask that PID 1 found */
	bool is_reload;                        /* in a child of PID 1, which opens itself what is to stay open */
};

/* Returns 0, or -errno with a sentence that names the place in the file, or the service. Blocks. */
int units_prepare(const struct units_request *request, struct complaint *ret_why);

/* The name of a unit's service; "" for what waits for a service's targets, which nobody asks for by name. */
const char *units_name(const struct model *model, size_t index);
