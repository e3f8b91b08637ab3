#include "init/otel.h"

#include "base/attributes.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/trace_endpoint.h"
#include "init/container_id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>

#define RESOURCE "OTEL_RESOURCE_ATTRIBUTES"
#define SERVICE_NAME "OTEL_SERVICE_NAME"
#define OURS_SIZE 4096 /* all that is added */
#define FILE_MAX (1024 * 1024)
#define UUID_SIZE 37
#define MONITOR_VARIABLES_MAX 16

extern char **environ;

/* Of the workload: what the configuration says wins over what it inherits (confine.c). */
static const char *variable(const struct model *model, const char *name)
{
	const char *value = NULL;

	if (model->main.confinement.environment != NULL)
		value = trace_variable(model->main.confinement.environment, name);
	return value != NULL ? value : trace_variable(environ, name);
}

/* ---- facts ---- */

static int read_container_id(char ret_id[static CONTAINER_ID_SIZE])
{
	cleanup_free char *cgroups = NULL, *mounts = NULL;
	size_t length;

	if (file_read("/proc/self/cgroup", FILE_MAX, &cgroups, &length) < 0 ||
		file_read("/proc/self/mountinfo", FILE_MAX, &mounts, &length) < 0)
		return -ENODATA;
	return container_id_find(cgroups, mounts, ret_id);
}

/* Version 4: random (RFC 9562 section 5.4). */
static int make_uuid(char ret_text[static UUID_SIZE])
{
	uint8_t byte[16];
	size_t used = 0;

	if (getrandom(byte, sizeof byte, GRND_NONBLOCK) != sizeof byte)
		return -EAGAIN;
	byte[6] = (byte[6] & 0x0f) | 0x40;
	byte[8] = (byte[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < sizeof byte; i++)
		used += (size_t)snprintf(ret_text + used, UUID_SIZE - used, "%s%02x",
			i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", byte[i]);
	return 0;
}

/* As the semantic conventions name it, which is not always how uname(2) does. */
static const char *architecture(const char *machine)
{
	if (strcmp(machine, "x86_64") == 0)
		return "amd64";
	return strcmp(machine, "aarch64") == 0 ? "arm64" : machine;
}

struct resource {
	char *text;
	size_t size;
};

/* Unless the user has said it, or it does not fit. */
static void add(struct resource *resource, const char *key, const char *value)
{
	struct attribute said;

	if (attributes_find(resource->text, key, &said) == -ENODATA)
		attributes_add(resource->text, resource->size, key, value);
}

static void add_facts(const struct model *model, const char *program, struct resource *resource)
{
	const char *slash = strrchr(program, '/'), *name = slash != NULL ? slash + 1 : program;
	char id[CONTAINER_ID_SIZE], uuid[UUID_SIZE];
	struct utsname system;

	if (variable(model, SERVICE_NAME) == NULL)
		add(resource, "service.name", model->main.name != NULL ? model->main.name : name);
	if (make_uuid(uuid) == 0)
		add(resource, "service.instance.id", uuid);
	if (read_container_id(id) == 0)
		add(resource, "container.id", id);
	add(resource, "process.executable.name", name);
	if (uname(&system) < 0)
		return;
	add(resource, "host.name", system.nodename);
	add(resource, "host.arch", architecture(system.machine));
	add(resource, "os.type", "linux");
}

/* A text that cannot be read is nothing to whoever reads it, whatever stands behind it. */
static bool is_broken(const char *text)
{
	struct attribute attribute;
	int result;

	while ((result = attributes_next(&text, &attribute)) == 1)
		continue;
	return result < 0;
}

/* ---- variables ---- */

static char *make_variable(const char *name, const char *value, size_t room)
{
	const size_t size = strlen(name) + strlen(value) + room + 2;
	char *text = malloc(size);

	if (text != NULL)
		snprintf(text, size, "%s=%s", name, value);
	return text;
}

/* In the place where the workload finds it. */
static void place(struct model *model, char *text)
{
	char **entry = model->main.confinement.environment;

	while (entry != NULL && *entry != NULL && strncmp(*entry, RESOURCE "=", strlen(RESOURCE "=")) != 0)
		entry++;
	if (entry != NULL && *entry != NULL)
		*entry = text;
	else
		putenv(text);
}

/* What says where spans go, and of which trace and service they are: secrets of others are none of the monitor's
 * business. */
static int make_monitor_env(const struct model *model, const char *resource, char ***ret_env)
{
	static char *env[MONITOR_VARIABLES_MAX];
	const char *service = variable(model, SERVICE_NAME), *parent = variable(model, "TRACEPARENT");
	char *own = make_variable(RESOURCE, resource, OURS_SIZE);
	size_t count = 0;

	if (own == NULL)
		return -ENOMEM;
	if (service != NULL) /* the last one counts */
		attributes_add(own + strlen(RESOURCE "="), strlen(resource) + OURS_SIZE, "service.name", service);
	env[count++] = own;
	if (parent != NULL && (env[count++] = make_variable("TRACEPARENT", parent, 0)) == NULL)
		return -ENOMEM;
	for (char **entry = environ; *entry != NULL && count < MONITOR_VARIABLES_MAX - 1; entry++)
		if (strncmp(*entry, "OTEL_EXPORTER_OTLP_", strlen("OTEL_EXPORTER_OTLP_")) == 0)
			env[count++] = *entry;
	*ret_env = env;
	return 0;
}

int otel_prepare(struct model *model, const char *program, void (*warn)(const char *sentence), char ***ret_env,
	struct complaint *ret_why)
{
	static struct trace_endpoint endpoint;
	const char *said = variable(model, RESOURCE);
	const bool broken = said != NULL && is_broken(said);
	struct resource resource;
	struct complaint plain;
	int error = 0;
	char *text;

	*ret_env = NULL;
	if (!model->otel_resource && model->trace_endpoint == NULL)
		return 0;
	text = make_variable(RESOURCE, said != NULL && !broken ? said : "", OURS_SIZE);
	if (text == NULL)
		return complain(ret_why, ENOMEM, "--otel-resource: %s", strerror(ENOMEM));
	resource.text = text + strlen(RESOURCE "=");
	resource.size = strlen(resource.text) + OURS_SIZE;
	add_facts(model, program, &resource);
	if (model->trace_endpoint != NULL) {
		error = make_monitor_env(model, resource.text, ret_env);
		if (error < 0)
			return complain(ret_why, -error, "--trace-endpoint: %s", strerror(-error));
		error = trace_endpoint_find(model->trace_endpoint, *ret_env, &endpoint, &plain);
		if (error < 0)
			return complain(ret_why, -error, "--trace-endpoint: %.450s", plain.text);
	}
	if (model->otel_resource && broken)
		warn("--otel-resource: OTEL_RESOURCE_ATTRIBUTES is no list of KEY=VALUE, percent-encoded: it stays as "
		     "it is");
	else if (model->otel_resource)
		place(model, text);
	return 0;
}
