#include "base/config.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/config_reader.h"
#include "base/cron.h"
#include "base/option_setters.h"
#include "base/option_values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS_MAX 1000
#define SHORTEST_TIME 1000000 /* 1 ms */
#define STATUSES_SIZE 256
#define RETRIES_MAX 1000

/* ---- what a key sets ---- */

struct service *config_service(const struct config_reader *reader)
{
	return reader->service == 0 ? &reader->model->main : &reader->model->more[reader->service - 1];
}

struct config_said *config_said(const struct config_reader *reader)
{
	return &reader->config->said[reader->service];
}

/* Where the value of an option goes: what was said before it stays. That is said of the first service alone: where
 * there are others it is refused (config_check_services()). */
static struct service *service_for(const struct config_reader *reader, enum option option)
{
	return reader->said_before[option] ? &reader->ignored->main : config_service(reader);
}

static struct model *model_for(const struct config_reader *reader, enum option option)
{
	return reader->said_before[option] ? reader->ignored : reader->model;
}

/* Of a task: it is done again until it is done, within no window. */
static int set_retries(const char *text, struct restart_policy *policy, struct complaint *ret_why)
{
	int error = value_read_number(text, 0, RETRIES_MAX, (int *)&policy->attempts, ret_why);

	if (error == 0) {
		policy->kind = policy->attempts > 0 ? RESTART_ON_FAILURE : RESTART_NEVER;
		policy->window_ns = TIME_NEVER;
	}
	return error;
}

static int add_target(struct config_reader *reader, char *text, struct complaint *ret_why)
{
	struct service *service = config_service(reader);
	struct target target;
	char **longer;
	size_t count = 0;
	int error = target_parse(text, &target, ret_why);

	while (error == 0 && service->wait_for != NULL && service->wait_for[count] != NULL)
		count++;
	if (error < 0)
		return error;
	longer = realloc(service->wait_for, (count + 2) * sizeof *longer);
	if (longer == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	longer[count] = text;
	longer[count + 1] = NULL;
	service->wait_for = longer;
	return 0;
}

static int set_extra(struct config_reader *reader, enum config_extra extra, char *text, struct complaint *ret_why)
{
	struct service *service = config_service(reader);
	struct restart_policy *policy = &service->restart;
	struct cron cron;

	if (extra >= EXTRA_SECRET_FILE)
		return config_set_secret(reader, extra, text, ret_why);
	switch (extra) {
	case EXTRA_ESSENTIAL:
		return value_read_bool(text, &service->essential, ret_why);
	case EXTRA_WAIT_FOR:
		return add_target(reader, text, ret_why);
	case EXTRA_SCHEDULE:
		service->kind = SERVICE_SCHEDULED;
		service->schedule = text;
		return cron_parse(text, &cron, ret_why);
	case EXTRA_RUN_TIME:
		return value_read_duration(text, SHORTEST_TIME, &service->run_ns, ret_why);
	case EXTRA_RETRIES:
		return set_retries(text, policy, ret_why);
	case EXTRA_ATTEMPTS: /* they are a part of --restart */
		policy = &service_for(reader, OPTION_RESTART)->restart;
		return value_read_number(text, 0, ATTEMPTS_MAX, (int *)&policy->attempts, ret_why);
	case EXTRA_MAX_BACKOFF:
		return value_read_duration(text, SHORTEST_TIME, &policy->max_backoff_ns, ret_why);
	default:
		return value_read_duration(text, SHORTEST_TIME, &policy->window_ns, ret_why);
	}
}

static int refuse_second_target(const struct config_reader *reader, struct complaint *ret_why)
{
	if (reader->check->text == NULL)
		return 0;
	return complain(ret_why, EINVAL, "a check has either \"target\" or \"command\"");
}

/* The monitor, which runs no command, has those of whole words in one text. */
static int set_target(struct config_reader *reader, char *text, struct complaint *ret_why)
{
	int error = refuse_second_target(reader, ret_why);

	if (error == 0)
		error = check_set_target(text, reader->check, ret_why);
	return error < 0 || reader->input->without_commands ? error : check_refuse_quotes(reader->check, ret_why);
}

/* They are parts of --service-log. */
static int set_logging(
	struct config_reader *reader, const struct config_key *key, const char *text, struct complaint *ret_why)
{
	const enum logging_key which = key->sets == OPTION_SERVICE_LOG
		? LOGGING_FORMAT
		: (enum logging_key)(LOGGING_FILE + key->sets - EXTRA_LOGGING_FILE);

	return logging_set(which, text, &service_for(reader, OPTION_SERVICE_LOG)->logging, ret_why);
}

static int set(struct config_reader *reader, const struct config_key *key, char *text, struct complaint *ret_why)
{
	const enum option option = (enum option)key->sets;

	if (config_key_is_of_check(key) && key->sets == EXTRA_TARGET)
		return set_target(reader, text, ret_why);
	if (config_key_is_of_check(key))
		return check_set((enum check_key)key->sets, text, reader->check, ret_why);
	if (key->group == GROUP_LOGGING)
		return set_logging(reader, key, text, ret_why);
	if (key->sets >= OPTION_COUNT)
		return set_extra(reader, (enum config_extra)key->sets, text, ret_why);
	return option_set(option_rows[option].setter, text,
		option_member(option, model_for(reader, option), service_for(reader, option)), ret_why);
}

/* The same with a finding where it is refused. */
static void apply(struct config_reader *reader, const struct config_key *key, const struct json_node *node, char *text)
{
	struct complaint plain, why;

	if (text == NULL || set(reader, key, text, &plain) == 0)
		return;
	json_complain(node, &why, "%.250s", plain.text);
	config_refuse(reader, &why);
}

/* ---- values ---- */

static void read_one(
	struct config_reader *reader, const struct config_key *key, enum config_form form, const struct json_node *node)
{
	apply(reader, key, node, config_text(reader, node, form, false));
}

static void read_each(
	struct config_reader *reader, const struct config_key *key, enum config_form form, const struct json_node *node)
{
	if (json_kind(node) != JSON_ARRAY) {
		read_one(reader, key, form, node);
		return;
	}
	for (node = json_first(node); node != NULL; node = json_next(node))
		read_one(reader, key, form, node);
}

static void read_ports(struct config_reader *reader, const struct config_key *key, const struct json_node *node)
{
	static char none[] = "none";

	if (json_kind(node) == JSON_ARRAY && json_count(node) == 0)
		apply(reader, key, node, none);
	read_each(reader, key, FORM_NUMBER, node);
}

/* One text of all of them, as --expect has it. */
static void read_statuses(struct config_reader *reader, const struct config_key *key, const struct json_node *node)
{
	const struct json_node *all = node;
	char joined[STATUSES_SIZE] = "";
	struct complaint why;
	size_t length = 0;

	if (json_kind(node) != JSON_ARRAY) {
		read_one(reader, key, FORM_WORD, node);
		return;
	}
	for (node = json_first(all); node != NULL; node = json_next(node)) {
		cleanup_free char *text = config_text(reader, node, FORM_WORD, false);

		if (text == NULL)
			return;
		if (length < sizeof joined)
			length += (size_t)snprintf(
				joined + length, sizeof joined - length, "%s%s", length > 0 ? "," : "", text);
	}
	if (length > 0 && length < sizeof joined) {
		apply(reader, key, all, joined);
		return;
	}
	json_complain(all, &why, length == 0 ? "the value is empty" : "too long: use ranges (200-299)");
	config_refuse(reader, &why);
}

/* NAME:VALUE of a member. */
static void read_pair(struct config_reader *reader, const struct config_key *key, const struct json_node *node)
{
	cleanup_free char *value = config_text(reader, node, FORM_WORD, false);

	if (value != NULL)
		apply(reader, key, node,
			config_join(reader, json_key(node), config_key_is_of_check(key) ? ": " : ":", value));
}

static void read_pairs(struct config_reader *reader, const struct config_key *key, const struct json_node *node)
{
	if (json_kind(node) == JSON_ARRAY) {
		read_each(reader, key, FORM_TEXT, node);
		return;
	}
	if (!config_is_kind(reader, node, JSON_OBJECT))
		return;
	for (node = json_first(node); node != NULL; node = json_next(node))
		if (config_is_said(reader, node))
			read_pair(reader, key, node);
}

static void read_limits(struct config_reader *reader, const struct config_key *key, const struct json_node *object)
{
	if (!config_is_kind(reader, object, JSON_OBJECT))
		return;
	for (const struct json_node *node = json_first(object); node != NULL; node = json_next(node))
		if (config_is_said(reader, node))
			apply(reader, key, node, config_limit(reader, node));
}

/* The words of an exec check. */
static void set_check_command(struct config_reader *reader, const struct json_node *node, char **words)
{
	struct complaint plain, why;
	int error = refuse_second_target(reader, &plain);

	if (error == 0)
		error = check_set_command(words, reader->check, &plain);
	if (error == 0 && json_kind(node) == JSON_STRING)
		error = check_refuse_quotes(reader->check, &plain);
	if (error == 0)
		return;
	json_complain(node, &why, "%.250s", plain.text);
	config_refuse(reader, &why);
}

/* An empty pre-stop command is none. */
static void read_command(struct config_reader *reader, const struct config_key *key, const struct json_node *node)
{
	char **words = config_words(reader, node);
	struct complaint why;

	if (words == NULL)
		return;
	if (key->sets == OPTION_PRE_STOP && *words == NULL)
		return;
	if (*words == NULL || **words == '\0') {
		json_complain(node, &why, "names no command");
		config_refuse(reader, &why);
	} else if (key->group == GROUP_CHECK) {
		set_check_command(reader, node, words);
	} else if (key->sets == OPTION_PRE_STOP) {
		service_for(reader, OPTION_PRE_STOP)->stop.pre_stop = words;
	} else if (config_service(reader)->command == NULL || *config_service(reader)->command == NULL) {
		config_service(reader)->command = words;
	}
}

/* ---- objects ---- */

void config_refuse_unknown(struct config_reader *reader, enum config_group group, const struct json_node *member)
{
	const char *known[40] = { NULL }, *here = config_key_elsewhere(json_key(member));
	struct complaint why;
	size_t count = 0;

	for (size_t i = 0; i < config_key_count; i++)
		if (config_key_is_in(&config_keys[i], group))
			known[count++] = config_keys[i].name;
	if (here != NULL)
		json_complain_key(member, &why, "unknown key; did you mean \"%s\"?", here);
	else
		json_complain_unknown(member, known, &why);
	config_refuse(reader, &why);
}

static void read_value(struct config_reader *reader, const struct config_key *key, const struct json_node *node);

void config_read_object(struct config_reader *reader, enum config_group group, const struct json_node *object)
{
	if (!config_is_kind(reader, object, JSON_OBJECT))
		return;
	for (const struct json_node *member = json_first(object); member != NULL; member = json_next(member)) {
		const struct config_key *key;

		if (!config_is_said(reader, member))
			continue;
		key = config_key_find(group, json_key(member));
		if (key != NULL)
			read_value(reader, key, member);
		else
			config_refuse_unknown(reader, group, member);
	}
}

/* A string alone is the value of the first key. */
static void read_group(struct config_reader *reader, const struct config_key *key, const struct json_node *node)
{
	const struct config_key *first = config_keys;

	if ((key->flags & CONFIG_SHORT) == 0 || json_kind(node) != JSON_STRING) {
		config_read_object(reader, (enum config_group)key->sets, node);
		return;
	}
	while (first->group != key->sets)
		first++;
	read_value(reader, first, node);
}

/* ---- checks ---- */

/* What stands there is a check or a page, but for what only its whole shows. Returns false after a finding. */
static bool read_check(
	struct config_reader *reader, enum config_group group, const struct json_node *node, struct check *check)
{
	static const char first[][8] = { "target", "url" };
	const char *name = first[group == GROUP_PAGE];
	const size_t errors = reader->config->error_count, warnings = reader->config->warning_count;

	reader->check = check;
	if (json_kind(node) == JSON_STRING)
		read_one(reader, config_key_find(group, name), FORM_TEXT, node);
	else
		config_read_object(reader, group, node);
	if (reader->config->error_count > errors || reader->config->warning_count > warnings || reader->out_of_memory)
		return false;
	if (check->text == NULL) {
		struct complaint why;

		json_complain(node, &why, "\"%s\"%s is missing", name, group == GROUP_CHECK ? " or \"command\"" : "");
		config_refuse(reader, &why);
	}
	return check->text != NULL;
}

static void refuse_check(struct config_reader *reader, const struct json_node *node, const struct complaint *plain)
{
	struct complaint why;

	json_complain(node, &why, "%.250s", plain->text);
	config_refuse(reader, &why);
}

static void read_check_of(struct config_reader *reader, enum option option, const struct json_node *node)
{
	struct check check = { .kind = option == OPTION_READY ? CHECK_READY
			: option == OPTION_LIVE               ? CHECK_LIVE
							      : CHECK_STARTUP };
	struct complaint plain;

	if (read_check(reader, GROUP_CHECK, node, &check) &&
		(check_complete(&check, &plain) < 0 ||
			option_add_check(&check, service_for(reader, option), &plain) < 0))
		refuse_check(reader, node, &plain);
}

/* A string is what --metrics-merge has. */
static void read_page(struct config_reader *reader, const struct config_key *key, const struct json_node *node)
{
	struct check page = { .kind = CHECK_PAGE };
	struct complaint plain;

	if (json_kind(node) == JSON_STRING) {
		read_one(reader, key, FORM_TEXT, node);
		return;
	}
	if (read_check(reader, GROUP_PAGE, node, &page) &&
		(check_complete(&page, &plain) < 0 ||
			option_add_page(&page, model_for(reader, OPTION_METRICS_MERGE), &plain) < 0))
		refuse_check(reader, node, &plain);
}

static void read_pages(struct config_reader *reader, const struct config_key *key, const struct json_node *node)
{
	if (json_kind(node) != JSON_ARRAY) {
		read_page(reader, key, node);
		return;
	}
	for (node = json_first(node); node != NULL; node = json_next(node))
		read_page(reader, key, node);
}

static void read_checks(struct config_reader *reader, const struct config_key *key, const struct json_node *array)
{
	if (!config_is_kind(reader, array, JSON_ARRAY))
		return;
	for (const struct json_node *node = json_first(array); node != NULL; node = json_next(node))
		read_check_of(reader, (enum option)key->sets, node);
}

/* ---- the file ---- */

static void read_environment(struct config_reader *reader, const struct json_node *node)
{
	char **variables = config_variables(reader, node);

	for (; variables != NULL && *variables != NULL; variables++)
		if (option_add_variable(*variables, false, &config_service(reader)->confinement.environment) < 0)
			reader->out_of_memory = true;
}

/* What is said of the container is noted with the first service. */
static void note(struct config_reader *reader, const struct config_key *key, const struct json_node *node)
{
	const unsigned option = key->group == GROUP_LOGGING ? OPTION_SERVICE_LOG : key->sets;
	struct config_said *said = config_said(reader);

	if (!config_key_is_of_check(key) && key->form != FORM_OBJECT && option < OPTION_COUNT) {
		said->seen[option] = true;
		said->where[option] = node;
	}
}

static void read_value(struct config_reader *reader, const struct config_key *key, const struct json_node *node)
{
	note(reader, key, node);
	switch (key->form) {
	case FORM_SCHEMA:
		free(config_text(reader, node, FORM_TEXT, true));
		return;
	case FORM_OBJECT:
		read_group(reader, key, node);
		return;
	case FORM_COMMAND:
		read_command(reader, key, node);
		return;
	case FORM_PORTS:
		read_ports(reader, key, node);
		return;
	case FORM_STATUSES:
		read_statuses(reader, key, node);
		return;
	case FORM_PAIRS:
		read_pairs(reader, key, node);
		return;
	case FORM_VARIABLES:
		read_environment(reader, node);
		return;
	case FORM_LIMITS:
		read_limits(reader, key, node);
		return;
	case FORM_CHECKS:
		read_checks(reader, key, node);
		return;
	case FORM_PAGES:
		read_pages(reader, key, node);
		return;
	case FORM_SERVICES:
		if (key->sets == GROUP_TASK)
			reader->tasks = node;
		else
			config_read_services(reader, GROUP_SERVICE, node);
		return;
	case FORM_DEPENDENCIES:
		config_read_dependencies(reader, node);
		return;
	case FORM_NAMES:
		config_read_names(reader, (enum config_extra)key->sets, node);
		return;
	case FORM_SECRETS:
		config_read_secrets(reader, node);
		return;
	case FORM_ON_CHANGE:
		config_read_on_change(reader, node);
		return;
	default:
		if ((key->flags & CONFIG_LIST) != 0)
			read_each(reader, key, (enum config_form)key->form, node);
		else
			read_one(reader, key, (enum config_form)key->form, node);
	}
}

static void read_root(struct config_reader *reader, const struct json_node *root)
{
	config_read_object(reader, GROUP_ROOT, root);
	if (json_kind(root) == JSON_OBJECT && !reader->out_of_memory)
		config_check_services(reader, root);
}

int config_read(const struct config_input *input, const bool seen[static OPTION_COUNT], struct model *model,
	struct config *ret_config)
{
	struct config_reader reader = { .input = input, .config = ret_config, .said_before = seen, .model = model };
	struct complaint why;
	int error;

	reader.has_command = model->main.command != NULL && *model->main.command != NULL;
	*ret_config = (struct config){ .said_count = 1 };
	reader.ignored = calloc(1, sizeof *reader.ignored);
	ret_config->said = calloc(1, sizeof *ret_config->said);
	if (reader.ignored == NULL || ret_config->said == NULL) {
		free(reader.ignored);
		return -ENOMEM;
	}
	memcpy(ret_config->said->seen, seen, sizeof ret_config->said->seen);
	error = json_parse_repeats(input->file, input->text, input->length, &ret_config->json, &why);
	if (error == 0)
		read_root(&reader, json_root(ret_config->json));
	else if (error != -ENOMEM)
		config_refuse(&reader, &why);
	free(reader.reference);
	free(reader.ignored->main.check);
	free(reader.ignored);
	return error == -ENOMEM || reader.out_of_memory ? -ENOMEM : 0;
}

int config_complain(const struct config *config, const char *file, struct complaint *ret_why)
{
	size_t first = 0;

	while (config->finding[first].is_warning)
		first++;
	if (config->error_count == 1)
		return complain(ret_why, EINVAL, "%s", config->finding[first].why.text);
	return complain(ret_why, EINVAL, "%.420s (the first of %zu: nest-init check %s)",
		config->finding[first].why.text, config->error_count, file);
}

void config_free(struct config *config)
{
	json_free(config->json);
	free(config->said);
	free(config->finding);
}
