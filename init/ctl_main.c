/* `nest-init ctl`: services are started, stopped, restarted and signalled by hand, and waited for. */
#include "init/commands.h"

#include "base/clock.h"
#include "base/control_client.h"
#include "base/duration.h"
#include "base/nearest.h"
#include "base/signame.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define STATUS_FAILED 1
#define TIMEOUT_NS (90 * NS_PER_S) /* systemd's own for a start and for a stop */
#define ANSWER_NS (5 * NS_PER_S)
#define LOOK_AGAIN_MS 50

static const char help_text[] = "nest-init ctl start|stop|restart [OPTION...] SERVICE...\n"
				"nest-init ctl signal SIGNAL SERVICE...\n"
				"nest-init ctl reload [OPTION...]\n"
				"\n"
				"Has PID 1 start, stop or restart services, or send them a signal, and waits until\n"
				"that is done. A service that was stopped so is not started again by itself, and\n"
				"the container stays. Or has it read its configuration again, as SIGHUP does. Root\n"
				"and PID 1's own user may do this.\n"
				"\n"
				"  --timeout TIME   how long to wait for each (1m30s)\n"
				"  --no-wait        do not wait: it is enough that PID 1 does it\n"
				"\n"
				"A service has started when it runs and its ready checks hold; a task, when it has\n"
				"ended well. `nest-init status` shows the names.\n"
				"Exit status: 0 done; 1 not; 125 bad usage.\n";

/* ---- words ---- */

struct wish {
	enum wire_command command;
	int signal;
	bool no_wait;
	int64_t timeout_ns;
	char **services; /* NULL-terminated */
};

static int parse_command(const char *word, enum wire_command *ret_command, struct complaint *ret_why)
{
	static const char names[WIRE_COMMAND_COUNT][8] = { "start", "stop", "restart", "signal", "reload" };

	for (unsigned i = 0; i < WIRE_COMMAND_COUNT; i++) {
		if (strcmp(word, names[i]) != 0)
			continue;
		*ret_command = (enum wire_command)i;
		return 0;
	}
	return complain(ret_why, EINVAL,
		"'%.100s': expected start, stop, restart, signal or reload (nest-init ctl --help)", word);
}

/* Returns whether there was an option. */
static bool parse_option(char ***words, struct wish *wish, int *ret_error, struct complaint *ret_why)
{
	const char *word = **words, *value;

	*ret_error = 0;
	if (word == NULL || strncmp(word, "--", 2) != 0)
		return false;
	(*words)++;
	if (strcmp(word, "--no-wait") == 0) {
		wish->no_wait = true;
		return true;
	}
	value = strncmp(word, "--timeout=", 10) == 0 ? word + 10 : NULL;
	if (strcmp(word, "--timeout") == 0 && **words != NULL)
		value = *(*words)++;
	if (value == NULL)
		*ret_error = complain(ret_why, EINVAL, "unknown option '%.100s' (nest-init ctl --help)", word);
	else if (duration_parse(value, &wish->timeout_ns) < 0 || wish->timeout_ns == 0)
		*ret_error = complain(ret_why, EINVAL,
			"--timeout: '%.100s': expected a duration above zero, such as 500ms or 5s", value);
	return true;
}

/* Options may stand behind names as well. */
static int parse_services(char **words, struct wish *wish, struct complaint *ret_why)
{
	char **end = words;
	int error = 0;

	wish->services = words;
	while (error == 0 && *words != NULL)
		if (!parse_option(&words, wish, &error, ret_why))
			*end++ = *words++;
	*end = NULL;
	return error;
}

static int parse_words(char **words, struct wish *wish, struct complaint *ret_why)
{
	int error = *words == NULL ? complain(ret_why, EINVAL, "what is to be done? (nest-init ctl --help)")
				   : parse_command(*words++, &wish->command, ret_why);

	while (error == 0 && parse_option(&words, wish, &error, ret_why))
		continue;
	if (error == 0 && wish->command == WIRE_COMMAND_SIGNAL) {
		if (*words == NULL)
			return complain(ret_why, EINVAL, "which signal, such as HUP or USR1?");
		if (signal_parse(*words++, &wish->signal) < 0)
			return complain(ret_why, EINVAL, "'%.100s': expected a signal, such as HUP or USR1", words[-1]);
	}
	if (error == 0)
		error = parse_services(words, wish, ret_why);
	if (error == 0 && wish->command == WIRE_COMMAND_RELOAD && *wish->services != NULL)
		return complain(ret_why, EINVAL, "reload: unexpected '%.100s': it is of all services", *wish->services);
	if (error == 0 && *wish->services == NULL && wish->command != WIRE_COMMAND_RELOAD)
		return complain(ret_why, EINVAL, "which service? (nest-init status shows the names)");
	return error;
}

/* ---- what PID 1 knows ---- */

static struct known {
	struct wire_snapshot snapshot;
	struct wire_service service[MODEL_SERVICES_MAX];
	size_t count;
} known;

static void take(void *context, const union wire_record *record)
{
	(void)context;
	if (record->header.type == WIRE_SNAPSHOT)
		known.snapshot = record->snapshot;
	if (record->header.type == WIRE_SERVICE && known.count < MODEL_SERVICES_MAX && !wire_is_gone(&record->service))
		known.service[known.count++] = record->service;
}

static int look(struct complaint *ret_why)
{
	known.count = 0;
	return control_ask(WIRE_ASK_STATUS, CHECK_LIVE, ANSWER_NS, take, NULL, ret_why);
}

/* The same, until then again where the monitor that answers is being replaced by another one. */
static int look_until(int64_t until_ns, struct complaint *ret_why)
{
	int error;

	/* PID 1 holds the listener: nobody is refused as long as there is one. */
	while ((error = look(ret_why)) < 0 && error != -ECONNREFUSED && clock_now_ns() < until_ns)
		poll(NULL, 0, LOOK_AGAIN_MS);
	return error;
}

static const struct wire_service *find(const char *name)
{
	for (size_t i = 0; i < known.count; i++)
		if (strcmp(known.service[i].name, name) == 0)
			return &known.service[i];
	return NULL;
}

static int refuse_name(const char *name, struct complaint *ret_why)
{
	const char *nearest = NULL;
	size_t distance = NEAREST_DISTANCE + 1;

	for (size_t i = 0; i < known.count; i++)
		if (nearest_is_nearer(name, known.service[i].name, &distance))
			nearest = known.service[i].name;
	if (nearest == NULL && known.count == 1)
		nearest = known.service[0].name;
	return complain(ret_why, ENOENT, "no service is called '%.100s'%s%s%s", name,
		nearest != NULL ? ": did you mean '" : " (nest-init status shows the names)",
		nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

/* ---- waiting ---- */

enum progress { UNDER_WAY, DONE, FAILED };

/* It has its work to do, and to end well. */
static bool is_task(const struct wire_service *service)
{
	return service->kind != SERVICE_LASTING;
}

/* It is there, and what is waited for in a start is not yet. */
static bool is_under_way(const struct wire_service *service)
{
	return service->state == WIRE_STATE_STARTING ||
		(service->state == WIRE_STATE_RUNNING && (is_task(service) || service->time_to_ready_ns < 0));
}

/* life: as PID 1 counted before it was started. */
static enum progress look_at_start(const struct wire_service *service, uint64_t life)
{
	if (service->starts <= life)
		return UNDER_WAY;
	if (service->state == WIRE_STATE_RUNNING)
		return !is_task(service) && service->time_to_ready_ns >= 0 ? DONE : UNDER_WAY;
	if (service->state == WIRE_STATE_ENDED || service->state == WIRE_STATE_WAITING)
		return service->last_status == 0 ? DONE : FAILED;
	return service->state == WIRE_STATE_RESTARTING ? FAILED : UNDER_WAY;
}

static enum progress look_at_stop(const struct wire_service *service)
{
	return service->state == WIRE_STATE_ENDED || service->state == WIRE_STATE_WAITING ? DONE : UNDER_WAY;
}

static void say_done(const struct wish *wish, const struct wire_service *service)
{
	const int status = service->last_status;

	if (wish->command != WIRE_COMMAND_STOP && service->main_pid > 0)
		printf("%s is started (pid %d)\n", service->name, service->main_pid);
	else if (service->exits == 0)
		printf("%s will not be started\n", service->name);
	else if (WIFSIGNALED(status))
		printf("%s has ended (signal %d)\n", service->name, WTERMSIG(status));
	else
		printf("%s has ended (status %d)\n", service->name, WEXITSTATUS(status));
}

/* While it was waited for. */
static int say_gone(const struct wish *wish, const char *name, struct complaint *ret_why)
{
	if (wish->command != WIRE_COMMAND_STOP)
		return complain(ret_why, ECANCELED, "%s: a reload has removed it", name);
	printf("%s has ended, and a reload has removed it\n", name);
	return 0;
}

static int say_late(const struct wish *wish, const struct wire_service *service, struct complaint *ret_why)
{
	const bool lacks_ready = wish->command != WIRE_COMMAND_STOP && !is_task(service) &&
		service->state == WIRE_STATE_RUNNING;

	return complain(ret_why, ETIMEDOUT, "%s: not within --timeout: it is %s%s%s%s", service->name,
		wire_state_name(service->state), service->waits_for[0] != '\0' ? " for " : "", service->waits_for,
		lacks_ready ? ", and not ready" : "");
}

static int wait_for(const struct wish *wish, const char *name, uint64_t life, struct complaint *ret_why)
{
	const int64_t until = clock_now_ns() + wish->timeout_ns;

	for (;;) {
		const struct wire_service *service;
		enum progress progress;
		int error = look_until(until, ret_why);

		if (error < 0)
			return error;
		service = find(name); /* in another place, where a reload made others some */
		if (service == NULL)
			return say_gone(wish, name, ret_why);
		progress = wish->command == WIRE_COMMAND_STOP ? look_at_stop(service) : look_at_start(service, life);
		if (progress == DONE) {
			say_done(wish, service);
			return 0;
		}
		if (progress == FAILED)
			return complain(ret_why, ECANCELED, "%s %s: %.400s", service->name,
				is_task(service) ? "has not ended well" : "did not start",
				service->last_death[0] != '\0' ? service->last_death : "the log says why");
		if (clock_now_ns() >= until)
			return say_late(wish, service, ret_why);
		poll(NULL, 0, LOOK_AGAIN_MS);
	}
}

/* ---- one after the other ---- */

static int refuse_result(const char *what, enum wire_result result, struct complaint *ret_why)
{
	static const char sentences[WIRE_RESULT_COUNT][112] = {
		[WIRE_RESULT_FORBIDDEN] = "only root and PID 1's own user may do this (docker exec --user 0)",
		[WIRE_RESULT_UNKNOWN] = "PID 1 knows no such service",
		[WIRE_RESULT_DOWN] = "it does not run: nobody is there to get a signal",
		[WIRE_RESULT_BUSY] = "it is being stopped: start it when it has ended",
		[WIRE_RESULT_ENDING] = "the container is being stopped",
		[WIRE_RESULT_NO_START] = "PID 1 has given up what a start takes: --restart, --on-unhealthy restart or "
					 "--watch keep it",
		[WIRE_RESULT_FOREIGN] = "PID 1 runs under another program's name, and stops as that does",
		[WIRE_RESULT_FAILED] = "the kernel does not let PID 1 do it (is CAP_KILL left to the container?)",
		[WIRE_RESULT_LATER] = "it is for the container's end, and runs then",
		[WIRE_RESULT_NO_FILE] = "no file is the configuration of PID 1",
	};

	return complain(ret_why, ECANCELED, "%s: %s", what, sentences[result]);
}

static int order(const struct wish *wish, const char *name, struct complaint *ret_why)
{
	const struct wire_service *service = find(name);
	struct wire_ordered ordered;
	int error;

	if (service == NULL)
		return refuse_name(name, ret_why);
	error = control_order(wish->command, service->service, wish->signal, ANSWER_NS, &ordered, ret_why);
	if (error < 0)
		return error;
	if (ordered.result == WIRE_RESULT_NEEDLESS && wish->command == WIRE_COMMAND_START && is_under_way(service)) {
		ordered.result = WIRE_RESULT_TAKEN; /* by somebody else: the life that there is counts */
		ordered.life = service->starts - (service->starts > 0);
	}
	if (ordered.result == WIRE_RESULT_NEEDLESS) {
		printf("%s: nothing to do, it is %s\n", name, wire_state_name(service->state));
		return 0;
	}
	if (ordered.result != WIRE_RESULT_TAKEN)
		return refuse_result(name, (enum wire_result)ordered.result, ret_why);
	if (wish->no_wait || wish->command == WIRE_COMMAND_SIGNAL)
		return 0;
	if (wish->command != WIRE_COMMAND_STOP && service->kind == SERVICE_AFTER) {
		printf("%s will run when the container stops\n", name);
		return 0;
	}
	return wait_for(wish, name, ordered.life, ret_why);
}

static int wait_for_reload(const struct wish *wish, uint64_t before, struct complaint *ret_why)
{
	const int64_t until = clock_now_ns() + wish->timeout_ns;

	for (;;) {
		int error = look_until(until, ret_why);

		if (error < 0)
			return error;
		if (known.snapshot.reloads > before && known.snapshot.reload_successful == 0)
			return complain(ret_why, ECANCELED, "the configuration stays as it was: %.430s",
				known.snapshot.reload_said);
		if (known.snapshot.reloads > before) {
			printf("%s\n", known.snapshot.reload_said);
			return 0;
		}
		if (clock_now_ns() >= until)
			return complain(ret_why, ETIMEDOUT, "not within --timeout: the configuration is being read");
		poll(NULL, 0, LOOK_AGAIN_MS);
	}
}

static int reload(const struct wish *wish)
{
	struct wire_ordered ordered;
	struct complaint why;
	int error = control_order(WIRE_COMMAND_RELOAD, 0, 0, ANSWER_NS, &ordered, &why);

	if (error == 0 && ordered.result == WIRE_RESULT_BUSY)
		error = complain(&why, EBUSY, "reload: one is under way, or a service that has changed still stops");
	else if (error == 0 && ordered.result != WIRE_RESULT_TAKEN)
		error = refuse_result("reload", (enum wire_result)ordered.result, &why);
	if (error == 0 && !wish->no_wait)
		error = wait_for_reload(wish, ordered.life, &why);
	if (error == 0)
		return fflush(stdout) == 0 ? 0 : STATUS_USAGE;
	fprintf(stderr, "nest-init ctl: %s\n", why.text);
	return STATUS_FAILED;
}

static int order_all(const struct wish *wish)
{
	struct complaint why;
	int status = 0;

	if (look(&why) < 0) {
		fprintf(stderr, "nest-init ctl: %s\n", why.text);
		return STATUS_FAILED;
	}
	/* All names first: a wrong one does not leave half of it done. */
	for (char **name = wish->services; *name != NULL; name++) {
		if (find(*name) != NULL)
			continue;
		refuse_name(*name, &why);
		fprintf(stderr, "nest-init ctl: %s\n", why.text);
		status = STATUS_FAILED;
	}
	if (status != 0)
		return status;
	for (char **name = wish->services; *name != NULL; name++) {
		if (order(wish, *name, &why) == 0)
			continue;
		fprintf(stderr, "nest-init ctl: %s\n", why.text);
		status = STATUS_FAILED;
	}
	return fflush(stdout) == 0 ? status : STATUS_USAGE;
}

int ctl_main(int argc, char **argv)
{
	struct wish wish = { .timeout_ns = TIMEOUT_NS };
	struct complaint why;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return fputs(help_text, stdout) >= 0 && fflush(stdout) == 0 ? 0 : STATUS_USAGE;
	if (parse_words(argv + 1, &wish, &why) < 0) {
		fprintf(stderr, "nest-init ctl: %s\n", why.text);
		return STATUS_USAGE;
	}
	return wish.command == WIRE_COMMAND_RELOAD ? reload(&wish) : order_all(&wish);
}
