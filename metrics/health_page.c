#include "metrics/health_page.h"

#include "metrics/buffer.h"
#include "metrics/utf8.h"

#include <assert.h>

/* What a page says about itself. */
static const struct wording {
	const char *page; /* as Kubernetes's API server ends its verbose pages: "livez check passed" */
	const char *bad;
	const char *description;
} wordings[] = {
	[CHECK_LIVE] = { "livez", "not alive", "whether the container should go on living" },
	[CHECK_READY] = { "readyz", "not ready", "whether the container takes requests" },
	[CHECK_STARTUP] = { "startupz", "not started", "whether the service has come up" },
};
static_assert(sizeof wordings / sizeof wordings[0] == CHECK_KIND_COUNT, "words for every kind");

/* One line of a page: a check, or PID 1 itself. */
struct item {
	char name[UTF8_CLEAN_SIZE(WIRE_NAME_SIZE)];
	char reason[UTF8_CLEAN_SIZE(WIRE_REASON_SIZE)];
	bool good;
};

static bool init_is_good(const struct health_facts *facts, enum check_kind kind)
{
	if (facts->snapshot == NULL)
		return false;
	return kind != CHECK_READY || facts->snapshot->state == WIRE_STATE_RUNNING;
}

bool health_is_good(const struct health_facts *facts, enum check_kind kind)
{
	return init_is_good(facts, kind) && facts->healthy[kind];
}

static void describe_init(const struct health_facts *facts, enum check_kind kind, struct item *ret_item)
{
	ret_item->good = init_is_good(facts, kind);
	utf8_clean("nest-init", ret_item->name, sizeof ret_item->name);
	utf8_clean(facts->snapshot == NULL ? "has not reported yet" : wire_state_name(facts->snapshot->state),
		ret_item->reason, sizeof ret_item->reason);
}

static void describe_check(const struct wire_check *check, struct item *ret_item)
{
	const char *reason = check->reason;

	if (*reason == '\0')
		reason = check->settled ? "failed" : "no result yet";
	ret_item->good = check->healthy;
	utf8_clean(check->name, ret_item->name, sizeof ret_item->name);
	utf8_clean(reason, ret_item->reason, sizeof ret_item->reason);
}

/* Calls write for PID 1 and for each check of the kind, in this order; *count is its own,
 * from 0 on: how many it has written. Returns that. */
static size_t each_item(struct buffer *page, const struct health_facts *facts, enum check_kind kind,
	void (*write)(struct buffer *page, const struct item *item, size_t *count))
{
	struct item item;
	size_t count = 0;

	describe_init(facts, kind, &item);
	write(page, &item, &count);
	for (size_t i = 0; i < facts->check_count; i++) {
		if (facts->checks[i].kind != kind)
			continue;
		describe_check(&facts->checks[i], &item);
		write(page, &item, &count);
	}
	return count;
}

static void write_failure(struct buffer *page, const struct item *item, size_t *count)
{
	if (item->good || (*count)++ >= HEALTH_BRIEF_MAX)
		return;
	buffer_add_text(page, *count == 1 ? ": " : "; ");
	buffer_add_text(page, item->name);
	buffer_add_text(page, ": ");
	buffer_add_text(page, item->reason);
}

static void write_brief(struct buffer *page, const struct health_facts *facts, enum check_kind kind)
{
	size_t failures;

	if (health_is_good(facts, kind)) {
		buffer_add_text(page, "ok\n");
		return;
	}
	buffer_add_text(page, wordings[kind].bad);
	failures = each_item(page, facts, kind, write_failure);
	if (failures > HEALTH_BRIEF_MAX) {
		buffer_add_text(page, "; and ");
		buffer_add_u64(page, failures - HEALTH_BRIEF_MAX);
		buffer_add_text(page, " more");
	}
	buffer_add_text(page, "\n");
}

static void write_line(struct buffer *page, const struct item *item, size_t *count)
{
	(void)count;
	buffer_add_text(page, item->good ? "[+]" : "[-]");
	buffer_add_text(page, item->name);
	buffer_add_text(page, item->good ? " ok" : " failed: ");
	if (!item->good)
		buffer_add_text(page, item->reason);
	buffer_add_text(page, "\n");
}

static void write_verbose(struct buffer *page, const struct health_facts *facts, enum check_kind kind)
{
	each_item(page, facts, kind, write_line);
	buffer_add_text(page, wordings[kind].page);
	buffer_add_text(page, health_is_good(facts, kind) ? " check passed\n" : " check failed\n");
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
static void write_member(struct buffer *page, const struct item *item, size_t *count)
{
	buffer_add_text(page, (*count)++ == 0 ? "" : ",");
	add_string(page, item->name);
	buffer_add_text(page, ":[{\"status\":");
	add_string(page, item->good ? "pass" : "fail");
	buffer_add_text(page, ",\"output\":");
	add_string(page, item->reason);
	buffer_add_text(page, "}]");
}

static void write_json(struct buffer *page, const struct health_facts *facts, enum check_kind kind)
{
	buffer_add_text(page, "{\"status\":");
	add_string(page, health_is_good(facts, kind) ? "pass" : "fail");
	buffer_add_text(page, ",\"description\":");
	add_string(page, wordings[kind].description);
	buffer_add_text(page, ",\"checks\":{");
	each_item(page, facts, kind, write_member);
	buffer_add_text(page, "}}\n");
}

int health_page(const struct health_facts *facts, enum check_kind kind, enum health_format format, unsigned *ret_status,
	char **ret_text, size_t *ret_length)
{
	static void (*const writers[])(struct buffer *, const struct health_facts *, enum check_kind) = {
		[HEALTH_BRIEF] = write_brief,
		[HEALTH_VERBOSE] = write_verbose,
		[HEALTH_JSON] = write_json,
	};
	struct buffer page;
	int error;

	buffer_open(&page, HEALTH_PAGE_MAX);
	writers[format](&page, facts, kind);
	error = buffer_take(&page, ret_text, ret_length);
	if (error < 0)
		return error;
	*ret_status = health_is_good(facts, kind) ? 200 : 503;
	return 0;
}
