#include "seccomp-profiles/record_profile.h"

#include "base/json_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 4096
#define COMMENT_MAX 1024

/* The keys of what a comment carries beside its sentence, read again by --merge. */
#define SEEN " Seen: "
#define PROGRAMS "Programs: "
#define WRITABLE "Writable: "

/* A second run is not the first one again: a lock is contended, a signal comes in the middle of a sleep, a buffer grows
 * instead of being new, a name server is asked over TCP, a libc takes a newer call of the same kind. So what was seen
 * stands for its family. A name behind a + belongs to the family but does not call for it; a family without any other
 * is always allowed. In turn why, and the names; one string, because pointers to many cost more than what they say. */
static const char families[] =
	"What libc and nest-init call around every program: its start, memory, locks, end.\0"
	"+execve +brk +mmap +munmap +mremap +mprotect +madvise +arch_prctl +set_tid_address +set_robust_list "
	"+get_robust_list +rseq +prlimit64 +getrlimit +getrandom +exit +exit_group +restart_syscall +futex "
	"+sched_yield +sched_getaffinity +getcpu\0"
	"A signal's handler may run at any time, and abort(3) as well.\0"
	"+rt_sigaction +rt_sigprocmask +rt_sigreturn +sigaltstack +tgkill +tkill +getpid +gettid\0"
	"Time: without the vDSO the kernel is asked; sleeping takes either form.\0"
	"+clock_gettime +clock_getres +gettimeofday +time +clock_nanosleep +nanosleep\0"
	"Reading, writing and looking, in whichever form libc picks.\0"
	"+read +readv +pread64 +preadv +preadv2 +write +writev +pwrite64 +pwritev +pwritev2 +close "
	"+close_range +lseek +open +openat +openat2 +stat +lstat +fstat +newfstatat +statx +access +faccessat "
	"+faccessat2 +readlink +readlinkat +fcntl +dup +dup2 +dup3 +getcwd\0"
	"Facts about the process and the machine.\0"
	"+uname +sysinfo +getuid +geteuid +getgid +getegid +getresuid +getresgid +getgroups +getppid +getpgid "
	"+getpgrp +getsid +getrusage +times\0"
	"Threads and processes: who starts them waits for them, ends them and names them when their time comes.\0"
	"clone clone3 fork vfork +wait4 +waitid +kill +membarrier +prctl +setpgid +sched_getparam "
	"+sched_getscheduler +sched_get_priority_max +sched_get_priority_min\0"
	"Waiting for several things: one of these comes in the place of another.\0"
	"poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2\0"
	"Sockets: how much comes when decides which of these.\0"
	"socket socketpair accept accept4 connect +getsockname +getpeername +getsockopt +setsockopt +shutdown "
	"+recvfrom +recvmsg +recvmmsg +sendto +sendmsg +sendmmsg\0"
	"Files that are written: a temporary one is renamed or removed, a log is turned over, a lock is left.\0"
	"mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat fsync "
	"fdatasync sync_file_range ftruncate truncate fallocate chmod fchmod fchmodat fchmodat2 utime utimes "
	"futimesat utimensat creat +flock +umask +statfs +fstatfs +fadvise64 +msync\0"
	"Owners of files.\0"
	"chown fchown lchown fchownat\0"
	"Special files.\0"
	"mknod mknodat\0"
	"Attributes of files, read.\0"
	"getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr\0"
	"Attributes of files, written.\0"
	"setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr\0"
	"Directories.\0"
	"getdents getdents64 chdir fchdir\0"
	"File systems.\0"
	"statfs fstatfs\0"
	"From descriptor to descriptor.\0"
	"sendfile splice tee copy_file_range\0"
	"Pipes and counters.\0"
	"pipe pipe2 eventfd eventfd2\0"
	"Timers.\0"
	"alarm getitimer setitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete "
	"timerfd_create timerfd_settime timerfd_gettime\0"
	"Waiting for signals.\0"
	"rt_sigtimedwait rt_sigsuspend rt_sigpending pause signalfd signalfd4\0"
	"Another user: the kernel checks what a process may become.\0"
	"setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset +capget +prctl\0"
	"Scheduling.\0"
	"sched_setaffinity sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_setattr "
	"sched_getattr sched_get_priority_max sched_get_priority_min sched_rr_get_interval getpriority "
	"setpriority ioprio_get ioprio_set\0"
	"Limits.\0"
	"setrlimit\0"
	"Watching files.\0"
	"inotify_init inotify_init1 inotify_add_watch inotify_rm_watch\0"
	"Asynchronous input and output.\0"
	"io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents\0"
	"io_uring: what goes through it, no filter sees, and this record has not seen it either.\0"
	"io_uring_setup io_uring_enter io_uring_register\0"
	"Memory that stays, and is asked about.\0"
	"mlock mlock2 munlock mlockall munlockall mincore msync\0"
	"Memory of several nodes.\0"
	"get_mempolicy set_mempolicy mbind\0"
	"Protection keys.\0"
	"pkey_alloc pkey_mprotect pkey_free\0"
	"System V shared memory.\0"
	"shmget shmat shmctl shmdt\0"
	"System V semaphores.\0"
	"semget semop semtimedop semctl\0"
	"System V queues.\0"
	"msgget msgsnd msgrcv msgctl\0"
	"POSIX queues.\0"
	"mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr\0"
	"Confining itself further.\0"
	"seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self +prctl\0";
#define FAMILY_FILES "mkdir" /* the family that a path opened for writing calls for is the one that begins so */

/* Whoever meets EPERM here takes it for a refusal by the kernel; at ENOSYS there is an older way. */
static const char newer[] = "epoll_pwait2 renameat2 copy_file_range fchmodat2 futex_waitv io_uring_setup "
			    "landlock_create_ruleset memfd_create pidfd_open";

void record_clear(struct record *record)
{
	struct text_set *sets[] = { &record->seen, &record->kept, &record->writable, &record->programs,
		&record->blind };

	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
		text_set_clear(sets[i]);
}

/* Takes the next word of a list with blanks between them. False at its end. */
static bool next_word(const char **list, char *ret_word)
{
	size_t length;

	*list += strspn(*list, " ");
	length = strcspn(*list, " ");
	if (length == 0 || length >= WORD_MAX)
		return false;
	memcpy(ret_word, *list, length);
	ret_word[length] = '\0';
	*list += length;
	return true;
}

static bool is_known(const struct record *record, const char *name)
{
	return text_set_has(&record->seen, name) || text_set_has(&record->kept, name);
}

/* ---- writing ---- */

struct writing {
	struct json_writer json;
	const struct record *record;
	struct text_set allowed;
	int error;
};

static void begin_rule(struct writing *w, const char *comment)
{
	json_write_object(&w->json, NULL);
	json_write_text(&w->json, "comment", comment);
	json_write_array(&w->json, "names");
}

static void end_rule(struct writing *w, const char *action)
{
	json_write_end(&w->json);
	json_write_text(&w->json, "action", action);
}

/* Those whose arguments decide have rules of their own. */
static bool has_own_rule(const char *name)
{
	return strcmp(name, "clone") == 0 || strcmp(name, "clone3") == 0 || strcmp(name, "socket") == 0;
}

static bool is_left(const struct writing *w, const char *name)
{
	return !has_own_rule(name) && !text_set_has(&w->allowed, name);
}

static void allow(struct writing *w, const char *name)
{
	if (!is_left(w, name))
		return;
	json_write_text(&w->json, NULL, name);
	if (text_set_add(&w->allowed, name) < 0)
		w->error = -ENOMEM;
}

static bool is_called_for(const struct record *record, const char *list)
{
	char name[WORD_MAX];
	bool always = true;

	if (record->writable.count + record->blind.count > 0 && strncmp(list, FAMILY_FILES, strlen(FAMILY_FILES)) == 0)
		return true;
	while (next_word(&list, name)) {
		if (name[0] == '+')
			continue;
		if (text_set_has(&record->seen, name))
			return true;
		always = false;
	}
	return always;
}

/* "Why. Seen: the names of the family that were." A family's names and why it is one fit with room to spare. */
static void make_comment(const struct record *record, const char *why, const char *list, char *ret_text, size_t size)
{
	size_t length = (size_t)snprintf(ret_text, size, "%s", why);
	const char *before = SEEN;
	char name[WORD_MAX];

	while (next_word(&list, name)) {
		const char *bare = name + (name[0] == '+');

		if (!text_set_has(&record->seen, bare) || length >= size)
			continue;
		length += (size_t)snprintf(ret_text + length, size - length, "%s%s", before, bare);
		before = " ";
	}
}

static void write_family(struct writing *w, const char *why, const char *list)
{
	char name[WORD_MAX], comment[COMMENT_MAX];

	make_comment(w->record, why, list, comment, sizeof comment);
	begin_rule(w, comment);
	while (next_word(&list, name))
		allow(w, name + (name[0] == '+'));
	end_rule(w, "SCMP_ACT_ALLOW");
	json_write_end(&w->json);
}

/* A rule has one name at least: a family whose names all have rules of their own, or are allowed already, has none. */
static bool has_news(const struct writing *w, const char *list)
{
	char name[WORD_MAX];

	while (next_word(&list, name))
		if (is_left(w, name + (name[0] == '+')))
			return true;
	return false;
}

/* What belongs to no family. */
static void write_others(struct writing *w)
{
	const struct text_set *sets[] = { &w->record->seen, &w->record->kept };
	bool open = false;

	for (size_t s = 0; s < 2; s++)
		for (size_t i = 0; i < sets[s]->count; i++) {
			if (!is_left(w, sets[s]->text[i]))
				continue;
			if (!open)
				begin_rule(w, "Seen, and of no family.");
			open = true;
			allow(w, sets[s]->text[i]);
		}
	if (!open)
		return;
	end_rule(w, "SCMP_ACT_ALLOW");
	json_write_end(&w->json);
}

/* A rule for one name and a comparison of its first argument. */
static void write_argument_rule(
	struct writing *w, const char *name, const char *comment, const char *op, uint64_t value, bool masked)
{
	begin_rule(w, comment);
	json_write_text(&w->json, NULL, name);
	end_rule(w, "SCMP_ACT_ALLOW");
	json_write_array(&w->json, "args");
	json_write_object(&w->json, NULL);
	json_write_u64(&w->json, "index", 0);
	json_write_u64(&w->json, "value", value);
	if (masked)
		json_write_u64(&w->json, "valueTwo", 0);
	json_write_text(&w->json, "op", op);
	json_write_end(&w->json);
	json_write_end(&w->json);
	json_write_end(&w->json);
}

/* fork(3) and pthread_create(3) are clone(2) too, and clone3(2) falls back to it. */
static void write_clone(struct writing *w)
{
	const struct record *record = w->record;

	if (!is_known(record, "clone") && !is_known(record, "clone3") && !is_known(record, "fork") &&
		!is_known(record, "vfork"))
		return;
	write_argument_rule(w, "clone", "clone with no other namespaces than those that were seen.",
		"SCMP_CMP_MASKED_EQ", RECORD_NAMESPACES & ~record->namespaces, true);
	if (text_set_add(&w->allowed, "clone") < 0)
		w->error = -ENOMEM;
}

#define DOMAIN_UNIX 1
#define DOMAIN_INET 2
#define DOMAIN_INET6 10
#define DOMAIN_NETLINK 16

/* syslog(3) and NSS speak to AF_UNIX; getaddrinfo(3) tries both internets and asks netlink(7) which of them is there.
 */
static uint64_t close_domains(uint64_t domains)
{
	const uint64_t internet = UINT64_C(1) << DOMAIN_INET | UINT64_C(1) << DOMAIN_INET6;

	if (domains != 0)
		domains |= UINT64_C(1) << DOMAIN_UNIX;
	if ((domains & internet) != 0)
		domains |= internet | UINT64_C(1) << DOMAIN_NETLINK;
	return domains;
}

static void write_sockets(struct writing *w)
{
	uint64_t domains = close_domains(w->record->domains);
	char comment[64];

	for (unsigned domain = 0; domain < 64; domain++) {
		if ((domains >> domain & 1) == 0)
			continue;
		snprintf(comment, sizeof comment, "socket of domain %u%s", domain,
			(w->record->domains >> domain & 1) != 0 ? "." : ", for names and logs.");
		write_argument_rule(w, "socket", comment, "SCMP_CMP_EQ", domain, false);
	}
	if (domains != 0 && text_set_add(&w->allowed, "socket") < 0)
		w->error = -ENOMEM;
}

static void write_newer(struct writing *w)
{
	const char *list = newer;
	char name[WORD_MAX];

	begin_rule(w,
		"ENOSYS: libc and others then take the older way; clone3 keeps its flags where no filter sees them.");
	json_write_text(&w->json, NULL, "clone3");
	while (next_word(&list, name))
		if (!text_set_has(&w->allowed, name))
			json_write_text(&w->json, NULL, name);
	end_rule(w, "SCMP_ACT_ERRNO");
	json_write_u64(&w->json, "errnoRet", ENOSYS);
	json_write_end(&w->json);
}

/* The comments of two rules that say nothing new (execve and openat are always allowed) carry the paths. One with a
 * blank in it would be read back as two: such are left to the summary. */
static void write_list(struct writing *w, const char *key, const struct text_set *set, const char *name)
{
	size_t length = strlen(key);
	char *text;

	if (set->count == 0)
		return;
	for (size_t i = 0; i < set->count; i++)
		length += 1 + strlen(set->text[i]);
	text = malloc(length + 1);
	if (text == NULL) {
		w->error = -ENOMEM;
		return;
	}
	strcpy(text, key);
	for (size_t i = 0; i < set->count; i++) {
		if (strchr(set->text[i], ' ') != NULL)
			continue;
		strcat(text, text[strlen(key)] != '\0' ? " " : "");
		strcat(text, set->text[i]);
	}
	begin_rule(w, text);
	json_write_text(&w->json, NULL, name);
	end_rule(w, "SCMP_ACT_ALLOW");
	json_write_end(&w->json);
	free(text);
}

int record_write_profile(const struct record *record, FILE *out)
{
	struct writing w = { .record = record };
	int count;

	json_write_begin(&w.json, out);
	json_write_text(&w.json, "defaultAction", "SCMP_ACT_ERRNO");
	json_write_u64(&w.json, "defaultErrnoRet", 1);
	json_write_array(&w.json, "syscalls");
	write_list(&w, PROGRAMS, &record->programs, "execve");
	write_list(&w, WRITABLE, &record->writable, "openat");
	for (const char *why = families, *names; *why != '\0'; why = names + strlen(names) + 1) {
		names = why + strlen(why) + 1;
		if (is_called_for(record, names) && has_news(&w, names))
			write_family(&w, why, names);
	}
	write_others(&w);
	write_clone(&w);
	write_sockets(&w);
	write_newer(&w);
	json_write_end(&w.json);
	json_write_finish(&w.json);
	count = (int)w.allowed.count;
	text_set_clear(&w.allowed);
	return w.error < 0 ? w.error : count;
}

/* ---- merging ---- */

static int add_words(struct text_set *set, const char *list, int (*add)(struct text_set *set, const char *text))
{
	char word[WORD_MAX];
	int error = 0;

	while (error == 0 && next_word(&list, word))
		error = add(set, word);
	return error;
}

static int merge_comment(const char *comment, struct record *record)
{
	const char *seen = strstr(comment, SEEN);

	if (strncmp(comment, PROGRAMS, strlen(PROGRAMS)) == 0)
		return add_words(&record->programs, comment + strlen(PROGRAMS), text_set_add);
	if (strncmp(comment, WRITABLE, strlen(WRITABLE)) == 0)
		return add_words(&record->writable, comment + strlen(WRITABLE), record_paths_note);
	return seen == NULL ? 0 : add_words(&record->seen, seen + strlen(SEEN), text_set_add);
}

/* The two rules with an argument that record writes; it writes none for their names without one. */
static bool merge_argument(const struct profile_rule *rule, struct record *record)
{
	const struct profile_arg *arg = rule->args;

	if (rule->arg_count == 0) {
		for (size_t i = 0; i < rule->name_count; i++)
			if (has_own_rule(rule->names[i].text))
				return false;
		return true;
	}
	if (rule->arg_count != 1 || rule->name_count != 1 || arg->index != 0)
		return false;
	if (strcmp(rule->names->text, "socket") == 0 && arg->op == PROFILE_EQ && arg->value < 64) {
		record->domains |= UINT64_C(1) << arg->value;
		return true;
	}
	if (strcmp(rule->names->text, "clone") == 0 && arg->op == PROFILE_MASKED_EQ && arg->value_two == 0) {
		record->namespaces |= RECORD_NAMESPACES & ~(uint32_t)arg->value;
		return true;
	}
	return false;
}

static bool is_conditional(const struct profile_rule *rule)
{
	const struct profile_filter *in = &rule->includes, *out = &rule->excludes;

	return in->caps != 0 || in->arches != 0 || in->has_min_kernel || out->caps != 0 || out->arches != 0 ||
		out->has_min_kernel;
}

static int merge_rule(
	const char *file, const struct profile_rule *rule, struct record *record, struct complaint *ret_why)
{
	int error = rule->comment == NULL ? 0 : merge_comment(rule->comment, record);

	if (rule->action == PROFILE_ERRNO && rule->errno_ret == ENOSYS && rule->arg_count == 0)
		return 0; /* made anew */
	if (rule->action != PROFILE_ALLOW || is_conditional(rule) || !merge_argument(rule, record))
		return complain(ret_why, EINVAL,
			"%.256s:%u:%u: --merge takes what record wrote: names that are allowed, without conditions",
			file, rule->line, rule->column);
	for (size_t i = 0; error == 0 && i < rule->name_count; i++)
		error = text_set_add(&record->kept, rule->names[i].text);
	return error < 0 ? complain(ret_why, ENOMEM, "%.256s: out of memory", file) : 0;
}

int record_merge(const char *file, const struct profile *earlier, struct record *record, struct complaint *ret_why)
{
	int error = 0;

	if (earlier->default_action != PROFILE_ERRNO)
		return complain(ret_why, EINVAL,
			"%.256s:1:1: --merge takes what record wrote: SCMP_ACT_ERRNO by default", file);
	for (size_t i = 0; error == 0 && i < earlier->rule_count; i++)
		error = merge_rule(file, &earlier->rules[i], record, ret_why);
	return error;
}
