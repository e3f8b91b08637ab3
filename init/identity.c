#include "init/identity.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define FIELDS_MAX 7
#define QUOTE_MAX 32 /* characters of a name that a sentence quotes: as many as useradd(8) takes */
#define QUOTE_SIZE (QUOTE_MAX + sizeof "...")

/* A field of a line: not NUL-terminated, the file is only borrowed. */
struct field {
	const char *text;
	size_t length;
};

struct line {
	struct field field[FIELDS_MAX];
	size_t count;
};

/* Cuts the next line at its colons; returns where the one after it starts, or NULL when there was none. */
static const char *next_line(const char *text, struct line *ret_line)
{
	const char *end = strchrnul(text, '\n'), *start = text;

	if (*text == '\0')
		return NULL;
	ret_line->count = 0;
	for (const char *at = text; ret_line->count < FIELDS_MAX; at++) {
		if (at < end && *at != ':')
			continue;
		ret_line->field[ret_line->count++] = (struct field){ start, (size_t)(at - start) };
		start = at + 1;
		if (at == end)
			break;
	}
	return *end == '\0' ? end : end + 1;
}

static bool field_is(struct field field, const char *text, size_t length)
{
	return field.length == length && memcmp(field.text, text, length) == 0;
}

/* Ids go up to 2^32 - 2: the last one means "unchanged" to the kernel (setresuid(2)). */
static bool parse_id(struct field field, uint32_t *ret_id)
{
	uint64_t id = 0;

	if (field.length == 0 || field.length > 10)
		return false;
	for (size_t i = 0; i < field.length; i++) {
		if (field.text[i] < '0' || field.text[i] > '9')
			return false;
		id = id * 10 + (uint64_t)(field.text[i] - '0');
	}
	if (id >= UINT32_MAX)
		return false;
	*ret_id = (uint32_t)id;
	return true;
}

/* Finds the user by name, or by uid where `name` has no length. */
static bool find_user(const char *passwd, struct field name, uint32_t uid, struct identity *identity)
{
	struct line line;

	while ((passwd = next_line(passwd, &line)) != NULL) {
		uint32_t line_uid, gid;

		if (line.count < 4 || !parse_id(line.field[2], &line_uid) || !parse_id(line.field[3], &gid))
			continue;
		if (name.length > 0 ? !field_is(line.field[0], name.text, name.length) : line_uid != uid)
			continue;
		identity->uid = line_uid;
		identity->gid = gid;
		if (line.count > 5 && line.field[5].length < sizeof identity->home)
			snprintf(identity->home, sizeof identity->home, "%.*s", (int)line.field[5].length,
				line.field[5].text);
		return true;
	}
	return false;
}

static bool find_group(const char *group, struct field name, uint32_t *ret_gid)
{
	struct line line;

	while ((group = next_line(group, &line)) != NULL)
		if (line.count >= 3 && field_is(line.field[0], name.text, name.length) &&
			parse_id(line.field[2], ret_gid))
			return true;
	return false;
}

static bool lists_member(struct field members, struct field name)
{
	const char *at = members.text, *end = members.text + members.length;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		size_t length = (size_t)((comma != NULL ? comma : end) - at);

		if (field_is(name, at, length))
			return true;
		at += length + 1;
	}
	return false;
}

static int collect_groups(const char *group, struct field name, struct identity *identity, struct complaint *ret_why)
{
	struct line line;

	while ((group = next_line(group, &line)) != NULL) {
		uint32_t gid;

		if (line.count < 4 || !parse_id(line.field[2], &gid) || !lists_member(line.field[3], name))
			continue;
		if (identity->group_count == IDENTITY_GROUPS_MAX)
			return complain(ret_why, E2BIG, "user '%.*s' is in more than %d groups of /etc/group",
				(int)name.length, name.text, IDENTITY_GROUPS_MAX);
		identity->group[identity->group_count++] = gid;
	}
	return 0;
}

/* What stands behind it is to have room. */
static const char *quote(struct field name, char ret_quote[static QUOTE_SIZE])
{
	bool fits = name.length <= QUOTE_MAX;

	snprintf(ret_quote, QUOTE_SIZE, "%.*s%s", fits ? (int)name.length : QUOTE_MAX, name.text, fits ? "" : "...");
	return ret_quote;
}

static bool is_number(struct field name)
{
	size_t sign = name.length > 1 && name.text[0] == '-';

	for (size_t i = sign; i < name.length; i++)
		if (name.text[i] < '0' || name.text[i] > '9')
			return false;
	return true;
}

static int refuse_unknown(const char *what, struct field name, const char *file, struct complaint *ret_why)
{
	char quoted[QUOTE_SIZE];

	if (is_number(name))
		return complain(ret_why, ERANGE, "%s '%s': expected a number from 0 to %u", what, quote(name, quoted),
			UINT32_MAX - 1);
	return complain(ret_why, ENOENT, "%s '%s' is not in %s: add it to the image or give a number", what,
		quote(name, quoted), file);
}

static int resolve_group(const char *name, const char *group, gid_t *ret_gid, struct complaint *ret_why)
{
	struct field field = { name, strlen(name) };

	if (!parse_id(field, ret_gid) && !find_group(group, field, ret_gid))
		return refuse_unknown("group", field, "/etc/group", ret_why);
	return 0;
}

int identity_resolve(const char *user, const char *passwd, const char *group, struct identity *ret_identity,
	struct complaint *ret_why)
{
	const char *colon = strchrnul(user, ':');
	struct field name = { user, (size_t)(colon - user) };
	struct identity identity = { 0 };
	char quoted[QUOTE_SIZE];
	uint32_t uid;
	int error;

	quote((struct field){ user, strlen(user) }, quoted);
	if (name.length == 0)
		return complain(ret_why, EINVAL, "user '%s': expected NAME or UID[:GID]", quoted);
	if (parse_id(name, &uid)) {
		identity.uid = uid;
		find_user(passwd, (struct field){ 0 }, uid, &identity);
	} else {
		if (!find_user(passwd, name, 0, &identity))
			return refuse_unknown("user", name, "/etc/passwd", ret_why);
		error = collect_groups(group, name, &identity, ret_why);
		if (error < 0)
			return error;
	}
	if (strcmp(colon, ":") == 0)
		return complain(ret_why, EINVAL, "user '%s': the group behind ':' is missing", quoted);
	if (*colon == ':') {
		error = resolve_group(colon + 1, group, &identity.gid, ret_why);
		if (error < 0)
			return error;
	}
	*ret_identity = identity;
	return 0;
}

int identity_add_group(const char *name, const char *group, struct identity *identity, struct complaint *ret_why)
{
	gid_t gid;
	int error = resolve_group(name, group, &gid, ret_why);

	if (error < 0)
		return error;
	for (size_t i = 0; i < identity->group_count; i++)
		if (identity->group[i] == gid)
			return 0;
	if (identity->group_count == IDENTITY_GROUPS_MAX)
		return complain(ret_why, E2BIG, "group '%s': more than %d groups", name, IDENTITY_GROUPS_MAX);
	identity->group[identity->group_count++] = gid;
	return 0;
}
