/* The pages /livez, /readyz, /startupz and /healthz from facts. Pure. */
#pragma once

#include "base/wire.h"

#include <stdbool.h>

/* A thousand checks with the longest names and reasons, each byte of them escaped. */
#define HEALTH_PAGE_MAX (8 * 1024 * 1024)
/* Failures that the brief page names, if they have room within so many bytes, and how much of a name it shows. */
#define HEALTH_BRIEF_MAX 8
#define HEALTH_BRIEF_BYTES 440
#define HEALTH_BRIEF_NAME 100

enum health_format {
	HEALTH_BRIEF, /* "ok", or "not ready: NAME: REASON": Podman keeps 500 characters, so the verdict stands first */
	HEALTH_VERBOSE, /* a line for each check, as Kubernetes's API server answers to ?verbose, and the verdict */
	HEALTH_JSON,    /* application/health+json, draft-inadarei-api-health-check-06 */
};

/* Who has looked. */
enum health_source {
	HEALTH_BY_INIT,      /* PID 1 and its monitor */
	HEALTH_INIT_SILENT,  /* the monitor, which PID 1 does not answer any more: nothing is well then */
	HEALTH_BY_OURSELVES, /* whoever asks, as no monitor runs: nothing is known of PID 1 */
};

/* All borrowed. */
struct health_facts {
	const struct wire_snapshot *snapshot; /* NULL: PID 1 has not said anything yet, which is not ready */
	const uint8_t *healthy;               /* verdicts, 0 or 1 for each enum check_kind */
	const struct wire_check *checks;
	size_t check_count;
	enum health_source source;
	const char *page; /* what the page calls itself; NULL: as its kind is called */
};

/* The verdict of the page of that kind. Ready also needs PID 1 to be running: neither starting nor on its way out;
 * alive does not, because a container that is drained must not be restarted. */
bool health_is_good(const struct health_facts *facts, enum check_kind kind);

/* Writes the body; its status is 200 or 503. kinds: a bit for each enum check_kind that it is about; a page is about
 * one. Returns 0, -EFBIG or -ENOMEM. */
int health_page(const struct health_facts *facts, unsigned kinds, enum health_format format, unsigned *ret_status,
	char **ret_text, size_t *ret_length);
