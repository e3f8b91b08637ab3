#include "init/inherited.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void inherited_close(int *ours, size_t count)
{
	int first = STDERR_FILENO + 1;

	qsort(ours, count, sizeof ours[0], by_number);
	for (size_t i = 0; i < count; i++) {
		if (ours[i] < first)
			continue;
		if (ours[i] > first)
			syscall(SYS_close_range, (unsigned)first, (unsigned)ours[i] - 1, 0);
		first = ours[i] + 1;
	}
	syscall(SYS_close_range, (unsigned)first, ~0U, 0);
}
