#include "seccomp-profiles/program.h"

#include <stdio.h>

/* Appends what fits; `at` may already be at the end. */
static size_t append(char *text, size_t size, size_t at, const char *before, const char *word)
{
	int length = at < size ? snprintf(text + at, size - at, "%s%s", before, word) : 0;

	return length < 0 || (size_t)length >= size - at ? size : at + (size_t)length;
}

void seccomp_warnings_text(const char *file, const struct seccomp_warnings *warnings, char *ret_text, size_t size)
{
	uint32_t kept = warnings->count < SECCOMP_WARNINGS_MAX ? warnings->count : SECCOMP_WARNINGS_MAX;
	char place[48], more[48];
	size_t at = 0;

	if (size == 0)
		return;
	ret_text[0] = '\0';
	if (kept == 0)
		return;
	snprintf(place, sizeof place, ":%u:%u: ", warnings->unknown[0].line, warnings->unknown[0].column);
	at = append(ret_text, size, at, file, place);
	at = append(ret_text, size, at, "", kept == 1 ? "a syscall" : "syscalls");
	at = append(ret_text, size, at, " that libseccomp does not know: ", "");
	for (uint32_t i = 0; i < kept; i++)
		at = append(ret_text, size, at, i == 0 ? "" : ", ", warnings->unknown[i].name);
	if (warnings->count > kept) {
		snprintf(more, sizeof more, " and %u more", warnings->count - kept);
		append(ret_text, size, at, more, "");
	}
}
