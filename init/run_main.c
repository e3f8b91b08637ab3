/* PID 1: signals first, then options, then everything that may fail, and then the point of no return. */
#include "init/commands.h"

#include "base/log.h"
#include "base/options.h"
#include "base/version.h"
#include "init/help.h"
#include "init/landlock.h"
#include "init/loop.h"
#include "init/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

/* Static: PID 1 allocates nothing for them, and pages that are never touched cost nothing. */
static struct model model;
static struct confine_plan plan;
static struct loop loop;

static void warn(const char *sentence)
{
	log_line("warning: %s", sentence);
}

static int refuse(const struct complaint *why)
{
	log_line("%s", why->text);
	return STATUS_USAGE;
}

/* With one of 0 to 2 closed, the next descriptor would take its number, and somebody's output with it. The places are
 * held until exec: the workload finds them closed as they were. */
static void hold_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/", O_PATH | O_CLOEXEC);
}

/* A terminal that belongs to our session must be given up before the workload's session can have it. That sends HUP
 * and CONT to the foreground group, which is ours (tty_ioctl(4)): they are blocked, and taken away here. */
static bool give_up_terminal(void)
{
	const uint64_t sent = supervise_signal_bit(SIGHUP) | supervise_signal_bit(SIGCONT);
	siginfo_t info;

	if (tcgetsid(STDIN_FILENO) != getpid())
		return isatty(STDIN_FILENO);
	if (ioctl(STDIN_FILENO, TIOCNOTTY) < 0)
		return false;
	while (signals_take(sent, 0, &info) > 0)
		continue;
	return true;
}

static void set_policy(const struct stop_policy *stop)
{
	struct supervise_policy policy;

	supervise_default_policy(&policy);
	policy.stop_signal = stop->signal;
	policy.drain_ns = stop->drain_ns;
	policy.timeout_ns = stop->timeout_ns;
	supervise_init(&loop.machine, &policy);
}

static bool has_ready_check(void)
{
	for (size_t i = 0; i < model.check_count; i++)
		if (model.check[i].kind == CHECK_READY)
			return true;
	return false;
}

/* Everything that may fail. Returns 0, or -errno with a sentence. */
static int prepare(char **argv, uint64_t entry_mask, struct complaint *ret_why)
{
	int error = confine_plan(&model.confinement, warn, &plan, ret_why);

	if (error < 0)
		return error;
	loop.wants_monitor = model_wants_monitor(&model);
	monitor_link_none(&loop.monitor);
	if (loop.wants_monitor) {
		error = monitor_link_open(&loop.monitor, &model, argv, ret_why);
		if (error < 0)
			return error;
		loop.landlock_abi = landlock_abi();
		confine_read_capabilities(&plan);
	}
	loop.ready_follows_health = has_ready_check();
	loop.spawn = (struct spawn_request){
		.argv = model.command,
		.signal_mask = entry_mask,
		.plan = &plan,
		.hand_over_terminal = give_up_terminal(),
	};
	set_policy(&model.stop);
	return 0;
}

static int print(const char *text)
{
	return fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? 0 : STATUS_USAGE;
}

int run_main(int argc, char **argv)
{
	enum options_wish wish;
	struct complaint why;
	uint64_t entry_mask;

	(void)argc;
	signals_block_all(&entry_mask);
	hold_standard_descriptors();
	if (options_parse(argv, environ, &model, &wish, &why) < 0)
		return refuse(&why);
	if (wish == OPTIONS_HELP)
		return print(help_text);
	if (wish == OPTIONS_VERSION)
		return print("nest-init " NEST_INIT_VERSION "\n");
	if (prepare(argv, entry_mask, &why) < 0)
		return refuse(&why);
	/* Orphans below us come to us, also where we are not PID 1 (PR_SET_CHILD_SUBREAPER, prctl(2)). */
	if (getpid() != 1)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	log_never_block();
	loop_init(&loop);
	_exit(loop_run(&loop));
}
