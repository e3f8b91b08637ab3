#include "init/secret_rotation.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signame.h"
#include "init/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_PAUSE_NS (100 * NS_PER_MS) /* whoever asks for looks without end gets no more children than that */
#define LOOK_RETRY_NS NS_PER_S
#define LOOK_PATIENCE_NS (10 * NS_PER_S) /* with a file system that does not answer */
#define COMMAND_NS (30 * NS_PER_S)

int secret_rotation_prepare(struct secret_rotation *rotation, struct secret_board *board, const struct loop *loop)
{
	const size_t room = loop->unit_count > 1 ? MODEL_UNITS_MAX : 1; /* for what a reload may bring */

	rotation->board = board;
	rotation->look_at_ns = rotation->give_up_at_ns = TIME_NEVER;
	rotation->rotation = (struct rotation){ .service = calloc(room, sizeof(struct rotation_service)),
		.service_count = loop->unit_count,
		.edge = loop->coordinator.edge,
		.edge_count = loop->coordinator.edge_count };
	return rotation->rotation.service == NULL ? -ENOMEM : 0;
}

/* The first that gets it: as that one a secret is looked at, and its command is run. */
static struct unit *unit_of(const struct loop *loop, size_t secret)
{
	size_t number = 0;

	while (number + 1 < loop->unit_count && !secret_is_for(&loop->secrets.list.secret[secret], number))
		number++;
	return &loop->unit[number];
}

static bool starts_again(const struct secret *secret)
{
	return secret->action == SECRET_RESTART || secret->action == SECRET_ROLLING;
}

/* ---- looking ---- */

/* The board is the only thing that it writes to and PID 1 reads. */
static _Noreturn void look(const struct loop *loop)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < loop->secrets.list.count; i++)
		loop->secrets.board->look[i] = secret_look(&unit_of(loop, i)->secrets, i);
	_exit(0);
}

static void look_later(struct secret_rotation *rotation, int64_t delay_ns)
{
	const int64_t at = clock_now_ns() + delay_ns;

	if (at < rotation->look_at_ns)
		rotation->look_at_ns = at;
}

void secret_rotation_look(struct secret_rotation *rotation)
{
	if (rotation->board == NULL)
		return;
	if (rotation->looker != 0)
		rotation->look_again = true; /* it may have passed by already */
	else
		look_later(rotation, LOOK_PAUSE_NS);
}

/* fork(2) does not block; it may fail for want of memory or pids, which may pass. */
static void start_look(struct loop *loop, int64_t now)
{
	struct secret_rotation *rotation = &loop->secrets;
	pid_t pid = fork();

	if (pid == 0)
		look(loop);
	rotation->look_at_ns = TIME_NEVER;
	rotation->look_again = false;
	if (pid < 0) {
		look_later(rotation, LOOK_RETRY_NS);
		return;
	}
	rotation->looker = pid;
	rotation->give_up_at_ns = now + LOOK_PATIENCE_NS;
}

/* ---- what is done ---- */

static void say_changed(const struct secret *secret)
{
	char name[SIGNAL_NAME_SIZE] = "";

	switch (secret->action) {
	case SECRET_RESTART:
	case SECRET_ROLLING:
		log_line(LOG_LEVEL_NOTICE, "secret %s has changed: who has it is started again%s", secret->name,
			secret->action == SECRET_ROLLING ? ", and whoever depends on that" : "");
		break;
	case SECRET_SIGNAL:
		log_line(LOG_LEVEL_NOTICE, "secret %s has changed: who has it gets SIG%s", secret->name,
			signal_name(secret->signal, name));
		break;
	case SECRET_COMMAND:
		log_line(LOG_LEVEL_NOTICE, "secret %s has changed: running %s", secret->name, secret->command[0]);
		break;
	default:
		log_line(LOG_LEVEL_NOTICE, "secret %s has changed: the next start finds it", secret->name);
	}
}

/* Confined as the service, with its secrets as they are now. */
static void start_command(struct loop *loop, size_t number)
{
	struct rotation_command *command = &loop->secrets.command[number];
	struct spawn_request request = unit_of(loop, number)->pre_stop;
	int error;

	command->again = command->pid != 0;
	if (command->again)
		return;
	request.argv = loop->secrets.list.secret[number].command;
	error = spawn_workload(&request, &command->pid, &command->news_fd);
	if (error < 0) {
		command->pid = 0;
		log_line(LOG_LEVEL_ERROR, "secret %s: %s cannot be started: %s", loop->secrets.list.secret[number].name,
			request.argv[0], strerror(-error));
		return;
	}
	command->kill_at_ns = clock_now_ns() + COMMAND_NS;
}

static bool is_lasting(const struct loop *loop, const struct unit *unit)
{
	return loop->coordinator.unit[unit - loop->unit].kind == SERVICE_LASTING;
}

/* To each that runs and has not heard of this one yet. */
static void send_signals(struct loop *loop, size_t number)
{
	const struct secret_rotation *rotation = &loop->secrets;

	for (size_t i = 0; i < loop->unit_count; i++) {
		uint64_t *has = &rotation->board->given[i][number];

		if (loop->unit[i].machine.state != SUPERVISE_RUNNING || !is_lasting(loop, &loop->unit[i]) ||
			*has == 0 || *has == rotation->secret[number].current)
			continue;
		*has = rotation->secret[number].current;
		unit_deliver(&loop->unit[i], rotation->list.secret[number].signal, NULL);
	}
}

/* What any service was given; of several the first. */
static uint64_t baseline(const struct loop *loop, size_t number)
{
	for (size_t i = 0; i < loop->unit_count; i++)
		if (loop->secrets.board->given[i][number] != 0)
			return loop->secrets.board->given[i][number];
	return 0;
}

static void take_error(struct secret_rotation *rotation, size_t number, int error)
{
	const struct secret *secret = &rotation->list.secret[number];

	if (rotation->error[number] == error)
		return;
	rotation->error[number] = error;
	if (error == ENODATA)
		log_line(
			LOG_LEVEL_WARNING, "secret %s: %.300s is empty: that is no change", secret->name, secret->path);
	else if (error != 0)
		log_line(LOG_LEVEL_WARNING, "secret %s: %.300s cannot be looked at: %s", secret->name, secret->path,
			strerror(error));
}

static void take_look(struct loop *loop, size_t number)
{
	struct secret_rotation *rotation = &loop->secrets;
	const struct secret *secret = &rotation->list.secret[number];
	const struct secret_look look = rotation->board->look[number];

	take_error(rotation, number, look.hash == 0 ? look.error : 0);
	if (look.hash == 0)
		return;
	if (rotation_observe(&rotation->secret[number], baseline(loop, number), look.hash, clock_wall_ns())) {
		rotation->untold |= UINT32_C(1) << number;
		say_changed(secret);
		if (starts_again(secret))
			rotation_renew(&rotation->rotation);
		if (secret->action == SECRET_COMMAND)
			start_command(loop, number);
	}
	if (secret->action == SECRET_SIGNAL)
		send_signals(loop, number);
}

/* ---- who is started again ---- */

/* One that its child read a moment before it changed has another one than is current, too. Who waits to be started
 * again after a failure, which may have come of the old one, need not wait any more. */
static void describe(const struct loop *loop, size_t number, struct rotation_service *service)
{
	const struct secret_rotation *rotation = &loop->secrets;
	const struct unit *unit = &loop->unit[number];

	service->needs = service->rolls = false;
	for (size_t i = 0; i < rotation->list.count; i++) {
		const uint64_t has = rotation->board->given[number][i], current = rotation->secret[i].current;

		if (!starts_again(&rotation->list.secret[i]) || has == 0 || current == 0 || has == current)
			continue;
		service->needs = true;
		service->rolls = service->rolls || rotation->list.secret[i].action == SECRET_ROLLING;
	}
	service->runs = is_lasting(loop, unit) &&
		(unit->machine.state == SUPERVISE_RUNNING ||
			(unit->machine.state == SUPERVISE_BACKOFF && unit->machine.deadline_ns != TIME_NEVER));
	service->ready = unit->was_ready;
	service->life = unit->record.starts;
}

static void start_again(struct loop *loop)
{
	struct rotation *rotation = &loop->secrets.rotation;
	size_t next;

	for (size_t i = 0; i < loop->unit_count; i++)
		describe(loop, i, &rotation->service[i]);
	if (!rotation_next(rotation, &next))
		return;
	if (loop->unit[next].machine.state == SUPERVISE_RUNNING)
		loop->unit[next].stopped_by = STOPPED_BY_SECRET;
	unit_step(&loop->unit[next],
		(struct supervise_event){ .type = SUPERVISE_EVENT_ORDER, .order = SUPERVISE_ORDER_ROTATED }, NULL);
}

/* ---- events ---- */

void secret_rotation_unit(struct secret_rotation *rotation, const struct unit *unit)
{
	if (rotation->board == NULL)
		return;
	rotation->is_due = true;
	if (unit->secrets.list != NULL && !unit->was_ready)
		secret_rotation_look(rotation);
}

static void looker_ended(struct loop *loop, int status)
{
	struct secret_rotation *rotation = &loop->secrets;

	if (rotation->look_is_stale)
		status = -1;
	rotation->looker = 0;
	rotation->look_is_stale = false;
	rotation->give_up_at_ns = TIME_NEVER;
	if (status != 0 || rotation->look_again)
		look_later(rotation, status != 0 ? LOOK_RETRY_NS : LOOK_PAUSE_NS);
	for (size_t i = 0; status == 0 && i < rotation->list.count && !loop->coordinator.stopping; i++)
		take_look(loop, i);
	rotation->is_due = true;
}

static void command_ended(struct loop *loop, size_t number, int status)
{
	struct rotation_command *command = &loop->secrets.command[number];
	const struct secret *secret = &loop->secrets.list.secret[number];
	struct spawn_news news;
	bool refused = false;
	char name[SIGNAL_NAME_SIZE];

	while (spawn_read_news(command->news_fd, &news, NULL) == 1) {
		refused = refused || news.type == SPAWN_REFUSED;
		if (news.type == SPAWN_REFUSED)
			log_line(LOG_LEVEL_ERROR, "secret %s: %.400s", secret->name, news.text.text);
	}
	if (WIFSIGNALED(status))
		log_line(LOG_LEVEL_WARNING, "secret %s: %s was killed by SIG%s", secret->name, secret->command[0],
			signal_name(WTERMSIG(status), name));
	else if (WEXITSTATUS(status) != 0 && !refused)
		log_line(LOG_LEVEL_WARNING, "secret %s: %s ended with status %d", secret->name, secret->command[0],
			WEXITSTATUS(status));
	close(command->news_fd);
	command->pid = 0;
	if (command->again && !loop->coordinator.stopping)
		start_command(loop, number);
}

bool secret_rotation_ended(struct loop *loop, pid_t pid, int status)
{
	struct secret_rotation *rotation = &loop->secrets;

	if (rotation->board == NULL)
		return false;
	if (pid == rotation->looker) {
		looker_ended(loop, status);
		return true;
	}
	for (size_t i = 0; i < rotation->list.count; i++) {
		if (rotation->command[i].pid != pid)
			continue;
		command_ended(loop, i, status);
		return true;
	}
	return false;
}

/* ---- others than before ---- */

/* Nobody hears of it: who is gone needs it no more. It is reaped as an orphan. */
static void leave_command(const struct rotation_command *command)
{
	if (command->pid == 0)
		return;
	kill(-command->pid, SIGKILL);
	close(command->news_fd);
}

/* What belongs to each secret goes with it to its place. */
static void move_secrets(struct secret_rotation *rotation, size_t count, const int *from)
{
	struct rotation_secret secret[MODEL_SECRETS_MAX] = { 0 };
	struct rotation_command command[MODEL_SECRETS_MAX] = { 0 };
	int32_t error[MODEL_SECRETS_MAX] = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (from[i] < 0)
			continue;
		secret[i] = rotation->secret[from[i]];
		command[i] = rotation->command[from[i]];
		error[i] = rotation->error[from[i]];
		rotation->command[from[i]].pid = 0;
	}
	for (size_t i = 0; i < rotation->list.count; i++)
		leave_command(&rotation->command[i]);
	memcpy(rotation->secret, secret, sizeof secret);
	memcpy(rotation->command, command, sizeof command);
	memcpy(rotation->error, error, sizeof error);
}

/* The units have come to their places by now: each was no further behind. */
static void move_units(struct loop *loop, size_t count, const int *from, const int *unit_from)
{
	struct secret_rotation *rotation = &loop->secrets;
	const size_t current = rotation->rotation.current;

	rotation->rotation.current = 0;
	for (size_t i = loop->unit_count; i-- > 0;) {
		uint64_t *has = rotation->board->given[i], given[MODEL_SECRETS_MAX] = { 0 };
		struct rotation_service service = { 0 };

		for (size_t j = 0; j < count && unit_from[i] >= 0; j++)
			given[j] = from[j] < 0 ? 0 : rotation->board->given[unit_from[i]][from[j]];
		if (unit_from[i] >= 0)
			service = rotation->rotation.service[unit_from[i]];
		if (current > 0 && unit_from[i] == (int)current - 1)
			rotation->rotation.current = i + 1;
		memcpy(has, given, sizeof given);
		rotation->rotation.service[i] = service;
	}
}

void secret_rotation_renew(struct loop *loop, const struct secret_list *list, const int *from, const int *unit_from)
{
	struct secret_rotation *rotation = &loop->secrets;

	if (rotation->board != NULL) {
		move_secrets(rotation, list->count, from);
		move_units(loop, list->count, from, unit_from);
		rotation->rotation.service_count = loop->unit_count;
		rotation->rotation.edge = loop->coordinator.edge;
		rotation->rotation.edge_count = loop->coordinator.edge_count;
		rotation->look_is_stale = rotation->looker != 0;
		secret_rotation_tell_all(rotation);
		secret_rotation_look(rotation);
	}
	rotation->list = *list;
}

int64_t secret_rotation_deadline_ns(const struct secret_rotation *rotation)
{
	int64_t deadline;

	if (rotation->board == NULL)
		return TIME_NEVER;
	deadline = rotation->looker == 0 ? rotation->look_at_ns : rotation->give_up_at_ns;
	for (size_t i = 0; i < rotation->list.count; i++)
		if (rotation->command[i].pid != 0 && rotation->command[i].kill_at_ns < deadline)
			deadline = rotation->command[i].kill_at_ns;
	return rotation->is_due ? 0 : deadline;
}

/* Its group, or it alone as long as it has none; until it is reaped its number is its own. */
static void kill_late_commands(struct secret_rotation *rotation, int64_t now)
{
	for (size_t i = 0; i < rotation->list.count; i++) {
		struct rotation_command *command = &rotation->command[i];

		if (command->pid == 0 || now < command->kill_at_ns)
			continue;
		command->kill_at_ns = TIME_NEVER;
		if (kill(-command->pid, SIGKILL) < 0)
			kill(command->pid, SIGKILL);
	}
}

void secret_rotation_run(struct loop *loop, int64_t now)
{
	struct secret_rotation *rotation = &loop->secrets;

	if (rotation->board == NULL)
		return;
	if (now >= rotation->give_up_at_ns) {
		rotation->give_up_at_ns = TIME_NEVER;
		kill(rotation->looker, SIGKILL);
	}
	kill_late_commands(rotation, now);
	if (loop->coordinator.stopping) {
		rotation->look_at_ns = TIME_NEVER;
	} else {
		if (rotation->looker == 0 && now >= rotation->look_at_ns)
			start_look(loop, now);
		if (rotation->is_due)
			start_again(loop);
	}
	rotation->is_due = false;
}

/* ---- the monitor ---- */

bool secret_rotation_tell(struct loop *loop)
{
	struct secret_rotation *rotation = &loop->secrets;

	if (rotation->board == NULL)
		return true;
	for (size_t i = 0; i < rotation->list.count; i++) {
		const struct secret *secret = &rotation->list.secret[i];
		union wire_record record = { .secret = { .secret = (uint32_t)i,
						     .action = secret->action,
						     .rotations = rotation->secret[i].count,
						     .last_rotation_ns = rotation->secret[i].last_ns } };

		if ((rotation->untold >> i & 1) == 0)
			continue;
		snprintf(record.secret.name, sizeof record.secret.name, "%s", secret->name);
		if (!monitor_link_tell(&loop->monitor, &record, WIRE_SECRET))
			return false;
		rotation->untold &= ~(UINT32_C(1) << i);
	}
	return true;
}

void secret_rotation_tell_all(struct secret_rotation *rotation)
{
	rotation->untold = UINT32_MAX;
}
