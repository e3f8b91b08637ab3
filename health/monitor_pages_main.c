/* The HTTP pages: what they are made of is gathered when somebody looks. */
#include "health/monitor_main.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/kept.h"
#include "base/version.h"
#include "metrics/app_pages_main.h"
#include "metrics/front_page.h"
#include "metrics/negotiate.h"
#include "metrics/page.h"

#include <stdlib.h>
#include <string.h>

static void read_figures_of(struct monitor *monitor, size_t service, struct readings *readings)
{
	struct cpu_mark mark = kept_cpu(monitor->kept, service);

	memset(readings, 0, sizeof *readings);
	if (monitor_is_running(monitor, service) &&
		read_service(monitor->proc_fd, monitor->services[service].main_pid, &mark, readings) == 0)
		kept_put_cpu(monitor->kept, service, &mark); /* before anybody is told */
}

static void read_figures(struct monitor *monitor, struct readings *readings)
{
	memset(readings, 0, sizeof *readings);
	read_cgroup(&monitor->cgroup, readings);
	for (size_t i = 0; i < monitor->service_count; i++) {
		read_figures_of(monitor, i, &monitor->service_readings[i]);
		readings_add_service(readings, &monitor->service_readings[i]);
	}
}

/* For the front page, and only while there is one. */
static void take_sample(struct monitor *monitor, const struct readings *readings)
{
	const int64_t now = clock_now_ns();

	if (history_is_due(&monitor->history, now))
		history_add(&monitor->history, now, readings);
}

void monitor_sample_in_passing(struct monitor *monitor)
{
	struct readings readings;

	if (monitor->serve == NULL || !history_is_due(&monitor->history, clock_now_ns()))
		return;
	read_figures(monitor, &readings);
	take_sample(monitor, &readings);
}

static const char *libc_name(void)
{
#ifdef __GLIBC__
	return "glibc";
#else
	return "musl";
#endif
}

static const char *architecture(void)
{
#if defined(__x86_64__)
	return "amd64";
#else
	return "arm64";
#endif
}

struct denial_texts {
	struct page_denial denial[PAGE_DENIALS_MAX];
	char syscall[PAGE_DENIALS_MAX][SECCOMP_NAME_SIZE], action[PAGE_DENIALS_MAX][ACTION_TEXT_SIZE];
	size_t count;
};

static void collect_denials(struct monitor *monitor, struct denial_texts *texts)
{
	texts->count = 0;
	for (size_t i = 0; i <= DENIALS_KINDS_MAX; i++) {
		char *name = texts->syscall[texts->count], *action = texts->action[texts->count];
		uint64_t count = denial_reports_at(&monitor->denials, i, name, action);

		if (count > 0)
			texts->denial[texts->count++] = (struct page_denial){ name, action, count };
	}
}

/* What the pages are made of, gathered when somebody looks. */
struct material {
	struct page_build build;
	struct readings readings;
	struct denial_texts denials;
	struct monitor_facts facts;
	struct page_facts page;
};

static void gather(struct monitor *monitor, struct material *material)
{
	monitor_refresh(monitor);
	monitor_collect(monitor, &material->facts);
	collect_denials(monitor, &material->denials);
	read_figures(monitor, &material->readings);
	take_sample(monitor, &material->readings);
	material->build = (struct page_build){ NEST_INIT_VERSION, NEST_INIT_REVISION, libc_name(), architecture() };
	material->page = (struct page_facts){
		.build = &material->build,
		.snapshot = material->facts.health.snapshot,
		.services = monitor->services,
		.service_count = monitor->have_snapshot ? monitor->service_count : 0,
		.ready = health_is_good(&material->facts.health, CHECK_READY),
		.checks = material->facts.health.checks,
		.check_count = material->facts.health.check_count,
		.readings = &material->readings,
		.service_readings = monitor->service_readings,
		.secrets = monitor->secrets,
		.secret_count = monitor->have_snapshot ? monitor->model.secret_count : 0,
		.denials = material->denials.denial,
		.denial_count = material->denials.count,
	};
}

/* Our page, with what the applications' own hold. */
static int write_metrics(struct monitor *monitor, const struct serve_request *request, struct merge *merge,
	struct serve_reply *ret_reply)
{
	static const enum media offered[] = { MEDIA_TEXT, MEDIA_OPENMETRICS };
	struct material material;
	enum media media = MEDIA_TEXT;
	size_t scrape_count;
	const struct app_scrape *scrapes = app_pages_scrapes(&scrape_count);

	gather(monitor, &material);
	material.page.scrapes = scrapes;
	material.page.scrape_count = scrape_count;
	material.page.merge = merge;
	negotiate(request->accept, offered, sizeof offered / sizeof offered[0], &media);
	ret_reply->status = 200;
	ret_reply->content_type = media_content_type(media);
	return metrics_page(&material.page, media == MEDIA_OPENMETRICS ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT,
		&ret_reply->body, &ret_reply->length);
}

static int answer_front(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	static const struct serve_field fields[] = {
		{ "Content-Security-Policy", front_page_policy },
		{ "Referrer-Policy", "no-referrer" },
		{ "X-Frame-Options", "DENY" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
	};
	struct monitor *monitor = context;
	struct material material;

	(void)request;
	gather(monitor, &material);
	ret_reply->status = 200;
	ret_reply->content_type = FRONT_PAGE_TYPE;
	ret_reply->fields = fields;
	ret_reply->field_count = sizeof fields / sizeof fields[0];
	return front_page(
		&(struct front_facts){
			.known = &material.page,
			.healthy = material.facts.healthy,
			.runs = monitor->checks.runs,
			.history = &monitor->history,
			.wall_ns = clock_wall_ns(),
		},
		&ret_reply->body, &ret_reply->length);
}

static int answer_self(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	return write_metrics(context, request, NULL, ret_reply);
}

/* Whatever becomes of the applications' pages, ours goes out. */
static int answer_metrics(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	struct monitor *monitor = context;
	const char *timeout = serve_header(request, "X-Prometheus-Scrape-Timeout-Seconds");
	struct merge *merge;
	int error;

	if (!app_pages_ready(request->since_ns, timeout, clock_now_ns(), &ret_reply->wait_until_ns))
		return SERVE_WAIT;
	merge = app_pages_merge();
	error = write_metrics(monitor, request, merge, ret_reply);
	if (merge != NULL && (error < 0 || serve_unsent(monitor->serve) + ret_reply->length > APP_UNSENT_MAX)) {
		free(take_pointer(&ret_reply->body));
		app_pages_refused();
		error = write_metrics(monitor, request, NULL, ret_reply);
	}
	merge_free(merge);
	return error;
}

static int answer_health(struct monitor *monitor, enum check_kind kind, const char *page,
	const struct serve_request *request, struct serve_reply *ret_reply)
{
	static const enum media offered[] = { MEDIA_PLAIN, MEDIA_HEALTH_JSON };
	enum health_format format = serve_has(request, "verbose") ? HEALTH_VERBOSE : HEALTH_BRIEF;
	enum media media = MEDIA_PLAIN;
	struct monitor_facts facts;

	/* Not waited for: who looks again a second later is told if PID 1 has not answered by then. */
	monitor_ask(monitor);
	monitor_collect(monitor, &facts);
	facts.health.page = page;
	negotiate(request->accept, offered, sizeof offered / sizeof offered[0], &media);
	if (media == MEDIA_HEALTH_JSON)
		format = HEALTH_JSON;
	ret_reply->content_type = media_content_type(media);
	return health_page(&facts.health, 1U << kind, format, &ret_reply->status, &ret_reply->body, &ret_reply->length);
}

static int answer_live(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	return answer_health(context, CHECK_LIVE, NULL, request, ret_reply);
}

/* /livez by the name that Kubernetes had for it before (deprecated since 1.16), and that load balancers ask for. */
static int answer_healthz(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	return answer_health(context, CHECK_LIVE, "healthz", request, ret_reply);
}

static int answer_ready(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	return answer_health(context, CHECK_READY, NULL, request, ret_reply);
}

static int answer_startup(void *context, const struct serve_request *request, struct serve_reply *ret_reply)
{
	return answer_health(context, CHECK_STARTUP, NULL, request, ret_reply);
}

static const struct serve_page pages[] = {
	{ "/", answer_front, true },
	{ "/metrics", answer_metrics, true },
	{ "/metrics/self", answer_self, true },
	{ "/livez", answer_live, false },
	{ "/healthz", answer_healthz, false },
	{ "/readyz", answer_ready, false },
	{ "/startupz", answer_startup, false },
};

int monitor_pages_open(struct monitor *monitor, const int *fds, struct complaint *ret_why)
{
	return serve_open(fds, monitor->model.listen_count, pages, sizeof pages / sizeof pages[0], monitor,
		monitor->tls, &monitor->serve, ret_why);
}
