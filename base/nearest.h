/* "did you mean ...?" */
#pragma once

#include <stddef.h>

#define NEAREST_NAME_MAX 31 /* longer names are compared up to here */
#define NEAREST_DISTANCE 3  /* further away is something else, not a slip */

/* Levenshtein's distance between two names: how many letters are to be put in, taken out or changed. */
size_t nearest_distance(const char *a, const char *b);
