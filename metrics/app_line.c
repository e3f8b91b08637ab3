#include "metrics/app_line.h"

#include "base/utf8.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGITS "0123456789"
#define BLANKS " \t"
#define TIME_MAX_MS 9e18 /* what an int64_t holds */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool span_is(struct span span, const char *text)
{
	return span.length == strlen(text) && memcmp(span.text, text, span.length) == 0;
}

bool span_ends(struct span span, const char *suffix)
{
	size_t length = strlen(suffix);

	return span.length > length && memcmp(span.text + span.length - length, suffix, length) == 0;
}

bool span_equals(struct span one, struct span other)
{
	return one.length == other.length && memcmp(one.text, other.text, one.length) == 0;
}

static struct span take(const char **at, size_t length)
{
	struct span span = { *at, length };

	*at += length;
	return span;
}

static void skip_blanks(const char **at)
{
	*at += strspn(*at, BLANKS);
}

/* Names as both formats have them; those of labels have no colon. */
static bool take_name(const char **at, const char *letters, struct span *ret_name)
{
	size_t length = strspn(*at, letters);

	if (length > 0)
		length += strspn(*at + length, LETTERS DIGITS ":"); /* a colon too many is seen behind a label's name */
	*ret_name = take(at, length);
	return length > 0;
}

/* The characters that most values are made of, for which nothing has to be looked up. */
static bool is_plain(char byte)
{
	return byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\';
}

/* A value in quotes; \\, \" and \n are all the escapes there are. */
static bool take_quoted(const char **at, struct span *ret_value)
{
	const char *begin = *at + 1, *end = begin;

	if (**at != '"')
		return false;
	for (;;) {
		size_t length;

		while (is_plain(*end))
			end++;
		if (*end == '"')
			break;
		length = utf8_step(end);

		if (*end == '\0' || *end == '\n' || length == 0)
			return false;
		if (*end == '\\' && (end[1] == '\0' || strchr("\\\"n", end[1]) == NULL))
			return false;
		end += *end == '\\' ? 2 : length;
	}
	*ret_value = (struct span){ begin, (size_t)(end - begin) };
	*at = end + 1;
	return true;
}

/* le="1" and le="1.0" are one series, which Prometheus 3 and OpenMetrics write in the second way. */
static void see_whole_number(struct app_label *label)
{
	size_t digits = strspn(label->value.text, DIGITS);

	if (!span_is(label->name, "le") && !span_is(label->name, "quantile"))
		return;
	if (digits == 0 ||
		(digits != label->value.length &&
			(digits + 2 != label->value.length || memcmp(label->value.text + digits, ".0", 2) != 0)))
		return;
	label->whole = true;
	label->value.length = digits;
}

static bool is_new_name(const struct app_labels *labels, struct span name)
{
	for (size_t i = 0; i < labels->count; i++)
		if (span_equals(labels->label[i].name, name))
			return false;
	return true;
}

static bool take_label(const char **at, struct app_labels *labels)
{
	struct app_label label = { .whole = false };

	if (!take_name(at, LETTERS, &label.name) || memchr(label.name.text, ':', label.name.length) != NULL)
		return false;
	skip_blanks(at);
	if (**at != '=')
		return false;
	++*at;
	skip_blanks(at);
	if (!take_quoted(at, &label.value) || span_is(label.name, "__name__") || !is_new_name(labels, label.name))
		return false;
	see_whole_number(&label);
	if (label.value.length == 0)
		return true;
	if (labels->count == APP_LABELS_MAX)
		return false;
	labels->label[labels->count++] = label;
	return true;
}

/* {a="b",c="d"}; a comma may follow the last one. */
static bool take_labels(const char **at, struct app_labels *labels)
{
	labels->count = 0;
	++*at;
	skip_blanks(at);
	while (**at != '}') {
		if (!take_label(at, labels))
			return false;
		skip_blanks(at);
		if (**at == ',') {
			++*at;
			skip_blanks(at);
		} else if (**at != '}') {
			return false;
		}
	}
	++*at;
	return true;
}

static size_t number_length(const char *text)
{
	const char *at = text + (*text == '+' || *text == '-');
	size_t whole = strspn(at, DIGITS), fraction = 0, exponent;

	at += whole;
	if (*at == '.') {
		fraction = strspn(at + 1, DIGITS);
		at += 1 + fraction;
	}
	if (whole + fraction == 0)
		return 0;
	if (*at == 'e' || *at == 'E') {
		at += 1 + (at[1] == '+' || at[1] == '-');
		exponent = strspn(at, DIGITS);
		if (exponent == 0)
			return 0;
		at += exponent;
	}
	return (size_t)(at - text);
}

/* What does not fit into a double breaks the scrape: Go's ParseFloat refuses it. */
static bool is_finite(const char *number, size_t length)
{
	double value;

	if (length < DBL_MAX_10_EXP && strcspn(number, "eE") >= length)
		return true;
	value = strtod(number, NULL);

	return value - value == 0;
}

/* The forms of Go's ParseFloat, but for hexadecimal ones. */
static bool take_value(const char **at, struct span *ret_value)
{
	static const struct {
		char said[12], written[8];
	} words[] = { { "nan", "NaN" }, { "inf", "+Inf" }, { "+inf", "+Inf" }, { "-inf", "-Inf" },
		{ "infinity", "+Inf" }, { "+infinity", "+Inf" }, { "-infinity", "-Inf" } };
	size_t length = strcspn(*at, BLANKS "\n");

	for (size_t i = 0; i < COUNT(words); i++) {
		if (strlen(words[i].said) == length && strncasecmp(*at, words[i].said, length) == 0) {
			*ret_value = (struct span){ words[i].written, strlen(words[i].written) };
			*at += length;
			return true;
		}
	}
	if (length == 0 || number_length(*at) != length || !is_finite(*at, length))
		return false;
	*ret_value = take(at, length);
	return true;
}

/* Seconds with decimals as milliseconds, exact: a double would not hold all of a far one. What is less is cut off, as
 * Prometheus does. */
static int64_t milliseconds(const char *seconds, size_t length)
{
	const bool negative = *seconds == '-';
	const char *at = seconds + (negative || *seconds == '+');
	int64_t ms = 0;
	int decimals = -1; /* behind the point */

	for (; at < seconds + length && decimals < 3; at++) {
		if (*at == '.') {
			decimals = 0;
			continue;
		}
		ms = ms * 10 + (*at - '0');
		decimals += decimals >= 0;
	}
	for (decimals = decimals < 0 ? 0 : decimals; decimals < 3; decimals++)
		ms *= 10;
	return negative ? -ms : ms;
}

/* Milliseconds in the text format, seconds in OpenMetrics; Prometheus keeps milliseconds. */
static bool take_time(const char **at, enum app_format format, int64_t *ret_ms)
{
	const size_t length = number_length(*at);
	const bool plain = strcspn(*at, "eE") >= length, whole = strcspn(*at, ".") >= length;
	const double size = strtod(*at, NULL) * (format == APP_TEXT ? 1 : 1000);

	if (length == 0 || strchr(BLANKS "\n", (*at)[length]) == NULL || size > TIME_MAX_MS || size < -TIME_MAX_MS)
		return false;
	if (format == APP_TEXT && !(plain && whole))
		return false;
	if (format == APP_TEXT)
		*ret_ms = strtoll(*at, NULL, 10);
	else
		*ret_ms = plain ? milliseconds(*at, length) : (int64_t)size;
	*at += length;
	return true;
}

/* # {LABELS} VALUE [TIME] */
static bool take_exemplar(const char **at, struct span *ret_exemplar)
{
	struct app_labels labels;
	struct span value;
	const char *begin;
	int64_t time_ms;

	++*at;
	skip_blanks(at);
	begin = *at;
	if (*begin != '{' || !take_labels(at, &labels))
		return false;
	skip_blanks(at);
	if (!take_value(at, &value))
		return false;
	skip_blanks(at);
	if (**at != '\n' && !take_time(at, APP_OPENMETRICS, &time_ms))
		return false;
	*ret_exemplar = (struct span){ begin, (size_t)(*at - begin) };
	return true;
}

static bool take_sample(const char **at, enum app_format format, struct app_line *line)
{
	line->kind = APP_LINE_SAMPLE;
	if (!take_name(at, LETTERS ":", &line->name))
		return false;
	skip_blanks(at);
	if (**at == '{' && !take_labels(at, &line->labels))
		return false;
	skip_blanks(at);
	if (!take_value(at, &line->value))
		return false;
	skip_blanks(at);
	if (**at != '\n' && **at != '#') {
		line->timed = take_time(at, format, &line->time_ms);
		if (!line->timed)
			return false;
		skip_blanks(at);
	}
	return **at != '#' || (format == APP_OPENMETRICS && take_exemplar(at, &line->exemplar));
}

static bool find_type(struct span word, enum app_format format, enum app_type *ret_type)
{
	static const struct {
		char word[16];
		uint8_t type;
		bool in_text, in_openmetrics;
	} types[] = {
		{ "counter", APP_COUNTER, true, true },
		{ "gauge", APP_GAUGE, true, true },
		{ "histogram", APP_HISTOGRAM, true, true },
		{ "summary", APP_SUMMARY, true, true },
		{ "untyped", APP_UNKNOWN, true, false },
		{ "unknown", APP_UNKNOWN, false, true },
		{ "gaugehistogram", APP_GAUGE_HISTOGRAM, false, true },
		{ "info", APP_INFO, false, true },
		{ "stateset", APP_STATESET, false, true },
	};

	for (size_t i = 0; i < COUNT(types); i++) {
		if (span_is(word, types[i].word) && (format == APP_TEXT ? types[i].in_text : types[i].in_openmetrics)) {
			*ret_type = (enum app_type)types[i].type;
			return true;
		}
	}
	return false;
}

/* HELP, TYPE and UNIT, or a comment of no meaning. */
static bool take_comment(const char **at, enum app_format format, struct app_line *line)
{
	struct span keyword;

	++*at;
	skip_blanks(at);
	keyword = take(at, strcspn(*at, BLANKS "\n"));
	skip_blanks(at);
	if (span_is(keyword, "HELP"))
		line->kind = APP_LINE_HELP;
	else if (span_is(keyword, "TYPE"))
		line->kind = APP_LINE_TYPE;
	else if (span_is(keyword, "UNIT") && format == APP_OPENMETRICS)
		line->kind = APP_LINE_UNIT;
	else if (span_is(keyword, "EOF") && format == APP_OPENMETRICS)
		line->kind = APP_LINE_EOF;
	if (line->kind == APP_LINE_NOTHING)
		*at += strcspn(*at, "\n");
	if (line->kind == APP_LINE_NOTHING || line->kind == APP_LINE_EOF)
		return true;
	if (!take_name(at, LETTERS ":", &line->name) || strchr(BLANKS "\n", **at) == NULL)
		return false;
	skip_blanks(at);
	line->text = take(at, strcspn(*at, line->kind == APP_LINE_HELP ? "\n" : BLANKS "\n"));
	return line->kind != APP_LINE_TYPE || find_type(line->text, format, &line->type);
}

int app_line_next(const char **at, enum app_format format, struct app_line *ret_line)
{
	const char *next = *at;
	bool taken = true;

	/* Field by field: the labels are large, and there is a line for each series. */
	ret_line->kind = APP_LINE_NOTHING;
	ret_line->labels.count = 0;
	ret_line->timed = false;
	ret_line->exemplar.length = 0;
	if (*next == '\0')
		return 0;
	skip_blanks(&next);
	if (*next == '#')
		taken = take_comment(&next, format, ret_line);
	else if (*next != '\n')
		taken = take_sample(&next, format, ret_line);
	skip_blanks(&next);
	if (!taken || (*next != '\n' && ret_line->kind != APP_LINE_EOF))
		return -EINVAL;
	if (*next == '\n')
		next++;
	if (ret_line->kind == APP_LINE_EOF && *next != '\0')
		return -EINVAL; /* nothing follows it */
	*at = next;
	return 1;
}

void app_exemplar(struct span exemplar, struct app_labels *ret_labels, struct span *ret_value, struct span *ret_time)
{
	const char *at = exemplar.text;

	take_labels(&at, ret_labels);
	skip_blanks(&at);
	take_value(&at, ret_value);
	skip_blanks(&at);
	*ret_time = (struct span){ at, number_length(at) };
}

int app_page_read(const char *text, size_t length, enum app_format format, struct app_page *ret_page)
{
	struct app_page page = { .text = text, .format = format };
	struct app_line line = { .kind = APP_LINE_NOTHING };
	bool complete = format == APP_TEXT;
	const char *at = text;
	int r;

	if (strlen(text) != length)
		return -EINVAL;
	while ((r = app_line_next(&at, format, &line)) == 1) {
		page.series += line.kind == APP_LINE_SAMPLE;
		complete |= line.kind == APP_LINE_EOF;
	}
	if (r < 0 || !complete)
		return -EINVAL;
	*ret_page = page;
	return 0;
}
