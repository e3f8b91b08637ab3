/* A wall clock on which each second is a minute, one second before its end: preloaded, so that what is due by the
 * minute is due by the second. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BEGIN 1700000040 /* any full minute */

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	const char *start = getenv("MINUTES_START");
	int result = (int)syscall(SYS_clock_gettime, clock, ret_time);

	if (result == 0 && clock == CLOCK_REALTIME && start != NULL)
		ret_time->tv_sec = BEGIN + 59 + 60 * (ret_time->tv_sec - atol(start));
	return result;
}
