/* Which program is this? A subcommand by its name, else the supervisor. */
#include "init/commands.h"

#include "health/probe_main.h"
#include "init/personality.h"
#include "seccomp-profiles/seccomp_main.h"

#include <stdlib.h>
#include <string.h>

static int (*find_command(const char *name))(int, char **)
{
	if (strcmp(name, "audit") == 0)
		return audit_main;
	if (strcmp(name, "check") == 0)
		return check_main;
	if (strcmp(name, "ctl") == 0)
		return ctl_main;
	if (strcmp(name, "exec") == 0)
		return exec_main;
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
	if (strcmp(name, "logger") == 0)
		return logger_main;
	return NULL;
}

int main(int argc, char **argv)
{
	/* Under another program's name every word is that program's. */
	int (*command)(int, char **) = argc > 1 && personality_find(argv[0]) == NULL ? find_command(argv[1]) : NULL;

	return command != NULL ? command(argc - 1, argv + 1) : run_main(argc, argv);
}
