/* libFuzzer: looks for pages of metrics that break the merge, or whose merge is no page. A byte says how many pages
 * there are and in which formats; a NUL parts them. Built and run by tests/fuzz/run. */
#include "metrics/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 3

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const struct siphash_key key = { { 1, 2 } };

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static char *write_page(const struct merge *merge, enum exposition_format format, size_t *ret_length)
{
	struct buffer buffer;
	char *text = NULL;

	buffer_open(&buffer, 1 << 24);
	merge_write(merge, format, &buffer);
	if (format == EXPOSITION_OPENMETRICS)
		buffer_add_text(&buffer, "# EOF\n");
	require(buffer_take(&buffer, &text, ret_length) == 0, "it is written");
	return text;
}

static struct merge *build(const struct app_page *pages, size_t count, struct merge_left *ret_left)
{
	struct merge *merge = NULL;

	require(merge_build(pages, count, &key, ret_left, &merge) == 0, "it is built");
	return merge;
}

/* Read again, it is the same page, and nothing is left out of it: so no family and no series is there twice. */
static size_t check_page(const struct merge *merge, enum exposition_format format)
{
	struct app_page page;
	struct merge_left left;
	struct merge *again;
	char *first, *second;
	size_t length, second_length;

	first = write_page(merge, format, &length);
	require(app_page_read(first, length, format == EXPOSITION_TEXT ? APP_TEXT : APP_OPENMETRICS, &page) == 0,
		"what comes out is a page");
	again = build(&page, 1, &left);
	second = write_page(again, format, &second_length);
	require(left.families == 0 && left.series == 0, "nothing is there twice");
	require(length == second_length && memcmp(first, second, length) == 0, "it is the same page again");
	merge_free(again);
	free(first);
	free(second);
	return page.series;
}

static size_t split(char *text, uint8_t formats, struct app_page pages[PAGES_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < PAGES_MAX; i++, formats >>= 1) {
		size_t length = strlen(text);

		count += app_page_read(text, length, formats & 1 ? APP_OPENMETRICS : APP_TEXT, &pages[count]) == 0;
		text += length + 1;
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct app_page pages[PAGES_MAX];
	struct merge_left left[PAGES_MAX];
	struct merge *merge;
	char *text;
	size_t count, series = 0, written;

	if (length == 0)
		return 0;
	text = calloc(1, length + PAGES_MAX);
	require(text != NULL, "out of memory");
	memcpy(text, bytes + 1, length - 1);
	count = split(text, bytes[0], pages);
	merge = build(pages, count, left);
	for (size_t i = 0; i < count; i++)
		series += pages[i].series;
	written = check_page(merge, EXPOSITION_TEXT);
	require(written == check_page(merge, EXPOSITION_OPENMETRICS), "both formats have the same series");
	for (size_t i = 0; i < count; i++)
		series -= left[i].series; /* those of families are not counted */
	require(written <= series, "no series comes of nothing");
	merge_free(merge);
	free(text);
	return 0;
}
