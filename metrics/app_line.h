/* Reads an application's page of metrics, line by line, in either format:
 *   text/plain; version=0.0.4                  https://prometheus.io/docs/instrumenting/exposition_formats/
 *   application/openmetrics-text; version=1.0.0 https://github.com/OpenObservability/OpenMetrics, specification 1.0
 * Blanks are taken as they come, for the page is written anew; names, escapes, numbers and UTF-8 are not: a page that
 * Prometheus would refuse is malformed. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APP_LABELS_MAX 64 /* of one series */

enum app_format { APP_TEXT, APP_OPENMETRICS };

enum app_type {
	APP_UNKNOWN,       /* also "untyped", and what has no TYPE */
	APP_COUNTER,       /* its sample is called NAME_total */
	APP_PLAIN_COUNTER, /* of the text format: its sample has no _total, and OpenMetrics has no such counter */
	APP_GAUGE,
	APP_HISTOGRAM,
	APP_GAUGE_HISTOGRAM,
	APP_SUMMARY,
	APP_INFO,
	APP_STATESET,
	APP_TYPE_COUNT,
};

struct span { /* a piece of the page; borrowed */
	const char *text;
	size_t length;
};

bool span_is(struct span span, const char *text);
bool span_ends(struct span span, const char *suffix);
bool span_equals(struct span one, struct span other);

struct app_label {
	struct span name;
	struct span value; /* as it was escaped, which is the same in both formats */
	bool whole;        /* le or quantile of a whole number: ".0" belongs behind it (OpenMetrics) */
};

struct app_labels {
	size_t count;
	struct app_label label[APP_LABELS_MAX]; /* those without a value are left out: that is what Prometheus does */
};

enum app_line_kind { APP_LINE_NOTHING, APP_LINE_HELP, APP_LINE_TYPE, APP_LINE_UNIT, APP_LINE_EOF, APP_LINE_SAMPLE };

struct app_line {
	enum app_line_kind kind;
	struct span name;   /* of the family, or of the sample */
	struct span text;   /* HELP as it is escaped, or UNIT */
	enum app_type type; /* TYPE; never APP_PLAIN_COUNTER, which only the name shows */
	/* Of a sample: */
	struct app_labels labels;
	struct span value; /* in the words of both formats: a number, NaN, +Inf or -Inf */
	bool timed;
	int64_t time_ms;
	struct span exemplar; /* from its brace on; length 0: none */
};

/* Takes the next line out of a text that ends in a NUL, and moves *at behind it. Returns 1; 0 at the end; -EINVAL: it
 * is malformed, or cut off before the end of the line. */
int app_line_next(const char **at, enum app_format format, struct app_line *ret_line);

/* The exemplar's parts, which app_line_next() has looked at: its labels, and its value with the time behind it. */
void app_exemplar(struct span exemplar, struct app_labels *ret_labels, struct span *ret_value, struct span *ret_time);

struct app_page {
	const char *text; /* borrowed; it ends in a NUL */
	enum app_format format;
	size_t series; /* how many samples it has */
};

/* Reads a whole page of `length` bytes, to the end. Returns 0, or -EINVAL: it is malformed, or has no # EOF where its
 * format asks for one. */
int app_page_read(const char *text, size_t length, enum app_format format, struct app_page *ret_page);
