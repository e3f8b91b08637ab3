#include "seccomp-profiles/commands.h"

#include "base/cleanup.h"
#include "base/model.h"
#include "init/descendants.h"
#include "init/spawn.h"
#include "seccomp-profiles/program.h"
#include "seccomp-profiles/record.h"
#include "seccomp-profiles/record_look.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char help[] =
	"Usage: nest-init seccomp record -o FILE [--merge FILE] [--] COMMAND [ARG...]\n"
	"Run COMMAND, send it a few requests, stop it: FILE gets the seccomp profile that it needs.\n"
	"\n"
	"Every syscall is noted, and every path that is opened for writing. What was seen stands for its family:\n"
	"each rule says why. Standard error tells the command line that runs COMMAND under the profile with a\n"
	"read-only root. No privilege is needed; CAP_SYS_PTRACE helps with programs that change their user. Signals\n"
	"go to COMMAND. Under it, no_new_privs is on.\n"
	"\n"
	"  -o, --output FILE  where to write; - is standard output, behind what COMMAND has written there\n"
	"  --merge FILE       add to what an earlier record wrote; may be the same FILE\n"
	"  --help             show this\n"
	"\n"
	"Exit status: COMMAND's, 128+N if a signal ended it, 126 or 127 if it could not be executed, 125 refused.\n";

static int refuse(const char *what, const char *why)
{
	fprintf(stderr, "nest-init seccomp record: %s: %s\n", what, why);
	return EXIT_REFUSED;
}

/* ---- what record_run() asks back ---- */

static int execute(char **argv, struct complaint *ret_why)
{
	int error;

	return spawn_exec(argv, &error, ret_why);
}

static void signal_rest(int signal)
{
	static const struct descendants all;

	descendants_signal(&all, signal, 0);
}

/* ---- the summary ---- */

/* Nothing of a word is to reach the terminal as an order. A line's end and a tab are none: a script has several lines.
 */
static bool is_for_a_terminal(char c)
{
	return ((unsigned char)c < ' ' && c != '\n' && c != '\t') || c == 0x7f;
}

/* A word as a shell reads it back. */
static void print_word(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";

	if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
		fprintf(stderr, " %s", word);
		return;
	}
	fputs(" '", stderr);
	for (; *word != '\0'; word++)
		if (*word == '\'')
			fputs("'\\''", stderr);
		else if (is_for_a_terminal(*word))
			fprintf(stderr, "'\"$(printf '\\%03o')\"'", (unsigned char)*word);
		else
			putc(*word, stderr);
	putc('\'', stderr);
}

static void print_set(const char *title, const struct text_set *set, const char *before)
{
	if (set->count > 0)
		fputs(title, stderr);
	for (size_t i = 0; i < set->count; i++) {
		fputs(before, stderr);
		print_word(set->text[i]);
	}
}

static bool is_standard_output(const char *output)
{
	return strcmp(output, "-") == 0;
}

static void summarise(const struct record *record, const char *output, int allowed, char **argv)
{
	bool may_be_read_only = !text_set_has(&record->writable, "/");

	fprintf(stderr, "nest-init seccomp record: %zu syscalls seen, %d allowed with their families: %s\n",
		record->seen.count, allowed, is_standard_output(output) ? "standard output" : output);
	print_set("  executed:", &record->programs, "");
	if (record->blind.count > 0) {
		print_set("\n  paths unseen (a process that changed its user; CAP_SYS_PTRACE shows them) in:",
			&record->blind, "");
		fputs("\n  so that all that changed meanwhile counts as written", stderr);
		if (record->looked_through > RECORD_LOOK_MAX)
			fprintf(stderr, " (among the first %d files: add --writable for what lies beyond)",
				RECORD_LOOK_MAX);
	}
	if (record->is_foreign)
		fputs("\n  syscalls of another architecture were made: the profile does not list them", stderr);
	if (!may_be_read_only)
		fputs("\n  it writes to / itself: --read-only is left out", stderr);
	fputs("\n  run it as: nest-init --seccomp", stderr);
	print_word(is_standard_output(output) ? "FILE" : output);
	if (may_be_read_only) {
		fputs(" --read-only", stderr);
		print_set("", &record->writable, " --writable");
	}
	fputs(" --", stderr);
	for (; *argv != NULL; argv++)
		print_word(*argv);
	putc('\n', stderr);
}

/* ---- files ---- */

static int read_earlier(const char *path, struct record *record, struct complaint *ret_why)
{
	cleanup_json struct json *json = NULL;
	cleanup_profile struct profile *profile = NULL;
	int error = json_parse_file(path, SECCOMP_FILE_MAX, &json, ret_why);

	if (error == 0)
		error = profile_read(json, &profile, ret_why);
	return error < 0 ? error : record_merge(path, profile, record, ret_why);
}

static int open_output(const char *path)
{
	return is_standard_output(path) ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
					: open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
}

/* Whoever clears a directory away in the run takes the file with it: it is made anew. Returns 0 or -errno. */
static int find_again(const char *path, int *fd)
{
	struct stat status;
	int again;

	if (fstat(*fd, &status) < 0 || status.st_nlink > 0 || !S_ISREG(status.st_mode) || is_standard_output(path))
		return 0;
	again = open_output(path);
	if (again < 0)
		return -errno;
	close(*fd);
	*fd = again;
	return 0;
}

static int write_to(const struct record *record, int fd)
{
	FILE *out = fdopen(dup(fd), "w");
	int allowed = out == NULL ? -errno : record_write_profile(record, out);

	return out != NULL && fclose(out) != 0 ? -errno : allowed;
}

/* What cannot be written is not lost: a recording may have taken hours. */
static int write_profile(const struct record *record, const char *path, int *fd)
{
	int allowed = find_again(path, fd);

	/* Standard output may hold something already; what has no length (EINVAL) has nothing. */
	if (allowed == 0 && !is_standard_output(path) && ftruncate(*fd, 0) < 0 && errno != EINVAL)
		allowed = -errno;
	if (allowed == 0)
		allowed = write_to(record, *fd);
	if (allowed < 0) {
		fprintf(stderr, "nest-init seccomp record: %s: %s; the profile is:\n", path, strerror(-allowed));
		record_write_profile(record, stderr);
	}
	return allowed;
}

/* ---- */

struct request {
	const char *output, *merge;
	char **argv;
};

enum option_code { OPTION_MERGE = 256, OPTION_HELP }; /* above any character */

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "merge", required_argument, NULL, OPTION_MERGE },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* Sets *ret_done when what it returns is the exit status. */
static int parse(int argc, char **argv, struct request *ret_request, bool *ret_done)
{
	int code;

	*ret_done = true;
	opterr = 0;
	optind = 0; /* glibc and musl: start afresh, whatever was parsed before */
	while ((code = getopt_long(argc, argv, "+:o:", options, NULL)) != -1) {
		if (code == OPTION_HELP)
			return fputs(help, stdout) < 0 || fflush(stdout) != 0 ? EXIT_REFUSED : 0;
		if (code == 'o')
			ret_request->output = optarg;
		else if (code == OPTION_MERGE)
			ret_request->merge = optarg;
		else
			return refuse(optopt == 'o' ? "-o" : argv[optind - 1],
				code == ':' ? "takes an argument"
					    : "unknown option; see nest-init seccomp record --help");
	}
	ret_request->argv = argv + optind;
	if (ret_request->output == NULL)
		return refuse("-o FILE", "is missing");
	if (optind == argc)
		return refuse("COMMAND", "is missing");
	*ret_done = false;
	return 0;
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int record(const struct request *request, int *fd, struct record *record)
{
	struct record_request run = { .argv = request->argv, .execute = execute, .signal_rest = signal_rest };
	const struct timespec tick = { .tv_nsec = 10 * 1000 * 1000 };
	struct timespec start;
	struct complaint why;
	int status, allowed;

	record_hold_signals(&run);
	/* The clock of files moves by the tick: what was done before is older. */
	nanosleep(&tick, NULL);
	clock_gettime(CLOCK_REALTIME_COARSE, &start);
	if (request->merge != NULL && read_earlier(request->merge, record, &why) < 0) {
		fprintf(stderr, "nest-init seccomp record: %s\n", why.text);
		return EXIT_REFUSED;
	}
	if (record_run(&run, record, &status, &why) < 0) {
		fprintf(stderr, "nest-init seccomp record: %s\n", why.text);
		return status;
	}
	if ((record->blind.count > 0 && record_changes(&start, record) < 0) ||
		record_settle(record, MODEL_PATHS_MAX) < 0)
		return refuse(request->output, strerror(ENOMEM));
	allowed = write_profile(record, request->output, fd);
	if (allowed < 0)
		return EXIT_REFUSED;
	summarise(record, request->output, allowed, request->argv);
	return exit_status(status);
}

int seccomp_record_main(int argc, char **argv)
{
	struct request request = { .output = NULL };
	static struct record learnt;
	cleanup_close int fd = -1;
	bool done, is_new;
	int status = parse(argc, argv, &request, &done);

	if (done)
		return status;
	if (access("/proc/self", F_OK) < 0)
		return refuse("/proc", "is not there (mount it): nothing would be known of paths and programs");
	/* Opened before anything runs: a mistake is told now. Emptied only when there is something to write. */
	is_new = !is_standard_output(request.output) && access(request.output, F_OK) < 0;
	fd = open_output(request.output);
	if (fd < 0)
		return refuse(request.output, strerror(errno));
	status = record(&request, &fd, &learnt);
	if (is_new && lseek(fd, 0, SEEK_END) == 0)
		unlink(request.output);
	record_clear(&learnt);
	return status;
}
