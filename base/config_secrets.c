/* The secrets of the configuration file: where they lie, who gets them, and what a change means. */
#include "base/config_reader.h"

#include "base/option_values.h"
#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct secret *current(const struct config_reader *reader)
{
	return &reader->model->secret[reader->secret - 1];
}

/* ---- one value ---- */

static int set_path(struct secret *secret, const char *path, bool is_directory, struct complaint *ret_why)
{
	if (secret->path != NULL)
		return complain(ret_why, EINVAL, "a secret is a file or a directory, not both");
	if (strlen(path) >= TARGET_PATH_SIZE)
		return complain(ret_why, ENAMETOOLONG, "'%.40s...': too long", path);
	secret->is_directory = is_directory;
	return value_read_path(path, &secret->path, ret_why);
}

static int set_form(struct secret *secret, const char *text, struct complaint *ret_why)
{
	if (strcmp(text, "environment") != 0 && strcmp(text, "file") != 0)
		return complain(ret_why, EINVAL, "'%.100s': expected environment or file", text);
	secret->form = *text == 'f' ? SECRET_MEMORY : SECRET_VARIABLE;
	return 0;
}

static int set_action(struct secret *secret, const char *text, struct complaint *ret_why)
{
	for (enum secret_action action = SECRET_NOTHING; action < SECRET_SIGNAL; action++) {
		if (strcmp(text, secret_action_name(action)) == 0) {
			secret->action = action;
			return 0;
		}
	}
	secret->action = SECRET_SIGNAL;
	if (value_read_signal(text, &secret->signal, ret_why) == 0)
		return 0;
	return complain(ret_why, EINVAL,
		"'%.100s': expected none, restart, rolling, a signal, such as HUP, or an object with a \"command\"",
		text);
}

int config_set_secret(
	struct config_reader *reader, enum config_extra extra, const char *text, struct complaint *ret_why)
{
	struct secret *secret = current(reader);

	if (extra == EXTRA_SECRET_AS)
		return set_form(secret, text, ret_why);
	if (extra == EXTRA_SECRET_ACTION)
		return set_action(secret, text, ret_why);
	return set_path(secret, text, extra == EXTRA_SECRET_DIRECTORY, ret_why);
}

static void read_command(struct config_reader *reader, const struct json_node *node)
{
	char **words = config_words(reader, node);

	if (words != NULL && (*words == NULL || **words == '\0'))
		config_refuse_value(reader, node, "names no command");
	current(reader)->action = SECRET_COMMAND;
	current(reader)->command = words;
}

void config_read_on_change(struct config_reader *reader, const struct json_node *node)
{
	static const char *const known[] = { "command", NULL };
	const struct json_node *command;
	struct complaint plain, why;
	char *text;

	if (json_kind(node) != JSON_OBJECT) {
		text = config_text(reader, node, FORM_WORD, false);
		if (text != NULL && set_action(current(reader), text, &plain) < 0) {
			json_complain(node, &why, "%.250s", plain.text);
			config_refuse(reader, &why);
		}
		return;
	}
	command = json_member(node, "command");
	for (const struct json_node *member = json_first(node); member != NULL; member = json_next(member)) {
		if (!config_is_said(reader, member) || member == command)
			continue;
		json_complain_unknown(member, known, &why);
		config_refuse(reader, &why);
	}
	if (command != NULL)
		read_command(reader, command);
	else
		config_refuse_value(reader, node, "\"command\" is missing");
}

/* ---- one secret ---- */

static int make_room(struct config_reader *reader, const char *name)
{
	struct model *model = reader->model;
	struct secret *more = realloc(model->secret, (model->secret_count + 1) * sizeof *more);
	char *copy = more != NULL ? strdup(name) : NULL;

	if (more != NULL)
		model->secret = more;
	if (copy == NULL)
		return -ENOMEM;
	more[model->secret_count++] = (struct secret){ .name = copy };
	reader->secret = model->secret_count;
	return 0;
}

static void read_secret(struct config_reader *reader, const struct json_node *node)
{
	const struct json_node *services = json_kind(node) == JSON_OBJECT ? json_member(node, "services") : NULL;
	const size_t errors = reader->config->error_count, warnings = reader->config->warning_count;
	struct complaint plain, why;
	char *text;

	if (make_room(reader, json_key(node)) < 0) {
		reader->out_of_memory = true;
		return;
	}
	if (json_kind(node) == JSON_STRING) {
		text = config_text(reader, node, FORM_TEXT, false);
		if (text != NULL && set_path(current(reader), text, false, &plain) < 0) {
			json_complain(node, &why, "%.250s", plain.text);
			config_refuse(reader, &why);
		}
	} else {
		config_read_object(reader, GROUP_SECRET, node);
	}
	if (services != NULL && json_kind(services) == JSON_ARRAY && json_count(services) == 0)
		config_refuse_value(reader, services, "expected a service; without this key all services get it");
	if (reader->config->error_count > errors || reader->config->warning_count > warnings)
		return;
	if (current(reader)->path == NULL)
		config_refuse_value(reader, node, "\"file\" is missing, or \"directory\"");
}

void config_read_secrets(struct config_reader *reader, const struct json_node *object)
{
	struct complaint why;

	if (!config_is_kind(reader, object, JSON_OBJECT))
		return;
	for (const struct json_node *node = json_first(object); node != NULL && !reader->out_of_memory;
		node = json_next(node)) {
		if (!config_is_said(reader, node))
			continue;
		if (!secret_names_variable(json_key(node))) {
			config_refuse_key(reader, node,
				"the name of a variable has letters, digits and _, and begins with no digit");
		} else if (reader->model->secret_count == MODEL_SECRETS_MAX) {
			json_complain_key(node, &why, "more than %d secrets", MODEL_SECRETS_MAX);
			config_refuse(reader, &why);
			break;
		} else {
			read_secret(reader, node);
		}
	}
	reader->secret = 0;
}

/* ---- once all are read ---- */

static bool is_set(char **environment, const char *name)
{
	const size_t length = strlen(name);

	for (; environment != NULL && *environment != NULL; environment++)
		if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
			return true;
	return false;
}

/* A variable has one value. */
static void check_secret(struct config_reader *reader, const struct secret *secret, const struct json_node *member)
{
	struct complaint why;

	for (size_t i = 0; i < model_service_count(reader->model) && !secret->is_directory; i++) {
		const struct service *service = model_service(reader->model, i);

		if (!secret_is_for(secret, i) || !is_set(service->confinement.environment, secret->name))
			continue;
		json_complain_key(
			member, &why, "%s has this variable in its \"environment\" already", service_name(service));
		config_refuse(reader, &why);
	}
}

void config_check_secrets(struct config_reader *reader, const struct json_node *root)
{
	const struct json_node *object = json_member(root, "secrets");

	for (size_t i = 0; i < reader->model->secret_count; i++) {
		const struct secret *secret = &reader->model->secret[i];
		const struct json_node *member = json_member(object, secret->name);

		if (member != NULL)
			check_secret(reader, secret, member);
	}
}
