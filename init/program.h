/* Which files the kernel opens to execute a command: the program, the interpreter of its #! line, its dynamic loader.
 */
#pragma once

/* PATH of the environment, or what a shell takes where there is none. */
const char *program_path(void);

/* Writes DIRECTORY/NAME for the first directory of `path` (size: of ret_file; "" where it is too long), and returns the
 * rest of `path`, or NULL behind the last. An empty directory is the current one (environ(7)). */
const char *program_next(const char *path, const char *name, char *ret_file, int size);

/* Calls `visit` for each file that executing `command` takes: a name without a slash is looked for in PATH, `#!
 * /usr/bin/env NAME` as env does, a text without #! goes to /bin/sh, and interpreters have interpreters. What is no
 * executable file is passed over: execve(2) will say what is wrong with it. Returns 0, or the first error of `visit`.
 */
int program_visit(const char *command, int (*visit)(void *context, const char *file), void *context);

#define PROGRAM_SHELL "/bin/sh"
