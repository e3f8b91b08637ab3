/* Stands in for libseccomp's syscalls.perf.c: its table of system calls (src/syscalls.h).
 *
 * What libseccomp generates with gperf holds an int for each of 15 architectures in each of 487 rows, and a jump for
 * each name: 50 KB. A kernel runs only programs of its own family, and we are built for x86's and ARM's: five columns
 * of 16 bits, and names in the order of strcmp(3), are 12 KB. syscall-table.awk writes them. */
#include <seccomp.h>
#include <stdint.h>
#include <string.h>

#include "syscalls.h"

#include "syscall-table.h"

static int number_at(const int16_t *column, unsigned row)
{
	int number = column[row];

	if (number < 0)
		return pseudos[row];
	return number < PRIVATE_16 ? number : number - PRIVATE_16 + ARM_PRIVATE;
}

/* libseccomp names a column by its place in a row of its own, behind two other ints. */
static const int16_t *column_at(int offset)
{
	return numbers[offset / (int)sizeof(int) - 2];
}

int syscall_resolve_name(const char *name, int offset)
{
	unsigned low = 0, high = ROWS;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order = strcmp(name, names + offsets[middle]);

		if (order == 0)
			return number_at(column_at(offset), middle);
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return __NR_SCMP_ERROR;
}

const char *syscall_resolve_num(int num, int offset)
{
	const int16_t *column = column_at(offset);
	int stored = num < PRIVATE_16 ? num : num - ARM_PRIVATE + PRIVATE_16;

	if (num >= PRIVATE_16 && num < ARM_PRIVATE)
		return NULL;
	for (unsigned row = 0; row < ROWS; row++)
		if (stored == (column[row] < 0 ? pseudos[row] : column[row]))
			return names + offsets[row];
	return NULL;
}
