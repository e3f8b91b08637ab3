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

int monitor_model_memory(void)
{
	int fd = (int)syscall(SYS_memfd_create, "model", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, "model", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

int monitor_model_write(const struct model *model, int fd)
{
	cleanup_free char *text = NULL;
	size_t length = 0;
	int error = write_text(model, &text, &length);

	return error < 0 ? error : fd_write_all(fd, text, length);
}

/* A monitor that somebody took over must not have a word in what the next one does (fcntl(2)). */
int monitor_model_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0 ? -errno : 0;
}

int monitor_model_open(const struct model *model, struct complaint *ret_why)
{
	cleanup_close int fd = monitor_model_memory();
	int error = fd < 0 ? fd : monitor_model_write(model, fd);

	if (error == 0)
		error = monitor_model_seal(fd);
	return error < 0
		? complain(ret_why, -error, "monitor: cannot hand the configuration over: %s", strerror(-error))
		: take_fd(&fd);
}
