/* Scope-bound ownership: a variable that owns a resource says so where it is declared. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free_pointer(void *slot)
{
	free(*(void **)slot);
}

/* Closes the descriptor (unless it is negative) when the variable leaves its scope. */
#define cleanup_close __attribute__((cleanup(cleanup_close_fd)))
/* Frees the memory when the variable leaves its scope. */
#define cleanup_free __attribute__((cleanup(cleanup_free_pointer)))

/* Hands a descriptor over to the caller: the variable owns nothing afterwards. */
static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

/* Hands memory over to the caller: the variable owns nothing afterwards. */
static inline void *take_pointer(void *slot)
{
	void *taken = *(void **)slot;
	*(void **)slot = NULL;
	return taken;
}
