/* What clients of the control socket are told, and who is handed over to PID 1. */
#include "health/monitor_main.h"

#include "base/fdio.h"
#include "base/monitor_fds.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void fill_verdict(struct monitor *monitor, enum check_kind kind, struct wire_verdict *verdict)
{
	struct monitor_facts facts;
	unsigned status;
	char *text = NULL;
	size_t length;

	monitor_collect(monitor, &facts);
	verdict->kind = kind;
	verdict->healthy = health_is_good(&facts.health, kind);
	verdict->silent = facts.health.source == HEALTH_INIT_SILENT;
	if (health_page(&facts.health, 1U << kind, HEALTH_BRIEF, &status, &text, &length) == 0) {
		text[strcspn(text, "\n")] = '\0';
		utf8_clean(text, verdict->reason, sizeof verdict->reason);
	}
	free(text);
}

/* A verdict is told once PID 1 has shown that it is well enough to answer, or that it is not. */
bool monitor_knows_verdict(void *context, const struct wire_ask *ask, bool begins)
{
	struct monitor *monitor = context;

	if (ask->question != WIRE_ASK_HEALTH)
		return true;
	if (begins)
		monitor_ask(monitor);
	return monitor->asked_at_ns == 0 || monitor_init_is_silent(monitor);
}

/* Who may order nothing is told so here: a flood of such need not reach PID 1, which asks the kernel again. */
static void refuse_order(int connection)
{
	union wire_record record = { .ordered = { .result = WIRE_RESULT_FORBIDDEN } }, order;

	recv(connection, &order, sizeof order, MSG_DONTWAIT); /* what is left unread would cost the client its answer */
	wire_seal(&record, WIRE_ORDERED);
	send(connection, &record, sizeof record.ordered, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* PID 1 reads the order itself, and answers. Where the channel is full the client finds its connection closed. */
void monitor_hand_over(void *context, int connection)
{
	union wire_record record = { .client = { .header = { 0 } } };

	(void)context;
	if (!control_may_order(connection, control_peer(MONITOR_FD_CHANNEL))) {
		refuse_order(connection);
		return;
	}
	wire_seal(&record, WIRE_CLIENT);
	fd_send(MONITOR_FD_CHANNEL, &record, sizeof record.client, connection);
}

/* The denials that are counted, one after the other. Returns false behind the last. */
static bool fill_denial(struct monitor *monitor, size_t n, struct wire_denial *denial)
{
	static_assert(WIRE_DENIALS_MAX == DENIALS_KINDS_MAX + 1, "an answer has room for every kind");
	static_assert(WIRE_SYSCALL_SIZE >= SECCOMP_NAME_SIZE && WIRE_ACTION_SIZE >= ACTION_TEXT_SIZE,
		"a record has room for both names");

	for (size_t i = 0; i < WIRE_DENIALS_MAX; i++) {
		memset(denial, 0, sizeof *denial);
		denial->count = denial_reports_at(&monitor->denials, i, denial->syscall, denial->action);
		if (denial->count > 0 && n-- == 0)
			return true;
	}
	return false;
}

/* One verdict; or a verdict of each kind, the snapshot once there is one, what the service says where it is asked to,
 * every check, and every denial. */
enum wire_type monitor_answer(void *context, const struct wire_ask *ask, size_t n, union wire_record *ret_record)
{
	struct monitor *monitor = context;
	const bool status = ask->question == WIRE_ASK_STATUS;
	const size_t verdicts = status ? CHECK_KIND_COUNT : 1;
	const size_t snapshots = status && monitor->have_snapshot ? 1 + monitor->service_count : 0;

	if (status && n == 0)
		monitor_refresh(monitor);
	if (n < verdicts) {
		fill_verdict(monitor, status ? (enum check_kind)n : (enum check_kind)ask->kind, &ret_record->verdict);
		return WIRE_VERDICT;
	}
	n -= verdicts;
	if (n < snapshots && n > 0) {
		ret_record->service = monitor->services[n - 1];
		return WIRE_SERVICE;
	}
	if (n < snapshots) {
		ret_record->snapshot = monitor->snapshot;
		return WIRE_SNAPSHOT;
	}
	n -= snapshots;
	if (!status)
		return WIRE_END;
	if (snapshots > 0 && n < monitor->model.secret_count) {
		ret_record->secret = monitor->secrets[n];
		return WIRE_SECRET;
	}
	n -= snapshots > 0 ? monitor->model.secret_count : 0;
	if (monitor->notify.fd >= 0 && n-- == 0) {
		ret_record->notified = monitor->notify.notified;
		return WIRE_NOTIFIED;
	}
	if (n < monitor->checks.count) {
		ret_record->check = monitor->checks.record[n];
		return WIRE_CHECK;
	}
	return fill_denial(monitor, n - monitor->checks.count, &ret_record->denial) ? WIRE_DENIAL : WIRE_END;
}
