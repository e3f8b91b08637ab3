#include "health/notification.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* All that a message says, in words. */
static const char *words_of(const struct notification *notification)
{
	static const char beats[][10] = { "", " alive", " trigger" };
	static char words[2 * WIRE_REASON_SIZE];
	int at = snprintf(words, sizeof words, "%s%s", wire_said_name(notification->said), beats[notification->beat]);

	if (notification->watchdog_ms > 0)
		at += snprintf(words + at, sizeof words - (size_t)at, " every=%u", notification->watchdog_ms);
	if (notification->has_error)
		at += snprintf(words + at, sizeof words - (size_t)at, " error=%u", notification->error);
	if (notification->main_pid > 0)
		at += snprintf(words + at, sizeof words - (size_t)at, " pid=%u", notification->main_pid);
	if (notification->has_status)
		snprintf(words + at, sizeof words - (size_t)at, " [%s]", notification->status);
	return words;
}

static void assert_says(const char *bytes, size_t length, const char *words)
{
	struct notification notification;

	assert_int_equal(notification_parse(bytes, length, &notification), 0);
	assert_string_equal(words_of(&notification), words);
}

static void says_what_it_holds(void **state)
{
	static const struct {
		const char *message, *words;
	} rows[] = {
		{ "READY=1", "ready" },
		{ "READY=1\n", "ready" },
		{ "\n\nREADY=1\n\n", "ready" },
		{ "", "starting" },
		{ "\n", "starting" },
		{ "READY=0", "starting" },
		{ "READY=", "starting" },
		{ "READY", "starting" },
		{ "READY=11", "starting" },
		{ " READY=1", "starting" },
		{ "READY=1\r", "starting" },
		{ "ready=1", "starting" },
		{ "XREADY=1", "starting" },
		{ "RELOADING=1\nMONOTONIC_USEC=17", "reloading" },
		{ "STOPPING=1", "stopping" },
		{ "READY=1\nRELOADING=1", "reloading" },
		{ "STOPPING=1\nREADY=1", "ready" },
		{ "READY=1\nSTATUS=up\nWATCHDOG=1\nWATCHDOG_USEC=5000000\nERRNO=2\nMAINPID=7",
			"ready alive every=5000 error=2 pid=7 [up]" },
		{ "WATCHDOG=1", "starting alive" },
		{ "WATCHDOG=trigger", "starting trigger" },
		{ "WATCHDOG=0", "starting" },
		{ "WATCHDOG_USEC=1", "starting every=1" },
		{ "WATCHDOG_USEC=1001", "starting every=2" },
		{ "WATCHDOG_USEC=86400000000", "starting every=86400000" },
		{ "WATCHDOG_USEC=86400000001", "starting" },
		{ "WATCHDOG_USEC=18446744073709551616", "starting" },
		{ "WATCHDOG_USEC=18446744073709551615", "starting" },
		{ "WATCHDOG_USEC=0", "starting" },
		{ "WATCHDOG_USEC=-1", "starting" },
		{ "WATCHDOG_USEC=1s", "starting" },
		{ "WATCHDOG_USEC=", "starting" },
		{ "ERRNO=0", "starting error=0" },
		{ "ERRNO=4095", "starting error=4095" },
		{ "ERRNO=4096", "starting" },
		{ "ERRNO=x", "starting" },
		{ "MAINPID=4194304", "starting pid=4194304" },
		{ "MAINPID=4194305", "starting" },
		{ "MAINPID=-1", "starting" },
		{ "STATUS=", "starting []" },
		{ "STATUS=a=b \tc", "starting [a=b ?c]" },
		{ "STATUS=\033[31mred\r\xc3\xa4", "starting [?[31mred???]" },
		{ "STATUS=one\nSTATUS=two", "starting [two]" },
		{ "BARRIER=1", "starting" },
		{ "FDSTORE=1\nFDNAME=x\nEXTEND_TIMEOUT_USEC=9\nX_MINE=1\nno assignment", "starting" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_says(rows[i].message, strlen(rows[i].message), rows[i].words);
}

static void a_nul_is_nothing_but_its_end(void **state)
{
	struct notification notification = { .watchdog_ms = 77 };

	(void)state;
	assert_says("READY=1\0", 8, "ready");
	assert_says("\0", 1, "starting");
	assert_int_equal(notification_parse("READY=1\0\0", 9, &notification), -EBADMSG);
	assert_int_equal(notification_parse("READY=1\0\nSTATUS=x", 17, &notification), -EBADMSG);
	assert_int_equal(notification_parse("\0READY=1", 8, &notification), -EBADMSG);
	assert_int_equal(notification.watchdog_ms, 77);
}

static void a_long_status_is_cut(void **state)
{
	char message[NOTIFICATION_MAX + 1] = "STATUS=";
	struct notification notification;

	(void)state;
	memset(message + strlen("STATUS="), 'x', sizeof message - strlen("STATUS="));
	assert_int_equal(notification_parse(message, NOTIFICATION_MAX, &notification), 0);
	assert_int_equal(strlen(notification.status), WIRE_REASON_SIZE - 1);
	assert_int_equal(notification_parse(message, strlen("STATUS=") + WIRE_REASON_SIZE - 1, &notification), 0);
	assert_int_equal(strlen(notification.status), WIRE_REASON_SIZE - 1);
	assert_int_equal(notification_parse(message, strlen("STATUS=") + WIRE_REASON_SIZE - 2, &notification), 0);
	assert_int_equal(strlen(notification.status), WIRE_REASON_SIZE - 2);
	assert_int_equal(notification_parse(message, NOTIFICATION_MAX + 1, &notification), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_holds),
		cmocka_unit_test(a_nul_is_nothing_but_its_end),
		cmocka_unit_test(a_long_status_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
