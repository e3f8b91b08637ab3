#include "logs/ring.h"

#include <errno.h>
#include <sys/mman.h>

int ring_map(int fd, off_t offset, size_t size, struct ring *ret_ring)
{
	char *at = mmap(NULL, 2 * size + RING_BEYOND, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	for (size_t turn = 0; turn < 2; turn++)
		if (mmap(at + turn * size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, offset) ==
			MAP_FAILED)
			return -errno;
	*ret_ring = (struct ring){ .at = at, .size = size };
	return 0;
}
