#include "metrics/process_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct process process(pid_t pid, pid_t parent, pid_t group, pid_t session)
{
	return (struct process){ .stat = { .pid = pid, .parent = parent, .process_group = group, .session = session } };
}

/* The pids of the service, "7 9 ". */
static void assert_service(struct process *list, size_t count, pid_t main, const char *expected)
{
	struct proc_stat stat = { .pid = 0 };
	char found[256] = "";

	for (size_t i = 0; i < count; i++)
		if (list[i].stat.pid == main)
			stat = list[i].stat;
	process_tree_mark(list, count, &stat);
	for (size_t i = 0; i < count; i++)
		if (list[i].whose == PROCESS_SERVICE)
			snprintf(found + strlen(found), sizeof found - strlen(found), "%d ", list[i].stat.pid);
	assert_string_equal(found, expected);
}

static void it_is_a_session_and_who_descends_from_it(void **state)
{
	struct process list[] = {
		process(1, 0, 1, 1),
		process(6, 1, 6, 1),     /* the monitor */
		process(7, 1, 7, 7),     /* the main process */
		process(8, 7, 8, 7),     /* a group of its own, as a shell's job has */
		process(9, 1, 8, 7),     /* an orphan that is still in the session */
		process(10, 8, 10, 10),  /* setsid(2): a browser under test */
		process(11, 10, 10, 10), /* and its child */
		process(12, 1, 12, 12),  /* an orphan that has left the session: nobody's */
		process(13, 12, 12, 12),
		process(20, 0, 20, 20), /* docker exec */
		process(21, 20, 21, 20),
	};

	(void)state;
	assert_service(list, COUNT(list), 7, "7 8 9 10 11 ");
}

static void it_is_a_group_or_itself_where_it_leads_no_session(void **state)
{
	struct process group[] = { process(1, 0, 1, 1), process(7, 1, 7, 1), process(8, 7, 7, 1), process(9, 8, 9, 9),
		process(10, 1, 1, 1) };
	struct process alone[] = { process(1, 0, 1, 1), process(7, 1, 1, 1), process(8, 7, 1, 1), process(9, 1, 1, 1) };

	(void)state;
	assert_service(group, COUNT(group), 7, "7 8 9 ");
	assert_service(alone, COUNT(alone), 7, "7 8 ");
}

static void it_is_found_in_any_order(void **state)
{
	struct process list[] = { process(40, 41, 40, 40), process(3, 40, 3, 3), process(41, 50, 41, 41),
		process(50, 1, 50, 50), process(1, 0, 1, 1), process(2, 77, 2, 2) };

	(void)state;
	assert_service(list, COUNT(list), 50, "3 40 41 50 ");
}

static void a_circle_ends(void **state)
{
	struct process list[] = { process(7, 1, 7, 7), process(8, 9, 8, 8), process(9, 8, 9, 9),
		process(10, 10, 10, 10) };

	(void)state;
	assert_service(list, COUNT(list), 7, "7 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_session_and_who_descends_from_it),
		cmocka_unit_test(it_is_a_group_or_itself_where_it_leads_no_session),
		cmocka_unit_test(it_is_found_in_any_order),
		cmocka_unit_test(a_circle_ends),
	};

	return cmocka_run_group_tests_name("process_tree", tests, NULL, NULL);
}
