#include "base/nearest.h"

#include <string.h>

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t nearest_distance(const char *a, const char *b)
{
	size_t row[NEAREST_NAME_MAX + 1], length = smaller(strlen(b), NEAREST_NAME_MAX);

	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; i <= NEAREST_NAME_MAX && a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t above = row[j];

			row[j] = smaller(smaller(row[j] + 1, row[j - 1] + 1), diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[length];
}

bool nearest_is_nearer(const char *word, const char *name, size_t *best)
{
	const size_t distance = nearest_distance(word, name);

	if (distance >= *best || (distance >= strlen(name) && distance >= strlen(word)))
		return false;
	*best = distance;
	return true;
}
