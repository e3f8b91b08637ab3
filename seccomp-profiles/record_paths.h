/* Sets of words, and the reduction of the paths that a recorded program writes to: what --writable needs. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Sorted, each word once. All zero is an empty set; text_set_clear() frees it. */
struct text_set {
	char **text;
	size_t count;
};

/* Returns 0 or -ENOMEM. */
int text_set_add(struct text_set *set, const char *text);
bool text_set_has(const struct text_set *set, const char *text);
void text_set_clear(struct text_set *set);

/* Notes a file or a directory that has to be writable: an absolute path without links. What one in the set covers is
 * not added, what it covers leaves the set; three neighbours give way to their directory, unless that is one which
 * others share (/etc, /var/lib). What is always writable, and /sys, are passed over; what lies in /proc becomes /proc.
 * Returns 0 or -ENOMEM. */
int record_paths_note(struct text_set *paths, const char *path);

/* Puts parents in the place of the deepest until there are no more than `max` (at least 1). 0 or -ENOMEM. */
int record_paths_limit(struct text_set *paths, size_t max);

/* The last component cut off; "/" stays. */
void record_paths_to_parent(char *path);
