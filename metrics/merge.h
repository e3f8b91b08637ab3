/* The applications' own pages of metrics, as parts of ours. Never one page behind the other: a second TYPE of a family,
 * or an early # EOF, breaks the scrape. The pages are taken apart into families and series, and written anew in the
 * format that the scraper gets. Who comes first stays:
 *   - nest_init_* is ours: such a family of an application is left out;
 *   - a family that is there with another type, or whose samples would bear names of another one, is left out;
 *   - of a metric that is there already (a family and its labels, but le and quantile) nothing is added by a later
 * page, so that no histogram is made of two; and a page that says a series twice is heard once. The name of a series is
 * the same in both formats. Pure. */
#pragma once

#include "metrics/app_line.h"
#include "metrics/exposition.h"
#include "metrics/siphash.h"

#define MERGE_PAGES_MAX 8
#define MERGE_SERIES_MAX 100000  /* of all pages together */
#define MERGE_FAMILIES_MAX 10000 /* the same, in equal shares; further ones count as conflicts */

struct merge;

struct merge_left { /* of one page, what was left out */
	uint64_t families, series;
};

/* Takes `count` pages (at most MERGE_PAGES_MAX with MERGE_SERIES_MAX series, else -E2BIG), which app_page_read() has
 * looked at and which are borrowed until merge_free(). ret_left: for each page. Returns 0 or -ENOMEM. */
int merge_build(const struct app_page *pages, size_t count, const struct siphash_key *key, struct merge_left *ret_left,
	struct merge **ret_merge);

/* Writes all families, without a # EOF. */
void merge_write(const struct merge *merge, enum exposition_format format, struct buffer *buffer);

/* NULL is allowed. */
void merge_free(struct merge *merge);
