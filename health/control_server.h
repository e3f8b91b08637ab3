/* The monitor's side of the control socket: takes one question a connection and hands it to its owner. */
#pragma once

#include "base/wire.h"

#include <poll.h>

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_POLLFDS_MAX (CONTROL_CLIENTS_MAX + 1)
/* A client that connects and does not ask is put out after this long. */
#define CONTROL_PATIENCE_NS (INT64_C(2) * 1000000000)
/* Where no descriptor is left the listener stays readable: it is looked at again after this long. */
#define CONTROL_PAUSE_NS (INT64_C(100) * 1000000)

struct control_client {
	int fd; /* -1: free */
	int64_t until_ns;
};

struct control_server {
	int listener;         /* borrowed */
	int64_t accept_at_ns; /* no new client before that time; 0: at once */
	struct control_client client[CONTROL_CLIENTS_MAX];
	/* Answers a valid question by calls of control_reply(), without waiting. */
	void (*answer)(void *context, const struct wire_ask *ask, int client);
	void *context;
};

/* listener: a listening SOCK_SEQPACKET socket, non-blocking. */
void control_server_init(struct control_server *server, int listener,
	void (*answer)(void *context, const struct wire_ask *ask, int client), void *context);

/* What to wait for. Returns the number of slots. */
size_t control_server_pollfds(const struct control_server *server, struct pollfd ret_slots[static CONTROL_POLLFDS_MAX]);
int64_t control_server_deadline_ns(const struct control_server *server);
/* Accepts and answers as far as it goes without waiting. */
void control_server_run(struct control_server *server, int64_t now);

/* Sends one record to a client; what its socket does not take at once is dropped, and the client sees that the answer
 * broke off. */
void control_reply(int client, union wire_record *record, enum wire_type type);
