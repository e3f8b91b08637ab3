#include "base/given_file.h"

#include "base/cleanup.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static given_file_opener *asked;

void given_file_ask(given_file_opener *opener)
{
	asked = opener;
}

/* O_NONBLOCK: a FIFO would wait for somebody who writes (fifo(7)). */
static int open_or_ask(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	return errno == EACCES && asked != NULL ? asked(path) : -errno;
}

int given_file_open(const char *path)
{
	cleanup_close int fd = open_or_ask(path);
	struct stat what;

	if (fd < 0)
		return fd;
	if (fstat(fd, &what) < 0)
		return -errno;
	return S_ISREG(what.st_mode) ? take_fd(&fd) : -EINVAL;
}

int given_file_read(const char *option, const char *path, size_t limit, char **ret_text, size_t *ret_length,
	struct complaint *ret_why)
{
	cleanup_close int fd = given_file_open(path);
	const int error = fd < 0 ? fd : fd_read_file(fd, limit, ret_text, ret_length);

	switch (error) {
	case 0:
		return 0;
	case -EINVAL:
		return complain(ret_why, EINVAL, "%s %s: no regular file", option, path);
	case -EACCES:
		return complain(ret_why, EACCES,
			"%s %s: %s (neither PID 1's user, nor the service's, nor the monitor's may read it)", option,
			path, strerror(EACCES));
	case -EAGAIN:
		return complain(ret_why, EAGAIN, "%s %s: PID 1 did not open it in time; tried again", option, path);
	default:
		return complain(ret_why, -error, "%s %s: %s", option, path, strerror(-error));
	}
}
