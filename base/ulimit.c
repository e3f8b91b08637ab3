#include "base/ulimit.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char names[][11] = {
	[RLIMIT_AS] = "as",
	[RLIMIT_CORE] = "core",
	[RLIMIT_CPU] = "cpu",
	[RLIMIT_DATA] = "data",
	[RLIMIT_FSIZE] = "fsize",
	[RLIMIT_LOCKS] = "locks",
	[RLIMIT_MEMLOCK] = "memlock",
	[RLIMIT_MSGQUEUE] = "msgqueue",
	[RLIMIT_NICE] = "nice",
	[RLIMIT_NOFILE] = "nofile",
	[RLIMIT_NPROC] = "nproc",
	[RLIMIT_RSS] = "rss",
	[RLIMIT_RTPRIO] = "rtprio",
	[RLIMIT_RTTIME] = "rttime",
	[RLIMIT_SIGPENDING] = "sigpending",
	[RLIMIT_STACK] = "stack",
};
static_assert(sizeof names / sizeof names[0] == ULIMIT_COUNT, "a name for every resource");

const char *ulimit_name(unsigned resource)
{
	return names[resource];
}

/* Returns where the value ends, or NULL. */
static const char *parse_value(const char *text, uint64_t *ret_value)
{
	static const char words[][10] = { "unlimited", "-1" };
	char *end;

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strncmp(text, words[i], strlen(words[i])) == 0) {
			*ret_value = ULIMIT_UNLIMITED;
			return text + strlen(words[i]);
		}
	}
	errno = 0;
	*ret_value = strtoull(text, &end, 10);
	return isdigit((unsigned char)*text) && errno == 0 ? end : NULL;
}

static bool parse_values(const char *text, struct ulimit *limit)
{
	const char *end = parse_value(text, &limit->soft);

	limit->hard = limit->soft;
	if (end != NULL && *end == ':')
		end = parse_value(end + 1, &limit->hard);
	return end != NULL && *end == '\0';
}

int ulimit_parse(const char *text, unsigned *ret_resource, struct ulimit *ret_limit, struct complaint *ret_why)
{
	size_t length = strcspn(text, "=");
	unsigned resource = 0;
	struct ulimit limit;

	if (text[length] == '\0' || !parse_values(text + length + 1, &limit))
		return complain(ret_why, EINVAL, "'%s': expected NAME=SOFT[:HARD], such as nofile=65536", text);
	while (resource < ULIMIT_COUNT &&
		(strlen(names[resource]) != length || memcmp(names[resource], text, length) != 0))
		resource++;
	if (resource == ULIMIT_COUNT)
		return complain(
			ret_why, EINVAL, "'%.200s': no such limit (nofile, nproc, core ...: getrlimit(2))", text);
	if (limit.soft > limit.hard)
		return complain(ret_why, EINVAL, "'%s': the soft limit is above the hard one", text);
	*ret_resource = resource;
	*ret_limit = limit;
	return 0;
}
