/* The client's side of the control socket. */
#pragma once

#include "base/complaint.h"
#include "base/wire.h"

/* Has something done with a service (its index); signal: of WIRE_COMMAND_SIGNAL, else 0. *ret_ordered: what PID 1 says
 * to it. Returns as control_ask() does. */
int control_order(enum wire_command command, uint32_t service, int signal, int64_t timeout_ns,
	struct wire_ordered *ret_ordered, struct complaint *ret_why);

/* Asks one question and calls `take` for each record of the answer, WIRE_END not among them. timeout_ns bounds the
 * whole of it. Returns 0, or -errno with a sentence: -ECONNREFUSED when no monitor answers there, -ETIMEDOUT, -EBADMSG.
 */
int control_ask(enum wire_question question, enum check_kind kind, int64_t timeout_ns,
	void (*take)(void *context, const union wire_record *record), void *context, struct complaint *ret_why);
