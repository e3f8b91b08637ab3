#include "base/expected.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* What can end an exchange that began with a plain GET. */
#define STATUS_FIRST 200
#define STATUS_LAST 599

/* Three digits. Moves *text behind them; returns the number or -EINVAL. */
static int parse_status(const char **text)
{
	int status = 0, digits;

	for (digits = 0; digits < 3 && isdigit((unsigned char)**text); digits++)
		status = status * 10 + (*(*text)++ - '0');
	return digits == 3 && status >= STATUS_FIRST && status <= STATUS_LAST ? status : -EINVAL;
}

/* "200" or "200-299". */
static int parse_range(const char **text, struct status_range *ret_range)
{
	int first = parse_status(text), last = first;

	if (first >= 0 && **text == '-') {
		(*text)++;
		last = parse_status(text);
	}
	if (first < 0 || last < first)
		return -EINVAL;
	*ret_range = (struct status_range){ (uint16_t)first, (uint16_t)last };
	return 0;
}

/* Three digits, and three smaller ones. */
static bool ends_before_it_begins(const char *text)
{
	static const char digits[] = "0123456789";

	return strspn(text, digits) == 3 && text[3] == '-' && strspn(text + 4, digits) == 3 &&
		memcmp(text, text + 4, 3) > 0;
}

int expected_parse(const char *text, struct expected *ret_expected, struct complaint *ret_why)
{
	struct expected expected = { 0 };
	const char *next = text;

	for (;; next++) {
		const char *range = next;

		if (expected.count == EXPECTED_MAX)
			return complain(ret_why, EINVAL, "more than %d statuses: use ranges (200-299)", EXPECTED_MAX);
		if (ends_before_it_begins(next))
			return complain(ret_why, EINVAL, "%.7s ends before it begins", next);
		if (parse_range(&next, &expected.range[expected.count]) < 0 || (*next != ',' && *next != '\0'))
			return complain(ret_why, EINVAL,
				"character %td does not begin a status from %d to %d or a range of them (200-299,401)",
				range - text + 1, STATUS_FIRST, STATUS_LAST);
		expected.count++;
		if (*next == '\0')
			break;
	}
	*ret_expected = expected;
	return 0;
}

bool expected_has(const struct expected *expected, unsigned status)
{
	size_t i;

	if (expected == NULL || expected->count == 0)
		return status >= 200 && status <= 399;
	for (i = 0; i < expected->count; i++)
		if (status >= expected->range[i].first && status <= expected->range[i].last)
			return true;
	return false;
}
