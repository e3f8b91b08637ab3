#include "init/monitor_model.h"

#include "base/cleanup.h"
#include "base/config_write.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* Linux 6.3 */
#endif

static int write_text(const struct model *model, char **ret_text, size_t *ret_length)
{
	FILE *out = open_memstream(ret_text, ret_length);

	if (out == NULL)
		return -ENOMEM;
	config_write(model, CONFIG_FOR_MONITOR, out);
	return fclose(out) == 0 ? 0 : -ENOMEM;
}

/* Sealed: a monitor that somebody took over must not have a word in what the next one does (fcntl(2)). */
static int open_memory(const char *text, size_t length)
{
	cleanup_close int fd = (int)syscall(
		SYS_memfd_create, "model", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	int error;

	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, "model", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	error = fd_write_all(fd, text, length);
	if (error < 0)
		return error;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	return take_fd(&fd);
}

int monitor_model_open(const struct model *model, struct complaint *ret_why)
{
	cleanup_free char *text = NULL;
	size_t length = 0;
	int fd = write_text(model, &text, &length);

	if (fd == 0)
		fd = open_memory(text, length);
	return fd < 0 ? complain(ret_why, -fd, "monitor: cannot hand the configuration over: %s", strerror(-fd)) : fd;
}
