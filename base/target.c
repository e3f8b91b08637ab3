#include "base/target.h"

#include "base/duration.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LABEL_MAX 63 /* RFC 1035 section 2.3.4 */
#define NAME_MAX_DNS 253
#define KNOWN_FORMS                                                                                                    \
	"http://HOST[:PORT][/PATH], http+unix:SOCKET:/PATH, tcp://HOST:PORT, unix:SOCKET, file:PATH[?max_age=T], "     \
	"exec:COMMAND and notify"

/* A piece of the text that is being parsed. */
struct span {
	const char *start;
	size_t length;
};

/* Arguments of a "%.*s" that shows the piece; one line of a log holds only so much of it. */
#define SHOW(piece) (int)((piece).length > 160 ? 160 : (piece).length), (piece).start

static struct span span_of(const char *text)
{
	return (struct span){ text, strlen(text) };
}

static struct span span_from(struct span piece, size_t at)
{
	return (struct span){ piece.start + at, piece.length - at };
}

static struct span span_until(struct span piece, size_t end)
{
	return (struct span){ piece.start, end };
}

/* Index of the first byte that is one of `set`, or the length. */
static size_t span_find(struct span piece, const char *set)
{
	size_t i;

	for (i = 0; i < piece.length; i++)
		if (strchr(set, piece.start[i]) != NULL)
			break;
	return i;
}

static void span_copy(struct span piece, char *ret_text)
{
	memcpy(ret_text, piece.start, piece.length);
	ret_text[piece.length] = '\0';
}

/* Control bytes have no place in an address, a path or a log line, and CR LF would write header fields. */
static int check_bytes(const char *text, struct complaint *ret_why)
{
	size_t i;

	for (i = 0; text[i] != '\0'; i++)
		if (iscntrl((unsigned char)text[i]))
			return complain(ret_why, EINVAL, "target has the control byte 0x%02x at character %zu",
				(unsigned char)text[i], i + 1);
	return 0;
}

/* 1 to 65535, digits only. */
static int parse_port(struct span text, uint16_t *ret_port, struct complaint *ret_why)
{
	unsigned port = 0;
	size_t i;

	for (i = 0; i < text.length && i < 6; i++) {
		if (!isdigit((unsigned char)text.start[i]))
			break;
		port = port * 10 + (unsigned)(text.start[i] - '0');
	}
	if (i != text.length || i == 0 || port < 1 || port > UINT16_MAX)
		return complain(ret_why, EINVAL, "port \"%.*s\" is not a number from 1 to 65535", SHOW(text));
	*ret_port = (uint16_t)port;
	return 0;
}

/* "[ADDRESS]". The zone of a link-local address (RFC 6874) would need a look at the interfaces. */
static int parse_ipv6(struct span text, char *ret_host, struct complaint *ret_why)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr binary;

	if (text.length - 2 < sizeof address) {
		span_copy((struct span){ text.start + 1, text.length - 2 }, address);
		if (inet_pton(AF_INET6, address, &binary) == 1) {
			strcpy(ret_host, address);
			return 0;
		}
	}
	return complain(ret_why, EINVAL, "\"%.*s\" is not an IPv6 address%s", SHOW(text),
		span_find(text, "%") < text.length ? " (zones are not supported)" : "");
}

/* Labels of letters, digits, '-' and '_' (Compose's names have it), 63 bytes each; a dot at the end is fine. */
static bool is_host_name(struct span text)
{
	size_t i, label = 0;

	if (text.length > 1 && text.start[text.length - 1] == '.')
		text.length--;
	if (text.length == 0 || text.length > NAME_MAX_DNS)
		return false;
	for (i = 0; i < text.length; i++) {
		unsigned char byte = (unsigned char)text.start[i];

		if (byte == '.' && label == 0)
			return false;
		if (byte != '.' && byte != '-' && byte != '_' && !(byte < 0x80 && isalnum(byte)))
			return false;
		label = byte == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
	}
	return label > 0;
}

/* What ends in a number is an IPv4 address or a mistake: inet_aton(3) would take "127.1" and "0177.0.0.1" for one. */
static bool ends_in_number(struct span text)
{
	size_t start, i;

	if (text.start[text.length - 1] == '.')
		text.length--;
	start = text.length;
	while (start > 0 && text.start[start - 1] != '.')
		start--;
	if (text.length - start > 2 && strncasecmp(text.start + start, "0x", 2) == 0)
		return true;
	for (i = start; i < text.length; i++)
		if (!isdigit((unsigned char)text.start[i]))
			return false;
	return true;
}

static int parse_host(struct span text, char *ret_host, struct complaint *ret_why)
{
	char host[TARGET_HOST_SIZE];
	struct in_addr binary;

	if (text.length == 0)
		return complain(ret_why, EINVAL, "the host is missing");
	if (text.start[0] == '[')
		return parse_ipv6(text, ret_host, ret_why);
	if (!is_host_name(text))
		return complain(ret_why, EINVAL, "\"%.*s\" is not a host name", SHOW(text));
	span_copy(text, host);
	if (ends_in_number(text) && inet_pton(AF_INET, host, &binary) != 1)
		return complain(
			ret_why, EINVAL, "\"%.*s\" is not an IPv4 address (four numbers from 0 to 255)", SHOW(text));
	strcpy(ret_host, host);
	return 0;
}

/* HOST[:PORT]; default_port 0: the port must be there. */
static int parse_authority(
	struct span text, uint16_t default_port, struct target *ret_target, struct complaint *ret_why)
{
	size_t end = span_find(text, ":");

	if (text.length > 0 && text.start[0] == '[') {
		end = span_find(text, "]");
		if (end == text.length)
			return complain(ret_why, EINVAL, "\"%.*s\" has no closing bracket", SHOW(text));
		end++;
	} else if (end < text.length && span_find(span_from(text, end + 1), ":") < text.length - end - 1) {
		return complain(ret_why, EINVAL,
			"\"%.*s\" has more than one colon: an IPv6 address is written in brackets, [::1]:4000",
			SHOW(text));
	}
	if (end < text.length && text.start[end] != ':')
		return complain(ret_why, EINVAL, "\"%.*s\" goes on behind the bracket without a colon", SHOW(text));
	if (end == text.length && default_port == 0)
		return complain(ret_why, EINVAL, "\"%.*s\" has no port: tcp://HOST:PORT", SHOW(text));
	if (end < text.length) {
		int r = parse_port(span_from(text, end + 1), &ret_target->port, ret_why);

		if (r < 0)
			return r;
	} else {
		ret_target->port = default_port;
	}
	return parse_host(span_until(text, end), ret_target->host, ret_why);
}

/* A request target in origin form (RFC 9112 section 3.2.1): visible ASCII, for everything else is percent-encoded. */
static int parse_request_path(struct span text, struct target *ret_target, struct complaint *ret_why)
{
	size_t i;

	for (i = 0; i < text.length; i++) {
		unsigned char byte = (unsigned char)text.start[i];

		if (byte == '#')
			return complain(ret_why, EINVAL,
				"path \"%.*s\" has a fragment (#), which is never sent to a server", SHOW(text));
		if (byte <= ' ' || byte >= 0x7f)
			return complain(ret_why, EINVAL,
				"path \"%.*s\" has a byte at character %zu that must be percent-encoded (%%%02X)",
				SHOW(text), i + 1, byte);
	}
	if (text.length == 0 || text.start[0] != '/')
		return complain(ret_why, EINVAL, "path \"%.*s\" does not begin with /", SHOW(text));
	if (text.length >= sizeof ret_target->path)
		return complain(ret_why, EINVAL, "the path is longer than %zu bytes", sizeof ret_target->path - 1);
	span_copy(text, ret_target->path);
	return 0;
}

/* An absolute path: a relative one would depend on whose working directory counts. `what` names it in the complaint.
 * "///x" is "/x", so that file:///x and unix:///x are what people mean by them (RFC 8089); a host is refused. */
static int parse_file_path(struct span text, const char *what, size_t size, char *ret_path, struct complaint *ret_why)
{
	if (text.length > 2 && memcmp(text.start, "//", 2) == 0) {
		if (text.start[2] != '/')
			return complain(ret_why, EINVAL, "%s \"%.*s\" is on another host", what, SHOW(text));
		text = span_from(text, 2);
	}
	if (text.length == 0)
		return complain(ret_why, EINVAL, "the path of the %s is missing", what);
	if (text.start[0] != '/')
		return complain(ret_why, EINVAL, "%s \"%.*s\" is not an absolute path", what, SHOW(text));
	if (text.length >= size)
		return complain(ret_why, EINVAL, "the path of the %s is longer than %zu bytes", what, size - 1);
	span_copy(text, ret_path);
	return 0;
}

static int parse_http(struct span rest, struct target *ret_target, struct complaint *ret_why)
{
	size_t end = span_find(rest, "/?#");
	int r = parse_authority(span_until(rest, end), 80, ret_target, ret_why);

	if (r < 0)
		return r;
	return parse_request_path(end == rest.length ? span_of("/") : span_from(rest, end), ret_target, ret_why);
}

static int parse_http_unix(struct span rest, struct target *ret_target, struct complaint *ret_why)
{
	size_t end = 0;
	int r;

	while (end + 1 < rest.length && (rest.start[end] != ':' || rest.start[end + 1] != '/'))
		end++;
	if (end + 1 >= rest.length)
		return complain(
			ret_why, EINVAL, "\"%.*s\" has no path behind the socket: http+unix:SOCKET:/PATH", SHOW(rest));
	r = parse_file_path(span_until(rest, end), "socket", sizeof ret_target->socket, ret_target->socket, ret_why);
	if (r < 0)
		return r;
	return parse_request_path(span_from(rest, end + 1), ret_target, ret_why);
}

static int parse_tcp(struct span rest, struct target *ret_target, struct complaint *ret_why)
{
	size_t end = span_find(rest, "/?#");

	if (end < rest.length)
		return complain(ret_why, EINVAL, "\"%.*s\" has a path: tcp://HOST:PORT has none", SHOW(rest));
	return parse_authority(rest, 0, ret_target, ret_why);
}

static int parse_unix(struct span rest, struct target *ret_target, struct complaint *ret_why)
{
	return parse_file_path(rest, "socket", sizeof ret_target->socket, ret_target->socket, ret_why);
}

static int parse_max_age(struct span query, int64_t *ret_ns, struct complaint *ret_why)
{
	static const char key[] = "max_age=";
	const size_t key_length = sizeof key - 1;
	int64_t age;

	if (query.length < key_length || memcmp(query.start, key, key_length) != 0)
		return complain(ret_why, EINVAL, "\"?%.*s\" is not understood: a file takes ?max_age=T", SHOW(query));
	/* The query is the end of the text, so the rest of it is a string. */
	if (duration_parse(query.start + key_length, &age) < 0 || age == 0)
		return complain(ret_why, EINVAL, "max_age \"%.*s\" is not a duration above zero (30s, 1m30s)",
			SHOW(span_from(query, key_length)));
	*ret_ns = age;
	return 0;
}

static int parse_file(struct span rest, struct target *ret_target, struct complaint *ret_why)
{
	size_t end = span_find(rest, "?");
	int r = parse_file_path(span_until(rest, end), "file", sizeof ret_target->path, ret_target->path, ret_why);

	if (r < 0 || end == rest.length)
		return r;
	return parse_max_age(span_from(rest, end + 1), &ret_target->max_age_ns, ret_why);
}

static int parse_exec(struct span rest, struct target *ret_target, struct complaint *ret_why)
{
	(void)ret_target;
	if (rest.length == 0 || rest.start[0] == ' ')
		return complain(ret_why, EINVAL, "exec: names no command: exec:COMMAND ARG...");
	return 0;
}

static const struct scheme {
	const char *prefix;
	enum target_kind kind;
	bool host; /* HOST follows: user info may be tried */
	int (*parse)(struct span rest, struct target *ret_target, struct complaint *ret_why);
	const char *refusal; /* instead of parse */
} schemes[] = {
	{ "http://", TARGET_HTTP, true, parse_http, NULL },
	{ "http+unix:", TARGET_HTTP_UNIX, false, parse_http_unix, NULL },
	{ "tcp://", TARGET_TCP, true, parse_tcp, NULL },
	{ "unix:", TARGET_UNIX, false, parse_unix, NULL },
	{ "file:", TARGET_FILE, false, parse_file, NULL },
	{ "https:", TARGET_KIND_COUNT, true, NULL,
		"https is not supported: check the service's plain port, or with tcp:// whether the port answers" },
	{ "http:", TARGET_KIND_COUNT, true, NULL, "http: is followed by //: http://HOST[:PORT][/PATH]" },
	{ "tcp:", TARGET_KIND_COUNT, true, NULL, "tcp: is followed by //: tcp://HOST:PORT" },
	{ "exec:", TARGET_EXEC, false, parse_exec, NULL },
};

static const struct scheme *find_scheme(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (strncasecmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
			return &schemes[i];
	return NULL;
}

/* "user:password@host". The sentence does not quote it: it ends in a log. */
static bool has_user_info(struct span rest)
{
	size_t end;

	while (rest.length > 0 && rest.start[0] == '/')
		rest = span_from(rest, 1);
	end = span_find(rest, "/?#");
	return span_find(span_until(rest, end), "@") < end;
}

static int refuse_unknown(const char *text, struct complaint *ret_why)
{
	struct span shown = span_of(text);

	if (strncmp(text, "notify:", 7) == 0)
		return complain(ret_why, EINVAL, "notify takes nothing behind it");
	if (*text == '\0')
		return complain(ret_why, EINVAL, "the target is empty; known are " KNOWN_FORMS);
	if (span_find(shown, "@") < shown.length) /* a password may stand before it, and this ends in a log */
		return complain(ret_why, EINVAL, "target of an unknown form; known are " KNOWN_FORMS);
	return complain(ret_why, EINVAL, "target \"%.*s\" is of an unknown form; known are " KNOWN_FORMS, SHOW(shown));
}

int target_parse(const char *text, struct target *ret_target, struct complaint *ret_why)
{
	const struct scheme *scheme;
	struct target target = { 0 };
	struct span rest;
	int r = check_bytes(text, ret_why);

	if (r < 0)
		return r;
	if (strcmp(text, "notify") == 0) {
		*ret_target = (struct target){ .kind = TARGET_NOTIFY };
		return 0;
	}
	scheme = find_scheme(text);
	if (scheme == NULL)
		return refuse_unknown(text, ret_why);
	rest = span_from(span_of(text), strlen(scheme->prefix));
	if (scheme->host && has_user_info(rest))
		return complain(ret_why, EINVAL, "target has user info before an @, which is not supported");
	if (scheme->parse == NULL)
		return complain(ret_why, EINVAL, "%s", scheme->refusal);
	target.kind = scheme->kind;
	r = scheme->parse(rest, &target, ret_why);
	if (r < 0)
		return r;
	*ret_target = target;
	return 0;
}
