#include "metrics/serve.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "metrics/gzip.h"
#include "metrics/negotiate.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define ACCEPT_BATCH 8                  /* connections of one listener before those that are there are served */
#define ACCEPT_ROUNDS 8                 /* such batches in one run */
#define ACCEPT_PAUSE_NS (NS_PER_S / 10) /* after the process ran out of descriptors or memory */
#define ACCEPT_SIZE 2048                /* all Accept fields together: Prometheus's has 300 bytes */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Who is at the other end: an IPv4 address (mapped, RFC 4291 section 2.5.5.2) or an IPv6 network of 64 bits, which is
 * what one host is given. */
struct origin {
	uint8_t bytes[16];
};

struct slot {
	bool used;
	int fd; /* owned by the library */
	struct origin origin;
	int64_t deadline_ns; /* of the request that is under way or awaited */
	struct tls *tls;     /* what it is served with; NULL: HTTP */
	uint64_t order;      /* of its beginning: the smallest has waited longest */
	size_t peers;        /* connections of this origin, this one included */
	struct MHD_Connection
		*waiting; /* suspended: its request waits for the guard or for its page; NULL: it does not */
	int64_t wake_ns;  /* when it is asked again at the latest; TIME_NEVER: serve_resume() alone does */
	int64_t since_ns; /* when the page was asked first for this request; 0: not yet */
	bool ended;       /* it is to go, and not to wait again */
};

struct serve {
	struct MHD_Daemon *daemon;
	int poll_fd; /* the library's epoll instance; borrowed */
	int listeners[SERVE_LISTEN_MAX];
	size_t listener_count;
	const struct serve_page *pages; /* borrowed */
	size_t page_count;
	void *context;
	const struct serve_guard *guard; /* borrowed, or NULL */
	struct served_tls *tls;          /* borrowed, or NULL: HTTP */
	struct slot slots[SERVE_CONNECTIONS_MAX];
	uint64_t order;
	int64_t now_ns;
	int64_t accept_at_ns; /* nothing is accepted before */
	bool pending;         /* the library has work that it need not wait for */
	size_t unsent;        /* bytes of replies */
};

/* A reply until the library has sent it. */
struct sent {
	struct serve *serve;
	char *body;
	size_t length;
};

/* Requests */

bool serve_has(const struct serve_request *request, const char *name)
{
	/* The connection is not const for the library, but it is only looked at. */
	struct MHD_Connection *connection = (struct MHD_Connection *)(uintptr_t)request->details;
	const char *value;
	size_t size;

	return MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &size) ==
		MHD_YES;
}

const char *serve_header(const struct serve_request *request, const char *name)
{
	struct MHD_Connection *connection = (struct MHD_Connection *)(uintptr_t)request->details;

	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

struct joined_fields {
	const char *name;
	char text[ACCEPT_SIZE];
	size_t length;
	bool given;
};

/* Joins the fields as RFC 9110, section 5.3, says; one that does not fit any more is not looked at. */
static enum MHD_Result join_field(void *closure, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct joined_fields *joined = closure;
	int length;

	(void)kind;
	if (value == NULL || strcasecmp(key, joined->name) != 0)
		return MHD_YES;
	joined->given = true;
	length = snprintf(joined->text + joined->length, sizeof joined->text - joined->length, "%s%s",
		joined->length > 0 ? "," : "", value);
	if ((size_t)length < sizeof joined->text - joined->length)
		joined->length += (size_t)length;
	joined->text[joined->length] = '\0';
	return MHD_YES;
}

/* All fields of that name in one, or NULL. */
static const char *join_fields(struct MHD_Connection *connection, const char *name, struct joined_fields *joined)
{
	*joined = (struct joined_fields){ .name = name };
	MHD_get_connection_values(connection, MHD_HEADER_KIND, join_field, joined);
	return joined->given ? joined->text : NULL;
}

static enum MHD_Result add_fields(struct MHD_Response *response, const struct serve_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i].value != NULL &&
			MHD_add_response_header(response, fields[i].name, fields[i].value) != MHD_YES)
			return MHD_NO;
	return MHD_YES;
}

/* Sends the response, and gives it back to the library whatever comes of it. */
static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response,
	const struct serve_field *fields, size_t count)
{
	static const struct serve_field always[] = {
		{ MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
		{ "X-Content-Type-Options", "nosniff" },
	};
	enum MHD_Result result = MHD_NO;

	if (response == NULL)
		return MHD_NO;
	if (add_fields(response, always, COUNT(always)) == MHD_YES && add_fields(response, fields, count) == MHD_YES)
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* An answer of one fixed sentence. It ends the connection: a body may follow, and nobody wants to read it. */
static enum MHD_Result refuse_with(struct MHD_Connection *connection, unsigned status, const char *sentence,
	const char *name, const char *const *values, size_t count)
{
	struct serve_field fields[2 + 3] = {
		{ MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8" },
		{ MHD_HTTP_HEADER_CONNECTION, "close" },
	};
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(sentence), (void *)(uintptr_t)sentence, MHD_RESPMEM_PERSISTENT);

	for (size_t i = 0; i < count; i++)
		fields[2 + i] = (struct serve_field){ name, values[i] };
	return queue(connection, status, response, fields, 2 + count);
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *sentence)
{
	return refuse_with(connection, status, sentence, NULL, NULL, 0);
}

/* Packs the body where the client takes that and it pays; where it does not, it stays as it is. */
static bool pack(struct MHD_Connection *connection, struct serve_reply *reply)
{
	struct joined_fields joined;
	size_t length;
	char *packed;

	if (reply->length < GZIP_FROM ||
		!negotiate_gzip(join_fields(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING, &joined)) ||
		gzip_compress(reply->body, reply->length, &packed, &length) < 0)
		return false;
	free(reply->body);
	reply->body = packed;
	reply->length = length;
	return true;
}

static void free_sent(void *closure)
{
	struct sent *sent = closure;

	sent->serve->unsent -= sent->length;
	free(sent->body);
	free(sent);
}

/* The body becomes the library's, which gives it back to free_sent() in the end. */
static struct MHD_Response *take_body(struct serve *serve, const struct serve_reply *reply)
{
	struct sent *sent = malloc(sizeof *sent);
	struct MHD_Response *response = NULL;

	if (sent != NULL)
		response = MHD_create_response_from_buffer_with_free_callback_cls(
			reply->length, reply->body, free_sent, sent);
	if (response == NULL) {
		free(sent);
		free(reply->body);
		return NULL;
	}
	*sent = (struct sent){ serve, reply->body, reply->length };
	serve->unsent += reply->length;
	return response;
}

/* The answer of a page. */
static enum MHD_Result send_reply(struct serve *serve, struct MHD_Connection *connection, struct serve_reply *reply)
{
	const bool packed = pack(connection, reply);
	const struct serve_field fields[] = {
		{ MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type },
		{ MHD_HTTP_HEADER_CONTENT_ENCODING, packed ? "gzip" : NULL },
		{ MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding" },
	};

	struct MHD_Response *response = take_body(serve, reply);

	if (response == NULL)
		return MHD_NO;
	if (add_fields(response, reply->fields, reply->field_count) != MHD_YES) {
		MHD_destroy_response(response);
		return MHD_NO;
	}
	return queue(connection, reply->status, response, fields, COUNT(fields));
}

/* The path of an origin-form or an absolute-form target (RFC 9112, section 3.2), without its query. */
static const char *path_of(const char *target)
{
	const char *path;

	if (strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0)
		return target;
	path = strchr(target + 8, '/'); /* no host is empty */
	return path != NULL ? path : "/";
}

static const struct serve_page *find_page(const struct serve *serve, const char *path)
{
	for (size_t i = 0; i < serve->page_count; i++)
		if (strcmp(serve->pages[i].path, path) == 0)
			return &serve->pages[i];
	return NULL;
}

/* A body is announced by either field (RFC 9112, section 6.3). No page wants one. */
static bool has_body(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (length != NULL && strcmp(length, "0") != 0) ||
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

static struct slot *slot_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

/* The library calls again once the connection is resumed. */
static enum MHD_Result wait_until(struct MHD_Connection *connection, struct slot *slot, int64_t until_ns)
{
	if (slot->ended)
		return MHD_NO;
	slot->waiting = connection;
	slot->wake_ns = until_ns;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

static enum MHD_Result answer(struct serve *serve, struct MHD_Connection *connection, const struct serve_page *page)
{
	struct joined_fields accept;
	struct serve_request request = { .path = page->path,
		.accept = join_fields(connection, MHD_HTTP_HEADER_ACCEPT, &accept),
		.details = connection };
	struct serve_reply reply = { .status = 0 };
	struct slot *slot = slot_of(connection);
	int r;

	if (slot == NULL)
		return MHD_NO;
	if (slot->since_ns == 0)
		slot->since_ns = serve->now_ns;
	request.since_ns = slot->since_ns;
	r = page->answer(serve->context, &request, &reply);
	if (r < 0)
		return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "internal error\n");
	if (r == SERVE_WAIT)
		return wait_until(connection, slot, reply.wait_until_ns);
	return send_reply(serve, connection, &reply);
}

/* The library asks again about a request that waited: it calls on_request() as if for the first time. */
static enum MHD_Result wait_for_guard(struct MHD_Connection *connection)
{
	struct slot *slot = slot_of(connection);

	return slot != NULL ? wait_until(connection, slot, TIME_NEVER) : MHD_NO;
}

static enum MHD_Result turn_away(const struct serve_guard *guard, struct MHD_Connection *connection)
{
	size_t count = 0;

	while (count < COUNT(guard->challenge) && guard->challenge[count] != NULL)
		count++;
	return refuse_with(connection, MHD_HTTP_UNAUTHORIZED, "unauthorized\n", MHD_HTTP_HEADER_WWW_AUTHENTICATE,
		guard->challenge, count);
}

static enum MHD_Result answer_if_permitted(
	struct serve *serve, struct MHD_Connection *connection, const struct serve_page *page)
{
	enum serve_permit permit = SERVE_PERMIT_YES;

	if (page->guarded && serve->guard != NULL)
		permit = serve->guard->permit(serve->guard->context,
			MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION));
	if (permit == SERVE_PERMIT_LATER)
		return wait_for_guard(connection);
	return permit == SERVE_PERMIT_YES ? answer(serve, connection, page) : turn_away(serve->guard, connection);
}

/* Called by the library once the head of a request is complete, and again for each piece of its body and at the end. A
 * response to the first call means that the rest is not wanted, and ends the connection: so it is for refusals. */
static enum MHD_Result on_request(void *closure, struct MHD_Connection *connection, const char *target,
	const char *method, const char *version, const char *upload, size_t *upload_size, void **request)
{
	static const char *const allowed[] = { "GET, HEAD" };
	struct serve *serve = closure;
	const struct serve_page *page = find_page(serve, path_of(target));

	(void)version;
	(void)upload;
	if (page == NULL)
		return refuse(connection, MHD_HTTP_NOT_FOUND, "not found\n");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse_with(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed\n",
			MHD_HTTP_HEADER_ALLOW, allowed, COUNT(allowed));
	if (has_body(connection) || *upload_size > 0)
		return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, "no request body is accepted\n");
	if (*request != NULL)
		return answer_if_permitted(serve, connection, page);
	*request = serve;
	return MHD_YES;
}

/* The target stays as it was sent: no page has a name that needs escapes, and "%00" must not end a string. */
static size_t keep_escapes(void *closure, struct MHD_Connection *connection, char *text)
{
	(void)closure;
	(void)connection;
	return strlen(text);
}

/* Connections */

static void renew(struct serve *serve, struct slot *slot)
{
	slot->deadline_ns = serve->now_ns + SERVE_TIMEOUT_NS;
	slot->order = serve->order++;
	slot->since_ns = 0;
}

static void on_completed(
	void *closure, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode code)
{
	struct slot *slot = slot_of(connection);

	(void)request;
	(void)code;
	if (slot != NULL)
		renew(closure, slot);
}

static struct slot *find_slot(struct serve *serve, int fd)
{
	for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++)
		if (serve->slots[i].used && serve->slots[i].fd == fd)
			return &serve->slots[i];
	return NULL;
}

static bool same_origin(const struct origin *one, const struct origin *other)
{
	return memcmp(one->bytes, other->bytes, sizeof one->bytes) == 0;
}

/* Counts the connections of an origin anew, after one of them came or went. */
static void count_peers(struct serve *serve, const struct origin *origin)
{
	struct slot *peers[SERVE_CONNECTIONS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++)
		if (serve->slots[i].used && same_origin(&serve->slots[i].origin, origin))
			peers[count++] = &serve->slots[i];
	for (size_t i = 0; i < count; i++)
		peers[i]->peers = count;
}

static void free_slot(struct serve *serve, struct slot *slot)
{
	slot->used = false;
	tls_drop(slot->tls); /* its session has ended before */
	slot->tls = NULL;
	count_peers(serve, &slot->origin);
}

static void start_tls(struct MHD_Connection *connection, const struct slot *slot)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	if (info != NULL)
		tls_use(slot->tls, info->tls_session);
}

static void on_connection(void *closure, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct slot *slot = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info = MHD_get_connection_info(
			connection, MHD_CONNECTION_INFO_CONNECTION_FD);

		slot = info == NULL ? NULL : find_slot(closure, info->connect_fd);
		if (slot != NULL && slot->tls != NULL)
			start_tls(connection, slot);
		*socket_context = slot;
	} else if (slot != NULL) {
		free_slot(closure, slot);
		*socket_context = NULL;
	}
}

static struct origin origin_of(const struct sockaddr_storage *address)
{
	struct origin origin = { { 0 } };

	if (address->ss_family == AF_INET6) {
		const struct in6_addr *ipv6 = &((const struct sockaddr_in6 *)address)->sin6_addr;

		memcpy(origin.bytes, ipv6, IN6_IS_ADDR_V4MAPPED(ipv6) ? 16 : 8);
	} else if (address->ss_family == AF_INET) {
		origin.bytes[10] = origin.bytes[11] = 0xff;
		memcpy(origin.bytes + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
	} else {
		memset(origin.bytes, 0xff, sizeof origin.bytes); /* a Unix socket: everybody is one */
	}
	return origin;
}

/* Who has to go so that a connection of this origin may come: the oldest of its own if it has its share, else, if
 * every place is taken, the oldest of the origin that has most. NULL: there is room. */
static struct slot *find_victim(struct serve *serve, const struct origin *origin)
{
	struct slot *own = NULL, *most = NULL;
	size_t used = 0;

	for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
		struct slot *slot = &serve->slots[i];

		if (!slot->used)
			continue;
		used++;
		if (same_origin(&slot->origin, origin) && (own == NULL || slot->order < own->order))
			own = slot;
		if (most == NULL || slot->peers > most->peers ||
			(slot->peers == most->peers && slot->order < most->order))
			most = slot;
	}
	if (own != NULL && own->peers >= SERVE_PER_ADDRESS_MAX)
		return own;
	return used == SERVE_CONNECTIONS_MAX ? most : NULL;
}

static void run_library(struct serve *serve)
{
	MHD_run(serve->daemon);
}

/* The time to read the reply begins now: the waiting for a page was not the client's. */
static void resume(struct serve *serve, struct slot *slot)
{
	if (slot->waiting == NULL)
		return;
	MHD_resume_connection(slot->waiting);
	slot->waiting = NULL;
	if (slot->wake_ns != TIME_NEVER)
		slot->deadline_ns = serve->now_ns + SERVE_TIMEOUT_NS;
}

/* Ends a connection: the library sees the end of its input, and closes it when it runs. */
static void end_connection(struct serve *serve, struct slot *slot)
{
	slot->ended = true;
	shutdown(slot->fd, SHUT_RDWR);
	resume(serve, slot);
}

static struct slot *make_place(struct serve *serve, const struct origin *origin)
{
	struct slot *victim = find_victim(serve, origin);

	if (victim != NULL) {
		end_connection(serve, victim);
		run_library(serve);
	}
	for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++)
		if (!serve->slots[i].used)
			return &serve->slots[i];
	return NULL;
}

/* Takes one connection, if there is one. Returns 0 or -errno. */
static int accept_one(struct serve *serve, int listener)
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t length = sizeof address;
	cleanup_close int fd = accept4(listener, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct tls *tls = NULL;
	struct origin origin;
	struct slot *slot;
	int client;

	if (fd < 0)
		return -errno;
	origin = origin_of(&address);
	if (serve->tls != NULL && (tls = served_tls_take(serve->tls, serve->now_ns)) == NULL)
		return 0; /* what is to be said in secret is not said otherwise */
	slot = make_place(serve, &origin);
	if (slot == NULL) {
		tls_drop(tls);
		return 0;
	}
	client = take_fd(&fd); /* the library closes it, also where it refuses it */
	*slot = (struct slot){ .used = true, .fd = client, .tls = tls, .origin = origin };
	renew(serve, slot);
	count_peers(serve, &slot->origin);
	if (MHD_add_connection(serve->daemon, client, (struct sockaddr *)&address, length) != MHD_YES)
		free_slot(serve, slot);
	return 0;
}

/* Returns true if there may be more to accept. */
static bool accept_batch(struct serve *serve, int listener)
{
	for (size_t i = 0; i < ACCEPT_BATCH; i++) {
		int error = accept_one(serve, listener);

		if (error == -EAGAIN)
			return false;
		if (error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM) {
			/* The listener stays readable: without a pause, the owner's loop would spin. */
			serve->accept_at_ns = serve->now_ns + ACCEPT_PAUSE_NS;
			return false;
		}
		/* Others are the errors of a connection that is gone before it was accepted (accept(2)). */
	}
	return true;
}

static bool accept_all(struct serve *serve)
{
	bool more = false;

	for (size_t i = 0; i < serve->listener_count && serve->now_ns >= serve->accept_at_ns; i++)
		more |= accept_batch(serve, serve->listeners[i]);
	return more;
}

/* The library's own timeout begins anew with every byte: one byte every nine seconds would hold a connection for ever.
 */
static void end_overdue(struct serve *serve)
{
	for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
		struct slot *slot = &serve->slots[i];

		if (slot->used && slot->waiting != NULL && slot->wake_ns <= serve->now_ns)
			resume(serve, slot);
		if (slot->used && (slot->waiting == NULL || slot->wake_ns == TIME_NEVER) &&
			slot->deadline_ns <= serve->now_ns)
			end_connection(serve, slot);
	}
}

void serve_set_guard(struct serve *serve, const struct serve_guard *guard)
{
	serve->guard = guard;
}

void serve_run(struct serve *serve, int64_t now_ns)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;
	bool more = true;

	serve->now_ns = now_ns;
	end_overdue(serve);
	for (size_t round = 0; more && round < ACCEPT_ROUNDS; round++) {
		more = accept_all(serve);
		run_library(serve);
	}
	serve->pending = MHD_get_timeout(serve->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0;
}

size_t serve_pollfds(const struct serve *serve, struct pollfd ret_fds[static SERVE_POLLFDS_MAX])
{
	bool paused = serve->accept_at_ns > serve->now_ns;

	ret_fds[0] = (struct pollfd){ .fd = serve->poll_fd, .events = POLLIN };
	for (size_t i = 0; i < serve->listener_count; i++)
		ret_fds[i + 1] = (struct pollfd){ .fd = paused ? -1 : serve->listeners[i], .events = POLLIN };
	return serve->listener_count + 1;
}

int64_t serve_deadline_ns(const struct serve *serve)
{
	int64_t deadline = serve->accept_at_ns > serve->now_ns ? serve->accept_at_ns : TIME_NEVER;

	if (serve->pending)
		return serve->now_ns;
	for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
		const struct slot *slot = &serve->slots[i];
		const int64_t due = slot->waiting != NULL ? slot->wake_ns : slot->deadline_ns;

		if (slot->used && due < deadline)
			deadline = due;
	}
	return deadline;
}

void serve_resume(struct serve *serve)
{
	for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++)
		if (serve->slots[i].used)
			resume(serve, &serve->slots[i]);
}

size_t serve_waiting(const struct serve *serve)
{
	size_t count = 0;

	for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++)
		count += serve->slots[i].used && serve->slots[i].waiting != NULL;
	return count;
}

size_t serve_unsent(const struct serve *serve)
{
	return serve->unsent;
}

static int start_library(struct serve *serve)
{
	const struct MHD_OptionItem secret[] = {
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
		{ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)tls_no_certificate() },
		{ MHD_OPTION_END, 0, NULL },
	};
	const unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
	const union MHD_DaemonInfo *info;

	/* The library's own timeout stays off: end_overdue() does better. */
	serve->daemon = MHD_start_daemon(serve->tls != NULL ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, on_request,
		serve, MHD_OPTION_CONNECTION_LIMIT, (unsigned)SERVE_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)SERVE_HEADER_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes,
		NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, serve, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
		serve, serve->tls != NULL ? MHD_OPTION_ARRAY : MHD_OPTION_END, secret, MHD_OPTION_END);
	if (serve->daemon == NULL)
		return errno > 0 ? -errno : -EIO;
	info = MHD_get_daemon_info(serve->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL || info->epoll_fd < 0)
		return -EIO;
	serve->poll_fd = info->epoll_fd;
	return 0;
}

int serve_open(const int *fds, size_t count, const struct serve_page *pages, size_t page_count, void *context,
	struct served_tls *tls, struct serve **ret_serve, struct complaint *ret_why)
{
	struct serve *serve;
	int error;

	if (count == 0 || count > SERVE_LISTEN_MAX)
		return complain(
			ret_why, EINVAL, "the HTTP server takes 1 to %d addresses, not %zu", SERVE_LISTEN_MAX, count);
	serve = calloc(1, sizeof *serve);
	if (serve == NULL)
		return complain(ret_why, ENOMEM, "the HTTP server cannot start: out of memory");
	serve->pages = pages;
	serve->page_count = page_count;
	serve->context = context;
	serve->tls = tls;
	error = start_library(serve);
	if (error < 0) {
		serve_close(serve);
		return complain(ret_why, -error, "the HTTP server cannot start: %s", strerror(-error));
	}
	memcpy(serve->listeners, fds, count * sizeof *fds);
	serve->listener_count = count; /* from here on they are the server's */
	*ret_serve = serve;
	return 0;
}

void serve_close(struct serve *serve)
{
	if (serve == NULL)
		return;
	serve_resume(serve); /* the library asks for it */
	if (serve->daemon != NULL)
		MHD_stop_daemon(serve->daemon);
	for (size_t i = 0; i < serve->listener_count; i++)
		close(serve->listeners[i]);
	free(serve);
}
