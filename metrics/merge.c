#include "metrics/merge.h"

#include "base/cleanup.h"
#include "metrics/merge_table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define OURS "nest_init"

const struct merge_type merge_types[] = {
	[APP_UNKNOWN] = { "unknown", "untyped", "", { "" }, 1, 1, 1 },
	[APP_COUNTER] = { "counter", "counter", "_total", { "_total", "_created" }, 1, 2, 2 },
	[APP_PLAIN_COUNTER] = { "unknown", "counter", "", { "" }, 1, 1, 1 },
	[APP_GAUGE] = { "gauge", "gauge", "", { "" }, 1, 1, 1 },
	[APP_HISTOGRAM] = { "histogram", "histogram", "", { "_bucket", "_sum", "_count", "_created", "" }, 3, 4, 5 },
	[APP_GAUGE_HISTOGRAM] = { "gaugehistogram", "", "", { "_bucket", "_gsum", "_gcount", "" }, 0, 3, 4 },
	[APP_SUMMARY] = { "summary", "summary", "", { "", "_sum", "_count", "_created" }, 3, 4, 4 },
	[APP_INFO] = { "info", "gauge", "_info", { "_info", "" }, 1, 1, 2 },
	[APP_STATESET] = { "stateset", "gauge", "", { "" }, 1, 1, 1 },
};
static_assert(sizeof merge_types / sizeof merge_types[0] == APP_TYPE_COUNT, "a row for every type");

/* What an entry's hash stands for. */
enum { HASH_NAME, HASH_SERIES, HASH_METRIC };

/* ---- the table ---- */

static struct siphash begin_hash(const struct merge *merge, uint8_t kind)
{
	struct siphash hash;

	siphash_begin(&hash, &merge->key);
	siphash_add(&hash, &kind, sizeof kind);
	return hash;
}

static uint64_t hash_name(const struct merge *merge, struct span name, const char *suffix)
{
	struct siphash hash = begin_hash(merge, HASH_NAME);

	siphash_add(&hash, name.text, name.length);
	siphash_add(&hash, suffix, strlen(suffix));
	return siphash_end(&hash);
}

/* The entry of that hash, or the free one where it belongs. There is always a free one. */
static struct merge_entry *find_entry(const struct merge *merge, uint64_t hash)
{
	size_t at = hash & merge->entry_mask;

	while (merge->entries[at].hash != 0 && merge->entries[at].hash != hash)
		at = (at + 1) & merge->entry_mask;
	return &merge->entries[at];
}

uint32_t merge_claimed_by(const struct merge *merge, struct span name, const char *suffix, size_t *ret_suffix)
{
	const struct merge_entry *entry = find_entry(merge, hash_name(merge, name, suffix));

	if (entry->hash == 0)
		return MERGE_NONE;
	*ret_suffix = entry->value % MERGE_SUFFIXES;
	return entry->value / MERGE_SUFFIXES;
}

/* ---- one page ---- */

/* What HELP, TYPE and UNIT have said, or a sample of its own accord. */
struct declared {
	struct span name;
	struct span help, unit;
	enum app_type type;
	bool used;       /* a sample has come */
	uint32_t family; /* then: MERGE_NONE if it is left out */
};

struct reader {
	struct merge *merge;
	uint8_t page;
	enum app_format format;
	size_t room; /* for families of this page and those before it */
	struct declared declared;
	struct merge_left left;
};

/* The text format names the sample of a counter, where OpenMetrics names the family. */
static void find_own_name(struct declared *declared, enum app_format format)
{
	if (declared->type != APP_COUNTER || format != APP_TEXT)
		return;
	if (span_ends(declared->name, "_total"))
		declared->name.length -= strlen("_total");
	else
		declared->type = APP_PLAIN_COUNTER;
}

static bool is_ours(struct span name)
{
	const size_t length = strlen(OURS);

	return name.length >= length && memcmp(name.text, OURS, length) == 0 &&
		(name.length == length || name.text[length] == '_');
}

/* The sample's name is the family's with one of its type's suffixes. */
static bool is_sample_of(const struct declared *declared, struct span sample)
{
	const struct merge_type *type = &merge_types[declared->type];
	const struct span name = declared->name;

	if (sample.length < name.length || memcmp(sample.text, name.text, name.length) != 0)
		return false;
	sample = (struct span){ sample.text + name.length, sample.length - name.length };
	for (size_t i = 0; i < type->samples; i++)
		if (span_is(sample, type->suffix[i]))
			return true;
	return false;
}

/* In the text format NAME_created may well be something else. */
static bool is_created(const char *suffix)
{
	return strcmp(suffix, "_created") == 0;
}

static bool names_are_free(const struct merge *merge, const struct declared *declared)
{
	const struct merge_type *type = &merge_types[declared->type];
	size_t suffix;

	for (size_t i = 0; i < type->claims; i++)
		if (!is_created(type->suffix[i]) &&
			merge_claimed_by(merge, declared->name, type->suffix[i], &suffix) != MERGE_NONE)
			return false;
	return true;
}

static uint32_t add_family(struct reader *reader)
{
	struct merge *merge = reader->merge;
	const struct declared *declared = &reader->declared;
	const struct merge_type *type = &merge_types[declared->type];
	const uint32_t family = (uint32_t)merge->family_count++;

	merge->families[family] = (struct merge_family){
		.name = declared->name,
		.help = declared->help,
		.help_format = reader->format,
		.unit = declared->unit,
		.type = declared->type,
		.first = MERGE_NONE,
		.last = MERGE_NONE,
	};
	for (uint32_t i = 0; i < type->claims; i++) {
		const uint64_t hash = hash_name(merge, declared->name, type->suffix[i]);
		struct merge_entry *entry = find_entry(merge, hash);

		if (entry->hash == 0)
			*entry = (struct merge_entry){ hash, family * MERGE_SUFFIXES + i };
	}
	return family;
}

/* The text format has no _created: clients write a gauge for it, which is part of the family all the same. */
static bool is_created_of(const struct reader *reader, uint32_t family, size_t suffix)
{
	const struct merge_family *known = &reader->merge->families[family];

	return (known->pages >> reader->page & 1) != 0 && reader->format == APP_TEXT &&
		(reader->declared.type == APP_GAUGE || reader->declared.type == APP_UNKNOWN) &&
		is_created(merge_types[known->type].suffix[suffix]);
}

/* The family that is declared: the one that is there, a new one, or none. */
static uint32_t open_family(struct reader *reader)
{
	struct merge *merge = reader->merge;
	const struct declared *declared = &reader->declared;
	size_t suffix = 0;
	uint32_t family = merge_claimed_by(merge, declared->name, merge_types[declared->type].suffix[0], &suffix);

	if (family != MERGE_NONE && is_created_of(reader, family, suffix))
		return family;
	if (is_ours(declared->name) ||
		(family != MERGE_NONE && (merge->families[family].type != declared->type || suffix != 0)))
		return MERGE_NONE;
	if (family == MERGE_NONE && (merge->family_count >= reader->room || !names_are_free(merge, declared)))
		return MERGE_NONE;
	if (family == MERGE_NONE)
		family = add_family(reader);
	merge->families[family].pages |= (uint8_t)(1U << reader->page);
	return family;
}

static void use_declared(struct reader *reader)
{
	struct declared *declared = &reader->declared;

	declared->used = true;
	declared->family = open_family(reader);
	reader->left.families += declared->family == MERGE_NONE;
}

/* This page has said the family, and a sample of it may have the suffix. */
static bool has_said(const struct reader *reader, uint32_t family, size_t suffix)
{
	const struct merge_family *known = &reader->merge->families[family];

	return (known->pages >> reader->page & 1) != 0 && suffix < merge_types[known->type].samples;
}

/* A sample that is not what was declared last: of a family that this page has said before, or one without a TYPE. */
static void declare_by_sample(struct reader *reader, struct span sample)
{
	size_t suffix;
	const uint32_t family = merge_claimed_by(reader->merge, sample, "", &suffix);

	if (family != MERGE_NONE && has_said(reader, family, suffix)) {
		const struct merge_family *known = &reader->merge->families[family];

		reader->declared =
			(struct declared){ .name = known->name, .type = known->type, .used = true, .family = family };
		return;
	}
	reader->declared = (struct declared){ .name = sample, .type = APP_UNKNOWN };
	use_declared(reader);
}

/* Sees to it that the family is declared that the sample belongs to. */
static void place_sample(struct reader *reader, struct span sample)
{
	struct declared own = reader->declared;

	if (!own.used)
		find_own_name(&own, reader->format);
	if (own.name.length == 0 || !is_sample_of(&own, sample)) {
		declare_by_sample(reader, sample);
	} else if (!own.used) {
		reader->declared = own;
		use_declared(reader);
	}
}

/* The labels of a series in any order; `but`: one that is left out. */
static uint64_t hash_labels(const struct merge *merge, const struct app_labels *labels, const char *but)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < labels->count; i++) {
		const struct app_label *label = &labels->label[i];
		struct siphash hash = begin_hash(merge, HASH_SERIES);

		if (but != NULL && span_is(label->name, but))
			continue;
		siphash_add(&hash, label->name.text, label->name.length);
		siphash_add(&hash, label->whole ? "=." : "=", 1 + (size_t)label->whole);
		siphash_add(&hash, label->value.text, label->value.length);
		sum += siphash_end(&hash);
	}
	return sum;
}

static uint64_t hash_series(const struct merge *merge, uint8_t kind, uint64_t name, uint64_t labels)
{
	struct siphash hash = begin_hash(merge, kind);

	siphash_add(&hash, &name, sizeof name);
	siphash_add(&hash, &labels, sizeof labels);
	return siphash_end(&hash);
}

/* What tells the samples of one metric apart. */
static const char *own_label(enum app_type type)
{
	if (type == APP_HISTOGRAM || type == APP_GAUGE_HISTOGRAM)
		return "le";
	return type == APP_SUMMARY ? "quantile" : NULL;
}

/* False: it is there already. */
static bool take_place(struct reader *reader, uint32_t family, size_t suffix, const struct app_labels *labels)
{
	struct merge *merge = reader->merge;
	const struct merge_family *known = &merge->families[family];
	const char *own = own_label(known->type);
	const uint64_t name = hash_name(merge, known->name, merge_types[known->type].suffix[suffix]);
	const uint64_t all = hash_labels(merge, labels, NULL);
	const uint64_t metric = hash_series(
		merge, HASH_METRIC, family, own == NULL ? all : hash_labels(merge, labels, own));
	const uint64_t series = hash_series(merge, HASH_SERIES, name, all);
	struct merge_entry *entry = find_entry(merge, metric);

	if (entry->hash != 0 && entry->value != reader->page)
		return false;
	*entry = (struct merge_entry){ metric, reader->page };
	entry = find_entry(merge, series);
	if (entry->hash != 0)
		return false;
	*entry = (struct merge_entry){ series, 0 };
	return true;
}

/* The family of a sample, and which of its suffixes it has. The claim has the last word: NAME_created may be another
 * family's than that which is declared, and as a gauge of the text format it is the counter's. */
static uint32_t family_of(struct reader *reader, struct span sample, size_t *ret_suffix)
{
	uint32_t family;

	place_sample(reader, sample);
	if (reader->declared.family == MERGE_NONE)
		return MERGE_NONE;
	family = merge_claimed_by(reader->merge, sample, "", ret_suffix);
	if (family == reader->declared.family || has_said(reader, family, *ret_suffix))
		return family;
	reader->left.families++;
	return MERGE_NONE;
}

static void take_sample(struct reader *reader, const struct app_line *line, uint32_t at)
{
	struct merge *merge = reader->merge;
	const uint32_t index = (uint32_t)merge->series_count;
	size_t suffix;
	const uint32_t which = family_of(reader, line->name, &suffix);
	struct merge_family *family;

	if (which == MERGE_NONE)
		return;
	if (!take_place(reader, which, suffix, &line->labels)) {
		reader->left.series++;
		return;
	}
	merge->series[merge->series_count++] = (struct merge_series){ at, MERGE_NONE, reader->page, (uint8_t)suffix };
	family = &merge->families[which];
	if (family->first == MERGE_NONE)
		family->first = index;
	else
		merge->series[family->last].next = index;
	family->last = index;
}

/* What is said twice is heard once. */
static void take_metadata(struct reader *reader, const struct app_line *line)
{
	struct declared *declared = &reader->declared;

	if (declared->used || !span_equals(declared->name, line->name))
		*declared = (struct declared){ .name = line->name, .type = APP_UNKNOWN };
	if (line->kind == APP_LINE_TYPE)
		declared->type = line->type;
	else if (line->kind == APP_LINE_HELP && declared->help.text == NULL)
		declared->help = line->text;
	else if (line->kind == APP_LINE_UNIT && declared->unit.text == NULL)
		declared->unit = line->text;
}

/* What earlier pages leave of their share is there for it, but never less than its own. */
static void take_page(struct merge *merge, size_t page, size_t count, struct merge_left *ret_left)
{
	struct reader reader = {
		.merge = merge,
		.page = (uint8_t)page,
		.format = merge->pages[page].format,
		.room = MERGE_FAMILIES_MAX * (page + 1) / count,
	};
	const char *begin = merge->pages[page].text, *at = begin;
	struct app_line line;
	const char *here = at;

	while (app_line_next(&at, reader.format, &line) == 1) {
		if (line.kind == APP_LINE_SAMPLE)
			take_sample(&reader, &line, (uint32_t)(here - begin));
		else if (line.kind != APP_LINE_NOTHING && line.kind != APP_LINE_EOF)
			take_metadata(&reader, &line);
		here = at;
	}
	*ret_left = reader.left;
}

/* ---- all of them ---- */

static int make_room(struct merge *merge, size_t series)
{
	const size_t families = series < MERGE_FAMILIES_MAX ? series : MERGE_FAMILIES_MAX; /* none is without series */
	size_t entries = 16;

	while (entries < 2 * (2 * series + MERGE_SUFFIXES * families))
		entries *= 2;
	merge->entry_mask = entries - 1;
	merge->families = calloc(families + 1, sizeof *merge->families); /* none is a number, too */
	merge->series = calloc(series + 1, sizeof *merge->series);
	merge->entries = calloc(entries, sizeof *merge->entries);
	return merge->families == NULL || merge->series == NULL || merge->entries == NULL ? -ENOMEM : 0;
}

int merge_build(const struct app_page *pages, size_t count, const struct siphash_key *key, struct merge_left *ret_left,
	struct merge **ret_merge)
{
	struct merge *merge;
	size_t series = 0;

	for (size_t i = 0; i < count; i++)
		series += pages[i].series;
	if (count > MERGE_PAGES_MAX || series > MERGE_SERIES_MAX)
		return -E2BIG;
	merge = calloc(1, sizeof *merge);
	if (merge == NULL || make_room(merge, series) < 0) {
		merge_free(merge);
		return -ENOMEM;
	}
	merge->pages = pages;
	merge->key = *key;
	for (size_t i = 0; i < count; i++)
		take_page(merge, i, count, &ret_left[i]);
	*ret_merge = merge;
	return 0;
}

void merge_free(struct merge *merge)
{
	if (merge == NULL)
		return;
	free(merge->families);
	free(merge->series);
	free(merge->entries);
	free(merge);
}
