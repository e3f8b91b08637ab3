#include "base/given_file.h"

#include "base/fdio.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int given_file_read(const char *option, const char *path, size_t limit, char **ret_text, size_t *ret_length,
	struct complaint *ret_why)
{
	struct stat what;
	int error;

	if (stat(path, &what) < 0)
		return complain(ret_why, errno, "%s %s: %s", option, path, strerror(errno));
	if (!S_ISREG(what.st_mode))
		return complain(ret_why, EINVAL, "%s %s: no regular file", option, path);
	error = file_read(path, limit, ret_text, ret_length);
	if (error == -EACCES)
		return complain(ret_why, EACCES, "%s %s: %s (the monitor reads it, without any privilege: chmod o+r)",
			option, path, strerror(EACCES));
	if (error < 0)
		return complain(ret_why, -error, "%s %s: %s", option, path, strerror(-error));
	return 0;
}
