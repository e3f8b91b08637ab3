/* How the values of the configuration file become texts, which the setters of options read. */
#include "base/config_reader.h"

#include "base/cleanup.h"
#include "base/config_expand.h"
#include "base/size.h"
#include "base/words.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MEMBERS_MAX 4096 /* each is compared with those before it */
#define NUMBER_SIZE 24

/* ---- findings ---- */

static int add_finding(struct config *config, bool is_warning, const struct complaint *why)
{
	struct config_finding *larger;

	config->error_count += !is_warning;
	config->warning_count += is_warning;
	if (config->finding_count == CONFIG_FINDINGS_MAX)
		return 0;
	larger = realloc(config->finding, (config->finding_count + 1) * sizeof *larger);
	if (larger == NULL)
		return -ENOMEM;
	larger[config->finding_count++] = (struct config_finding){ is_warning, *why };
	config->finding = larger;
	return 0;
}

void config_refuse(struct config_reader *reader, const struct complaint *why)
{
	if (add_finding(reader->config, false, why) < 0)
		reader->out_of_memory = true;
}

void config_refuse_value(struct config_reader *reader, const struct json_node *node, const char *sentence)
{
	struct complaint why;

	json_complain(node, &why, "%s", sentence);
	config_refuse(reader, &why);
}

void config_refuse_key(struct config_reader *reader, const struct json_node *member, const char *sentence)
{
	struct complaint why;

	json_complain_key(member, &why, "%s", sentence);
	config_refuse(reader, &why);
}

/* The key stands before it already. */
static const char *without_option(enum option option, const char *sentence)
{
	const char *name = option_rows[option].name;
	const size_t length = strlen(name);

	return strncmp(sentence, "--", 2) == 0 && strncmp(sentence + 2, name, length) == 0 &&
			strncmp(sentence + 2 + length, ": ", 2) == 0
		? sentence + length + 4
		: sentence;
}

static int add_at(struct config *config, bool is_warning, size_t service, enum option option, const char *sentence)
{
	const struct json_node *node = option < OPTION_COUNT ? config->said[service].where[option] : NULL;
	struct complaint why;

	if (node != NULL)
		sentence = without_option(option, sentence);
	if (node != NULL)
		json_complain(node, &why, "%.250s", sentence);
	else
		complain(&why, EINVAL, "%s", sentence);
	return add_finding(config, is_warning, &why);
}

int config_add(struct config *config, size_t service, enum option option, const char *sentence)
{
	return add_at(config, false, service, option, sentence);
}

int config_warn(struct config *config, size_t service, enum option option, const char *sentence)
{
	return add_at(config, true, service, option, sentence);
}

void *config_allocate(struct config_reader *reader, size_t size)
{
	void *memory = calloc(1, size);

	reader->out_of_memory = reader->out_of_memory || memory == NULL;
	return memory;
}

bool config_is_kind(struct config_reader *reader, const struct json_node *node, enum json_kind kind)
{
	struct complaint why;
	int error = json_expect(node, kind, &why);

	if (error == 0 && json_count(node) > MEMBERS_MAX)
		error = json_complain(node, &why, "more than %d values", MEMBERS_MAX);
	if (error < 0)
		config_refuse(reader, &why);
	return error == 0;
}

bool config_is_said(struct config_reader *reader, const struct json_node *member)
{
	struct complaint why;

	if (strncmp(json_key(member), "//", 2) == 0)
		return false;
	if (!json_is_repeated(member))
		return true;
	json_complain_key(member, &why, "the key is there twice");
	config_refuse(reader, &why);
	return false;
}

/* ---- one value ---- */

static const struct {
	bool string, number, flag;
	char expected[40];
} accepted[] = {
	[FORM_TEXT] = { true, false, false, "a string" },
	[FORM_WORD] = { true, true, false, "a string or an integer" },
	[FORM_TIME] = { true, false, false, "a duration in quotes, such as \"1m30s\"" },
	[FORM_NUMBER] = { false, true, false, "an integer" },
	[FORM_FLAG] = { false, false, true, "true or false" },
	[FORM_MODE] = { true, false, true, "true, false or a string" },
	[FORM_PERCENT] = { true, true, false, "an integer, or a string such as \"10%\"" },
};
static_assert(sizeof accepted / sizeof accepted[0] == FORM_SCALARS, "a row for every form of one value");

/* A string, its variables put in. What a number or a flag is to be has at least one of them. */
static int string_text(struct config_reader *reader, const struct json_node *node, enum config_form form,
	char **ret_text, struct complaint *ret_why)
{
	struct complaint plain;
	const char *raw = "";
	int error = json_get_string(node, &raw, ret_why);

	if (error == 0 && !accepted[form].string && !config_has_variable(raw))
		return json_expected(node, accepted[form].expected, ret_why);
	if (error < 0)
		return error;
	error = config_expand(raw, reader->input->env, &reader->input->memory, ret_text, &plain);
	if (error < 0)
		json_complain(node, ret_why, "%.250s", plain.text);
	return error;
}

static int value_text(struct config_reader *reader, const struct json_node *node, enum config_form form,
	char **ret_text, struct complaint *ret_why)
{
	char text[NUMBER_SIZE];
	int64_t number;
	bool flag = false;

	if (json_kind(node) == JSON_STRING)
		return string_text(reader, node, form, ret_text, ret_why);
	if (accepted[form].number && json_get_int64(node, INT64_MIN, INT64_MAX, &number, ret_why) == 0)
		snprintf(text, sizeof text, "%" PRId64 "%s", number, form == FORM_PERCENT ? "%" : "");
	else if (accepted[form].flag && json_get_bool(node, &flag, ret_why) == 0)
		snprintf(text, sizeof text, "%s", flag ? "yes" : "no");
	else
		return json_expected(node, accepted[form].expected, ret_why);
	*ret_text = strdup(text);
	return *ret_text != NULL ? 0 : -ENOMEM;
}

char *config_text(struct config_reader *reader, const struct json_node *node, enum config_form form, bool may_be_empty)
{
	struct complaint why;
	char *text = NULL;
	int error = value_text(reader, node, form, &text, &why);

	if (error == 0 && *text == '\0' && !may_be_empty)
		error = json_complain(node, &why, "the value is empty");
	if (error == 0)
		return text;
	free(text);
	if (error == -ENOMEM ||
		add_finding(reader->config, error == -ENOENT && reader->input->unset_is_no_error, &why) < 0)
		reader->out_of_memory = true;
	return NULL;
}

char *config_join(struct config_reader *reader, const char *name, const char *between, const char *value)
{
	const size_t size = strlen(name) + strlen(between) + strlen(value) + 1;
	char *text = config_allocate(reader, size);

	if (text != NULL)
		snprintf(text, size, "%s%s%s", name, between, value);
	return text;
}

/* ---- commands ---- */

static char **split(struct config_reader *reader, const struct json_node *node)
{
	char *text = config_text(reader, node, FORM_TEXT, true);
	const size_t size = text == NULL ? 0 : strlen(text) / 2 + 2; /* of one letter each, and NULL */
	char **words = text == NULL ? NULL : config_allocate(reader, size * sizeof *words);

	if (words != NULL)
		words_split(text, size, words);
	return words;
}

static char **collect(struct config_reader *reader, const struct json_node *array)
{
	char **words = config_allocate(reader, (json_count(array) + 1) * sizeof *words);
	size_t count = 0;
	bool whole = true;

	for (const struct json_node *node = json_first(array); words != NULL && node != NULL; node = json_next(node)) {
		words[count] = config_text(reader, node, FORM_TEXT, true);
		whole = whole && words[count] != NULL;
		count += words[count] != NULL;
	}
	return whole ? words : NULL;
}

char **config_words(struct config_reader *reader, const struct json_node *node)
{
	struct complaint why;

	if (json_kind(node) == JSON_STRING)
		return split(reader, node);
	if (json_kind(node) == JSON_ARRAY)
		return collect(reader, node);
	json_expected(node, "an array of words, or a string that is split at blanks", &why);
	config_refuse(reader, &why);
	return NULL;
}

/* ---- environment ---- */

/* Returns NULL after a finding. */
static char *one_variable(struct config_reader *reader, const struct json_node *node)
{
	const char *name = json_key(node);
	struct complaint why;
	char *value;

	value = config_text(reader, node, name != NULL ? FORM_WORD : FORM_TEXT, true);
	if (value == NULL)
		return NULL;
	if (name == NULL && strchr(value, '=') != NULL && *value != '=')
		return value;
	if (name != NULL && *name != '\0' && strchr(name, '=') == NULL)
		return config_join(reader, name, "=", value);
	if (name == NULL)
		json_complain(node, &why, "expected NAME=VALUE; a variable that is set already is inherited");
	else
		json_complain_key(node, &why, "the name of a variable is not empty, and has no =");
	config_refuse(reader, &why);
	return NULL;
}

static bool same_name(const char *a, const char *b)
{
	const size_t length = strcspn(a, "=");

	return strncmp(a, b, length + 1) == 0;
}

static bool is_first(struct config_reader *reader, char **variables, size_t count, const char *variable,
	const struct json_node *node)
{
	struct complaint why;
	size_t i = 0;

	while (i < count && !same_name(variable, variables[i]))
		i++;
	if (i == count)
		return true;
	json_complain(node, &why, "%.*s is there twice", (int)strcspn(variable, "="), variable);
	config_refuse(reader, &why);
	return false;
}

char **config_variables(struct config_reader *reader, const struct json_node *node)
{
	const bool object = json_kind(node) == JSON_OBJECT;
	struct complaint why;
	char **variables;
	size_t count = 0;

	if (!object && json_kind(node) != JSON_ARRAY) {
		json_expected(node, "an object, or an array of NAME=VALUE", &why);
		config_refuse(reader, &why);
		return NULL;
	}
	if (!config_is_kind(reader, node, json_kind(node)))
		return NULL;
	variables = config_allocate(reader, (json_count(node) + 1) * sizeof *variables);
	for (node = json_first(node); variables != NULL && node != NULL; node = json_next(node)) {
		char *variable = object && !config_is_said(reader, node) ? NULL : one_variable(reader, node);

		if (variable != NULL && (object || is_first(reader, variables, count, variable, node)))
			variables[count++] = variable;
	}
	return variables;
}

/* ---- limits ---- */

/* A number, a size or "unlimited", as digits where it is a number. */
static char *limit_value(struct config_reader *reader, const struct json_node *node)
{
	char *text = config_text(reader, node, FORM_WORD, false), digits[NUMBER_SIZE];
	struct complaint why;
	uint64_t bytes;

	if (text == NULL || strcmp(text, "unlimited") == 0 || strcmp(text, "-1") == 0 || strchr(text, ':') != NULL)
		return text;
	if (size_parse(text, &bytes) < 0) {
		json_complain(node, &why, "'%.40s': expected a number, a size such as 64MiB, or \"unlimited\"", text);
		config_refuse(reader, &why);
		free(text);
		return NULL;
	}
	snprintf(digits, sizeof digits, "%" PRIu64, bytes);
	free(text);
	text = strdup(digits);
	reader->out_of_memory = reader->out_of_memory || text == NULL;
	return text;
}

static char *pair_of_limits(struct config_reader *reader, const struct json_node *object)
{
	static const char *const known[] = { "soft", "hard", NULL };
	const struct json_node *soft = json_member(object, "soft"), *hard = json_member(object, "hard");
	cleanup_free char *first = NULL, *second = NULL;
	struct complaint why;

	for (const struct json_node *member = json_first(object); member != NULL; member = json_next(member))
		if (config_is_said(reader, member) && member != soft && member != hard) {
			json_complain_unknown(member, known, &why);
			config_refuse(reader, &why);
		}
	if (soft == NULL || hard == NULL) {
		json_complain(object, &why, "expected both \"soft\" and \"hard\"");
		config_refuse(reader, &why);
		return NULL;
	}
	first = limit_value(reader, soft);
	second = limit_value(reader, hard);
	return first != NULL && second != NULL ? config_join(reader, first, ":", second) : NULL;
}

char *config_limit(struct config_reader *reader, const struct json_node *member)
{
	const char *known[ULIMIT_COUNT + 1] = { NULL };
	cleanup_free char *value = NULL;
	struct complaint why;
	unsigned resource = 0;

	for (unsigned i = 0; i < ULIMIT_COUNT; i++)
		known[i] = ulimit_name(i);
	while (resource < ULIMIT_COUNT && strcmp(known[resource], json_key(member)) != 0)
		resource++;
	if (resource == ULIMIT_COUNT) {
		json_complain_unknown(member, known, &why);
		config_refuse(reader, &why);
		return NULL;
	}
	value = json_kind(member) == JSON_OBJECT ? pair_of_limits(reader, member) : limit_value(reader, member);
	return value != NULL ? config_join(reader, known[resource], "=", value) : NULL;
}
