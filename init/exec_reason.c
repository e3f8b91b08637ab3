#include "init/exec_reason.h"

#include "base/nearest.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_SIZE 256

#define MACHINE_OFFSET 18 /* of e_machine, the same for 32 and 64 bits (elf(5)) */

static bool is_elf(const char *head, size_t length)
{
	return length > MACHINE_OFFSET + 1 && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static uint16_t machine_of(const char *head)
{
	uint16_t machine;

	memcpy(&machine, head + MACHINE_OFFSET, sizeof machine);
	return machine;
}

static const char *machine_name(uint16_t machine)
{
	switch (machine) {
	case EM_X86_64:
		return "amd64";
	case EM_AARCH64:
		return "arm64";
	case EM_386:
		return "386";
	case EM_ARM:
		return "arm";
	default:
		return "another architecture";
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The file is there and yet the kernel says "no such file": it means the interpreter. */
static int missing_interpreter(const char *program, const char *head, size_t length, struct complaint *ret_why)
{
	const char *end = memchr(head, '\n', length);
	size_t line = end != NULL ? (size_t)(end - head) : length, start = 2, stop;

	if (line > 2 && head[0] == '#' && head[1] == '!') {
		/* Blanks may stand before the interpreter, and one argument behind it (execve(2)). */
		while (start < line && is_blank(head[start]))
			start++;
		for (stop = start; stop < line && !is_blank(head[stop]);)
			stop++;
		if (head[stop - 1] == '\r') /* behind an argument it would be the argument's */
			complain(ret_why, ENOENT,
				"%s: its first line ends in CRLF: save the script with Unix line ends", program);
		else
			complain(ret_why, ENOENT, "%s: its interpreter '%.*s' does not exist in this image", program,
				(int)(stop - start), head + start);
	} else if (is_elf(head, length)) {
		complain(ret_why, ENOENT,
			"%s: its dynamic loader does not exist in this image (built for another libc? musl and glibc "
			"differ)",
			program);
	} else {
		complain(ret_why, ENOENT, "%s: not found", program);
	}
	return EXEC_STATUS_NOT_FOUND;
}

static void format_refused(
	const char *program, const char *head, size_t length, uint16_t machine, struct complaint *ret_why)
{
	if (is_elf(head, length) && machine_of(head) != machine)
		complain(ret_why, ENOEXEC, "%s: built for %s, this machine is %s", program,
			machine_name(machine_of(head)), machine_name(machine));
	else if (is_elf(head, length))
		complain(ret_why, ENOEXEC, "%s: a damaged ELF file", program);
	else
		complain(ret_why, ENOEXEC, "%s: neither a program nor a script with a #! line", program);
}

static void denied(const char *program, unsigned mode, struct complaint *ret_why)
{
	if (S_ISDIR(mode))
		complain(ret_why, EACCES, "%s: is a directory", program);
	else if (S_ISREG(mode) && (mode & 0111) == 0)
		complain(ret_why, EACCES, "%s: permission denied: it has no execute bit (chmod +x)", program);
	else
		complain(ret_why, EACCES,
			"%s: permission denied (a noexec mount, an interpreter or a parent that this user may not use, "
			"or "
			"an execute bit that is for others)",
			program);
}

/* Words that are no program's but ours: a slip in one of them makes a COMMAND of it. */
static const char *own_word(const char *program)
{
	static const char words[][12] = { "audit", "check", "ctl", "exec", "health", "probe", "status", "seccomp",
		"help", "version" };
	const char *found = NULL;
	size_t best = NEAREST_DISTANCE;

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (nearest_is_nearer(program, words[i], &best))
			found = words[i];
	return 2 * best < strlen(program) ? found : NULL;
}

/* One that is near a subcommand of ours, or an option without its dashes. */
static int not_in_path(const char *program, struct complaint *ret_why)
{
	const char *word = own_word(program);

	if (word == NULL)
		complain(ret_why, ENOENT, "%s: not found in PATH", program);
	else
		complain(ret_why, ENOENT, "%s: not found in PATH (did you mean nest-init %s%s?)", program,
			strcmp(word, "help") == 0 || strcmp(word, "version") == 0 ? "--" : "", word);
	return EXEC_STATUS_NOT_FOUND;
}

int exec_reason(const char *named, int error, unsigned mode, const char *head, size_t length, uint16_t machine,
	struct complaint *ret_why)
{
	char program[NAME_SIZE];

	/* The reason is to have room behind it. */
	snprintf(program, sizeof program, "%.*s%s", NAME_SIZE - 4, named, strlen(named) > NAME_SIZE - 4 ? "..." : "");
	switch (error) {
	case ENOENT:
		if (strchr(program, '/') == NULL)
			return not_in_path(program, ret_why);
		if (length > 0)
			return missing_interpreter(program, head, length, ret_why);
		complain(ret_why, ENOENT, "%s: not found", program);
		return EXEC_STATUS_NOT_FOUND;
	case ENOTDIR:
		complain(ret_why, ENOTDIR, "%s: a part of the path is not a directory", program);
		return EXEC_STATUS_NOT_FOUND;
	case EACCES:
		denied(program, mode, ret_why);
		break;
	case EPERM:
		complain(ret_why, EPERM, "%s: operation not permitted (does the seccomp profile allow execve?)",
			program);
		break;
	case ENOEXEC:
		format_refused(program, head, length, machine, ret_why);
		break;
	default:
		complain(ret_why, error, "%s: %s", program, strerror(error));
		break;
	}
	return EXEC_STATUS_NOT_EXECUTABLE;
}
