/* What is read of cgroups and of /proc: from directories as real machines have them, with the files that are read. */
#include "base/clock.h"
#include "metrics/read_cgroup.h"
#include "metrics/read_proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct file {
	const char *path, *text;
};

static char root[64];

static int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/nest-readings-XXXXXX");
	return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info;
	(void)kind;
	(void)at;
	return remove(path);
}

static int remove_root(void **state)
{
	(void)state;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_files(const struct file *files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char path[256];
		FILE *file;

		for (const char *slash = strchr(files[i].path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
			snprintf(path, sizeof path, "%s/%.*s", root, (int)(slash - files[i].path), files[i].path);
			mkdir(path, 0755);
		}
		snprintf(path, sizeof path, "%s/%s", root, files[i].path);
		file = fopen(path, "w");
		assert_non_null(file);
		assert_true(fputs(files[i].text, file) >= 0);
		assert_int_equal(fclose(file), 0);
	}
}

static int open_root(const char *name, enum cgroup_root which)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", root, name);
	return cgroup_directory_open(path, which);
}

struct figure {
	enum reading reading;
	uint64_t value;
};

/* These figures and no other. */
static void assert_readings(const struct readings *readings, const struct figure *expected, size_t count)
{
	uint32_t known = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t value = 0;

		known |= UINT32_C(1) << expected[i].reading;
		assert_true(readings_get(readings, expected[i].reading, &value));
		assert_int_equal(value, expected[i].value);
	}
	assert_int_equal(readings->known, known);
}

/* ---- cgroups ---- */

/* A container of Docker's with --memory 256m --pids-limit 100 --cpus 0.5; Linux 6.18, version 1. */
static const struct file version_1[] = {
	{ "memory/memory.usage_in_bytes", "48234496\n" },
	{ "memory/memory.limit_in_bytes", "268435456\n" },
	{ "memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n" },
	{ "memory/memory.stat",
		"cache 131072\nrss 1056768\nrss_huge 0\nshmem 0\nmapped_file 0\nswap 0\npgpgin 13228\n"
		"hierarchical_memory_limit 134217728\nhierarchical_memsw_limit 9223372036854771712\ntotal_cache "
		"131072\n" },
	{ "pids/pids.current", "12\n" },
	{ "pids/pids.max", "100\n" },
	{ "cpu/cpu.stat", "nr_periods 90\nnr_throttled 7\nthrottled_time 1234567890\nnr_bursts 0\nburst_time 0\n" },
	{ "cpuacct/cpuacct.usage", "98765432101\n" },
};

static void version_1_is_read(void **state)
{
	static const struct figure expected[] = {
		{ READING_CGROUP_MEMORY_BYTES, 48234496 },
		{ READING_CGROUP_MEMORY_LIMIT_BYTES, 134217728 }, /* the cgroup's parent has less than itself */
		{ READING_CGROUP_OOM_KILLS, 3 },
		{ READING_CGROUP_PIDS, 12 },
		{ READING_CGROUP_PIDS_LIMIT, 100 },
		{ READING_CGROUP_CPU_NS, UINT64_C(98765432101) },
		{ READING_CGROUP_THROTTLED_NS, 1234567890 },
	};
	struct readings readings = { 0 };
	struct cgroup_roots roots;

	(void)state;
	write_files(version_1, COUNT(version_1));
	roots = (struct cgroup_roots){ { -1, open_root("memory", CGROUP_V1_MEMORY), open_root("pids", CGROUP_V1_PIDS),
		open_root("cpu", CGROUP_V1_CPU), open_root("cpuacct", CGROUP_V1_CPUACCT) } };
	read_cgroup(&roots, &readings);
	cgroup_roots_close(&roots);
	assert_readings(&readings, expected, COUNT(expected));
}

/* The same with version 2. */
static const struct file version_2[] = {
	{ "v2/cgroup.events", "populated 1\nfrozen 0\n" },
	{ "v2/memory.current", "48234496\n" },
	{ "v2/memory.max", "268435456\n" },
	{ "v2/memory.events", "low 0\nhigh 0\nmax 41\noom 4\noom_kill 3\noom_group_kill 0\n" },
	{ "v2/pids.current", "12\n" },
	{ "v2/pids.max", "100\n" },
	{ "v2/cpu.stat",
		"usage_usec 98765432\nuser_usec 70000000\nsystem_usec 28765432\nnice_usec 0\n"
		"core_sched.force_idle_usec 0\nnr_periods 90\nnr_throttled 7\nthrottled_usec 1234567\n"
		"nr_bursts 0\nburst_usec 0\n" },
	{ "v2/cpu.pressure",
		"some avg10=97.74 avg60=96.18 avg300=93.81 total=9620575505\n"
		"full avg10=0.00 avg60=0.00 avg300=0.00 total=11\n" },
	{ "v2/memory.pressure",
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=22\n"
		"full avg10=0.00 avg60=0.00 avg300=0.00 total=33\n" },
	{ "v2/io.pressure",
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=44\n"
		"full avg10=0.00 avg60=0.00 avg300=0.00 total=55\n" },
};

static void version_2_is_read(void **state)
{
	static const struct figure expected[] = {
		{ READING_CGROUP_MEMORY_BYTES, 48234496 },
		{ READING_CGROUP_MEMORY_LIMIT_BYTES, 268435456 },
		{ READING_CGROUP_OOM_KILLS, 3 },
		{ READING_CGROUP_PIDS, 12 },
		{ READING_CGROUP_PIDS_LIMIT, 100 },
		{ READING_CGROUP_CPU_NS, UINT64_C(98765432000) },
		{ READING_CGROUP_THROTTLED_NS, 1234567000 },
		{ READING_CGROUP_CPU_WAITING_NS, UINT64_C(9620575505000) },
		{ READING_CGROUP_CPU_STALLED_NS, 11000 },
		{ READING_CGROUP_MEMORY_WAITING_NS, 22000 },
		{ READING_CGROUP_MEMORY_STALLED_NS, 33000 },
		{ READING_CGROUP_IO_WAITING_NS, 44000 },
		{ READING_CGROUP_IO_STALLED_NS, 55000 },
	};
	struct readings readings = { 0 };
	struct cgroup_roots roots;

	(void)state;
	write_files(version_2, COUNT(version_2));
	roots = (struct cgroup_roots){ { open_root("v2", CGROUP_V2), -1, -1, -1, -1 } };
	read_cgroup(&roots, &readings);
	cgroup_roots_close(&roots);
	assert_readings(&readings, expected, COUNT(expected));
}

/* No limit, no controller but what each cgroup has, no pressure (CONFIG_PSI off: EOPNOTSUPP), nothing of the shape. */
static void what_cannot_be_read_is_left_out(void **state)
{
	static const struct file files[] = {
		{ "v2/cgroup.events", "populated 1\nfrozen 0\n" },
		{ "v2/cpu.stat", "usage_usec 98765432\nuser_usec 70000000\nsystem_usec 28765432\n" },
		{ "v2/memory.max", "max\n" },
		{ "v2/memory.current", "" },
		{ "v2/memory.events", "low 0\n" },
		{ "v2/pids.max", "max\n" },
		{ "v2/pids.current", "twelve\n" },
		{ "v2/io.pressure", "" },
	};
	static const struct figure expected[] = { { READING_CGROUP_CPU_NS, UINT64_C(98765432000) } };
	struct readings readings = { 0 };
	struct cgroup_roots roots;

	(void)state;
	write_files(files, COUNT(files));
	roots = (struct cgroup_roots){ { open_root("v2", CGROUP_V2), -1, -1, -1, -1 } };
	read_cgroup(&roots, &readings);
	cgroup_roots_close(&roots);
	assert_readings(&readings, expected, COUNT(expected));
}

/* Who is in the root of a hierarchy has no cgroup of its own there: its figures are the machine's. */
static void the_machines_figures_are_no_containers(void **state)
{
	static const struct file files[] = {
		{ "v2/cpu.stat", "usage_usec 24782643014\n" },
		{ "cpuacct/cpuacct.usage", "98765432101\n" },
		{ "cpuacct/release_agent", "\n" },
	};

	(void)state;
	write_files(files, COUNT(files));
	assert_int_equal(open_root("v2", CGROUP_V2), -ENODATA);
	assert_int_equal(open_root("cpuacct", CGROUP_V1_CPUACCT), -ENODATA);
	assert_int_equal(open_root("nowhere", CGROUP_V2), -ENOENT);
}

/* ---- /proc ---- */

/* PID 1, the monitor, node with a worker in its session and a browser in its own, a zombie, who came by docker exec. */
static const struct file proc[] = {
	{ "1/stat",
		"1 (nest-init) S 0 1 1 0 -1 4194560 1 0 0 0 900 900 0 0 20 0 1 0 10 900000 90 18446744073709551615\n" },
	{ "6/stat",
		"6 (nest-init) S 1 6 1 0 -1 4194560 1 0 0 0 90 90 0 0 20 0 1 0 11 900000 90 18446744073709551615\n" },
	{ "7/stat",
		"7 (node) S 1 7 7 0 -1 4194560 1 0 0 0 250 60 11 7 20 0 11 0 4242 900000 12800 "
		"18446744073709551615\n" },
	{ "8/stat",
		"8 (a b) c) R 7 7 7 0 -1 4194560 1 0 0 0 30 5 0 0 20 0 2 0 4300 900000 200 18446744073709551615\n" },
	{ "9/stat",
		"9 (chrome) S 8 9 9 0 -1 4194560 1 0 0 0 40 8 0 0 20 0 20 0 4400 900000 50000 18446744073709551615\n" },
	{ "10/stat", "10 (sh) Z 7 7 7 0 -1 4227084 0 0 0 0 1 1 0 0 20 0 1 0 4500 0 0 18446744073709551615\n" },
	{ "30/stat",
		"30 (sh) S 0 30 30 0 -1 4194560 1 0 0 0 70 70 0 0 20 0 1 0 5000 900000 90 18446744073709551615\n" },
	{ "uptime", "1 1\n" }, { "31/stat", "" }, /* it ended while it was looked at */
};

static void a_service_is_its_whole_tree(void **state)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const struct figure expected[] = {
		{ READING_CPU_USER_NS, (250 + 11 + 30 + 40 + 1) * 10 * NS_PER_MS },
		{ READING_CPU_SYSTEM_NS, (60 + 7 + 5 + 8 + 1) * 10 * NS_PER_MS },
		{ READING_RESIDENT_BYTES, (12800 + 200 + 50000) * page },
		{ READING_THREADS, 11 + 2 + 20 + 1 },
		{ READING_PROCESSES, 4 },
	}; /* no descriptors: there is no /proc/self here that would say that the kernel counts them */
	struct cpu_mark mark = { 0 };
	struct readings readings = { 0 };
	int fd;

	(void)state;
	write_files(proc, COUNT(proc));
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(read_service(fd, 7, &mark, &readings), 0);
	assert_readings(&readings, expected, COUNT(expected));
	assert_int_equal(mark.started, 4242);
	memset(&readings, 0, sizeof readings);
	assert_int_equal(read_service(fd, 99, &mark, &readings), -ESRCH);
	assert_readings(&readings, NULL, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(version_1_is_read, make_root, remove_root),
		cmocka_unit_test_setup_teardown(version_2_is_read, make_root, remove_root),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_left_out, make_root, remove_root),
		cmocka_unit_test_setup_teardown(the_machines_figures_are_no_containers, make_root, remove_root),
		cmocka_unit_test_setup_teardown(a_service_is_its_whole_tree, make_root, remove_root),
	};

	return cmocka_run_group_tests_name("readings", tests, NULL, NULL);
}
