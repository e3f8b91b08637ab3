#include "health/notify_server.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "health/kinship.h"
#include "health/notification.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* In one turn of the loop, so that a flood keeps nobody else waiting. */
#define AT_ONCE 32
/* PID 1 is told of a new STATUS= this often at the most: who talks without a pause is not to wake it each time. */
#define TELL_NS (100 * NS_PER_MS)
#define TELL_AGAIN_NS (10 * NS_PER_MS)

enum grumble { NOT_OF_THE_SERVICE, NO_MESSAGE, OTHER_MAIN_PID };

void notify_server_init(struct notify_server *server, int fd, int proc, const struct service *asked, size_t service,
	struct checks *checks, notify_tell *tell)
{
	*server = (struct notify_server){ .fd = fd,
		.proc = proc,
		.checks = checks,
		.tell = tell,
		.service = service,
		.watchdog_ns = asked->watchdog_ns,
		.tell_at_ns = TIME_NEVER,
		.beat_by_ns = TIME_NEVER };
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void notify_server_restore(struct notify_server *server, const struct wire_notified *notified)
{
	if (notified->service == server->service)
		server->notified = *notified;
}

/* ---- the checks ---- */

static bool is_told(const struct notify_server *server, size_t index, enum check_kind kind)
{
	const struct check *check = &server->checks->check[index];

	return check->target.kind == TARGET_NOTIFY && check->kind == kind;
}

/* Every check of the kind that the service tells of itself. */
static bool observe(struct notify_server *server, enum check_kind kind, bool success, const char *reason, int64_t now)
{
	bool changed = false;

	for (size_t i = 0; i < server->checks->count; i++)
		if (is_told(server, i, kind))
			changed |= checks_observe(server->checks, i, success, reason, now);
	return changed;
}

static void await(struct notify_server *server, enum check_kind kind, const char *what)
{
	for (size_t i = 0; i < server->checks->count; i++)
		if (is_told(server, i, kind))
			snprintf(server->checks->record[i].reason, sizeof server->checks->record[i].reason, "%s", what);
}

static bool observe_said(struct notify_server *server, enum wire_said said, int64_t now)
{
	static const char words[][12] = { "", "READY=1", "RELOADING=1", "STOPPING=1" };

	return said != WIRE_SAID_NOTHING && observe(server, CHECK_READY, said == WIRE_SAID_READY, words[said], now);
}

static int64_t watchdog_time(const struct notify_server *server)
{
	return server->notified.watchdog_ms > 0 ? server->notified.watchdog_ms * NS_PER_MS : server->watchdog_ns;
}

static void await_beat(struct notify_server *server, int64_t from)
{
	if (server->watchdog_ns > 0 && server->judges)
		server->beat_by_ns = from + watchdog_time(server);
}

static bool miss_beat(struct notify_server *server, int64_t now)
{
	char reason[32 + DURATION_SIZE], time[DURATION_SIZE];

	if (now < server->beat_by_ns)
		return false;
	server->beat_by_ns = TIME_NEVER;
	duration_format(watchdog_time(server), time);
	snprintf(reason, sizeof reason, "no WATCHDOG=1 for %s", time);
	return observe(server, CHECK_LIVE, false, reason, now);
}

/* ---- lives ---- */

/* When the first WATCHDOG=1 is waited for: once the start period is over, or now. */
static int64_t first_beat_from(const struct notify_server *server, int64_t now)
{
	for (size_t i = 0; i < server->checks->count; i++) {
		int64_t over = checks_start_ns(server->checks, i) + server->checks->check[i].timing.start_period_ns;

		if (is_told(server, i, CHECK_LIVE) && over > now)
			return over;
	}
	return now;
}

/* What the service has said so far, and says from now on, counts. */
static bool judge(struct notify_server *server, int64_t now)
{
	server->judges = true;
	await(server, CHECK_READY, "no READY=1 yet");
	await(server, CHECK_LIVE, "no WATCHDOG=1 yet");
	await_beat(server, first_beat_from(server, now));
	return observe_said(server, (enum wire_said)server->notified.said, now);
}

void notify_server_start(struct notify_server *server, uint64_t life, pid_t main_pid, int64_t now)
{
	if (server->fd < 0 || server->listens)
		return;
	server->listens = true;
	server->main_pid = main_pid;
	server->grumbled = 0;
	if (server->notified.life != life)
		server->notified = (struct wire_notified){ .service = (uint32_t)server->service, .life = life };
	server->judges = false;
	if (!server->checks->service[server->service].held)
		judge(server, now);
}

void notify_server_stop(struct notify_server *server)
{
	server->listens = false;
	server->beat_by_ns = TIME_NEVER;
}

/* ---- messages ---- */

/* True the first time in this life. */
static bool grumbles(struct notify_server *server, enum grumble kind)
{
	const bool first = (server->grumbled >> kind & 1) == 0;

	server->grumbled |= 1U << kind;
	return first;
}

/* PID 1 is to know whether it is ready before the message is gone: this monitor may be killed at any time. */
static void note(struct notify_server *server, const struct notification *notification, int64_t now)
{
	const struct wire_notified before = server->notified;
	struct wire_notified *after = &server->notified;

	if (notification->said != WIRE_SAID_NOTHING)
		after->said = notification->said;
	if (notification->watchdog_ms > 0)
		after->watchdog_ms = notification->watchdog_ms;
	if (notification->has_error)
		after->error = notification->error;
	if (notification->has_status)
		memcpy(after->status, notification->status, sizeof after->status);
	if (memcmp(&before, after, sizeof before) == 0)
		return;
	server->urgent |= before.said != after->said || before.watchdog_ms != after->watchdog_ms;
	if (server->urgent)
		server->tell_at_ns = now;
	else if (server->tell_at_ns == TIME_NEVER)
		server->tell_at_ns = server->told_at_ns + TELL_NS;
}

static bool take(struct notify_server *server, const struct notification *notification, int64_t now)
{
	bool changed = observe_said(server, notification->said, now);

	note(server, notification, now);
	if (notification->main_pid > 0 && notification->main_pid != (uint32_t)server->main_pid &&
		grumbles(server, OTHER_MAIN_PID))
		log_line(LOG_LEVEL_NOTICE, "MAINPID=%u is passed over: the main process is the one that PID 1 started",
			notification->main_pid);
	if (server->watchdog_ns == 0)
		return changed;
	if (notification->beat == NOTIFICATION_ALIVE)
		changed |= observe(server, CHECK_LIVE, true, "WATCHDOG=1", now);
	if (notification->beat == NOTIFICATION_TRIGGER) {
		server->beat_by_ns = TIME_NEVER;
		return observe(server, CHECK_LIVE, false, "WATCHDOG=trigger", now) || changed;
	}
	if (notification->beat == NOTIFICATION_ALIVE || notification->said == WIRE_SAID_READY ||
		notification->watchdog_ms > 0)
		await_beat(server, now);
	return changed;
}

static bool hear(
	struct notify_server *server, const char *bytes, size_t length, const struct ucred *sender, int64_t now)
{
	struct notification notification;

	if (!kinship_holds(server->proc, server->main_pid, sender->pid, sender->uid)) {
		if (grumbles(server, NOT_OF_THE_SERVICE))
			log_line(LOG_LEVEL_NOTICE,
				"a message to NOTIFY_SOCKET is not heard: pid %d (user %u) is not of the service, or "
				"has "
				"ended",
				(int)sender->pid, (unsigned)sender->uid);
		return false;
	}
	if (notification_parse(bytes, length, &notification) == 0)
		return take(server, &notification, now);
	if (grumbles(server, NO_MESSAGE))
		log_line(LOG_LEVEL_NOTICE,
			"a message to NOTIFY_SOCKET of pid %d is not heard: it has a NUL or more than %d bytes",
			(int)sender->pid, NOTIFICATION_MAX);
	return false;
}

static bool tell(struct notify_server *server, int64_t now)
{
	if (!server->tell(&server->notified)) {
		server->tell_at_ns = now + TELL_AGAIN_NS;
		return false;
	}
	server->urgent = false;
	server->tell_at_ns = TIME_NEVER;
	server->told_at_ns = now;
	return true;
}

/* Room for the credentials and for nothing else: the kernel closes the descriptors for which there is none (unix(7)).
 */
union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(struct ucred))];
};

/* Looks at the first message and leaves it there. Returns its true length, or -1 and errno. */
static ssize_t peek(int fd, char *buffer, size_t size, struct ucred *ret_sender)
{
	struct iovec part = { buffer, size };
	union control control;
	struct msghdr all = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	const ssize_t length = recvmsg(fd, &all, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *head = length >= 0 ? CMSG_FIRSTHDR(&all) : NULL;

	*ret_sender = (struct ucred){ 0 }; /* nobody */
	if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_CREDENTIALS &&
		head->cmsg_len == CMSG_LEN(sizeof *ret_sender))
		memcpy(ret_sender, CMSG_DATA(head), sizeof *ret_sender);
	return length;
}

/* Heard, told, and only then taken out of the queue: who comes after a monitor that was killed meanwhile hears it
 * again, which changes nothing. Returns false if there was none, or PID 1 could not be told. */
static bool take_one(struct notify_server *server, int64_t now, bool *changed)
{
	char buffer[NOTIFICATION_MAX];
	struct ucred sender;
	const ssize_t length = peek(server->fd, buffer, sizeof buffer, &sender);

	if (length < 0)
		return false;
	*changed |= hear(server, buffer, (size_t)length, &sender, now);
	if (server->urgent && !tell(server, now))
		return false;
	recv(server->fd, buffer, 1, MSG_DONTWAIT);
	return true;
}

/* ---- the loop ---- */

size_t notify_server_pollfds(const struct notify_server *server, struct pollfd *ret_slots)
{
	if (!server->listens || server->urgent)
		return 0;
	*ret_slots = (struct pollfd){ .fd = server->fd, .events = POLLIN };
	return 1;
}

int64_t notify_server_deadline_ns(const struct notify_server *server)
{
	return server->beat_by_ns < server->tell_at_ns ? server->beat_by_ns : server->tell_at_ns;
}

bool notify_server_run(struct notify_server *server, int64_t now)
{
	bool changed = false;

	if (now >= server->tell_at_ns)
		tell(server, now);
	if (server->listens && !server->judges && !server->checks->service[server->service].held)
		changed = judge(server, now);
	if (!server->listens || server->urgent)
		return miss_beat(server, now) || changed;
	for (int i = 0; i < AT_ONCE && take_one(server, now, &changed); i++)
		continue;
	return miss_beat(server, now) || changed;
}
