#include "metrics/exposition.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char type_names[][12] = { "gauge", "counter", "histogram" };
static_assert(sizeof type_names / sizeof type_names[0] == METRIC_TYPE_COUNT, "a name for every type");

void exposition_open(struct exposition *page, enum exposition_format format, size_t limit)
{
	*page = (struct exposition){ .format = format };
	buffer_open(&page->buffer, limit);
}

static bool ends_in(const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);

	return length > tail && strcmp(name + length - tail, suffix) == 0;
}

/* OpenMetrics: the unit is a suffix of the family's name, behind an underscore, and _total is none of its suffixes. */
static bool well_named(const struct family *family)
{
	size_t length = strlen(family->name);

	if (ends_in(family->name, "_total"))
		return false;
	return family->unit == NULL ||
		(ends_in(family->name, family->unit) && family->name[length - strlen(family->unit) - 1] == '_');
}

void exposition_family(struct exposition *page, const struct family *family)
{
	page->family = *family;
	page->headed = false;
	if (!well_named(family))
		buffer_fail(&page->buffer, -EINVAL);
}

/* What stands for the character at `text`, of `length` bytes; NULL: it stands for itself. */
static const char *escape_of(const char *text, size_t length, bool quotes)
{
	if (length == 0)
		return UTF8_REPLACEMENT;
	if (*text == '\n')
		return "\\n";
	if (*text == '\\')
		return "\\\\";
	return *text == '"' && quotes ? "\\\"" : NULL;
}

/* Escapes as both formats do in label values: backslash, quote and newline. HELP of the text format leaves quotes. What
 * stands for itself is copied in one piece, which is nearly all there is. */
static void add_escaped(struct buffer *buffer, const char *text, bool quotes)
{
	const char *piece = text;

	while (*text != '\0') {
		size_t length = utf8_step(text);
		const char *escape = escape_of(text, length, quotes);

		if (escape != NULL) {
			buffer_add(buffer, piece, (size_t)(text - piece));
			buffer_add_text(buffer, escape);
		}
		text += length > 0 ? length : 1;
		if (escape != NULL)
			piece = text;
	}
	buffer_add(buffer, piece, (size_t)(text - piece));
}

/* The name behind HELP, TYPE and UNIT: version 0.0.4 describes the counter's sample, OpenMetrics the family. */
static void add_subject(struct exposition *page, const char *keyword)
{
	buffer_add_text(&page->buffer, keyword);
	buffer_add_text(&page->buffer, page->family.name);
	if (page->family.type == METRIC_COUNTER && page->format == EXPOSITION_TEXT)
		buffer_add_text(&page->buffer, "_total");
	buffer_add_text(&page->buffer, " ");
}

static void add_head(struct exposition *page)
{
	struct buffer *buffer = &page->buffer;

	add_subject(page, "# HELP ");
	add_escaped(buffer, page->family.help, page->format == EXPOSITION_OPENMETRICS);
	buffer_add_text(buffer, "\n");
	add_subject(page, "# TYPE ");
	buffer_add_text(buffer, type_names[page->family.type]);
	buffer_add_text(buffer, "\n");
	if (page->family.unit != NULL && page->format == EXPOSITION_OPENMETRICS) {
		add_subject(page, "# UNIT ");
		buffer_add_text(buffer, page->family.unit);
		buffer_add_text(buffer, "\n");
	}
}

static void add_label(struct buffer *buffer, const char *before, const struct label *label)
{
	buffer_add_text(buffer, before);
	buffer_add_text(buffer, label->name);
	buffer_add_text(buffer, "=\"");
	add_escaped(buffer, label->value, true);
	buffer_add_text(buffer, "\"");
}

/* A sample up to the blank before its value. */
static void begin_sample(struct exposition *page, const char *suffix, const struct label *labels, size_t count)
{
	struct buffer *buffer = &page->buffer;

	if (page->family.name == NULL || count > EXPOSITION_LABELS_MAX) {
		buffer_fail(buffer, -EINVAL);
		return;
	}
	if (!page->headed)
		add_head(page);
	page->headed = true;
	buffer_add_text(buffer, page->family.name);
	buffer_add_text(buffer, suffix);
	for (size_t i = 0; i < count; i++)
		add_label(buffer, i == 0 ? "{" : ",", &labels[i]);
	buffer_add_text(buffer, count > 0 ? "} " : " ");
}

/* The same for a gauge or a counter; a histogram has samples of its own. */
static void begin_plain(struct exposition *page, const struct label *labels, size_t count)
{
	bool counter = page->family.name != NULL && page->family.type == METRIC_COUNTER;

	if (page->family.name != NULL && page->family.type == METRIC_HISTOGRAM)
		buffer_fail(&page->buffer, -EINVAL);
	begin_sample(page, counter ? "_total" : "", labels, count);
}

void exposition_u64(struct exposition *page, const struct label *labels, size_t count, uint64_t value)
{
	begin_plain(page, labels, count);
	buffer_add_u64(&page->buffer, value);
	buffer_add_text(&page->buffer, "\n");
}

void exposition_i64(struct exposition *page, const struct label *labels, size_t count, int64_t value)
{
	begin_plain(page, labels, count);
	buffer_add_i64(&page->buffer, value);
	buffer_add_text(&page->buffer, "\n");
}

void exposition_seconds(struct exposition *page, const struct label *labels, size_t count, int64_t ns)
{
	begin_plain(page, labels, count);
	buffer_add_seconds(&page->buffer, ns);
	buffer_add_text(&page->buffer, "\n");
}

/* le of a bound, "0.005" or "1.0": the canonical form of OpenMetrics. Returns text (NUL-terminated). */
static const char *bound_text(int64_t bound_ns, char text[static 32])
{
	struct buffer digits = { .text = text, .size = 32, .limit = 31 }; /* never grows: 20 digits, a sign and a dot */

	buffer_add_seconds(&digits, bound_ns);
	if (bound_ns % NS_PER_S == 0)
		buffer_add_text(&digits, ".0");
	text[digits.length] = '\0';
	return text;
}

static void add_bucket(struct exposition *page, struct label *labels, size_t count, const char *bound, uint64_t value)
{
	labels[count] = (struct label){ "le", bound };
	begin_sample(page, "_bucket", labels, count + 1);
	buffer_add_u64(&page->buffer, value);
	buffer_add_text(&page->buffer, "\n");
}

void exposition_histogram(struct exposition *page, const struct label *labels, size_t count, const int64_t *bounds_ns,
	const uint64_t *counts, size_t buckets, int64_t sum_ns)
{
	struct label all[EXPOSITION_LABELS_MAX];
	uint64_t cumulative = 0;
	char bound[32];

	if (page->family.name == NULL || page->family.type != METRIC_HISTOGRAM || count >= EXPOSITION_LABELS_MAX) {
		buffer_fail(&page->buffer, -EINVAL);
		return;
	}
	if (count > 0)
		memcpy(all, labels, count * sizeof *labels);
	for (size_t i = 0; i < buckets; i++) {
		cumulative += counts[i];
		add_bucket(page, all, count, bound_text(bounds_ns[i], bound), cumulative);
	}
	cumulative += counts[buckets];
	add_bucket(page, all, count, "+Inf", cumulative);
	begin_sample(page, "_sum", labels, count);
	buffer_add_seconds(&page->buffer, sum_ns);
	buffer_add_text(&page->buffer, "\n");
	begin_sample(page, "_count", labels, count);
	buffer_add_u64(&page->buffer, cumulative);
	buffer_add_text(&page->buffer, "\n");
}

int exposition_close(struct exposition *page, char **ret_text, size_t *ret_length)
{
	if (page->format == EXPOSITION_OPENMETRICS)
		buffer_add_text(&page->buffer, "# EOF\n");
	page->family.name = NULL;
	return buffer_take(&page->buffer, ret_text, ret_length);
}
