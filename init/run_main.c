/* PID 1: signals first, then options, then everything that may fail, and then the point of no return. */
#include "init/commands.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/monitor_fds.h"
#include "base/options.h"
#include "base/version.h"
#include "init/help.h"
#include "init/landlock.h"
#include "init/loop.h"
#include "init/notify.h"
#include "init/otel.h"
#include "init/personality.h"
#include "init/report.h"
#include "init/signals.h"
#include "init/termination_log.h"
#include "init/units.h"
#include "seccomp-profiles/denial_reports.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

/* Static: PID 1 allocates nothing for them, and pages that are never touched cost nothing. */
static struct model model;
static struct loop loop;
static struct personality personality;

/* --rewrite of the model and dumb-init's -r are one table: the two rooms name its marks alike. */
static_assert(PERSONALITY_DROPPED == MODEL_REWRITE_NOTHING && PERSONALITY_SIGNALS + 1 == MODEL_SIGNALS,
	"the model's table of rewrites is the personality's");

static void warn(const char *sentence)
{
	log_line(LOG_LEVEL_WARNING, "%s", sentence);
}

static int refuse(const struct complaint *why)
{
	log_line(LOG_LEVEL_ERROR, "%s", why->text);
	if (getpid() == 1)
		termination_log_write(why->text);
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

/* HUP and CONT go to the foreground group when a session's leader gives up its terminal, and that group is ours
 * (tty_ioctl(4)): they are blocked, and taken away here. */
static void take_hand_off_signals(void)
{
	const uint64_t sent = supervise_signal_bit(SIGHUP) | supervise_signal_bit(SIGCONT);
	siginfo_t info;
	int signal;

	while ((signal = signals_take(sent, 0, &info)) > 0) {
		report(&personality, PERSONALITY_SIGNAL, 0, signal, 0);
		report(&personality, PERSONALITY_HANDOFF, 0, signal, 0);
	}
}

/* A terminal that belongs to our session must be given up before the workload's session can have it. Returns whether
 * standard input is a terminal that the workload may take. */
static bool give_up_terminal(void)
{
	bool leader = getsid(0) == getpid();

	if (personality.terminal != TERMINAL_SESSION)
		return false;
	if (personality.kind == NULL && tcgetsid(STDIN_FILENO) != getpid())
		return isatty(STDIN_FILENO);
	if (ioctl(STDIN_FILENO, TIOCNOTTY) < 0) {
		report(&personality, PERSONALITY_TERMINAL_KEPT, 0, errno, 0);
		return false;
	}
	report(&personality, leader ? PERSONALITY_TERMINAL_LEFT_AS_LEADER : PERSONALITY_TERMINAL_LEFT, 0, 0, 0);
	if (leader)
		take_hand_off_signals();
	return true;
}

/* Whoever says when the service is ready speaks for it. Under another name that is the workload itself, as under the
 * program that we stand in for, unless a check says so. */
static void speak_for_service(void)
{
	if ((personality.kind == NULL || service_has_ready_check(&model.main) || model_wants_notify(&model)) &&
		notify_take(&loop.watchdog_ns) < 0)
		warn("WATCHDOG_USEC is no number of microseconds: the service manager hears no WATCHDOG=1");
}

/* What the monitor reads again: our own words, or none of another program's. Its configuration is then in the
 * environment, as ours is; where a file has a part in it, or a limit that may be another one by then (--env), PID 1
 * hands over what it has read. */
static char **monitor_argv(char **argv)
{
	static char *nothing[] = { (char *)"nest-init", (char *)"--", (char *)"-", NULL };
	static char *has_model[] = { (char *)"nest-init", (char *)MONITOR_HAS_MODEL, NULL };

	if (model.config != NULL || model.main.confinement.environment != NULL)
		return has_model;
	return personality.kind == NULL ? argv : nothing;
}

static int prepare_monitor(char **argv, struct complaint *ret_why)
{
	const struct service *reported = model_reported(&model);
	const struct confine_plan *plan = loop.unit->spawn.plan;
	int error;

	monitor_link_none(&loop.monitor);
	if (!loop.wants_monitor)
		return 0;
	loop.lender = (struct file_lender){ .model = &model, .plan = plan };
	error = monitor_link_open(&loop.monitor, &model, &loop.lender, monitor_argv(argv), ret_why);
	if (error < 0)
		return error;
	for (size_t i = 0; i < model_service_count(&model); i++)
		if (model_service(&model, i) == reported)
			plan = loop.unit[i].spawn.plan;
	if (reported != NULL) {
		error = denial_reports_memory(plan->filter.insn, plan->filter.length);
		if (error < 0)
			return complain(ret_why, -error, "--seccomp-report: %s", strerror(-error));
		loop.monitor.denials = error;
	}
	loop.landlock_abi = landlock_abi();
	return 0;
}

static char **own_argv;
static struct units_request request = { .loop = &loop, .model = &model, .personality = &personality };

/* In the child of a reload, in whose memory all of this is its own. */
static int read_again(const struct model **ret_model, struct complaint *ret_why)
{
	enum options_wish wish;
	int error;

	memset(&model, 0, sizeof model);
	error = options_parse(own_argv, environ, CONFIG_DEFAULT, &model, &wish, ret_why);
	if (error == 0 && model.config == NULL)
		return complain(ret_why, ENOENT, "the configuration is gone");
	if (error < 0)
		return error;
	personality.command = model.main.command;
	memcpy(personality.rewrite, model.main.stop.rewrite, sizeof personality.rewrite);
	*ret_model = &model;
	request.is_reload = true;
	return units_prepare(&request, ret_why);
}

/* Everything that may fail. Returns 0, or -errno with a sentence. */
static int prepare(char **argv, struct complaint *ret_why)
{
	char **otel_env;
	int error;

	speak_for_service();
	loop.personality = &personality;
	loop.wants_monitor = model_wants_monitor(&model);
	error = otel_prepare(&model, personality.command[0], warn, &otel_env, ret_why);
	if (error == 0)
		error = units_prepare(&request, ret_why);
	if (error == 0)
		error = prepare_monitor(argv, ret_why);
	if (error < 0)
		return error;
	loop.monitor.otel = otel_env;
	loop.unit->spawn.hand_over_terminal = give_up_terminal();
	own_argv = argv;
	loop.reload.model = &model;
	if (model.config != NULL && personality.kind == NULL)
		loop.reload.read = read_again;
	return 0;
}

static int print(const char *text)
{
	return fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? 0 : STATUS_USAGE;
}

static int help(const char *topic)
{
	if (topic != NULL && topic[0] == '-')
		topic = NULL; /* an option: help comes before all that follows */
	if (help_write(topic, stdout) < 0) {
		log_line(LOG_LEVEL_ERROR,
			"--help: no topic '%.100s': expected all, confinement, stopping, health, metrics or log",
			topic);
		return STATUS_USAGE;
	}
	return print("");
}

/* Orphans below us come to us, also where we are not PID 1 (PR_SET_CHILD_SUBREAPER, prctl(2)). */
static void become_reaper(void)
{
	int reaps = getpid() == 1;

	if (personality.subreaper == SUBREAPER_ALWAYS || (personality.subreaper == SUBREAPER_UNLESS_PID_1 && !reaps)) {
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
		report(&personality, PERSONALITY_SUBREAPER, 0, 0, 0);
	}
	if (personality.kind != NULL && !reaps && prctl(PR_GET_CHILD_SUBREAPER, &reaps, 0, 0, 0) == 0 && !reaps)
		report(&personality, PERSONALITY_NOT_REAPER, 0, 0, 0);
}

/* Reads the words of the program that we stand in for. Returns -1 to go on, or a status to exit with. */
static int parse_as(const struct personality_kind *kind, int argc, char **argv)
{
	static struct personality_answer answer;
	struct complaint why;
	int error;

	if (personality_parse(kind, argc, argv, environ, getpid(), &personality, &answer) != 0) {
		log_raw(answer.stream, answer.text, strlen(answer.text));
		return answer.status;
	}
	report(&personality, PERSONALITY_DEBUG_MODE, 0, 0, 0);
	report(&personality, PERSONALITY_NO_SESSION, 0, 0, 0);
	if (personality.parent_death_signal != 0)
		prctl(PR_SET_PDEATHSIG, personality.parent_death_signal);
	error = options_parse_environment(environ, &model, &why);
	log_set(model.log_format, model.log_level);
	if (error < 0)
		return refuse(&why);
	if (model_shapes_stop(&model))
		log_line(LOG_LEVEL_WARNING, "the NEST_INIT_ variables about stopping mean nothing under the name %s",
			personality_basename(argv[0]));
	model.main.watch.count = 0; /* no monitor for that alone */
	return -1;
}

static int parse_own(char **argv)
{
	enum options_wish wish;
	struct complaint why;

	int error = options_parse(argv, environ, CONFIG_DEFAULT, &model, &wish, &why);

	if (error < 0 && model.log_format == LOG_FORMAT_TEXT)
		return refuse(&why); /* a format in a variable is not read yet */
	log_set(model.log_format, model.log_level);
	if (error < 0)
		return refuse(&why);
	if (wish == OPTIONS_HELP)
		return help(*model.main.command);
	if (wish == OPTIONS_VERSION)
		return print("nest-init " NEST_INIT_VERSION "\n");
	personality_own(argv[0], &personality);
	personality.command = model.main.command;
	memcpy(personality.rewrite, model.main.stop.rewrite, sizeof personality.rewrite);
	return -1;
}

/* Before all else is read: a complaint about that is to be in the right format already. */
static void take_log_format(void)
{
	const char *name = getenv("NEST_INIT_LOG_FORMAT");

	for (enum log_format format = 0; name != NULL && format < LOG_FORMAT_COUNT; format++)
		if (strcmp(name, log_format_name(format)) == 0)
			log_set(format, LOG_LEVEL_NOTICE);
}

int run_main(int argc, char **argv)
{
	const struct personality_kind *kind = personality_find(argv[0]);
	struct complaint why;
	int status;

	signals_block_all(&request.entry_mask);
	loop.start_time_ns = clock_wall_ns();
	take_log_format();
	hold_standard_descriptors();
	status = kind != NULL ? parse_as(kind, argc, argv) : parse_own(argv);
	if (status >= 0)
		return status;
	if (prepare(argv, &why) < 0)
		return refuse(&why);
	become_reaper();
	log_never_block();
	for (size_t i = 0; i < loop.unit_count; i++)
		confine_hide_own(loop.unit[i].spawn.plan);
	loop_init(&loop);
	for (size_t i = 0; i < loop.unit_count; i++)
		unit_init(&loop.unit[i], &loop, i, units_name(&model, i));
	_exit(personality.pause ? loop_pause(&loop) : loop_run(&loop));
}
