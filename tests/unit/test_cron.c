/* cron's expressions: what they mean, what is refused, and when they are due, against a walk through the calendar of
 * libc. */
#include "base/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct complaint why;

static int64_t seconds(const char *text)
{
	struct tm tm = { 0 };

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return timegm(&tm);
}

static const char *date(int64_t when)
{
	static char text[32];
	const time_t time = (time_t)when;
	struct tm tm;

	if (when == CRON_NEVER)
		return "never";
	assert_non_null(gmtime_r(&time, &tm));
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	return text;
}

static struct cron parsed(const char *text)
{
	struct cron cron;

	if (cron_parse(text, &cron, &why) != 0)
		fail_msg("%s: %s", text, why.text);
	return cron;
}

static void is_due_next(void **state)
{
	static const struct {
		const char *expression, *after, *next;
	} rows[] = {
		{ "* * * * *", "2026-01-01 00:00:00", "2026-01-01 00:01:00" },
		{ "* * * * *", "2026-01-01 00:00:59", "2026-01-01 00:01:00" },
		{ "* * * * *", "2026-12-31 23:59:01", "2027-01-01 00:00:00" },
		{ "0 3 * * *", "2026-01-01 02:59:59", "2026-01-01 03:00:00" },
		{ "0 3 * * *", "2026-01-01 03:00:00", "2026-01-02 03:00:00" },
		{ "*/15 * * * *", "2026-01-01 00:46:00", "2026-01-01 01:00:00" },
		{ "10-50/20 * * * *", "2026-01-01 00:31:00", "2026-01-01 00:50:00" },
		{ "5,7,3-4 12 * * *", "2026-01-01 12:04:00", "2026-01-01 12:05:00" },
		{ "\t0  0 1\tjan * ", "2026-01-01 00:00:00", "2027-01-01 00:00:00" },
		{ "0 0 * * MON-FRI", "2026-01-02 00:00:00", "2026-01-05 00:00:00" },
		{ "0 0 * * 5-7", "2026-01-03 00:00:00", "2026-01-04 00:00:00" },
		{ "0 0 * * 0", "2026-01-01 00:00:00", "2026-01-04 00:00:00" },
		{ "0 0 * * 7", "2026-01-01 00:00:00", "2026-01-04 00:00:00" },
		{ "0 0 * Feb,aUg Sun", "2026-03-01 00:00:00", "2026-08-02 00:00:00" },
		{ "0 0 29 2 *", "2026-01-01 00:00:00", "2028-02-29 00:00:00" },
		{ "0 0 29 2 *", "2096-02-29 00:00:00", "2104-02-29 00:00:00" },
		{ "0 0 29 2 */6", "2076-02-29 00:00:00", "2088-02-29 00:00:00" }, /* a Saturday, and the next Sunday */
		{ "0 0 31 * *", "2026-01-31 00:00:00", "2026-03-31 00:00:00" },
		/* either day, where both are named; both, where one field begins with a * */
		{ "0 0 13 * FRI", "2026-01-01 00:00:00", "2026-01-02 00:00:00" },
		{ "0 0 13 * FRI", "2026-01-10 00:00:00", "2026-01-13 00:00:00" },
		{ "0 0 */13 * FRI", "2026-01-10 00:00:00", "2026-02-27 00:00:00" },
		{ "0 0 30 2 MON", "2026-01-01 00:00:00", "2026-02-02 00:00:00" },
		{ "@hourly", "2026-01-01 00:00:00", "2026-01-01 01:00:00" },
		{ "@daily", "2026-01-01 00:00:00", "2026-01-02 00:00:00" },
		{ "@midnight", "2026-01-01 00:00:00", "2026-01-02 00:00:00" },
		{ "@Weekly", "2026-01-01 00:00:00", "2026-01-04 00:00:00" },
		{ "@monthly", "2026-01-01 00:00:00", "2026-02-01 00:00:00" },
		{ "@yearly", "2026-01-01 00:00:00", "2027-01-01 00:00:00" },
		{ "@annually", "2026-01-01 00:00:00", "2027-01-01 00:00:00" },
		{ "* * * * *", "1970-01-01 00:00:00", "1970-01-01 00:01:00" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cron cron = parsed(rows[i].expression);
		const char *next = date(cron_next(&cron, seconds(rows[i].after)));

		if (strcmp(next, rows[i].next) != 0)
			fail_msg("%s after %s: %s", rows[i].expression, rows[i].after, next);
	}
}

static void refusals(void **state)
{
	static const struct {
		const char *expression;
		int error;
		const char *sentence;
	} rows[] = {
		{ "", -EINVAL, "minute, at character 1: expected 0 to 59, or *" },
		{ "0 3 * *", -EINVAL,
			"day of the week, at character 8: expected 0 to 7 (0 and 7 are Sunday), SUN to SAT, or *" },
		{ "0 3 * * * *", -EINVAL,
			"day of the week, at character 11, '*': expected the end: the fifth field is the last" },
		{ "60 * * * *", -ERANGE, "minute, at character 1, '60': expected 0 to 59, or *" },
		{ "0 24 * * *", -ERANGE, "hour, at character 3, '24': expected 0 to 23, or *" },
		{ "0 0 0 * *", -ERANGE, "day of the month, at character 5, '0': expected 1 to 31, or *" },
		{ "0 0 1-32 * *", -ERANGE, "day of the month, at character 7, '32': expected 1 to 31, or *" },
		{ "0 0 1 13 *", -ERANGE, "month, at character 7, '13': expected 1 to 12, JAN to DEC, or *" },
		{ "0 0 1 JANUARY *", -EINVAL, "month, at character 7, 'JANUARY': expected 1 to 12, JAN to DEC, or *" },
		{ "0 0 1 MON *", -EINVAL, "month, at character 7, 'MON': expected 1 to 12, JAN to DEC, or *" },
		{ "0 0 1 * 8", -ERANGE,
			"day of the week, at character 9, '8': expected 0 to 7 (0 and 7 are Sunday), SUN to SAT, or "
			"*" },
		{ "0 0 * * FRI-MON", -EINVAL,
			"day of the week, at character 9, 'FRI-MON': expected a range that goes upwards" },
		{ "5/15 * * * *", -EINVAL,
			"minute, at character 1, '5/15': expected a range before the step, such as */5 or 10-50/5" },
		{ "*/0 * * * *", -EINVAL,
			"minute, at character 3, '0': expected a step from 1 to the field's last value" },
		{ "*/ * * * *", -EINVAL, "minute, at character 3: expected a step from 1 to the field's last value" },
		{ "*/60 * * * *", -EINVAL,
			"minute, at character 3, '60': expected a step from 1 to the field's last value" },
		{ "1,,2 * * * *", -EINVAL, "minute, at character 3, ',2': expected 0 to 59, or *" },
		{ "1, * * * *", -EINVAL, "minute, at character 3: expected 0 to 59, or *" },
		{ "1- * * * *", -EINVAL, "minute, at character 3: expected 0 to 59, or *" },
		{ "1x * * * *", -EINVAL, "minute, at character 2, 'x': expected a comma, a range, a step or a blank" },
		{ "-1 * * * *", -EINVAL, "minute, at character 1, '-1': expected 0 to 59, or *" },
		{ "4294967296 * * * *", -ERANGE, "minute, at character 1, '4294967296': expected 0 to 59, or *" },
		{ "0 0 L * *", -EINVAL, "day of the month, at character 5, 'L': expected 1 to 31, or *" },
		{ "0 0 30 2 *", -EDOM, "day of the month: none of these days is in any of these months" },
		{ "0 0 31 2,4,JUN,9,11 */2", -EDOM, "day of the month: none of these days is in any of these months" },
		{ "@reboot", -EINVAL, "'@reboot': expected @hourly, @daily, @weekly, @monthly or @yearly" },
		{ "@daily x", -EINVAL, "'@daily x': expected @hourly, @daily, @weekly, @monthly or @yearly" },
	};
	struct cron cron, before;

	(void)state;
	memset(&cron, 7, sizeof cron);
	before = cron;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const int error = cron_parse(rows[i].expression, &cron, &why);

		if (error != rows[i].error)
			fail_msg("%s: %d", rows[i].expression, error);
		assert_string_equal(why.text, rows[i].sentence);
	}
	assert_memory_equal(&cron, &before, sizeof cron);
}

static void what_names_no_time_is_never_due(void **state)
{
	const struct cron nothing = { 0 };

	(void)state;
	assert_int_equal(cron_next(&nothing, 0), CRON_NEVER);
}

/* ---- at random ---- */

static uint64_t random_state;

static unsigned roll(unsigned sides)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(random_state >> 33) % sides;
}

static const char weekdays[][4] = { "sun", "MON", "Tue", "WED", "thu", "FRI", "SAT" };
static const char months[][4] = { "Jan", "FEB", "mar", "APR", "may", "JUN", "JUL", "AUG", "SEP", "oct", "NOV", "DEC" };

/* A field, and which values it names. */
struct made {
	char text[128];
	bool names[64];
	bool every;
};

static void write_value(struct made *made, unsigned field, unsigned value)
{
	char *end = made->text + strlen(made->text);

	if (field == 4 && value < 7 && roll(3) == 0)
		strcat(end, weekdays[value]);
	else if (field == 3 && roll(3) == 0)
		strcat(end, months[value - 1]);
	else
		sprintf(end, "%u", value);
}

static void make_part(struct made *made, unsigned field, unsigned least, unsigned most)
{
	const unsigned kind = roll(4);
	unsigned first = least, last = field == 4 ? 6 : most, step = 1;

	if (kind == 0) {
		strcat(made->text, "*");
	} else {
		first = last = least + roll(most - least + 1);
		write_value(made, field, first);
	}
	if (kind == 1) {
		last = first + roll(most - first + 1);
		strcat(made->text, "-");
		write_value(made, field, last);
	}
	if (kind <= 1 && roll(2) == 0) {
		step = 1 + roll(most);
		sprintf(made->text + strlen(made->text), "/%u", step);
	}
	for (; first <= last; first += step)
		made->names[field == 4 ? first % 7 : first] = true;
}

static void make(struct made *made, unsigned field)
{
	static const unsigned least[] = { 0, 0, 1, 1, 0 }, most[] = { 59, 23, 31, 12, 7 };

	memset(made, 0, sizeof *made);
	for (unsigned parts = roll(3) + 1; parts > 0; parts--) {
		if (made->text[0] != '\0')
			strcat(made->text, ",");
		make_part(made, field, least[field], most[field]);
	}
	made->every = made->text[0] == '*';
}

static bool names_day(const struct made made[static 5], const struct tm *tm)
{
	const bool by_day = made[2].names[tm->tm_mday], by_weekday = made[4].names[tm->tm_wday];

	if (!made[3].names[tm->tm_mon + 1])
		return false;
	return made[2].every || made[4].every ? by_day && by_weekday : by_day || by_weekday;
}

/* Minute by minute, but for days that are none. */
static int64_t walk(const struct made made[static 5], int64_t after)
{
	for (time_t now = (time_t)(after / 60 * 60 + 60); now < after + 50 * INT64_C(366) * 86400; now += 60) {
		struct tm tm;

		assert_non_null(gmtime_r(&now, &tm));
		if (!names_day(made, &tm))
			now = now / 86400 * 86400 + 86400 - 60;
		else if (made[1].names[tm.tm_hour] && made[0].names[tm.tm_min])
			return now;
	}
	return CRON_NEVER;
}

static void is_due_when_a_walk_finds_it(void **state)
{
	unsigned refused = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 12000; seed++) {
		struct made made[5];
		char text[1024];
		struct cron cron;
		int64_t after;
		int error;

		random_state = seed;
		for (unsigned field = 0; field < 5; field++)
			make(&made[field], field);
		snprintf(text, sizeof text, "%s %s %s %s %s", made[0].text, made[1].text, made[2].text, made[3].text,
			made[4].text);
		error = cron_parse(text, &cron, &why);
		after = (int64_t)roll(1U << 31) * 2 + roll(2);
		if (error == -EDOM) {
			assert_int_equal(walk(made, after), CRON_NEVER);
			refused++;
			continue;
		}
		if (error != 0)
			fail_msg("%s: %s", text, why.text);
		for (unsigned times = 0; times < 3; times++) {
			const int64_t next = cron_next(&cron, after);

			if (next != walk(made, after))
				fail_msg("%s after %" PRId64 ": %" PRId64, text, after, next);
			after = next;
		}
	}
	assert_in_range(refused, 1, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_due_next),
		cmocka_unit_test(refusals),
		cmocka_unit_test(what_names_no_time_is_never_due),
		cmocka_unit_test(is_due_when_a_walk_finds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
