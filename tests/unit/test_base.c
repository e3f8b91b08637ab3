#include "base/capname.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/complaint.h"
#include "base/duration.h"
#include "base/fdio.h"
#include "base/signame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define DAY_S (24 * INT64_C(3600))

/* ---- durations ---- */

static const struct duration {
	const char *text;
	int64_t ns;
} durations[] = {
	{ "0", 0 },
	{ "0s", 0 },
	{ "0ms", 0 },
	{ "1ms", NS_PER_MS },
	{ "500ms", 500 * NS_PER_MS },
	{ "1500ms", 1500 * NS_PER_MS },
	{ "8s", 8 * NS_PER_S },
	{ "008s", 8 * NS_PER_S },
	{ "90s", 90 * NS_PER_S },
	{ "1m", 60 * NS_PER_S },
	{ "1m30s", 90 * NS_PER_S },
	{ "2h", 7200 * NS_PER_S },
	{ "1h2m3s4ms", 3723 * NS_PER_S + 4 * NS_PER_MS },
	{ "1h1ms", 3600 * NS_PER_S + NS_PER_MS },
	{ "8760h", 365 * DAY_S *NS_PER_S },
	{ "525600m", 365 * DAY_S *NS_PER_S },
	{ "31536000s", 365 * DAY_S *NS_PER_S },
	{ "31536000000ms", 365 * DAY_S *NS_PER_S },
	{ "8759h59m59s1000ms", 365 * DAY_S *NS_PER_S },
};

static void reads_durations(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(durations); i++) {
		int64_t ns = -7;

		if (duration_parse(durations[i].text, &ns) != 0 || ns != durations[i].ns)
			fail_msg("%s: %lld", durations[i].text, (long long)ns);
	}
}

static void writes_durations(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} written[] = {
		{ 0, "0ms" },
		{ 499999, "0ms" },
		{ 500000, "1ms" },
		{ 999 * NS_PER_MS, "999ms" },
		{ 999 * NS_PER_MS + 500000, "1s" },
		{ 1099 * NS_PER_MS, "1s" },
		{ 1100 * NS_PER_MS, "1.1s" },
		{ 59999 * NS_PER_MS, "59.9s" },
		{ 60 * NS_PER_S, "1m0s" },
		{ 3599 * NS_PER_S, "59m59s" },
		{ 3600 * NS_PER_S, "1h0m" },
		{ 86399 * NS_PER_S, "23h59m" },
		{ INT64_C(1058400) * NS_PER_S, "12d6h" },
		{ INT64_MAX, "106751d23h" },
	};
	char text[DURATION_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(written); i++) {
		duration_format(written[i].ns, text);
		assert_string_equal(text, written[i].text);
	}
}

static const struct bad_duration {
	const char *text;
	int error;
} bad_durations[] = {
	{ "", EINVAL },
	{ "8", EINVAL },
	{ "00", EINVAL },
	{ "s", EINVAL },
	{ "ms", EINVAL },
	{ "-1s", EINVAL },
	{ "+1s", EINVAL },
	{ " 1s", EINVAL },
	{ "1s ", EINVAL },
	{ "1 s", EINVAL },
	{ "1.5s", EINVAL },
	{ "1,5s", EINVAL },
	{ "1S", EINVAL },
	{ "1sec", EINVAL },
	{ "1us", EINVAL },
	{ "1ns", EINVAL },
	{ "1d", EINVAL },
	{ "1m1m", EINVAL },
	{ "1s1m", EINVAL },
	{ "1ms1s", EINVAL },
	{ "1s1s", EINVAL },
	{ "1h30", EINVAL },
	{ "1e3s", EINVAL },
	{ "0x1s", EINVAL },
	{ "infinity", EINVAL },
	{ "8761h", ERANGE },
	{ "8760h1ms", ERANGE },
	{ "525601m", ERANGE },
	{ "31536000001ms", ERANGE },
	{ "2562048h", ERANGE },              /* 2^63 ns */
	{ "18446744073709551616s", ERANGE }, /* 2^64 */
	{ "99999999999999999999999999ms", ERANGE },
};

static void refuses_what_is_no_duration(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_durations); i++) {
		int64_t ns = -7;
		const int error = duration_parse(bad_durations[i].text, &ns);

		if (error != -bad_durations[i].error || ns != -7)
			fail_msg("'%s': %d", bad_durations[i].text, error);
	}
}

/* ---- signals ---- */

static const struct signal_text {
	const char *text;
	int signal;
} signal_texts[] = {
	{ "TERM", 15 },
	{ "SIGTERM", 15 },
	{ "sigterm", 15 },
	{ "SigTerm", 15 },
	{ "15", 15 },
	{ "015", 15 },
	{ "1", 1 },
	{ "64", 64 },
	{ "32", 32 },
	{ "HUP", 1 },
	{ "KILL", 9 },
	{ "STKFLT", 16 },
	{ "WINCH", 28 },
	{ "IO", 29 },
	{ "SYS", 31 },
	{ "RTMIN", 34 },
	{ "SIGRTMIN", 34 },
	{ "rtmin+0", 34 },
	{ "RTMIN+3", 37 },
	{ "SIGRTMIN+3", 37 },
	{ "RTMIN+30", 64 },
	{ "CLD", SIGCHLD },
	{ "SIGPOLL", SIGIO },
	{ "iot", SIGABRT },
	{ "RTMAX", 64 },
	{ "RTMAX-0", 64 },
	{ "RTMAX-14", 50 },
	{ "sigrtmax-30", 34 },
};

static void reads_signals(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(signal_texts); i++) {
		int signal = -7;

		if (signal_parse(signal_texts[i].text, &signal) != 0 || signal != signal_texts[i].signal)
			fail_msg("%s: %d", signal_texts[i].text, signal);
	}
}

static void refuses_what_is_no_signal(void **state)
{
	static const char *const texts[] = { "", "0", "65", "-1", "+1", " 1", "1 ", "15x", "0x0f",
		"99999999999999999999", "SIG", "SIG15", "SIGSIGTERM", "TER", "TERMX", "TERM ", "RT", "RTMIN+",
		"RTMIN+31", "RTMIN-1", "RTMIN+-1", "RTMIN+ 1", "RTMIN3", "RTMIN+3x", "RTMAX+1", "RTMAX-", "RTMAX-31",
		"RTMAXX", "EXIT" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		int signal = -7;

		if (signal_parse(texts[i], &signal) != -EINVAL || signal != -7)
			fail_msg("'%s': %d", texts[i], signal);
	}
}

static void every_signal_has_a_name_that_is_read_back(void **state)
{
	static const char *const names[] = { NULL, "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL",
		"USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN",
		"TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS", "32", "33", "RTMIN" };
	char name[SIGNAL_NAME_SIZE], expected[SIGNAL_NAME_SIZE];

	(void)state;
	for (int signal = 1; signal <= 64; signal++) {
		int back = 0;

		snprintf(expected, sizeof expected, "RTMIN+%d", signal - 34);
		assert_ptr_equal(signal_name(signal, name), name);
		assert_string_equal(name, signal < (int)COUNT(names) ? names[signal] : expected);
		assert_int_equal(signal_parse(name, &back), 0);
		assert_int_equal(back, signal);
	}
	assert_string_equal(signal_name(0, name), "0");
	assert_string_equal(signal_name(65, name), "65");
	assert_string_equal(signal_name(-1, name), "-1");
	assert_string_equal(signal_name(INT32_MIN, name), "-2147483648");
}

/* ---- capabilities ---- */

static void every_capability_has_a_name_that_is_read_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CAPNAME_COUNT; i++) {
		char text[40];
		uint64_t bits = 0;

		assert_int_equal(capname_parse(capname(i), &bits), 0);
		assert_int_equal(bits, UINT64_C(1) << i);
		snprintf(text, sizeof text, "CAP_%s", capname(i));
		for (char *at = text; *at != '\0'; at++)
			*at = (char)toupper((unsigned char)*at);
		bits = 0;
		assert_int_equal(capname_parse(text, &bits), 0);
		assert_int_equal(bits, UINT64_C(1) << i);
		assert_int_equal(capname_parse(text + 4, &bits), 0);
		for (const char *at = capname(i); *at != '\0'; at++)
			assert_true(islower((unsigned char)*at) || *at == '_');
	}
	assert_int_equal(CAPNAME_COUNT, CAP_CHECKPOINT_RESTORE + 1);
	assert_string_equal(capname(CAP_CHOWN), "chown");
	assert_string_equal(capname(CAP_NET_BIND_SERVICE), "net_bind_service");
	assert_string_equal(capname(CAP_SYS_ADMIN), "sys_admin");
	assert_string_equal(capname(CAP_CHECKPOINT_RESTORE), "checkpoint_restore");
}

static void all_is_all(void **state)
{
	static const char *const texts[] = { "all", "ALL", "All" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		uint64_t bits = 0;

		assert_int_equal(capname_parse(texts[i], &bits), 0);
		assert_int_equal(bits, UINT64_MAX);
	}
}

static void refuses_what_is_no_capability(void **state)
{
	static const char *const texts[] = { "", "CAP_", "cap", "cap_all", "CAP_CAP_CHOWN", "chow", "chowns", " chown",
		"chown ", "net-raw", "0", "none", "alll" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		uint64_t bits = 7;

		if (capname_parse(texts[i], &bits) != -EINVAL || bits != 7)
			fail_msg("'%s'", texts[i]);
	}
}

/* ---- complaints ---- */

static void complaint_says_it_and_returns_the_error(void **state)
{
	struct complaint why;

	(void)state;
	assert_int_equal(complain(&why, EINVAL, "%s: %d", "FILE", 7), -EINVAL);
	assert_string_equal(why.text, "FILE: 7");
	assert_int_equal(complain(&why, ENOENT, "short"), -ENOENT);
	assert_string_equal(why.text, "short");
}

static void complaint_is_cut_at_its_end(void **state)
{
	struct {
		struct complaint why;
		char behind;
	} room = { .behind = 'z' };
	char text[600];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_int_equal(complain(&room.why, E2BIG, "%s", text), -E2BIG);
	assert_int_equal(strlen(room.why.text), sizeof room.why.text - 1);
	assert_int_equal(room.behind, 'z');
}

static void complaint_is_one_line_and_moves_no_cursor(void **state)
{
	struct complaint why;

	(void)state;
	complain(&why, EINVAL, "'%s'", "a\nb\tc\033[2Jd\177e\001 f\r");
	assert_string_equal(why.text, "'a?b?c?[2Jd?e? f?'");
	complain(&why, EINVAL, "'%s'", "caf\xc3\xa9 ~");
	assert_string_equal(why.text, "'caf\xc3\xa9 ~'");
}

/* ---- whole reads and writes ---- */

static int file_of(const void *bytes, size_t length)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void reads_files_up_to_the_limit(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 4094, 4095, 4096, 4097, 8190, 8191, 8192, 8193, 20000 };
	static char bytes[20001];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		for (size_t extra = 0; extra < 5; extra++) {
			const size_t limit = sizes[i] + extra < 2 ? 0 : sizes[i] + extra - 2;
			cleanup_close int fd = file_of(bytes, sizes[i]);
			cleanup_free char *text = NULL;
			size_t length = 77;
			const int error = fd_read_file(fd, limit, &text, &length);

			if (error != (sizes[i] <= limit ? 0 : -EFBIG))
				fail_msg("%zu bytes, limit %zu: %d", sizes[i], limit, error);
			if (error < 0) {
				assert_null(text);
				assert_int_equal(length, 77);
				continue;
			}
			assert_int_equal(length, sizes[i]);
			assert_memory_equal(text, bytes, length);
			assert_int_equal(text[length], '\0');
		}
	}
}

static void reads_by_path_and_says_why_not(void **state)
{
	cleanup_free char *text = NULL;
	cleanup_close int fd = file_of("hello", 5);
	char path[64];
	size_t length = 77;

	(void)state;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	assert_int_equal(file_read(path, 5, &text, &length), 0);
	assert_int_equal(length, 5);
	assert_string_equal(text, "hello");
	free(take_pointer(&text));
	length = 77;
	assert_int_equal(file_read(path, 4, &text, &length), -EFBIG);
	assert_int_equal(file_read("/proc/self/no-such-file", 100, &text, &length), -ENOENT);
	assert_int_equal(file_read("/proc", 100, &text, &length), -EISDIR);
	assert_null(text);
	assert_int_equal(length, 77);
	/* A file of /proc says its size is 0. */
	assert_int_equal(file_read("/proc/self/status", 100000, &text, &length), 0);
	assert_true(length > 100);
	assert_int_equal(text[length - 1], '\n');
}

static void leaves_no_descriptor_behind(void **state)
{
	cleanup_free char *text = NULL;
	int before = dup(0), after;
	size_t length;

	(void)state;
	close(before);
	file_read("/proc/self/status", 100000, &text, &length);
	free(take_pointer(&text));
	file_read("/proc/self/status", 1, &text, &length);
	file_read("/proc", 100, &text, &length);
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* A timer interrupts every few milliseconds, without SA_RESTART. */
static void interrupt_often(bool often)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerval timer = { .it_interval.tv_usec = often ? 2000 : 0,
		.it_value.tv_usec = often ? 2000 : 0 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

#define PIPED (300 * 1024)

static void pattern(char *bytes)
{
	for (size_t i = 0; i < PIPED; i++)
		bytes[i] = (char)(i ^ (i >> 9));
}

/* The child reads slowly: writes block, are short, are interrupted. */
static void writes_all_of_it_through_a_pipe(void **state)
{
	static char bytes[PIPED], back[PIPED + 1];
	int ends[2], status;
	pid_t child;

	(void)state;
	pattern(bytes);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		ssize_t count;

		close(ends[1]);
		usleep(20000); /* the writer finds the pipe full, and is interrupted with nothing written */
		interrupt_often(true);
		count = fd_read_all(ends[0], back, sizeof back);
		_exit(count == PIPED && memcmp(back, bytes, PIPED) == 0 ? 0 : 1);
	}
	close(ends[0]);
	interrupt_often(true);
	assert_int_equal(fd_write_all(ends[1], bytes, PIPED), 0);
	interrupt_often(false);
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* The child writes slowly: reads are short and interrupted. */
static void reads_all_of_it_from_a_pipe(void **state)
{
	static char bytes[PIPED], back[PIPED + 1];
	int ends[2], status;
	pid_t child;

	(void)state;
	pattern(bytes);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		bool good = true;

		for (size_t i = 0; i < 10; i++) {
			usleep(4000);
			good = good && fd_write_all(ends[1], bytes + i * (PIPED / 10), PIPED / 10) == 0;
		}
		_exit(good ? 0 : 1);
	}
	close(ends[1]);
	interrupt_often(true);
	assert_int_equal(fd_read_all(ends[0], back, sizeof back), PIPED);
	interrupt_often(false);
	assert_memory_equal(back, bytes, PIPED);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void reads_no_more_than_there_is_room_for(void **state)
{
	cleanup_close int fd = file_of("0123456789", 10);
	char buffer[6] = "zzzzz";

	(void)state;
	assert_int_equal(fd_read_all(fd, buffer, 4), 4);
	assert_string_equal(buffer, "0123z");
	assert_int_equal(fd_read_all(fd, buffer, 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 4);
}

/* A packet a read: the second one is larger than what is left of the buffer. */
static void short_read_leaves_less_room_for_the_next(void **state)
{
	char buffer[16];
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(fd_write_all(ends[0], "01234", 5), 0);
	assert_int_equal(fd_write_all(ends[0], "abcdefghij", 10), 0);
	memset(buffer, 'z', sizeof buffer);
	assert_int_equal(fd_read_all(ends[1], buffer, 8), 8);
	assert_memory_equal(buffer, "01234abczzzzzzzz", sizeof buffer);
	close(ends[0]);
	close(ends[1]);
}

static void descriptor_zero_is_one_like_any_other(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		char *text;
		size_t length;

		close(0);
		_exit(file_read("/proc/self/status", 100000, &text, &length) == 0 && length > 100 &&
					open("/", O_RDONLY) == 0
				? 0
				: 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void says_why_it_could_not_read_or_write(void **state)
{
	cleanup_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC),
			  null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char buffer[4];

	(void)state;
	assert_int_equal(fd_write_all(full, "x", 1), -ENOSPC);
	assert_int_equal(fd_write_all(full, "x", 0), 0);
	assert_int_equal(fd_write_all(null, "x", 1), -EBADF);
	assert_int_equal(fd_read_all(null, buffer, sizeof buffer), 0);
	assert_int_equal(fd_read_all(full, buffer, sizeof buffer), -EBADF);
	assert_int_equal(fd_read_all(-1, buffer, sizeof buffer), -EBADF);
}

/* ---- ownership ---- */

static void taken_is_not_cleaned_up(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), kept;
	char *text, *kept_text;

	(void)state;
	{
		cleanup_close int owner = fd;
		cleanup_free char *memory = malloc(1);

		text = memory;
		kept = take_fd(&owner);
		kept_text = take_pointer(&memory);
		assert_int_equal(owner, -1);
		assert_null(memory);
	}
	assert_ptr_equal(kept_text, text);
	free(kept_text);
	assert_int_equal(kept, fd);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	{
		cleanup_close int owner = kept;

		assert_int_equal(owner, fd);
	}
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(writes_durations),
		cmocka_unit_test(refuses_what_is_no_duration),
		cmocka_unit_test(reads_signals),
		cmocka_unit_test(refuses_what_is_no_signal),
		cmocka_unit_test(every_signal_has_a_name_that_is_read_back),
		cmocka_unit_test(every_capability_has_a_name_that_is_read_back),
		cmocka_unit_test(all_is_all),
		cmocka_unit_test(refuses_what_is_no_capability),
		cmocka_unit_test(complaint_says_it_and_returns_the_error),
		cmocka_unit_test(complaint_is_cut_at_its_end),
		cmocka_unit_test(complaint_is_one_line_and_moves_no_cursor),
		cmocka_unit_test(reads_files_up_to_the_limit),
		cmocka_unit_test(reads_by_path_and_says_why_not),
		cmocka_unit_test(leaves_no_descriptor_behind),
		cmocka_unit_test(writes_all_of_it_through_a_pipe),
		cmocka_unit_test(reads_all_of_it_from_a_pipe),
		cmocka_unit_test(reads_no_more_than_there_is_room_for),
		cmocka_unit_test(short_read_leaves_less_room_for_the_next),
		cmocka_unit_test(descriptor_zero_is_one_like_any_other),
		cmocka_unit_test(says_why_it_could_not_read_or_write),
		cmocka_unit_test(taken_is_not_cleaned_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
