#include "health/secret_watch.h"

#include "base/clock.h"

#include <sys/stat.h>

#define LOOK_EVERY_NS (10 * NS_PER_S)
#define TELL_AGAIN_NS (100 * NS_PER_MS)

static uint64_t mix(uint64_t hash, uint64_t word)
{
	return (hash ^ word) * UINT64_C(1099511628211); /* FNV-1a, by words */
}

/* A change of what it holds changes the inode's ctime, whatever is done to its mtime (inode(7)). Of a
 * directory it is the names that do. */
static uint64_t identify_all(const struct model *model)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	struct stat info;

	for (size_t i = 0; i < model->secret_count; i++) {
		if (stat(model->secret[i].path, &info) < 0)
			return 0;
		hash = mix(mix(hash, info.st_dev), info.st_ino);
		hash = mix(mix(hash, (uint64_t)info.st_size), (uint64_t)info.st_ctim.tv_sec);
		hash = mix(hash, (uint64_t)info.st_ctim.tv_nsec);
	}
	return hash | 1;
}

/* What is being written is not half-read: it is told once nothing changes any more. What cannot be seen from here PID 1
 * can see. */
static void look(struct secret_watch *watch, int64_t now)
{
	const uint64_t identity = identify_all(watch->model);

	watch->look_at_ns = now + LOOK_EVERY_NS;
	if (identity != watch->identity || identity == 0)
		burst_add(&watch->burst, now);
	watch->identity = identity;
}

void secret_watch_open(struct secret_watch *watch, const struct model *model, changes_tell *tell)
{
	static struct path_list paths;
	const int64_t now = clock_now_ns();

	if (model->secret_count == 0)
		return;
	watch->model = model;
	for (size_t i = 0; i < model->secret_count; i++)
		paths.path[paths.count++] = model->secret[i].path;
	watch->changes.what = "secrets";
	changes_open(&watch->changes, 0, &paths, tell);
	look(watch, now);
	burst_add(&watch->burst, now); /* what has changed before anybody watched */
}

size_t secret_watch_pollfds(const struct secret_watch *watch, struct pollfd *ret_slots)
{
	return watch->model != NULL ? changes_pollfds(&watch->changes, ret_slots) : 0;
}

int64_t secret_watch_deadline_ns(const struct secret_watch *watch)
{
	int64_t deadline = watch->look_at_ns, due = burst_due_ns(&watch->burst);

	if (watch->model == NULL)
		return TIME_NEVER;
	if (due < watch->again_at_ns)
		due = watch->again_at_ns;
	if (due < deadline)
		deadline = due;
	due = changes_deadline_ns(&watch->changes);
	return due < deadline ? due : deadline;
}

void secret_watch_run(struct secret_watch *watch, int64_t now)
{
	if (watch->model == NULL)
		return;
	changes_run(&watch->changes, now);
	if (now >= watch->look_at_ns)
		look(watch, now);
	if (now < burst_due_ns(&watch->burst) || now < watch->again_at_ns)
		return;
	if (watch->changes.tell(0, NULL))
		watch->burst = (struct burst){ .is_open = false };
	else
		watch->again_at_ns = now + TELL_AGAIN_NS;
}
