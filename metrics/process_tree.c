#include "metrics/process_tree.h"

#include <stdlib.h>

static bool is_member(const struct proc_stat *stat, const struct proc_stat *main)
{
	if (main->session == main->pid)
		return stat->session == main->pid;
	if (main->process_group == main->pid)
		return stat->process_group == main->pid;
	return stat->pid == main->pid;
}

static int by_pid(const void *a, const void *b)
{
	const pid_t first = ((const struct process *)a)->stat.pid, second = ((const struct process *)b)->stat.pid;

	return (first > second) - (first < second);
}

static struct process *parent_of(struct process *list, size_t count, const struct process *child)
{
	const struct process wanted = { .stat = { .pid = child->stat.parent } };

	return bsearch(&wanted, list, count, sizeof *list, by_pid);
}

/* Each is passed on the way up once, and then known: a chain as long as the list costs no more than the list. The list
 * was not read in one moment, so that a pid may have come back below itself: nobody is looked at twice. */
static void mark_one(struct process *list, size_t count, struct process *from)
{
	struct process *at = from;
	int whose;

	while (at != NULL && at->whose == PROCESS_UNKNOWN) {
		at->whose = PROCESS_OTHER;
		at = parent_of(list, count, at);
	}
	whose = at != NULL ? at->whose : PROCESS_OTHER;
	for (; whose == PROCESS_SERVICE && from != at; from = parent_of(list, count, from))
		from->whose = PROCESS_SERVICE;
}

void process_tree_mark(struct process *list, size_t count, const struct proc_stat *main)
{
	qsort(list, count, sizeof *list, by_pid);
	for (size_t i = 0; i < count; i++)
		if (is_member(&list[i].stat, main))
			list[i].whose = PROCESS_SERVICE;
	for (size_t i = 0; i < count; i++)
		mark_one(list, count, &list[i]);
}
