/* The services and tasks of the configuration file, and whom they name. */
#include "base/config_reader.h"

#include "base/cleanup.h"
#include "base/dependencies.h"
#include "base/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE_NAME_MAX 63

/* ---- services and tasks ---- */

static bool is_service_name(const char *name)
{
	const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return length > 0 && name[length] == '\0' && length <= SERVICE_NAME_MAX;
}

/* How many there are; the first has its place before it is read. */
static size_t count_of(const struct config_reader *reader)
{
	return reader->model->main.name == NULL ? 0 : 1 + reader->model->more_count;
}

static bool is_taken(const struct config_reader *reader, const char *name)
{
	for (size_t i = 0; i < count_of(reader); i++)
		if (strcmp(model_service(reader->model, i)->name, name) == 0)
			return true;
	return false;
}

static int make_room(struct config_reader *reader)
{
	struct config *config = reader->config;
	struct model *model = reader->model;
	struct service *more = realloc(model->more, (model->more_count + 1) * sizeof *more);
	struct config_said *said;

	if (more == NULL)
		return -ENOMEM;
	model->more = more;
	said = realloc(config->said, (config->said_count + 1) * sizeof *said);
	if (said == NULL)
		return -ENOMEM;
	config->said = said;
	memset(&said[config->said_count++], 0, sizeof *said);
	memset(&more[model->more_count], 0, sizeof *more);
	service_defaults(&more[model->more_count]);
	reader->service = ++model->more_count;
	return 0;
}

/* The next one is the one that is being read from now on. */
static bool begin_service(struct config_reader *reader, const char *name)
{
	char *copy = strdup(name);
	int error = copy == NULL ? -ENOMEM : 0;

	if (error == 0 && count_of(reader) > 0)
		error = make_room(reader);
	reader->out_of_memory = reader->out_of_memory || error < 0;
	if (error == 0)
		config_service(reader)->name = copy;
	return error == 0;
}

static void read_service(struct config_reader *reader, enum config_group group, const struct json_node *node)
{
	struct service *service;

	if (!begin_service(reader, json_key(node)))
		return;
	service = config_service(reader);
	if (group == GROUP_TASK)
		service->kind = SERVICE_ONCE;
	config_read_object(reader, group, node);
	service = config_service(reader);
	if (json_kind(node) == JSON_OBJECT && json_member(node, "schedule") != NULL &&
		(json_member(node, "before") != NULL || json_member(node, "after") != NULL))
		config_refuse_key(reader, json_member(node, "schedule"),
			"a task has a time of its own, or others that it is before or after");
	else if (json_kind(node) == JSON_OBJECT && json_member(node, "before") != NULL &&
		json_member(node, "after") != NULL)
		config_refuse_key(reader, json_member(node, "after"), "a task is before others or after them");
	if (service->kind == SERVICE_AFTER || service->kind == SERVICE_SCHEDULED)
		service->essential = service->essential && json_kind(node) == JSON_OBJECT &&
			json_member(node, "essential") != NULL;
}

void config_read_services(struct config_reader *reader, enum config_group group, const struct json_node *object)
{
	struct complaint why;
	size_t count = 0;

	if (!config_is_kind(reader, object, JSON_OBJECT))
		return;
	for (const struct json_node *node = json_first(object); node != NULL && !reader->out_of_memory;
		node = json_next(node)) {
		if (!config_is_said(reader, node))
			continue;
		count++;
		if (!is_service_name(json_key(node))) {
			json_complain_key(
				node, &why, "a name has letters, digits, _ . and -, %d at the most", SERVICE_NAME_MAX);
			config_refuse(reader, &why);
		} else if (is_taken(reader, json_key(node))) {
			config_refuse_key(reader, node, "a service has this name already");
		} else if (count_of(reader) == MODEL_SERVICES_MAX) {
			json_complain_key(node, &why, "more than %d services and tasks", MODEL_SERVICES_MAX);
			config_refuse(reader, &why);
			return;
		} else {
			read_service(reader, group, node);
		}
	}
	if (count == 0 && group == GROUP_SERVICE)
		config_refuse_value(reader, object, "expected a service");
}

/* ---- names ---- */

/* Returns 0, or -EINVAL with a sentence. */
static int get_condition(
	const struct json_node *node, enum dependency_condition *ret_condition, struct complaint *ret_why)
{
	static const char conditions[][10] = { "started", "ready", "completed" };
	const char *text = "";
	int error = json_get_string(node, &text, ret_why);

	for (size_t i = 0; error == 0 && i < sizeof conditions / sizeof conditions[0]; i++) {
		if (strcmp(conditions[i], text) == 0) {
			*ret_condition = (enum dependency_condition)i;
			return 0;
		}
	}
	return error < 0 ? error : json_complain(node, ret_why, "'%.100s': expected started, ready or completed", text);
}

static void refer(struct config_reader *reader, const struct json_node *node, const char *name,
	enum dependency_condition condition, bool before)
{
	struct config_reference *longer = realloc(reader->reference, (reader->reference_count + 1) * sizeof *longer);

	if (longer == NULL) {
		reader->out_of_memory = true;
		return;
	}
	reader->reference = longer;
	longer[reader->reference_count++] = (struct config_reference){ .node = node,
		.name = name,
		.service = reader->service,
		.condition = condition,
		.before = before,
		.secret = reader->secret };
}

static void refer_to_each(
	struct config_reader *reader, const struct json_node *node, enum dependency_condition condition, bool before)
{
	const struct json_node *name = json_kind(node) == JSON_ARRAY ? json_first(node) : node;
	struct complaint why;
	const char *text;

	for (; name != NULL; name = name == node ? NULL : json_next(name)) {
		if (json_get_string(name, &text, &why) == 0)
			refer(reader, name, text, condition, before);
		else
			config_refuse(reader, &why);
	}
}

/* As Compose has it too: {"condition": "ready"}. */
static void read_condition(struct config_reader *reader, const struct json_node *member)
{
	const struct json_node *node = member;
	enum dependency_condition condition = DEPENDS_STARTED;
	struct complaint why;
	int error = 0;

	if (json_kind(member) == JSON_OBJECT) {
		static const char *const known[] = { "condition", NULL };

		error = json_known_keys(member, known, &why);
		node = json_member(member, "condition");
		if (error == 0 && node == NULL)
			error = json_complain(member, &why, "\"condition\" is missing");
	}
	if (error == 0)
		error = get_condition(node, &condition, &why);
	if (error < 0)
		config_refuse(reader, &why);
	else
		refer(reader, member, json_key(member), condition, false);
}

void config_read_dependencies(struct config_reader *reader, const struct json_node *node)
{
	if (json_kind(node) != JSON_OBJECT) {
		refer_to_each(reader, node, DEPENDS_STARTED, false);
		return;
	}
	for (node = json_first(node); node != NULL; node = json_next(node))
		if (config_is_said(reader, node))
			read_condition(reader, node);
}

void config_read_names(struct config_reader *reader, enum config_extra extra, const struct json_node *node)
{
	if (extra == EXTRA_AFTER)
		config_service(reader)->kind = SERVICE_AFTER;
	refer_to_each(reader, node, extra == EXTRA_AFTER ? DEPENDS_STOPPED : DEPENDS_COMPLETED, extra == EXTRA_BEFORE);
}

/* ---- once all are read ---- */

static int find_service(const struct config_reader *reader, const char *name, size_t *ret_index)
{
	for (size_t i = 0; i < count_of(reader); i++) {
		if (strcmp(model_service(reader->model, i)->name, name) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	return -ENOENT;
}

static void refuse_reference(
	struct config_reader *reader, const struct config_reference *reference, const char *sentence)
{
	if (json_key(reference->node) != NULL)
		config_refuse_key(reader, reference->node, sentence);
	else
		config_refuse_value(reader, reference->node, sentence);
}

static void refuse_name(struct config_reader *reader, const struct config_reference *reference)
{
	size_t best_distance = NEAREST_DISTANCE + 1;
	const char *best = NULL;
	char sentence[256];

	for (size_t i = 0; i < count_of(reader); i++) {
		const char *name = model_service(reader->model, i)->name;

		if (nearest_is_nearer(reference->name, name, &best_distance))
			best = name;
	}
	if (2 * best_distance > strlen(reference->name)) /* of a short name little is left after three changes */
		best = NULL;
	snprintf(sentence, sizeof sentence, "there is no service or task \"%.64s\"%s%s%s", reference->name,
		best != NULL ? "; did you mean \"" : "", best != NULL ? best : "", best != NULL ? "\"?" : "");
	refuse_reference(reader, reference, sentence);
}

static int add_dependency(struct service *service, size_t on, enum dependency_condition condition)
{
	struct dependency *longer = realloc(service->depends_on, (service->depends_on_count + 1) * sizeof *longer);

	if (longer == NULL)
		return -ENOMEM;
	service->depends_on = longer;
	longer[service->depends_on_count++] = (struct dependency){ (uint16_t)on, condition };
	return 0;
}

/* Nobody but another one of them can wait for a task for the end; and a task on a schedule waits for its next time. */
static bool is_never_met(const struct model *model, size_t unit, size_t on, enum dependency_condition condition)
{
	if (model_service(model, on)->kind == SERVICE_AFTER)
		return model_service(model, unit)->kind != SERVICE_AFTER;
	return model_service(model, on)->kind == SERVICE_SCHEDULED &&
		(condition == DEPENDS_READY || condition == DEPENDS_COMPLETED);
}

static void resolve(struct config_reader *reader, const struct config_reference *reference)
{
	size_t other, unit = reference->service, on;

	if (find_service(reader, reference->name, &other) < 0) {
		refuse_name(reader, reference);
		return;
	}
	if (reference->secret > 0) {
		reader->model->secret[reference->secret - 1].services[other / 64] |= UINT64_C(1) << other % 64;
		return;
	}
	on = reference->before ? unit : other;
	unit = reference->before ? other : unit;
	if (is_never_met(reader->model, unit, on, reference->condition)) {
		refuse_reference(reader, reference,
			"this can never be: a task for the end has its turn in a stop, and one on a schedule is never "
			"done");
		return;
	}
	reader->service = unit;
	if (add_dependency(config_service(reader), on, reference->condition) < 0)
		reader->out_of_memory = true;
}

/* "a, b, a" */
static void write_circle(const struct model *model, const uint16_t *circle, size_t count, size_t size, char *ret_text)
{
	size_t at = 0;

	for (size_t i = 0; i <= count && at < size; i++)
		at += (size_t)snprintf(ret_text + at, size - at, "%s%s", i > 0 ? " -> " : "",
			model_service(model, circle[i % count])->name);
}

static void refuse_circle(struct config_reader *reader, const struct json_node *root)
{
	cleanup_free struct dependency_edge *edge = NULL;
	const size_t services = count_of(reader);
	uint16_t circle[MODEL_SERVICES_MAX];
	struct complaint why;
	size_t count, length;
	char names[200];

	if (dependencies_list(reader->model, &edge, &count) < 0) {
		reader->out_of_memory = true;
		return;
	}
	length = dependencies_find_circle(edge, count, services, circle);
	if (length == 0)
		return;
	write_circle(reader->model, circle, length, sizeof names, names);
	json_complain(root, &why, "services depend on each other in a circle: %s", names);
	config_refuse(reader, &why);
}

/* What options and variables say is one service's; of several nobody could tell whose. */
static void refuse_options(struct config_reader *reader, const struct json_node *root)
{
	struct complaint why;

	if (count_of(reader) < 2)
		return;
	for (enum option option = 0; option < OPTION_COUNT; option++) {
		if (!reader->said_before[option] || (option_rows[option].flags & WHOLE) != 0)
			continue;
		json_complain(root, &why, "--%s is one service's, and here are several: say it in the file",
			option_rows[option].name);
		config_refuse(reader, &why);
	}
}

/* What is wrong with one that is said has been told. */
static bool says_command(const struct json_node *root, const char *name)
{
	static const char groups[][9] = { "services", "tasks" };

	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
		const struct json_node *group = json_member(root, groups[i]);
		const struct json_node *node = group != NULL ? json_member(group, name) : NULL;

		if (node != NULL && json_member(node, "command") != NULL)
			return true;
	}
	return false;
}

/* The command line has none for several; and one that it has is nobody's. */
static void refuse_commands(struct config_reader *reader, const struct json_node *root)
{
	struct complaint why;

	if (count_of(reader) < 2 || reader->input->without_commands)
		return;
	if (reader->has_command)
		config_refuse_value(reader, root, "several services, and a command on the command line: whose is it?");
	for (size_t i = 0; i < count_of(reader); i++) {
		const struct service *service = model_service(reader->model, i);

		if ((service->command != NULL && *service->command != NULL) || says_command(root, service->name))
			continue;
		json_complain(root, &why, "\"command\" of %s is missing", service->name);
		config_refuse(reader, &why);
	}
}

/* The monitor answers for one filter, and hears one service. */
static void refuse_second(struct config_reader *reader, const struct json_node *root)
{
	const struct service *reported = model_reported(reader->model), *speaker = model_speaker(reader->model);

	for (size_t i = 0; i < count_of(reader); i++) {
		const struct service *service = model_service(reader->model, i);
		const struct json_node *const *where = reader->config->said[i].where;
		const struct json_node *node = where[OPTION_READY] != NULL ? where[OPTION_READY] : root;

		if (service->confinement.seccomp_report && service != reported)
			config_refuse_value(reader, where[OPTION_SECCOMP_REPORT],
				"one service of a container can be reported on, and another one is");
		if (service_wants_notify(service) && service != speaker)
			config_refuse_value(reader, where[OPTION_WATCHDOG] != NULL ? where[OPTION_WATCHDOG] : node,
				"one service of a container can speak for itself, and another one does");
	}
}

void config_check_services(struct config_reader *reader, const struct json_node *root)
{
	struct complaint why;

	if (reader->tasks != NULL)
		config_read_services(reader, GROUP_TASK, reader->tasks);
	for (size_t i = 0; i < reader->reference_count; i++)
		resolve(reader, &reader->reference[i]);
	reader->service = 0;
	if (json_member(root, "services") == NULL && json_member(root, "tasks") == NULL)
		config_refuse_value(reader, root, "\"services\" is missing");
	if (reader->out_of_memory || count_of(reader) == 0)
		return;
	refuse_circle(reader, root);
	refuse_options(reader, root);
	refuse_commands(reader, root);
	refuse_second(reader, root);
	config_check_secrets(reader, root);
	if (model_check_count(reader->model) > MODEL_CHECKS_MAX) {
		json_complain(root, &why, "more than %d checks in all", MODEL_CHECKS_MAX);
		config_refuse(reader, &why);
	}
}
