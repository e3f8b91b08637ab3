/* What was learnt from a run, and the profile that is made of it: Docker's JSON with comments. Pure. */
#pragma once

#include "base/complaint.h"
#include "seccomp-profiles/profile.h"
#include "seccomp-profiles/record_paths.h"

#include <stdio.h>

#define RECORD_NUMBERS 1024    /* syscall numbers stay below */
#define RECORD_LOOK_MAX 100000 /* files: some seconds */

/* All zero is an empty one; record_clear() frees it. */
struct record {
	bool is_seen[RECORD_NUMBERS];
	bool is_foreign;          /* a syscall of another architecture was made, which no profile here lists */
	struct text_set seen;     /* names of syscalls */
	struct text_set kept;     /* those that an earlier profile allows as well; they call for no family */
	struct text_set writable; /* record_paths_note() */
	struct text_set programs; /* executed */
	struct text_set blind;    /* syscalls that change files, and the path could not be read */
	uint64_t domains;         /* of socket(2), a bit for each AF_* */
	unsigned looked_through;  /* files, for what has changed */
	uint32_t namespaces;      /* CLONE_NEW* of clone(2) and clone3(2) */
};

void record_clear(struct record *record);

/* The namespaces that clone(2) can make: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
#define RECORD_NAMESPACES UINT32_C(0x7e020000)

/* Adds what an earlier profile of ours allows. `file` is what sentences call it. Returns 0, -EINVAL (it has a rule that
 * record does not write) or -ENOMEM, with a sentence. */
int record_merge(const char *file, const struct profile *earlier, struct record *record, struct complaint *ret_why);

/* Writes the profile: what was seen, closed under the families of record_profile.c. The stream's error state tells of
 * failures (ferror(3)). Returns how many syscalls it allows, or -ENOMEM. */
int record_write_profile(const struct record *record, FILE *out);
