/* PID 1's part of a secret's change. The monitor says that something about the files has; a child looks what they hold,
 * and PID 1, which learns the hash of it alone, does what its configuration says. */
#pragma once

#include "base/wire.h"
#include "init/rotation.h"
#include "init/secret_read.h"

#include <sys/types.h>

struct loop;
struct unit;

struct rotation_command {
	pid_t pid;   /* 0: it does not run */
	int news_fd; /* of that */
	int64_t kill_at_ns;
	bool again; /* the secret has changed meanwhile */
};

struct secret_rotation {
	struct secret_list list;
	struct secret_board *board; /* borrowed; NULL: nobody looks at secrets */
	struct rotation rotation;
	struct rotation_secret secret[MODEL_SECRETS_MAX];
	struct rotation_command command[MODEL_SECRETS_MAX];
	int32_t error[MODEL_SECRETS_MAX]; /* that was told */
	uint32_t untold;                  /* a bit for each that the monitor does not know as it is */
	pid_t looker;                     /* 0: nobody looks */
	bool look_again;
	bool look_is_stale;                /* whoever looks looks at others by now */
	int64_t look_at_ns, give_up_at_ns; /* TIME_NEVER: not due */
	bool is_due;                       /* somebody may be to be started again */
};

/* Before the point of no return; the units, their order and the list are prepared. Returns 0 or -ENOMEM. */
int secret_rotation_prepare(struct secret_rotation *rotation, struct secret_board *board, const struct loop *loop);

/* ---- beyond it: nothing below exits, blocks for anybody, or allocates ---- */

/* Looks at all secrets soon. */
void secret_rotation_look(struct secret_rotation *rotation);

/* A unit was executed, is ready, or has ended: its secrets may have changed while it was started, or it is another's
 * turn. */
void secret_rotation_unit(struct secret_rotation *rotation, const struct unit *unit);

/* A child was reaped. Returns whether it was one of these. */
bool secret_rotation_ended(struct loop *loop, pid_t pid, int status);

/* The configuration has others: list in place of those there are, and in place of each the one of index from[] of those
 * (-1: it is new). The units have their new places, and the loop its new edges; unit_from[] says where each was. */
void secret_rotation_renew(struct loop *loop, const struct secret_list *list, const int *from, const int *unit_from);

/* When there is something to do; TIME_NEVER: not. */
int64_t secret_rotation_deadline_ns(const struct secret_rotation *rotation);
void secret_rotation_run(struct loop *loop, int64_t now);

/* Tells the monitor what changed, or all. Returns false if not all of it could be. */
bool secret_rotation_tell(struct loop *loop);
void secret_rotation_tell_all(struct secret_rotation *rotation);
