#include "init/units.h"

#include "base/clock.h"
#include "base/dependencies.h"
#include "base/log.h"
#include "init/afresh.h"
#include "init/definition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRE_STOP_NS (10 * NS_PER_S)
#define FOR_EVER "8760h"

/* Static, as the only one's: PID 1 allocates nothing for it, and pages that are never touched cost nothing. */
static struct confine_plan first_plan;

static void warn(const char *sentence)
{
	log_line(LOG_LEVEL_WARNING, "%s", sentence);
}

static enum supervise_main_end main_end(const struct units_request *request)
{
	switch (request->personality->main_end) {
	case MAIN_END_AT_ONCE:
		return SUPERVISE_END_AT_ONCE;
	case MAIN_END_TERM_GROUP:
		return SUPERVISE_TERM_AND_END;
	default:
		return SUPERVISE_ASK_LEFTOVERS;
	}
}

/* What is not said: as long as the stop signal itself has at the least. */
static int64_t pre_stop_time(const struct stop_policy *stop)
{
	int64_t half = (stop->timeout_ns - stop->drain_ns) / 2;

	if (stop->pre_stop_timeout_ns > 0)
		return stop->pre_stop_timeout_ns;
	return half < PRE_STOP_NS ? half : PRE_STOP_NS;
}

/* What asks for a stop asks all of them. */
static uint64_t stop_signals(const struct units_request *request)
{
	uint64_t set = 0;

	for (size_t i = 0; i < model_service_count(request->model); i++)
		set |= model_service(request->model, i)->stop.on;
	return set;
}

static void set_policy(
	const struct units_request *request, const struct service *service, struct supervise *ret_machine)
{
	const struct stop_policy *stop = &service->stop;
	const uint64_t on = stop_signals(request);
	struct supervise_policy policy;

	supervise_default_policy(&policy);
	policy.main_end = main_end(request);
	if (on != 0)
		policy.stop_signals = on;
	policy.stop_signal = stop->signal;
	policy.drain_ns = stop->drain_ns;
	policy.timeout_ns = stop->timeout_ns;
	policy.pre_stop = stop->pre_stop != NULL;
	policy.pre_stop_ns = pre_stop_time(stop);
	memcpy(policy.clean_exit, stop->clean_exit, sizeof policy.clean_exit);
	policy.restart = service->restart;
	policy.watches = service->watch.count > 0 && request->personality->kind == NULL;
	supervise_init(ret_machine, &policy);
}

static bool has_exec_check(const struct service *service)
{
	for (size_t i = 0; i < service->check_count; i++)
		if (service->check[i].command != NULL)
			return true;
	return false;
}

/* A unit is not the only one: its messages have its name, and what it mounts is for it alone. */
static bool is_one_of_several(const struct units_request *request)
{
	return request->loop->unit_count > 1;
}

/* What a unit borrows; of the first one static, as it may be the only one. */
struct preparation {
	struct confine_plan plan;
	struct personality personality;
};

/* Its words of a stop are its own; all else is the same for all. */
static void set_personality(
	const struct units_request *request, const struct service *service, struct personality *ret_personality)
{
	*ret_personality = *request->personality;
	ret_personality->command = service->command;
	memcpy(ret_personality->rewrite, service->stop.rewrite, sizeof ret_personality->rewrite);
}

/* How its messages call it: a task by its name, also where it is alone. */
static int set_words(const struct units_request *request, struct unit *unit, const struct service *service)
{
	static char nothing[] = "";
	char *prefix = nothing;

	unit->called = *unit->spawn.argv != NULL ? personality_basename(*unit->spawn.argv) : nothing;
	if (is_one_of_several(request) || service->kind != SERVICE_LASTING) {
		unit->called = service_name(service);
		if (asprintf(&prefix, "%s: ", unit->called) < 0)
			return -ENOMEM;
	}
	unit->prefix = prefix;
	return 0;
}

static int prepare_logs(const struct units_request *request, struct log_link *logs, const struct service *service,
	const struct confine_plan *plan, struct complaint *ret_why)
{
	int error = log_link_plan(logs, request->model, service, ret_why), executable;

	if (error < 0 || request->is_reload)
		return error; /* PID 1 opens them, who has them then */
	executable = afresh_open("logs", ret_why);
	if (executable < 0)
		return executable;
	error = log_link_open(logs, executable, plan);
	return error < 0 ? complain(ret_why, -error, "--service-log: %s", strerror(-error)) : 0;
}

/* personality, plan: its own, borrowed. */
static int prepare_unit(const struct units_request *request, struct unit *unit, const struct service *service,
	const struct personality *own, struct confine_plan *plan, uint32_t first_check, struct complaint *ret_why)
{
	int error;

	plan->command = own->command[0];
	error = confine_plan(&service->confinement, warn, plan, ret_why);
	if (error < 0)
		return error;
	if (is_one_of_several(request))
		plan->is_pid_1 = false; /* what it mounts is for it alone */
	if (request->loop->wants_monitor)
		confine_read_capabilities(plan);
	log_link_none(&unit->logs);
	if (service->logging.format != LOGGING_NONE)
		error = prepare_logs(request, &unit->logs, service, plan, ret_why);
	if (error < 0)
		return error;
	unit->personality = own;
	unit->spawn = (struct spawn_request){
		.argv = own->command,
		.signal_mask = request->entry_mask,
		.plan = plan,
		.personality = own,
		.again = is_one_of_several(request),
		.watchdog = service->watchdog_ns > 0,
		.silent = is_one_of_several(request) && !service_wants_notify(service),
	};
	unit->secrets.plan = plan;
	unit->pre_stop = unit->spawn;
	unit->pre_stop.argv = service->stop.pre_stop;
	unit->pre_stop.again = true;
	unit->pre_stop.beside = true;
	unit->checks = (struct exec_checks){ .request = unit->pre_stop,
		.check = service->check,
		.count = has_exec_check(service) ? service->check_count : 0,
		.first = first_check };
	definition_place_own(unit);
	unit->ready_follows_health = service_has_ready_check(service);
	unit->on_unhealthy = service->on_unhealthy;
	unit->unhealthy_signal = service->unhealthy_signal;
	set_policy(request, service, &unit->machine);
	error = set_words(request, unit, service);
	return error < 0 ? complain(ret_why, -error, "%s", strerror(-error)) : 0;
}

/* Puts the place of the file before the sentence, if it begins like that. */
static bool blame_place(const char *place, const char *begins, struct complaint *why)
{
	const struct complaint plain = *why;

	if (place == NULL || strncmp(plain.text, begins, strlen(begins)) != 0)
		return false;
	complain(why, EINVAL, "%s%.450s", place, strchr(plain.text, ' ') + 1);
	return true;
}

/* The message names the file's key, or else the service where there are several. */
static int blame_service(
	const struct units_request *request, const struct service *service, int error, struct complaint *why)
{
	struct complaint plain = *why;

	if (blame_place(service->user_place, "user: user ", why) ||
		blame_place(service->seccomp_place, "seccomp: ", why))
		return error;
	return !is_one_of_several(request) ? error
					   : complain(why, -error, "%s: %.450s", service_name(service), plain.text);
}

/* Tasks have their times. */
static int prepare_task(struct unit *unit, const struct service *service, struct complaint *ret_why)
{
	unit->run_ns = service->run_ns;
	unit->scheduled = service->kind == SERVICE_SCHEDULED;
	return unit->scheduled ? cron_parse(service->schedule, &unit->cron, ret_why) : 0;
}

static int prepare_service(
	const struct units_request *request, size_t index, uint32_t first_check, struct complaint *ret_why)
{
	const struct service *service = model_service(request->model, index);
	struct preparation *own = index == 0 ? NULL : calloc(1, sizeof *own);
	int error;

	if (index > 0 && own == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	if (own != NULL)
		set_personality(request, service, &own->personality);
	error = prepare_unit(request, &request->loop->unit[index], service,
		own != NULL ? &own->personality : request->personality, own != NULL ? &own->plan : &first_plan,
		first_check, ret_why);
	if (error == 0)
		error = prepare_task(&request->loop->unit[index], service, ret_why);
	request->loop->coordinator.unit[index].kind = service->kind;
	request->loop->coordinator.unit[index].essential = service->essential;
	return error < 0 ? blame_service(request, service, error, ret_why) : 0;
}

/* ---- what waits for targets ---- */

static size_t count_waits(const struct units_request *request)
{
	size_t count = 0;

	for (size_t i = 0; i < model_service_count(request->model); i++)
		count += model_service(request->model, i)->wait_for != NULL;
	return count;
}

/* Our own `nest-init probe`, as the service's user, and with no more than that takes. */
static struct service *make_wait(const struct service *service)
{
	struct service *wait = calloc(1, sizeof *wait);
	size_t count = 0, targets = 0;
	char *name;

	while (service->wait_for[targets] != NULL)
		targets++;
	if (wait == NULL || asprintf(&name, "%s.wait_for", service_name(service)) < 0)
		return NULL;
	service_defaults(wait);
	wait->name = name;
	wait->command = calloc(targets + 5, sizeof *wait->command);
	if (wait->command == NULL)
		return NULL;
	wait->kind = SERVICE_ONCE;
	wait->essential = service->essential;
	wait->confinement.user = service->confinement.user;
	wait->confinement.cap_given = true;
	wait->confinement.cap_drop = UINT64_MAX;
	wait->command[count++] = (char *)"/proc/self/exe";
	wait->command[count++] = (char *)"probe";
	wait->command[count++] = (char *)"--wait";
	wait->command[count++] = (char *)FOR_EVER;
	memcpy(wait->command + count, service->wait_for, targets * sizeof *wait->command);
	return wait;
}

static int prepare_wait(
	const struct units_request *request, size_t index, const struct service *service, struct complaint *ret_why)
{
	const struct service *wait = make_wait(service);
	struct preparation *own = calloc(1, sizeof *own);
	int error;

	if (wait == NULL || own == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	set_personality(request, wait, &own->personality);
	error = prepare_unit(request, &request->loop->unit[index], wait, &own->personality, &own->plan, 0, ret_why);
	request->loop->unit[index].run_ns = service->run_ns;
	request->loop->unit[index].spawn.streams[0] =
		STDERR_FILENO; /* what it says is ours: standard output is the services' */
	request->loop->coordinator.unit[index].kind = wait->kind;
	request->loop->coordinator.unit[index].essential = wait->essential;
	return error < 0 ? blame_service(request, wait, error, ret_why) : 0;
}

/* Who waits for whom: as the file says, and each service with targets for its wait. */
static int prepare_order(const struct units_request *request, struct complaint *ret_why)
{
	struct dependency_edge *edge = NULL, *longer;
	size_t count = 0, next = model_service_count(request->model);
	int error = dependencies_list(request->model, &edge, &count);

	longer = error < 0 ? NULL : realloc(edge, (count + count_waits(request) + 1) * sizeof *longer);
	if (longer == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	for (size_t i = 0; i < model_service_count(request->model); i++)
		if (model_service(request->model, i)->wait_for != NULL)
			longer[count++] = (struct dependency_edge){ (uint16_t)i, (uint16_t)next++, DEPENDS_COMPLETED };
	request->loop->coordinator.edge = longer;
	request->loop->coordinator.edge_count = count;
	return 0;
}

/* Where nobody acts on a change there is nothing to compare. A file may have secrets later; its board stays. */
static int prepare_board(const struct units_request *request)
{
	struct secret_board *board = NULL;
	int error;

	if (request->model->config == NULL || !request->loop->wants_monitor || request->loop->secrets.board != NULL)
		return 0;
	error = secret_board_make(&board);
	return error < 0 ? error : secret_rotation_prepare(&request->loop->secrets, board, request->loop);
}

static int prepare_secrets(const struct units_request *request, struct complaint *ret_why)
{
	bool may_rotate = false;
	int error;

	for (size_t i = 0; i < request->model->secret_count; i++)
		may_rotate = may_rotate || request->model->secret[i].action != SECRET_NOTHING;
	request->loop->secrets.list = (struct secret_list){ .secret = request->model->secret,
		.count = request->model->secret_count };
	error = prepare_board(request);
	if (error < 0)
		return complain(ret_why, -error, "secrets: %s", strerror(-error));
	for (size_t i = 0; i < model_service_count(request->model); i++) {
		request->loop->unit[i].may_rotate = may_rotate;
		if (model_has_secrets(request->model, i))
			request->loop->unit[i].secrets = (struct secret_source){ .list = &request->loop->secrets.list,
				.service = i,
				.board = request->loop->secrets.board };
	}
	return 0;
}

/* One service alone takes no memory but what is static. */
static int make_units(const struct units_request *request, size_t count, struct complaint *ret_why)
{
	static struct unit first_unit;
	static struct coordinate_unit first_coordinated;

	if (request->is_reload) {
		memset(&first_plan, 0, sizeof first_plan);
		memset(&first_unit, 0, sizeof first_unit);
	}
	request->loop->unit_count = request->loop->coordinator.unit_count = count;
	/* With room for what a reload may bring: what is not touched is none. */
	request->loop->unit = count == 1 ? &first_unit : calloc(MODEL_UNITS_MAX, sizeof *request->loop->unit);
	request->loop->coordinator.unit = count == 1 ? &first_coordinated
						     : calloc(MODEL_UNITS_MAX, sizeof *request->loop->coordinator.unit);
	return request->loop->unit == NULL || request->loop->coordinator.unit == NULL
		? complain(ret_why, ENOMEM, "%s", strerror(ENOMEM))
		: 0;
}

int units_prepare(const struct units_request *request, struct complaint *ret_why)
{
	const size_t services = model_service_count(request->model);
	size_t next = services;
	uint32_t check = 0;
	int error = make_units(request, services + count_waits(request), ret_why);

	if (error == 0 && is_one_of_several(request))
		error = prepare_order(request, ret_why);
	if (error == 0)
		error = prepare_secrets(request, ret_why);
	for (size_t i = 0; error == 0 && i < services; i++) {
		error = prepare_service(request, i, check, ret_why);
		check += (uint32_t)model_service(request->model, i)->check_count;
	}
	for (size_t i = 0; error == 0 && i < services; i++)
		if (model_service(request->model, i)->wait_for != NULL)
			error = prepare_wait(request, next++, model_service(request->model, i), ret_why);
	return error;
}

const char *units_name(const struct model *model, size_t index)
{
	return index < model_service_count(model) ? service_name(model_service(model, index)) : "";
}
