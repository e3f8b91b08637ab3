#include "health/http_head.h"

#include "base/version.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Where the reader is: what the next byte belongs to. */
enum step {
	STEP_VERSION,      /* "HTTP/1." */
	STEP_MINOR,        /* one digit */
	STEP_BLANK,        /* the blank behind the version */
	STEP_STATUS,       /* three digits */
	STEP_AFTER_STATUS, /* blank and phrase, or the end of the line: many leave the blank out */
	STEP_PHRASE,
	STEP_STATUS_FEED, /* behind the CR of the status line */
	STEP_FIRST_LINE,  /* the first byte of the first field, or of the empty line */
	STEP_LINE,        /* the same further down, where it may go on with the line before */
	STEP_FIELD_FEED,  /* behind the CR of a field */
	STEP_NAME,
	STEP_VALUE,
	STEP_LAST_FEED, /* behind the CR of the empty line */
	STEP_COUNT,
};

/* What a byte does: the step that comes next, or one of these. */
enum {
	BYTE_REFUSED = -1,
	HEAD_ENDS = -2,
};

static const char version_start[] = "HTTP/1.";

/* tchar of RFC 9110 section 5.6.2. */
static bool is_token(unsigned char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
		(byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

/* Visible, blank, tab, or above ASCII: what a phrase or a value is made of (RFC 9110 section 5.5). */
static bool is_text(unsigned char byte)
{
	return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

static int on_version(struct http_head *head, unsigned char byte)
{
	if (byte != (unsigned char)version_start[head->matched])
		return BYTE_REFUSED;
	if (version_start[++head->matched] != '\0')
		return STEP_VERSION;
	head->matched = 0;
	return STEP_MINOR;
}

static int on_minor(struct http_head *head, unsigned char byte)
{
	(void)head;
	return byte >= '0' && byte <= '9' ? STEP_BLANK : BYTE_REFUSED;
}

static int on_blank(struct http_head *head, unsigned char byte)
{
	head->status = 0;
	return byte == ' ' ? STEP_STATUS : BYTE_REFUSED;
}

static int on_status(struct http_head *head, unsigned char byte)
{
	if (byte < '0' || byte > '9')
		return BYTE_REFUSED;
	head->status = (uint16_t)(head->status * 10 + (byte - '0'));
	if (++head->matched < 3)
		return STEP_STATUS;
	head->matched = 0;
	return head->status >= 100 ? STEP_AFTER_STATUS : BYTE_REFUSED;
}

/* Keeps a byte of the current field, in lower case. */
static void keep(struct http_head *head, unsigned char byte)
{
	if (head->field_size < HTTP_FIELD_SIZE)
		head->field[head->field_size++] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 'a' - 'A' : byte);
}

/* The value of the field that was kept, without blanks around it; NULL if it has another name. */
static const char *value_of(const struct http_head *head, const char *name, size_t *ret_length)
{
	const size_t name_length = strlen(name);
	const char *start = head->field + name_length, *end = head->field + head->field_size;

	if (head->field_size < name_length || memcmp(head->field, name, name_length) != 0)
		return NULL;
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	while (start < end && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*ret_length = (size_t)(end - start);
	return start;
}

static void take_length(struct http_head *head, const char *value, size_t size)
{
	uint64_t length = 0;

	head->bad_length |= size == 0 || size > 18; /* digits that fit into 64 bits */
	for (; size > 0; size--, value++) {
		head->bad_length |= *value < '0' || *value > '9';
		length = length * 10 + (uint64_t)(*value - '0');
	}
	head->bad_length |= head->has_length && head->length != length;
	head->has_length = true;
	head->length = length;
}

static void take_coding(struct http_head *head, const char *value, size_t size)
{
	static const char chunked[] = "chunked";
	const size_t length = sizeof chunked - 1;

	head->coded = true;
	head->bad_length |= head->field_size == HTTP_FIELD_SIZE;
	head->chunked = size >= length && memcmp(value + size - length, chunked, length) == 0 &&
		(size == length || strchr(", \t", value[size - length - 1]) != NULL);
}

/* Only the line behind it shows that a field is over. */
static void end_field(struct http_head *head)
{
	const char *value;
	static const char openmetrics[] = "application/openmetrics-text";
	size_t size;

	if ((value = value_of(head, "content-type:", &size)) != NULL)
		head->openmetrics = size >= strlen(openmetrics) && memcmp(value, openmetrics, strlen(openmetrics)) == 0;
	else if ((value = value_of(head, "content-length:", &size)) != NULL)
		take_length(head, value, size);
	else if ((value = value_of(head, "transfer-encoding:", &size)) != NULL)
		take_coding(head, value, size);
	head->field_size = 0;
}

/* A lone LF ends a line too (RFC 9112 section 2.2); a lone CR is refused. */
static int on_phrase(struct http_head *head, unsigned char byte)
{
	(void)head;
	if (byte == '\n')
		return STEP_FIRST_LINE;
	if (byte == '\r')
		return STEP_STATUS_FEED;
	return is_text(byte) ? STEP_PHRASE : BYTE_REFUSED;
}

static int on_after_status(struct http_head *head, unsigned char byte)
{
	return byte == ' ' || byte == '\r' || byte == '\n' ? on_phrase(head, byte) : BYTE_REFUSED;
}

static int on_status_feed(struct http_head *head, unsigned char byte)
{
	(void)head;
	return byte == '\n' ? STEP_FIRST_LINE : BYTE_REFUSED;
}

static int on_field_feed(struct http_head *head, unsigned char byte)
{
	(void)head;
	return byte == '\n' ? STEP_LINE : BYTE_REFUSED;
}

static int on_first_line(struct http_head *head, unsigned char byte)
{
	end_field(head);
	if (byte == '\n')
		return HEAD_ENDS;
	if (byte == '\r')
		return STEP_LAST_FEED;
	keep(head, byte);
	return is_token(byte) ? STEP_NAME : BYTE_REFUSED;
}

/* A line that begins with a blank goes on with the value before it (obs-fold, RFC 9112 section 5.2). */
static int on_line(struct http_head *head, unsigned char byte)
{
	return byte == ' ' || byte == '\t' ? STEP_VALUE : on_first_line(head, byte);
}

static int on_name(struct http_head *head, unsigned char byte)
{
	keep(head, byte);
	if (byte == ':')
		return STEP_VALUE;
	return is_token(byte) ? STEP_NAME : BYTE_REFUSED;
}

static int on_value(struct http_head *head, unsigned char byte)
{
	if (byte == '\n')
		return STEP_LINE;
	if (byte == '\r')
		return STEP_FIELD_FEED;
	keep(head, byte);
	return is_text(byte) ? STEP_VALUE : BYTE_REFUSED;
}

static int on_last_feed(struct http_head *head, unsigned char byte)
{
	(void)head;
	return byte == '\n' ? HEAD_ENDS : BYTE_REFUSED;
}

static int (*const on_byte[])(struct http_head *head, unsigned char byte) = {
	[STEP_VERSION] = on_version,
	[STEP_MINOR] = on_minor,
	[STEP_BLANK] = on_blank,
	[STEP_STATUS] = on_status,
	[STEP_AFTER_STATUS] = on_after_status,
	[STEP_PHRASE] = on_phrase,
	[STEP_STATUS_FEED] = on_status_feed,
	[STEP_FIRST_LINE] = on_first_line,
	[STEP_LINE] = on_line,
	[STEP_FIELD_FEED] = on_field_feed,
	[STEP_NAME] = on_name,
	[STEP_VALUE] = on_value,
	[STEP_LAST_FEED] = on_last_feed,
};
static_assert(sizeof on_byte / sizeof on_byte[0] == STEP_COUNT, "a function for every step");

static bool is_interim(unsigned status)
{
	return status < 200 && status != 101;
}

static enum http_head_result take(struct http_head *head, unsigned char byte)
{
	int next;

	if (head->size == HTTP_HEAD_MAX)
		return HTTP_HEAD_TOO_LARGE;
	next = on_byte[head->step](head, byte);
	if (next == BYTE_REFUSED)
		return HTTP_HEAD_MALFORMED;
	head->size++;
	if (next == HEAD_ENDS) {
		if (!is_interim(head->status))
			return HTTP_HEAD_COMPLETE;
		*head = (struct http_head){ .step = STEP_VERSION, .size = head->size };
		return HTTP_HEAD_NEED_MORE;
	}
	head->step = (uint8_t)next;
	return HTTP_HEAD_NEED_MORE;
}

void http_head_init(struct http_head *head)
{
	*head = (struct http_head){ 0 };
}

enum http_head_result http_head_feed(struct http_head *head, const void *bytes, size_t length)
{
	const unsigned char *next = bytes;

	for (; length > 0 && head->result == HTTP_HEAD_NEED_MORE; length--)
		head->result = (uint8_t)take(head, *next++);
	return head->result;
}

static const struct phrase {
	uint16_t status;
	char text[32]; /* an array: a static PIE relocates every pointer when it starts */
} phrases[] = {
	/* IANA's registry of HTTP status codes */
	{ 101, "Switching Protocols" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 203, "Non-Authoritative Information" },
	{ 204, "No Content" },
	{ 205, "Reset Content" },
	{ 206, "Partial Content" },
	{ 207, "Multi-Status" },
	{ 208, "Already Reported" },
	{ 226, "IM Used" },
	{ 300, "Multiple Choices" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 305, "Use Proxy" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 407, "Proxy Authentication Required" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 423, "Locked" },
	{ 424, "Failed Dependency" },
	{ 425, "Too Early" },
	{ 426, "Upgrade Required" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 451, "Unavailable For Legal Reasons" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 506, "Variant Also Negotiates" },
	{ 507, "Insufficient Storage" },
	{ 508, "Loop Detected" },
	{ 511, "Network Authentication Required" },
};

const char *http_status_phrase(unsigned status)
{
	size_t i;

	for (i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
		if (phrases[i].status == status)
			return phrases[i].text;
	return "";
}

/* The Host field (RFC 9110 section 7.2): brackets around IPv6, the port unless it is http's own. A Unix socket has no
 * name: "localhost", as curl says. */
static void format_host(const struct target *target, char *ret_text, size_t size)
{
	const bool ipv6 = strchr(target->host, ':') != NULL;

	if (target->kind == TARGET_HTTP_UNIX)
		snprintf(ret_text, size, "localhost");
	else if (target->port == 80)
		snprintf(ret_text, size, ipv6 ? "[%s]" : "%s", target->host);
	else
		snprintf(ret_text, size, ipv6 ? "[%s]:%u" : "%s:%u", target->host, target->port);
}

static bool has_header(const struct exchange *exchange, const char *name)
{
	const size_t length = strlen(name);

	for (size_t i = 0; i < exchange->header_count; i++)
		if (strncasecmp(exchange->header[i], name, length) == 0 && exchange->header[i][length] == ':')
			return true;
	return false;
}

/* A text that grows as snprintf(3) counts: beyond the end of the buffer nothing is written. */
struct request {
	char text[HTTP_REQUEST_SIZE];
	size_t length;
};

static void __attribute__((format(printf, 2, 3))) add(struct request *request, const char *format, ...)
{
	const size_t at = request->length < sizeof request->text ? request->length : sizeof request->text;
	va_list args;

	va_start(args, format);
	request->length += (size_t)vsnprintf(request->text + at, sizeof request->text - at, format, args);
	va_end(args);
}

/* What is said of the check itself stands in the place of ours; a method that usually has a body says how long it is,
 * also where it has none (RFC 9110 section 8.6). */
static void add_headers(struct request *request, const struct target *target, const struct exchange *exchange)
{
	char host[TARGET_HOST_SIZE + sizeof "[]:65535"];

	format_host(target, host, sizeof host);
	if (!has_header(exchange, "Host"))
		add(request, "Host: %s\r\n", host);
	if (!has_header(exchange, "User-Agent"))
		add(request, "User-Agent: nest-init/" NEST_INIT_VERSION "\r\n");
	if (!has_header(exchange, "Accept"))
		add(request, "Accept: */*\r\n");
	for (size_t i = 0; i < exchange->header_count; i++) {
		const char *colon = strchr(exchange->header[i], ':');

		add(request, "%.*s: %s\r\n", (int)(colon - exchange->header[i]), exchange->header[i],
			colon + 1 + strspn(colon + 1, " \t"));
	}
	if (exchange->method != NULL && exchange->method[0] == 'P') /* POST, PUT, PATCH */
		add(request, "Content-Length: %zu\r\n", exchange->content != NULL ? strlen(exchange->content) : 0);
	add(request, "Connection: close\r\n\r\n");
}

int http_request(const struct target *target, const struct exchange *exchange, char *ret_bytes, size_t size)
{
	struct request request = { .length = 0 };

	add(&request, "%s %s HTTP/1.1\r\n", exchange->method != NULL ? exchange->method : "GET", target->path);
	add_headers(&request, target, exchange);
	if (request.length >= sizeof request.text || request.length > size)
		return -ENOSPC;
	memcpy(ret_bytes, request.text, request.length);
	return (int)request.length;
}
