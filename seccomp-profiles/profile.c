#include "seccomp-profiles/profile.h"

#include "base/capname.h"
#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Go's encoders write null for a list or an object that is not there (containers/common does): absent and null are one.
 */
static const struct json_node *member(const struct json_node *object, const char *key)
{
	const struct json_node *node = json_member(object, key);

	return node == NULL || json_kind(node) == JSON_NULL ? NULL : node;
}

/* The value of a key that must be there; NULL and a sentence when it is not. */
static const struct json_node *required(const struct json_node *object, const char *key, struct complaint *ret_why)
{
	const struct json_node *node = json_member(object, key);

	if (node == NULL)
		json_complain(object, ret_why, "\"%s\" is missing", key);
	return node;
}

static int out_of_memory(const struct json_node *node, struct complaint *ret_why)
{
	json_complain(node, ret_why, "out of memory");
	return -ENOMEM;
}

/* The values of a list whose absence is as good as its being empty; NULL and 0. */
static int optional_list(
	const struct json_node *object, const char *key, const struct json_node **ret_list, struct complaint *ret_why)
{
	const struct json_node *list = member(object, key);
	int rc = list == NULL ? 0 : json_expect(list, JSON_ARRAY, ret_why);

	if (rc == 0)
		*ret_list = list == NULL || json_count(list) == 0 ? NULL : list;
	return rc;
}

static int optional_string(
	const struct json_node *object, const char *key, const char **ret_string, struct complaint *ret_why)
{
	const struct json_node *node = member(object, key);

	return node == NULL ? 0 : json_get_string(node, ret_string, ret_why);
}

/* ---- words ---- */

static int read_action(const struct json_node *node, enum profile_action *ret_action, struct complaint *ret_why)
{
	const char *choices[PROFILE_ACTION_COUNT + 2] = { NULL };
	size_t index;
	int rc;

	for (unsigned i = 0; i < PROFILE_ACTION_COUNT; i++)
		choices[i] = profile_action_name((enum profile_action)i);
	choices[PROFILE_ACTION_COUNT] = "SCMP_ACT_KILL"; /* what it meant before KILL_PROCESS existed: the thread */
	rc = json_get_choice(node, "action", choices, &index, ret_why);
	if (rc == 0)
		*ret_action = index == PROFILE_ACTION_COUNT ? PROFILE_KILL_THREAD : (enum profile_action)index;
	return rc;
}

static int read_op(const struct json_node *node, enum profile_op *ret_op, struct complaint *ret_why)
{
	const char *choices[PROFILE_OP_COUNT + 1] = { NULL };
	size_t index;
	int rc;

	for (unsigned i = 0; i < PROFILE_OP_COUNT; i++)
		choices[i] = profile_op_name((enum profile_op)i);
	rc = json_get_choice(node, "comparison", choices, &index, ret_why);
	if (rc == 0)
		*ret_op = (enum profile_op)index;
	return rc;
}

/* SCMP_ARCH_* in architectures and archMap, Go's names in includes and excludes. */
static int read_arch(const struct json_node *node, const char *(*name)(enum profile_arch), unsigned *ret_arch,
	struct complaint *ret_why)
{
	const char *choices[PROFILE_ARCH_COUNT + 1] = { NULL };
	size_t index;
	int rc;

	for (unsigned i = 0; i < PROFILE_ARCH_COUNT; i++)
		choices[i] = name((enum profile_arch)i);
	rc = json_get_choice(node, "architecture", choices, &index, ret_why);
	if (rc == 0)
		*ret_arch = (unsigned)index;
	return rc;
}

static int read_arches(const struct json_node *list, const char *(*name)(enum profile_arch), uint32_t *ret_arches,
	struct complaint *ret_why)
{
	uint32_t arches = 0;

	for (const struct json_node *node = json_first(list); node != NULL; node = json_next(node)) {
		unsigned arch = 0;
		int rc = read_arch(node, name, &arch, ret_why);

		if (rc < 0)
			return rc;
		arches |= UINT32_C(1) << arch;
	}
	*ret_arches = arches;
	return 0;
}

/* Exactly as Docker writes them: its loader would take "sys_admin" for a capability that nobody has. */
static int read_caps(const struct json_node *list, uint64_t *ret_caps, struct complaint *ret_why)
{
	char names[CAPNAME_COUNT][32];
	const char *choices[CAPNAME_COUNT + 1] = { NULL };
	uint64_t caps = 0;

	for (unsigned i = 0; i < CAPNAME_COUNT; i++) {
		snprintf(names[i], sizeof names[i], "cap_%s", capname(i));
		for (char *c = names[i]; *c != '\0'; c++)
			*c = (char)toupper((unsigned char)*c);
		choices[i] = names[i];
	}
	for (const struct json_node *node = json_first(list); node != NULL; node = json_next(node)) {
		size_t cap;
		int rc = json_get_choice(node, "capability", choices, &cap, ret_why);

		if (rc < 0)
			return rc;
		caps |= UINT64_C(1) << cap;
	}
	*ret_caps = caps;
	return 0;
}

/* "MAJOR.MINOR", each of one to five digits. */
static int read_kernel(
	const struct json_node *node, unsigned *ret_major, unsigned *ret_minor, struct complaint *ret_why)
{
	const char *text;
	unsigned part[2] = { 0, 0 };
	int rc = json_get_string(node, &text, ret_why);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < 2; i++) {
		unsigned digits = 0;

		for (; *text >= '0' && *text <= '9' && digits < 6; text++, digits++)
			part[i] = part[i] * 10 + (unsigned)(*text - '0');
		if (digits == 0 || digits > 5 || *text != (i == 0 ? '.' : '\0'))
			return json_complain(node, ret_why, "expected a kernel version, MAJOR.MINOR");
		text++;
	}
	*ret_major = part[0];
	*ret_minor = part[1];
	return 0;
}

/* ---- errno ---- */

static bool takes_errno(enum profile_action action)
{
	return action == PROFILE_ERRNO || action == PROFILE_TRACE;
}

/* The name of containers/common: EPERM, or a number in quotation marks. */
static int read_errno_name(const struct json_node *node, unsigned *ret_errno, struct complaint *ret_why)
{
	const char *text;
	unsigned number = 0;
	int rc = json_get_string(node, &text, ret_why);

	if (rc < 0)
		return rc;
	if (profile_errno_find(text, ret_errno) == 0)
		return 0;
	for (const char *c = text; *c != '\0'; c++) {
		number = number * 10 + (unsigned)(*c - '0');
		if (*c < '0' || *c > '9' || number > PROFILE_ERRNO_MAX)
			return json_complain(node, ret_why, "unknown errno \"%.32s\"", text);
	}
	*ret_errno = number;
	return 0;
}

/* errnoRet and errno of a rule, or defaultErrnoRet and defaultErrno. Nothing said: EPERM, as every runtime does. */
static int read_errno(const struct json_node *object, const char *number_key, const char *name_key,
	enum profile_action action, unsigned *ret_errno, struct complaint *ret_why)
{
	const struct json_node *number = member(object, number_key), *name = member(object, name_key);
	const struct json_node *any = number != NULL ? number : name;
	unsigned by_name = 0;
	uint64_t by_number = EPERM;
	const char *text = "";
	int rc = 0;

	if (name != NULL && json_get_string(name, &text, ret_why) == 0 && *text == '\0') {
		any = number; /* Go writes "" for what is not there */
		name = NULL;
	}
	if (any != NULL && !takes_errno(action))
		return json_complain_key(any, ret_why, "%s returns no errno", profile_action_name(action));
	/* SECCOMP_RET_TRACE hands its 16 bits to the tracer, they need not be an errno (seccomp(2)). */
	if (number != NULL)
		rc = json_get_uint64(
			number, action == PROFILE_TRACE ? UINT16_MAX : PROFILE_ERRNO_MAX, &by_number, ret_why);
	if (rc == 0 && name != NULL)
		rc = read_errno_name(name, &by_name, ret_why);
	if (rc < 0)
		return rc;
	if (number != NULL && name != NULL && by_number != by_name)
		return json_complain(
			name, ret_why, "%s is errno %u, but %s is %u", text, by_name, number_key, (unsigned)by_number);
	*ret_errno = name != NULL ? by_name : (unsigned)by_number;
	return 0;
}

/* ---- rules ---- */

static int read_filter(
	const struct json_node *object, const char *key, struct profile_filter *ret_filter, struct complaint *ret_why)
{
	static const char *const known[] = { "arches", "caps", "minKernel", NULL };
	const struct json_node *node = member(object, key), *list = NULL, *kernel;
	struct profile_filter filter = { 0 };
	int rc;

	if (node == NULL)
		return 0;
	rc = json_known_keys(node, known, ret_why);
	if (rc < 0)
		return rc;
	rc = optional_list(node, "arches", &list, ret_why);
	if (rc == 0 && list != NULL)
		rc = read_arches(list, profile_arch_go_name, &filter.arches, ret_why);
	if (rc == 0)
		rc = optional_list(node, "caps", &list, ret_why);
	if (rc == 0 && list != NULL)
		rc = read_caps(list, &filter.caps, ret_why);
	kernel = member(node, "minKernel");
	if (rc == 0 && kernel != NULL) {
		rc = read_kernel(kernel, &filter.kernel_major, &filter.kernel_minor, ret_why);
		filter.has_min_kernel = true;
	}
	if (rc == 0)
		*ret_filter = filter;
	return rc;
}

static int read_arg(const struct json_node *node, struct profile_arg *ret_arg, struct complaint *ret_why)
{
	static const char *const known[] = { "index", "value", "valueTwo", "op", NULL };
	static const char *const keys[] = { "index", "value", "op" };
	const struct json_node *value[3], *value_two = NULL;
	uint64_t index = 0;
	int rc = json_known_keys(node, known, ret_why);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < 3; i++) {
		value[i] = required(node, keys[i], ret_why);
		if (value[i] == NULL)
			return -EINVAL;
	}
	rc = json_get_uint64(value[0], PROFILE_ARGS_MAX - 1, &index, ret_why);
	ret_arg->index = (unsigned)index;
	if (rc == 0)
		rc = json_get_uint64(value[1], UINT64_MAX, &ret_arg->value, ret_why);
	value_two = member(node, "valueTwo");
	if (rc == 0 && value_two != NULL)
		rc = json_get_uint64(value_two, UINT64_MAX, &ret_arg->value_two, ret_why);
	return rc < 0 ? rc : read_op(value[2], &ret_arg->op, ret_why);
}

static int read_args(const struct json_node *object, struct profile_rule *rule, struct complaint *ret_why)
{
	const struct json_node *list = NULL;
	int rc = optional_list(object, "args", &list, ret_why);

	if (rc < 0 || list == NULL)
		return rc;
	rule->args = calloc(json_count(list), sizeof rule->args[0]);
	if (rule->args == NULL)
		return out_of_memory(list, ret_why);
	for (const struct json_node *node = json_first(list); node != NULL; node = json_next(node)) {
		rc = read_arg(node, &rule->args[rule->arg_count], ret_why);
		if (rc < 0)
			return rc;
		rule->arg_count++;
	}
	return 0;
}

static int add_name(const struct json_node *node, struct profile_rule *rule, struct complaint *ret_why)
{
	struct profile_name *name = &rule->names[rule->name_count];
	int rc = json_get_string(node, &name->text, ret_why);

	if (rc < 0)
		return rc;
	if (*name->text == '\0')
		return json_complain(node, ret_why, "expected the name of a syscall");
	json_place(node, &name->line, &name->column);
	rule->name_count++;
	return 0;
}

static int read_names(const struct json_node *object, struct profile_rule *rule, struct complaint *ret_why)
{
	const struct json_node *list = NULL, *single = member(object, "name");
	const char *text = "";
	int rc = optional_list(object, "names", &list, ret_why);

	if (rc == 0)
		rc = optional_string(object, "name", &text, ret_why);
	if (rc < 0)
		return rc;
	if (*text == '\0')
		single = NULL;
	if (single != NULL && list != NULL)
		return json_complain_key(single, ret_why, "a rule has either \"name\" or \"names\"");
	if (single == NULL && list == NULL)
		return json_complain(object, ret_why, "a rule needs at least one syscall in \"names\"");
	rule->names = calloc(list == NULL ? 1 : json_count(list), sizeof rule->names[0]);
	if (rule->names == NULL)
		return out_of_memory(object, ret_why);
	if (single != NULL)
		return add_name(single, rule, ret_why);
	for (const struct json_node *node = json_first(list); rc == 0 && node != NULL; node = json_next(node))
		rc = add_name(node, rule, ret_why);
	return rc;
}

static int read_rule(const struct json_node *node, struct profile_rule *rule, struct complaint *ret_why)
{
	static const char *const known[] = { "names", "name", "action", "errnoRet", "errno", "args", "comment",
		"includes", "excludes", NULL };
	const struct json_node *action;
	int rc = json_known_keys(node, known, ret_why);

	if (rc < 0)
		return rc;
	json_place(node, &rule->line, &rule->column);
	action = required(node, "action", ret_why);
	if (action == NULL)
		return -EINVAL;
	rc = read_action(action, &rule->action, ret_why);
	if (rc == 0)
		rc = read_errno(node, "errnoRet", "errno", rule->action, &rule->errno_ret, ret_why);
	if (rc == 0)
		rc = read_names(node, rule, ret_why);
	if (rc == 0)
		rc = read_args(node, rule, ret_why);
	if (rc == 0)
		rc = optional_string(node, "comment", &rule->comment, ret_why);
	if (rc == 0)
		rc = read_filter(node, "includes", &rule->includes, ret_why);
	if (rc == 0)
		rc = read_filter(node, "excludes", &rule->excludes, ret_why);
	return rc;
}

static int read_rules(const struct json_node *root, struct profile *profile, struct complaint *ret_why)
{
	const struct json_node *list = NULL;
	int rc = optional_list(root, "syscalls", &list, ret_why);

	if (rc < 0 || list == NULL)
		return rc;
	profile->rules = calloc(json_count(list), sizeof profile->rules[0]);
	if (profile->rules == NULL)
		return out_of_memory(list, ret_why);
	for (const struct json_node *node = json_first(list); node != NULL; node = json_next(node)) {
		profile->rule_count++; /* first, so that a rule that was half read is freed too */
		rc = read_rule(node, &profile->rules[profile->rule_count - 1], ret_why);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- the profile ---- */

static int read_arch_map_entry(
	const struct json_node *node, struct profile *profile, uint32_t *seen, struct complaint *ret_why)
{
	static const char *const known[] = { "architecture", "subArchitectures", NULL };
	const struct json_node *name, *subs = NULL;
	unsigned arch = 0;
	int rc = json_known_keys(node, known, ret_why);

	if (rc < 0)
		return rc;
	name = required(node, "architecture", ret_why);
	if (name == NULL)
		return -EINVAL;
	rc = read_arch(name, profile_arch_name, &arch, ret_why);
	if (rc == 0)
		rc = optional_list(node, "subArchitectures", &subs, ret_why);
	if (rc < 0)
		return rc;
	if (*seen & UINT32_C(1) << arch)
		return json_complain(name, ret_why, "%s is there twice", profile_arch_name((enum profile_arch)arch));
	*seen |= UINT32_C(1) << arch;
	return subs == NULL ? 0 : read_arches(subs, profile_arch_name, &profile->arches[arch], ret_why);
}

static int read_architectures(const struct json_node *root, struct profile *profile, struct complaint *ret_why)
{
	const struct json_node *list = NULL, *map = NULL;
	uint32_t arches = 0, seen = 0;
	int rc = optional_list(root, "architectures", &list, ret_why);

	if (rc == 0)
		rc = optional_list(root, "archMap", &map, ret_why);
	if (rc < 0)
		return rc;
	if (list != NULL && map != NULL)
		return json_complain_key(map, ret_why, "a profile has either \"architectures\" or \"archMap\"");
	if (list != NULL)
		rc = read_arches(list, profile_arch_name, &arches, ret_why);
	for (unsigned i = 0; i < PROFILE_ARCH_COUNT; i++)
		profile->arches[i] = arches;
	for (const struct json_node *node = map == NULL ? NULL : json_first(map); rc == 0 && node != NULL;
		node = json_next(node))
		rc = read_arch_map_entry(node, profile, &seen, ret_why);
	return rc;
}

static int read_flags(const struct json_node *root, struct profile *profile, struct complaint *ret_why)
{
	static const char *const names[] = { "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
		"SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", NULL };
	const struct json_node *list = NULL;
	int rc = optional_list(root, "flags", &list, ret_why);

	/* Without it Linux before 5.16 switches Speculative Store Bypass off for all that runs under the filter, which
	 * costs far more than the filter (seccomp(2)). An empty list means no flag, to crun and to runc as well. */
	if (member(root, "flags") == NULL)
		profile->flags = PROFILE_FLAG_SPEC_ALLOW;
	if (rc < 0 || list == NULL)
		return rc;
	for (const struct json_node *node = json_first(list); node != NULL; node = json_next(node)) {
		size_t index;

		rc = json_get_choice(node, "flag", names, &index, ret_why);
		if (rc < 0)
			return rc;
		profile->flags |= 1u << index; /* enum profile_flag is in this order */
	}
	return 0;
}
_Static_assert(PROFILE_FLAG_TSYNC == 1 << 0 && PROFILE_FLAG_LOG == 1 << 1 && PROFILE_FLAG_SPEC_ALLOW == 1 << 2 &&
		PROFILE_FLAG_WAIT_KILLABLE_RECV == 1 << 3,
	"the order of the names in read_flags");

static int read_listener(const struct json_node *root, struct profile *profile, struct complaint *ret_why)
{
	int rc = optional_string(root, "listenerPath", &profile->listener_path, ret_why);

	if (rc == 0)
		rc = optional_string(root, "listenerMetadata", &profile->listener_metadata, ret_why);
	if (rc < 0)
		return rc;
	if (profile->listener_metadata != NULL && profile->listener_path == NULL)
		return json_complain_key(
			member(root, "listenerMetadata"), ret_why, "\"listenerMetadata\" needs \"listenerPath\"");
	return 0;
}

static int read_default(const struct json_node *root, struct profile *profile, struct complaint *ret_why)
{
	const struct json_node *action = required(root, "defaultAction", ret_why);
	int rc;

	if (action == NULL)
		return -EINVAL;
	rc = read_action(action, &profile->default_action, ret_why);
	if (rc < 0)
		return rc;
	return read_errno(
		root, "defaultErrnoRet", "defaultErrno", profile->default_action, &profile->default_errno, ret_why);
}

int profile_read(const struct json *json, struct profile **ret_profile, struct complaint *ret_why)
{
	static const char *const known[] = { "defaultAction", "defaultErrnoRet", "defaultErrno", "architectures",
		"archMap", "flags", "listenerPath", "listenerMetadata", "syscalls", NULL };
	const struct json_node *root = json_root(json);
	cleanup_profile struct profile *profile = NULL;
	int rc = json_known_keys(root, known, ret_why);

	if (rc < 0)
		return rc;
	profile = calloc(1, sizeof *profile);
	if (profile == NULL)
		return out_of_memory(root, ret_why);
	rc = read_default(root, profile, ret_why);
	if (rc == 0)
		rc = read_architectures(root, profile, ret_why);
	if (rc == 0)
		rc = read_flags(root, profile, ret_why);
	if (rc == 0)
		rc = read_listener(root, profile, ret_why);
	if (rc == 0)
		rc = read_rules(root, profile, ret_why);
	if (rc < 0)
		return rc;
	*ret_profile = take_pointer(&profile);
	return 0;
}

void profile_free(struct profile *profile)
{
	if (profile == NULL)
		return;
	for (size_t i = 0; i < profile->rule_count; i++) {
		free(profile->rules[i].names);
		free(profile->rules[i].args);
	}
	free(profile->rules);
	free(profile);
}

static bool kernel_reaches(const struct profile_context *context, const struct profile_filter *filter)
{
	if (context->kernel_major != filter->kernel_major)
		return context->kernel_major > filter->kernel_major;
	return context->kernel_minor >= filter->kernel_minor;
}

bool profile_rule_applies(const struct profile_rule *rule, const struct profile_context *context)
{
	const struct profile_filter *in = &rule->includes, *out = &rule->excludes;
	uint32_t arch = UINT32_C(1) << context->arch;

	if ((out->arches & arch) != 0 || (out->caps & context->caps) != 0 ||
		(out->has_min_kernel && kernel_reaches(context, out)))
		return false;
	return (in->arches == 0 || (in->arches & arch) != 0) && (in->caps & ~context->caps) == 0 &&
		(!in->has_min_kernel || kernel_reaches(context, in));
}
