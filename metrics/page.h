/* The page of /metrics from facts. Pure. */
#pragma once

#include "base/wire.h"
#include "metrics/app_scrape.h"
#include "metrics/exposition.h"
#include "metrics/merge.h"
#include "metrics/readings.h"

#include <stdbool.h>

/* Most bytes of a page of ours: all of it at its longest is well below. */
#define METRICS_PAGE_MAX (32 * 1024 * 1024)

struct page_build {
	const char *version;
	const char *revision; /* of the source; "" if it is not known */
	const char *libc;     /* "musl", "glibc" */
	const char *arch;     /* "amd64", "arm64" */
};

#define PAGE_DENIALS_MAX 65

struct page_denial {
	const char *syscall, *action; /* "ptrace", "ERRNO(EPERM)"; each pair once */
	uint64_t count;
};

struct page_facts { /* everything is borrowed; NULL: not known, and its families are left out */
	const struct page_build *build;
	const struct wire_snapshot *snapshot;
	const struct wire_service *services; /* all of them, once there is a snapshot */
	size_t service_count;
	bool ready; /* the verdict that /readyz gives: health_is_good(..., CHECK_READY) */
	const struct wire_check *checks;
	size_t check_count;                      /* at most MODEL_CHECKS_MAX, else -E2BIG */
	const struct readings *readings;         /* of the container */
	const struct readings *service_readings; /* of each service */
	const struct page_denial *denials;
	size_t denial_count;
	const struct app_scrape *scrapes; /* of the applications' pages */
	size_t scrape_count;
	const struct merge *merge; /* what they hold: it comes behind all that is ours */
	const struct wire_secret *secrets;
	size_t secret_count;
};

/* A bit for each enum layer, of all services together: what any of them asks for; and what is in force for all that
 * do, and were ever started. */
uint32_t page_layers_requested(const struct page_facts *facts);
uint32_t page_layers_enforced(const struct page_facts *facts);

/* Writes the page: whole or not at all. Returns 0 or -errno as exposition_close() does. */
int metrics_page(const struct page_facts *facts, enum exposition_format format, char **ret_text, size_t *ret_length);
