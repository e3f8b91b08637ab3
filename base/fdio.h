/* Whole reads and writes on descriptors, with a cap on everything. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Writes all of it, going on after EINTR and short writes. Blocks as the descriptor does. Returns 0 or -errno. */
int fd_write_all(int fd, const void *bytes, size_t length);

/* Reads to the end of the file or until the buffer is full. Returns the number of bytes or -errno. */
ssize_t fd_read_all(int fd, void *buffer, size_t size);

/* Reads a whole file of at most `limit` bytes into memory that the caller frees; a NUL is put behind the last byte.
 * Returns 0, -EFBIG when there is more, or another -errno. */
int file_read(const char *path, size_t limit, char **ret_text, size_t *ret_length);
/* The same from an open descriptor (borrowed). */
int fd_read_file(int fd, size_t limit, char **ret_text, size_t *ret_length);

/* Memory that several processes may map, all zero (memfd_create(2)); the name is for /proc alone. Returns a descriptor,
 * CLOEXEC, or -errno. */
int fd_memory(const char *name, size_t size);

/* Sends one message and a descriptor with it (SCM_RIGHTS, unix(7)). Returns 0 or -errno. */
int fd_send(int channel, const void *message, size_t length, int fd);

/* Receives one packet: returns its true length, also where it was cut to `size` (MSG_TRUNC, recv(2)), 0 at the end, or
 * -1 and errno. *ret_fd is the descriptor that came with it (CLOEXEC, the caller's), or -1. */
ssize_t fd_receive(int channel, void *buffer, size_t size, int *ret_fd);
