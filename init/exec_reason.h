/* Why a program could not be executed, as a person would want to be told. Pure. */
#pragma once

#include "base/complaint.h"

#include <stddef.h>
#include <stdint.h>

#define EXEC_STATUS_NOT_EXECUTABLE 126
#define EXEC_STATUS_NOT_FOUND 127

/* program: the file tried last, or the bare name when nothing of that name is in PATH. error: errno of execve(2). mode:
 * the file's st_mode (stat(2)), 0 when it is not known. head: its first bytes (128 are plenty), length 0 when they
 * could not be read. machine: e_machine of this system (elf(5)). Writes the sentence and returns 126 or 127, as a shell
 * would. */
int exec_reason(const char *program, int error, unsigned mode, const char *head, size_t length, uint16_t machine,
	struct complaint *ret_why);
