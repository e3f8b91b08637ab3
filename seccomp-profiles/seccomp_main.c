#include "seccomp-profiles/seccomp_main.h"

#include "seccomp-profiles/commands.h"

#include <stdio.h>
#include <string.h>

static const char help[] = "Usage: nest-init seccomp SUBCOMMAND ...; nest-init seccomp SUBCOMMAND --help says more.\n"
			   "\n"
			   "  compile FILE|NAME -o OUT     a profile to the BPF that --seccomp OUT applies\n"
			   "  explain SOURCE [SYSCALL...]  what happens to each system call, and which rule says so\n"
			   "  diff SOURCE SOURCE           what one allows and the other does not\n"
			   "  record -o OUT COMMAND ...    a profile, learnt from a run\n";

static const struct {
	char name[8];
	int (*main)(int argc, char **argv);
} subcommands[] = {
	{ "compile", seccomp_compile_main },
	{ "diff", seccomp_diff_main },
	{ "explain", seccomp_explain_main },
	{ "record", seccomp_record_main },
};

int seccomp_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return command_help(help);
	if (argc > 2 && strcmp(argv[2], "-h") == 0)
		argv[2] = (char *)"--help";
	for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++)
		if (strcmp(name, subcommands[i].name) == 0)
			return subcommands[i].main(argc - 1, argv + 1);
	return command_refuse(argc > 1 ? name : "what to do", "no subcommand; see nest-init seccomp --help");
}
