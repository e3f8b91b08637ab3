#include "init/orders.h"

#include "base/control.h"
#include "base/log.h"
#include "base/signame.h"
#include "init/loop.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* An accepted connection has the name of its listener (unix(7)), and no other process has ours. The other sockets that
 * the monitor holds have not: the channel, whose maker is PID 1 itself, or a connection to somebody's service. */
static bool is_to_control(const struct loop *loop, int connection)
{
	struct sockaddr_un ours, theirs;
	socklen_t our_length = sizeof ours, their_length = sizeof theirs;

	return getsockname(loop->monitor.control, (struct sockaddr *)&ours, &our_length) == 0 &&
		getsockname(connection, (struct sockaddr *)&theirs, &their_length) == 0 && our_length == their_length &&
		memcmp(&ours, &theirs, our_length) == 0;
}

static bool receive(int connection, struct wire_order *ret_order)
{
	union wire_record record;
	const ssize_t length = recv(connection, &record, sizeof record, MSG_DONTWAIT | MSG_TRUNC);

	if (length < 0 || (size_t)length > sizeof record || wire_validate(&record, (size_t)length) < 0 ||
		record.header.type != WIRE_ORDER)
		return false;
	*ret_order = record.order;
	return true;
}

/* ---- what is done ---- */

static bool is_over(const struct coordinate_unit *coordinated)
{
	return coordinated->phase >= COORDINATE_ENDED;
}

/* A reload has removed it. */
static bool is_gone(const struct loop *loop, size_t number)
{
	return loop->coordinator.unit[number].removed && is_over(&loop->coordinator.unit[number]);
}

/* It is on its way out, and not to be started again. */
static bool is_leaving(const struct unit *unit, const struct coordinate_unit *coordinated)
{
	return coordinated->phase == COORDINATE_STOPPING ||
		(unit->machine.state > SUPERVISE_RUNNING && unit->machine.state < SUPERVISE_DONE &&
			!unit->machine.restart);
}

/* again: and an order of its own is to follow, once it is told whose word this is. */
static enum wire_result start(struct loop *loop, struct unit *unit, size_t number, bool *ret_again)
{
	const struct coordinate_unit *coordinated = &loop->coordinator.unit[number];

	if (!is_over(coordinated) && is_leaving(unit, coordinated))
		return WIRE_RESULT_BUSY;
	if (!unit_can_start_again(unit))
		return WIRE_RESULT_NO_START;
	if (coordinate_release(&loop->coordinator, number))
		return WIRE_RESULT_TAKEN;
	if (coordinated->kind == SERVICE_AFTER)
		return WIRE_RESULT_LATER;
	if (coordinate_due(&loop->coordinator, number))
		return WIRE_RESULT_TAKEN;
	*ret_again = unit->machine.state == SUPERVISE_BACKOFF;
	return *ret_again ? WIRE_RESULT_TAKEN : WIRE_RESULT_NEEDLESS;
}

static enum wire_result stop(struct loop *loop, struct unit *unit, size_t number)
{
	struct coordinate_unit *coordinated = &loop->coordinator.unit[number];

	if (unit->machine.policy.stop_signals == 0)
		return WIRE_RESULT_FOREIGN;
	if (coordinated->phase == COORDINATE_STOPPING && !coordinated->renews)
		return WIRE_RESULT_TAKEN;
	if (!coordinate_hold(&loop->coordinator, number))
		return WIRE_RESULT_NEEDLESS;
	if (unit->main_pid > 0)
		unit->stopped_by = STOPPED_BY_HAND;
	return WIRE_RESULT_TAKEN;
}

static enum wire_result restart(struct loop *loop, struct unit *unit, size_t number, bool *ret_again)
{
	const struct coordinate_unit *coordinated = &loop->coordinator.unit[number];

	if (unit->machine.policy.stop_signals == 0)
		return WIRE_RESULT_FOREIGN;
	if (is_over(coordinated) || coordinated->phase == COORDINATE_WAITING)
		return start(loop, unit, number, ret_again);
	if (is_leaving(unit, coordinated))
		return WIRE_RESULT_BUSY;
	if (!unit_can_start_again(unit))
		return WIRE_RESULT_NO_START;
	if (unit->machine.state == SUPERVISE_RUNNING)
		unit->stopped_by = STOPPED_BY_HAND;
	*ret_again = true;
	return WIRE_RESULT_TAKEN;
}

static enum wire_result send_signal(struct unit *unit, uint32_t signal)
{
	const uint64_t *sent = &unit->loop->snapshot.signals_forwarded[signal], before = *sent;

	if (signal == 0)
		return WIRE_RESULT_UNKNOWN;
	if (!unit->executed || unit->main_pid == 0 || unit->machine.main_ended)
		return WIRE_RESULT_DOWN;
	unit_deliver(unit, (int)signal, NULL);
	return *sent > before ? WIRE_RESULT_TAKEN : WIRE_RESULT_FAILED;
}

static enum wire_result obey(struct loop *loop, struct unit *unit, const struct wire_order *order, bool *ret_again)
{
	if (loop->coordinator.stopping && order->command != WIRE_COMMAND_SIGNAL)
		return WIRE_RESULT_ENDING;
	switch (order->command) {
	case WIRE_COMMAND_START:
		return start(loop, unit, order->service, ret_again);
	case WIRE_COMMAND_STOP:
		return stop(loop, unit, order->service);
	case WIRE_COMMAND_RESTART:
		return restart(loop, unit, order->service, ret_again);
	default:
		return send_signal(unit, order->signal);
	}
}

/* ---- who, and what came of it ---- */

static void tell(const struct unit *unit, const struct wire_order *order, uid_t who)
{
	static const char words[WIRE_COMMAND_RELOAD][16] = { "be started", "be stopped", "be restarted", "get SIG" };
	char name[SIGNAL_NAME_SIZE] = "";

	if (order->command == WIRE_COMMAND_SIGNAL)
		signal_name((int)order->signal, name);
	log_line(LOG_LEVEL_NOTICE, "%s is to %s%s: by hand, of uid %u", unit->called, words[order->command], name,
		(unsigned)who);
}

static void reload(struct loop *loop, uid_t who, struct wire_ordered *ordered)
{
	ordered->life = loop->snapshot.reloads;
	ordered->result = loop->coordinator.stopping ? WIRE_RESULT_ENDING : reload_start(loop, false);
	if (ordered->result == WIRE_RESULT_TAKEN)
		log_line(LOG_LEVEL_NOTICE, "the configuration is to be read again: by hand, of uid %u", (unsigned)who);
}

/* A life that has just begun is as good as a new one. */
static uint64_t life_before(const struct unit *unit)
{
	return unit->record.starts - (unit->machine.state == SUPERVISE_STARTING ? 1 : 0);
}

static void take(struct loop *loop, const struct wire_order *order, uid_t who, struct wire_ordered *ordered)
{
	struct unit *unit = order->service < loop->unit_count ? &loop->unit[order->service] : NULL;
	bool again = false;

	ordered->result = WIRE_RESULT_UNKNOWN;
	if (order->command == WIRE_COMMAND_RELOAD) {
		reload(loop, who, ordered);
		return;
	}
	if (unit == NULL || is_gone(loop, order->service))
		return;
	ordered->life = life_before(unit);
	ordered->result = obey(loop, unit, order, &again);
	if (ordered->result == WIRE_RESULT_TAKEN)
		tell(unit, order, who);
	if (again)
		unit_step(unit,
			(struct supervise_event){ .type = SUPERVISE_EVENT_ORDER, .order = SUPERVISE_ORDER_AGAIN },
			NULL);
	loop_coordinate(loop);
}

void orders_take(struct loop *loop, int connection)
{
	union wire_record answer = { .ordered = { .result = WIRE_RESULT_FORBIDDEN } };
	struct wire_order order;

	if (!is_to_control(loop, connection) || !receive(connection, &order))
		return;
	if (control_may_order(connection, geteuid()))
		take(loop, &order, control_peer(connection), &answer.ordered);
	wire_seal(&answer, WIRE_ORDERED);
	/* Who does not read it goes without. */
	send(connection, &answer, sizeof answer.ordered, MSG_DONTWAIT | MSG_NOSIGNAL);
}
