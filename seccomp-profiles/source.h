/* Where filters come from that are to be explained or compared: a profile of ours, a file, a running process. */
#pragma once

#include "seccomp-profiles/compile.h"
#include "seccomp-profiles/simulate.h"

struct source {
	const char *name; /* borrowed */
	/* The filters, the newest first; every one is what seccomp(2) takes. None: everything is allowed. */
	struct filter_program *programs;
	size_t count;
	struct profile *profile; /* what a JSON file says, or NULL */
	struct seccomp_warnings warnings;
	/* Memory of the above. */
	struct json *json;
	struct seccomp_program *compiled;
	struct sock_filter *insn;
};

/* For a word that may be a profile's name or a file's: -ENOENT with a sentence where it is neither, else 0. */
int source_find(const char *name, struct complaint *ret_why);

/* `name` is a profile's name, a file's, or pid:PID. A process stands still for the moment in which its filters are
 * read. Returns 0 or -errno with a sentence. source_close() takes what it has filled, also after a failure. */
int source_open(
	const char *name, const struct seccomp_context *context, struct source *ret_source, struct complaint *ret_why);
void source_close(struct source *source);
#define cleanup_source __attribute__((cleanup(source_close)))
