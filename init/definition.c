#include "init/definition.h"

#include <string.h>

#define ALIGNMENT 16

void *arena_take(struct arena *arena, size_t size)
{
	void *taken = arena->next;

	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (size > (size_t)(arena->end - arena->next)) {
		arena->full = true;
		return NULL;
	}
	arena->next += size;
	return taken;
}

static void *copy_bytes(const void *bytes, size_t size, struct arena *arena)
{
	void *copy = arena_take(arena, size);

	return copy == NULL ? NULL : memcpy(copy, bytes, size);
}

static char *copy_text(const char *text, struct arena *arena)
{
	return text == NULL ? NULL : copy_bytes(text, strlen(text) + 1, arena);
}

static char **copy_words(char **words, struct arena *arena)
{
	size_t count = 0;
	char **copy;

	if (words == NULL)
		return NULL;
	while (words[count] != NULL)
		count++;
	copy = arena_take(arena, (count + 1) * sizeof *copy);
	for (size_t i = 0; copy != NULL && i < count; i++)
		copy[i] = copy_text(words[i], arena);
	return copy;
}

static void copy_paths(struct path_list *list, struct arena *arena)
{
	for (size_t i = 0; i < list->count; i++)
		list->path[i] = copy_text(list->path[i], arena);
}

static struct confinement *copy_confinement(const struct confinement *asked, struct arena *arena)
{
	struct confinement *copy = copy_bytes(asked, sizeof *asked, arena);

	if (copy == NULL)
		return NULL;
	copy->user = copy_text(asked->user, arena);
	copy->seccomp = copy_text(asked->seccomp, arena);
	copy->foreign_level = copy_text(asked->foreign_level, arena);
	copy->workdir = copy_text(asked->workdir, arena);
	copy->environment = copy_words(asked->environment, arena);
	for (size_t i = 0; i < copy->groups.count; i++)
		copy->groups.group[i] = copy_text(asked->groups.group[i], arena);
	copy_paths(&copy->exec_allow, arena);
	copy_paths(&copy->writable, arena);
	for (size_t i = 0; i < copy->tmpfs.count; i++)
		copy->tmpfs.mount[i].options = copy_text(asked->tmpfs.mount[i].options, arena);
	return copy;
}

static struct confine_plan *copy_plan(const struct confine_plan *plan, struct arena *arena)
{
	struct confine_plan *copy = copy_bytes(plan, sizeof *plan, arena);

	if (copy == NULL)
		return NULL;
	copy->asked = copy_confinement(plan->asked, arena);
	copy->command = copy_text(plan->command, arena);
	if (plan->filter.insn != NULL)
		copy->filter.insn = copy_bytes(
			plan->filter.insn, plan->filter.length * sizeof *plan->filter.insn, arena);
	return copy;
}

static const struct check *copy_checks(const struct exec_checks *checks, struct arena *arena)
{
	struct check *copy = checks->count > 0 ? arena_take(arena, checks->count * sizeof *copy) : NULL;

	for (size_t i = 0; copy != NULL && i < checks->count; i++)
		copy[i] = (struct check){ .kind = checks->check[i].kind,
			.command = copy_words(checks->check[i].command, arena),
			.timing = checks->check[i].timing };
	return copy;
}

struct unit *definition_copy(const struct unit *unit, struct arena *arena)
{
	struct unit *copy = arena_take(arena, sizeof *copy);
	struct personality *personality = copy_bytes(unit->personality, sizeof *personality, arena);
	const struct confine_plan *plan = copy_plan(unit->spawn.plan, arena);

	if (arena->full)
		return NULL;
	definition_take(unit, copy);
	copy->machine.state = SUPERVISE_IDLE;
	copy->spawn.plan = copy->pre_stop.plan = copy->checks.request.plan = plan;
	copy->spawn.personality = copy->pre_stop.personality = copy->checks.request.personality = personality;
	copy->spawn.argv = personality->command = copy_words(unit->spawn.argv, arena);
	copy->pre_stop.argv = copy_words(unit->pre_stop.argv, arena);
	copy->checks.request.argv = NULL;
	copy->checks.check = copy_checks(&unit->checks, arena);
	copy->personality = personality;
	copy->called = copy_text(unit->called, arena);
	copy->prefix = copy_text(unit->prefix, arena);
	return arena->full ? NULL : copy;
}

void definition_take(const struct unit *definition, struct unit *unit)
{
	unit->machine.policy = definition->machine.policy;
	unit->spawn = definition->spawn;
	unit->pre_stop = definition->pre_stop;
	unit->checks = definition->checks;
	unit->personality = definition->personality;
	unit->called = definition->called;
	unit->prefix = definition->prefix;
	unit->ready_follows_health = definition->ready_follows_health;
	unit->on_unhealthy = definition->on_unhealthy;
	unit->unhealthy_signal = definition->unhealthy_signal;
}
