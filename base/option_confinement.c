/* Setters of what confines. */
#include "base/option_setters.h"

#include "base/capname.h"
#include "base/option_values.h"
#include "base/secret.h"
#include "base/securebits.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPABILITY_SIZE 32
#define OOM_SCORE_ADJ_MAX 1000
#define TMPFS_OPTIONS_SIZE 240

static int add_group(const char *value, struct group_list *list, struct complaint *ret_why)
{
	if (list->count == MODEL_GROUPS_MAX)
		return complain(ret_why, E2BIG, "'%s': at most %d groups", value, MODEL_GROUPS_MAX);
	list->group[list->count++] = value;
	return 0;
}

static int set_umask(const char *value, struct confinement *confinement, struct complaint *ret_why)
{
	char *end;
	unsigned long mode = strtoul(value, &end, 8);

	if (!isdigit((unsigned char)*value) || *end != '\0' || mode > 0777)
		return complain(ret_why, EINVAL, "'%s': expected an octal mode from 0 to 777, such as 027", value);
	confinement->umask = (mode_t)mode;
	confinement->umask_given = true;
	return 0;
}

int option_add_variable(const char *variable, bool wins, char ***list)
{
	const size_t name = strcspn(variable, "=") + 1;
	char **larger;
	size_t count = 0;

	for (; *list != NULL && (*list)[count] != NULL; count++) {
		if (strncmp((*list)[count], variable, name) != 0)
			continue;
		if (wins)
			(*list)[count] = (char *)variable;
		return 0;
	}
	larger = realloc(*list, (count + 2) * sizeof *larger);
	if (larger == NULL)
		return -ENOMEM;
	larger[count] = (char *)variable;
	larger[count + 1] = NULL;
	*list = larger;
	return 0;
}

static int add_variable(const char *value, char ***list, struct complaint *ret_why)
{
	if (strchr(value, '=') == NULL || *value == '=')
		return complain(ret_why, EINVAL,
			"'%.100s': expected NAME=VALUE; a variable that is set already is inherited", value);
	return option_add_variable(value, true, list) < 0 ? complain(ret_why, ENOMEM, "%s", strerror(ENOMEM)) : 0;
}

static int set_file_env(const char *value, const char **ret_list, struct complaint *ret_why)
{
	const char *next = value;
	char name[SECRET_NAME_SIZE];

	while (*next != '\0')
		if (!secret_names_variable(value_next_word(&next, name, sizeof name)))
			return complain(ret_why, EINVAL,
				"'%.100s': expected names of variables, such as PGPASSWORD,API_KEY, or all", value);
	*ret_list = value;
	return 0;
}

static int add_ulimit(const char *value, struct limits *limits, struct complaint *ret_why)
{
	unsigned resource;
	struct ulimit limit;
	int error = ulimit_parse(value, &resource, &limit, ret_why);

	if (error < 0)
		return error;
	limits->limit[resource] = limit;
	limits->given |= 1U << resource;
	return 0;
}

static int set_oom_score_adj(const char *value, struct limits *limits, struct complaint *ret_why)
{
	limits->oom_score_adj_given = true;
	return value_read_number(value, -OOM_SCORE_ADJ_MAX, OOM_SCORE_ADJ_MAX, &limits->oom_score_adj, ret_why);
}

static int set_capabilities(
	const char *value, uint64_t *bits, struct confinement *confinement, struct complaint *ret_why)
{
	while (*value != '\0') {
		char name[CAPABILITY_SIZE];
		size_t length = strcspn(value, ",");
		uint64_t bit;

		snprintf(name, sizeof name, "%.*s", (int)length, value);
		if (length >= sizeof name || capname_parse(name, &bit) < 0)
			return complain(ret_why, EINVAL,
				"unknown capability '%.*s' (see capabilities(7); 'all' for every one)", (int)length,
				value);
		*bits |= bit;
		value += length + (value[length] == ',');
	}
	confinement->cap_given = true;
	return 0;
}

static int add_securebits(const char *value, uint32_t *bits, struct complaint *ret_why)
{
	while (*value != '\0') {
		char name[CAPABILITY_SIZE];
		uint32_t bit;

		if (securebits_parse(value_next_word(&value, name, sizeof name), &bit) < 0)
			return complain(ret_why, EINVAL,
				"'%s': expected noroot, no_setuid_fixup, no_cap_ambient_raise, or one of these or "
				"keep_caps "
				"with _locked",
				name);
		*bits |= bit;
	}
	return 0;
}

static int set_read_only(const char *value, enum read_only_mode *ret_mode, struct complaint *ret_why)
{
	static const char modes[][10] = { "no", "auto", "remount", "landlock", "verify" };
	bool on;

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (strcmp(value, modes[i]) == 0) {
			*ret_mode = (enum read_only_mode)i;
			return 0;
		}
	}
	if (value_read_bool(value, &on, ret_why) < 0)
		return complain(ret_why, EINVAL, "'%s': expected auto, remount, landlock or verify", value);
	*ret_mode = on ? READ_ONLY_AUTO : READ_ONLY_OFF;
	return 0;
}

static int add_tmpfs(const char *value, struct tmpfs_list *list, struct complaint *ret_why)
{
	size_t length = strcspn(value, ":");
	struct tmpfs_mount *mount = &list->mount[list->count];
	int error = value_check_absolute(value, ret_why);

	if (error < 0)
		return error;
	if (list->count == MODEL_TMPFS_MAX)
		return complain(ret_why, E2BIG, "'%s': at most %d", value, MODEL_TMPFS_MAX);
	if (length >= sizeof mount->path || strlen(value + length) > TMPFS_OPTIONS_SIZE)
		return complain(ret_why, EINVAL, "'%.40s...': too long", value);
	memcpy(mount->path, value, length);
	mount->path[length] = '\0';
	mount->options = value[length] == ':' ? value + length + 1 : "";
	list->count++;
	return 0;
}

static int add_ports(const char *value, struct port_list *list, struct complaint *ret_why)
{
	const char *next = strcmp(value, "none") == 0 ? "" : value;
	unsigned port;

	list->given = true;
	while (*next != '\0') {
		next = value_next_number(next, UINT16_MAX, &port);
		if (next == NULL)
			return complain(
				ret_why, EINVAL, "'%s': expected port numbers, such as 443,5432, or none", value);
		if (list->count == MODEL_PORTS_MAX)
			return complain(ret_why, E2BIG, "'%s': at most %d ports", value, MODEL_PORTS_MAX);
		list->port[list->count++] = (uint16_t)port;
	}
	return 0;
}

static int set_security_level(const char *value, bool *ret_hardened, struct complaint *ret_why)
{
	if (strcmp(value, "standard") != 0 && strcmp(value, "hardened") != 0)
		return complain(ret_why, EINVAL, "'%s': expected standard or hardened", value);
	*ret_hardened = value[0] == 'h';
	return 0;
}

int option_set_confinement(enum setter setter, const char *value, void *member, struct complaint *ret_why)
{
	struct confinement *confinement = member;

	switch (setter) {
	case ADD_GROUP:
		return add_group(value, member, ret_why);
	case SET_UMASK:
		return set_umask(value, confinement, ret_why);
	case ADD_VARIABLE:
		return add_variable(value, member, ret_why);
	case SET_FILE_ENV:
		return set_file_env(value, member, ret_why);
	case ADD_ULIMIT:
		return add_ulimit(value, member, ret_why);
	case SET_OOM_SCORE_ADJ:
		return set_oom_score_adj(value, member, ret_why);
	case DROP_CAPABILITIES:
		return set_capabilities(value, &confinement->cap_drop, confinement, ret_why);
	case ADD_CAPABILITIES:
		return set_capabilities(value, &confinement->cap_add, confinement, ret_why);
	case ADD_SECUREBITS:
		return add_securebits(value, member, ret_why);
	case SET_READ_ONLY:
		return set_read_only(value, member, ret_why);
	case ADD_TMPFS:
		return add_tmpfs(value, member, ret_why);
	case ADD_PORTS:
		return add_ports(value, member, ret_why);
	default:
		return set_security_level(value, member, ret_why);
	}
}
