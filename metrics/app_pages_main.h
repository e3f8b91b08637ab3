/* The monitor's part that fetches the applications' pages, for --metrics-merge, while its loop goes on. All pages are
 * fetched side by side, and once for all scrapers that wait: a round. */
#pragma once

#include "base/kept.h"
#include "base/model.h"
#include "metrics/app_scrape.h"
#include "metrics/merge.h"

#include <poll.h>

/* Memory is bounded by these, and free again when the scrapers have their page. A page of Node's default metrics has
 * 7 KB, one of 4 MiB about 40,000 series: what is larger is a mistake, or an attack. */
#define APP_PAGE_MAX (4 * 1024 * 1024)    /* bytes of one page */
#define APP_PAGES_MAX (2 * APP_PAGE_MAX)  /* of all together, in equal shares; their series, too */
#define APP_UNSENT_MAX (32 * 1024 * 1024) /* bytes of replies on their way: above it ours goes out alone */

/* How long a scraper waits without a word from it or in the settings, and how long at the most. */
#define APP_TIMEOUT_NS (INT64_C(5) * 1000000000)
#define APP_TIMEOUT_MAX_NS (INT64_C(9) * 1000000000)

/* The model outlives it, and so does what is kept of the monitors before. Before the cage is closed. */
void app_pages_init(const struct model *model, struct kept *kept);

/* For the loop: what to wait for (a slot for each page), until when, and what is due. app_pages_run() returns true when
 * a round has ended: those that wait are to be asked again. */
size_t app_pages_pollfds(struct pollfd ret_slots[static MODEL_MERGE_MAX]);
int64_t app_pages_deadline_ns(void);
bool app_pages_run(int64_t now);

/* For a scraper that came at since_ns, and whose X-Prometheus-Scrape-Timeout-Seconds is `timeout` or NULL. Returns true
 * if there is nothing more to wait for; else *ret_until_ns says how long it may wait, and a round is under way. */
bool app_pages_ready(int64_t since_ns, const char *timeout, int64_t now, int64_t *ret_until_ns);

/* What there is, merged; NULL if there is nothing. What is left out of it is counted. Free it with merge_free() before
 * app_pages_release(). */
struct merge *app_pages_merge(void);

/* Counts a page of ours that was too large to hold the others. */
void app_pages_refused(void);

const struct app_scrape *app_pages_scrapes(size_t *ret_count);

/* Ends the round and frees its pages; call it when nobody waits any more. */
void app_pages_release(void);
