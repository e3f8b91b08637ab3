#include "init/termination_log.h"

#include "base/cleanup.h"
#include "base/fdio.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH "/dev/termination-log"
#define SIZE 4096 /* MaxContainerTerminationMessageLength */

void termination_log_write(const char *text)
{
	/* A file of the node's, given by the kubelet. Written when all is over: nobody waits for us but for the end. */
	cleanup_close int fd = open(PATH, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char line[SIZE];
	struct stat status;
	size_t length = strlen(text), room;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size >= SIZE - 1)
		return;
	room = SIZE - 1 - (size_t)status.st_size;
	if (length > room)
		length = room;
	memcpy(line, text, length);
	line[length++] = '\n';
	fd_write_all(fd, line, length);
}
