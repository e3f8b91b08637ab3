#include "base/which_service.h"

#include "base/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAMES_SIZE 256 /* what there is room for in a sentence */

/* "web, worker, migrate", as many as have room. */
static void write_names(const struct model *model, char ret_names[static NAMES_SIZE])
{
	size_t length = 0;

	for (size_t i = 0; i < model_service_count(model); i++) {
		const char *name = service_name(model_service(model, i));

		if (length + strlen(", ") + strlen(name) + sizeof ", ..." > NAMES_SIZE) {
			memcpy(ret_names + length, ", ...", sizeof ", ...");
			return;
		}
		length += (size_t)sprintf(ret_names + length, "%s%s", i > 0 ? ", " : "", name);
	}
}

static int find(const struct model *model, const char *name, size_t *ret_index, struct complaint *ret_why)
{
	const char *nearest = NULL;
	size_t distance = NEAREST_DISTANCE + 1;
	char names[NAMES_SIZE];

	for (size_t i = 0; i < model_service_count(model); i++) {
		const char *there = service_name(model_service(model, i));

		*ret_index = i;
		if (strcmp(there, name) == 0)
			return 0;
		if (nearest_is_nearer(name, there, &distance))
			nearest = there;
	}
	if (nearest != NULL)
		return complain(ret_why, ENOENT, "no service is called '%.100s': did you mean '%s'?", name, nearest);
	write_names(model, names);
	return complain(ret_why, ENOENT, "no service is called '%.100s' (there is %s)", name, names);
}

int which_service(const struct model *model, const char *name, size_t *ret_index, struct complaint *ret_why)
{
	const size_t count = model_service_count(model);
	size_t lasting = 0;
	char names[NAMES_SIZE];

	if (name != NULL)
		return find(model, name, ret_index, ret_why);
	for (size_t i = count; i-- > 0;)
		if (model_service(model, i)->kind == SERVICE_LASTING) {
			*ret_index = i;
			lasting++;
		}
	if (lasting == 1)
		return 0;
	*ret_index = 0;
	if (count == 1)
		return 0;
	write_names(model, names);
	return complain(ret_why, EINVAL,
		"there are several services, so say whose confinement it is to be: --service NAME (%s)", names);
}
