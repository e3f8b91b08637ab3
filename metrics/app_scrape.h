/* What is known of the fetching of the applications' pages, as families of ours. Pure. */
#pragma once

#include "metrics/exposition.h"

/* Why a page is left out, whole; or, of the last two, families and series of it. */
enum app_error {
	APP_ERROR_TOKEN, /* its token cannot be read */
	APP_ERROR_CONNECTION,
	APP_ERROR_TIMEOUT,
	APP_ERROR_STATUS, /* of HTTP, other than 200 */
	APP_ERROR_TOO_LARGE,
	APP_ERROR_MALFORMED,
	APP_ERROR_CONFLICT,
	APP_ERROR_DUPLICATE,
	APP_ERROR_COUNT,
};

struct app_scrape {
	const char *target; /* the label */
	bool known;         /* it was fetched, or tried to */
	bool success;
	int64_t duration_ns;
	uint64_t errors[APP_ERROR_COUNT];
};

void app_scrape_write(struct exposition *page, const struct app_scrape *scrapes, size_t count);
