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

char *arena_text(struct arena *arena, const char *text)
{
	return text == NULL ? NULL : copy_bytes(text, strlen(text) + 1, arena);
}

char **arena_words(struct arena *arena, char **words)
{
	size_t count = 0;
	char **copy;

	if (words == NULL)
		return NULL;
	while (words[count] != NULL)
		count++;
	copy = arena_take(arena, (count + 1) * sizeof *copy);
	for (size_t i = 0; copy != NULL && i < count; i++)
		copy[i] = arena_text(arena, words[i]);
	return copy;
}

static void copy_paths(struct path_list *list, struct arena *arena)
{
	for (size_t i = 0; i < list->count; i++)
		list->path[i] = arena_text(arena, list->path[i]);
}

static struct confinement *copy_confinement(const struct confinement *asked, struct arena *arena)
{
	struct confinement *copy = copy_bytes(asked, sizeof *asked, arena);

	if (copy == NULL)
		return NULL;
	copy->user = arena_text(arena, asked->user);
	copy->seccomp = arena_text(arena, asked->seccomp);
	copy->foreign_level = arena_text(arena, asked->foreign_level);
	copy->workdir = arena_text(arena, asked->workdir);
	copy->file_env = arena_text(arena, asked->file_env);
	copy->environment = arena_words(arena, asked->environment);
	for (size_t i = 0; i < copy->groups.count; i++)
		copy->groups.group[i] = arena_text(arena, asked->groups.group[i]);
	copy_paths(&copy->exec_allow, arena);
	copy_paths(&copy->writable, arena);
	for (size_t i = 0; i < copy->tmpfs.count; i++) {
		copy->tmpfs.mount[i].path = arena_text(arena, asked->tmpfs.mount[i].path);
		copy->tmpfs.mount[i].options = arena_text(arena, asked->tmpfs.mount[i].options);
	}
	return copy;
}

static struct confine_plan *copy_plan(const struct confine_plan *plan, struct arena *arena)
{
	struct confine_plan *copy = copy_bytes(plan, sizeof *plan, arena);

	if (copy == NULL)
		return NULL;
	copy->asked = copy_confinement(plan->asked, arena);
	copy->command = arena_text(arena, plan->command);
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
			.command = arena_words(arena, checks->check[i].command),
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
	copy->logs.executable = -1;
	definition_take(unit, copy);
	copy->logs.argv = arena_words(arena, unit->logs.argv);
	copy->logs.user = unit->logs.user;
	copy->logs.group = unit->logs.group;
	copy->machine.state = SUPERVISE_IDLE;
	copy->spawn.plan = copy->pre_stop.plan = copy->checks.request.plan = copy->secrets.plan = plan;
	copy->spawn.personality = copy->pre_stop.personality = copy->checks.request.personality = personality;
	copy->spawn.argv = personality->command = arena_words(arena, unit->spawn.argv);
	copy->pre_stop.argv = arena_words(arena, unit->pre_stop.argv);
	copy->checks.request.argv = NULL;
	copy->checks.check = copy_checks(&unit->checks, arena);
	copy->personality = personality;
	copy->called = arena_text(arena, unit->called);
	copy->prefix = arena_text(arena, unit->prefix);
	return arena->full ? NULL : copy;
}

static void place_own(const struct unit *unit, struct spawn_request *request)
{
	request->secrets = unit->secrets.list != NULL ? &unit->secrets : NULL;
	for (size_t i = 0; i < LOG_STREAMS && log_link_is_there(&unit->logs); i++)
		request->streams[i] = unit->logs.stream[i].writer;
}

void definition_place_own(struct unit *unit)
{
	place_own(unit, &unit->spawn);
	place_own(unit, &unit->pre_stop);
	place_own(unit, &unit->checks.request);
}

void definition_take(const struct unit *definition, struct unit *unit)
{
	unit->machine.policy = definition->machine.policy;
	unit->spawn = definition->spawn;
	unit->secrets = definition->secrets;
	unit->pre_stop = definition->pre_stop;
	unit->checks = definition->checks;
	unit->personality = definition->personality;
	unit->called = definition->called;
	unit->prefix = definition->prefix;
	definition_place_own(unit);
	unit->may_rotate = definition->may_rotate;
	unit->run_ns = definition->run_ns;
	unit->scheduled = definition->scheduled;
	unit->cron = definition->cron;
	unit->ready_follows_health = definition->ready_follows_health;
	unit->on_unhealthy = definition->on_unhealthy;
	unit->unhealthy_signal = definition->unhealthy_signal;
}
