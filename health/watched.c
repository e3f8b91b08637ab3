#include "health/watched.h"

#include "base/clock.h"

#include <stddef.h>
#include <string.h>

static bool ends_with(const char *name, const char *end)
{
	const size_t length = strlen(name), tail = strlen(end);

	return length > tail && strcmp(name + length - tail, end) == 0;
}

/* Vim tries whether it may write with a file of that name. */
static bool is_vims_probe(const char *name)
{
	return strcmp(name, "4913") == 0;
}

bool watched_ignores(const char *name)
{
	static const char names[][16] = { "node_modules", ".git", ".hg", ".svn", ".DS_Store" };
	/* Vim's swap files, and what Vim, Emacs and JetBrains' keep of the old file. */
	static const char ends[][16] = { ".swp", ".swo", ".swx", "~", "___jb_tmp___", "___jb_old___" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (ends_with(name, ends[i]))
			return true;
	/* Emacs: a lock, and what it saves by itself */
	return is_vims_probe(name) || strncmp(name, ".#", 2) == 0 || (*name == '#' && ends_with(name, "#"));
}

void burst_add(struct burst *burst, int64_t now)
{
	if (!burst->is_open)
		burst->first_ns = now;
	burst->is_open = true;
	burst->last_ns = now;
}

int64_t burst_due_ns(const struct burst *burst)
{
	const int64_t quiet = burst->last_ns + WATCHED_QUIET_NS, longest = burst->first_ns + WATCHED_BURST_NS;

	if (!burst->is_open)
		return TIME_NEVER;
	return quiet < longest ? quiet : longest;
}
