#include "init/program.h"

#include "base/cleanup.h"
#include "base/fdio.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define HEAD_SIZE 256 /* as much as the kernel looks at (BINPRM_BUF_SIZE) */
#define DEPTH_MAX 6   /* the kernel follows five interpreters (execve(2)) */

const char *program_path(void)
{
	const char *path = getenv("PATH");

	return path != NULL ? path : DEFAULT_PATH;
}

const char *program_next(const char *path, const char *name, char *ret_file, int size)
{
	const char *end = strchrnul(path, ':');

	if (snprintf(ret_file, (size_t)size, "%.*s%s%s", (int)(end - path), path, end > path ? "/" : "./", name) >=
		size)
		*ret_file = '\0';
	return *end == ':' ? end + 1 : NULL;
}

static bool is_executable(const char *file)
{
	struct stat status;

	return stat(file, &status) == 0 && S_ISREG(status.st_mode) && access(file, X_OK) == 0;
}

/* The file that a name means, or false. */
static bool find(const char *name, char *ret_file)
{
	if (strchr(name, '/') != NULL)
		return snprintf(ret_file, PATH_MAX, "%s", name) < PATH_MAX && is_executable(ret_file);
	for (const char *path = program_path(); path != NULL;) {
		path = program_next(path, name, ret_file, PATH_MAX);
		if (is_executable(ret_file))
			return true;
	}
	return false;
}

/* PT_INTERP (elf(5)) of a 64-bit program; bytes: its first. */
static bool find_loader(int fd, const char *bytes, char *ret_file)
{
	Elf64_Ehdr head;

	memcpy(&head, bytes, sizeof head);
	if (memcmp(bytes, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64)
		return false;
	for (unsigned i = 0; i < head.e_phnum; i++) {
		off_t at = (off_t)(head.e_phoff + (uint64_t)i * sizeof(Elf64_Phdr));
		Elf64_Phdr segment;

		if (pread(fd, &segment, sizeof segment, at) != sizeof segment)
			return false;
		if (segment.p_type != PT_INTERP)
			continue;
		if (segment.p_filesz >= PATH_MAX ||
			pread(fd, ret_file, segment.p_filesz, (off_t)segment.p_offset) != (ssize_t)segment.p_filesz)
			return false;
		ret_file[segment.p_filesz] = '\0';
		return true;
	}
	return false;
}

/* Parts "#! /usr/bin/env node" in place. */
static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t");

	*rest = word + strcspn(word, " \t\n");
	if (**rest != '\0')
		*(*rest)++ = '\0';
	return word;
}

static bool is_env(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash != NULL && strcmp(slash, "/env") == 0;
}

static int visit_from(const char *name, unsigned depth, int (*visit)(void *context, const char *file), void *context);

static int visit_interpreter(char *line, unsigned depth, int (*visit)(void *context, const char *file), void *context)
{
	char *rest = line, *interpreter, *argument;
	int error;

	line[strcspn(line, "\n")] = '\0';
	interpreter = next_word(&rest);
	argument = next_word(&rest);
	if (strchr(interpreter, '/') == NULL) /* the kernel does not look into PATH */
		return 0;
	error = visit_from(interpreter, depth, visit, context);
	if (error == 0 && is_env(interpreter) && *argument != '\0' && *argument != '-')
		error = visit_from(argument, depth, visit, context);
	return error;
}

static int visit_from(const char *name, unsigned depth, int (*visit)(void *context, const char *file), void *context)
{
	char file[PATH_MAX] = "", head[HEAD_SIZE + 1] = "";
	cleanup_close int fd = -1;
	ssize_t length;
	int error;

	if (depth == DEPTH_MAX || !find(name, file))
		return 0;
	error = visit(context, file);
	if (error < 0)
		return error;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	length = fd < 0 ? 0 : fd_read_all(fd, head, HEAD_SIZE);
	if (length <= 0)
		return 0;
	if (memcmp(head, "#!", 2) == 0)
		return visit_interpreter(head + 2, depth + 1, visit, context);
	if (find_loader(fd, head, file))
		return visit_from(file, depth + 1, visit, context);
	return memchr(head, '\0', (size_t)length) == NULL ? visit_from(PROGRAM_SHELL, depth + 1, visit, context) : 0;
}

int program_visit(const char *command, int (*visit)(void *context, const char *file), void *context)
{
	return visit_from(command, 0, visit, context);
}
