/* What runc and crun need beside their options: a bundle, and in it the command. */
#include "bench.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define CONFIG_MAX (256 * 1024)

/* The template's text with `mark` replaced, to the file; returns where the text goes on, NULL if the mark is not there.
 */
static const char *put_until(FILE *file, const char *text, const char *mark)
{
	const char *found = strstr(text, mark);

	if (!found)
		return NULL;
	fwrite(text, 1, (size_t)(found - text), file);
	return found + strlen(mark);
}

/* No word has anything in it that JSON would escape. */
static bool fill(FILE *file, const char *template, const char *const *words, int id)
{
	const char *rest = put_until(file, template, "\"@COMMAND@\"");

	for (size_t i = 0; words[i]; i++)
		fprintf(file, "%s\"%s\"", i ? ", " : "", words[i]);
	if (rest)
		rest = put_until(file, rest, "@ID@");
	if (rest)
		fprintf(file, "%d%s", id, rest);
	return rest != NULL;
}

int runtime_write_bundle(const char *const *words)
{
	static char template[CONFIG_MAX];
	static int id;
	FILE *file = fopen("config.json.in", "re");
	size_t length;
	bool done;

	if (!file)
		return -errno;
	length = fread(template, 1, sizeof template - 1, file);
	fclose(file);
	template[length] = '\0';
	file = fopen("bundle/config.json", "we");
	if (!file)
		return -errno;
	done = fill(file, template, words, ++id);
	return fclose(file) == 0 && done ? 0 : -EIO;
}

bool runtime_enter(void)
{
	/* pivot_root(2) wants a mount point other than the root, so the root appears in a second place. */
	if (mount("/", "root", NULL, MS_BIND | MS_REC, NULL) != 0 || mount("tmpfs", "state", "tmpfs", 0, NULL) != 0)
		return false;
	/* Version 2 alone, whatever the machine has: crun refuses a mixture, and version 1 can refuse runc's processes
	 * their real-time priority (CONFIG_RT_GROUP_SCHED). EINVAL: nothing is mounted there. */
	umount2("/sys/fs/cgroup", MNT_DETACH);
	return mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0;
}
