#include "metrics/html.h"

#include "base/duration.h"
#include "base/utf8.h"
#include "base/wire.h"

void html(struct buffer *page, const char *text)
{
	buffer_add_text(page, text);
}

void html_escaped(struct buffer *page, const char *text)
{
	static const struct {
		char letter;
		char reference[8];
	} special[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" } };
	char clean[UTF8_CLEAN_SIZE(WIRE_NAME_SIZE)];

	utf8_clean(text, clean, sizeof clean);
	for (const char *at = clean; *at != '\0'; at++) {
		size_t i = 0;

		while (i < sizeof special / sizeof special[0] && special[i].letter != *at)
			i++;
		if (i < sizeof special / sizeof special[0])
			html(page, special[i].reference);
		else
			buffer_add(page, at, 1);
	}
}

void html_span(struct buffer *page, int64_t ns)
{
	char text[DURATION_SIZE];

	duration_format(ns > 0 ? ns : 0, text);
	html(page, text);
}

void html_count(struct buffer *page, uint64_t count, const char *of_one, const char *of_many)
{
	buffer_add_u64(page, count);
	html(page, count == 1 ? of_one : of_many);
}

void html_tenths(struct buffer *page, uint64_t tenths)
{
	buffer_add_u64(page, tenths / 10);
	if (tenths % 10 == 0 || tenths >= 1000)
		return;
	html(page, ".");
	buffer_add_u64(page, tenths % 10);
}

void html_bytes(struct buffer *page, uint64_t bytes)
{
	static const char units[][5] = { " KiB", " MiB", " GiB", " TiB" };
	size_t unit = 0;

	while (unit + 1 < sizeof units / sizeof units[0] && bytes >> 10 * (unit + 2) > 0)
		unit++;
	html_tenths(page, (bytes >> 10 * unit) * 10 / 1024);
	html(page, units[unit]);
}

void html_coloured(struct buffer *page, const char *colour, const char *text)
{
	html(page, "<span class=\"");
	html(page, colour);
	html(page, "\">");
	html_escaped(page, text);
	html(page, "</span>");
}
