/* Writes pages that Prometheus reads. Two formats:
 *   text/plain; version=0.0.4                  https://prometheus.io/docs/instrumenting/exposition_formats/
 *   application/openmetrics-text; version=1.0.0 https://github.com/OpenObservability/OpenMetrics, specification 1.0
 * They differ in the family's name of a counter (with or without _total), in UNIT and in the final EOF. Pure. */
#pragma once

#include "metrics/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS, EXPOSITION_FORMAT_COUNT };

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM, METRIC_TYPE_COUNT };

struct family {
	const char *name; /* without _total, and with its unit as suffix: nest_init_service_cpu_seconds */
	enum metric_type type;
	const char *unit; /* "seconds", "bytes"; NULL: none. The name must end in it */
	const char *help; /* one line for operators; escaped where it has to be */
};

struct label {
	const char *name;
	const char *value; /* any text: escaped, and made well-formed UTF-8 */
};

#define EXPOSITION_LABELS_MAX 8

struct exposition {
	struct buffer buffer;
	enum exposition_format format;
	struct family family; /* that samples belong to; its texts are borrowed; name NULL: none yet */
	bool headed;          /* its HELP and TYPE are written */
};

/* Begins a page of at most `limit` bytes. */
void exposition_open(struct exposition *page, enum exposition_format format, size_t limit);

/* Begins a family; its texts must live until the next one begins. Its HELP and TYPE (and UNIT) come with its first
 * sample: a family without one is not on the page. A family whose name lacks its unit or has _total fails the page
 * (-EINVAL).
 */
void exposition_family(struct exposition *page, const struct family *family);

/* One sample of the family, gauge or counter, with `count` labels (at most EXPOSITION_LABELS_MAX, else -EINVAL). */
void exposition_u64(struct exposition *page, const struct label *labels, size_t count, uint64_t value);
void exposition_i64(struct exposition *page, const struct label *labels, size_t count, int64_t value);
/* The same in seconds from nanoseconds, exact. */
void exposition_seconds(struct exposition *page, const struct label *labels, size_t count, int64_t ns);

/* One histogram of durations: `buckets` upper bounds in nanoseconds, ascending; counts[] is not cumulative and has one
 * more, for what is above the last bound. le is written "1.0" rather than "1" in both formats, as OpenMetrics asks, so
 * that a series does not change its identity with the format. */
void exposition_histogram(struct exposition *page, const struct label *labels, size_t count, const int64_t *bounds_ns,
	const uint64_t *counts, size_t buckets, int64_t sum_ns);

/* Ends the page and hands it over (free with free()). Returns 0, -EFBIG over the limit, -ENOMEM or -EINVAL; then there
 * is no page at all. Either way nothing is left to free in *page. */
int exposition_close(struct exposition *page, char **ret_text, size_t *ret_length);
