#include "health/verdict_news.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum log_level verdict_news_level(const struct verdict_news *news)
{
	if (news->expected || news->before == VERDICT_STARTING)
		return !news->expected && news->state == VERDICT_UNHEALTHY ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
	return news->state == VERDICT_UNHEALTHY ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE;
}

static void say_what(const struct verdict_news *news, size_t size, char *ret_text)
{
	if (news->state != VERDICT_UNHEALTHY)
		snprintf(ret_text, size, "%s", news->before == VERDICT_UNHEALTHY ? "is healthy again" : "succeeded");
	else if (news->failures > 1)
		snprintf(ret_text, size, "failed %u times in a row", news->failures);
	else
		snprintf(ret_text, size, "failed");
}

void verdict_news_say(const struct verdict_news *news, size_t size, char *ret_text)
{
	char what[48];
	size_t length;

	say_what(news, sizeof what, what);
	snprintf(ret_text, size, "check %s (%s) %s: %s", news->name, check_kind_name(news->kind), what, news->reason);
	length = strlen(ret_text);
	if (news->untold > 0)
		snprintf(ret_text + length, size - length, " (%llu other changes of checks were not told)",
			(unsigned long long)news->untold);
}

void verdict_news_add(struct json_line *line, const void *context)
{
	const struct verdict_news *news = context;

	if (!json_line_open(line, "check", '{'))
		return;
	json_line_text(line, "name", news->name);
	json_line_text(line, "kind", check_kind_name(news->kind));
	json_line_text(line, "state", verdict_state_name(news->state));
	json_line_i64(line, "failures", news->failures);
	json_line_text(line, "reason", news->reason);
	json_line_close(line);
}

bool verdict_budget_take(struct verdict_budget *budget, int64_t now)
{
	const int64_t full = budget->full_at_ns > now ? budget->full_at_ns : now;

	if (full - now > (VERDICT_NEWS_BURST - 1) * VERDICT_NEWS_EVERY_NS)
		return false;
	budget->full_at_ns = full + VERDICT_NEWS_EVERY_NS;
	return true;
}
