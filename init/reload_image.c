#include "init/reload_image.h"

#include "base/cleanup.h"
#include "base/config_write.h"
#include "base/sha256.h"
#include "init/capabilities.h"
#include "init/monitor_model.h"

#include <errno.h>
#include <inttypes.h>
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
	struct secret_list old_secrets;
	size_t old_count, lasting_count;
	int from[MODEL_UNITS_MAX];    /* of each entry: its index among the new units, or -1 */
	size_t slot[MODEL_UNITS_MAX]; /* and the other way round */
	struct confine_plan first;    /* as PID 1 made it at the start */
	char container[65], secrets[65];
	enum log_format format;
	enum log_level level;
};

/* ---- texts ---- */

/* What is written of it: the container's, its secrets, and each unit. */
typedef void write_text(const struct model *model, const struct unit *unit, size_t index, FILE *out);

static void write_container(const struct model *model, const struct unit *unit, size_t index, FILE *out)
{
	(void)unit;
	(void)index;
	config_write_container(model, out);
}

static void write_secrets(const struct model *model, const struct unit *unit, size_t index, FILE *out)
{
	(void)unit;
	(void)index;
	config_write_secrets(model, out);
}

/* What is done on a change of a secret is not the service's. */
static void write_service(const struct model *model, const struct unit *unit, size_t index, FILE *out)
{
	(void)unit;
	config_write_service(model, index, out);
	for (size_t i = 0; i < model->secret_count; i++) {
		const struct secret *secret = &model->secret[i];

		if (secret_is_for(secret, index))
			fprintf(out, "%s %s %d %d\n", secret->name, secret->path, secret->is_directory, secret->form);
	}
}

static void write_wait(const struct model *model, const struct unit *unit, size_t index, FILE *out)
{
	const char *user = unit->spawn.plan->asked->user;

	(void)model;
	(void)index;
	for (char **word = unit->spawn.argv; *word != NULL; word++)
		fprintf(out, "%s\n", *word);
	fprintf(out, "%s %" PRId64 "\n", user != NULL ? user : "", unit->run_ns);
}

static int digest(write_text *write, const struct model *model, const struct unit *unit, size_t index, char ret_hex[65])
{
	cleanup_free char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return -ENOMEM;
	write(model, unit, index, out);
	if (fclose(out) != 0)
		return -ENOMEM;
	sha256_hex(text, length, ret_hex);
	return 0;
}

/* ---- what there is ---- */

static int take_old_unit(struct work *work, size_t i, size_t services)
{
	const struct loop *loop = work->loop;
	const struct reload_image *before = loop->reload.image;
	struct reload_entry *entry = &work->image->entry[i];
	const struct unit *unit = &loop->unit[i];

	entry->fate = RELOAD_REMOVED;
	entry->kind = loop->coordinator.unit[i].kind;
	entry->was_removed = loop->coordinator.unit[i].removed;
	entry->waits = i >= services;
	entry->old = (int)i;
	work->from[i] = -1;
	snprintf(entry->name, sizeof entry->name, "%s", entry->waits ? unit->called : unit->record.name);
	entry->definition = definition_copy(unit, &work->arena);
	if (before == NULL)
		return digest(entry->waits ? write_wait : write_service, loop->reload.model, unit, i, entry->digest);
	memcpy(entry->digest, before->entry[i].digest, sizeof entry->digest);
	return 0;
}

static bool is_lasting(const struct reload_entry *entry)
{
	return entry->kind == SERVICE_LASTING;
}

/* Before anything is read: the same memory is the new one's then. */
static int take_old(struct work *work)
{
	const struct loop *loop = work->loop;
	const struct reload_image *before = loop->reload.image;
	struct reload_image *image = work->image;
	int error = digest(write_container, loop->reload.model, NULL, 0, work->container);

	image->count = work->old_count = loop->unit_count;
	image->service_count = before != NULL ? before->service_count : model_service_count(loop->reload.model);
	work->old = *loop->reload.model;
	work->old_secrets = loop->secrets.list;
	work->first = *loop->unit->spawn.plan;
	work->format = before != NULL ? before->log_format : work->old.log_format;
	work->level = before != NULL ? before->log_level : work->old.log_level;
	if (before != NULL)
		memcpy(work->secrets, before->secrets_digest, sizeof work->secrets);
	else if (error == 0)
		error = digest(write_secrets, loop->reload.model, NULL, 0, work->secrets);
	for (size_t i = 0; error == 0 && i < work->old_count; i++)
		error = take_old_unit(work, i, image->service_count);
	while (work->lasting_count < image->service_count && is_lasting(&image->entry[work->lasting_count]))
		work->lasting_count++;
	return error;
}

/* ---- which is which ---- */

/* Of the new unit of that index. */
static bool waits(const struct work *work, size_t index)
{
	return index >= model_service_count(work->model);
}

static const char *name_of(const struct work *work, size_t index)
{
	return waits(work, index) ? work->loop->unit[index].called : service_name(model_service(work->model, index));
}

static int find_entry(const struct work *work, size_t index)
{
	const struct reload_image *image = work->image;
	const char *name = name_of(work, index);

	if (work->old_count == 1)
		return 0;
	for (size_t i = 0; i < image->count; i++)
		if (image->entry[i].waits == waits(work, index) && strcmp(image->entry[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void insert(struct work *work, size_t at, size_t index)
{
	struct reload_image *image = work->image;
	struct reload_entry *entry = &image->entry[at];

	memmove(entry + 1, entry, (image->count - at) * sizeof *entry);
	memmove(&work->from[at + 1], &work->from[at], (image->count - at) * sizeof work->from[0]);
	*entry = (struct reload_entry){ .fate = RELOAD_NEW, .old = -1, .waits = waits(work, index) };
	snprintf(entry->name, sizeof entry->name, "%s", name_of(work, index));
	work->from[at] = (int)index;
	image->count++;
}

/* New ones stand behind all of their kind. */
static int add(struct work *work, size_t index, struct complaint *ret_why)
{
	struct reload_image *image = work->image;
	const size_t like_it = waits(work, index) ? image->count - image->service_count : image->service_count;

	if (like_it == MODEL_SERVICES_MAX)
		return complain(ret_why, E2BIG,
			"with those that were removed there are more than %d services: that takes a new container",
			MODEL_SERVICES_MAX);
	if (waits(work, index))
		insert(work, image->count, index);
	else if (model_service(work->model, index)->kind == SERVICE_LASTING)
		insert(work, work->lasting_count++, index);
	else
		insert(work, image->service_count, index);
	image->service_count += !waits(work, index);
	return 0;
}

static int place(struct work *work, size_t index, struct complaint *ret_why)
{
	const enum service_kind kind = work->loop->coordinator.unit[index].kind;
	struct reload_image *image = work->image;
	const int at = find_entry(work, index);

	if (at < 0)
		return add(work, index, ret_why);
	if (is_lasting(&image->entry[at]) != (kind == SERVICE_LASTING))
		return complain(ret_why, EINVAL,
			"%s: a service does not become a task, nor a task a service: give it another name",
			name_of(work, index));
	work->from[at] = (int)index;
	return 0;
}

static int match(struct work *work, struct complaint *ret_why)
{
	const size_t count = work->loop->unit_count;
	struct reload_image *image = work->image;
	int error = 0;

	if ((count == 1) != (work->old_count == 1))
		return complain(ret_why, EINVAL,
			"one service alone does not become several, nor waits for targets, nor the other way round: "
			"that takes a new container");
	if (model_wants_notify(work->model) != model_wants_notify(&work->old) ||
		(model_wants_monitor(work->model) && !work->loop->wants_monitor))
		return complain(ret_why, EINVAL,
			"the first check of the container, and the first service that speaks for itself, or none any "
			"more, take a new container");
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

/* The pipes of its output are its user's. */
static bool owner_differs(const struct unit *a, const struct unit *b)
{
	return a->logs.argv != NULL && a->spawn.plan->identity.uid != b->spawn.plan->identity.uid;
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

/* Nobody is stopped for what would not come up: what its child would refuse, PID 1 is told before. */
static int can_begin(const struct reload_entry *entry, const struct unit *unit, struct complaint *ret_why)
{
	struct complaint plain;
	int error = entry->waits ? 0 : spawn_rehearse(&unit->spawn, &plain);

	return error < 0 ? complain(ret_why, -error, "%s: %.440s", entry->name, plain.text) : 0;
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
	if (old != NULL && (!log_link_is_like(&unit->logs, &old->logs) || owner_differs(unit, old)))
		return complain(
			ret_why, EINVAL, "%s: what becomes of its output changes with a new container", entry->name);
	if (lacks_capabilities(work, unit))
		return complain(ret_why, EPERM,
			"%s: PID 1 has given up capabilities that it would have: that takes a new "
			"container",
			entry->name);
	return can_begin(entry, unit, ret_why);
}

/* ---- the units ---- */

static bool is_same(const struct reload_entry *entry, const char *hex)
{
	return entry->definition != NULL && !entry->was_removed && strcmp(entry->digest, hex) == 0;
}

static int become(struct work *work, struct reload_entry *entry, const struct unit *unit, size_t checks,
	struct complaint *ret_why)
{
	struct reload_image *image = work->image;
	int error;

	if (work->old_count == 1) /* this process is another one than PID 1 */
		((struct confine_plan *)unit->spawn.plan)->is_pid_1 = work->first.is_pid_1;
	error = may_be(work, entry, unit, ret_why);
	if (error < 0)
		return error;
	entry->fate = entry->definition != NULL ? RELOAD_CHANGED : RELOAD_NEW;
	image->forgets = image->forgets || checks > 0 ||
		(entry->definition != NULL && entry->definition->checks.count > 0);
	image->differs = true;
	entry->definition = definition_copy(unit, &work->arena);
	return 0;
}

/* What is the same stays as PID 1 planned it, when it had all its capabilities. */
static int decide(struct work *work, size_t at, struct complaint *ret_why)
{
	struct reload_entry *entry = &work->image->entry[at];
	const size_t index = (size_t)work->from[at];
	const struct unit *unit = &work->loop->unit[index];
	const bool rotates = entry->definition != NULL && unit->may_rotate && !entry->definition->may_rotate;
	char hex[65];
	int error = digest(entry->waits ? write_wait : write_service, work->model, unit, index, hex);

	if (error < 0)
		return complain(ret_why, -error, "%s", strerror(-error));
	snprintf(entry->name, sizeof entry->name, "%s", name_of(work, index));
	entry->kind = work->loop->coordinator.unit[index].kind;
	entry->essential = work->loop->coordinator.unit[index].essential;
	if (is_same(entry, hex) && !(rotates && lacks_capabilities(work, unit))) {
		entry->fate = RELOAD_SAME;
		entry->definition->may_rotate = unit->may_rotate;
		return 0;
	}
	memcpy(entry->digest, hex, sizeof hex);
	return become(work, entry, unit, entry->waits ? 0 : model_service(work->model, index)->check_count, ret_why);
}

/* Its place among the secrets, and the number of its first check, as the monitor counts them. */
static void number_units(struct work *work)
{
	uint32_t first = 0;

	for (size_t i = 0; i < work->image->count; i++) {
		const struct reload_entry *entry = &work->image->entry[i];
		struct unit *unit = entry->definition;

		if (unit == NULL)
			continue;
		unit->secrets.service = i;
		unit->checks.first = first;
		if (entry->fate == RELOAD_REMOVED)
			unit->checks.count = 0;
		else if (!entry->waits)
			first += (uint32_t)model_service(work->model, (size_t)work->from[i])->check_count;
	}
	work->image->check_count = first;
}

/* ---- secrets ---- */

static int old_secret(const struct work *work, const struct secret *secret)
{
	for (size_t i = 0; i < work->old_secrets.count; i++) {
		const struct secret *old = &work->old_secrets.secret[i];

		if (strcmp(old->name, secret->name) == 0 && strcmp(old->path, secret->path) == 0 &&
			old->is_directory == secret->is_directory)
			return (int)i;
	}
	return -1;
}

static void take_secret(struct work *work, size_t number)
{
	const struct secret *secret = &work->model->secret[number];
	struct secret *copy = &work->image->secret[number];

	*copy = *secret;
	copy->name = arena_text(&work->arena, secret->name);
	copy->path = arena_text(&work->arena, secret->path);
	copy->command = arena_words(&work->arena, secret->command);
	memset(copy->services, 0, sizeof copy->services);
	for (size_t i = 0; i < model_service_count(work->model); i++)
		if ((secret->services[i / 64] >> i % 64 & 1) != 0)
			copy->services[work->slot[i] / 64] |= UINT64_C(1) << work->slot[i] % 64;
	work->image->secret_from[number] = old_secret(work, secret);
}

static void take_secrets(struct work *work)
{
	work->image->secret_count = work->model->secret_count;
	for (size_t i = 0; i < work->model->secret_count; i++)
		take_secret(work, i);
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
		place->kind = is_lasting(&work->image->entry[at]) ? SERVICE_LASTING : SERVICE_ONCE;
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
	written->secret = work->image->secret;
	written->secret_count = work->image->secret_count;
}

static int write_for_monitor(struct work *work, int fd)
{
	int error = 0;

	keep_container(work);
	work->written.more_count = work->image->service_count - 1;
	work->written.more = calloc(work->image->service_count, sizeof *work->written.more);
	if (work->written.more == NULL)
		return -ENOMEM;
	for (size_t i = 0; error == 0 && i < work->image->service_count; i++)
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

		if (entry->waits || entry->fate != fate || (fate == RELOAD_REMOVED && entry->was_removed))
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

/* What is told: 0, or -errno with a sentence. */
static int plan(struct work *work, struct complaint *ret_why)
{
	int error = work->loop->reload.read(&work->model, ret_why);

	if (error == 0)
		error = match(work, ret_why);
	for (size_t i = 0; error == 0 && i < work->image->count; i++)
		if (work->from[i] >= 0)
			error = decide(work, i, ret_why);
	return error;
}

/* And what becomes of it, for PID 1 and the monitor. */
static int write_image(struct work *work, int model_fd)
{
	struct reload_image *image = work->image;
	char container[65], secrets[65];
	int error;

	number_units(work);
	take_secrets(work);
	error = take_edges(work);
	if (error == 0)
		error = write_for_monitor(work, model_fd);
	if (error == 0)
		error = digest(write_container, work->model, NULL, 0, container);
	if (error == 0)
		error = digest(write_secrets, work->model, NULL, 0, secrets);
	if (error < 0)
		return error;
	image->differs = image->differs || work->model->log_format != work->format ||
		work->model->log_level != work->level || strcmp(secrets, work->secrets) != 0;
	for (size_t i = 0; i < image->count; i++)
		image->differs = image->differs ||
			(image->entry[i].fate == RELOAD_REMOVED && !image->entry[i].was_removed);
	memcpy(image->secrets_digest, secrets, sizeof secrets);
	image->log_format = work->model->log_format;
	image->log_level = work->model->log_level;
	say(work, strcmp(container, work->container) != 0);
	return 0;
}

int reload_make_image(struct loop *loop, int model_fd, struct reload_image *image, struct complaint *ret_why)
{
	static struct work work;
	int error;

	work = (struct work){ .loop = loop,
		.image = image,
		.arena = { .next = (char *)(image + 1), .end = (char *)image + RELOAD_SIZE } };
	error = take_old(&work);
	if (error < 0 || work.arena.full)
		return complain(ret_why, ENOMEM, "%s", strerror(ENOMEM));
	error = plan(&work, ret_why);
	if (error < 0)
		return error;
	error = write_image(&work, model_fd);
	if (error < 0 || work.arena.full)
		return complain(ret_why, ENOMEM, "%s", strerror(error < 0 ? -error : ENOMEM));
	image->complete = true;
	return 0;
}
