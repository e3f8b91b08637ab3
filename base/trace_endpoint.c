#include "base/trace_endpoint.h"

#include "base/attributes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TRACES_PATH "/v1/traces"
#define DEFAULT_BASE "http://localhost:4318"

const char *trace_variable(char *const *env, const char *name)
{
	const size_t length = strlen(name);

	for (; *env != NULL; env++)
		if (strncmp(*env, name, length) == 0 && (*env)[length] == '=' && (*env)[length + 1] != '\0')
			return *env + length + 1;
	return NULL;
}

/* What is said of traces alone wins over what is said of all signals; *ret_name is the one that counts. */
static const char *either_variable(char *const *env, const char *suffix, char ret_name[static 48])
{
	static const char prefixes[][32] = { "OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_" };
	const char *value = NULL;

	for (size_t i = 0; value == NULL && i < 2; i++) {
		snprintf(ret_name, 48, "%s%s", prefixes[i], suffix);
		value = trace_variable(env, ret_name);
	}
	return value;
}

static int parse_target(const char *text, struct target *ret_target, struct complaint *ret_why)
{
	struct complaint plain;
	int r;

	if (strncasecmp(text, "https:", 6) == 0)
		return complain(ret_why, EINVAL,
			"there is no TLS: give the http:// address of a collector beside this container, which has it");
	r = target_parse(text, ret_target, &plain);
	if (r < 0 && strncasecmp(text, "http", 4) == 0)
		return complain(ret_why, -r, "'%.100s': %.300s", text, plain.text);
	if (r < 0 || (ret_target->kind != TARGET_HTTP && ret_target->kind != TARGET_HTTP_UNIX))
		return complain(ret_why, EINVAL,
			"'%.100s': expected http://HOST[:PORT][/PATH], http+unix:SOCKET:/PATH or env", text);
	return 0;
}

/* What is said for all signals is the base of each one's path. */
static int add_path(struct target *target, const char *name, struct complaint *ret_why)
{
	const size_t length = strlen(target->path), end = target->path[length - 1] == '/' ? length - 1 : length;

	if (end + sizeof TRACES_PATH > sizeof target->path)
		return complain(ret_why, EINVAL, "%s: longer than %zu characters", name, sizeof target->path - 1);
	memcpy(target->path + end, TRACES_PATH, sizeof TRACES_PATH);
	return 0;
}

static int find_in_variables(char *const *env, struct target *ret_target, struct complaint *ret_why)
{
	char name[48], other[48];
	const char *text = either_variable(env, "ENDPOINT", name), *protocol = either_variable(env, "PROTOCOL", other);
	struct complaint plain;
	int r;

	if (protocol != NULL && strcmp(protocol, "grpc") == 0)
		return complain(ret_why, EINVAL,
			"%s is grpc: give the collector's OTLP/HTTP address here (usually port 4318)", other);
	r = parse_target(text != NULL ? text : DEFAULT_BASE, ret_target, &plain);
	if (r < 0)
		return complain(ret_why, -r, "%s: %.400s", name, plain.text);
	return strstr(name, "TRACES_") != NULL && text != NULL ? 0 : add_path(ret_target, name, ret_why);
}

/* Each "Name: value", one behind the other with its NUL. */
static int take_headers(const char *name, const char *text, struct trace_endpoint *endpoint, struct complaint *ret_why)
{
	struct check check = { .exchange = endpoint->exchange };
	struct attribute header;
	struct complaint plain = { .text = "expected NAME=VALUE,NAME=VALUE, percent-encoded" };
	size_t used = 0;
	int r;

	while ((r = attributes_next(&text, &header)) == 1) {
		char *at = endpoint->headers + used;
		const size_t room = sizeof endpoint->headers - used;
		const size_t length = (size_t)snprintf(at, room, "%s: %s", header.key, header.value);

		snprintf(plain.text, sizeof plain.text, "longer than %d bytes", EXCHANGE_HEADERS_SIZE - 1);
		if (length >= room || check_set(CHECK_HEADER, at, &check, &plain) < 0)
			return complain(ret_why, EINVAL, "%s: %.400s", name, plain.text);
		used += length + 1;
	}
	if (r < 0)
		return complain(ret_why, EINVAL, "%s: %.400s", name, plain.text);
	endpoint->exchange = check.exchange;
	return 0;
}

int trace_endpoint_check(const char *text, struct complaint *ret_why)
{
	struct target target;

	return strcmp(text, TRACE_ENDPOINT_ENV) == 0 ? 0 : parse_target(text, &target, ret_why);
}

int trace_endpoint_find(
	const char *text, char *const *env, struct trace_endpoint *ret_endpoint, struct complaint *ret_why)
{
	struct target *target = &ret_endpoint->target;
	char name[48];
	const char *headers;
	int r;

	ret_endpoint->exchange = (struct exchange){ .method = "POST",
		.header = { "Content-Type: application/json" },
		.header_count = 1,
		.expected = { 1, { { 200, 299 } } } };
	if (strcmp(text, TRACE_ENDPOINT_ENV) != 0) {
		r = parse_target(text, target, ret_why);
		return r == 0 && strcmp(target->path, "/") == 0 ? add_path(target, "--trace-endpoint", ret_why) : r;
	}
	r = find_in_variables(env, target, ret_why);
	headers = either_variable(env, "HEADERS", name);
	return r < 0 || headers == NULL ? r : take_headers(name, headers, ret_endpoint, ret_why);
}
