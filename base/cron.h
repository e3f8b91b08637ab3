/* When something is due again and again: the five fields of crontab(5) - minute, hour, day of the month, month, day of
 * the week - in UTC, so that no hour is missing or there twice, and PID 1 reads no file about it. Pure.
 *
 *     0 3 * * *            at three
 *     0,30 8-18/2 * * MON-FRI
 *     @daily               @hourly, @daily (@midnight), @weekly, @monthly, @yearly (@annually)
 *
 * Where neither day field begins with a *, a day is due that either of them names, as under Vixie's cron; else both
 * have to. */
#pragma once

#include "base/complaint.h"

#include <stdbool.h>
#include <stdint.h>

#define CRON_NEVER INT64_MAX

/* A bit for each value. */
struct cron {
	uint64_t minutes; /* 0 to 59 */
	uint32_t hours;   /* 0 to 23 */
	uint32_t days;    /* 1 to 31 */
	uint16_t months;  /* 1 to 12 */
	uint8_t weekdays; /* 0 to 6, from Sunday */
	bool either_day;  /* that one day field names it is enough */
};

/* Reads an expression. Returns 0, -EINVAL, -ERANGE for a number that the field has not, or -EDOM for days that no month
 * of it has; with a sentence that says the field, the character of the text and what was expected. */
int cron_parse(const char *text, struct cron *ret_cron, struct complaint *ret_why);

/* The first minute behind `after` in which it is due; both in seconds since the epoch, `after` 0 or more. CRON_NEVER
 * where there is none within 400 years, behind which the calendar begins anew; cron_parse() reads no such expression.
 */
int64_t cron_next(const struct cron *cron, int64_t after);
