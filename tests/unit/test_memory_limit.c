/* The limit of cgroups within each other, from directories as machines have them. */
#include "base/memory_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LEVELS 3

static char root[64];

static int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/nest-memory-XXXXXX");
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

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[320];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	remove(path);
	if (text == NULL)
		return;
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* What the levels say in this file, the outermost first; NULL: it is not there. Returns the innermost one's path. */
static const char *levels(const char *name, const char *const says[LEVELS])
{
	static char path[256];

	snprintf(path, sizeof path, "%s", root);
	for (size_t i = 0; i < LEVELS; i++) {
		snprintf(path + strlen(path), sizeof path - strlen(path), "/%zu", i);
		mkdir(path, 0755);
		write_file(path, name, says[i]);
	}
	return path;
}

static void the_smallest_on_the_way_up_counts(void **state)
{
	static const struct {
		const char *says[LEVELS];
		uint64_t limit;
	} rows[] = {
		{ { "max\n", "max\n", "max\n" }, UINT64_MAX },
		{ { "max\n", "max\n", "1048576\n" }, 1048576 },
		{ { "max\n", "2097152\n", "max\n" }, 2097152 },
		{ { "3145728\n", "max\n", "max\n" }, 3145728 },
		{ { "3145728\n", "2097152\n", "4194304\n" }, 2097152 },
		{ { "1048576\n", "2097152\n", "3145728\n" }, 1048576 },
		{ { NULL, "2097152\n", NULL }, 2097152 }, /* the controller is on so far and no further */
		{ { "max\n", "rubbish\n", "4194304\n" }, 4194304 },
		{ { NULL, NULL, NULL }, UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(memory_limit_of(levels("memory.max", rows[i].says), true), rows[i].limit);
}

static void version_1_says_what_all_above_leave(void **state)
{
	static const char *const numbers[LEVELS] = { "9223372036854771712\n", "2097152\n", "4194304\n" };
	const char *path = levels("memory.limit_in_bytes", numbers);

	(void)state;
	assert_int_equal(memory_limit_of(path, false), 2097152);
	write_file(path, "memory.stat", "cache 0\nhierarchical_memory_limit 1048576\nhierarchical_memsw_limit 7\n");
	assert_int_equal(memory_limit_of(path, false), 1048576);
	write_file(path, "memory.stat", "cache 0\nhierarchical_memory_limit 9223372036854771712\n");
	assert_int_equal(memory_limit_of(path, false), 2097152);
	assert_int_equal(memory_limit_of(path, true), UINT64_MAX);
}

static void is_never_more_than_the_machine_has(void **state)
{
	struct config_memory memory = { .limit = 7 };

	(void)state;
	memory_limit_read(&memory);
	assert_true(memory.total > 0);
	assert_true(memory.limit <= memory.total);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_smallest_on_the_way_up_counts, make_root, remove_root),
		cmocka_unit_test_setup_teardown(version_1_says_what_all_above_leave, make_root, remove_root),
		cmocka_unit_test(is_never_more_than_the_machine_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
