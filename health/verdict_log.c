#include "health/verdict_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "health/verdict_news.h"

#include <errno.h>
#include <stdlib.h>

/* What the log does not know of a check. */
struct untold {
	bool waits;
	bool expected;
	enum verdict_state before; /* as the log knows it */
	uint64_t life;             /* of the service, in which that was so */
};

static const struct checks *checks;
static struct untold *untold;
static size_t waiting; /* of them */
static uint64_t passed_over;
static struct verdict_budget budget;

int verdict_log_init(const struct checks *of)
{
	checks = of;
	untold = calloc(of->count + 1, sizeof *untold);
	return untold == NULL ? -ENOMEM : 0;
}

static uint64_t life_of(size_t index)
{
	return checks->service[checks->record[index].service].life;
}

static struct verdict_news news_of(size_t index)
{
	return (struct verdict_news){
		.name = checks->record[index].name,
		.kind = checks->check[index].kind,
		.before = untold[index].before,
		.state = checks->verdict[index].state,
		.failures = checks->verdict[index].consecutive_failures,
		.reason = checks->record[index].reason,
		.expected = untold[index].expected,
	};
}

/* Of a life that is over nobody needs to know, nor of what is as it was. */
static bool is_news(size_t index, const struct verdict_news *news)
{
	return untold[index].life == life_of(index) && news->state != news->before &&
		log_wants(verdict_news_level(news));
}

/* Returns false where there is no room. */
static bool tell(size_t index, int64_t now)
{
	struct verdict_news news = news_of(index);
	char sentence[1024];

	if (is_news(index, &news)) {
		if (!verdict_budget_take(&budget, now))
			return false;
		news.untold = passed_over;
		passed_over = 0;
		verdict_news_say(&news, sizeof sentence, sentence);
		log_line_with(verdict_news_level(&news), sentence, verdict_news_add, &news);
	}
	untold[index].waits = false;
	waiting--;
	return true;
}

void verdict_log_change(size_t index, enum verdict_state before, bool expected)
{
	struct untold *one = &untold[index];

	if (one->waits && one->life == life_of(index)) {
		passed_over++;
	} else {
		waiting += !one->waits;
		*one = (struct untold){ .waits = true, .before = before, .life = life_of(index) };
	}
	one->expected = expected;
	if (waiting == 1)
		tell(index, clock_now_ns());
}

void verdict_log_run(int64_t now)
{
	for (size_t i = 0; waiting > 0 && i < checks->count; i++)
		if (untold[i].waits && !tell(i, now))
			return;
}
