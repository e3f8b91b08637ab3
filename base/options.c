#include "base/options.h"

#include "base/control.h"
#include "base/option_setters.h"
#include "base/option_table.h"

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
	const struct option_row *row = &option_rows[option];

	return option_set(row->setter, value, (char *)model + row->member, ret_why);
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
	bool confines_only; /* nest-init exec */
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
			parse->model->command = next + 1;
			*ret_wish = OPTIONS_HELP;
			return 0;
		}
		error = take_word(parse, &next, &option, ret_why);
		if (error < 0)
			return error;
		if (option == OPTION_HELP || option == OPTION_VERSION) {
			parse->model->command = next;
			*ret_wish = option == OPTION_HELP ? OPTIONS_HELP : OPTIONS_VERSION;
			return 0;
		}
	}
	parse->model->command = next;
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
	if (parse->seen[option] || equals[1] == '\0' || is_out_of_place(parse, option))
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

/* The name that services know already; what else it may hold is theirs. */
static bool has_hardened_variable(char **env)
{
	while (*env != NULL && strcmp(*env, "SECURITY_LEVEL=hardened") != 0)
		env++;
	return *env != NULL;
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

static bool has_check_of_life(const struct model *model)
{
	for (size_t i = 0; i < model->check_count; i++)
		if (model->check[i].kind != CHECK_READY)
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
static int check_names(const struct model *model, struct complaint *ret_why)
{
	const struct check **sorted = calloc(model->check_count + 1, sizeof *sorted);
	int error = 0;

	if (sorted == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	for (size_t i = 0; i < model->check_count; i++)
		sorted[i] = &model->check[i];
	qsort(sorted, model->check_count, sizeof *sorted, compare_checks);
	for (size_t i = 1; error == 0 && i < model->check_count; i++)
		if (compare_checks(&sorted[i - 1], &sorted[i]) == 0)
			error = complain(ret_why, EINVAL,
				"--%s: two checks have the name '%.200s': give one of them another (name=...)",
				check_kind_name(sorted[i]->kind), sorted[i]->name);
	free(sorted);
	return error;
}

/* What only the whole of it shows. */
static int check_together(const struct model *model, struct complaint *ret_why)
{
	const struct stop_policy *stop = &model->stop;
	const struct confinement *confinement = &model->confinement;

	if (confinement->seccomp_report &&
		(confinement->seccomp == NULL || strcmp(confinement->seccomp, "unconfined") == 0))
		return complain(ret_why, EINVAL, "--seccomp-report: there is no filter to report on; give a --seccomp");
	if (model->merge_count > 0 && model->listen_count == 0)
		return complain(ret_why, EINVAL, "--metrics-merge: there is no page to merge into; give a --metrics");
	if (model->on_unhealthy != UNHEALTHY_NONE && !has_check_of_life(model))
		return complain(ret_why, EINVAL,
			"--on-unhealthy: nothing says that the service is unhealthy; give a --live or a --startup");
	if (stop->drain_ns >= stop->timeout_ns)
		return complain(ret_why, EINVAL,
			"--drain takes all of --stop-timeout: the workload would be killed without a stop signal");
	if (stop->pre_stop_timeout_ns >= stop->timeout_ns - stop->drain_ns)
		return complain(ret_why, EINVAL,
			"--drain and --pre-stop-timeout take all of --stop-timeout: the workload would be killed "
			"without a stop signal");
	return 0;
}

/* What the words have left open: the variables, and what follows from both. */
static int finish(struct parse *parse, char **env, struct complaint *ret_why)
{
	struct model *model = parse->model;
	int error = parse_environment(parse, env, ret_why);

	if (error < 0)
		return error;
	if (!parse->seen[OPTION_SECURITY_LEVEL])
		model->confinement.hardened = has_hardened_variable(env);
	if (model->confinement.hardened)
		harden(parse->seen, &model->confinement);
	for (size_t i = 0; i < model->check_count; i++)
		check_inherit(&model->check[i], &model->timing, &model->expected);
	error = check_names(model, ret_why);
	return error < 0 ? error : check_together(model, ret_why);
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
	ret_model->confinement.no_new_privs = false;
	error = finish(&parse, env, ret_why);
	if (error == 0 && !parse.seen[OPTION_NO_NEW_PRIVS])
		ret_model->confinement.no_new_privs = confines(&ret_model->confinement);
	return error;
}

static int parse_all(
	struct parse *parse, char **argv, char **env, enum options_wish *ret_wish, struct complaint *ret_why)
{
	int error;

	model_defaults(parse->model);
	*ret_wish = OPTIONS_RUN;
	error = parse_argv(parse, argv, ret_wish, ret_why);
	if (error < 0 || *ret_wish != OPTIONS_RUN)
		return error;
	error = finish(parse, env, ret_why);
	if (error < 0)
		return error;
	if (*parse->model->command == NULL)
		return complain(ret_why, EINVAL, "no command given: nest-init %s[OPTION...] [--] COMMAND [ARG...]",
			parse->confines_only ? "exec " : "");
	return 0;
}

int options_parse(
	char **argv, char **env, struct model *ret_model, enum options_wish *ret_wish, struct complaint *ret_why)
{
	return parse_all(&(struct parse){ .model = ret_model }, argv, env, ret_wish, ret_why);
}

int options_parse_exec(
	char **argv, char **env, struct model *ret_model, enum options_wish *ret_wish, struct complaint *ret_why)
{
	return parse_all(&(struct parse){ .model = ret_model, .confines_only = true }, argv, env, ret_wish, ret_why);
}
