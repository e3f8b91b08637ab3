/* A changed secret: what counts as one, and in which order services are started again. */
#include "init/rotation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SERVICES_MAX 8

static void another_hash_is_a_rotation_and_the_same_is_none(void **state)
{
	struct rotation_secret secret = { .current = 0 };

	(void)state;
	assert_false(rotation_observe(&secret, 0, 5, 1));
	assert_false(rotation_observe(&secret, 7, 5, 2));
	assert_int_equal(secret.count, 0);
	assert_true(rotation_observe(&secret, 5, 9, 3));
	assert_true(rotation_observe(&secret, 5, 5, 4)); /* and back */
	assert_false(rotation_observe(&secret, 9, 5, 5));
	assert_int_equal(secret.count, 2);
	assert_int_equal(secret.last_ns, 4);
}

static void what_changed_before_the_first_look_is_one_too(void **state)
{
	struct rotation_secret secret = { .current = 0 };

	(void)state;
	assert_true(rotation_observe(&secret, 7, 5, 1));
	assert_int_equal(secret.count, 1);
	assert_int_equal(secret.current, 5);
}

static void one_that_does_not_come_up_holds_up_the_others_until_the_next_change(void **state)
{
	struct rotation_service service[2] = { { .needs = true, .runs = true, .ready = true, .life = 1 },
		{ .needs = true, .runs = true, .ready = true, .life = 1 } };
	struct rotation rotation = { .service = service, .service_count = 2 };
	size_t next = 9;

	(void)state;
	assert_true(rotation_next(&rotation, &next));
	assert_int_equal(next, 0);
	assert_false(rotation_next(&rotation, &next)); /* it has not even ended */
	service[0] = (struct rotation_service){ .life = 2 };
	assert_false(rotation_next(&rotation, &next)); /* it is starting */
	service[0].runs = true;
	assert_false(rotation_next(&rotation, &next)); /* it runs, and is not ready */
	service[0].runs = false;
	assert_false(rotation_next(&rotation, &next)); /* it has ended for good */
	rotation_renew(&rotation);
	assert_true(rotation_next(&rotation, &next));
	assert_int_equal(next, 1);
}

static void one_that_is_not_ready_is_started_again_by_the_next_change(void **state)
{
	struct rotation_service service[1] = { { .needs = true, .runs = true, .ready = true, .life = 1 } };
	struct rotation rotation = { .service = service, .service_count = 1 };
	size_t next = 9;

	(void)state;
	assert_true(rotation_next(&rotation, &next));
	service[0] = (struct rotation_service){ .runs = true, .life = 2 };
	assert_false(rotation_next(&rotation, &next));
	service[0].needs = true;
	assert_true(rotation_next(&rotation, &next));
	assert_int_equal(rotation.ordered_life, 2);
}

static void those_who_depend_on_it_follow_where_it_rolls_and_only_there(void **state)
{
	/* 2 needs 0, 1 needs 2, 3 waits for 0's end */
	static const struct dependency_edge edges[] = { { .unit = 2, .on = 0, .condition = DEPENDS_READY },
		{ .unit = 1, .on = 2, .condition = DEPENDS_STARTED },
		{ .unit = 3, .on = 0, .condition = DEPENDS_COMPLETED } };

	(void)state;
	for (int rolls = 0; rolls <= 1; rolls++) {
		struct rotation_service service[4];
		struct rotation rotation = { .service = service, .service_count = 4, .edge = edges, .edge_count = 3 };
		char order[8] = "";
		size_t next;

		for (size_t i = 0; i < 4; i++)
			service[i] = (struct rotation_service){ .runs = true, .ready = true, .life = 1 };
		service[0].needs = true;
		service[0].rolls = rolls == 1;
		while (rotation_next(&rotation, &next)) {
			order[strlen(order)] = (char)('0' + next);
			service[next].needs = service[next].rolls = false;
			service[next].life++;
		}
		assert_string_equal(order, rolls ? "021" : "0");
	}
}

/* ---- any graph, any order of events ---- */

struct world {
	struct rotation_service service[SERVICES_MAX];
	struct dependency_edge edge[SERVICES_MAX * SERVICES_MAX];
	struct rotation rotation;
	bool up[SERVICES_MAX], restarted[SERVICES_MAX];
};

static void make_world(struct world *world)
{
	memset(world, 0, sizeof *world);
	world->rotation = (struct rotation){
		.service = world->service, .service_count = 1 + (size_t)(rand() % SERVICES_MAX), .edge = world->edge
	};
	for (size_t i = 0; i < world->rotation.service_count; i++) {
		world->up[i] = true;
		world->service[i] = (struct rotation_service){
			.needs = rand() % 2, .rolls = rand() % 2, .runs = true, .ready = true, .life = 1
		};
		for (size_t on = 0; on < i; on++) /* no circle */
			if (rand() % 3 == 0)
				world->edge[world->rotation.edge_count++] = (struct dependency_edge){
					.unit = (uint16_t)i, .on = (uint16_t)on, .condition = DEPENDS_READY
				};
	}
}

static size_t count_down(const struct world *world)
{
	size_t count = 0;

	for (size_t i = 0; i < world->rotation.service_count; i++)
		count += !world->up[i];
	return count;
}

static void restart(struct world *world, size_t number)
{
	assert_int_equal(count_down(world), 0); /* the others serve */
	for (size_t i = 0; i < world->rotation.edge_count; i++)
		if (world->edge[i].unit == number && world->service[world->edge[i].on].needs)
			fail_msg("%zu before %u, which it depends on", number, world->edge[i].on);
	world->up[number] = false;
	world->restarted[number] = true;
	world->service[number].runs = world->service[number].ready = false;
	world->service[number].needs = world->service[number].rolls = false;
}

/* One step of a life: it is executed, and then ready. */
static void come_up(struct world *world)
{
	for (size_t i = 0; i < world->rotation.service_count; i++) {
		struct rotation_service *service = &world->service[i];

		if (world->up[i])
			continue;
		service->life += !service->runs;
		world->up[i] = service->ready = service->runs;
		service->runs = true;
	}
}

static void all_come_one_at_a_time_and_in_order(void **state)
{
	(void)state;
	srand(20);
	for (unsigned run = 0; run < 20000; run++) {
		struct world world;
		bool needed[SERVICES_MAX];
		size_t next;

		make_world(&world);
		for (size_t i = 0; i < SERVICES_MAX; i++)
			needed[i] = world.service[i].needs;
		for (unsigned step = 0; step < 200; step++) {
			if (rotation_next(&world.rotation, &next))
				restart(&world, next);
			else if (rand() % 2 == 0)
				come_up(&world);
		}
		for (size_t i = 0; i < world.rotation.service_count; i++)
			if (world.service[i].needs || world.service[i].follows || (needed[i] && !world.restarted[i]))
				fail_msg("run %u: %zu was left", run, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_hash_is_a_rotation_and_the_same_is_none),
		cmocka_unit_test(what_changed_before_the_first_look_is_one_too),
		cmocka_unit_test(one_that_does_not_come_up_holds_up_the_others_until_the_next_change),
		cmocka_unit_test(one_that_is_not_ready_is_started_again_by_the_next_change),
		cmocka_unit_test(those_who_depend_on_it_follow_where_it_rolls_and_only_there),
		cmocka_unit_test(all_come_one_at_a_time_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
