#include "metrics/app_scrape.h"

#include <assert.h>

static const char error_names[][12] = { "token", "connection", "timeout", "status", "too_large", "malformed",
	"conflict", "duplicate" };
static_assert(sizeof error_names / sizeof error_names[0] == APP_ERROR_COUNT, "a name for every error");

static void write_errors(struct exposition *page, const struct app_scrape *scrape)
{
	for (size_t i = 0; i < APP_ERROR_COUNT; i++)
		exposition_u64(page,
			(const struct label[]){ { "target", scrape->target }, { "reason", error_names[i] } }, 2,
			scrape->errors[i]);
}

void app_scrape_write(struct exposition *page, const struct app_scrape *scrapes, size_t count)
{
	exposition_family(page,
		&(struct family){ "nest_init_app_scrape_success", METRIC_GAUGE, NULL,
			"1 if the application's own page is in this one, 0 if it was left out. Absent before the first "
			"try." });
	for (size_t i = 0; i < count; i++)
		if (scrapes[i].known)
			exposition_u64(page, &(struct label){ "target", scrapes[i].target }, 1, scrapes[i].success);
	exposition_family(page,
		&(struct family){ "nest_init_app_scrape_duration_seconds", METRIC_GAUGE, "seconds",
			"How long the last fetching of the application's page took." });
	for (size_t i = 0; i < count; i++)
		if (scrapes[i].known)
			exposition_seconds(
				page, &(struct label){ "target", scrapes[i].target }, 1, scrapes[i].duration_ns);
	exposition_family(page,
		&(struct family){ "nest_init_app_scrape_errors", METRIC_COUNTER, NULL,
			"Pages of the application that were left out, by reason; of conflict, families, and of "
			"duplicate, series." });
	for (size_t i = 0; i < count; i++)
		write_errors(page, &scrapes[i]);
}
