#include "init/exec_reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define HEAD(text) (text), sizeof(text) - 1
#define NO_HEAD "", 0
/* The first 20 bytes of an ELF file: identification, type, e_machine. */
#define ELF_OF(machine) "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0" machine
#define ELF_X86_64 HEAD(ELF_OF("\x3e\0"))
#define ELF_AARCH64 HEAD(ELF_OF("\xb7\0"))

static const struct failure {
	const char *program;
	int error;
	const char *head;
	size_t length;
	int status;
	const char *sentence;
} failures[] = {
	{ "nodejs", ENOENT, NO_HEAD, 127, "nodejs: not found in PATH" },
	{ "nodejs", ENOENT, ELF_X86_64, 127, "nodejs: not found in PATH" },
	{ "auditt", ENOENT, NO_HEAD, 127, "auditt: not found in PATH (did you mean nest-init audit?)" },
	{ "exe", ENOENT, NO_HEAD, 127, "exe: not found in PATH (did you mean nest-init exec?)" },
	{ "healt", ENOENT, NO_HEAD, 127, "healt: not found in PATH (did you mean nest-init health?)" },
	{ "prob", ENOENT, NO_HEAD, 127, "prob: not found in PATH (did you mean nest-init probe?)" },
	{ "secomp", ENOENT, NO_HEAD, 127, "secomp: not found in PATH (did you mean nest-init seccomp?)" },
	{ "statsu", ENOENT, NO_HEAD, 127, "statsu: not found in PATH (did you mean nest-init status?)" },
	{ "help", ENOENT, NO_HEAD, 127, "help: not found in PATH (did you mean nest-init --help?)" },
	{ "version", ENOENT, NO_HEAD, 127, "version: not found in PATH (did you mean nest-init --version?)" },
	/* Other programs' names. */
	{ "node", ENOENT, NO_HEAD, 127, "node: not found in PATH" },
	{ "stat", ENOENT, NO_HEAD, 127, "stat: not found in PATH" },
	{ "edit", ENOENT, NO_HEAD, 127, "edit: not found in PATH" },
	{ "''", ENOENT, NO_HEAD, 127, "'': not found in PATH" },
	{ "/app/auditt", ENOENT, NO_HEAD, 127, "/app/auditt: not found" },
	{ "/app/run", ENOENT, NO_HEAD, 127, "/app/run: not found" },
	{ "./run", ENOENT, NO_HEAD, 127, "./run: not found" },
	{ "/app/run", ENOENT, HEAD("#!/usr/bin/python3\nimport os\n"), 127,
		"/app/run: its interpreter '/usr/bin/python3' does not exist in this image" },
	{ "/app/run", ENOENT, HEAD("#!/bin/bash"), 127,
		"/app/run: its interpreter '/bin/bash' does not exist in this image" },
	/* Only the first word is the interpreter, and blanks may come before it (execve(2)). */
	{ "/app/run", ENOENT, HEAD("#!/usr/bin/env node\n"), 127,
		"/app/run: its interpreter '/usr/bin/env' does not exist in this image" },
	{ "/app/run", ENOENT, HEAD("#! \t/bin/sh\t-eu \n"), 127,
		"/app/run: its interpreter '/bin/sh' does not exist in this image" },
	{ "/app/run", ENOENT, HEAD("#!/bin/sh\r\necho\r\n"), 127,
		"/app/run: its first line ends in CRLF: save the script with Unix line ends" },
	/* The CR is the argument's there, and the interpreter is missing all the same. */
	{ "/app/run", ENOENT, HEAD("#!/bin/sh -e\r\necho\r\n"), 127,
		"/app/run: its interpreter '/bin/sh' does not exist in this image" },
	{ "/app/run", ENOENT, HEAD("#!\r\n"), 127,
		"/app/run: its first line ends in CRLF: save the script with Unix line ends" },
	{ "/app/run", ENOENT, HEAD("#!\n/bin/sh\n"), 127, "/app/run: not found" },
	{ "/app/run", ENOENT, HEAD("#!"), 127, "/app/run: not found" },
	{ "/app/run", ENOENT, HEAD("#"), 127, "/app/run: not found" },
	{ "/app/run", ENOENT, HEAD("x!/bin/sh\n"), 127, "/app/run: not found" },
	{ "/app/run", ENOENT, HEAD("#x/bin/sh\n"), 127, "/app/run: not found" },
	{ "/app/run", ENOENT, ELF_X86_64, 127,
		"/app/run: its dynamic loader does not exist in this image (built for another libc? musl and glibc "
		"differ)" },
	{ "/app/run", ENOENT, HEAD("\177ELF\2\1\1"), 127, "/app/run: not found" },
	{ "/etc/passwd/run", ENOTDIR, NO_HEAD, 127, "/etc/passwd/run: a part of the path is not a directory" },
	{ "/app/run", EACCES, HEAD("#!/bin/sh\n"), 126,
		"/app/run: permission denied (a noexec mount, an interpreter or a parent that this user may not use, "
		"or an "
		"execute bit that is for others)" },
	{ "/app/run", EPERM, ELF_X86_64, 126,
		"/app/run: operation not permitted (does the seccomp profile allow execve?)" },
	{ "/app/run", ENOEXEC, ELF_AARCH64, 126, "/app/run: built for arm64, this machine is amd64" },
	{ "/app/run", ENOEXEC, HEAD(ELF_OF("\x03\0")), 126, "/app/run: built for 386, this machine is amd64" },
	{ "/app/run", ENOEXEC, HEAD(ELF_OF("\x28\0")), 126, "/app/run: built for arm, this machine is amd64" },
	{ "/app/run", ENOEXEC, HEAD(ELF_OF("\xf3\0")), 126,
		"/app/run: built for another architecture, this machine is amd64" },
	{ "/app/run", ENOEXEC, ELF_X86_64, 126, "/app/run: a damaged ELF file" },
	/* Too short to say for which machine. */
	{ "/app/run", ENOEXEC, ELF_OF("\xb7"), 19, 126, "/app/run: neither a program nor a script with a #! line" },
	{ "/app/run", ENOEXEC, HEAD("echo hello\n"), 126, "/app/run: neither a program nor a script with a #! line" },
	{ "/app/run", ENOEXEC, NO_HEAD, 126, "/app/run: neither a program nor a script with a #! line" },
};

static void says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(failures); i++) {
		struct complaint why = { "" };
		const int status = exec_reason(failures[i].program, failures[i].error, 0, failures[i].head,
			failures[i].length, EM_X86_64, &why);

		if (strcmp(why.text, failures[i].sentence) != 0 || status != failures[i].status)
			fail_msg("%zu: %d, %s", i, status, why.text);
	}
}

/* glibc's and musl's are not the same. */
static void of_any_other_error_says_the_words_of_the_libc(void **state)
{
	static const int errors[] = { ETXTBSY, E2BIG, ELOOP };

	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct complaint why;

		assert_int_equal(exec_reason("/app/run", errors[i], 0, NO_HEAD, EM_X86_64, &why), 126);
		assert_memory_equal(why.text, "/app/run: ", strlen("/app/run: "));
		assert_string_equal(why.text + strlen("/app/run: "), strerror(errors[i]));
	}
}

static void looks_at_the_mode_of_what_is_denied(void **state)
{
	static const struct {
		unsigned mode;
		const char *sentence;
	} cases[] = {
		{ 0040755, "/app/run: is a directory" },
		{ 0100644, "/app/run: permission denied: it has no execute bit (chmod +x)" },
		{ 0100700, "/app/run: permission denied (a noexec mount" },
		{ 0, "/app/run: permission denied (a noexec mount" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct complaint why;

		assert_int_equal(exec_reason("/app/run", EACCES, cases[i].mode, NO_HEAD, EM_X86_64, &why), 126);
		assert_memory_equal(why.text, cases[i].sentence, strlen(cases[i].sentence));
	}
}

static void a_long_name_leaves_room_for_the_reason(void **state)
{
	char name[4096];
	struct complaint why;

	(void)state;
	memset(name, 'y', sizeof name - 1);
	name[0] = '/';
	name[sizeof name - 1] = '\0';
	assert_int_equal(exec_reason(name, ENAMETOOLONG, 0, NO_HEAD, EM_X86_64, &why), 126);
	assert_non_null(strstr(why.text, "yyy...: "));
	assert_string_equal(strstr(why.text, ": ") + 2, strerror(ENAMETOOLONG));
}

static void names_this_machine(void **state)
{
	struct complaint why;

	(void)state;
	assert_int_equal(exec_reason("/app/run", ENOEXEC, 0100755, ELF_X86_64, EM_AARCH64, &why), 126);
	assert_string_equal(why.text, "/app/run: built for amd64, this machine is arm64");
}

/* Not NUL-terminated, of any length: the sanitizers watch. */
static void reads_no_byte_behind_the_head(void **state)
{
	static const int errors[] = { ENOENT, ENOEXEC };
	static const char text[] = "#!/usr/bin/python3 -u\r\n";
	static const char blanks[] = "#! \t  \t  ";
	static const char elf[] = ELF_OF("\xb7\0");
	static const struct {
		const char *bytes;
		size_t length;
	} heads[] = { { HEAD(text) }, { HEAD(blanks) }, { HEAD(elf) } };

	(void)state;
	for (size_t i = 0; i < COUNT(errors) * COUNT(heads); i++) {
		const char *bytes = heads[i / COUNT(errors)].bytes;

		for (size_t length = 0; length <= heads[i / COUNT(errors)].length; length++) {
			char *head = malloc(length > 0 ? length : 1);
			struct complaint why;

			memcpy(head, bytes, length);
			exec_reason("/app/run", errors[i % COUNT(errors)], 0, head, length, EM_X86_64, &why);
			assert_true(strlen(why.text) > strlen("/app/run: "));
			free(head);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_why),
		cmocka_unit_test(of_any_other_error_says_the_words_of_the_libc),
		cmocka_unit_test(looks_at_the_mode_of_what_is_denied),
		cmocka_unit_test(a_long_name_leaves_room_for_the_reason),
		cmocka_unit_test(names_this_machine),
		cmocka_unit_test(reads_no_byte_behind_the_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
