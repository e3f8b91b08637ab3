/* Reading the configuration again, on SIGHUP or by `nest-init ctl reload`. PID 1 reads, parses and allocates nothing
 * for it: a child of it, forked and not executed, does all of that in its own memory, by the code that did it at the
 * start, and leaves what it has planned in a piece of memory that both have at the same place. Only a child that ends
 * well, within its time, changes anything: a file that is wrong, or cannot be read, is told in the log, and all stays
 * as it was. */
#pragma once

#include "base/complaint.h"
#include "base/model.h"
#include "base/wire.h"
#include "init/coordinate.h"
#include "init/unit.h"

struct loop;
struct reload_image;

/* In the child: reads the configuration anew, and prepares its units and edges in place of those of the loop that it
 * has a copy of. Returns 0, or -errno with a sentence. */
typedef int reload_read(const struct model **ret_model, struct complaint *ret_why);

struct reload {
	/* Set by the caller: */
	reload_read *read;         /* NULL: no file is the configuration */
	const struct model *model; /* borrowed: as it was at the start */
	/* Its own, zero at first: */
	pid_t pid;         /* 0: no child is at work */
	bool ended, again; /* the child has; and another one is wanted */
	int status;
	int64_t deadline_ns;                          /* of its work */
	int model_fd;                                 /* what the monitor is to read */
	struct reload_image *before, *image, *coming; /* NULL: there is none */
};

/* ---- beyond the point of no return: nothing below this exits, blocks for anybody, or allocates without bound ---- */

/* Begins; later: where one is under way another one follows. WIRE_RESULT_TAKEN, or why not. */
enum wire_result reload_start(struct loop *loop, bool later);

/* A child was reaped. Returns whether it was this one. */
bool reload_ended(struct loop *loop, pid_t pid, int status);

/* When reload_run() is due; TIME_NEVER: nothing is under way. */
int64_t reload_deadline_ns(const struct loop *loop);

/* Takes what came of it, or ends a child whose time is over. Moves units about: nobody up the stack holds one. */
void reload_run(struct loop *loop, int64_t now);
