#include "base/duration.h"

#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define DURATION_MAX (INT64_C(365) * 24 * 3600 * NS_PER_S)

static const struct unit {
	const char *name;
	int64_t ns;
} units[] = { { "h", 3600 * NS_PER_S }, { "m", 60 * NS_PER_S }, { "s", NS_PER_S }, { "ms", NS_PER_MS } };
#define UNIT_COUNT (sizeof units / sizeof units[0])

/* The unit that the letters name, looked for only among those smaller than the one before; UNIT_COUNT if none. */
static size_t find_unit(const char *letters, size_t length, size_t first)
{
	size_t i;

	for (i = first; i < UNIT_COUNT; i++)
		if (strlen(units[i].name) == length && memcmp(units[i].name, letters, length) == 0)
			break;
	return i;
}

int duration_parse(const char *text, int64_t *ret_ns)
{
	int64_t total = 0;
	size_t next_unit = 0;

	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (*text == '\0')
		return -EINVAL;
	while (*text != '\0') {
		int64_t count = 0;
		size_t letters = 0, unit;

		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		for (; isdigit((unsigned char)*text); text++) {
			count = count * 10 + (*text - '0');
			if (count > DURATION_MAX / NS_PER_MS)
				return -ERANGE;
		}
		while (isalpha((unsigned char)text[letters]))
			letters++;
		unit = find_unit(text, letters, next_unit);
		if (unit == UNIT_COUNT)
			return -EINVAL;
		if (count > (DURATION_MAX - total) / units[unit].ns)
			return -ERANGE;
		total += count * units[unit].ns;
		next_unit = unit + 1;
		text += letters;
	}
	*ret_ns = total;
	return 0;
}

int duration_read(const char *text, int64_t smallest, int64_t *ret_ns, struct complaint *ret_why)
{
	char limit[DURATION_SIZE];
	int64_t ns;
	int error = duration_parse(text, &ns);

	if (error == -ERANGE)
		return complain(ret_why, ERANGE, "'%.100s': expected at most a year (8760h)", text);
	if (error < 0)
		return complain(ret_why, EINVAL, "'%.100s': expected a duration such as 500ms, 8s or 1m30s", text);
	duration_format(smallest, limit);
	if (ns < smallest)
		return complain(ret_why, ERANGE, "'%.100s': expected at least %s", text, limit);
	*ret_ns = ns;
	return 0;
}

void duration_format(int64_t ns, char ret_text[DURATION_SIZE])
{
	const long long ms = (ns / (NS_PER_MS / 2) + 1) / 2, s = ms / 1000;

	if (s == 0)
		snprintf(ret_text, DURATION_SIZE, "%lldms", ms);
	else if (s >= 24 * 3600)
		snprintf(ret_text, DURATION_SIZE, "%lldd%lldh", s / (24 * 3600), s % (24 * 3600) / 3600);
	else if (s >= 3600)
		snprintf(ret_text, DURATION_SIZE, "%lldh%lldm", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		snprintf(ret_text, DURATION_SIZE, "%lldm%llds", s / 60, s % 60);
	else if (ms % 1000 < 100)
		snprintf(ret_text, DURATION_SIZE, "%llds", s);
	else
		snprintf(ret_text, DURATION_SIZE, "%lld.%llds", s, ms % 1000 / 100);
}
