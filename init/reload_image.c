#include "init/reload_image.h"

#include "base/cleanup.h"
#include "base/config_write.h"
#include "base/sha256.h"
#include "init/capabilities.h"
#include "init/monitor_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct work {
	struct loop *loop;
	struct reload_image *image;
	struct arena arena;
	const struct model *model; /* the new one */
	struct model old, written; /* as it was at the start; the new one in the order of the units, for the monitor */
	size_t old_count;
	int from[MODEL_SERVICES_MAX];    /* of each entry: its index in the new model, or -1 */
	size_t slot[MODEL_SERVICES_MAX]; /* and the other way round */
	struct confine_plan first;       /* as PID 1 made it at the start */
	char container[65];
};

/* ---- texts ---- */

static int digest(const struct model *model, int service, char ret_hex[65])
{
	cleanup_free char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return -ENOMEM;
	if (service < 0)
		config_write_container(model, out);
	else
		config_write_service(model, (size_t)service, out);
	if (fclose(out) != 0)
		return -ENOMEM;
	sha256_hex(text, length, ret_hex);
	return 0;
}

/* ---- what there is ---- */

/* Before anything is read: the same memory is the new one's then. */
static int take_old(struct work *work)
{
	const struct loop *loop = work->loop;
	const struct reload_image *before = loop->reload.image;
	int error = digest(loop->reload.model, -1, work->container);

	work->old_count = work->image->count = loop->unit_count;
	work->old = *loop->reload.model;
	work->first = *loop->unit->spawn.plan;
	for (size_t i = 0; error == 0 && i < work->old_count; i++) {
		struct reload_entry *entry = &work->image->entry[i];

		entry->fate = RELOAD_REMOVED;
		entry->kind = loop->coordinator.unit[i].kind;
		entry->was_removed = loop->coordinator.unit[i].removed;
		memcpy(entry->name, loop->unit[i].record.name, sizeof entry->name);
		entry->definition = definition_copy(&loop->unit[i], &work->arena);
		work->from[i] = -1;
		if (before != NULL)
			memcpy(entry->digest, before->entry[i].digest, sizeof entry->digest);
		else
			error = digest(loop->reload.model, (int)i, entry->digest);
	}
	return error;
}

/* ---- which is which ---- */

static int find_entry(const struct work *work, size_t service)
{
	const char *name = service_name(model_service(work->model, service));

	if (work->old_count == 1)
		return 0;
	for (size_t i = 0; i < work->image->count; i++)
		if (strcmp(work->image->entry[i].name, name) == 0)
			return (int)i;
	return -1;
}

static bool is_lasting(enum service_kind kind)
{
	return kind == SERVICE_LASTING;
}

static void insert(struct work *work, size_t at, size_t service)
{
	struct reload_image *image = work->image;

	memmove(&image->entry[at + 1], &image->entry[at], (image->count - at) * sizeof image->entry[0]);
	memmove(&work->from[at + 1], &work->from[at], (image->count - at) * sizeof work->from[0]);
	memset(&image->entry[at], 0, sizeof image->entry[at]);
	image->entry[at].fate = RELOAD_NEW;
	snprintf(image->entry[at].name, sizeof image->entry[at].name, "%s",
		service_name(model_service(work->model, service)));
	work->from[at] = (int)service;
	image->count++;
}

static int place(struct work *work, size_t service, struct complaint *ret_why)
{
	struct reload_image *image = work->image;
	const struct service *what = model_service(work->model, service);
	const int at = find_entry(work, service);

	if (at < 0 && image->count == MODEL_SERVICES_MAX)
		return complain(ret_why, E2BIG,
			"with those that were removed there are more than %d services: that takes "
			"a new container",
			MODEL_SERVICES_MAX);
	if (at < 0 && is_lasting(what->kind)) {
		insert(work, image->new_at + image->new_count++, service);
	} else if (at < 0) {
		insert(work, image->count, service);
	} else if (is_lasting(image->entry[at].kind) != is_lasting(what->kind)) {
		return complain(ret_why, EINVAL,
			"%s: a service does not become a task, nor a task a service: give it "
			"another name",
			service_name(what));
	} else {
		work->from[at] = (int)service;
	}
	return 0;
}

static int match(struct work *work, struct complaint *ret_why)
{
	const size_t count = model_service_count(work->model);
	struct reload_image *image = work->image;
	int error = 0;

	if ((count == 1) != (work->old_count == 1))
		return complain(ret_why, EINVAL,
			"one service does not become several, nor several one: that takes a new container");
	if (model_wants_notify(work->model) != model_wants_notify(&work->old) ||
		(model_wants_monitor(work->model) && !work->loop->wants_monitor))
		return complain(ret_why, EINVAL,
			"the first check of the container, and the first service that speaks for itself, or none any "
			"more, take a new container");
	while (image->new_at < image->count && is_lasting(image->entry[image->new_at].kind))
		image->new_at++;
	for (size_t i = 0; error == 0 && i < count; i++)
		error = place(work, i, ret_why);
	for (size_t i = 0; error == 0 && i < image->count; i++)
		if (work->from[i] >= 0)
			work->slot[work->from[i]] = i;
	return error;
}

/* ---- can it be done? ---- */

static bool same_list(const struct path_list *a, const struct path_list *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++)
		same = strcmp(a->path[i], b->path[i]) == 0;
	return same;
}

/* What PID 1 mounts for its only service is the container's own, and there is no taking it back. */
static bool mounts_differ(const struct confinement *a, const struct confinement *b)
{
	bool same = a->read_only == b->read_only && a->tmpfs.count == b->tmpfs.count &&
		same_list(&a->writable, &b->writable);

	for (size_t i = 0; same && i < a->tmpfs.count; i++)
		same = strcmp(a->tmpfs.mount[i].path, b->tmpfs.mount[i].path) == 0 &&
			strcmp(a->tmpfs.mount[i].options, b->tmpfs.mount[i].options) == 0;
	return !same;
}

/* PID 1 has kept what its services took, and no more. */
static bool lacks_capabilities(const struct work *work, const struct unit *unit)
{
	const struct confine_plan *plan = unit->spawn.plan;
	struct capability_sets now, wanted;
	struct complaint why;

	if (work->first.had.permitted == 0 || capabilities_read(&now, &why) < 0)
		return false;
	capability_plan_possible(
		&work->first.had, plan->asked, (plan->changes_user ? plan->identity.uid : geteuid()) == 0, &wanted);
	return (wanted.permitted & ~now.permitted) != 0;
}

static int may_be(
	const struct work *work, const struct reload_entry *entry, const struct unit *unit, struct complaint *ret_why)
{
	const struct unit *old = entry->definition;

	if (unit->spawn.plan->asked->seccomp_report || (old != NULL && old->spawn.plan->asked->seccomp_report))
		return complain(ret_why, EINVAL,
			"%s: what has a filter that is reported, or gets one, changes with a new "
			"container",
			entry->name);
	if (unit->spawn.plan->is_pid_1 && old != NULL && mounts_differ(unit->spawn.plan->asked, old->spawn.plan->asked))
		return complain(ret_why, EINVAL, "%s: its file system changes with a new container", entry->name);
	if (lacks_capabilities(work, unit))
		return complain(ret_why, EPERM,
			"%s: PID 1 has given up capabilities that it would have: that takes a new "
			"container",
			entry->name);
	return 0;
}

/* ---- the units ---- */

/* A service that is the same stays as PID 1 planned it, when it had all its capabilities. */
static int decide(struct work *work, size_t at, const struct unit *unit, struct complaint *ret_why)
{
	struct reload_entry *entry = &work->image->entry[at];
	const struct service *service = model_service(work->model, (size_t)work->from[at]);
	char hex[65];
	int error = digest(work->model, work->from[at], hex);

	if (error < 0)
		return complain(ret_why, -error, "%s", strerror(-error));
	snprintf(entry->name, sizeof entry->name, "%s", service_name(service));
	entry->kind = service->kind;
	entry->essential = service->essential;
	if (entry->definition != NULL && strcmp(entry->digest, hex) == 0 && !entry->was_removed) {
		entry->fate = RELOAD_SAME;
		return 0;
	}
	if (work->old_count == 1) /* this process is another one than PID 1 */
		((struct confine_plan *)unit->spawn.plan)->is_pid_1 = work->first.is_pid_1;
	error = may_be(work, entry, unit, ret_why);
	if (error < 0)
		return error;
	entry->fate = entry->definition != NULL ? RELOAD_CHANGED : RELOAD_NEW;
	work->image->forgets = work->image->forgets || service->check_count > 0 ||
		(entry->definition != NULL && entry->definition->checks.count > 0);
	memcpy(entry->digest, hex, sizeof hex);
	entry->definition = definition_copy(unit, &work->arena);
	work->image->differs = true;
	return 0;
}

/* The number of its first check, as the monitor counts them. */
static void number_checks(struct work *work)
{
	uint32_t first = 0;

	for (size_t i = 0; i < work->image->count; i++) {
		const struct reload_entry *entry = &work->image->entry[i];
		struct unit *unit = entry->definition;

		if (unit == NULL)
			continue;
		unit->checks.first = first;
		if (entry->fate == RELOAD_REMOVED)
			unit->checks.count = 0;
		else
			first += (uint32_t)model_service(work->model, (size_t)work->from[i])->check_count;
	}
	work->image->check_count = first;
}

static int take_edges(struct work *work)
{
	const struct coordinator *coordinator = &work->loop->coordinator;
	const size_t count = coordinator->edge_count;
	struct dependency_edge *edge = arena_take(&work->arena, count * sizeof *edge);

	for (size_t i = 0; edge != NULL && i < count; i++)
		edge[i] = (struct dependency_edge){ .unit = (uint16_t)work->slot[coordinator->edge[i].unit],
			.on = (uint16_t)work->slot[coordinator->edge[i].on],
			.condition = coordinator->edge[i].condition };
	work->image->edge = edge;
	work->image->edge_count = count;
	return edge == NULL ? -ENOMEM : 0;
}

/* ---- for the monitor ---- */

/* One that is gone holds its place. */
static int put_service(struct work *work, size_t at)
{
	struct service *place = at == 0 ? &work->written.main : &work->written.more[at - 1];
	struct dependency *depends_on;

	if (work->from[at] < 0) {
		memset(place, 0, sizeof *place);
		service_defaults(place);
		place->name = work->image->entry[at].name;
		place->kind = is_lasting(work->image->entry[at].kind) ? SERVICE_LASTING : SERVICE_ONCE;
		place->essential = false;
		return 0;
	}
	*place = *model_service(work->model, (size_t)work->from[at]);
	depends_on = calloc(place->depends_on_count + 1, sizeof *depends_on);
	if (depends_on == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < place->depends_on_count; i++) {
		depends_on[i] = place->depends_on[i];
		depends_on[i].on = (uint16_t)work->slot[place->depends_on[i].on];
	}
	place->depends_on = depends_on;
	return 0;
}

/* What is the container's alone stays as it was: the sockets are open. */
static void keep_container(struct work *work)
{
	struct model *written = &work->written;

	*written = work->old;
	written->log_format = work->model->log_format;
	written->log_level = work->model->log_level;
}

static int write_for_monitor(struct work *work, int fd)
{
	int error = 0;

	keep_container(work);
	work->written.more_count = work->image->count - 1;
	work->written.more = calloc(work->image->count, sizeof *work->written.more);
	if (work->written.more == NULL)
		return -ENOMEM;
	for (size_t i = 0; error == 0 && i < work->image->count; i++)
		error = put_service(work, i);
	return error < 0 ? error : monitor_model_write(&work->written, fd);
}

/* ---- the sentence ---- */

static void say_names(const struct work *work, enum reload_fate fate, const char *word, char *said, size_t size)
{
	size_t length = strlen(said);
	bool any = false;

	for (size_t i = 0; i < work->image->count && length < size; i++) {
		const struct reload_entry *entry = &work->image->entry[i];

		if (entry->fate != fate || (fate == RELOAD_REMOVED && entry->was_removed))
			continue;
		length += (size_t)snprintf(said + length, size - length, "%s%s", any ? ", " : word, entry->name);
		any = true;
	}
}

static void say(struct work *work, bool container_differs)
{
	char *said = work->image->said;
	const size_t size = sizeof work->image->said;

	snprintf(said, size, "the configuration was read again");
	say_names(work, RELOAD_CHANGED, "; changed: ", said, size);
	say_names(work, RELOAD_NEW, "; new: ", said, size);
	say_names(work, RELOAD_REMOVED, "; removed: ", said, size);
	if (container_differs && strlen(said) < size)
		snprintf(said + strlen(said), size - strlen(said),
			"; what it says of metrics and tracing takes a new container");
}

int reload_make_image(struct loop *loop, int model_fd, struct reload_image *image, struct complaint *ret_why)
{
	static struct work work;
	char container[65];
	int error;

	work = (struct work){ .loop = loop,
		.image = image,
		.arena = { .next = (char *)(image + 1), .end = (char *)image + RELOAD_SIZE } };
	error = take_old(&work);
	if (error < 0 || work.arena.full)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	error = loop->reload.read(&work.model, ret_why);
	if (error == 0)
		error = match(&work, ret_why);
	for (size_t i = 0; error == 0 && i < image->count; i++)
		if (work.from[i] >= 0)
			error = decide(&work, i, &loop->unit[work.from[i]], ret_why);
	if (error < 0)
		return error;
	number_checks(&work);
	error = take_edges(&work);
	if (error == 0)
		error = write_for_monitor(&work, model_fd);
	if (error == 0)
		error = digest(work.model, -1, container);
	if (error < 0 || work.arena.full)
		return complain(ret_why, ENOMEM, "%s", strerror(error < 0 ? -error : ENOMEM));
	image->differs = image->differs || work.model->log_format != work.old.log_format ||
		work.model->log_level != work.old.log_level;
	for (size_t i = 0; i < image->count; i++)
		image->differs = image->differs ||
			(image->entry[i].fate == RELOAD_REMOVED && !image->entry[i].was_removed);
	image->log_format = work.model->log_format;
	image->log_level = work.model->log_level;
	say(&work, strcmp(container, work.container) != 0);
	image->complete = true;
	return 0;
}
