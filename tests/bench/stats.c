#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void median_interval(const double *values, size_t count, double *ret_median, double *ret_low, double *ret_high)
{
	double *sorted = malloc(count * sizeof *sorted);
	double half = 0.98 * sqrt((double)count); /* 1.96 standard deviations of a binomial of 1/2 */
	double middle = ((double)count - 1) / 2;

	if (!sorted)
		abort();
	memcpy(sorted, values, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare);
	*ret_median = (sorted[(size_t)floor(middle)] + sorted[(size_t)ceil(middle)]) / 2;
	*ret_low = sorted[(size_t)fmax(0, floor(middle - half))];
	*ret_high = sorted[(size_t)fmin((double)count - 1, ceil(middle + half))];
	free(sorted);
}

double median(const double *values, size_t count)
{
	double middle, low, high;

	median_interval(values, count, &middle, &low, &high);
	return middle;
}

void shuffle(size_t *order, size_t count)
{
	for (size_t i = 0; i < count; i++)
		order[i] = i;
	for (size_t i = count; i > 1; i--) {
		size_t j = (size_t)random() % i, kept = order[i - 1];

		order[i - 1] = order[j];
		order[j] = kept;
	}
}
