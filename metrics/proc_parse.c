#include "metrics/proc_parse.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define PID_MAX_LIMIT (4 * 1024 * 1024) /* proc(5), /proc/sys/kernel/pid_max */

/* Parses an unsigned number. Returns where it ends; NULL if there is none or it exceeds 64 bits. */
static const char *parse_number(const char *text, int base, uint64_t *ret_value)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t value = 0;
	const char *end = text;

	for (; *end != '\0'; end++) {
		const char *digit = memchr(digits, *end, (size_t)base);

		if (digit == NULL)
			break;
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
			__builtin_add_overflow(value, (uint64_t)(digit - digits), &value))
			return NULL;
	}
	if (end == text)
		return NULL;
	*ret_value = value;
	return end;
}

/* The fields behind the name, numbered as in proc(5). */
enum {
	FIELD_STATE = 3,
	FIELD_PPID = 4,
	FIELD_PGRP = 5,
	FIELD_SESSION = 6,
	FIELD_UTIME = 14,
	FIELD_STIME = 15,
	FIELD_CUTIME = 16,
	FIELD_CSTIME = 17,
	FIELD_THREADS = 20,
	FIELD_STARTTIME = 22,
	FIELD_RSS = 24,
	FIELD_COUNT
};

/* Splits the numeric fields from `text`, which begins at FIELD_STATE + 1. A field may be negative (tty_nr, tpgid,
 * priority): none of those that are of use is, and a negative one becomes 0, as cutime did in old kernels. */
static bool split_fields(const char *text, uint64_t value[static FIELD_COUNT])
{
	for (size_t field = FIELD_STATE + 1; field < FIELD_COUNT; field++) {
		bool negative = *text == '-';
		const char *end = parse_number(text + negative, 10, &value[field]);

		if (end == NULL || (*end != ' ' && *end != '\n' && *end != '\0'))
			return false;
		if (negative)
			value[field] = 0;
		if (*end != ' ' && field + 1 < FIELD_COUNT)
			return false;
		text = end + 1;
	}
	return true;
}

int proc_parse_stat(const char *text, struct proc_stat *ret_stat)
{
	uint64_t value[FIELD_COUNT], pid;
	const char *open = parse_number(text, 10, &pid), *close = strrchr(text, ')');

	if (open == NULL || strncmp(open, " (", 2) != 0 || close == NULL || close < open || pid > PID_MAX_LIMIT)
		return -EBADMSG;
	if (close[1] != ' ' || close[2] == '\0' || close[3] != ' ' || !split_fields(close + 4, value))
		return -EBADMSG;
	if (value[FIELD_PPID] > PID_MAX_LIMIT || value[FIELD_PGRP] > PID_MAX_LIMIT ||
		value[FIELD_SESSION] > PID_MAX_LIMIT)
		return -EBADMSG;
	*ret_stat = (struct proc_stat){
		.pid = (pid_t)pid,
		.state = close[2],
		.parent = (pid_t)value[FIELD_PPID],
		.process_group = (pid_t)value[FIELD_PGRP],
		.session = (pid_t)value[FIELD_SESSION],
		.user_ticks = value[FIELD_UTIME],
		.system_ticks = value[FIELD_STIME],
		.child_user_ticks = value[FIELD_CUTIME],
		.child_system_ticks = value[FIELD_CSTIME],
		.threads = value[FIELD_THREADS],
		.start_ticks = value[FIELD_STARTTIME],
		.resident_pages = value[FIELD_RSS],
	};
	return 0;
}

/* Where the line goes on behind `name`; NULL if there is no such line. */
static const char *find_line(const char *text, const char *name)
{
	size_t length = strlen(name);

	while (*text != '\0') {
		if (strncmp(text, name, length) == 0)
			return text + length;
		text += strcspn(text, "\n");
		if (*text == '\n')
			text++;
	}
	return NULL;
}

int proc_parse_status(const char *text, const char *name, int base, uint64_t *ret_value)
{
	const char *line = text;
	uint64_t value;

	/* A name is a prefix of others (Seccomp, Seccomp_filters): the colon decides. */
	while ((line = find_line(line, name)) != NULL && *line != ':')
		;
	if (line == NULL)
		return -ENODATA;
	line++;
	line += strspn(line, " \t");
	line = parse_number(line, base, &value);
	if (line == NULL || strchr(" \t\n", *line) == NULL) /* the NUL is found, too */
		return -EBADMSG;
	*ret_value = value;
	return 0;
}

int proc_parse_boot_time(const char *text, uint64_t *ret_seconds)
{
	const char *line = find_line(text, "btime ");
	uint64_t seconds;

	if (line == NULL)
		return -ENODATA;
	line = parse_number(line, 10, &seconds);
	if (line == NULL || (*line != '\n' && *line != '\0'))
		return -EBADMSG;
	*ret_seconds = seconds;
	return 0;
}

int proc_parse_pid(const char *name, pid_t *ret_pid)
{
	uint64_t pid;
	const char *end = parse_number(name, 10, &pid);

	if (end == NULL || *end != '\0' || pid == 0 || pid > PID_MAX_LIMIT || *name == '0')
		return -EINVAL;
	*ret_pid = (pid_t)pid;
	return 0;
}
