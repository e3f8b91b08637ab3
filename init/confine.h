/* The confinement of a workload: planned once by PID 1 before the point of no return, put in force by each child of
 * its own between fork and exec, in the order of the design. */
#pragma once

#include "init/capability_plan.h"
#include "init/identity.h"

#include <linux/filter.h>

/* A filter ready for seccomp(2). The instructions are borrowed: embedded, or compiled and kept for the process's life.
 */
struct confine_filter {
	const struct sock_filter *insn;
	uint16_t length;
	uint32_t flags;
	char profile[64]; /* as asked for: its name, or the file's */
	char sha256[65];  /* "" for a file's */
	char default_action[32];
};

struct confine_plan {
	const struct confinement *asked; /* borrowed */
	const char *command; /* borrowed, the caller's to set: what an allow-list of programs has by itself */
	uint32_t requested;  /* a bit for each enum layer */
	uint32_t weakened;   /* of these: possible only in part, and best effort was asked for */
	struct identity identity;
	bool changes_user;                   /* beyond supplementary groups */
	bool is_pid_1;                       /* the mounts are the container's own */
	struct capability_sets had;          /* before anything was changed */
	struct capability_sets capabilities; /* the workload's */
	bool runs_as_root;
	struct confine_filter filter;
};

/* Called for each thing worth telling while the plan is put in force. */
struct confine_reporter {
	/* A layer that could not be put in force, and why: under best effort the start goes on. */
	void (*not_enforced)(void *context, enum layer layer, const char *why);
	/* How the root became read-only: "already", "remount" or "landlock". */
	void (*read_only)(void *context, const char *how);
	/* The listener of a filter that is to be reported on. Called by a thread that the filter does not bind. NULL:
	 * the plain filter is put in force. */
	void (*listener)(void *context, int listener);
	/* Why there is none, under best effort: the plain filter is in force instead. */
	void (*no_listener)(void *context, const char *why);
	void *context;
};

/* Works out everything that can be known before anything runs: the user, the capability sets, the filter's bytes.
 * `warn` gets one sentence a call. Returns 0, or -errno with a sentence that names the layer. Blocks (files, a child
 * that compiles a profile): for the time before the point of no return. */
int confine_plan(const struct confinement *asked, void (*warn)(const char *sentence), struct confine_plan *ret_plan,
	struct complaint *ret_why);

/* True if there is nothing to do to a child beyond no_new_privs and a umask: nothing that could take time, or change
 * what the child shares with PID 1 (a vforked child has a umask of its own, umask(2)). */
bool confine_is_light(const struct confine_plan *plan);

/* For status and metrics: the capabilities of a workload whose own are left alone. */
void confine_read_capabilities(struct confine_plan *plan);

/* Before the workload runs: PID 1's memory, root and descriptors are closed to a workload of its own user, which might
 * hold all that PID 1 holds, but has a filter that PID 1 has not (PR_SET_DUMPABLE, prctl(2)). Where the plan is not
 * light; what PID 1 forks has it, too, until it executes something. */
void confine_hide_own(const struct confine_plan *plan);

/* The capabilities that PID 1 needs once the workload runs (capability_plan.h): also what it takes to start the monitor
 * again, and to put the whole plan in force again, where either may be. Not for a light plan: its workload has what
 * PID 1 has. */
uint64_t confine_own_needed(const struct confine_plan *plan, bool monitor_again, bool workload_again);

/* PID 1 gives up all others. Returns what it has now. Neither blocks nor allocates. */
uint64_t confine_keep_own(const struct confine_plan *plan, uint64_t keep);

/* Puts the plan in force on the calling process, which is to exec next. again: it was put in force on another process
 * before, so that what PID 1 mounts is there already. Returns 0, or -errno with a
 * sentence that names the layer: then the process must not go on. */
int confine_apply(const struct confine_plan *plan, bool again, const struct confine_reporter *reporter,
	struct complaint *ret_why);
