#include "base/fdio.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* Linux 6.3 */
#endif

int fd_write_all(int fd, const void *bytes, size_t length)
{
	const char *next = bytes;

	while (length > 0) {
		ssize_t written = write(fd, next, length);

		if (written < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		next += written;
		length -= (size_t)written;
	}
	return 0;
}

ssize_t fd_read_all(int fd, void *buffer, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t count = read(fd, (char *)buffer + have, size - have);

		if (count == 0)
			break;
		if (count < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		have += (size_t)count;
	}
	return (ssize_t)have;
}

int fd_read_file(int fd, size_t limit, char **ret_text, size_t *ret_length)
{
	cleanup_free char *text = NULL;
	size_t size = 0, have = 0;

	for (;;) {
		ssize_t count;
		char *larger;

		if (have > limit)
			return -EFBIG;
		size = size == 0 ? 4096 : size * 2;
		if (size > limit + 2)
			size = limit + 2; /* one byte more than allowed, to see that there is more, and the NUL */
		larger = realloc(text, size);
		if (larger == NULL)
			return -ENOMEM;
		text = larger;
		count = fd_read_all(fd, text + have, size - 1 - have);
		if (count < 0)
			return (int)count;
		have += (size_t)count;
		if (have < size - 1)
			break;
	}
	text[have] = '\0';
	*ret_length = have;
	*ret_text = take_pointer(&text);
	return 0;
}

int file_read(const char *path, size_t limit, char **ret_text, size_t *ret_length)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return fd_read_file(fd, limit, ret_text, ret_length);
}

int fd_memory(const char *name, size_t size)
{
	cleanup_close int fd = (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -errno;
	return take_fd(&fd);
}

/* As cmsg(3) has it: room for one descriptor, aligned. */
union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int fd_send(int channel, const void *message, size_t length, int fd)
{
	struct iovec part = { (void *)message, length };
	union control control = {
		.head = { .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS }
	};
	const struct msghdr all = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	return sendmsg(channel, &all, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t fd_receive(int channel, void *buffer, size_t size, int *ret_fd)
{
	struct iovec part = { buffer, size };
	union control control;
	struct msghdr all = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	ssize_t count = recvmsg(channel, &all, MSG_CMSG_CLOEXEC | MSG_TRUNC);
	struct cmsghdr *head = count > 0 ? CMSG_FIRSTHDR(&all) : NULL;

	*ret_fd = -1;
	if (head != NULL && head->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(head), sizeof *ret_fd);
	return count;
}
