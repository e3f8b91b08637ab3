/* Which program is this? A subcommand by its name, else the supervisor. */
#include "init/commands.h"

#include "health/probe_main.h"
#include "seccomp-profiles/seccomp_main.h"

#include <stdlib.h>
#include <string.h>

static int (*find_command(const char *name))(int, char **)
{
	if (strcmp(name, "health") == 0)
		return health_main;
	if (strcmp(name, "probe") == 0)
		return probe_main;
	if (strcmp(name, "status") == 0)
		return status_main;
	if (strcmp(name, "seccomp") == 0)
		return seccomp_main;
	if (strcmp(name, "monitor") == 0)
		return monitor_main;
	return NULL;
}

int main(int argc, char **argv)
{
	int (*command)(int, char **) = argc > 1 ? find_command(argv[1]) : NULL;

	return command != NULL ? command(argc - 1, argv + 1) : run_main(argc, argv);
}
