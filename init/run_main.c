/* PID 1: signals first, then options, then everything that may fail, and then the point of no return. */
#include "init/commands.h"

#include "base/clock.h"
#include "base/dependencies.h"
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

#define PRE_STOP_NS (10 * NS_PER_S)
#define FOR_EVER "8760h"

extern char **environ;

/* Static: PID 1 allocates nothing for them, and pages that are never touched cost nothing. */
static struct model model;
static struct confine_plan first_plan;
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

static enum supervise_main_end main_end(void)
{
	switch (personality.main_end) {
	case MAIN_END_AT_ONCE:
		return SUPERVISE_END_AT_ONCE;
	case MAIN_END_TERM_GROUP:
		return SUPERVISE_TERM_AND_END;
	default:
		return SUPERVISE_ASK_LEFTOVERS;
	}
}

/* What is not said: as long as the stop signal itself has at the least. */
static int64_t pre_stop_time(const struct stop_policy *stop)
{
	int64_t half = (stop->timeout_ns - stop->drain_ns) / 2;

	if (stop->pre_stop_timeout_ns > 0)
		return stop->pre_stop_timeout_ns;
	return half < PRE_STOP_NS ? half : PRE_STOP_NS;
}

/* What asks for a stop asks all of them. */
static uint64_t stop_signals(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < model_service_count(&model); i++)
		set |= model_service(&model, i)->stop.on;
	return set;
}

static void set_policy(const struct service *service, struct supervise *ret_machine)
{
	const struct stop_policy *stop = &service->stop;
	const uint64_t on = stop_signals();
	struct supervise_policy policy;

	supervise_default_policy(&policy);
	policy.main_end = main_end();
	if (on != 0)
		policy.stop_signals = on;
	policy.stop_signal = stop->signal;
	policy.drain_ns = stop->drain_ns;
	policy.timeout_ns = stop->timeout_ns;
	policy.pre_stop = stop->pre_stop != NULL;
	policy.pre_stop_ns = pre_stop_time(stop);
	memcpy(policy.clean_exit, stop->clean_exit, sizeof policy.clean_exit);
	policy.restart = service->restart;
	policy.watches = service->watch.count > 0 && personality.kind == NULL;
	supervise_init(ret_machine, &policy);
}

/* Whoever says when the service is ready speaks for it. Under another name that is the workload itself, as under the
 * program that we stand in for, unless a check says so. */
static void speak_for_service(void)
{
	if ((personality.kind == NULL || service_has_ready_check(&model.main) || model_wants_notify(&model)) &&
		notify_take(&loop.watchdog_ns) < 0)
		warn("WATCHDOG_USEC is no number of microseconds: the service manager hears no WATCHDOG=1");
}

static bool has_exec_check(const struct service *service)
{
	for (size_t i = 0; i < service->check_count; i++)
		if (service->check[i].command != NULL)
			return true;
	return false;
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

/* ---- the units ---- */

/* A unit is not the only one: its messages have its name, and what it mounts is for it alone. */
static bool is_one_of_several(void)
{
	return loop.unit_count > 1;
}

/* What a unit borrows; of the first one static, as it may be the only one. */
struct preparation {
	struct confine_plan plan;
	struct personality personality;
};

/* Its words of a stop are its own; all else is the same for all. */
static void set_personality(const struct service *service, struct personality *ret_personality)
{
	*ret_personality = personality;
	ret_personality->command = service->command;
	memcpy(ret_personality->rewrite, service->stop.rewrite, sizeof ret_personality->rewrite);
}

/* How its messages call it. */
static int set_words(struct unit *unit, const struct service *service)
{
	static char nothing[] = "";
	char *prefix = nothing;

	unit->called = *unit->spawn.argv != NULL ? personality_basename(*unit->spawn.argv) : nothing;
	if (is_one_of_several()) {
		unit->called = service_name(service);
		if (asprintf(&prefix, "%s: ", unit->called) < 0)
			return -ENOMEM;
	}
	unit->prefix = prefix;
	return 0;
}

/* personality, plan: its own, borrowed. */
static int prepare_unit(struct unit *unit, const struct service *service, const struct personality *own,
	struct confine_plan *plan, uint32_t first_check, uint64_t entry_mask, struct complaint *ret_why)
{
	int error;

	plan->command = own->command[0];
	error = confine_plan(&service->confinement, warn, plan, ret_why);
	if (error < 0)
		return error;
	if (is_one_of_several())
		plan->is_pid_1 = false; /* what it mounts is for it alone */
	if (loop.wants_monitor)
		confine_read_capabilities(plan);
	log_link_none(&unit->logs);
	if (service->logging.format != LOGGING_NONE)
		error = log_link_open(&unit->logs, &model, service, plan, ret_why);
	if (error < 0)
		return error;
	unit->personality = own;
	unit->spawn = (struct spawn_request){
		.argv = own->command,
		.signal_mask = entry_mask,
		.plan = plan,
		.personality = own,
		.again = is_one_of_several(),
		.watchdog = service->watchdog_ns > 0,
		.silent = is_one_of_several() && !service_wants_notify(service),
	};
	if (log_link_is_there(&unit->logs))
		for (size_t i = 0; i < LOG_STREAMS; i++)
			unit->spawn.streams[i] = unit->logs.stream[i].writer;
	if (unit->secrets.model != NULL) {
		unit->secrets.plan = plan;
		unit->spawn.secrets = &unit->secrets;
	}
	unit->pre_stop = unit->spawn;
	unit->pre_stop.argv = service->stop.pre_stop;
	unit->pre_stop.again = true;
	unit->pre_stop.beside = true;
	unit->checks = (struct exec_checks){ .request = unit->pre_stop,
		.check = service->check,
		.count = has_exec_check(service) ? service->check_count : 0,
		.first = first_check };
	unit->ready_follows_health = service_has_ready_check(service);
	unit->on_unhealthy = service->on_unhealthy;
	unit->unhealthy_signal = service->unhealthy_signal;
	set_policy(service, &unit->machine);
	error = set_words(unit, service);
	return error < 0 ? complain(ret_why, -error, "%s", strerror(-error)) : 0;
}

/* Puts the place of the file before the sentence, if it begins like that. */
static bool blame_place(const char *place, const char *begins, struct complaint *why)
{
	const struct complaint plain = *why;

	if (place == NULL || strncmp(plain.text, begins, strlen(begins)) != 0)
		return false;
	complain(why, EINVAL, "%s%.450s", place, strchr(plain.text, ' ') + 1);
	return true;
}

/* The message names the file's key, or else the service where there are several. */
static int blame_service(const struct service *service, int error, struct complaint *why)
{
	struct complaint plain = *why;

	if (blame_place(service->user_place, "user: user ", why) ||
		blame_place(service->seccomp_place, "seccomp: ", why))
		return error;
	return !is_one_of_several() ? error : complain(why, -error, "%s: %.450s", service_name(service), plain.text);
}

/* Tasks have their times. */
static int prepare_task(struct unit *unit, const struct service *service, struct complaint *ret_why)
{
	unit->run_ns = service->run_ns;
	unit->scheduled = service->kind == SERVICE_SCHEDULED;
	return unit->scheduled ? cron_parse(service->schedule, &unit->cron, ret_why) : 0;
}

static int prepare_service(size_t index, uint32_t first_check, uint64_t entry_mask, struct complaint *ret_why)
{
	const struct service *service = model_service(&model, index);
	struct preparation *own = index == 0 ? NULL : calloc(1, sizeof *own);
	int error;

	if (index > 0 && own == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	if (own != NULL)
		set_personality(service, &own->personality);
	error = prepare_unit(&loop.unit[index], service, own != NULL ? &own->personality : &personality,
		own != NULL ? &own->plan : &first_plan, first_check, entry_mask, ret_why);
	if (error == 0)
		error = prepare_task(&loop.unit[index], service, ret_why);
	loop.coordinator.unit[index].kind = service->kind;
	loop.coordinator.unit[index].essential = service->essential;
	return error < 0 ? blame_service(service, error, ret_why) : 0;
}

/* ---- what waits for targets ---- */

static size_t count_waits(void)
{
	size_t count = 0;

	for (size_t i = 0; i < model_service_count(&model); i++)
		count += model_service(&model, i)->wait_for != NULL;
	return count;
}

/* Our own `nest-init probe`, as the service's user, and with no more than that takes. */
static struct service *make_wait(const struct service *service)
{
	struct service *wait = calloc(1, sizeof *wait);
	size_t count = 0, targets = 0;
	char *name;

	while (service->wait_for[targets] != NULL)
		targets++;
	if (wait == NULL || asprintf(&name, "%s.wait_for", service_name(service)) < 0)
		return NULL;
	service_defaults(wait);
	wait->name = name;
	wait->command = calloc(targets + 5, sizeof *wait->command);
	if (wait->command == NULL)
		return NULL;
	wait->kind = SERVICE_ONCE;
	wait->essential = service->essential;
	wait->confinement.user = service->confinement.user;
	wait->confinement.cap_given = true;
	wait->confinement.cap_drop = UINT64_MAX;
	wait->command[count++] = (char *)"/proc/self/exe";
	wait->command[count++] = (char *)"probe";
	wait->command[count++] = (char *)"--wait";
	wait->command[count++] = (char *)FOR_EVER;
	memcpy(wait->command + count, service->wait_for, targets * sizeof *wait->command);
	return wait;
}

static int prepare_wait(size_t index, const struct service *service, uint64_t entry_mask, struct complaint *ret_why)
{
	const struct service *wait = make_wait(service);
	struct preparation *own = calloc(1, sizeof *own);
	int error;

	if (wait == NULL || own == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	set_personality(wait, &own->personality);
	error = prepare_unit(&loop.unit[index], wait, &own->personality, &own->plan, 0, entry_mask, ret_why);
	loop.unit[index].run_ns = service->run_ns;
	loop.unit[index].spawn.streams[0] = STDERR_FILENO; /* what it says is ours: standard output is the services' */
	loop.coordinator.unit[index].kind = wait->kind;
	loop.coordinator.unit[index].essential = wait->essential;
	return error < 0 ? blame_service(wait, error, ret_why) : 0;
}

/* Who waits for whom: as the file says, and each service with targets for its wait. */
static int prepare_order(struct complaint *ret_why)
{
	struct dependency_edge *edge = NULL, *longer;
	size_t count = 0, next = model_service_count(&model);
	int error = dependencies_list(&model, &edge, &count);

	longer = error < 0 ? NULL : realloc(edge, (count + count_waits() + 1) * sizeof *longer);
	if (longer == NULL)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	for (size_t i = 0; i < model_service_count(&model); i++)
		if (model_service(&model, i)->wait_for != NULL)
			longer[count++] = (struct dependency_edge){ (uint16_t)i, (uint16_t)next++, DEPENDS_COMPLETED };
	loop.coordinator.edge = longer;
	loop.coordinator.edge_count = count;
	return 0;
}

/* Where nobody acts on a change there is nothing to compare. */
static int prepare_secrets(struct complaint *ret_why)
{
	struct secret_board *board = NULL;
	bool may_rotate = false;
	int error = 0;

	for (size_t i = 0; i < model.secret_count; i++)
		may_rotate = may_rotate || model.secret[i].action != SECRET_NOTHING;
	if (model.secret_count > 0 && loop.wants_monitor)
		error = secret_board_make(&board);
	if (error == 0 && board != NULL)
		error = secret_rotation_prepare(&loop.secrets, &model, board, &loop);
	if (error < 0)
		return complain(ret_why, -error, "secrets: %s", strerror(-error));
	for (size_t i = 0; i < model_service_count(&model); i++) {
		loop.unit[i].may_rotate = may_rotate;
		if (model_has_secrets(&model, i))
			loop.unit[i].secrets = (struct secret_source){ .model = &model, .service = i, .board = board };
	}
	return 0;
}

/* One service alone takes no memory but what is static. */
static int make_units(size_t count, struct complaint *ret_why)
{
	static struct unit first_unit;
	static struct coordinate_unit first_coordinated;

	loop.unit_count = loop.coordinator.unit_count = count;
	loop.unit = count == 1 ? &first_unit : calloc(count, sizeof *loop.unit);
	loop.coordinator.unit = count == 1 ? &first_coordinated : calloc(count, sizeof *loop.coordinator.unit);
	return loop.unit == NULL || loop.coordinator.unit == NULL ? complain(ret_why, ENOMEM, "%s", strerror(ENOMEM))
								  : 0;
}

static int prepare_units(uint64_t entry_mask, struct complaint *ret_why)
{
	const size_t services = model_service_count(&model);
	size_t next = services;
	uint32_t check = 0;
	int error = make_units(services + count_waits(), ret_why);

	if (error == 0 && is_one_of_several())
		error = prepare_order(ret_why);
	if (error == 0)
		error = prepare_secrets(ret_why);
	for (size_t i = 0; error == 0 && i < services; i++) {
		error = prepare_service(i, check, entry_mask, ret_why);
		check += (uint32_t)model_service(&model, i)->check_count;
	}
	for (size_t i = 0; error == 0 && i < services; i++)
		if (model_service(&model, i)->wait_for != NULL)
			error = prepare_wait(next++, model_service(&model, i), entry_mask, ret_why);
	return error;
}

/* Everything that may fail. Returns 0, or -errno with a sentence. */
static int prepare(char **argv, uint64_t entry_mask, struct complaint *ret_why)
{
	char **otel_env;
	int error;

	speak_for_service();
	loop.personality = &personality;
	loop.wants_monitor = model_wants_monitor(&model);
	error = otel_prepare(&model, personality.command[0], warn, &otel_env, ret_why);
	if (error == 0)
		error = prepare_units(entry_mask, ret_why);
	if (error == 0)
		error = prepare_monitor(argv, ret_why);
	if (error < 0)
		return error;
	loop.monitor.otel = otel_env;
	loop.unit->spawn.hand_over_terminal = give_up_terminal();
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

/* What waits for targets is no service of the model: nobody asks for its name. */
static void init_unit(size_t index)
{
	const struct service *service = index < model_service_count(&model) ? model_service(&model, index) : NULL;

	unit_init(&loop.unit[index], &loop, index, service != NULL ? service_name(service) : "");
	loop.unit[index].record.kind = service != NULL ? service->kind : SERVICE_ONCE;
}

int run_main(int argc, char **argv)
{
	const struct personality_kind *kind = personality_find(argv[0]);
	struct complaint why;
	uint64_t entry_mask;
	int status;

	signals_block_all(&entry_mask);
	loop.start_time_ns = clock_wall_ns();
	take_log_format();
	hold_standard_descriptors();
	status = kind != NULL ? parse_as(kind, argc, argv) : parse_own(argv);
	if (status >= 0)
		return status;
	if (prepare(argv, entry_mask, &why) < 0)
		return refuse(&why);
	become_reaper();
	log_never_block();
	for (size_t i = 0; i < loop.unit_count; i++)
		confine_hide_own(loop.unit[i].spawn.plan);
	loop_init(&loop);
	for (size_t i = 0; i < loop.unit_count; i++)
		init_unit(i);
	_exit(personality.pause ? loop_pause(&loop) : loop_run(&loop));
}
