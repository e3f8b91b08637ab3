#include "metrics/merge.h"

#include "base/cleanup.h"
#include "base/utf8.h"
#include "metrics/merge_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What stands under one HELP and TYPE. */
struct group {
	const struct merge_family *family;
	enum exposition_format format;
	const char *head; /* behind the family's name */
	const char *type;
	size_t from, to; /* its suffixes */
	bool whole;      /* it is the family as OpenMetrics has it, unit and exemplars included */
};

static void add_span(struct buffer *buffer, struct span span)
{
	buffer_add(buffer, span.text, span.length);
}

/* HELP is escaped in two ways, and clients forget to: what is no escape stands for itself. */
static void add_help(struct buffer *buffer, const struct group *group)
{
	const struct span help = group->family->help;
	const char *at = help.text, *end = help.text + help.length;

	while (at < end) {
		const size_t length = utf8_step(at);
		const bool escape = *at == '\\' && at + 1 < end &&
			(at[1] == '\\' || at[1] == 'n' ||
				(at[1] == '"' && group->family->help_format == APP_OPENMETRICS));
		const bool quote = *at == '"' || (escape && at[1] == '"');

		if (length == 0)
			buffer_add_text(buffer, UTF8_REPLACEMENT);
		else if (quote)
			buffer_add_text(buffer, group->format == EXPOSITION_OPENMETRICS ? "\\\"" : "\"");
		else if (escape)
			buffer_add(buffer, at, 2);
		else if (*at == '\\')
			buffer_add_text(buffer, "\\\\");
		else
			buffer_add(buffer, at, length);
		at += escape ? 2 : length > 0 ? length : 1;
	}
}

static void add_keyword(struct buffer *buffer, const struct group *group, const char *keyword)
{
	buffer_add_text(buffer, keyword);
	add_span(buffer, group->family->name);
	buffer_add_text(buffer, group->head);
	buffer_add_text(buffer, " ");
}

/* A unit that is no suffix of the name would be refused. */
static bool has_unit(const struct group *group)
{
	const struct span name = group->family->name, unit = group->family->unit;

	return group->whole && unit.length > 0 && name.length > unit.length + 1 &&
		name.text[name.length - unit.length - 1] == '_' &&
		memcmp(name.text + name.length - unit.length, unit.text, unit.length) == 0;
}

static void add_head(struct buffer *buffer, const struct group *group)
{
	if (group->family->help.length > 0) {
		add_keyword(buffer, group, "# HELP ");
		add_help(buffer, group);
		buffer_add_text(buffer, "\n");
	}
	add_keyword(buffer, group, "# TYPE ");
	buffer_add_text(buffer, group->type);
	buffer_add_text(buffer, "\n");
	if (has_unit(group)) {
		add_keyword(buffer, group, "# UNIT ");
		add_span(buffer, group->family->unit);
		buffer_add_text(buffer, "\n");
	}
}

static void add_labels(struct buffer *buffer, const struct app_labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		const struct app_label *label = &labels->label[i];

		buffer_add_text(buffer, i == 0 ? "{" : ",");
		add_span(buffer, label->name);
		buffer_add_text(buffer, "=\"");
		add_span(buffer, label->value);
		buffer_add_text(buffer, label->whole ? ".0\"" : "\"");
	}
	if (labels->count > 0)
		buffer_add_text(buffer, "}");
}

static void add_time(struct buffer *buffer, enum exposition_format format, int64_t ms)
{
	const uint64_t size = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	char digits[32];

	if (format == EXPOSITION_TEXT)
		snprintf(digits, sizeof digits, " %" PRId64, ms);
	else
		snprintf(digits, sizeof digits, " %s%" PRIu64 ".%03u", ms < 0 ? "-" : "", size / 1000,
			(unsigned)(size % 1000));
	buffer_add_text(buffer, digits);
}

/* OpenMetrics has them at what counts; the text format has none. */
static void add_exemplar(struct buffer *buffer, struct span exemplar)
{
	struct app_labels labels;
	struct span value, time;

	app_exemplar(exemplar, &labels, &value, &time);
	buffer_add_text(buffer, labels.count > 0 ? " # " : " # {}");
	add_labels(buffer, &labels);
	buffer_add_text(buffer, " ");
	add_span(buffer, value);
	if (time.length > 0) {
		buffer_add_text(buffer, " ");
		add_span(buffer, time);
	}
}

static void add_series(
	struct buffer *buffer, const struct group *group, const char *suffix, const struct app_line *line)
{
	add_span(buffer, group->family->name);
	buffer_add_text(buffer, suffix);
	add_labels(buffer, &line->labels);
	buffer_add_text(buffer, " ");
	add_span(buffer, line->value);
	if (line->timed)
		add_time(buffer, group->format, line->time_ms);
	if (line->exemplar.length > 0 && group->whole &&
		(strcmp(suffix, "_total") == 0 || strcmp(suffix, "_bucket") == 0))
		add_exemplar(buffer, line->exemplar);
	buffer_add_text(buffer, "\n");
}

/* HELP and TYPE come with the first series: a group without one is not on the page. */
static void add_group(struct buffer *buffer, const struct merge *merge, const struct group *group)
{
	const struct merge_type *type = &merge_types[group->family->type];
	bool headed = false;

	for (uint32_t i = group->family->first; i != MERGE_NONE; i = merge->series[i].next) {
		const struct merge_series *series = &merge->series[i];
		const struct app_page *page = &merge->pages[series->page];
		const char *at = page->text + series->at;
		struct app_line line;

		if (series->suffix < group->from || series->suffix >= group->to)
			continue;
		if (!headed)
			add_head(buffer, group);
		headed = true;
		app_line_next(&at, page->format, &line);
		add_series(buffer, group, type->suffix[series->suffix], &line);
	}
}

/* In OpenMetrics a counter NAME and a gauge NAME (or NAME_created) exclude each other, where in the text format
 * NAME_total and NAME do not: its samples keep their name then, and only the type is lost. */
static bool lost_its_name(const struct merge *merge, const struct merge_family *family)
{
	size_t suffix;

	return family->type == APP_COUNTER &&
		(merge_claimed_by(merge, family->name, "", &suffix) != MERGE_NONE ||
			merge_claimed_by(merge, family->name, "_created", &suffix) != family - merge->families);
}

static void add_family(struct buffer *buffer, const struct merge *merge, const struct merge_family *family,
	enum exposition_format format)
{
	const struct merge_type *type = &merge_types[family->type];
	struct group group = { .family = family, .format = format, .head = "", .to = type->samples };

	if (format == EXPOSITION_OPENMETRICS && !lost_its_name(merge, family)) {
		group.type = type->openmetrics;
		group.whole = true;
		add_group(buffer, merge, &group);
		return;
	}
	group.head = type->head;
	group.type = format == EXPOSITION_TEXT ? type->text : "unknown";
	group.to = type->main;
	add_group(buffer, merge, &group);
	group.type = "gauge";
	for (size_t i = type->main; i < type->samples; i++) {
		group.head = type->suffix[i];
		group.from = i;
		group.to = i + 1;
		add_group(buffer, merge, &group);
	}
}

void merge_write(const struct merge *merge, enum exposition_format format, struct buffer *buffer)
{
	for (size_t i = 0; i < merge->family_count; i++)
		add_family(buffer, merge, &merge->families[i], format);
}
