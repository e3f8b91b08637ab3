#include "init/personality.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- names ---- */

enum family { FAMILY_DUMB_INIT, FAMILY_TINI, FAMILY_CATATONIT };

static const struct personality_kind {
	char name[15];
	uint8_t family; /* enum family */
} kinds[] = {
	{ "dumb-init", FAMILY_DUMB_INIT },
	{ "tini", FAMILY_TINI },
	{ "tini-static", FAMILY_TINI },
	{ "docker-init", FAMILY_TINI },
	{ "podman-init", FAMILY_TINI },
	{ "catatonit", FAMILY_CATATONIT },
};

const char *personality_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

const struct personality_kind *personality_find(const char *argv0)
{
	const char *name;

	if (argv0 == NULL) /* execve(2) with no argument at all, before Linux 5.18 */
		return NULL;
	name = personality_basename(argv0);
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

void personality_own(const char *argv0, struct personality *ret)
{
	*ret = (struct personality){
		.name = argv0,
		.place = PLACE_SESSION,
		.terminal = TERMINAL_SESSION,
		.main_end = MAIN_END_ASK_LEFTOVERS,
		.subreaper = SUBREAPER_UNLESS_PID_1,
		.take_listen_pid = true,
		.exec_not_found = 127,
		.exec_not_allowed = 126,
		.exec_failed = 126,
		.not_forwarded = personality_bit(SIGCHLD),
	};
}

int personality_parse(const struct personality_kind *kind, int argc, char **argv, char **env, int pid,
	struct personality *ret, struct personality_answer *ret_answer)
{
	static int (*const parsers[])(struct personality_words *, struct personality *, struct personality_answer *) = {
		[FAMILY_DUMB_INIT] = dumb_init_parse,
		[FAMILY_TINI] = tini_parse,
		[FAMILY_CATATONIT] = catatonit_parse,
	};
	struct personality_words words = {
		.argc = argc, .argv = argv, .env = env, .pid = pid, .front = 1, .at = 1, .letters = ""
	};

	*ret = (struct personality){ .kind = kind, .name = argv[0] };
	ret_answer->stream = 2;
	ret_answer->status = 1;
	ret_answer->text[0] = '\0';
	return parsers[kind->family](&words, ret, ret_answer);
}

/* ---- what the policies come to ---- */

int personality_exit_status(const struct personality *personality, int wait_status)
{
	int status = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);

	return (personality->expected[status / 64] >> status % 64 & 1) != 0 ? 0 : status;
}

int personality_exec_status(const struct personality *personality, int error)
{
	switch (error) {
	case ENOENT:
		return personality->exec_not_found;
	case EACCES:
		return personality->exec_not_allowed;
	default:
		return personality->exec_failed;
	}
}

bool personality_terminal_matters(const struct personality *personality, int error)
{
	if (personality->place == PLACE_SESSION)
		return false;
	return error != ENOTTY && error != ENXIO && error != EBADF;
}

int personality_find_listen_pid(char **env, int pid)
{
	static const char name[] = "LISTEN_PID=";

	for (int i = 0; env[i] != NULL; i++) {
		long long value;

		if (strncmp(env[i], name, strlen(name)) != 0)
			continue;
		errno = 0;
		value = strtoll(env[i] + strlen(name), NULL, 10);
		if (errno == ERANGE)
			return -ERANGE;
		return value == pid ? i : -ENOENT;
	}
	return -ENOENT;
}

const char *personality_variable(char **env, const char *name)
{
	size_t length = strlen(name);

	for (; *env != NULL; env++)
		if (strncmp(*env, name, length) == 0 && (*env)[length] == '=')
			return *env + length + 1;
	return NULL;
}

/* ---- answers ---- */

int personality_answer(struct personality_answer *answer, const char *format, ...)
{
	size_t used = strlen(answer->text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(answer->text + used, sizeof answer->text - used, format, arguments);
	va_end(arguments);
	return 1;
}

/* The whole of LICENSE: tini and catatonit have an option that prints theirs. */
const char personality_license[] = "MIT License\n"
				   "\n"
				   "Copyright (c) 2026 the nest-init authors\n"
				   "\n"
				   "Permission is hereby granted, free of charge, to any person obtaining a copy\n"
				   "of this software and associated documentation files (the \"Software\"), to deal\n"
				   "in the Software without restriction, including without limitation the rights\n"
				   "to use, copy, modify, merge, publish, distribute, sublicense, and/or sell\n"
				   "copies of the Software, and to permit persons to whom the Software is\n"
				   "furnished to do so, subject to the following conditions:\n"
				   "\n"
				   "The above copyright notice and this permission notice shall be included in all\n"
				   "copies or substantial portions of the Software.\n"
				   "\n"
				   "THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR\n"
				   "IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,\n"
				   "FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE\n"
				   "AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER\n"
				   "LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,\n"
				   "OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE\n"
				   "SOFTWARE.\n";

/* ---- words: getopt(3)'s rules ---- */

static char bad_option(struct personality_answer *answer)
{
	answer->stream = 2;
	answer->status = 1;
	return PERSONALITY_BAD_OPTION;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* Takes the next word to the options' end: whatever stands between them is thereby kept in order, behind them. */
static char *take_word(struct personality_words *words)
{
	char **argv = words->argv, *word = argv[words->at];

	memmove(argv + words->front + 1, argv + words->front, (size_t)(words->at - words->front) * sizeof *argv);
	argv[words->front++] = word;
	words->at++;
	return word;
}

/* The rest of the word, or the word behind it, whatever it looks like; NULL where there is none. */
static const char *take_value(struct personality_words *words, const char *rest)
{
	if (rest != NULL)
		return rest;
	return words->at < words->argc ? take_word(words) : NULL;
}

static char next_letter(struct personality_words *words, const char **ret_value, struct personality_answer *answer)
{
	const struct personality_option *option = words->options, *end = option + words->option_count;
	char letter = *words->letters++;

	while (option < end && option->letter != letter)
		option++;
	if (option == end) {
		personality_answer(answer, "%s: invalid option -- '%c'\n", words->argv[0], letter);
		return bad_option(answer);
	}
	if (option->takes_value) {
		*ret_value = take_value(words, *words->letters != '\0' ? words->letters : NULL);
		words->letters = "";
		if (*ret_value == NULL) {
			personality_answer(answer, "%s: option requires an argument -- '%c'\n", words->argv[0], letter);
			return bad_option(answer);
		}
	}
	return letter;
}

/* Complains unless exactly one option begins like that, or is called that. */
static const struct personality_option *find_long(
	const struct personality_words *words, const char *name, struct personality_answer *answer)
{
	const struct personality_option *end = words->options + words->option_count, *found = NULL;
	size_t length = strcspn(name, "="), matches = 0;

	for (const struct personality_option *option = words->options; option < end; option++) {
		if (option->name[0] == '\0' || strncmp(option->name, name, length) != 0)
			continue;
		if (option->name[length] == '\0')
			return option;
		found = option;
		matches++;
	}
	if (matches == 1)
		return found;
	if (matches == 0) {
		personality_answer(answer, "%s: unrecognized option '--%s'\n", words->argv[0], name);
		return NULL;
	}
	personality_answer(answer, "%s: option '--%s' is ambiguous; possibilities:", words->argv[0], name);
	for (const struct personality_option *option = words->options; option < end; option++)
		if (strncmp(option->name, name, length) == 0)
			personality_answer(answer, " '--%s'", option->name);
	personality_answer(answer, "\n");
	return NULL;
}

static char next_long(
	struct personality_words *words, const char *name, const char **ret_value, struct personality_answer *answer)
{
	const struct personality_option *option = find_long(words, name, answer);
	const char *equals = strchr(name, '=');

	if (option == NULL)
		return bad_option(answer);
	if (option->takes_value) {
		*ret_value = take_value(words, equals != NULL ? equals + 1 : NULL);
		if (*ret_value != NULL)
			return option->letter;
		personality_answer(answer, "%s: option '--%s' requires an argument\n", words->argv[0], option->name);
		return bad_option(answer);
	}
	if (equals == NULL)
		return option->letter;
	personality_answer(answer, "%s: option '--%s' doesn't allow an argument\n", words->argv[0], option->name);
	return bad_option(answer);
}

char personality_next_option(
	struct personality_words *words, const char **ret_value, struct personality_answer *ret_answer)
{
	const char *word;

	if (*words->letters != '\0')
		return next_letter(words, ret_value, ret_answer);
	if (words->permute && personality_variable(words->env, "POSIXLY_CORRECT") == NULL)
		while (words->at < words->argc && !is_option(words->argv[words->at]))
			words->at++;
	if (words->at >= words->argc || !is_option(words->argv[words->at]))
		return 0;
	word = take_word(words);
	if (strcmp(word, "--") == 0)
		return 0;
	if (words->long_options && word[1] == '-')
		return next_long(words, word + 2, ret_value, ret_answer);
	words->letters = word + 1;
	return next_letter(words, ret_value, ret_answer);
}

/* ---- messages ---- */

const struct personality_phrase *personality_phrase(
	const struct personality_phrase *phrases, size_t count, enum personality_event_type type)
{
	for (size_t i = 0; i < count; i++)
		if (phrases[i].event == type)
			return &phrases[i];
	return NULL;
}

static size_t add(char *line, size_t used, const char *text, size_t length)
{
	/* Room is left for the newline and the end. */
	if (length > PERSONALITY_LINE_SIZE - 2 - used)
		length = PERSONALITY_LINE_SIZE - 2 - used;
	memcpy(line + used, text, length);
	return used + length;
}

static const char *part_of(const struct personality_event *event, char letter, char number[12])
{
	switch (letter) {
	case 's':
		return event->text;
	case 'e':
		return strerror(event->number);
	case 'g':
		return strsignal(event->number);
	default:
		snprintf(number, 12, "%d", letter == 'c' ? event->child : letter == 'm' ? event->other : event->number);
		return number;
	}
}

void personality_write(const char *prefix, const char *text, const struct personality_event *event,
	char ret_line[PERSONALITY_LINE_SIZE])
{
	size_t used = add(ret_line, 0, prefix, strlen(prefix));
	char number[12];

	for (;;) {
		size_t plain = strcspn(text, "$");
		const char *part;

		used = add(ret_line, used, text, plain);
		text += plain;
		if (*text == '\0')
			break;
		part = part_of(event, text[1], number);
		used = add(ret_line, used, part, strlen(part));
		text += 2;
	}
	ret_line[used] = '\n';
	ret_line[used + 1] = '\0';
}

int personality_message(const struct personality *personality, const struct personality_event *event,
	char ret_line[PERSONALITY_LINE_SIZE])
{
	if (personality->kind == NULL)
		return 0;
	switch (personality->kind->family) {
	case FAMILY_DUMB_INIT:
		return dumb_init_message(personality, event, ret_line);
	case FAMILY_TINI:
		return tini_message(personality, event, ret_line);
	default:
		return catatonit_message(personality, event, ret_line);
	}
}
