/* "did you mean ...?" */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define NEAREST_NAME_MAX 31 /* longer names are compared up to here */
#define NEAREST_DISTANCE 3  /* further away is something else, not a slip */

/* Levenshtein's distance between two names: how many letters are to be put in, taken out or changed. */
size_t nearest_distance(const char *a, const char *b);

/* For a look at many names: true if this one is nearer to the word than *best, which is its distance from then on, and
 * shares a letter with it. *best begins as what is too far. */
bool nearest_is_nearer(const char *word, const char *name, size_t *best);
