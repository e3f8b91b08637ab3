#include "base/cron.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define MINUTES_OF_DAY (24 * 60)
#define DAYS_OF_CYCLE 146097 /* 400 years */
#define LETTERS 3            /* of a name */
#define FIELD_MAX 8          /* a number may have as many digits */

enum field { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

static const struct {
	char name[20];
	uint8_t least, most;
	char names[40]; /* of the values from `least` on, each of LETTERS letters */
} fields[] = {
	[MINUTE] = { "minute", 0, 59, "" },
	[HOUR] = { "hour", 0, 23, "" },
	[DAY] = { "day of the month", 1, 31, "" },
	[MONTH] = { "month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC" },
	[WEEKDAY] = { "day of the week", 0, 7, "SUNMONTUEWEDTHUFRISAT" }, /* 7 is Sunday, too */
};
static_assert(sizeof fields / sizeof fields[0] == FIELD_COUNT, "a row for every field");

static const struct {
	char name[12], means[12];
} nicknames[] = {
	{ "@annually", "0 0 1 1 *" },
	{ "@daily", "0 0 * * *" },
	{ "@hourly", "0 * * * *" },
	{ "@midnight", "0 0 * * *" },
	{ "@monthly", "0 0 1 * *" },
	{ "@weekly", "0 0 * * 0" },
	{ "@yearly", "0 0 1 1 *" },
};

/* ---- reading ---- */

struct reader {
	const char *text, *at;
	enum field field;
	struct complaint *why;
};

static int refuse(struct reader *reader, int err, const char *place, const char *expected)
{
	const int length = (int)strcspn(place, " \t");

	return complain(reader->why, err, "%s, at character %d%s%.*s%s: %s", fields[reader->field].name,
		(int)(place - reader->text) + 1, length > 0 ? ", '" : "", length < 40 ? length : 40, place,
		length > 0 ? "'" : "", expected);
}

/* A place in the text that is no value of the field. */
static int refuse_value(struct reader *reader, int err, const char *place)
{
	static const char expected[FIELD_COUNT][80] = {
		[MINUTE] = "expected 0 to 59, or *",
		[HOUR] = "expected 0 to 23, or *",
		[DAY] = "expected 1 to 31, or *",
		[MONTH] = "expected 1 to 12, JAN to DEC, or *",
		[WEEKDAY] = "expected 0 to 7 (0 and 7 are Sunday), SUN to SAT, or *",
	};

	return refuse(reader, err, place, expected[reader->field]);
}

static bool take(struct reader *reader, char sign)
{
	if (*reader->at != sign)
		return false;
	reader->at++;
	return true;
}

static int read_name(struct reader *reader, unsigned *ret_value)
{
	const char *names = fields[reader->field].names;

	for (unsigned i = 0; names[i * LETTERS] != '\0'; i++)
		if (strncasecmp(reader->at, names + (size_t)i * LETTERS, LETTERS) == 0 &&
			!isalnum((unsigned char)reader->at[LETTERS])) {
			reader->at += LETTERS;
			*ret_value = fields[reader->field].least + i;
			return 0;
		}
	return refuse_value(reader, EINVAL, reader->at);
}

/* Digits, at most so many that they fit. */
static int read_digits(struct reader *reader, unsigned *ret_value)
{
	const char *begin = reader->at;
	unsigned value = 0;

	for (; isdigit((unsigned char)*reader->at); reader->at++)
		value = reader->at - begin < FIELD_MAX ? value * 10 + (unsigned)(*reader->at - '0') : UINT32_MAX;
	*ret_value = value;
	return reader->at > begin ? 0 : -EINVAL;
}

static int read_value(struct reader *reader, unsigned *ret_value)
{
	const char *place = reader->at;

	if (read_digits(reader, ret_value) < 0)
		return read_name(reader, ret_value);
	if (*ret_value < fields[reader->field].least || *ret_value > fields[reader->field].most)
		return refuse_value(reader, ERANGE, place);
	return 0;
}

static int read_step(struct reader *reader, unsigned *ret_step)
{
	const char *place = reader->at;

	if (read_digits(reader, ret_step) == 0 && *ret_step >= 1 && *ret_step <= fields[reader->field].most)
		return 0;
	return refuse(reader, EINVAL, place, "expected a step from 1 to the field's last value");
}

/* "*", "5", "1-5", each but the second perhaps with "/2" behind it. */
static int read_range(struct reader *reader, uint64_t *set)
{
	const char *place = reader->at;
	unsigned first = fields[reader->field].least, last = fields[reader->field].most, step = 1;
	bool is_range = take(reader, '*');
	int error = is_range ? 0 : read_value(reader, &first);

	if (is_range && reader->field == WEEKDAY)
		last = 6; /* not Sunday once more: the step counts from the first */
	if (error == 0 && !is_range) {
		last = first;
		is_range = take(reader, '-');
		error = is_range ? read_value(reader, &last) : 0;
	}
	if (error < 0)
		return error;
	if (last < first)
		return refuse(reader, EINVAL, place, "expected a range that goes upwards");
	if (take(reader, '/')) {
		if (!is_range)
			return refuse(
				reader, EINVAL, place, "expected a range before the step, such as */5 or 10-50/5");
		error = read_step(reader, &step);
	}
	for (unsigned value = first; error == 0 && value <= last; value += step)
		*set |= UINT64_C(1) << value;
	return error;
}

static int read_field(struct reader *reader, uint64_t *ret_set)
{
	int error;

	*ret_set = 0;
	do {
		error = read_range(reader, ret_set);
	} while (error == 0 && take(reader, ','));
	if (error == 0 && *reader->at != '\0' && *reader->at != ' ' && *reader->at != '\t')
		return refuse(reader, EINVAL, reader->at, "expected a comma, a range, a step or a blank");
	return error;
}

static void skip_blanks(struct reader *reader)
{
	reader->at += strspn(reader->at, " \t");
}

/* 30 February would be a job that is never done, and nobody told. */
static int check_days(const struct cron *cron, struct complaint *ret_why)
{
	static const uint8_t longest[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (cron->either_day)
		return 0;
	for (unsigned month = 1; month <= 12; month++)
		if ((cron->months >> month & 1) != 0 && (cron->days & ((UINT64_C(2) << longest[month - 1]) - 1)) != 0)
			return 0;
	return complain(ret_why, EDOM, "day of the month: none of these days is in any of these months");
}

static int read_fields(const char *text, struct cron *ret_cron, struct complaint *ret_why)
{
	struct reader reader = { .text = text, .at = text, .why = ret_why };
	bool every[FIELD_COUNT];
	uint64_t set[FIELD_COUNT];

	for (reader.field = 0; reader.field < FIELD_COUNT; reader.field++) {
		int error;

		skip_blanks(&reader);
		every[reader.field] = *reader.at == '*';
		error = read_field(&reader, &set[reader.field]);
		if (error < 0)
			return error;
	}
	skip_blanks(&reader);
	reader.field = WEEKDAY;
	if (*reader.at != '\0')
		return refuse(&reader, EINVAL, reader.at, "expected the end: the fifth field is the last");
	*ret_cron = (struct cron){
		.minutes = set[MINUTE],
		.hours = (uint32_t)set[HOUR],
		.days = (uint32_t)set[DAY],
		.months = (uint16_t)set[MONTH],
		.weekdays = (uint8_t)((set[WEEKDAY] & 0x7f) | set[WEEKDAY] >> 7),
		.either_day = !every[DAY] && !every[WEEKDAY],
	};
	return check_days(ret_cron, ret_why);
}

int cron_parse(const char *text, struct cron *ret_cron, struct complaint *ret_why)
{
	struct cron cron;
	int error;

	text += strspn(text, " \t");
	if (*text == '@') {
		size_t i = 0;

		while (i < sizeof nicknames / sizeof nicknames[0] && strcasecmp(text, nicknames[i].name) != 0)
			i++;
		if (i == sizeof nicknames / sizeof nicknames[0])
			return complain(ret_why, EINVAL,
				"'%.40s': expected @hourly, @daily, @weekly, @monthly or @yearly", text);
		text = nicknames[i].means;
	}
	error = read_fields(text, &cron, ret_why);
	if (error == 0)
		*ret_cron = cron;
	return error;
}

/* ---- the calendar ---- */

struct date {
	unsigned day, month; /* from 1 on */
};

/* The date of a day since the epoch, by the Gregorian calendar. Years are counted from March, so that the day that not
 * every year has is its last; era, year and day of the year are those of the 400 years' cycle. */
static struct date date_of(int64_t day)
{
	const int64_t shifted = day + 719468; /* from 0000-03-01 */
	const unsigned of_cycle = (unsigned)(shifted % DAYS_OF_CYCLE);
	const unsigned year = (of_cycle - of_cycle / 1460 + of_cycle / 36524 - of_cycle / (DAYS_OF_CYCLE - 1)) / 365;
	const unsigned of_year = of_cycle - (365 * year + year / 4 - year / 100);
	const unsigned month = (5 * of_year + 2) / 153; /* March is 0; 153 days in five months from then on */

	return (struct date){ of_year - (153 * month + 2) / 5 + 1, month < 10 ? month + 3 : month - 9 };
}

static bool is_due_on(const struct cron *cron, int64_t day)
{
	const struct date date = date_of(day);
	const bool by_day = (cron->days >> date.day & 1) != 0;
	const bool by_weekday = (cron->weekdays >> (day + 4) % 7 & 1) != 0; /* the epoch was a Thursday */

	if ((cron->months >> date.month & 1) == 0)
		return false;
	return cron->either_day ? by_day || by_weekday : by_day && by_weekday;
}

/* The first minute of a day from `from` on; -1 if there is none. */
static int first_minute(const struct cron *cron, int from)
{
	for (int minute = from; minute < MINUTES_OF_DAY; minute++)
		if ((cron->hours >> minute / 60 & 1) != 0 && (cron->minutes >> minute % 60 & 1) != 0)
			return minute;
	return -1;
}

int64_t cron_next(const struct cron *cron, int64_t after)
{
	const int64_t first = after / 60 + 1, first_day = first / MINUTES_OF_DAY;

	for (int64_t day = first_day; day <= first_day + DAYS_OF_CYCLE; day++) {
		const int minute = is_due_on(cron, day)
			? first_minute(cron, day == first_day ? (int)(first % MINUTES_OF_DAY) : 0)
			: -1;

		if (minute >= 0)
			return (day * MINUTES_OF_DAY + minute) * 60;
	}
	return CRON_NEVER;
}
