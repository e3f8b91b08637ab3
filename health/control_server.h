/* The monitor's side of the control socket: takes one question a connection and hands it to its owner. A connection
 * with an order it does not read: that is for PID 1. */
#pragma once

#include "base/wire.h"

#include <poll.h>
#include <stdbool.h>

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_POLLFDS_MAX (CONTROL_CLIENTS_MAX + 1)
/* A client that connects and does not ask is put out after this long; one that has asked is answered by then. */
#define CONTROL_PATIENCE_NS (INT64_C(2) * 1000000000)
/* Where no descriptor is left the listener stays readable: it is looked at again after this long. */
#define CONTROL_PAUSE_NS (INT64_C(100) * 1000000)

/* An answer that its client does not take is given up after that, too. */
struct control_client {
	int fd; /* -1: free */
	int64_t until_ns;
	bool asked;
	bool waits; /* for what is to be known before it is answered */
	struct wire_ask ask;
	size_t answered; /* records it has got */
};

/* Fills in the n-th record of the answer to a valid question, counted from 0, but for its header, and returns its type.
 * WIRE_END is the last one. */
typedef enum wire_type control_answer(
	void *context, const struct wire_ask *ask, size_t n, union wire_record *ret_record);

/* Called when a question has come (begins), and then in each turn until it is true: enough is known for an answer. When
 * the client's time is over it is answered all the same. */
typedef bool control_knows(void *context, const struct wire_ask *ask, bool begins);

/* Called with the connection (borrowed) of a client whose order waits in it, and who is none of ours any more behind
 * that. */
typedef void control_hand_over(void *context, int connection);

struct control_server {
	int listener;         /* borrowed */
	int64_t accept_at_ns; /* no new client before that time; 0: at once */
	struct control_client client[CONTROL_CLIENTS_MAX];
	control_knows *knows;
	control_answer *answer;
	control_hand_over *hand_over;
	void *context;
};

/* listener: a listening SOCK_SEQPACKET socket, non-blocking. */
void control_server_init(struct control_server *server, int listener, control_knows *knows, control_answer *answer,
	control_hand_over *hand_over, void *context);

/* What to wait for. Returns the number of slots. */
size_t control_server_pollfds(const struct control_server *server, struct pollfd ret_slots[static CONTROL_POLLFDS_MAX]);
int64_t control_server_deadline_ns(const struct control_server *server);
/* Accepts and answers as far as it goes without waiting: a long answer goes on when its client has read of it. */
void control_server_run(struct control_server *server, int64_t now);
