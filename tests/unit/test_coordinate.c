/* init/coordinate.h: what is started and stopped when, in examples and, with random graphs, against what must always
 * be so. */
#include "init/coordinate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#define UNITS_MAX 12
#define EDGES_MAX (UNITS_MAX * UNITS_MAX)

struct scene {
	struct coordinator coordinator;
	struct coordinate_unit unit[UNITS_MAX];
	struct dependency_edge edge[EDGES_MAX];
};

static void set_scene(struct scene *scene, size_t count)
{
	memset(scene, 0, sizeof *scene);
	scene->coordinator = (struct coordinator){ .unit = scene->unit, .unit_count = count, .edge = scene->edge };
	for (size_t i = 0; i < count; i++)
		scene->unit[i].essential = true;
}

static void depends(struct scene *scene, unsigned unit, unsigned on, enum dependency_condition condition)
{
	scene->edge[scene->coordinator.edge_count++] = (struct dependency_edge){ (uint16_t)unit, (uint16_t)on,
		(uint8_t)condition };
}

static void expect(struct scene *scene, enum coordinate_action_type type, int number)
{
	struct coordinate_action action;

	assert_true(coordinate_next(&scene->coordinator, &action));
	assert_int_equal(action.type, type);
	assert_int_equal(type == COORDINATE_EXIT ? action.status : (int)action.unit, number);
}

static void expect_nothing(struct scene *scene)
{
	struct coordinate_action action;

	assert_false(coordinate_next(&scene->coordinator, &action));
}

/* ---- examples ---- */

static void one_service_is_started_and_its_end_is_the_containers(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 1);
	expect(&scene, COORDINATE_START, 0);
	expect_nothing(&scene);
	coordinate_started(&scene.coordinator, 0);
	coordinate_ready(&scene.coordinator, 0);
	expect_nothing(&scene);
	coordinate_ended(&scene.coordinator, 0, 3);
	expect(&scene, COORDINATE_EXIT, 3);
	expect_nothing(&scene);
}

static void who_depends_waits_and_goes_first(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 3); /* 0 depends on 1, which is to be ready, and 1 on 2, which is to be started */
	depends(&scene, 0, 1, DEPENDS_READY);
	depends(&scene, 1, 2, DEPENDS_STARTED);
	expect(&scene, COORDINATE_START, 2);
	expect_nothing(&scene);
	coordinate_started(&scene.coordinator, 2);
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 1);
	expect_nothing(&scene);
	coordinate_ready(&scene.coordinator, 1);
	expect(&scene, COORDINATE_START, 0);
	coordinate_started(&scene.coordinator, 0);
	coordinate_stop(&scene.coordinator);
	expect(&scene, COORDINATE_STOP, 0);
	expect_nothing(&scene);
	coordinate_ended(&scene.coordinator, 0, 143);
	expect(&scene, COORDINATE_STOP, 1);
	coordinate_ended(&scene.coordinator, 1, 0);
	expect(&scene, COORDINATE_STOP, 2);
	coordinate_ended(&scene.coordinator, 2, 1);
	expect(&scene, COORDINATE_EXIT, 143);
}

static void a_failed_task_is_the_containers_failure(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 3); /* 2: a task before 0, beside 1 */
	scene.unit[2].kind = SERVICE_ONCE;
	depends(&scene, 0, 2, DEPENDS_COMPLETED);
	expect(&scene, COORDINATE_START, 1);
	expect(&scene, COORDINATE_START, 2);
	coordinate_started(&scene.coordinator, 2);
	coordinate_ended(&scene.coordinator, 2, 7);
	expect(&scene, COORDINATE_STOP, 1);
	coordinate_ended(&scene.coordinator, 1, 143);
	expect(&scene, COORDINATE_EXIT, 7);
	assert_int_equal(scene.unit[0].phase, COORDINATE_WAITING);
}

static void a_task_that_ends_well_lets_others_go_on(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 2);
	scene.unit[1].kind = SERVICE_ONCE;
	depends(&scene, 0, 1, DEPENDS_COMPLETED);
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 1);
	expect_nothing(&scene);
	coordinate_ended(&scene.coordinator, 1, 0);
	expect(&scene, COORDINATE_START, 0);
}

static void tasks_alone_end_the_container_well(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 2);
	scene.unit[0].kind = scene.unit[1].kind = SERVICE_ONCE;
	expect(&scene, COORDINATE_START, 0);
	expect(&scene, COORDINATE_START, 1);
	coordinate_ended(&scene.coordinator, 0, 0);
	expect_nothing(&scene);
	coordinate_ended(&scene.coordinator, 1, 0);
	expect(&scene, COORDINATE_EXIT, 0);
}

static void what_is_not_essential_may_end(void **state)
{
	struct scene scene;
	size_t blocked, blocker;

	(void)state;
	set_scene(&scene, 3); /* 2 depends on 1, which is not essential, nor is 2 */
	scene.unit[1].essential = scene.unit[2].essential = false;
	depends(&scene, 2, 1, DEPENDS_READY);
	expect(&scene, COORDINATE_START, 0);
	expect(&scene, COORDINATE_START, 1);
	coordinate_ended(&scene.coordinator, 1, 1);
	expect_nothing(&scene);
	assert_int_equal(scene.unit[2].phase, COORDINATE_BLOCKED);
	assert_true(coordinate_blocked(&scene.coordinator, &blocked, &blocker));
	assert_int_equal(blocked, 2);
	assert_int_equal(blocker, 1);
	assert_false(coordinate_blocked(&scene.coordinator, &blocked, &blocker));
	coordinate_ended(&scene.coordinator, 0, 0);
	expect(&scene, COORDINATE_EXIT, 0);
}

static void who_can_never_be_started_fails(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 2);
	scene.unit[1].essential = false;
	depends(&scene, 0, 1, DEPENDS_READY);
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 1);
	coordinate_ended(&scene.coordinator, 1, 0); /* before it was ready */
	expect(&scene, COORDINATE_EXIT, 1);
}

static void who_depends_on_one_that_can_never_be_started_is_not_waited_for(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 3); /* 2: a task that fails; 1 comes after it, and 0 after 1 */
	for (size_t i = 0; i < 3; i++)
		scene.unit[i].essential = false;
	scene.unit[2].kind = SERVICE_ONCE;
	depends(&scene, 0, 1, DEPENDS_STARTED);
	depends(&scene, 1, 2, DEPENDS_COMPLETED);
	expect(&scene, COORDINATE_START, 2);
	coordinate_started(&scene.coordinator, 2);
	coordinate_ended(&scene.coordinator, 2, 1);
	expect(&scene, COORDINATE_EXIT, 0);
}

static void ready_is_asked_of_the_life_that_is_now(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 3);
	depends(&scene, 0, 1, DEPENDS_READY);
	depends(&scene, 0, 2, DEPENDS_READY);
	expect(&scene, COORDINATE_START, 1);
	expect(&scene, COORDINATE_START, 2);
	coordinate_started(&scene.coordinator, 1);
	coordinate_started(&scene.coordinator, 2);
	coordinate_ready(&scene.coordinator, 1);
	coordinate_again(&scene.coordinator, 1);
	coordinate_ready(&scene.coordinator, 2);
	expect_nothing(&scene);
	coordinate_started(&scene.coordinator, 1);
	coordinate_ready(&scene.coordinator, 1);
	expect(&scene, COORDINATE_START, 0);
}

static void a_task_for_the_end_comes_when_others_are_gone(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 3); /* 2: after 0 has stopped, while 1 is still there */
	scene.unit[2].kind = SERVICE_AFTER;
	depends(&scene, 0, 1, DEPENDS_STARTED);
	depends(&scene, 2, 0, DEPENDS_STOPPED);
	depends(&scene, 2, 1, DEPENDS_STARTED);
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 1);
	expect(&scene, COORDINATE_START, 0);
	coordinate_started(&scene.coordinator, 0);
	coordinate_stop(&scene.coordinator);
	expect(&scene, COORDINATE_STOP, 0);
	expect_nothing(&scene);
	coordinate_ended(&scene.coordinator, 0, 0);
	expect(&scene, COORDINATE_START, 2);
	expect_nothing(&scene);
	coordinate_ended(&scene.coordinator, 2, 0);
	expect(&scene, COORDINATE_STOP, 1);
	coordinate_ended(&scene.coordinator, 1, 0);
	expect(&scene, COORDINATE_EXIT, 0);
}

static void tasks_for_the_end_wait_for_each_other(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 5); /* 1 comes after 0, 2 after 1, 3 after 0 and 2; 4 after 3 */
	for (unsigned i = 1; i < 5; i++)
		scene.unit[i].kind = SERVICE_AFTER;
	depends(&scene, 1, 0, DEPENDS_STOPPED);
	depends(&scene, 2, 1, DEPENDS_STOPPED);
	depends(&scene, 3, 0, DEPENDS_STOPPED);
	depends(&scene, 3, 2, DEPENDS_COMPLETED);
	depends(&scene, 4, 3, DEPENDS_STOPPED);
	expect(&scene, COORDINATE_START, 0);
	coordinate_started(&scene.coordinator, 0);
	coordinate_ended(&scene.coordinator, 0, 0);
	for (size_t i = 1; i < 5; i++) {
		expect(&scene, COORDINATE_START, (int)i);
		expect_nothing(&scene);
		coordinate_started(&scene.coordinator, i);
		coordinate_ended(&scene.coordinator, i, 0);
	}
	expect(&scene, COORDINATE_EXIT, 0);
	set_scene(&scene, 3); /* 2 after 1, and 1 after 0, which never was */
	scene.unit[1].kind = scene.unit[2].kind = SERVICE_AFTER;
	depends(&scene, 2, 1, DEPENDS_STOPPED);
	depends(&scene, 1, 0, DEPENDS_STOPPED);
	coordinate_stop(&scene.coordinator);
	expect(&scene, COORDINATE_EXIT, 0);
}

static void a_scheduled_task_comes_when_it_is_due(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 2);
	scene.unit[1].kind = SERVICE_SCHEDULED;
	scene.unit[1].essential = false;
	expect(&scene, COORDINATE_START, 0);
	expect_nothing(&scene);
	assert_true(coordinate_due(&scene.coordinator, 1));
	expect(&scene, COORDINATE_START, 1);
	assert_false(coordinate_due(&scene.coordinator, 1)); /* still at it */
	coordinate_ended(&scene.coordinator, 1, 1);
	expect_nothing(&scene);
	assert_true(coordinate_due(&scene.coordinator, 1));
	expect(&scene, COORDINATE_START, 1);
	coordinate_stop(&scene.coordinator);
	expect(&scene, COORDINATE_STOP, 0);
	expect(&scene, COORDINATE_STOP, 1);
	assert_false(coordinate_due(&scene.coordinator, 1));
	coordinate_ended(&scene.coordinator, 0, 0);
	coordinate_ended(&scene.coordinator, 1, 0);
	expect(&scene, COORDINATE_EXIT, 0);
}

static void what_is_stopped_by_hand_is_no_failure(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 1);
	expect(&scene, COORDINATE_START, 0);
	coordinate_started(&scene.coordinator, 0);
	assert_true(coordinate_hold(&scene.coordinator, 0));
	expect(&scene, COORDINATE_STOP, 0);
	assert_false(coordinate_hold(&scene.coordinator, 0));
	assert_false(coordinate_release(&scene.coordinator, 0));
	coordinate_ended(&scene.coordinator, 0, 143);
	expect_nothing(&scene); /* the container stays for it */
	assert_true(coordinate_release(&scene.coordinator, 0));
	expect(&scene, COORDINATE_START, 0);
	coordinate_started(&scene.coordinator, 0);
	coordinate_ended(&scene.coordinator, 0, 5);
	expect(&scene, COORDINATE_EXIT, 5);
}

static void a_task_that_fails_by_hand_is_nobody_elses_failure(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 2); /* 1: a task before 0 */
	scene.unit[1].kind = SERVICE_ONCE;
	depends(&scene, 0, 1, DEPENDS_COMPLETED);
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 1);
	assert_true(coordinate_hold(&scene.coordinator, 1));
	expect(&scene, COORDINATE_STOP, 1);
	coordinate_ended(&scene.coordinator, 1, 143);
	assert_true(coordinate_release(&scene.coordinator, 1));
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 1);
	coordinate_ended(&scene.coordinator, 1, 6);
	expect_nothing(&scene); /* 0 waits on */
	assert_true(coordinate_release(&scene.coordinator, 1));
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 1);
	coordinate_ended(&scene.coordinator, 1, 0);
	expect(&scene, COORDINATE_START, 0);
	coordinate_started(&scene.coordinator, 0);
	assert_true(coordinate_release(&scene.coordinator, 1));
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 1);
	coordinate_ended(&scene.coordinator, 1, 6);
	expect_nothing(&scene);
	assert_true(coordinate_hold(&scene.coordinator, 0));
	expect(&scene, COORDINATE_STOP, 0);
	coordinate_ended(&scene.coordinator, 0, 0);
	assert_true(coordinate_release(&scene.coordinator, 0));
	expect(&scene, COORDINATE_START, 0); /* what it waits for was done once */
	coordinate_started(&scene.coordinator, 0);
	coordinate_stop(&scene.coordinator);
	expect(&scene, COORDINATE_STOP, 0);
	coordinate_ended(&scene.coordinator, 0, 0);
	expect(&scene, COORDINATE_EXIT, 0);
}

static void what_cannot_be_started_by_hand_ends_nothing(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 2); /* 1: a task before 0, which the container could do without */
	scene.unit[1].kind = SERVICE_ONCE;
	scene.unit[1].essential = false;
	depends(&scene, 0, 1, DEPENDS_COMPLETED);
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 1);
	assert_true(coordinate_hold(&scene.coordinator, 0));
	coordinate_ended(&scene.coordinator, 1, 6);
	expect_nothing(&scene);
	assert_true(coordinate_release(&scene.coordinator, 0));
	expect_nothing(&scene);
	assert_int_equal(scene.unit[0].phase, COORDINATE_BLOCKED);
	assert_false(scene.coordinator.stopping);
	/* The configuration is mended. */
	coordinate_renew(&scene.coordinator, 1, true);
	coordinate_renew(&scene.coordinator, 0, false);
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 1);
	coordinate_ended(&scene.coordinator, 1, 0);
	expect(&scene, COORDINATE_START, 0);
	coordinate_started(&scene.coordinator, 0);
	expect_nothing(&scene); /* and it stays */
}

static void what_has_changed_is_renewed_in_order(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 3);                   /* 0 on 1, 1 on 2; 2 stays as it is */
	depends(&scene, 0, 1, DEPENDS_STARTED); /* as what it is by then */
	depends(&scene, 1, 2, DEPENDS_READY);
	for (int unit = 2; unit >= 0; unit--) {
		expect(&scene, COORDINATE_START, unit);
		coordinate_started(&scene.coordinator, (size_t)unit);
		coordinate_ready(&scene.coordinator, (size_t)unit);
	}
	coordinate_renew(&scene.coordinator, 1, false);
	coordinate_renew(&scene.coordinator, 0, false);
	expect(&scene, COORDINATE_STOP, 0);
	expect_nothing(&scene);
	coordinate_ended(&scene.coordinator, 0, 143);
	expect(&scene, COORDINATE_STOP, 1);
	expect_nothing(&scene);
	coordinate_ended(&scene.coordinator, 1, 1);
	expect(&scene, COORDINATE_START, 1);
	expect_nothing(&scene);
	coordinate_started(&scene.coordinator, 1);
	expect(&scene, COORDINATE_START, 0);
	expect_nothing(&scene);
}

static void what_is_removed_goes_and_may_come_back(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 2);
	expect(&scene, COORDINATE_START, 0);
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 0);
	coordinate_started(&scene.coordinator, 1);
	coordinate_remove(&scene.coordinator, 1);
	expect(&scene, COORDINATE_STOP, 1);
	coordinate_renew(&scene.coordinator, 1, false); /* while it stops */
	expect_nothing(&scene);
	coordinate_ended(&scene.coordinator, 1, 143);
	expect(&scene, COORDINATE_START, 1);
	coordinate_started(&scene.coordinator, 1);
	coordinate_remove(&scene.coordinator, 1);
	expect(&scene, COORDINATE_STOP, 1);
	coordinate_ended(&scene.coordinator, 1, 143);
	expect_nothing(&scene);
	assert_false(coordinate_release(&scene.coordinator, 1));
	coordinate_ended(&scene.coordinator, 0, 3); /* that one is all there is */
	expect(&scene, COORDINATE_EXIT, 3);
}

static void what_was_stopped_by_hand_or_is_done_stays_as_it_is(void **state)
{
	struct scene scene;

	(void)state;
	set_scene(&scene, 4);
	scene.unit[1].kind = SERVICE_ONCE;
	scene.unit[2].essential = false;
	for (int unit = 0; unit < 4; unit++) {
		expect(&scene, COORDINATE_START, unit);
		coordinate_started(&scene.coordinator, (size_t)unit);
	}
	coordinate_hold(&scene.coordinator, 0);
	expect(&scene, COORDINATE_STOP, 0);
	for (size_t unit = 0; unit < 3; unit++) {
		coordinate_ended(&scene.coordinator, unit, 0);
		coordinate_renew(&scene.coordinator, unit, false);
	}
	expect(&scene, COORDINATE_START, 2); /* the service that ended by itself */
	expect_nothing(&scene);
	assert_true(coordinate_release(&scene.coordinator, 0));
	expect(&scene, COORDINATE_START, 0);
}

static void a_circle_is_found(void **state)
{
	const struct dependency_edge edges[] = { { 0, 1, 0 }, { 1, 2, 0 }, { 2, 3, 0 }, { 3, 1, 0 } };
	const struct dependency_edge itself[] = { { 2, 2, 0 } };
	uint16_t circle[4] = { 9, 9, 9, 9 };

	(void)state;
	assert_int_equal(dependencies_find_circle(edges, 3, 4, circle), 0);
	assert_int_equal(dependencies_find_circle(edges, 4, 4, circle), 3);
	assert_int_equal(circle[0], 1);
	assert_int_equal(circle[1], 2);
	assert_int_equal(circle[2], 3);
	assert_int_equal(dependencies_find_circle(itself, 1, 4, circle), 1);
	assert_int_equal(circle[0], 2);
}

/* ---- what must always be so ---- */

static uint32_t seed;

static unsigned below(unsigned limit)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

/* Edges lead to a lower place in a random order of the units: there is no circle. */
static void random_scene(struct scene *scene)
{
	const size_t count = 1 + below(UNITS_MAX);
	unsigned order[UNITS_MAX];

	set_scene(scene, count);
	for (unsigned i = 0; i < count; i++) {
		unsigned other = below(i + 1);

		order[i] = order[other];
		order[other] = i;
	}
	for (unsigned i = 0; i < count; i++) {
		struct coordinate_unit *unit = &scene->unit[order[i]];

		unit->kind = below(3) == 0 ? below(SERVICE_KIND_COUNT) : SERVICE_LASTING;
		unit->essential = below(3) != 0;
		for (unsigned k = 0; k < i; k++)
			if (below(4) == 0)
				depends(scene, order[i], order[k],
					unit->kind == SERVICE_AFTER && below(2) == 0 ? DEPENDS_STOPPED
										     : below(DEPENDS_STOPPED));
	}
}

/* A second opinion, edge by edge, of what an action asks for. */
static void check_action(const struct scene *scene, const struct coordinate_action *action)
{
	for (size_t i = 0; i < scene->coordinator.edge_count; i++) {
		const struct dependency_edge *edge = &scene->edge[i];
		const struct coordinate_unit *unit = &scene->unit[edge->unit], *on = &scene->unit[edge->on];
		const bool there = unit->phase >= COORDINATE_STARTING && unit->phase <= COORDINATE_STOPPING;

		if (action->type == COORDINATE_START && edge->unit == action->unit && unit->kind == SERVICE_AFTER)
			assert_true(edge->condition != DEPENDS_STOPPED ||
				(scene->coordinator.stopping &&
					(on->phase < COORDINATE_STARTING || on->phase > COORDINATE_STOPPING)));
		else if (action->type == COORDINATE_START && edge->unit == action->unit) {
			assert_true(edge->condition != DEPENDS_STARTED || on->was_started);
			assert_true(edge->condition != DEPENDS_READY || on->phase == COORDINATE_READY);
			assert_true(edge->condition != DEPENDS_COMPLETED ||
				(on->phase == COORDINATE_ENDED && on->status == 0));
		}
		/* By hand one is stopped whoever depends on it. */
		if (action->type == COORDINATE_STOP && edge->on == action->unit && scene->coordinator.stopping)
			assert_true(edge->condition == DEPENDS_STOPPED || !there);
	}
	if (action->type == COORDINATE_EXIT)
		for (size_t i = 0; i < scene->coordinator.unit_count; i++)
			assert_true(scene->unit[i].phase < COORDINATE_STARTING ||
				scene->unit[i].phase > COORDINATE_STOPPING);
}

/* Does all there is to do. Returns true once the container has ended. */
static bool do_all(struct scene *scene)
{
	struct coordinate_action action;

	for (int i = 0; coordinate_next(&scene->coordinator, &action); i++) {
		assert_true(i < 4 * UNITS_MAX);
		check_action(scene, &action);
		if (action.type == COORDINATE_EXIT)
			return true;
	}
	return false;
}

static void happen(struct scene *scene, unsigned stops)
{
	const size_t unit = below((unsigned)scene->coordinator.unit_count);
	const enum coordinate_phase phase = scene->unit[unit].phase;

	switch (below(9)) {
	case 0:
		if (phase == COORDINATE_STARTED || phase == COORDINATE_READY)
			coordinate_again(&scene->coordinator, unit);
		break;
	case 1:
		coordinate_due(&scene->coordinator, unit);
		break;
	case 2:
		coordinate_ended(&scene->coordinator, unit, below(3) == 0 ? (int)below(256) : 0);
		break;
	case 3:
		if (stops > 0 && below(20) == 0)
			coordinate_stop(&scene->coordinator);
		break;
	case 4:
		if (below(8) == 0)
			below(2) == 0 ? coordinate_hold(&scene->coordinator, unit)
				      : coordinate_release(&scene->coordinator, unit);
		break;
	case 5:
		if (below(8) == 0)
			below(4) == 0 ? coordinate_remove(&scene->coordinator, unit)
				      : coordinate_renew(&scene->coordinator, unit, false);
		break;
	case 6:
		coordinate_ready(&scene->coordinator, unit);
		break;
	default:
		if (phase == COORDINATE_STARTING)
			coordinate_started(&scene->coordinator, unit);
	}
}

static void random_graphs_keep_the_order_and_come_to_an_end(void **state)
{
	size_t ended = 0;

	(void)state;
	for (seed = 1; seed < 20000; seed += 1) {
		const uint32_t begin = seed;
		struct scene scene;
		bool over;

		random_scene(&scene);
		over = do_all(&scene);
		for (int i = 0; i < 300 && !over; i++) {
			happen(&scene, 1);
			over = do_all(&scene);
		}
		if (!over) { /* now it is to stop: whoever is asked to ends */
			coordinate_stop(&scene.coordinator);
			for (int i = 0; i < 4 * UNITS_MAX && !over; i++) {
				over = do_all(&scene);
				for (size_t k = 0; k < scene.coordinator.unit_count && !over; k++)
					if (scene.unit[k].phase == COORDINATE_STOPPING ||
						scene.unit[k].kind == SERVICE_AFTER) /* these alone */
						coordinate_ended(&scene.coordinator, k, 0);
			}
		}
		assert_true(over);
		assert_false(do_all(&scene)); /* once */
		ended++;
		seed = begin;
	}
	assert_true(ended > 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_service_is_started_and_its_end_is_the_containers),
		cmocka_unit_test(who_depends_waits_and_goes_first),
		cmocka_unit_test(a_failed_task_is_the_containers_failure),
		cmocka_unit_test(a_task_that_ends_well_lets_others_go_on),
		cmocka_unit_test(tasks_alone_end_the_container_well),
		cmocka_unit_test(what_is_not_essential_may_end),
		cmocka_unit_test(who_can_never_be_started_fails),
		cmocka_unit_test(who_depends_on_one_that_can_never_be_started_is_not_waited_for),
		cmocka_unit_test(ready_is_asked_of_the_life_that_is_now),
		cmocka_unit_test(a_task_for_the_end_comes_when_others_are_gone),
		cmocka_unit_test(tasks_for_the_end_wait_for_each_other),
		cmocka_unit_test(a_scheduled_task_comes_when_it_is_due),
		cmocka_unit_test(what_is_stopped_by_hand_is_no_failure),
		cmocka_unit_test(a_task_that_fails_by_hand_is_nobody_elses_failure),
		cmocka_unit_test(what_cannot_be_started_by_hand_ends_nothing),
		cmocka_unit_test(what_has_changed_is_renewed_in_order),
		cmocka_unit_test(what_is_removed_goes_and_may_come_back),
		cmocka_unit_test(what_was_stopped_by_hand_or_is_done_stays_as_it_is),
		cmocka_unit_test(a_circle_is_found),
		cmocka_unit_test(random_graphs_keep_the_order_and_come_to_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
