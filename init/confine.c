#include "init/confine.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "init/capabilities.h"
#include "init/filter.h"
#include "init/landlock.h"
#include "init/limits.h"
#include "init/mounts.h"
#include "seccomp-profiles/compile_child.h"
#include "seccomp-profiles/embedded.h"
#include "seccomp-profiles/startable.h"
#include "seccomp-profiles/verdict_text.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCOUNTS_SIZE_MAX (1024 * 1024)

/* ---- the plan ---- */

static bool asks_for_seccomp(const struct confinement *asked)
{
	return asked->seccomp != NULL && strcmp(asked->seccomp, "unconfined") != 0;
}

static uint32_t requested_layers(const struct confinement *asked)
{
	return (uint32_t)(asked->user != NULL || asked->groups.count > 0) << LAYER_USER |
		(uint32_t)asked->cap_given << LAYER_CAPABILITIES |
		(uint32_t)(asked->securebits != 0) << LAYER_SECUREBITS |
		(uint32_t)asked->no_new_privs << LAYER_NO_NEW_PRIVS |
		(uint32_t)asks_for_seccomp(asked) << LAYER_SECCOMP |
		(uint32_t)(asked->read_only != READ_ONLY_OFF) << LAYER_READ_ONLY |
		(uint32_t)(asked->tmpfs.count > 0) << LAYER_TMPFS |
		(uint32_t)(asked->hardened || asked->exec_allow.count > 0) << LAYER_EXEC_ALLOW |
		(uint32_t)(asked->tcp_bind.given || asked->tcp_connect.given) << LAYER_TCP |
		(uint32_t)(asked->limits.given != 0 || asked->limits.oom_score_adj_given) << LAYER_LIMITS;
}

/* An image without accounts is no error: a number needs none. */
static int read_accounts(const char *path, char **ret_text, struct complaint *ret_why)
{
	size_t length;
	int error = file_read(path, ACCOUNTS_SIZE_MAX, ret_text, &length);

	if (error == -ENOENT || error == -ENOTDIR) {
		*ret_text = calloc(1, 1);
		return *ret_text != NULL ? 0 : complain(ret_why, ENOMEM, "%s: %s", path, strerror(ENOMEM));
	}
	return error < 0 ? complain(ret_why, -error, "%s: %s", path, strerror(-error)) : 0;
}

/* Who we are, for a run that only adds groups. */
static int keep_user(struct identity *identity, struct complaint *ret_why)
{
	int count = getgroups(IDENTITY_GROUPS_MAX, identity->group);

	if (count < 0)
		return complain(ret_why, errno, "cannot read the supplementary groups: %s", strerror(errno));
	identity->group_count = (size_t)count;
	identity->uid = geteuid();
	identity->gid = getegid();
	return 0;
}

static int plan_user(const struct confinement *asked, struct confine_plan *plan, struct complaint *ret_why)
{
	cleanup_free char *passwd = NULL, *group = NULL;
	int error;

	plan->runs_as_root = geteuid() == 0;
	if ((plan->requested & 1U << LAYER_USER) == 0)
		return 0;
	error = read_accounts("/etc/passwd", &passwd, ret_why);
	if (error == 0)
		error = read_accounts("/etc/group", &group, ret_why);
	if (error == 0)
		error = asked->user != NULL ? identity_resolve(asked->user, passwd, group, &plan->identity, ret_why)
					    : keep_user(&plan->identity, ret_why);
	for (size_t i = 0; error == 0 && i < asked->groups.count; i++)
		error = identity_add_group(asked->groups.group[i], group, &plan->identity, ret_why);
	if (error < 0)
		return error;
	plan->changes_user = asked->user != NULL;
	plan->runs_as_root = plan->identity.uid == 0;
	return 0;
}

static const uint32_t capability_layers = 1U << LAYER_CAPABILITIES | 1U << LAYER_SECUREBITS;

static int plan_capabilities(const struct confinement *asked, struct confine_plan *plan, struct complaint *ret_why)
{
	int error = capabilities_read(&plan->had, ret_why);

	if (error < 0)
		return error;
	plan->capabilities = plan->had;
	if ((plan->requested & capability_layers) == 0)
		return 0;
	return capability_plan(&plan->had, asked, plan->runs_as_root, &plan->capabilities, ret_why);
}

static void use_embedded(const struct embedded_profile *profile, struct confine_filter *filter)
{
	filter->insn = embedded_insn(profile);
	filter->length = profile->length;
	filter->flags = profile->flags;
	snprintf(filter->sha256, sizeof filter->sha256, "%s", profile->sha256);
	snprintf(filter->default_action, sizeof filter->default_action, "%s", profile->default_action);
}

static const char *action_name(uint32_t action)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_KILL_PROCESS:
		return "SCMP_ACT_KILL_PROCESS";
	case SECCOMP_RET_KILL_THREAD:
		return "SCMP_ACT_KILL_THREAD";
	case SECCOMP_RET_TRAP:
		return "SCMP_ACT_TRAP";
	case SECCOMP_RET_ERRNO:
		return "SCMP_ACT_ERRNO";
	case SECCOMP_RET_TRACE:
		return "SCMP_ACT_TRACE";
	case SECCOMP_RET_LOG:
		return "SCMP_ACT_LOG";
	default:
		return "SCMP_ACT_ALLOW";
	}
}

static int compile_file(const char *path, uint64_t bounding, struct confine_filter *filter,
	void (*warn)(const char *sentence), struct complaint *ret_why)
{
	struct seccomp_context context;
	cleanup_free struct seccomp_program *program = malloc(sizeof *program);
	cleanup_free struct seccomp_warnings *warnings = malloc(sizeof *warnings);
	int error;

	if (program == NULL || warnings == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	seccomp_context_native(bounding, &context);
	error = seccomp_compile_in_child(path, &context, program, warnings, ret_why);
	if (error < 0)
		return error;
	if (warnings->count > 0) {
		char text[512];

		seccomp_warnings_text(path, warnings, text, sizeof text);
		warn(text);
	}
	filter->length = (uint16_t)program->length;
	filter->flags = program->flags;
	snprintf(filter->default_action, sizeof filter->default_action, "%s", action_name(program->default_action));
	filter->insn = ((struct seccomp_program *)take_pointer(&program))->insn; /* kept for every start to come */
	return 0;
}

/* A child that may neither execute nor end would stay for ever, and say nothing. */
static int check_filter(const char *path, const struct confine_filter *filter, struct complaint *ret_why)
{
	char answer[ACTION_TEXT_SIZE];
	uint32_t action;
	const char *refused = filter_refuses_start(filter->insn, filter->length, &action);

	if (refused == NULL)
		return 0;
	filter_action_text(action, answer);
	return complain(ret_why, EINVAL, "%.256s answers %s to %s: no program could run under it; allow that", path,
		answer, refused);
}

static int plan_seccomp(const struct confinement *asked, struct confine_plan *plan, void (*warn)(const char *sentence),
	struct complaint *ret_why)
{
	int error;

	const struct embedded_profile *embedded;

	if (!asks_for_seccomp(asked))
		return 0;
	snprintf(plan->filter.profile, sizeof plan->filter.profile, "%s", asked->seccomp);
	/* Those of our own processes kill on execve: no workload would ever start under them. */
	embedded = strcmp(asked->seccomp, "monitor") != 0 && strcmp(asked->seccomp, "logger") != 0
		? embedded_find(asked->seccomp)
		: NULL;
	if (embedded != NULL) {
		use_embedded(embedded, &plan->filter);
		return 0;
	}
	if (strchr(asked->seccomp, '/') == NULL && access(asked->seccomp, F_OK) < 0)
		return complain(ret_why, ENOENT, "'%s' is neither a profile of ours (default, nginx, node) nor a file",
			asked->seccomp);
	error = compile_file(asked->seccomp, plan->capabilities.bounding, &plan->filter, warn, ret_why);
	return error < 0 ? error : check_filter(asked->seccomp, &plan->filter, ret_why);
}

/* Puts the layer's name before the sentence. */
static int blame(enum layer layer, int error, struct complaint *why)
{
	struct complaint plain = *why;

	return complain(why, -error, "%s: %.480s", layer_name(layer), plain.text);
}

/* What cannot be had in full: refused, or under best effort done as far as it goes, with a warning. */
static int weaken_capabilities(const struct confinement *asked, struct confine_plan *plan, int error,
	void (*warn)(const char *sentence), struct complaint *ret_why)
{
	blame(LAYER_CAPABILITIES, error, ret_why);
	if (!asked->best_effort)
		return error;
	warn(ret_why->text);
	plan->weakened |= 1U << LAYER_CAPABILITIES;
	capability_plan_possible(&plan->had, asked, plan->runs_as_root, &plan->capabilities);
	return 0;
}

static const char *remedy_of_path(const char *path, int error)
{
	if (error != ENOENT)
		return "";
	return strchr(path, ',') != NULL ? " (say the option once for each path; in a variable blanks part them)"
					 : " (it has to be in the image, or be mounted)";
}

/* A path that is not there is a mistake, never best effort. */
static int check_paths(enum layer layer, const char *what, const struct path_list *list, struct complaint *ret_why)
{
	for (size_t i = 0; i < list->count; i++)
		if (access(list->path[i], F_OK) < 0)
			return complain(ret_why, errno, "%s: %s '%s': %s%s", layer_name(layer), what, list->path[i],
				strerror(errno), remedy_of_path(list->path[i], errno));
	return 0;
}

/* It may be another program's: refused it is not. */
static void tell_foreign_level(const char *level, void (*warn)(const char *sentence))
{
	struct complaint why;

	if (level == NULL)
		return;
	complain(&why, EINVAL,
		"SECURITY_LEVEL is '%.60s', which is neither standard nor hardened: it confines nothing "
		"(--security-level goes before it)",
		level);
	warn(why.text);
}

/* A root that is read-only and writable is a mistake as well: Landlock would allow all, a remount nothing. */
static int check_writable(const struct path_list *list, struct complaint *ret_why)
{
	int error = check_paths(LAYER_READ_ONLY, "writable path", list, ret_why);

	for (size_t i = 0; error == 0 && i < list->count; i++)
		if (mounts_is_root(list->path[i]))
			error = complain(ret_why, EINVAL,
				"%s: writable path '%.256s': it is the root (leave out --read-only, or say "
				"--read-only=no)",
				layer_name(LAYER_READ_ONLY), list->path[i]);
	return error;
}

int confine_plan(const struct confinement *asked, void (*warn)(const char *sentence), struct confine_plan *ret_plan,
	struct complaint *ret_why)
{
	struct confine_plan *plan = ret_plan;
	int error;

	plan->asked = asked;
	plan->requested = requested_layers(asked);
	plan->is_pid_1 = getpid() == 1;
	tell_foreign_level(asked->foreign_level, warn);
	if (confine_is_light(plan))
		return 0; /* nothing to look up: the plain start stays cheap */
	error = check_paths(LAYER_EXEC_ALLOW, "path", &asked->exec_allow, ret_why);
	if (error == 0 && asked->read_only != READ_ONLY_OFF)
		error = check_writable(&asked->writable, ret_why);
	if (error < 0)
		return error;
	if (plan->is_pid_1) /* else it may be PID 1's own mount, with these very options */
		mounts_tell_options(&asked->tmpfs, warn);
	error = plan_user(asked, plan, ret_why);
	if (error < 0)
		return blame(LAYER_USER, error, ret_why); /* an unknown user is a mistake, never best effort */
	error = plan_capabilities(asked, plan, ret_why);
	if (error < 0)
		error = weaken_capabilities(asked, plan, error, warn, ret_why);
	if (error < 0)
		return error;
	error = plan_seccomp(asked, plan, warn, ret_why);
	return error < 0 ? blame(LAYER_SECCOMP, error, ret_why) : 0;
}

bool confine_is_light(const struct confine_plan *plan)
{
	return (plan->requested & ~(1U << LAYER_NO_NEW_PRIVS)) == 0 && plan->asked->workdir == NULL &&
		plan->asked->environment == NULL;
}

void confine_read_capabilities(struct confine_plan *plan)
{
	struct complaint why;

	if (confine_is_light(plan) && capabilities_read(&plan->had, &why) == 0)
		plan->capabilities = plan->had;
}

void confine_hide_own(const struct confine_plan *plan)
{
	if (!confine_is_light(plan))
		prctl(PR_SET_DUMPABLE, 0); /* it fails for no value that there is (prctl(2)) */
}

static const uint64_t to_change_user = UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID |
	UINT64_C(1) << CAP_SETPCAP;

/* What the steps of confine_apply() take. */
static uint64_t to_start_again(const struct confine_plan *plan)
{
	const uint32_t mounts = 1U << LAYER_READ_ONLY | 1U << LAYER_TMPFS;
	const uint32_t filters = 1U << LAYER_SECCOMP | 1U << LAYER_READ_ONLY | 1U << LAYER_EXEC_ALLOW | 1U << LAYER_TCP;
	uint64_t needed = to_change_user | plan->capabilities.permitted | plan->capabilities.ambient;

	if ((plan->requested & 1U << LAYER_LIMITS) != 0)
		needed |= UINT64_C(1) << CAP_SYS_RESOURCE;
	if ((!plan->is_pid_1 && (plan->requested & mounts) != 0) ||
		(!plan->asked->no_new_privs && (plan->requested & filters) != 0))
		needed |= UINT64_C(1) << CAP_SYS_ADMIN;
	return needed;
}

uint64_t confine_own_needed(const struct confine_plan *plan, bool monitor_again, bool workload_again)
{
	return capability_plan_own(&plan->had, plan->capabilities.permitted,
		!plan->changes_user || plan->identity.uid == geteuid(),
		(monitor_again ? to_change_user : 0) | (workload_again ? to_start_again(plan) : 0));
}

uint64_t confine_keep_own(const struct confine_plan *plan, uint64_t keep)
{
	struct complaint why;

	return capabilities_keep(&plan->had, keep, &why) == 0 ? keep : plan->had.permitted;
}

/* ---- in the child ---- */

struct apply {
	const struct confine_plan *plan;
	const struct confine_reporter *reporter;
	bool again;
	bool landlock_is_due; /* the root is to become read-only by Landlock, which comes after the change of user */
};

static int apply_own_mounts(struct apply *apply, struct complaint *ret_why)
{
	return apply->plan->is_pid_1 ? 0 : mounts_take_own_namespace(ret_why);
}

static void tell_read_only(struct apply *apply, const char *how)
{
	apply->reporter->read_only(apply->reporter->context, how);
}

static int remount_or_leave_to_landlock(struct apply *apply, struct complaint *ret_why)
{
	const struct confinement *asked = apply->plan->asked;
	int error = mounts_make_read_only(&asked->writable, &asked->tmpfs, ret_why);

	if (error == 0) {
		tell_read_only(apply, "remount");
		return 0;
	}
	if (asked->read_only == READ_ONLY_AUTO &&
		(error == -EPERM || error == -EBUSY || error == -EINVAL || error == -ENOSYS)) {
		apply->landlock_is_due = true;
		return 0;
	}
	return error;
}

static int apply_read_only_mounts(struct apply *apply, struct complaint *ret_why)
{
	const struct confinement *asked = apply->plan->asked;

	if (asked->read_only == READ_ONLY_LANDLOCK) {
		apply->landlock_is_due = true;
		return 0;
	}
	if ((asked->read_only != READ_ONLY_REMOUNT || apply->again) && mounts_root_is_read_only()) {
		tell_read_only(apply, "already");
		return mounts_check_writable(&asked->writable, ret_why);
	}
	if (asked->read_only == READ_ONLY_VERIFY)
		return complain(
			ret_why, EROFS, "the root file system is writable (start the container with --read-only)");
	return remount_or_leave_to_landlock(apply, ret_why);
}

static int apply_tmpfs(struct apply *apply, struct complaint *ret_why)
{
	return mounts_make_tmpfs(&apply->plan->asked->tmpfs, ret_why);
}

static bool has_group(const gid_t *group, size_t count, gid_t wanted)
{
	while (count-- > 0)
		if (group[count] == wanted)
			return true;
	return false;
}

/* True if this process has the supplementary groups already. The group itself may be among them: it gives nothing. */
static bool has_groups(const struct identity *to)
{
	gid_t have[IDENTITY_GROUPS_MAX];
	int count = getgroups(IDENTITY_GROUPS_MAX, have);

	for (int i = 0; i < count; i++)
		if (have[i] != to->gid && !has_group(to->group, to->group_count, have[i]))
			return false;
	for (size_t i = 0; i < to->group_count; i++)
		if (to->group[i] != to->gid && (count < 0 || !has_group(have, (size_t)count, to->group[i])))
			return false;
	return count >= 0;
}

/* Pipes and terminals that root made for our output: the new user must be able to open them again by /dev/stdout, as a
 * container that is started as that user can. Not what others share: files, /dev/null. A refusal costs no more than
 * that. The monitor, whose user nobody asked for, leaves them to the workload. */
static void give_standard_streams(uid_t uid)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		struct stat status;

		if (fstat(fd, &status) == 0 && status.st_uid == geteuid() && (S_ISFIFO(status.st_mode) || isatty(fd)) &&
			fchown(fd, uid, (gid_t)-1) < 0)
			continue;
	}
}

static int apply_limits(struct apply *apply, struct complaint *ret_why)
{
	return limits_apply(&apply->plan->asked->limits, ret_why);
}

/* As the user that the workload is, with the mounts that it has. Its environment wins over HOME of the user, and its
 * PATH is where COMMAND is looked for from here on. This process is no vforked one (confine_is_light()). */
static int apply_place(struct apply *apply, struct complaint *ret_why)
{
	const struct confinement *asked = apply->plan->asked;

	for (char **variable = asked->environment; variable != NULL && *variable != NULL; variable++)
		if (putenv(*variable) != 0)
			return complain(ret_why, errno, "environment: %s", strerror(errno));
	if (asked->umask_given)
		umask(asked->umask);
	if (asked->workdir != NULL && chdir(asked->workdir) < 0)
		return complain(ret_why, errno, "workdir: cannot enter '%s': %s", asked->workdir, strerror(errno));
	return 0;
}

static int apply_user(struct apply *apply, struct complaint *ret_why)
{
	const struct identity *to = &apply->plan->identity;

	/* The permitted set survives, so that the capability step can still do its work; exec clears the rest anyway.
	 */
	if ((apply->plan->requested & capability_layers) != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return complain(
			ret_why, errno, "cannot keep capabilities over the change of user: %s", strerror(errno));
	if (apply->plan->asked->user != NULL)
		give_standard_streams(to->uid);
	if (setgroups(to->group_count, to->group) < 0 && !(errno == EPERM && has_groups(to)))
		return complain(ret_why, errno, "cannot set the supplementary groups: %s%s", strerror(errno),
			errno == EPERM ? " (it needs CAP_SETGID)" : "");
	if (!apply->plan->changes_user)
		return 0;
	if (setresgid(to->gid, to->gid, to->gid) < 0)
		return complain(
			ret_why, errno, "cannot become group %u: %s (it needs CAP_SETGID)", to->gid, strerror(errno));
	if (setresuid(to->uid, to->uid, to->uid) < 0)
		return complain(
			ret_why, errno, "cannot become user %u: %s (it needs CAP_SETUID)", to->uid, strerror(errno));
	/* As docker run has it: the home of whoever we were is nobody else's. */
	if (setenv("HOME", to->home[0] != '\0' ? to->home : "/", 1) < 0)
		return complain(ret_why, errno, "cannot set HOME: %s", strerror(errno));
	return 0;
}

static int apply_capabilities(struct apply *apply, struct complaint *ret_why)
{
	const struct confine_plan *plan = apply->plan;
	struct capability_sets had = plan->had, want = plan->capabilities;
	int error = 0;

	if (apply->again) /* PID 1 has given up some by now */
		error = capabilities_read(&had, ret_why);
	if (error == 0 && plan->changes_user)
		error = capabilities_raise(&had, ret_why);
	/* Securebits take it. Where it is not to stay exec takes it away: it is not in the bounding set, or not
	 * ambient. */
	if ((plan->requested & 1U << LAYER_SECUREBITS) != 0) {
		want.permitted |= had.permitted & UINT64_C(1) << CAP_SETPCAP;
		want.effective |= had.permitted & UINT64_C(1) << CAP_SETPCAP;
	}
	return error == 0 ? capabilities_apply(&had, &want, ret_why) : error;
}

/* After the ambient set, which they may lock. */
static int apply_securebits(struct apply *apply, struct complaint *ret_why)
{
	return capabilities_add_securebits(apply->plan->asked->securebits, ret_why);
}

static int apply_no_new_privs(struct apply *apply, struct complaint *ret_why)
{
	(void)apply;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return complain(ret_why, errno, "%s", strerror(errno));
	return 0;
}

static int apply_landlock(struct apply *apply, struct complaint *ret_why)
{
	const struct confinement *asked = apply->plan->asked;
	int error;

	if (!apply->landlock_is_due)
		return 0;
	error = landlock_make_read_only(&asked->writable, &asked->tmpfs, ret_why);
	if (error == 0)
		tell_read_only(apply, "landlock");
	return error;
}

static int apply_tcp(struct apply *apply, struct complaint *ret_why)
{
	const struct confinement *asked = apply->plan->asked;
	int error = landlock_allow_ports(&asked->tcp_bind, &asked->tcp_connect, ret_why);

	return error == 0 ? filter_ways_around_ports(ret_why) : error;
}

static int apply_seccomp(struct apply *apply, struct complaint *ret_why)
{
	const struct confine_filter *filter = &apply->plan->filter;
	const struct confine_reporter *reporter = apply->reporter;
	int error;

	if (apply->plan->asked->seccomp_report && reporter->listener != NULL) {
		error = filter_load_reported(
			filter->insn, filter->length, filter->flags, reporter->listener, reporter->context, ret_why);
		if (error == 0 || !apply->plan->asked->best_effort)
			return error;
		reporter->no_listener(reporter->context, ret_why->text);
	}
	return filter_load(filter->profile, filter->insn, filter->length, filter->flags, ret_why);
}

static int apply_exec_allow(struct apply *apply, struct complaint *ret_why)
{
	int error = landlock_allow_exec(&apply->plan->asked->exec_allow, apply->plan->command, ret_why);

	return error == 0 ? filter_programs_in_memory(ret_why) : error;
}

/* The order of the design: limits and mounts while root may still set them, groups before the user, capabilities while
 * the permitted set is whole, the working directory as the workload will find it, no_new_privs before what needs it,
 * the filter last. */
static const struct step {
	enum layer layer; /* to blame; LAYER_COUNT: none, a failure is never best effort */
	uint32_t layers;  /* any of which needs the step; 0: it knows itself */
	int (*apply)(struct apply *apply, struct complaint *ret_why);
} steps[] = {
	{ LAYER_LIMITS, 1U << LAYER_LIMITS, apply_limits },
	{ LAYER_READ_ONLY, 1U << LAYER_READ_ONLY | 1U << LAYER_TMPFS, apply_own_mounts },
	{ LAYER_READ_ONLY, 1U << LAYER_READ_ONLY, apply_read_only_mounts },
	{ LAYER_TMPFS, 1U << LAYER_TMPFS, apply_tmpfs },
	{ LAYER_USER, 1U << LAYER_USER, apply_user },
	{ LAYER_CAPABILITIES, 1U << LAYER_CAPABILITIES | 1U << LAYER_SECUREBITS, apply_capabilities },
	{ LAYER_SECUREBITS, 1U << LAYER_SECUREBITS, apply_securebits },
	{ LAYER_COUNT, 0, apply_place },
	{ LAYER_NO_NEW_PRIVS, 1U << LAYER_NO_NEW_PRIVS, apply_no_new_privs },
	{ LAYER_READ_ONLY, 1U << LAYER_READ_ONLY, apply_landlock },
	{ LAYER_EXEC_ALLOW, 1U << LAYER_EXEC_ALLOW, apply_exec_allow },
	{ LAYER_TCP, 1U << LAYER_TCP, apply_tcp },
	{ LAYER_SECCOMP, 1U << LAYER_SECCOMP, apply_seccomp },
};

int confine_apply(
	const struct confine_plan *plan, bool again, const struct confine_reporter *reporter, struct complaint *ret_why)
{
	struct apply apply = { .plan = plan, .reporter = reporter, .again = again };

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		int error;

		if (steps[i].layers != 0 && (plan->requested & steps[i].layers) == 0)
			continue;
		error = steps[i].apply(&apply, ret_why);
		if (error == 0)
			continue;
		if (steps[i].layer == LAYER_COUNT)
			return error;
		blame(steps[i].layer, error, ret_why);
		if (!plan->asked->best_effort)
			return error;
		reporter->not_enforced(reporter->context, steps[i].layer, ret_why->text);
	}
	return 0;
}
