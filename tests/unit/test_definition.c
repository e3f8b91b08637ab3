/* init/definition.h: a unit's definition is copied whole, and owes nothing to where it was. */
#include "init/definition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static char text[] = "text", words0[] = "a", words1[] = "bc";
static char *words[] = { words0, words1, NULL };
static struct sock_filter filter[] = { { 1, 2, 3, 4 }, { 5, 6, 7, 8 } };

struct scene {
	struct unit unit;
	struct confinement asked;
	struct confine_plan plan;
	struct personality personality;
	struct check check[2];
	struct secret_list list;
};

static void set_scene(struct scene *scene)
{
	memset(scene, 0, sizeof *scene);
	scene->asked = (struct confinement){ .user = text,
		.seccomp = text,
		.workdir = text,
		.environment = words,
		.groups = { 1, { text } },
		.exec_allow = { 1, { text } },
		.writable = { 2, { text, text } },
		.file_env = text,
		.foreign_level = text,
		.tmpfs = { 1, { { .path = text, .options = text } } },
		.no_new_privs = true };
	scene->plan = (struct confine_plan){ .asked = &scene->asked,
		.command = text,
		.requested = 5,
		.filter = { .insn = filter, .length = 2, .profile = "node" } };
	scene->check[1] = (struct check){ .command = words, .timing = { .timeout_ns = 7 } };
	scene->unit = (struct unit){ .personality = &scene->personality,
		.spawn = { .argv = words, .plan = &scene->plan, .personality = &scene->personality, .again = true },
		.pre_stop = { .argv = words, .beside = true },
		.checks = { .check = scene->check, .count = 2, .first = 3 },
		.secrets = { .list = &scene->list, .plan = &scene->plan, .service = 4 },
		.logs = { .argv = words, .user = 8, .executable = 17 },
		.may_rotate = true,
		.run_ns = 12,
		.scheduled = true,
		.cron = { .minutes = 1 },
		.called = text,
		.prefix = text,
		.on_unhealthy = UNHEALTHY_RESTART,
		.main_pid = 9 };
	scene->unit.machine.policy.drain_ns = 11;
	scene->unit.machine.state = SUPERVISE_RUNNING;
}

static void is_a_copy(const char *copy, const char *original)
{
	assert_string_equal(copy, original);
	assert_ptr_not_equal(copy, original);
}

static void are_copies(char *const *copy)
{
	is_a_copy(copy[0], "a");
	is_a_copy(copy[1], "bc");
	assert_null(copy[2]);
	assert_ptr_not_equal(copy, words);
}

static void all_that_is_told_is_copied_and_nothing_else(void **state)
{
	static char memory[65536];
	struct arena arena = { .next = memory, .end = memory + sizeof memory };
	struct scene scene;
	struct unit *copy;
	const struct confinement *asked;

	(void)state;
	set_scene(&scene);
	copy = definition_copy(&scene.unit, &arena);
	assert_non_null(copy);
	memset(&scene, 0x5a, sizeof scene); /* where it was is another's by now */
	asked = copy->spawn.plan->asked;
	is_a_copy(asked->user, text);
	is_a_copy(asked->seccomp, text);
	is_a_copy(asked->workdir, text);
	are_copies(asked->environment);
	is_a_copy(asked->groups.group[0], text);
	is_a_copy(asked->exec_allow.path[0], text);
	is_a_copy(asked->writable.path[1], text);
	is_a_copy(asked->tmpfs.mount[0].path, text);
	is_a_copy(asked->tmpfs.mount[0].options, text);
	is_a_copy(asked->file_env, text);
	is_a_copy(asked->foreign_level, text);
	assert_true(asked->no_new_privs);
	is_a_copy(copy->spawn.plan->command, text);
	assert_int_equal(copy->spawn.plan->requested, 5);
	assert_ptr_not_equal(copy->spawn.plan->filter.insn, filter);
	assert_memory_equal(copy->spawn.plan->filter.insn, filter, sizeof filter);
	are_copies(copy->spawn.argv);
	are_copies(copy->pre_stop.argv);
	assert_true(copy->spawn.again && copy->pre_stop.beside);
	assert_ptr_equal(copy->pre_stop.plan, copy->spawn.plan);
	assert_ptr_equal(copy->checks.request.plan, copy->spawn.plan);
	assert_ptr_equal(copy->spawn.personality, copy->personality);
	assert_ptr_equal(copy->personality->command, copy->spawn.argv);
	assert_int_equal(copy->checks.count, 2);
	assert_int_equal(copy->checks.first, 3);
	assert_null(copy->checks.check[0].command);
	are_copies(copy->checks.check[1].command);
	assert_int_equal(copy->checks.check[1].timing.timeout_ns, 7);
	assert_ptr_equal(copy->secrets.list, &scene.list);
	assert_ptr_equal(copy->secrets.plan, copy->spawn.plan);
	assert_int_equal(copy->secrets.service, 4);
	assert_ptr_equal(copy->spawn.secrets, &copy->secrets);
	are_copies(copy->logs.argv);
	assert_int_equal(copy->logs.user, 8);
	assert_int_equal(copy->logs.executable, -1);
	assert_true(copy->may_rotate && copy->scheduled);
	assert_int_equal(copy->run_ns, 12);
	assert_int_equal(copy->cron.minutes, 1);
	is_a_copy(copy->called, text);
	is_a_copy(copy->prefix, text);
	assert_int_equal(copy->on_unhealthy, UNHEALTHY_RESTART);
	assert_int_equal(copy->machine.policy.drain_ns, 11);
	assert_int_equal(copy->machine.state, SUPERVISE_IDLE);
	assert_int_equal(copy->main_pid, 0);
}

static void what_has_no_room_is_no_copy(void **state)
{
	static char memory[65536];
	struct arena whole = { .next = memory, .end = memory + sizeof memory };
	struct scene scene;
	size_t needed;

	(void)state;
	set_scene(&scene);
	assert_non_null(definition_copy(&scene.unit, &whole));
	needed = (size_t)(whole.next - memory);
	for (size_t size = 0; size < needed; size += 16) {
		char *exact = calloc(1, size + 1);
		struct arena arena = { .next = exact, .end = exact + size };

		assert_null(definition_copy(&scene.unit, &arena));
		assert_true(arena.full);
		free(exact);
	}
}

static void who_takes_it_keeps_its_life(void **state)
{
	struct scene scene;
	struct unit unit = { .main_pid = 7, .machine = { .state = SUPERVISE_STOPPING }, .logs = { .executable = 3 } };

	(void)state;
	set_scene(&scene);
	unit.logs.stream[LOG_STDERR].writer = 21;
	definition_take(&scene.unit, &unit);
	assert_int_equal(unit.main_pid, 7);
	assert_int_equal(unit.machine.state, SUPERVISE_STOPPING);
	assert_int_equal(unit.machine.policy.drain_ns, 11);
	assert_ptr_equal(unit.spawn.argv, words);
	assert_ptr_equal(unit.spawn.secrets, &unit.secrets);
	assert_int_equal(unit.logs.executable, 3);
	assert_int_equal(unit.spawn.streams[LOG_STDERR], 21);
	assert_int_equal(unit.pre_stop.streams[LOG_STDERR], 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_told_is_copied_and_nothing_else),
		cmocka_unit_test(what_has_no_room_is_no_copy),
		cmocka_unit_test(who_takes_it_keeps_its_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
