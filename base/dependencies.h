/* Who depends on whom, among the services and tasks of a model. Pure. */
#pragma once

#include "base/model.h"

struct dependency_edge {
	uint16_t unit, on; /* indices of services: the first depends on the second */
	uint8_t condition; /* enum dependency_condition */
};

/* All of them, allocated; the caller's. A task that comes after others holds what those depend on until it is done.
 * Returns 0 or -ENOMEM. */
int dependencies_list(const struct model *model, struct dependency_edge **ret_edges, size_t *ret_count);

/* Finds services that depend on each other in a circle. Returns how many they are, 0 if there are none; *ret_circle
 * (room for as many as there are services) has them, each of which depends on the next, and the last on the first. */
size_t dependencies_find_circle(
	const struct dependency_edge *edge, size_t edge_count, size_t service_count, uint16_t *ret_circle);
