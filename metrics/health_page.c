#include "metrics/health_page.h"

#include "base/cleanup.h"
#include "base/utf8.h"
#include "metrics/buffer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a page says about itself. */
static const struct wording {
	const char *page; /* as Kubernetes's API server ends its verbose pages: "livez check passed" */
	const char *bad;
	const char *description;
} wordings[] = {
	[CHECK_LIVE] = { "livez", "not alive", "whether the container should go on living" },
	[CHECK_READY] = { "readyz", "not ready", "whether the container takes requests" },
	[CHECK_STARTUP] = { "startupz", "not started", "whether the service has come up" },
	[CHECK_KIND_COUNT] = { "health", "unhealthy", "whether the container is well" }, /* of several kinds */
};
static_assert(sizeof wordings / sizeof wordings[0] == CHECK_KIND_COUNT + 1, "words for every kind");

static const struct wording *wording_of(unsigned kinds)
{
	unsigned kind = 0;

	while (kind < CHECK_KIND_COUNT && kinds != 1U << kind)
		kind++;
	return &wordings[kind];
}

#define KIND_PREFIX 8 /* "startup:" */

/* One line of a page: a check, or PID 1 itself. */
struct item {
	char name[KIND_PREFIX + UTF8_CLEAN_SIZE(WIRE_NAME_SIZE)];
	char reason[UTF8_CLEAN_SIZE(WIRE_REASON_SIZE)];
	bool good;
	bool held; /* by a startup check, which has an item of its own */
};

static bool init_is_good(const struct health_facts *facts, enum check_kind kind)
{
	if (facts->source == HEALTH_BY_OURSELVES)
		return true;
	if (facts->source == HEALTH_INIT_SILENT || facts->snapshot == NULL)
		return false;
	return kind != CHECK_READY || facts->snapshot->state == WIRE_STATE_RUNNING;
}

bool health_is_good(const struct health_facts *facts, enum check_kind kind)
{
	return init_is_good(facts, kind) && facts->healthy[kind];
}

/* True if the test is true of every kind of these. */
static bool each_kind(bool (*test)(const struct health_facts *facts, enum check_kind kind),
	const struct health_facts *facts, unsigned kinds)
{
	for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
		if ((kinds >> kind & 1) != 0 && !test(facts, (enum check_kind)kind))
			return false;
	return true;
}

static const char *init_reason(const struct health_facts *facts)
{
	if (facts->source == HEALTH_INIT_SILENT)
		return "PID 1 does not answer";
	return facts->snapshot == NULL ? "has not reported yet" : wire_state_name(facts->snapshot->state);
}

static void describe_init(const struct health_facts *facts, unsigned kinds, struct item *ret_item)
{
	ret_item->good = each_kind(init_is_good, facts, kinds);
	utf8_clean("nest-init", ret_item->name, sizeof ret_item->name);
	utf8_clean(init_reason(facts), ret_item->reason, sizeof ret_item->reason);
}

/* Two kinds may have checks of one name: where several are shown together it has its kind before it. */
static void describe_check(const struct wire_check *check, bool with_kind, struct item *ret_item)
{
	const char *reason = check->reason;
	int length = 0;

	if (*reason == '\0')
		reason = check->settled ? "failed" : "no result yet";
	if (with_kind)
		length = snprintf(
			ret_item->name, sizeof ret_item->name, "%s:", check_kind_name((enum check_kind)check->kind));
	ret_item->good = check->healthy;
	utf8_clean(check->name, ret_item->name + length, sizeof ret_item->name - (size_t)length);
	utf8_clean(reason, ret_item->reason, sizeof ret_item->reason);
}

/* What readiness waits for: a startup check. Where no monitor runs each check is looked at once, and none is held. */
static const struct wire_check *find_holder(const struct health_facts *facts)
{
	if (facts->source != HEALTH_BY_OURSELVES)
		for (size_t i = 0; i < facts->check_count; i++)
			if (facts->checks[i].kind == CHECK_STARTUP && !facts->checks[i].healthy)
				return &facts->checks[i];
	return NULL;
}

static void describe_holder(const struct wire_check *holder, struct item *ret_item)
{
	char name[HEALTH_BRIEF_NAME + 1], reason[WIRE_REASON_SIZE];

	utf8_clean(holder->name, name, sizeof name);
	snprintf(reason, sizeof reason, "%s has not succeeded yet", name);
	utf8_clean("startup", ret_item->name, sizeof ret_item->name);
	utf8_clean(reason, ret_item->reason, sizeof ret_item->reason);
	ret_item->good = ret_item->held = false;
}

/* How many items were written, of as many at the most. */
struct progress {
	size_t count, most;
};

/* Calls write for PID 1, if it is known, for what holds readiness back, and for each check of the kinds, in this order;
 * the progress is its own. */
static void each_item(struct buffer *page, const struct health_facts *facts, unsigned kinds, struct progress *progress,
	void (*write)(struct buffer *page, const struct item *item, struct progress *progress))
{
	const bool ready = (kinds >> CHECK_READY & 1) != 0, startup = (kinds >> CHECK_STARTUP & 1) != 0;
	const struct wire_check *holder = ready ? find_holder(facts) : NULL;
	struct item item = { .held = false };

	if (facts->source != HEALTH_BY_OURSELVES) {
		describe_init(facts, kinds, &item);
		write(page, &item, progress);
	}
	if (holder != NULL && !startup) { /* which would show it itself */
		describe_holder(holder, &item);
		write(page, &item, progress);
	}
	for (size_t i = 0; i < facts->check_count; i++) {
		if ((kinds >> facts->checks[i].kind & 1) == 0)
			continue;
		describe_check(&facts->checks[i], (kinds & (kinds - 1)) != 0, &item);
		item.held = holder != NULL && facts->checks[i].kind == CHECK_READY;
		write(page, &item, progress);
	}
}

static void write_failure(struct buffer *page, const struct item *item, struct progress *progress)
{
	const bool cut = strlen(item->name) > HEALTH_BRIEF_NAME;
	char name[HEALTH_BRIEF_NAME + 1];

	if (item->good || item->held || progress->count++ >= progress->most)
		return;
	utf8_clean(item->name, name, sizeof name - (cut ? strlen("...") : 0));
	buffer_add_text(page, progress->count == 1 ? ": " : "; ");
	buffer_add_text(page, name);
	buffer_add_text(page, cut ? "...: " : ": ");
	buffer_add_text(page, item->reason);
}

/* The verdict and what fails, as much as that of it. */
static void write_most(struct buffer *page, const struct health_facts *facts, unsigned kinds, size_t most)
{
	struct progress progress = { .most = most };

	buffer_add_text(page, wording_of(kinds)->bad);
	each_item(page, facts, kinds, &progress, write_failure);
	if (progress.count <= most)
		return;
	buffer_add_text(page, "; and ");
	buffer_add_u64(page, progress.count - most);
	buffer_add_text(page, " more");
}

/* As many as there is room for, one at the least, without the end of the line. */
static void write_failures(struct buffer *page, const struct health_facts *facts, unsigned kinds)
{
	for (size_t most = HEALTH_BRIEF_MAX; most > 0; most--) {
		struct buffer brief;
		cleanup_free char *text = NULL;
		size_t length;
		int error;

		buffer_open(&brief, HEALTH_PAGE_MAX);
		write_most(&brief, facts, kinds, most);
		error = buffer_take(&brief, &text, &length);
		if (error < 0)
			buffer_fail(page, error);
		else if (length <= HEALTH_BRIEF_BYTES || most == 1)
			buffer_add(page, text, length);
		if (error < 0 || length <= HEALTH_BRIEF_BYTES)
			return;
	}
}

static void write_brief(struct buffer *page, const struct health_facts *facts, unsigned kinds)
{
	if (each_kind(health_is_good, facts, kinds))
		buffer_add_text(page, "ok");
	else
		write_failures(page, facts, kinds);
	buffer_add_text(page, "\n");
}

static void write_line(struct buffer *page, const struct item *item, struct progress *progress)
{
	(void)progress;
	buffer_add_text(page, item->good ? "[+]" : "[-]");
	buffer_add_text(page, item->name);
	buffer_add_text(page, item->good ? " ok" : " failed: ");
	if (!item->good)
		buffer_add_text(page, item->reason);
	buffer_add_text(page, "\n");
}

static void write_verbose(struct buffer *page, const struct health_facts *facts, unsigned kinds)
{
	each_item(page, facts, kinds, NULL, write_line);
	buffer_add_text(page, facts->page != NULL ? facts->page : wording_of(kinds)->page);
	buffer_add_text(page, each_kind(health_is_good, facts, kinds) ? " check passed\n" : " check failed\n");
}

/* A JSON string (RFC 8259, section 7) of text that is clean already: no control character, nothing but UTF-8. */
static void add_string(struct buffer *page, const char *clean)
{
	buffer_add_text(page, "\"");
	for (; *clean != '\0'; clean++) {
		if (*clean == '"' || *clean == '\\')
			buffer_add_text(page, "\\");
		buffer_add(page, clean, 1);
	}
	buffer_add_text(page, "\"");
}

/* A member of "checks": an array of one, for the draft allows several components behind one name. A name that two
 * checks share is the operator's doing; the last one counts for most parsers. */
static void write_member(struct buffer *page, const struct item *item, struct progress *progress)
{
	buffer_add_text(page, progress->count++ == 0 ? "" : ",");
	add_string(page, item->name);
	buffer_add_text(page, ":[{\"status\":");
	add_string(page, item->good ? "pass" : "fail");
	buffer_add_text(page, ",\"output\":");
	add_string(page, item->reason);
	buffer_add_text(page, "}]");
}

/* The brief page as a JSON string. It is short: a few names and reasons. */
static void write_output(struct buffer *page, const struct health_facts *facts, unsigned kinds)
{
	struct buffer brief;
	char *text;
	size_t length;
	int error;

	buffer_open(&brief, HEALTH_PAGE_MAX);
	write_failures(&brief, facts, kinds);
	error = buffer_take(&brief, &text, &length);
	if (error < 0) {
		buffer_fail(page, error);
		return;
	}
	buffer_add_text(page, ",\"output\":");
	add_string(page, text);
	free(text);
}

/* The verdict and its reason first, as whoever keeps the beginning alone is to have them. */
static void write_json(struct buffer *page, const struct health_facts *facts, unsigned kinds)
{
	const bool good = each_kind(health_is_good, facts, kinds);
	struct progress progress = { 0 };

	buffer_add_text(page, "{\"status\":");
	add_string(page, good ? "pass" : "fail");
	if (!good)
		write_output(page, facts, kinds);
	buffer_add_text(page, ",\"description\":");
	add_string(page, wording_of(kinds)->description);
	if (facts->source == HEALTH_BY_OURSELVES)
		buffer_add_text(page, ",\"notes\":[\"looked at just now: no monitor runs\"]");
	buffer_add_text(page, ",\"checks\":{");
	each_item(page, facts, kinds, &progress, write_member);
	buffer_add_text(page, "}}\n");
}

int health_page(const struct health_facts *facts, unsigned kinds, enum health_format format, unsigned *ret_status,
	char **ret_text, size_t *ret_length)
{
	static void (*const writers[])(struct buffer *, const struct health_facts *, unsigned) = {
		[HEALTH_BRIEF] = write_brief,
		[HEALTH_VERBOSE] = write_verbose,
		[HEALTH_JSON] = write_json,
	};
	struct buffer page;
	int error;

	buffer_open(&page, HEALTH_PAGE_MAX);
	writers[format](&page, facts, kinds);
	error = buffer_take(&page, ret_text, ret_length);
	if (error < 0)
		return error;
	*ret_status = each_kind(health_is_good, facts, kinds) ? 200 : 503;
	return 0;
}
