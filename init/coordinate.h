/* Which unit is started and which is stopped, when: what depends_on, essential and tasks mean for the container as a
 * whole. Pure: told what became of the units, it says what is to be done next, one action at a time.
 *
 * Units are started as soon as what they depend on is as far as they ask for, all that can be at the same time; a stop
 * goes the other way: who depends on somebody is gone before him. */
#pragma once

#include "base/dependencies.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum coordinate_phase {
	COORDINATE_WAITING, /* for what it depends on, for its time, or for nothing any more once the container stops */
	COORDINATE_STARTING, /* asked to start; and again while it waits for its next life */
	COORDINATE_STARTED,
	COORDINATE_READY,
	COORDINATE_STOPPING, /* asked to stop */
	COORDINATE_ENDED,    /* for good, with its status */
	COORDINATE_BLOCKED,  /* what it depends on will never be that far */
	COORDINATE_PHASE_COUNT,
};

struct coordinate_unit {
	/* Set by the caller: */
	enum service_kind kind;
	bool essential; /* without it the container stops */
	/* Its own: */
	enum coordinate_phase phase;
	bool was_started; /* as what it is by now */
	bool ever_ran;
	bool due;         /* SERVICE_SCHEDULED: its time has come */
	bool held;        /* somebody stopped it by hand: that it ends is no failure */
	bool by_hand;     /* a task that somebody had started: what comes of it is said to him alone */
	bool done_before; /* and had ended well before that */
	bool released;    /* somebody wants it started, and it was not yet: that it cannot be ends nothing */
	bool removed;     /* held for good: the configuration does not know it any more */
	bool renews;      /* it is to be stopped, and started again as what it is by now */
	int status;       /* exit status, once it ended or is blocked */
	size_t blocker;   /* COORDINATE_BLOCKED: what it waited for */
	bool blocked_now; /* and nobody has asked yet */
	/* What the edges say of it, as of the last look: one look at all edges for each action, whatever their number.
	 */
	const struct dependency_edge *waits_for; /* what keeps it from starting; NULL: nothing does */
	bool needed, needed_later; /* who depends on it is still there; is a task for the end, and still to come */
	bool too_early, has_work;  /* of SERVICE_AFTER: somebody is still there; somebody was */
};

struct coordinator {
	/* Set by the caller, borrowed: */
	struct coordinate_unit *unit;
	size_t unit_count;
	const struct dependency_edge *edge;
	size_t edge_count;
	/* Its own, zero at first: */
	bool stopping;
	bool has_cause; /* a unit's end is why, with this status */
	bool exited;
	int status;
};

enum coordinate_action_type { COORDINATE_START, COORDINATE_STOP, COORDINATE_EXIT };

struct coordinate_action {
	enum coordinate_action_type type;
	union {
		size_t unit; /* START, STOP */
		int status;  /* EXIT: what the container ends with */
	};
};

/* What became of a unit. What means nothing in its phase changes nothing. */
void coordinate_started(struct coordinator *coordinator, size_t unit);
void coordinate_ready(struct coordinator *coordinator, size_t unit);
void coordinate_again(struct coordinator *coordinator, size_t unit); /* it has ended, and will be started again */
void coordinate_ended(struct coordinator *coordinator, size_t unit, int status);

/* A unit that will not be started, and on whose account. Each is told once; returns false if there is none. */
bool coordinate_blocked(struct coordinator *coordinator, size_t *ret_unit, size_t *ret_blocker);

/* A scheduled unit's time has come. Returns false if it still runs from the last time, or the container stops. */
bool coordinate_due(struct coordinator *coordinator, size_t unit);

/* Somebody stops a unit by hand, or starts it. Returns false where there is nothing to stop or to start. */
bool coordinate_hold(struct coordinator *coordinator, size_t unit);
bool coordinate_release(struct coordinator *coordinator, size_t unit);

/* The configuration has changed, and the caller has set the new edges. A unit is another one now: where it is active it
 * is stopped, behind those that depend on it and are to be renewed as well, and started again when what it depends on
 * is as far as it asks for. A service that has ended by itself is started, and one that is removed is there again; one
 * that somebody stopped by hand stays down, and so does a task that has ended, unless it is to do its work again. */
void coordinate_renew(struct coordinator *coordinator, size_t unit, bool again);
/* It is not there any more: it is stopped, and keeps the container from nothing. */
void coordinate_remove(struct coordinator *coordinator, size_t unit);

/* Everything is to stop. */
void coordinate_stop(struct coordinator *coordinator);

/* The next thing to do, which is taken to be done. Returns false if there is none now. EXIT comes once, as the last. */
bool coordinate_next(struct coordinator *coordinator, struct coordinate_action *ret_action);
