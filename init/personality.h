/* The programs that this binary replaces when it is called by their names: what dumb-init, tini and catatonit do
 * differently, as one table of policies, so that one loop serves them all. Pure: nothing here acts, reads the
 * environment or prints; the caller does.
 *
 * The facts are those of dumb-init 1.2.5, tini 0.19.0 and catatonit 0.2.1. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the policies ---- */

enum personality_place {
	PLACE_SESSION, /* setsid(2): a session of its own */
	PLACE_GROUP,   /* setpgid(2): a group of its own in our session */
	PLACE_SAME,    /* our session and our group */
};

enum personality_terminal {
	TERMINAL_NONE,         /* as it was found */
	TERMINAL_SESSION,      /* standard input becomes the new session's controlling terminal (TIOCSCTTY) */
	TERMINAL_STDIN,        /* the new group becomes the foreground of standard input (tcsetpgrp(3)) */
	TERMINAL_TTY_OR_STDIN, /* the same with /dev/tty, or standard input where that cannot be opened */
};

enum personality_main_end {
	MAIN_END_ASK_LEFTOVERS, /* nest-init's own: group, orphans, SIGKILL, within a budget */
	MAIN_END_AT_ONCE,       /* exit; the kernel or the next reaper has the rest */
	MAIN_END_TERM_GROUP,    /* TERM as it is rewritten, to where signals go, then exit at once */
};

enum personality_subreaper { SUBREAPER_NEVER, SUBREAPER_ALWAYS, SUBREAPER_UNLESS_PID_1 };

struct personality_kind;

#define PERSONALITY_SIGNALS 64
#define PERSONALITY_DROPPED 255 /* in .rewrite: the workload does not get it */

struct personality {
	const struct personality_kind *kind; /* NULL: nest-init under its own name */
	const char *name;                    /* argv[0], borrowed: it stays in argv[0] and comm */
	char **command;                      /* borrowed from argv, NULL-terminated; empty only if .pause */
	enum personality_place place;
	enum personality_terminal terminal;
	enum personality_main_end main_end;
	enum personality_subreaper subreaper;
	bool signals_to_group;      /* signals are for the workload's group, not for its leader alone */
	bool clear_signals;         /* the workload gets an empty mask, and none of 1 to 31 ignored */
	bool ignore_first_hup_cont; /* giving up the terminal as a session leader brings one of each upon ourselves */
	bool chdir_root;            /* PID 1 goes to / once the child has its directory */
	bool close_descriptors;     /* PID 1 closes what it inherited from 3 on, once the child has it */
	bool take_listen_pid;       /* LISTEN_PID, if it is PID 1's own, becomes the child's (sd_listen_fds(3)) */
	bool pause;                 /* there is no workload: reap, until TERM or INT ends it with 0 */
	bool warn_on_reap;          /* tini -w */
	bool debug_by_variable;     /* for PERSONALITY_DEBUG_MODE and PERSONALITY_NO_SESSION alone */
	bool no_session_by_variable;
	int parent_death_signal;                  /* for ourselves (PR_SET_PDEATHSIG); 0: none */
	unsigned verbosity;                       /* a message of a higher level is not printed */
	uint8_t exec_not_found;                   /* status for ENOENT, */
	uint8_t exec_not_allowed;                 /* for EACCES, */
	uint8_t exec_failed;                      /* and for any other failure of execve(2) */
	uint64_t not_forwarded;                   /* sets of signals: bit n-1 for signal n */
	uint64_t stop_self;                       /* after one of these was forwarded we stop ourselves (SIGSTOP) */
	uint64_t child_blocks;                    /* these are added to the mask that the workload gets */
	uint64_t expected[4];                     /* bit n % 64 of word n / 64: exit status n counts as 0 */
	uint8_t rewrite[PERSONALITY_SIGNALS + 1]; /* 0: the signal itself; PERSONALITY_DROPPED; else what it becomes */
};

static inline uint64_t personality_bit(int signal)
{
	return UINT64_C(1) << (signal - 1);
}

/* The program that argv[0] names, by its last component; NULL for any other name, and for NULL. */
const struct personality_kind *personality_find(const char *argv0);

/* nest-init's own policies. */
void personality_own(const char *argv0, struct personality *ret);

#define PERSONALITY_ANSWER_SIZE 4096

/* What is to be printed instead of running anything: help, version, a complaint. */
struct personality_answer {
	int stream; /* 1 or 2 */
	int status; /* then exit with it */
	char text[PERSONALITY_ANSWER_SIZE];
};

/* Reads argv and env as the program of that name does. argv is permuted in place where that program's getopt(3) does
 * so; a command that follows is a slice of it. pid: the caller's own, which some complaints quote.
 *
 * Returns 0: *ret says what to run; or 1: *ret_answer says what to print. The other one is then undefined. */
int personality_parse(const struct personality_kind *kind, int argc, char **argv, char **env, int pid,
	struct personality *ret, struct personality_answer *ret_answer);

/* What the workload gets for a signal (1 to 64) that we were sent: a signal, or 0 for nothing. */
static inline int personality_forwarded(const struct personality *personality, int signal)
{
	int becomes = personality->rewrite[signal];

	if (becomes == PERSONALITY_DROPPED || (personality->not_forwarded & personality_bit(signal)) != 0)
		return 0;
	return becomes != 0 ? becomes : signal;
}

/* Exit status for the workload's wait status: n or 128 + signal, or 0 where it is an expected one. */
int personality_exit_status(const struct personality *personality, int wait_status);

/* Exit status of a child whose execve(2) failed with `error` (errno). */
int personality_exec_status(const struct personality *personality, int error);

/* The index in env of a LISTEN_PID that equals pid as strtoll(3) reads it; -ENOENT: there is none that does; -ERANGE:
 * no pid at all. */
int personality_find_listen_pid(char **env, int pid);

/* ---- what is printed at run time ---- */

/* Which of them is printed, and at which verbosity, is the program's own affair: the caller reports each that happens,
 * and prints what it is given. "child:" marks those that the originals print in the child, with its pid. */
enum personality_event_type {
	/* Before the child, in this order. */
	PERSONALITY_DEBUG_MODE,              /* always to be reported */
	PERSONALITY_NO_SESSION,              /* always to be reported */
	PERSONALITY_TERMINAL_KEPT,           /* TIOCNOTTY failed; number: errno */
	PERSONALITY_TERMINAL_LEFT_AS_LEADER, /* it did not, and we were the session's leader */
	PERSONALITY_TERMINAL_LEFT,           /* it did not, and we were not */
	PERSONALITY_SUBREAPER,               /* PR_SET_CHILD_SUBREAPER was set */
	PERSONALITY_NOT_REAPER,              /* neither PID 1 nor a subreaper */
	/* Starting it. */
	PERSONALITY_SPAWNED,            /* .child, text: command[0] */
	PERSONALITY_BAD_LISTEN_PID,     /* child: personality_find_listen_pid() said -ERANGE */
	PERSONALITY_NO_DEV_TTY,         /* child: /dev/tty cannot be opened; number: errno */
	PERSONALITY_TERMINAL_NOT_TAKEN, /* child: TIOCSCTTY or tcsetpgrp(3) failed; number: errno */
	PERSONALITY_SESSION_DONE,       /* child: setsid(2) and what follows is done */
	PERSONALITY_EXEC_FAILED,        /* child: number: errno; text: command[0] */
	/* Signals. */
	PERSONALITY_SIGNAL,         /* number: one was taken, SIGCHLD included */
	PERSONALITY_HANDOFF,        /* number: it is one that giving up the terminal brought upon us */
	PERSONALITY_TRANSLATED,     /* number: a signal with an entry in .rewrite; other: what it becomes, or 0 */
	PERSONALITY_FORWARDED,      /* number: what the workload was sent */
	PERSONALITY_NOT_FORWARDED,  /* number: what it was not */
	PERSONALITY_FORWARD_FAILED, /* number: errno; other: the signal; .child as given to kill(2) */
	PERSONALITY_STOPS_ITSELF,   /* we are about to stop ourselves */
	/* The end of a child: two for each that is reaped; .child */
	PERSONALITY_REAPED_EXITED, /* number: its status */
	PERSONALITY_REAPED_KILLED, /* number: its signal */
	PERSONALITY_ORPHAN_EXITED, /* the same once more, if it was not the workload, */
	PERSONALITY_ORPHAN_KILLED,
	PERSONALITY_MAIN_EXITED, /* and if it was */
	PERSONALITY_MAIN_KILLED,
	PERSONALITY_NONE_TO_REAP, /* waitpid(2) had no more, but there are children */
	PERSONALITY_NO_CHILD,     /* waitpid(2) said ECHILD */
	PERSONALITY_END,          /* we exit; number: the workload's status */
	PERSONALITY_EVENT_COUNT,
};

struct personality_event {
	enum personality_event_type type;
	int pid; /* of the process that reports */
	int child;
	int number;
	int other;
	const char *text;
};

#define PERSONALITY_LINE_SIZE 1024

/* Writes what is to be printed, its newline included; a line that is too long is cut. Returns the descriptor that it
 * goes to, 1 or 2; or 0: nothing is printed. */
int personality_message(const struct personality *personality, const struct personality_event *event,
	char ret_line[PERSONALITY_LINE_SIZE]);

/* True if a child whose TIOCSCTTY or tcsetpgrp(3) failed with `error` gives up, with the status 1. A terminal that is
 * not there, a closed standard input included, is no reason to. */
bool personality_terminal_matters(const struct personality *personality, int error);

/* ---- what the files personality*.c share ---- */

struct personality_option {
	char letter;
	bool takes_value;
	char name[14]; /* of the long option; "": none */
};

/* The words of a command line, read by the rules of getopt(3) and getopt_long(3) of glibc, in its wording. */
struct personality_words {
	int argc;
	char **argv;
	char **env;
	int pid;
	const struct personality_option *options;
	size_t option_count;
	bool long_options;   /* getopt_long(3) */
	bool permute;        /* words that are no options may stand between them */
	int front;           /* options and their values are gathered before it; in the end the command begins there */
	int at;              /* the next word */
	const char *letters; /* what is left of a word of short options */
};

#define PERSONALITY_BAD_OPTION '?'

/* Returns the letter of the next option; 0 when there is none, .front being the command's index; or
 * PERSONALITY_BAD_OPTION, the complaint being in *ret_answer. *ret_value is the option's value, if it takes one. */
char personality_next_option(
	struct personality_words *words, const char **ret_value, struct personality_answer *ret_answer);

const char *personality_basename(const char *path);

/* The variable's value, or NULL. */
const char *personality_variable(char **env, const char *name);

/* Adds to the text (printf(3) format, cut at the end). Returns 1, as a parser does. */
int personality_answer(struct personality_answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

extern const char personality_license[];

/* A message: '$' and a letter stand for parts of the event: $c .child, $n .number, $m .other, $s .text, $e the message
 * of errno .number, $g the description of signal .number. */
struct personality_phrase {
	uint8_t event; /* enum personality_event_type */
	uint8_t level;
	char text[94];
};

/* The event's phrase, or NULL. */
const struct personality_phrase *personality_phrase(
	const struct personality_phrase *phrases, size_t count, enum personality_event_type type);

/* Writes "PREFIX TEXT\n", with the event's parts. */
void personality_write(const char *prefix, const char *text, const struct personality_event *event,
	char ret_line[PERSONALITY_LINE_SIZE]);

int dumb_init_parse(struct personality_words *words, struct personality *ret, struct personality_answer *ret_answer);
int tini_parse(struct personality_words *words, struct personality *ret, struct personality_answer *ret_answer);
int catatonit_parse(struct personality_words *words, struct personality *ret, struct personality_answer *ret_answer);

int dumb_init_message(const struct personality *personality, const struct personality_event *event,
	char ret_line[PERSONALITY_LINE_SIZE]);
int tini_message(const struct personality *personality, const struct personality_event *event,
	char ret_line[PERSONALITY_LINE_SIZE]);
int catatonit_message(const struct personality *personality, const struct personality_event *event,
	char ret_line[PERSONALITY_LINE_SIZE]);
