#include "base/options.h"

#include "base/cleanup.h"
#include "base/config.h"
#include "base/config_expand.h"
#include "base/control.h"
#include "base/memory_limit.h"
#include "base/option_setters.h"
#include "base/option_table.h"
#include "base/which_service.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *options_name(size_t index)
{
	return index < OPTION_COUNT ? option_rows[index].name : NULL;
}

/* ---- words ---- */

static int set_option(enum option option, const char *value, struct model *model, struct complaint *ret_why)
{
	return option_set(option_rows[option].setter, value, option_member(option, model, &model->main), ret_why);
}

static int unknown_option(const char *word, struct complaint *ret_why)
{
	char name[OPTION_NAME_SIZE * 2];
	enum option near;

	snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
	near = option_nearest(name);
	if (near != OPTION_COUNT)
		return complain(
			ret_why, EINVAL, "unknown option '%.200s': did you mean --%s?", word, option_rows[near].name);
	return complain(ret_why, EINVAL, "unknown option '%.200s' (nest-init --help all lists them)", word);
}

struct parse {
	struct model *model;
	bool confines_only;  /* nest-init exec, */
	const char *service; /* and whose confinement it takes; NULL: it is not said */
	bool has_command;    /* among the words */
	bool seen[OPTION_COUNT];
};

static bool is_out_of_place(const struct parse *parse, enum option option)
{
	return parse->confines_only && option > OPTION_BEST_EFFORT && option < OPTION_HELP;
}

/* Says where a bad value stands. */
static int blame(const char *dashes, const char *name, int error, struct complaint *why)
{
	struct complaint plain = *why;

	return complain(why, -error, "%s%s: %.450s", dashes, name, plain.text);
}

static bool is_service(const char *word)
{
	static const char name[] = "--service";
	const size_t length = strlen(name);

	return strncmp(word, name, length) == 0 && (word[length] == '\0' || word[length] == '=');
}

/* The one option of nest-init exec that a run has not. */
static int take_service(struct parse *parse, char ***next, struct complaint *ret_why)
{
	const char *equals = strchr(*(*next)++, '=');

	if (equals == NULL && **next == NULL)
		return complain(ret_why, EINVAL, "--service: a value is missing");
	parse->service = equals != NULL ? equals + 1 : *(*next)++;
	return 0;
}

static int take_word(struct parse *parse, char ***next, enum option *ret_option, struct complaint *ret_why)
{
	const char *word = *(*next)++, *name = word + 2, *equals = strchr(name, '=');
	enum option option = option_find(name, equals != NULL ? (size_t)(equals - name) : strlen(name));
	const char *value = equals != NULL ? equals + 1 : "yes";
	int error;

	if (option == OPTION_COUNT)
		return unknown_option(word, ret_why);
	if (is_out_of_place(parse, option))
		return complain(ret_why, EINVAL, "--%s: nest-init exec supervises nothing", option_rows[option].name);
	if (option_rows[option].value == VALUE_NONE && equals != NULL)
		return complain(ret_why, EINVAL, "--%s takes no value", option_rows[option].name);
	if (option_rows[option].value == VALUE_NEEDED && equals == NULL) {
		if (**next == NULL)
			return complain(ret_why, EINVAL, "--%s: a value is missing", option_rows[option].name);
		value = *(*next)++;
	}
	if (*value == '\0')
		return complain(ret_why, EINVAL, "--%s: the value is empty", option_rows[option].name);
	parse->seen[option] = true;
	*ret_option = option;
	error = set_option(option, value, parse->model, ret_why);
	return error < 0 ? blame("--", option_rows[option].name, error, ret_why) : 0;
}

static int parse_argv(struct parse *parse, char **argv, enum options_wish *ret_wish, struct complaint *ret_why)
{
	char **next = argv + 1;

	while (*next != NULL && (*next)[0] == '-' && (*next)[1] != '\0') {
		enum option option = OPTION_COUNT;
		int error;

		if (strcmp(*next, "--") == 0) {
			next++;
			break;
		}
		if ((*next)[1] != '-') {
			if (strcmp(*next, "-h") != 0)
				return complain(ret_why, EINVAL,
					"unknown option '%.200s' (nest-init --help all lists them)", *next);
			parse->model->main.command = next + 1;
			*ret_wish = OPTIONS_HELP;
			return 0;
		}
		error = parse->confines_only && is_service(*next) ? take_service(parse, &next, ret_why)
								  : take_word(parse, &next, &option, ret_why);
		if (error < 0)
			return error;
		if (option == OPTION_HELP || option == OPTION_VERSION) {
			parse->model->main.command = next;
			*ret_wish = option == OPTION_HELP ? OPTIONS_HELP : OPTIONS_VERSION;
			return 0;
		}
	}
	parse->model->main.command = next;
	parse->has_command = *next != NULL;
	return 0;
}

/* ---- the environment ---- */

static int set_from_variable(struct parse *parse, enum option option, const char *value, struct complaint *ret_why)
{
	char *rest, *words;
	int error = 0;

	if ((option_rows[option].flags & PARTED) == 0)
		return set_option(option, value, parse->model, ret_why);
	words = strdup(value);
	if (words == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	for (char *word = strtok_r(words, " \t\n", &rest); error == 0 && word != NULL;
		word = strtok_r(NULL, " \t\n", &rest))
		error = set_option(option, word, parse->model, ret_why);
	if (error < 0 && strpbrk(value, "'\"") != NULL) {
		const struct complaint plain = *ret_why;

		complain(ret_why, -error, "%.400s (in a variable blanks part the values, also between quotes)",
			plain.text);
	}
	return error;
}

/* True if the word stands in the name as a whole part of it: "_PORT" in "X_PORT" and in "X_PORT_80_TCP". */
static bool has_part(const char *name, size_t length, const char *part)
{
	size_t size = strlen(part);

	for (size_t i = 0; i + size <= length; i++)
		if (memcmp(name + i, part, size) == 0 && (i + size == length || name[i + size] == '_'))
			return true;
	return false;
}

/* Variables that stand under our prefix and are no options: PID 1's own for clients, and what Kubernetes sets in every
 * pod for a Service whose name begins with nest-init (NAME_SERVICE_HOST, NAME_PORT, NAME_PORT_80_TCP_ADDR ...). */
static bool is_foreign(const char *name, size_t length)
{
	static const char service[][14] = { "_SERVICE_HOST", "_SERVICE_PORT", "_PORT" };

	if (length == strlen(CONTROL_VARIABLE) && memcmp(name, CONTROL_VARIABLE, length) == 0)
		return true;
	for (size_t i = 0; i < sizeof service / sizeof service[0]; i++)
		if (has_part(name, length, service[i]))
			return true;
	return false;
}

static enum option find_variable(const char *name, size_t length)
{
	for (size_t i = 0; i < OPTION_HELP; i++) {
		char variable[OPTION_VARIABLE_SIZE];

		option_variable((enum option)i, variable);
		if (strlen(variable) == length && memcmp(variable, name, length) == 0)
			return (enum option)i;
	}
	return OPTION_COUNT;
}

static int unknown_variable(const char *name, size_t length, struct complaint *ret_why)
{
	char lower[OPTION_NAME_SIZE * 2], variable[OPTION_VARIABLE_SIZE];
	size_t count = 0;
	enum option near;

	for (size_t i = strlen(OPTION_VARIABLE_PREFIX); i < length && count < sizeof lower - 1; i++)
		lower[count++] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
	lower[count] = '\0';
	near = option_nearest(lower);
	if (near == OPTION_COUNT || near >= OPTION_HELP)
		return complain(ret_why, EINVAL,
			"unknown variable %.*s (an option of nest-init --help all, in capitals)", (int)length, name);
	option_variable(near, variable);
	return complain(ret_why, EINVAL, "unknown variable %.*s: did you mean %s?", (int)length, name, variable);
}

static int take_variable(struct parse *parse, const char *text, struct complaint *ret_why)
{
	const char *equals = strchr(text, '=');
	size_t length = equals != NULL ? (size_t)(equals - text) : strlen(text);
	char variable[OPTION_VARIABLE_SIZE];
	enum option option;
	int error;

	if (equals == NULL || is_foreign(text, length))
		return 0;
	option = find_variable(text, length);
	if (option == OPTION_COUNT)
		return unknown_variable(text, length, ret_why);
	if (parse->seen[option] || equals[1 + strspn(equals + 1, " \t\n")] == '\0' || is_out_of_place(parse, option))
		return 0; /* the option wins; an empty variable is an unset one */
	parse->seen[option] = true;
	error = set_from_variable(parse, option, equals + 1, ret_why);
	option_variable(option, variable);
	return error < 0 ? blame("", variable, error, ret_why) : 0;
}

static int parse_environment(struct parse *parse, char **env, struct complaint *ret_why)
{
	for (; *env != NULL; env++) {
		int error;

		if (strncmp(*env, OPTION_VARIABLE_PREFIX, strlen(OPTION_VARIABLE_PREFIX)) != 0)
			continue;
		error = take_variable(parse, *env, ret_why);
		if (error < 0)
			return error;
	}
	return 0;
}

/* The name that services know already: what else it may hold is theirs, or a slip that somebody has to be told of. */
static void take_foreign_level(char **env, struct confinement *confinement)
{
	static const char name[] = "SECURITY_LEVEL=";
	const size_t length = sizeof name - 1;

	while (*env != NULL && strncmp(*env, name, length) != 0)
		env++;
	if (*env == NULL)
		return;
	confinement->hardened = strcmp(*env + length, "hardened") == 0;
	if (!confinement->hardened && (*env)[length] != '\0' && strcmp(*env + length, "standard") != 0)
		confinement->foreign_level = *env + length;
}

/* What is not said itself. A capability that is added is kept, a program that is allowed comes beside COMMAND's. */
static void harden(const bool seen[static OPTION_COUNT], struct confinement *confinement)
{
	if (!seen[OPTION_CAP_DROP])
		confinement->cap_drop = UINT64_MAX;
	confinement->cap_given = true;
	if (!seen[OPTION_NO_NEW_PRIVS])
		confinement->no_new_privs = true;
	if (!seen[OPTION_SECCOMP])
		confinement->seccomp = "default";
	if (!seen[OPTION_READ_ONLY])
		confinement->read_only = READ_ONLY_AUTO;
}

static bool has_check_of_life(const struct service *service)
{
	for (size_t i = 0; i < service->check_count; i++)
		if (service->check[i].kind != CHECK_READY)
			return true;
	return false;
}

/* By kind, then by name. */
static int compare_checks(const void *a, const void *b)
{
	const struct check *left = *(const struct check *const *)a, *right = *(const struct check *const *)b;

	return left->kind != right->kind ? (int)left->kind - (int)right->kind : strcmp(left->name, right->name);
}

/* Kind and name tell a check from another in pages and metrics. */
static int check_names(const struct service *service, enum option *ret_option, struct complaint *ret_why)
{
	static const uint8_t options[] = { OPTION_LIVE, OPTION_READY, OPTION_STARTUP };
	const struct check **sorted;
	int error = 0;

	if (service->check_count < 2)
		return 0; /* a plain start allocates nothing */
	sorted = calloc(service->check_count, sizeof *sorted);
	if (sorted == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	for (size_t i = 0; i < service->check_count; i++)
		sorted[i] = &service->check[i];
	qsort(sorted, service->check_count, sizeof *sorted, compare_checks);
	for (size_t i = 1; error == 0 && i < service->check_count; i++) {
		if (compare_checks(&sorted[i - 1], &sorted[i]) != 0)
			continue;
		*ret_option = (enum option)options[sorted[i]->kind];
		error = complain(ret_why, EINVAL,
			"--%s: two checks have the name '%.200s': give one of them another (name=...)",
			check_kind_name(sorted[i]->kind), sorted[i]->name);
	}
	free(sorted);
	return error;
}

/* What is said of the HTTP pages. */
static int check_serving(const struct model *model, enum option *ret_option, struct complaint *ret_why)
{
	const bool certificate = model->tls_certificate != NULL, key = model->tls_key != NULL;

	*ret_option = OPTION_METRICS;
	if (model->listen_count == 0 && (model->users != NULL || model->tokens != NULL || certificate || key))
		return complain(ret_why, EINVAL, "--metrics-%s: nothing is served; give a --metrics",
			model->users != NULL            ? "users"
				: model->tokens != NULL ? "tokens"
				: certificate           ? "tls-cert"
							: "tls-key");
	*ret_option = certificate ? OPTION_METRICS_TLS_CERT : OPTION_METRICS_TLS_KEY;
	if (certificate && !key)
		return complain(ret_why, EINVAL,
			"--metrics-tls-cert: a certificate serves nothing without its key; give a --metrics-tls-key");
	if (key && !certificate)
		return complain(ret_why, EINVAL,
			"--metrics-tls-key: a key serves nothing without its certificate; give a --metrics-tls-cert");
	return 0;
}

/* What only the whole of a service shows. */
static int check_service(const struct service *service, enum option *ret_option, struct complaint *ret_why)
{
	const struct stop_policy *stop = &service->stop;
	const struct confinement *confinement = &service->confinement;

	*ret_option = OPTION_SECCOMP_REPORT;
	if (confinement->seccomp_report &&
		(confinement->seccomp == NULL || strcmp(confinement->seccomp, "unconfined") == 0))
		return complain(ret_why, EINVAL, "--seccomp-report: there is no filter to report on; give a --seccomp");
	*ret_option = OPTION_ON_UNHEALTHY;
	if (service->on_unhealthy != UNHEALTHY_NONE && !has_check_of_life(service))
		return complain(ret_why, EINVAL,
			"--on-unhealthy: nothing says that the service is unhealthy; give a --live or a --startup");
	*ret_option = OPTION_DRAIN;
	if (stop->drain_ns >= stop->timeout_ns)
		return complain(ret_why, EINVAL,
			"--drain takes all of --stop-timeout: the workload would be killed without a stop signal");
	*ret_option = OPTION_PRE_STOP_TIMEOUT;
	if (stop->pre_stop_timeout_ns >= stop->timeout_ns - stop->drain_ns)
		return complain(ret_why, EINVAL,
			"--drain and --pre-stop-timeout take all of --stop-timeout: the workload would be killed "
			"without a stop signal");
	return 0;
}

/* And of the container. */
static int check_container(const struct model *model, enum option *ret_option, struct complaint *ret_why)
{
	*ret_option = OPTION_METRICS_MERGE;
	if (model->merge_count > 0 && model->listen_count == 0)
		return complain(ret_why, EINVAL, "--metrics-merge: there is no page to merge into; give a --metrics");
	return check_serving(model, ret_option, ret_why);
}

/* What follows from all that is said of a service. *ret_option: which one is wrong. */
static int complete_service(const bool seen[static OPTION_COUNT], char **env, struct service *service,
	enum option *ret_option, struct complaint *ret_why)
{
	int error;

	if (!seen[OPTION_SECURITY_LEVEL])
		take_foreign_level(env, &service->confinement);
	if (service->confinement.hardened)
		harden(seen, &service->confinement);
	for (size_t i = 0; i < service->check_count; i++)
		check_inherit(&service->check[i], &service->timing, &service->expected);
	*ret_option = OPTION_SERVICE_LOG;
	if (logging_check(&service->logging, ret_why) < 0)
		return -EINVAL;
	*ret_option = OPTION_COUNT;
	error = check_names(service, ret_option, ret_why);
	return error < 0 ? error : check_service(service, ret_option, ret_why);
}

/* ---- variables for the service ---- */

/* Only for who asks for it: it costs several system calls. */
static void need_memory(const char *text, struct config_memory *memory)
{
	if (memory->total == 0 && strstr(text, CONFIG_MEMORY_PREFIX) != NULL)
		memory_limit_read(memory);
}

/* What --env has said so far; the file's come later, and are expanded by whoever reads it. */
static int expand_variables(struct model *model, struct config_input *input, struct complaint *ret_why)
{
	for (char **next = model->main.confinement.environment; next != NULL && *next != NULL; next++) {
		const int name = (int)strcspn(*next, "=");
		struct complaint plain;
		char *expanded;
		int error;

		need_memory(*next, &input->memory);
		error = config_expand(*next + name, input->env, &input->memory, &expanded, &plain);
		if (error == -ENOENT && input->unset_is_no_error)
			continue;
		if (error < 0)
			return complain(ret_why, -error, "--env: %.*s: %.300s", name, *next, plain.text);
		error = asprintf(next, "%.*s%s", name, *next, expanded);
		free(expanded);
		if (error < 0) {
			*next = NULL;
			return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
		}
	}
	return 0;
}

/* ---- the file ---- */

/* By kind, each in its order, the watchdog behind the live ones: so the monitor, which reads them again
 * (config_write()), counts them as we do. */
static int sort_checks(struct service *service)
{
	struct check *sorted = calloc(service->check_count + 1, sizeof *sorted);
	size_t count = 0;

	if (sorted == NULL)
		return -ENOMEM;
	for (enum check_kind kind = 0; kind < CHECK_KIND_COUNT; kind++)
		for (int watchdog = 0; watchdog <= 1; watchdog++)
			for (size_t i = 0; i < service->check_count; i++)
				if (service->check[i].kind == kind && check_is_watchdog(&service->check[i]) == watchdog)
					sorted[count++] = service->check[i];
	free(service->check);
	service->check = sorted;
	return 0;
}

static int complete_file(struct model *model, char **env, struct config *config)
{
	struct complaint why;
	enum option option;
	int error = check_container(model, &option, &why);

	if (error < 0)
		error = config_add(config, 0, option, why.text);
	for (size_t i = 0; error == 0 && i < config->said_count; i++) {
		struct service *service = i == 0 ? &model->main : &model->more[i - 1];

		error = complete_service(config->said[i].seen, env, service, &option, &why);
		if (error < 0 && error != -ENOMEM)
			error = config_add(config, i, option, why.text);
	}
	return error;
}

static const char *place_of(const struct config_said *said, enum option option)
{
	struct complaint place;

	if (said->where[option] == NULL)
		return NULL;
	json_complain(said->where[option], &place, "%s", "");
	return strdup(place.text);
}

/* What the start alone can judge is then blamed on the file, unless an option or a variable has said it before. */
static void keep_places(const struct parse *parse, const struct config *config)
{
	for (size_t i = 0; i < config->said_count; i++) {
		struct service *service = i == 0 ? &parse->model->main : &parse->model->more[i - 1];

		if (i > 0 || !parse->seen[OPTION_USER])
			service->user_place = place_of(&config->said[i], OPTION_USER);
		if (i > 0 || !parse->seen[OPTION_SECCOMP])
			service->seccomp_place = place_of(&config->said[i], OPTION_SECCOMP);
	}
}

/* All findings of a file whose text is there. */
static int take_file(struct parse *parse, const struct config_input *input, struct config *ret_config)
{
	struct model *model = parse->model;
	int error = config_read(input, parse->seen, model, ret_config);

	for (size_t i = 0; error == 0 && i < model_service_count(model); i++)
		error = sort_checks(i == 0 ? &model->main : &model->more[i - 1]);
	if (error < 0)
		return error;
	keep_places(parse, ret_config);
	memcpy(parse->seen, ret_config->said->seen, sizeof parse->seen);
	return ret_config->error_count > 0 ? 0 : complete_file(model, input->env, ret_config);
}

static int take_text(struct parse *parse, const struct config_input *input, struct complaint *ret_why)
{
	cleanup_config struct config config;
	int error = take_file(parse, input, &config);

	if (error < 0)
		return complain(ret_why, -error, "%s: %s", input->file, strerror(-error));
	return config.error_count > 0 ? config_complain(&config, input->file, ret_why) : 0;
}

/* Where the default file is not there nothing is said. What cannot be read is refused: it may hold protections. */
static int find_file(
	const char *default_file, struct model *model, char **ret_text, size_t *ret_length, struct complaint *ret_why)
{
	const char *file = model->config != NULL ? model->config : default_file;
	int error;

	if (file == NULL)
		return 0;
	error = json_read_text(file, CONFIG_SIZE_MAX, ret_text, ret_length, ret_why);
	if (error == -ENOENT && model->config == NULL)
		return 0;
	model->config = file;
	return error;
}

/* What the words have left open: the variables, the file, and what follows from all. */
static int finish(struct parse *parse, char **env, const char *default_file, struct complaint *ret_why)
{
	cleanup_free char *text = NULL;
	/* What is executed in place of all of them needs none of theirs. */
	struct config_input input = { .env = env, .without_commands = parse->confines_only };
	enum option option;
	int error = parse_environment(parse, env, ret_why);

	if (error == 0)
		error = expand_variables(parse->model, &input, ret_why);
	if (error == 0)
		error = find_file(default_file, parse->model, &text, &input.length, ret_why);
	if (error < 0)
		return error;
	if (text == NULL) {
		error = complete_service(parse->seen, env, &parse->model->main, &option, ret_why);
		return error < 0 ? error : check_container(parse->model, &option, ret_why);
	}
	input.file = parse->model->config;
	input.text = text;
	need_memory(text, &input.memory);
	return take_text(parse, &input, ret_why);
}

int options_parse_text(
	const char *file, const char *text, size_t length, struct model *ret_model, struct complaint *ret_why)
{
	static char *nothing[] = { NULL };
	struct parse parse = { .model = ret_model };

	model_defaults(ret_model);
	return take_text(&parse,
		&(struct config_input){
			.file = file, .text = text, .length = length, .env = nothing, .without_commands = true },
		ret_why);
}

int options_check_text(const struct config_input *input, char **env, struct model *ret_model, struct config *ret_config,
	struct complaint *ret_why)
{
	struct parse parse = { .model = ret_model };
	struct config_input seen = *input;
	int error;

	model_defaults(ret_model);
	error = parse_environment(&parse, env, ret_why);
	if (error == 0)
		error = expand_variables(ret_model, &seen, ret_why);
	if (error < 0)
		return error;
	error = take_file(&parse, input, ret_config);
	return error < 0 ? complain(ret_why, -error, "%s: %s", input->file, strerror(-error)) : 0;
}

static bool confines(const struct confinement *confinement)
{
	return confinement->user != NULL || confinement->cap_given || confinement->securebits != 0 ||
		confinement->seccomp != NULL || confinement->read_only != READ_ONLY_OFF ||
		confinement->tmpfs.count > 0 || confinement->exec_allow.count > 0 || confinement->tcp_bind.given ||
		confinement->tcp_connect.given;
}

int options_parse_environment(char **env, struct model *ret_model, struct complaint *ret_why)
{
	struct parse parse = { .model = ret_model };
	int error;

	model_defaults(ret_model);
	ret_model->main.confinement.no_new_privs = false;
	error = finish(&parse, env, NULL, ret_why);
	if (error == 0 && !parse.seen[OPTION_NO_NEW_PRIVS])
		ret_model->main.confinement.no_new_privs = confines(&ret_model->main.confinement);
	return error;
}

static int parse_all(struct parse *parse, char **argv, char **env, const char *default_file,
	enum options_wish *ret_wish, struct complaint *ret_why)
{
	int error;

	model_defaults(parse->model);
	*ret_wish = OPTIONS_RUN;
	error = parse_argv(parse, argv, ret_wish, ret_why);
	if (error < 0 || *ret_wish != OPTIONS_RUN)
		return error;
	return finish(parse, env, default_file, ret_why);
}

static int need_command(char **command, const char *subcommand, struct complaint *ret_why)
{
	if (command != NULL && *command != NULL)
		return 0;
	return complain(ret_why, EINVAL, "no command given: nest-init %s[OPTION...] [--] COMMAND [ARG...]", subcommand);
}

int options_parse(char **argv, char **env, const char *default_file, struct model *ret_model,
	enum options_wish *ret_wish, struct complaint *ret_why)
{
	int error = parse_all(&(struct parse){ .model = ret_model }, argv, env, default_file, ret_wish, ret_why);

	if (error < 0 || *ret_wish != OPTIONS_RUN)
		return error;
	return need_command(ret_model->main.command, "", ret_why);
}

int options_parse_exec(char **argv, char **env, const char *default_file, struct model *ret_model, size_t *ret_service,
	enum options_wish *ret_wish, struct complaint *ret_why)
{
	struct parse parse = { .model = ret_model, .confines_only = true };
	int error = parse_all(&parse, argv, env, default_file, ret_wish, ret_why);

	if (error < 0 || *ret_wish != OPTIONS_RUN)
		return error;
	error = which_service(ret_model, parse.service, ret_service, ret_why);
	if (error < 0)
		return error;
	if (parse.has_command && *ret_service > 0)
		ret_model->more[*ret_service - 1].command = ret_model->main.command;
	return need_command(model_service(ret_model, *ret_service)->command, "exec ", ret_why);
}
