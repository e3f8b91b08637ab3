#include "metrics/proc_parse.h"
#include "metrics/readings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BEHIND " 1 17 17 34816 17 4194304 1 2 3 4 250 60 11 7 20 0 12 0 4242 99 512 18446744073709551615 1 1 0\n"

static void reads_stat_behind_any_name(void **state)
{
	static const char *const names[] = { "node", "a b", "x) R 9 9 9", "))) (((", "", "\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct proc_stat stat;
		char text[256];

		snprintf(text, sizeof text, "17 (%s) S%s", names[i], BEHIND);
		assert_int_equal(proc_parse_stat(text, &stat), 0);
		assert_int_equal(stat.pid, 17);
		assert_int_equal(stat.state, 'S');
		assert_int_equal(stat.parent, 1);
		assert_int_equal(stat.process_group, 17);
		assert_int_equal(stat.session, 17);
		assert_int_equal(stat.user_ticks, 250);
		assert_int_equal(stat.system_ticks, 60);
		assert_int_equal(stat.child_user_ticks, 11);
		assert_int_equal(stat.child_system_ticks, 7);
		assert_int_equal(stat.threads, 12);
		assert_int_equal(stat.start_ticks, 4242);
		assert_int_equal(stat.resident_pages, 512);
	}
}

static void takes_negative_fields(void **state)
{
	struct proc_stat stat;

	(void)state;
	assert_int_equal(
		proc_parse_stat("2 (k) S 0 0 0 0 -1 69238880 0 0 0 0 1 2 0 0 -100 0 1 0 6 0 0 1844\n", &stat), 0);
	assert_int_equal(stat.session, 0);
	assert_int_equal(stat.start_ticks, 6);
}

static void refuses_a_stat_of_another_shape(void **state)
{
	static const char *const texts[] = {
		"",
		"17",
		"17 (node",
		"17 node) S" BEHIND,
		"x (node) S" BEHIND,
		"17 (node) S",
		"17 (node)S" BEHIND,
		"17 (node) SS" BEHIND,
		"17 (node) S 1 17 17 34816 17 4194304 1 2 3 4 250 60 11 7 20 0 12 0 4242 99\n", /* rss is missing */
		"17 (node) S 1 17 17 34816 17 4194304 1 2 3 4 2x0 60 11 7 20 0 12 0 4242 99 512 0\n",
		"17 (node) S 99999999 17 17 34816 17 4194304 1 2 3 4 250 60 11 7 20 0 12 0 4242 99 512 0\n",
		"17 (node) S 1 99999999 17 34816 17 4194304 1 2 3 4 250 60 11 7 20 0 12 0 4242 99 512 0\n",
		"17 (node) S 1 17 17 34816 17 4194304 1 2 3 4 99999999999999999999 60 11 7 20 0 12 0 4242 99 512 0\n",
		"99999999 (node) S" BEHIND,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct proc_stat stat = { .pid = 77 };

		assert_int_equal(proc_parse_stat(texts[i], &stat), -EBADMSG);
		assert_int_equal(stat.pid, 77);
	}
}

static void reads_status_by_the_whole_name(void **state)
{
	static const char status[] = "Name:\tSeccomp\nUmask:\t0022\nThreads:\t12\nVmRSS:\t  51200 kB\n"
				     "CapBnd:\t000001ffffffffff\nSeccomp_filters:\t3\nSeccomp:\t2\nEnd:\t";
	static const struct {
		const char *name;
		int base, result;
		uint64_t value;
	} rows[] = {
		{ "Threads", 10, 0, 12 },
		{ "VmRSS", 10, 0, 51200 },
		{ "CapBnd", 16, 0, UINT64_C(0x1ffffffffff) },
		{ "Seccomp", 10, 0, 2 },
		{ "Seccomp_filters", 10, 0, 3 },
		{ "Umask", 10, 0, 22 },
		{ "Name", 10, -EBADMSG, 0 },
		{ "End", 10, -EBADMSG, 0 },
		{ "CapBnd", 10, -EBADMSG, 0 },
		{ "Thread", 10, -ENODATA, 0 },
		{ "VmSwap", 10, -ENODATA, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = 77;

		assert_int_equal(proc_parse_status(status, rows[i].name, rows[i].base, &value), rows[i].result);
		assert_int_equal(value, rows[i].result == 0 ? rows[i].value : 77);
	}
}

static void reads_when_the_machine_was_booted(void **state)
{
	uint64_t seconds = 77;

	(void)state;
	assert_int_equal(
		proc_parse_boot_time("cpu  1 2 3\nintr 5\nctxt 9\nbtime 1732331234\nprocesses 7\n", &seconds), 0);
	assert_int_equal(seconds, 1732331234);
	seconds = 77;
	assert_int_equal(proc_parse_boot_time("cpu 1\nxbtime 5\n", &seconds), -ENODATA);
	assert_int_equal(proc_parse_boot_time("btime soon\n", &seconds), -EBADMSG);
	assert_int_equal(seconds, 77);
}

static void takes_names_of_processes_only(void **state)
{
	static const char *const others[] = { "", "0", "self", "1x", "-1", "007", "4194305", "99999999999999999999",
		" 1" };
	pid_t pid = 77;

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++)
		assert_int_equal(proc_parse_pid(others[i], &pid), -EINVAL);
	assert_int_equal(pid, 77);
	assert_int_equal(proc_parse_pid("1", &pid), 0);
	assert_int_equal(pid, 1);
	assert_int_equal(proc_parse_pid("4194304", &pid), 0);
	assert_int_equal(pid, 4194304);
}

static void assert_cpu(const struct readings *readings, uint64_t user_ns, uint64_t system_ns)
{
	uint64_t value = 77;

	assert_true(readings_get(readings, READING_CPU_USER_NS, &value));
	assert_int_equal(value, user_ns);
	assert_true(readings_get(readings, READING_CPU_SYSTEM_NS, &value));
	assert_int_equal(value, system_ns);
}

static void hold(struct cpu_mark *mark, struct readings *readings, uint64_t user_ns, uint64_t system_ns)
{
	readings_set(readings, READING_CPU_USER_NS, user_ns);
	readings_set(readings, READING_CPU_SYSTEM_NS, system_ns);
	readings_hold_cpu(readings, mark, 17, 4242);
}

static void cpu_time_never_falls_while_the_main_process_lives(void **state)
{
	struct readings readings = { 0 };
	struct cpu_mark mark = { 0 };
	uint64_t value = 77;

	(void)state;
	hold(&mark, &readings, 100, 10);
	assert_cpu(&readings, 100, 10);
	hold(&mark, &readings, 60, 20); /* a process is gone, and PID 1 has its times now */
	assert_cpu(&readings, 100, 20);
	hold(&mark, &readings, 101, 21);
	assert_cpu(&readings, 101, 21);
	readings_set(&readings, READING_CPU_USER_NS, 5);
	readings_set(&readings, READING_CPU_SYSTEM_NS, 6);
	readings_hold_cpu(&readings, &mark, 17, 9999); /* the same pid, another process */
	assert_cpu(&readings, 5, 6);
	readings = (struct readings){ 0 };
	readings_hold_cpu(&readings, &mark, 17, 9999);
	assert_false(readings_get(&readings, READING_CPU_USER_NS, &value)); /* not known stays not known */
	assert_int_equal(value, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_stat_behind_any_name),
		cmocka_unit_test(takes_negative_fields),
		cmocka_unit_test(refuses_a_stat_of_another_shape),
		cmocka_unit_test(reads_status_by_the_whole_name),
		cmocka_unit_test(reads_when_the_machine_was_booted),
		cmocka_unit_test(takes_names_of_processes_only),
		cmocka_unit_test(cpu_time_never_falls_while_the_main_process_lives),
	};

	return cmocka_run_group_tests_name("proc_parse", tests, NULL, NULL);
}
