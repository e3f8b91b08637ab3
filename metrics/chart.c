#include "metrics/chart.h"

#include "metrics/html.h"

#define WIDTH 300 /* in its own units */
#define HEIGHT 56

static int64_t memory_figure(const struct history *history, size_t n)
{
	const struct sample *sample = history_at(history, n);

	return sample->has_memory ? (int64_t)(sample->memory_bytes >> 10) : -1;
}

static int64_t cpu_figure(const struct history *history, size_t n)
{
	return n == 0 ? -1 : history_cpu(history_at(history, n - 1), history_at(history, n));
}

static int64_t highest(const struct history *history, figure_fn figure)
{
	int64_t most = 1;

	for (size_t n = 0; n < history_count(history); n++)
		if (figure(history, n) > most)
			most = figure(history, n);
	return most;
}

static uint64_t x_of(const struct history *history, size_t n)
{
	const int64_t from = history_at(history, 0)->at_ns;
	const int64_t took = history_at(history, history_count(history) - 1)->at_ns - from;

	return (uint64_t)((double)(history_at(history, n)->at_ns - from) / (double)took * WIDTH + 0.5);
}

static void add_points(struct buffer *page, const struct history *history, figure_fn figure)
{
	const double most = (double)highest(history, figure);

	for (size_t n = 0; n < history_count(history); n++) {
		const int64_t value = figure(history, n);

		if (value < 0)
			continue;
		buffer_add_u64(page, x_of(history, n));
		html(page, ",");
		buffer_add_u64(page, (uint64_t)(HEIGHT - 2 - (double)value / most * (HEIGHT - 6) + 0.5));
		html(page, " ");
	}
}

/* Where the curve begins: the processor's needs two samples. */
static size_t first_known(const struct history *history, figure_fn figure)
{
	size_t n = 0;

	while (n < history_count(history) && figure(history, n) < 0)
		n++;
	return n;
}

/* From the lower left corner, along the curve, to the lower right one. */
static void add_area(struct buffer *page, const struct history *history, const struct chart *chart, size_t first)
{
	html(page, "\"><polygon class=\"area\" points=\"");
	buffer_add_u64(page, x_of(history, first));
	html(page, ",56 ");
	add_points(page, history, chart->figure);
	html(page, "300,56\"/>");
}

void chart_add(struct buffer *page, const struct history *history, const struct chart *chart)
{
	const size_t count = history_count(history), first = first_known(history, chart->figure);
	int64_t took;

	if (first + 1 >= count) {
		html(page, "<p class=\"soft\">its course begins with the next samples</p>");
		return;
	}
	took = history_at(history, count - 1)->at_ns - history_at(history, 0)->at_ns;
	html(page,
		"<svg class=\"chart\" viewBox=\"0 0 300 56\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"");
	html(page, chart->name);
	add_area(page, history, chart, first);
	html(page, "<polyline class=\"curve\" vector-effect=\"non-scaling-stroke\" points=\"");
	add_points(page, history, chart->figure);
	html(page, "\"/></svg><p class=\"soft\">last ");
	html_span(page, took);
	html(page, ", up to ");
	chart->write(page, highest(history, chart->figure));
	html(page, "</p>");
}

static void write_memory(struct buffer *page, int64_t kib)
{
	html_bytes(page, (uint64_t)kib << 10);
}

static void write_cpu(struct buffer *page, int64_t hundredths)
{
	html_tenths(page, (uint64_t)(hundredths + 5) / 10);
	html(page, " %");
}

const struct chart chart_memory = { memory_figure, "memory", write_memory };
const struct chart chart_cpu = { cpu_figure, "processor time", write_cpu };
