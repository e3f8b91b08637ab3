/* The monitor's own state, which its files share: health/monitor_main.c with the start and the loop,
 * monitor_channel_main.c with what PID 1 tells and is told, monitor_pages_main.c and monitor_answers_main.c with what
 * others ask for. */
#pragma once

#include "base/control.h"
#include "health/changes.h"
#include "health/checks.h"
#include "health/control_server.h"
#include "health/notify_server.h"
#include "health/secret_watch.h"
#include "health/tracer.h"
#include "metrics/gate.h"
#include "metrics/health_page.h"
#include "metrics/history.h"
#include "metrics/read_cgroup.h"
#include "metrics/read_proc.h"
#include "metrics/serve.h"
#include "seccomp-profiles/denial_reports.h"

struct monitor {
	struct model model;
	struct checks checks;
	struct control_server control;
	struct notify_server notify;
	struct serve *serve;     /* NULL without --metrics */
	struct gate *gate;       /* NULL: anybody may see its pages */
	struct served_tls *tls;  /* NULL: HTTP */
	struct changes *changes; /* changes_count of them: of the services that are watched */
	size_t changes_count;
	struct secret_watch secret_watch;
	struct wire_secret secrets[MODEL_SECRETS_MAX]; /* of the model */
	struct denial_reports denials;
	struct cgroup_roots cgroup;
	struct kept *kept;
	struct history history;
	struct tracer tracer;
	int proc_fd;
	int first_listen; /* the descriptor of the first --metrics */
	bool have_snapshot;
	bool orphaned;        /* PID 1 has closed the channel */
	bool settled;         /* there is something to tell */
	bool changed;         /* PID 1 has not been told of all */
	int64_t settle_by_ns; /* it is told from then on, whatever is known */
	int64_t asked_at_ns;  /* since then PID 1 owes an answer; 0: it does not */
	struct {
		bool awaited;
		uint32_t file;
		int fd; /* or -errno */
	} opened;
	struct wire_snapshot snapshot;
	struct wire_service *services; /* of the model; each valid once the snapshot is there */
	size_t service_count, services_heard;
	struct readings *service_readings;
	struct wire_health *told; /* of each service: what PID 1 was told last */
};

/* ---- PID 1 (health/monitor_channel_main.c) ---- */

/* Takes what PID 1 has sent, all of it: only the last one counts. */
void monitor_drain(struct monitor *monitor);

/* Somebody looks: asks PID 1 for its counters as they are now. Returns whether it could be asked. */
bool monitor_ask(struct monitor *monitor);

/* The same, and waits for the answer a little. */
void monitor_refresh(struct monitor *monitor);

/* A file of the configuration that this process may not open: PID 1 does. Returns the descriptor (the caller's), or
 * -errno. Waits up to a quarter of a second. */
int monitor_open_file(struct monitor *monitor, const char *path);

/* PID 1 owes an answer for longer than a PID 1 that works takes. */
bool monitor_init_is_silent(const struct monitor *monitor);

/* It is the workload by now, and was not reaped yet. */
bool monitor_is_running(const struct monitor *monitor, size_t service);

/* Tells PID 1 the verdicts that it does not know yet. */
void monitor_tell_health(struct monitor *monitor);

/* What a service says of itself, and that files of one, or of secrets, have changed. False: the channel is full. */
bool monitor_tell_notified(const struct wire_notified *notified);
bool monitor_tell_changed(uint32_t service, const char *path);
bool monitor_tell_look(uint32_t service, const char *path);

/* There is something to tell callers: until then they wait in the listeners' backlogs, and hear the truth a moment
 * later, where they would be told now that a healthy service is not ready. */
bool monitor_settled(struct monitor *monitor, int64_t now);

/* ---- what is known ---- */

struct monitor_facts {
	uint8_t healthy[CHECK_KIND_COUNT];
	struct health_facts health;
};

/* Of several services: of those that the container is there for. What it points to is the monitor's. */
void monitor_collect(const struct monitor *monitor, struct monitor_facts *ret_facts);

/* ---- what others ask for ---- */

/* Serves the pages at these listeners, the model's. Returns 0, or -errno with a sentence. */
int monitor_pages_open(struct monitor *monitor, const int *fds, struct complaint *ret_why);

/* Something has woken the monitor: it need not wake up for a sample of its own. */
void monitor_sample_in_passing(struct monitor *monitor);

/* For health/control_server.h; the context is the monitor. */
bool monitor_knows_verdict(void *context, const struct wire_ask *ask, bool begins);
enum wire_type monitor_answer(void *context, const struct wire_ask *ask, size_t n, union wire_record *ret_record);
void monitor_hand_over(void *context, int connection);
