/* The course of a figure as a small SVG. Pure. */
#pragma once

#include "metrics/buffer.h"
#include "metrics/history.h"

/* Of the sample n; -1 where it is not known. */
typedef int64_t (*figure_fn)(const struct history *history, size_t n);

struct chart {
	figure_fn figure;
	const char *name;
	void (*write)(struct buffer *page, int64_t value);
};

extern const struct chart chart_memory, chart_cpu;

/* The curve, how long it is and its highest figure; or that it has not begun. */
void chart_add(struct buffer *page, const struct history *history, const struct chart *chart);
