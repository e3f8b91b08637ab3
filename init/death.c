#include "init/death.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/signame.h"
#include "init/last_words.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

struct text {
	char *at;
	size_t size, length;
};

static void say(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *text, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text->at + text->length, text->size - text->length, format, args);
	va_end(args);
	text->length += (size_t)length;
	if (text->length >= text->size)
		text->length = text->size - 1;
}

static const struct {
	char name[10], sentence[40];
} stoppers[] = {
	[STOPPED_BY_CHANGE] = { "change", "a change of its files" },
	[STOPPED_BY_SECRET] = { "secret", "a change of a secret" },
	[STOPPED_BY_HAND] = { "hand", "it was stopped by hand" },
	[STOPPED_BY_RELOAD] = { "reload", "a reload stopped it" },
	[STOPPED_BY_CONTAINER] = { "container", "another service's end stopped it" },
};
static_assert(sizeof stoppers / sizeof stoppers[0] == STOPPED_BY_COUNT, "each has its words");

enum wire_cause death_cause(int wait_status, uint64_t oom_kills, bool ours, bool filtered)
{
	if (!WIFSIGNALED(wait_status))
		return WIRE_CAUSE_EXIT;
	if (ours)
		return WIRE_CAUSE_SIGNAL;
	if (WTERMSIG(wait_status) == SIGKILL && oom_kills > 0)
		return WIRE_CAUSE_OOM;
	/* The kernel kills with SIGSYS, whatever the workload made of that signal (seccomp(2)). */
	return WTERMSIG(wait_status) == SIGSYS && filtered ? WIRE_CAUSE_SECCOMP : WIRE_CAUSE_SIGNAL;
}

enum log_level death_level(const struct death *death)
{
	const bool asked = death->stop_signal != 0 || death->stopped_by != STOPPED_BY_NOBODY;
	const bool killed = death->ended && WIFSIGNALED(death->wait_status) && !asked;

	if (death->refusal != NULL)
		return LOG_LEVEL_ERROR;
	if (!death->ended || killed || death->cause == WIRE_CAUSE_OOM || death->cause == WIRE_CAUSE_SECCOMP ||
		death->passed != 0 || death->leftovers.count > 0 || death->unhealthy || death->used_up > 0)
		return LOG_LEVEL_WARNING;
	return death->exit_status != 0 || death->again ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO;
}

static void say_end(struct text *text, const struct death *death)
{
	char name[SIGNAL_NAME_SIZE], lived[DURATION_SIZE];

	duration_format(death->lived_ns, lived);
	say(text, "%s (pid %d) ", death->program, (int)death->pid);
	if (!death->ended)
		say(text, "does not end, not even by SIGKILL, after %s", lived);
	else if (WIFSIGNALED(death->wait_status))
		say(text, "was killed by SIG%s after %s", signal_name(WTERMSIG(death->wait_status), name), lived);
	else
		say(text, "ended with status %d after %s", WEXITSTATUS(death->wait_status), lived);
}

static void say_cause(struct text *text, const struct death *death)
{
	if (death->cause == WIRE_CAUSE_OOM)
		say(text, ": out of memory, most likely (oom_kill of its cgroup rose by %llu)",
			(unsigned long long)death->oom_kills);
	else if (death->cause == WIRE_CAUSE_SECCOMP)
		say(text, ": by its seccomp filter, most likely, for a system call it made");
	else if (death->oom_kills > 0)
		say(text, "; out of memory, the kernel killed %llu in its cgroup meanwhile",
			(unsigned long long)death->oom_kills);
}

static void say_stop(struct text *text, const struct death *death)
{
	char name[SIGNAL_NAME_SIZE], time[DURATION_SIZE];

	duration_format(death->stopping_ns, time);
	if (death->late)
		say(text, ", %s after its time was over", time);
	else if (death->unhealthy)
		say(text, ", %s after a check found it unhealthy", time);
	if (death->stopped_by != STOPPED_BY_NOBODY)
		say(text, ", %s after %s", time, stoppers[death->stopped_by].sentence);
	duration_format(death->asked_ns, time);
	if (death->stop_signal != 0)
		say(text, ", %s after SIG%s asked for a stop", time, signal_name(death->stop_signal, name));
}

static bool passed(const struct death *death, enum wire_deadline deadline)
{
	return (death->passed >> deadline & 1) != 0;
}

static void say_deadlines(struct text *text, const struct death *death)
{
	char time[DURATION_SIZE];

	duration_format(death->pre_stop_ns, time);
	if (passed(death, WIRE_DEADLINE_PRE_STOP))
		say(text, "; --pre-stop-timeout (%s) has passed", time);
	duration_format(death->stop_timeout_ns, time);
	if (passed(death, WIRE_DEADLINE_STOP_TIMEOUT))
		say(text,
			death->stop_timeout_given ? "; --stop-timeout (%s) has passed"
						  : "; it did not end within %s, which is what it has without a "
						    "--stop-timeout",
			time);
	duration_format(death->leftovers_ns, time);
	if (passed(death, WIRE_DEADLINE_LEFTOVERS))
		say(text, "; what was left did not end within %s", time);
}

static unsigned named(const struct leftovers *leftovers)
{
	return leftovers->count < LEFTOVER_NAMES_MAX ? leftovers->count : LEFTOVER_NAMES_MAX;
}

static void say_leftovers(struct text *text, const struct leftovers *leftovers)
{
	const unsigned count = named(leftovers);

	if (leftovers->count == 0)
		return;
	say(text, "; killed %u that %s left:", leftovers->count, leftovers->count == 1 ? "was" : "were");
	for (unsigned i = 0; i < count; i++)
		say(text, "%s %s (%d)", i > 0 ? "," : "", leftovers->some[i].name, (int)leftovers->some[i].pid);
	if (leftovers->count > count)
		say(text, " and %u more", leftovers->count - count);
}

static void say_what_follows(struct text *text, const struct death *death)
{
	char time[DURATION_SIZE];

	duration_format(death->again_in_ns, time);
	if (death->again && death->again_in_ns >= NS_PER_MS)
		say(text, "; starting it again in %s", time);
	else if (death->again)
		say(text, death->again_in_ns >= 0 ? "; starting it again" : "; waiting for a change of its files");
	if (death->used_up == 1)
		say(text, "; not started again: it was once");
	else if (death->used_up > 0)
		say(text, "; not started again: it was %u times", death->used_up);
	duration_format(death->window_ns, time);
	if (death->used_up > 0 && death->window_ns != TIME_NEVER)
		say(text, " within %s", time);
	if (death->unhealthy && !death->again && death->wait_status == 0 && death->exit_status != 0)
		say(text, "; the exit status is %d, as no end by a check is a success", death->exit_status);
}

static void say_last_words(struct text *text, const char *words)
{
	if (words == NULL)
		return;
	say(text, "; stderr: ");
	for (size_t length; *words != '\0'; words += length + (words[length] != '\0')) {
		length = strcspn(words, "\n");
		say(text, "%.*s%s", (int)length, words, words[length] != '\0' ? " | " : "");
	}
}

void death_say(const struct death *death, size_t size, char *ret_text)
{
	struct text text = { .at = ret_text, .size = size };

	if (death->refusal != NULL) {
		say(&text, "%s", death->refusal);
		return;
	}
	say_end(&text, death);
	say_cause(&text, death);
	say_stop(&text, death);
	say_deadlines(&text, death);
	say_leftovers(&text, &death->leftovers);
	say_what_follows(&text, death);
	say_last_words(&text, death->last_words);
}

static void add_last_words(struct json_line *line, const char *words)
{
	char one[LAST_WORDS_SIZE];

	if (words == NULL || !json_line_open(line, "stderr", '['))
		return;
	for (size_t length; *words != '\0'; words += length + (words[length] != '\0')) {
		length = strcspn(words, "\n");
		snprintf(one, sizeof one, "%.*s", (int)length, words);
		json_line_text(line, NULL, one);
	}
	json_line_close(line);
}

void death_add(struct json_line *line, const void *context)
{
	const struct death *death = context;
	char name[SIGNAL_NAME_SIZE];

	if (!json_line_open(line, "death", '{'))
		return;
	json_line_text(line, "program", death->program);
	json_line_i64(line, "pid", death->pid);
	json_line_text(line, "cause", wire_cause_name(death->cause));
	json_line_i64(line, "status", death->exit_status);
	if (death->ended && WIFSIGNALED(death->wait_status))
		json_line_text(line, "signal", signal_name(WTERMSIG(death->wait_status), name));
	json_line_seconds(line, "lived_seconds", death->lived_ns);
	if (death->unhealthy)
		json_line_text(line, "stopped_by", death->late ? "timeout" : "check");
	if (death->stopped_by != STOPPED_BY_NOBODY)
		json_line_text(line, "stopped_by", stoppers[death->stopped_by].name);
	if (death->stop_signal != 0) {
		json_line_text(line, "stop_signal", signal_name(death->stop_signal, name));
		json_line_seconds(line, "stop_seconds", death->asked_ns);
	}
	if (json_line_open(line, "deadlines_passed", '[')) {
		for (uint32_t deadline = 0; deadline < WIRE_DEADLINE_COUNT; deadline++)
			if (passed(death, deadline))
				json_line_text(line, NULL, wire_deadline_name(deadline));
		json_line_close(line);
	}
	json_line_i64(line, "oom_kills", (int64_t)death->oom_kills);
	json_line_i64(line, "killed", death->leftovers.count);
	if (json_line_open(line, "left_over", '[')) {
		for (unsigned i = 0; i < named(&death->leftovers); i++)
			json_line_text(line, NULL, death->leftovers.some[i].name);
		json_line_close(line);
	}
	if (death->again && death->again_in_ns >= 0)
		json_line_seconds(line, "restart_in_seconds", death->again_in_ns);
	add_last_words(line, death->last_words);
	json_line_close(line);
}
