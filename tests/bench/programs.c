#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char workload_path[256], node_path[256];

/* What Docker's profile has beside it in a container: another user, no capability, a root that is read-only. */
#define HARDENED "--user", "65534:65534", "--cap-drop", "all", "--read-only", "--tmpfs", "/tmp", "--seccomp"

/* Not where NEST_SERVING listens, which stays until the end. */
#define SERVING "--metrics", "127.0.0.1:9912", "--ready", "file:/"

/* The confined ones do what they can of: no capability, no_new_privs, a seccomp filter, a read-only root. The notes
 * under the table say what each leaves out; all of it is in the peer's favour. */
struct program programs[PROGRAMS] = {
	[DIRECT] = { .name = "direct" },
	[FLOOR] = { .name = "floor" },
	[NEST] = { .name = "nest-init", .options = { "--" }, .ours = true },
	[DUMB_INIT] = { .name = "dumb-init", .file = "dumb-init", .options = { "--" } },
	[TINI] = { .name = "tini", .file = "tini", .options = { "--" } },
	[TINI_STATIC] = { .name = "tini-static", .file = "tini-static", .options = { "--" } },
	[CATATONIT] = { .name = "catatonit", .file = "catatonit", .options = { "--" } },
	[NEST_CONFINED] = { .name = "nest-init",
		.options = { "--cap-drop", "all", "--seccomp", "node", "--read-only", "--" },
		.ours = true },
	[SETPRIV] = { .name = "setpriv",
		.file = "setpriv",
		.options = { "--no-new-privs", "--ambient-caps=-all", "--inh-caps=-all", "--bounding-set=-all",
			"--" } },
	[BWRAP] = { .name = "bwrap", .file = "bwrap", .options = { "--ro-bind", "/", "/", "--cap-drop", "ALL", "--" } },
	[MINIJAIL] = { .name = "minijail0", .file = "minijail0", .options = { "-n", "-c", "0", "--" } },
	[NEST_NODE] = { .name = "node", .options = { HARDENED, "node", "--" }, .ours = true },
	[NEST_DEFAULT] = { .name = "default", .options = { HARDENED, "default", "--" }, .ours = true },
	[NEST_COMPILED] = { .name = "docker.bpf", .options = { HARDENED, "./docker.bpf", "--" }, .ours = true },
	[NEST_DOCKER] = { .name = "docker.json",
		.options = { HARDENED, "./docker.json", "--" },
		.ours = true,
		.compiles = true },
	/* It has another user in a user namespace only. */
	[BWRAP_HARDENED] = { .name = "bwrap",
		.file = "bwrap",
		.options = { "--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL", "--ro-bind",
			"/", "/", "--tmpfs", "/tmp", "--seccomp", "50", "--" },
		.filter = "docker.bpf" },
	[SETPRIV_HARDENED] = { .name = "setpriv",
		.file = "setpriv",
		.options = { "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--inh-caps=-all",
			"--ambient-caps=-all", "--bounding-set=-all", "--" } },
	[RUNC] = { .name = "runc",
		.file = "runc",
		.options = { "--root", "state", "run", "--bundle", "bundle", "bench" },
		.runtime = true,
		.compiles = true },
	[CRUN] = { .name = "crun",
		.file = "crun",
		.options = { "--cgroup-manager=disabled", "--root", "state", "run", "--bundle", "bundle", "bench" },
		.runtime = true,
		.compiles = true },
	[NEST_SERVING] = { .name = "nest-init",
		.options = { "--metrics", "127.0.0.1:9911", "--ready", "file:/", "--" },
		.ours = true },
	[NEST_CLIENT] = { .name = "nest-init", .ours = true },
	[CURL] = { .name = "curl -f", .file = "curl", .options = { "-f", "-s", "-o", "/dev/null" } },
	[WGET] = { .name = "wget -O", .file = "wget", .options = { "-q", "-O", "/dev/null" } },
	/* As many bytes as nest-init's page: the quickest of its collectors, which read one file each, whatever the
	 * machine. By itself it refuses what is more than 40 requests at once. */
	[EXPORTER] = { .name = "exporter",
		.file = "prometheus-node-exporter",
		.options = { "--web.listen-address=127.0.0.1:9912", "--web.max-requests=0",
			"--web.disable-exporter-metrics", "--collector.disable-defaults", "--collector.meminfo",
			"--collector.vmstat", "--collector.pressure", "--collector.stat", "--collector.loadavg" } },
	[NEST_SCRAPED] = { .name = "nest-init", .options = { SERVING, "--" }, .ours = true },
	[NEST_QUIET] = { .name = "idle", .options = { SERVING, "--" }, .ours = true },
	[NEST_BUSY] = { .name = "scraped", .options = { SERVING, "--" }, .ours = true },
	[NEST_MERGING] = { .name = "merging",
		.options = { SERVING, "--metrics-merge", "http://127.0.0.1:9913/metrics", "--" },
		.ours = true },
	[WRK] = { .name = "wrk", .file = "wrk" },
	[WGET_SPIDER] = { .name = "spider", .file = "wget", .options = { "-q", "--spider" } },
	[NEST_LOGGED] = { .name = "nest-init",
		.options = { "--service-log", "tagged,file=/mnt/logs/nest.log,max-size=1m,max-file=5", "--" },
		.ours = true },
	[S6_LOG] = { .name = "s6-log", .file = "s6-log", .options = { "T", "s1048576", "n5", "/mnt/logs/s6-log" } },
	[MULTILOG] = { .name = "multilog",
		.file = "multilog",
		.options = { "t", "s1048576", "n5", "/mnt/logs/multilog" } },
	[NEST_ONE] = { .name = "one service", .options = { "--config", "/mnt/services-1.json" }, .ours = true },
	[NEST_HUNDRED] = { .name = "a hundred", .options = { "--config", "/mnt/services-100.json" }, .ours = true },
	[SVLOGD] = { .name = "svlogd", .file = "svlogd", .options = { "-tt", "/mnt/logs/svlogd" } },
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
	snprintf(node_path, sizeof node_path, "%s/node", own_dir);
	for (int i = 0; i < PROGRAMS; i++)
		if (programs[i].ours)
			set_path(&programs[i], own_dir, "nest-init");
		else if (programs[i].file)
			find_in_path(programs[i].file, programs[i].path, sizeof programs[i].path);
}
