#include "health/control_server.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

void control_server_init(struct control_server *server, int listener, control_knows *knows, control_answer *answer,
	control_hand_over *hand_over, void *context)
{
	*server = (struct control_server){
		.listener = listener, .knows = knows, .answer = answer, .hand_over = hand_over, .context = context
	};
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		server->client[i].fd = -1;
}

/* Who waits is only listened to for going away, which poll(2) always tells. */
static short awaited_of(const struct control_client *client)
{
	if (client->waits)
		return 0;
	return client->asked ? POLLOUT : POLLIN;
}

size_t control_server_pollfds(const struct control_server *server, struct pollfd ret_slots[static CONTROL_POLLFDS_MAX])
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		ret_slots[i] = (struct pollfd){ .fd = server->client[i].fd, .events = awaited_of(&server->client[i]) };
	ret_slots[CONTROL_CLIENTS_MAX] = (struct pollfd){ .fd = server->accept_at_ns > 0 ? -1 : server->listener,
		.events = POLLIN };
	return CONTROL_POLLFDS_MAX;
}

int64_t control_server_deadline_ns(const struct control_server *server)
{
	int64_t deadline = server->accept_at_ns > 0 ? server->accept_at_ns : TIME_NEVER;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (server->client[i].fd >= 0 && server->client[i].until_ns < deadline)
			deadline = server->client[i].until_ns;
	return deadline;
}

static void put_out(struct control_client *client)
{
	close(client->fd);
	client->fd = -1;
}

/* The free place, or that of the client who has been silent longest. */
static struct control_client *make_place(struct control_server *server)
{
	struct control_client *oldest = &server->client[0];

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (server->client[i].fd < 0)
			return &server->client[i];
		if (server->client[i].until_ns < oldest->until_ns)
			oldest = &server->client[i];
	}
	put_out(oldest);
	return oldest;
}

static bool out_of_descriptors(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void accept_some(struct control_server *server, int64_t now)
{
	if (now < server->accept_at_ns)
		return;
	server->accept_at_ns = 0;
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct control_client *place;

		if (fd < 0 && out_of_descriptors(errno))
			server->accept_at_ns = now + CONTROL_PAUSE_NS;
		if (fd < 0)
			return;
		place = make_place(server);
		*place = (struct control_client){ .fd = fd, .until_ns = now + CONTROL_PATIENCE_NS };
	}
}

static bool waits(const struct control_client *client, int64_t now)
{
	return (errno == EAGAIN || errno == EINTR) && now < client->until_ns;
}

static bool is_order(const union wire_record *record, ssize_t length)
{
	return (size_t)length <= sizeof *record && wire_validate(record, (size_t)length) == 0 &&
		record->header.type == WIRE_ORDER;
}

/* Returns true while the client is still to be waited for. */
static bool take_question(const struct control_server *server, struct control_client *client, int64_t now)
{
	union wire_record record;
	ssize_t length = recv(client->fd, &record, sizeof record, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC);

	if (length < 0)
		return waits(client, now);
	if (is_order(&record, length)) {
		server->hand_over(server->context, client->fd);
		return false;
	}
	recv(client->fd, &record, sizeof record, MSG_DONTWAIT); /* the one that was looked at */
	client->asked = (size_t)length <= sizeof record && wire_validate(&record, (size_t)length) == 0 &&
		record.header.type == WIRE_ASK;
	client->ask = record.ask;
	if (client->asked) {
		client->waits = !server->knows(server->context, &client->ask, true);
		client->until_ns = now + CONTROL_PATIENCE_NS;
	}
	return client->asked;
}

/* Returns false if the client is gone. */
static bool wait_for_knowledge(const struct control_server *server, struct control_client *client, int64_t now)
{
	char byte;

	client->waits = now < client->until_ns && !server->knows(server->context, &client->ask, false);
	if (!client->waits)
		client->until_ns = now + CONTROL_PATIENCE_NS;
	return recv(client->fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) != 0;
}

/* The same. What is sent is a whole record or nothing (SOCK_SEQPACKET). */
static bool answer(const struct control_server *server, struct control_client *client, int64_t now)
{
	for (;;) {
		union wire_record record = { .snapshot = { .header = { 0 } } };
		enum wire_type type = server->answer(server->context, &client->ask, client->answered, &record);

		wire_seal(&record, type);
		if (send(client->fd, &record, record.header.length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return waits(client, now);
		if (type == WIRE_END)
			return false;
		client->answered++;
	}
}

/* One question, one answer, good-bye; whatever is not a question gets no answer. */
static void serve_client(struct control_server *server, struct control_client *client, int64_t now)
{
	if (!client->asked && !take_question(server, client, now))
		put_out(client);
	else if (client->waits && !wait_for_knowledge(server, client, now))
		put_out(client);
	else if (client->asked && !client->waits && !answer(server, client, now))
		put_out(client);
}

void control_server_run(struct control_server *server, int64_t now)
{
	accept_some(server, now);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (server->client[i].fd >= 0)
			serve_client(server, &server->client[i], now);
}
