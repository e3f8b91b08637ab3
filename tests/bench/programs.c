#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char workload_path[256];

/* The confined ones do what they can of: no capability, no_new_privs, a seccomp filter, a read-only root. The notes
 * under the table say what each leaves out; all of it is in the peer's favour. */
struct program programs[PROGRAMS] = {
	[DIRECT] = { .name = "direct" },
	[FLOOR] = { .name = "floor" },
	[NEST] = { .name = "nest-init", .options = { "--" } },
	[DUMB_INIT] = { .name = "dumb-init", .file = "dumb-init", .options = { "--" } },
	[TINI] = { .name = "tini", .file = "tini", .options = { "--" } },
	[TINI_STATIC] = { .name = "tini-static", .file = "tini-static", .options = { "--" } },
	[CATATONIT] = { .name = "catatonit", .file = "catatonit", .options = { "--" } },
	[NEST_CONFINED] = { .name = "nest-init",
		.options = { "--cap-drop", "all", "--seccomp", "node", "--read-only", "--" } },
	[SETPRIV] = { .name = "setpriv",
		.file = "setpriv",
		.options = { "--no-new-privs", "--ambient-caps=-all", "--inh-caps=-all", "--bounding-set=-all",
			"--" } },
	[BWRAP] = { .name = "bwrap", .file = "bwrap", .options = { "--ro-bind", "/", "/", "--cap-drop", "ALL", "--" } },
	[MINIJAIL] = { .name = "minijail0", .file = "minijail0", .options = { "-n", "-c", "0", "--" } },
};

static void find_in_path(const char *file, char *ret_path, size_t size)
{
	const char *dirs[] = { "/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin" };

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		snprintf(ret_path, size, "%s/%s", dirs[i], file);
		if (access(ret_path, X_OK) == 0)
			return;
	}
	*ret_path = '\0';
}

static void set_path(struct program *program, const char *dir, const char *file)
{
	snprintf(program->path, sizeof program->path, "%s/%s", dir, file);
	if (access(program->path, X_OK) != 0)
		*program->path = '\0';
}

void programs_locate(const char *own_dir)
{
	snprintf(workload_path, sizeof workload_path, "%s/workload", own_dir);
	set_path(&programs[DIRECT], own_dir, "workload");
	set_path(&programs[FLOOR], own_dir, "floor");
	set_path(&programs[NEST], own_dir, "nest-init");
	set_path(&programs[NEST_CONFINED], own_dir, "nest-init");
	for (int i = 0; i < PROGRAMS; i++)
		if (programs[i].file)
			find_in_path(programs[i].file, programs[i].path, sizeof programs[i].path);
}
