#include "base/dependencies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct list {
	struct dependency_edge *edge;
	size_t count, room;
};

static int add(struct list *list, size_t unit, size_t on, enum dependency_condition condition)
{
	struct dependency_edge *larger = list->edge;

	if (list->count == list->room) {
		list->room = 2 * list->room + 16;
		larger = realloc(list->edge, list->room * sizeof *larger);
	}
	if (larger == NULL)
		return -ENOMEM;
	list->edge = larger;
	list->edge[list->count++] = (struct dependency_edge){ (uint16_t)unit, (uint16_t)on, (uint8_t)condition };
	return 0;
}

static int add_all_of(struct list *list, const struct model *model, size_t unit)
{
	const struct service *service = model_service(model, unit);
	int error = 0;

	for (size_t i = 0; error == 0 && i < service->depends_on_count; i++) {
		const struct dependency *dependency = &service->depends_on[i];
		const struct service *other = model_service(model, dependency->on);

		error = add(list, unit, dependency->on, dependency->condition);
		if (dependency->condition != DEPENDS_STOPPED)
			continue;
		for (size_t k = 0; error == 0 && k < other->depends_on_count; k++)
			if (other->depends_on[k].condition != DEPENDS_STOPPED)
				error = add(list, unit, other->depends_on[k].on, DEPENDS_STARTED);
	}
	return error;
}

int dependencies_list(const struct model *model, struct dependency_edge **ret_edges, size_t *ret_count)
{
	struct list list = { .edge = NULL };
	int error = 0;

	for (size_t i = 0; error == 0 && i < model_service_count(model); i++)
		error = add_all_of(&list, model, i);
	if (error < 0) {
		free(list.edge);
		return error;
	}
	*ret_edges = list.edge;
	*ret_count = list.count;
	return 0;
}

/* ---- circles ---- */

enum mark { UNSEEN, ON_PATH, LEFT };

/* Where the path goes on from its last unit: the next edge that leads to somebody who was not left yet. */
static const struct dependency_edge *find_way(
	const struct dependency_edge *edge, size_t edge_count, uint16_t from, const uint8_t *mark)
{
	for (size_t i = 0; i < edge_count; i++)
		if (edge[i].unit == from && mark[edge[i].on] != LEFT)
			return &edge[i];
	return NULL;
}

size_t dependencies_find_circle(
	const struct dependency_edge *edge, size_t edge_count, size_t service_count, uint16_t *ret_circle)
{
	uint8_t mark[MODEL_SERVICES_MAX] = { UNSEEN };
	uint16_t *path = ret_circle;

	for (size_t root = 0; root < service_count; root++) {
		size_t depth = 0;

		if (mark[root] != UNSEEN)
			continue;
		path[depth++] = (uint16_t)root;
		mark[root] = ON_PATH;
		while (depth > 0) {
			const struct dependency_edge *way = find_way(edge, edge_count, path[depth - 1], mark);
			size_t first = 0;

			if (way == NULL) {
				mark[path[--depth]] = LEFT;
				continue;
			}
			if (mark[way->on] == UNSEEN) {
				mark[way->on] = ON_PATH;
				path[depth++] = way->on;
				continue;
			}
			while (path[first] != way->on)
				first++;
			memmove(ret_circle, path + first, (depth - first) * sizeof *path);
			return depth - first;
		}
	}
	return 0;
}
