/* What the child of a reload leaves to PID 1. Its pointers lead into the same memory. */
#pragma once

#include "init/definition.h"
#include "init/loop.h"

#define RELOAD_SIZE (32U << 20) /* pages that nobody writes to cost nothing */

enum reload_fate { RELOAD_SAME, RELOAD_CHANGED, RELOAD_NEW, RELOAD_REMOVED };

struct reload_entry {
	enum reload_fate fate;
	enum service_kind kind;
	bool essential;
	bool was_removed; /* before this */
	bool waits;       /* it is what waits for a service's targets */
	int old;          /* where it was among PID 1's units, before; -1: it is new */
	char name[WIRE_SERVICE_NAME_SIZE + sizeof ".wait_for"];
	char digest[65]; /* of what it is told */
	struct unit *definition;
};

struct reload_image {
	bool complete;
	bool differs; /* from what there is: the monitor is to know */
	bool forgets; /* the checks are others: what the monitor has counted begins anew */
	char said[WIRE_REASON_SIZE];
	enum log_format log_format;
	enum log_level log_level;
	size_t check_count;
	/* Services, tasks, what waits for targets: each kind in the order of PID 1's units, new ones behind the old. */
	size_t count, service_count; /* of all; of services and tasks */
	struct reload_entry entry[MODEL_UNITS_MAX];
	char secrets_digest[65];
	size_t secret_count;
	struct secret secret[MODEL_SECRETS_MAX];
	int secret_from[MODEL_SECRETS_MAX]; /* which it was before; -1: it is new */
	size_t edge_count;
	struct dependency_edge *edge;
};

/* The child's work. model_fd: where it writes what the monitor is to read. Returns 0, or -errno with a sentence. */
int reload_make_image(struct loop *loop, int model_fd, struct reload_image *image, struct complaint *ret_why);
