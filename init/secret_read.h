/* What a child does with its service's secrets, between fork and exec: it reads them, with the rights that it has then,
 * and has them in its environment or in memory of its own. PID 1 itself never has any: what comes back to it, through
 * memory that both share, is a hash with a key.
 *
 * A file is opened as the service or, if that may not, as PID 1's user; that one only where the service cannot put
 * another file in its place, which else would have us read for it what it may not. Neither passes over permissions
 * (CAP_DAC_OVERRIDE) where PID 1 does not keep that: the next life is to find what the first one found. */
#pragma once

#include "init/confine.h"

/* Written by children before they execute anything, read by PID 1. */
struct secret_board {
	struct secret_look {
		uint64_t hash; /* 0: it could not be read, */
		int32_t error; /* for this reason (errno) */
	} look[MODEL_SECRETS_MAX];
	uint64_t given[MODEL_UNITS_MAX][MODEL_SECRETS_MAX]; /* what each unit has; 0: nothing */
};

/* All that the configuration has; a reload puts others in the same place. */
struct secret_list {
	const struct secret *secret; /* count of them, borrowed */
	size_t count;
};

/* Whose secrets, and where from. */
struct secret_source {
	const struct secret_list *list;  /* borrowed */
	size_t service;                  /* its index */
	const struct confine_plan *plan; /* borrowed: who it is */
	struct secret_board *board;      /* borrowed; NULL: nobody compares them */
	int64_t patience_ns; /* how long a file that is empty or not there is waited for, as one that is being replaced
			      */
};

/* Before the point of no return: the memory, and the key of the hashes. Returns 0 or -errno. */
int secret_board_make(struct secret_board **ret_board);

/* In the child, before it is confined: reads all that is the service's. note: it is what the service has from now on.
 * Returns 0, or -errno with a sentence that names the secret and its file. */
int secret_read(const struct secret_source *source, bool note, struct complaint *ret_why);

/* In the same child, confined: they are in its environment, behind all else. Returns 0 or -ENOMEM with a sentence. */
int secret_put(struct complaint *ret_why);

/* In a child of its own: what the secret of that index is now. Returns its hash, or 0 with an errno. */
struct secret_look secret_look(const struct secret_source *source, size_t secret);
