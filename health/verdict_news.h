/* A change of a verdict, as the log tells it; and how many of them it tells. Pure. */
#pragma once

#include "base/json_line.h"
#include "health/verdict.h"

struct verdict_news {
	const char *name; /* of the check, as pages have it; borrowed, as is the reason */
	enum check_kind kind;
	enum verdict_state before, state;
	unsigned failures;  /* in a row */
	const char *reason; /* of the last run */
	bool expected;      /* the service stops, or says itself what it does: nobody is to be warned */
	uint64_t untold;    /* changes that were passed over before this one */
};

/* A warning of what has become unhealthy, a notice of what is healthy again, INFO of a first success and of what was
 * expected. */
enum log_level verdict_news_level(const struct verdict_news *news);

/* "check hb (live) failed 3 times in a row: not there (/tmp/hb)", cut at the end of the buffer. */
void verdict_news_say(const struct verdict_news *news, size_t size, char *ret_text);

/* Adds the member "check" to a line of JSON. news: a struct verdict_news. */
void verdict_news_add(struct json_line *line, const void *news);

/* How many are told: so many at once, and then one in a while. Zeroed, it has told nothing yet. */
#define VERDICT_NEWS_BURST 20
#define VERDICT_NEWS_EVERY_NS (10 * NS_PER_S)

struct verdict_budget {
	int64_t full_at_ns; /* from then on there is room for a whole burst again */
};

/* Takes room for one. Returns false where there is none now. */
bool verdict_budget_take(struct verdict_budget *budget, int64_t now);
