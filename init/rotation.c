#include "init/rotation.h"

bool rotation_observe(struct rotation_secret *secret, uint64_t baseline, uint64_t hash, int64_t wall_ns)
{
	const uint64_t before = secret->current != 0 ? secret->current : baseline;

	secret->current = hash;
	if (before == 0 || before == hash)
		return false;
	secret->count++;
	secret->last_ns = wall_ns;
	return true;
}

void rotation_renew(struct rotation *rotation)
{
	rotation->current = 0;
}

static bool is_wanted(const struct rotation_service *service)
{
	return service->needs || service->follows;
}

/* Those who only wait for its end have nothing of it. */
static void pass_on(struct rotation *rotation, size_t number)
{
	for (size_t i = 0; i < rotation->edge_count; i++) {
		const struct dependency_edge *edge = &rotation->edge[i];

		if (edge->on == number && (edge->condition == DEPENDS_STARTED || edge->condition == DEPENDS_READY))
			rotation->service[edge->unit].follows = true;
	}
}

/* Returns false while it is not up. */
static bool is_done(struct rotation *rotation)
{
	struct rotation_service *service = &rotation->service[rotation->current - 1];

	if (!service->runs || service->life == rotation->ordered_life)
		return false;
	if (service->needs) /* it has come up with what is old again, or cannot be ready with what it has */
		return true;
	if (!service->ready)
		return false;
	if (service->passes_on)
		pass_on(rotation, rotation->current - 1);
	return true;
}

/* Somebody that it depends on comes first. */
static bool has_to_wait(const struct rotation *rotation, size_t number)
{
	for (size_t i = 0; i < rotation->edge_count; i++) {
		const struct dependency_edge *edge = &rotation->edge[i];

		if (edge->unit == number && rotation->service[edge->on].runs && is_wanted(&rotation->service[edge->on]))
			return true;
	}
	return false;
}

bool rotation_next(struct rotation *rotation, size_t *ret_service)
{
	if (rotation->current > 0 && !is_done(rotation))
		return false;
	rotation->current = 0;
	for (size_t i = 0; i < rotation->service_count; i++) {
		struct rotation_service *service = &rotation->service[i];

		if (!service->runs || !is_wanted(service) || has_to_wait(rotation, i))
			continue;
		/* Who comes because of another one brings his own. */
		service->passes_on = service->follows || service->rolls;
		service->follows = false;
		rotation->current = i + 1;
		rotation->ordered_life = service->life;
		*ret_service = i;
		return true;
	}
	return false;
}
