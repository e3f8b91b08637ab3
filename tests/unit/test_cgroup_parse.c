#include "base/cgroup_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void reads_numbers_and_limits(void **state)
{
	static const struct {
		const char *text;
		int number, limit; /* what the two answer */
		uint64_t value;
	} rows[] = {
		{ "0\n", 0, 0, 0 },
		{ "104857600\n", 0, 0, 104857600 },
		{ "18446744073709551615\n", 0, -ENODATA, UINT64_MAX },
		{ "9223372036854771712\n", 0, -ENODATA, UINT64_C(9223372036854771712) }, /* version 1, pages of 4 KiB */
		{ "9223372036854710272\n", 0, -ENODATA, UINT64_C(9223372036854710272) }, /* of 64 KiB */
		{ "max\n", -EBADMSG, -ENODATA, 0 },
		{ "max", -EBADMSG, -ENODATA, 0 },
		{ "maximum\n", -EBADMSG, -EBADMSG, 0 },
		{ "18446744073709551616\n", -EBADMSG, -EBADMSG, 0 },
		{ "-1\n", -EBADMSG, -EBADMSG, 0 },
		{ "12 \n", -EBADMSG, -EBADMSG, 0 },
		{ "0x10\n", -EBADMSG, -EBADMSG, 0 },
		{ "\n", -EBADMSG, -EBADMSG, 0 },
		{ "", -EBADMSG, -EBADMSG, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = 77;

		assert_int_equal(cgroup_parse_number(rows[i].text, &value), rows[i].number);
		assert_int_equal(value, rows[i].number == 0 ? rows[i].value : 77);
		value = 77;
		assert_int_equal(cgroup_parse_limit(rows[i].text, &value), rows[i].limit);
		assert_int_equal(value, rows[i].limit == 0 ? rows[i].value : 77);
	}
}

static void finds_a_field_by_its_whole_name(void **state)
{
	static const char events[] = "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\n";
	static const char bad[] = "oom_kill many\n";
	uint64_t value = 77;

	(void)state;
	assert_int_equal(cgroup_parse_field(events, "oom_kill", &value), 0);
	assert_int_equal(value, 4);
	assert_int_equal(cgroup_parse_field(events, "oom", &value), 0);
	assert_int_equal(value, 3);
	value = 77;
	assert_int_equal(cgroup_parse_field(events, "oom_", &value), -ENODATA);
	assert_int_equal(cgroup_parse_field("", "oom", &value), -ENODATA);
	assert_int_equal(cgroup_parse_field(bad, "oom_kill", &value), -EBADMSG);
	assert_int_equal(value, 77);
}

static void reads_pressure_in_nanoseconds(void **state)
{
	int64_t some = 77, full = 77;

	(void)state;
	assert_int_equal(cgroup_parse_pressure("some avg10=0.12 avg60=0.00 avg300=0.00 total=1234567\n"
					       "full avg10=0.00 avg60=0.00 avg300=0.00 total=89\n",
				 &some, &full),
		0);
	assert_int_equal(some, INT64_C(1234567000));
	assert_int_equal(full, 89000);
	assert_int_equal(cgroup_parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n", &some, &full), 0);
	assert_int_equal(some, 5000);
	assert_int_equal(full, -1);
	some = full = 77;
	assert_int_equal(cgroup_parse_pressure("", &some, &full), -EBADMSG);
	assert_int_equal(cgroup_parse_pressure("some avg10=0.00\nfull total=1\n", &some, &full), -EBADMSG);
	assert_int_equal(cgroup_parse_pressure("some total=9223372036854775807\n", &some, &full), -EBADMSG);
	assert_int_equal(some, 77);
	assert_int_equal(full, 77);
}

/* What real machines say. */
static const char v2_container_cgroups[] = "0::/\n";
static const char v2_container_mounts[] =
	"1 0 0:50 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/x\n"
	"36 1 0:28 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n";
static const char v1_docker_cgroups[] = "12:memory:/docker/4f5e\n5:cpu,cpuacct:/docker/4f5e\n4:pids:/docker/4f5e\n"
					"1:name=systemd:/docker/4f5e\n0::/docker/4f5e\n";
static const char v1_docker_mounts[] =
	"30 29 0:27 /docker/4f5e /sys/fs/cgroup/memory ro,nosuid master:17 - cgroup cgroup rw,memory\n"
	"31 29 0:28 /docker/4f5e /sys/fs/cgroup/cpu,cpuacct ro shared:5 master:18 - cgroup cgroup rw,cpu,cpuacct\n"
	"32 29 0:29 /docker /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n"
	"33 29 0:30 /elsewhere /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw\n";
static const char host_cgroups[] = "4:memory:/process_api/b02a\n0::/user.slice/a b\\c\n";
static const char host_mounts[] = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
				  "41 31 0:38 / /sys/fs/cgroup\\040two rw,relatime - cgroup2 cgroup2 rw\n";

static void finds_the_directory_of_a_controller(void **state)
{
	static const struct {
		const char *cgroups, *mounts, *controller;
		int result;
		const char *path;
	} rows[] = {
		{ v2_container_cgroups, v2_container_mounts, "", 0, "/sys/fs/cgroup" },
		{ v2_container_cgroups, v2_container_mounts, "memory", -ENODATA, NULL },
		{ v1_docker_cgroups, v1_docker_mounts, "memory", 0, "/sys/fs/cgroup/memory" },
		{ v1_docker_cgroups, v1_docker_mounts, "cpuacct", 0, "/sys/fs/cgroup/cpu,cpuacct" },
		{ v1_docker_cgroups, v1_docker_mounts, "cpu", 0, "/sys/fs/cgroup/cpu,cpuacct" },
		{ v1_docker_cgroups, v1_docker_mounts, "pids", 0, "/sys/fs/cgroup/pids/4f5e" },
		{ v1_docker_cgroups, v1_docker_mounts, "pid", -ENODATA, NULL },
		{ v1_docker_cgroups, v1_docker_mounts, "", -ENODATA, NULL }, /* not below what is mounted */
		{ host_cgroups, host_mounts, "memory", 0, "/sys/fs/cgroup/memory/process_api/b02a" },
		{ host_cgroups, host_mounts, "", 0, "/sys/fs/cgroup two/user.slice/a b\\c" },
		/* A root that is only the beginning of a name is not a root of it. */
		{ "0::/docker/4f5e66\n", "1 2 0:1 /docker/4f5e /c rw - cgroup2 c rw\n", "", -ENODATA, NULL },
		/* Outside of the cgroup namespace's root (cgroup_namespaces(7)). */
		{ "0::/../other\n", "1 2 0:1 / /c rw - cgroup2 c rw\n", "", -ENODATA, NULL },
		{ "0::/..\n", "1 2 0:1 / /c rw - cgroup2 c rw\n", "", -ENODATA, NULL },
		{ "0::/..other\n", "1 2 0:1 / /c rw - cgroup2 c rw\n", "", 0, "/c/..other" },
		/* Mounted twice: the later one is on top. */
		{ "0::/a\n", "1 2 0:1 / /c rw - cgroup2 c rw\n2 3 0:1 /a /d rw - cgroup2 c rw\n", "", 0, "/d" },
		{ "0::/a\n", "1 2 0:1 / /c rw - cgroup2 c rw\n2 3 0:1 /b /d rw - cgroup2 c rw\n", "", 0, "/c/a" },
		/* Not what they should be. */
		{ "", v2_container_mounts, "", -ENODATA, NULL },
		{ "0:\n0\n\n", v2_container_mounts, "", -ENODATA, NULL },
		{ v2_container_cgroups, "", "", -ENODATA, NULL },
		{ v2_container_cgroups, "36 1 0:28 /\n36 1 0:28 / /c rw - cgroup2\n - \n", "", -ENODATA, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char path[CGROUP_PATH_SIZE] = "untouched";

		assert_int_equal(
			cgroup_parse_place(rows[i].cgroups, rows[i].mounts, rows[i].controller, path), rows[i].result);
		assert_string_equal(path, rows[i].result == 0 ? rows[i].path : "untouched");
	}
}

static void refuses_a_path_that_is_too_long(void **state)
{
	static char cgroups[CGROUP_PATH_SIZE + 64], mounts[CGROUP_PATH_SIZE + 64], path[CGROUP_PATH_SIZE];
	char name[CGROUP_PATH_SIZE];

	(void)state;
	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	snprintf(cgroups, sizeof cgroups, "0::/%.4091s\n", name);
	assert_int_equal(cgroup_parse_place(cgroups, "1 2 0:1 / /cc rw - cgroup2 c rw\n", "", path), 0);
	assert_int_equal(strlen(path), CGROUP_PATH_SIZE - 1);
	assert_int_equal(cgroup_parse_place(cgroups, "1 2 0:1 / /ccc rw - cgroup2 c rw\n", "", path), -ENAMETOOLONG);
	snprintf(mounts, sizeof mounts, "1 2 0:1 / /%.4095s rw - cgroup2 c rw\n", name);
	assert_int_equal(cgroup_parse_place("0::/\n", mounts, "", path), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_numbers_and_limits),
		cmocka_unit_test(finds_a_field_by_its_whole_name),
		cmocka_unit_test(reads_pressure_in_nanoseconds),
		cmocka_unit_test(finds_the_directory_of_a_controller),
		cmocka_unit_test(refuses_a_path_that_is_too_long),
	};

	return cmocka_run_group_tests_name("cgroup_parse", tests, NULL, NULL);
}
