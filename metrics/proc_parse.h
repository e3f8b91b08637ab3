/* What files of /proc say (proc(5)). Pure: takes text. Each returns 0 or -EBADMSG for text of another shape. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* /proc/PID/stat, the fields that are of use. */
struct proc_stat {
	pid_t pid;
	char state;
	pid_t parent; /* 0: none in this namespace */
	pid_t process_group;
	pid_t session;
	uint64_t user_ticks;         /* utime */
	uint64_t system_ticks;       /* stime */
	uint64_t child_user_ticks;   /* cutime: of children that were waited for, and theirs */
	uint64_t child_system_ticks; /* cstime */
	uint64_t threads;
	uint64_t start_ticks;    /* starttime: since boot */
	uint64_t resident_pages; /* rss */
};

/* The name of the program is between the first '(' and the last ')': it may hold blanks and parentheses itself. */
int proc_parse_stat(const char *text, struct proc_stat *ret_stat);

/* A number of a "Name:\tvalue" line of /proc/PID/status, in base 10 or 16 ("CapBnd", 16); a unit behind it ("kB") is
 * left to the caller. -ENODATA if there is no such line. */
int proc_parse_status(const char *text, const char *name, int base, uint64_t *ret_value);

/* "btime" of /proc/stat: when the machine was booted, seconds since the epoch. -ENODATA if there is none. */
int proc_parse_boot_time(const char *text, uint64_t *ret_seconds);

/* The name of a directory entry of /proc as a pid: digits only, 1 to 2^22 (PID_MAX_LIMIT). -EINVAL for others. */
int proc_parse_pid(const char *name, pid_t *ret_pid);
