#include "health/tracer.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>

#define TIMEOUT_NS (10 * NS_PER_S) /* OTEL_EXPORTER_OTLP_TIMEOUT's own default */
#define BACKOFF_FIRST_NS NS_PER_S
#define TRIES_MAX 5
/* How long a connection is held for the end of a stop. */
#define SPARE_NS (3600 * NS_PER_S)

/* ---- the trace ---- */

/* The clock where there is no randomness yet (getrandom(2): early in boot alone). */
static void make_id(uint8_t *ret_id, size_t size)
{
	const int64_t now = clock_now_ns();

	memcpy(ret_id, &now, sizeof now);
	if (getrandom(ret_id, size, GRND_NONBLOCK) != (ssize_t)size)
		ret_id[size - 1] |= 1; /* an id of zeros is none */
}

static bool is_none(const uint8_t *id, size_t size)
{
	uint8_t any = 0;

	while (size-- > 0)
		any |= id[size];
	return any == 0;
}

/* A monitor that was started again goes on with the trace of the one before it. */
static void take_mark(struct tracer *tracer)
{
	struct trace_mark *mark = &tracer->mark;

	*mark = kept_trace(tracer->kept);
	if (is_none(mark->trace_id, sizeof mark->trace_id))
		make_id(mark->trace_id, sizeof mark->trace_id);
	if (is_none(mark->root_id, sizeof mark->root_id))
		make_id(mark->root_id, sizeof mark->root_id);
	if (tracer->has_parent)
		memcpy(mark->trace_id, tracer->parent.trace_id, sizeof mark->trace_id);
	kept_put_trace(tracer->kept, mark);
}

int tracer_init(struct tracer *tracer, const struct model *model, char *const *env, struct kept *kept,
	void (*tell)(const char *sentence), struct complaint *ret_why)
{
	const char *parent = trace_variable(env, "TRACEPARENT"), *resource;
	struct complaint plain;
	int error;

	if (model->trace_endpoint == NULL)
		return 0;
	tracer->has_parent = parent != NULL && trace_context_parse(parent, &tracer->parent) == 0;
	if (tracer->has_parent && !tracer->parent.sampled)
		return 0;
	error = trace_endpoint_find(model->trace_endpoint, env, &tracer->endpoint, &plain);
	if (error < 0)
		return complain(ret_why, -error, "--trace-endpoint: %.450s", plain.text);
	resource = trace_variable(env, "OTEL_RESOURCE_ATTRIBUTES");
	tracer->resource = resource != NULL ? resource : "";
	tracer->policy = &model->main.stop;
	tracer->kept = kept;
	tracer->tell = tell;
	take_mark(tracer);
	tracer->on = true;
	return 0;
}

/* ---- spans ---- */

/* Once for each life: what was made is not made again by the next monitor. */
static bool is_made(const struct tracer *tracer, enum span_name name)
{
	return (tracer->mark.made >> name & 1) != 0;
}

/* Without somebody else's parent the start is the root of all. */
static struct trace_span *add(struct tracer *tracer, enum span_name name, int64_t start_ns, int64_t end_ns)
{
	static struct trace_span nobody_hears;
	struct trace_span *span = tracer->waiting_count < TRACER_SPANS_MAX ? &tracer->waiting[tracer->waiting_count++]
									   : &nobody_hears;

	*span = (struct trace_span){ .name = name,
		.start_ns = start_ns,
		.end_ns = end_ns > start_ns ? end_ns : start_ns, /* a clock may be set back */
		.life = tracer->last.starts,
		.exit_code = -1 };
	if (name == SPAN_START)
		memcpy(span->id, tracer->mark.root_id, sizeof span->id);
	else
		make_id(span->id, sizeof span->id);
	if (tracer->has_parent)
		memcpy(span->parent_id, tracer->parent.parent_id, sizeof span->parent_id);
	else if (name != SPAN_START)
		memcpy(span->parent_id, tracer->mark.root_id, sizeof span->parent_id);
	tracer->mark.made |= 1U << name;
	kept_put_trace(tracer->kept, &tracer->mark);
	return span;
}

static int end_status(const struct tracer *tracer)
{
	return tracer->last.exits == tracer->last.starts ? tracer->last.last_status : SIGKILL;
}

/* What was asked for is no failure: a status that counts as clean, or a signal that is not our last word. */
static bool has_failed(const struct tracer *tracer)
{
	const struct stop_policy *policy = tracer->policy;
	const int status = end_status(tracer);

	if (WIFEXITED(status)) {
		const unsigned code = WEXITSTATUS(status);

		return code != 0 &&
			(tracer->stop_began_ns == 0 || (policy->clean_exit[code / 64] >> code % 64 & 1) == 0);
	}
	return tracer->stop_began_ns == 0 || WTERMSIG(status) == SIGKILL;
}

static void add_end(struct tracer *tracer, enum span_name name, int64_t start_ns)
{
	const int status = end_status(tracer);
	struct trace_span *span = add(tracer, name, start_ns, tracer->last_at_ns);

	span->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	span->failed = has_failed(tracer);
	memcpy(span->message, tracer->last.last_death, sizeof span->message);
}

/* The life is over, or will be in a moment by SIGKILL, and PID 1 has said how. */
static void see_end(struct tracer *tracer)
{
	const struct wire_service *service = &tracer->last;
	const bool over = service->exits == service->starts || service->state == WIRE_STATE_KILLING;
	const int64_t began_ns = tracer->stop_began_ns > 0 ? tracer->stop_began_ns : tracer->last_at_ns;

	if (service->starts == 0 || !over || is_made(tracer, SPAN_SHUTDOWN))
		return;
	if (service->executed_time_ns < service->start_time_ns) { /* it never came to life */
		if (!is_made(tracer, SPAN_START))
			add_end(tracer, SPAN_START, tracer->init_started_ns);
		return;
	}
	add_end(tracer, SPAN_SHUTDOWN, began_ns);
}

static void begin_life(struct tracer *tracer)
{
	const uint32_t ever = 1U << SPAN_START;

	tracer->mark.life = tracer->last.starts;
	tracer->mark.made &= ever;
	tracer->stop_began_ns = 0;
}

static void begin_stop(struct tracer *tracer, int64_t now)
{
	tracer->stop_began_ns = tracer->last_at_ns;
	tracer->spare_exchange = tracer->endpoint.exchange;
	tracer->has_spare = true;
	probe_hold(&tracer->spare, &tracer->endpoint.target, &tracer->spare_exchange, now, now + SPARE_NS);
	probe_advance(&tracer->spare, now);
}

static void drop_spare(struct tracer *tracer)
{
	if (tracer->has_spare)
		probe_cancel(&tracer->spare);
	tracer->has_spare = false;
}

void tracer_see(
	struct tracer *tracer, const struct wire_snapshot *snapshot, const struct wire_service *service, int64_t now)
{
	const bool lives = service->starts > service->exits;

	if (!tracer->on)
		return;
	tracer->last = *service;
	tracer->init_started_ns = snapshot->start_time_ns;
	tracer->last_at_ns = clock_wall_ns();
	if (service->starts != tracer->mark.life)
		begin_life(tracer);
	if (!is_made(tracer, SPAN_START) && service->starts == 1 && service->executed_time_ns >= service->start_time_ns)
		add(tracer, SPAN_START, snapshot->start_time_ns, service->executed_time_ns);
	if (lives && !is_made(tracer, SPAN_READY) && service->time_to_ready_ns >= 0)
		add(tracer, SPAN_READY, service->start_time_ns, service->start_time_ns + service->time_to_ready_ns);
	if (lives && tracer->stop_began_ns == 0 && service->state > WIRE_STATE_RUNNING)
		begin_stop(tracer, now);
	if (service->state == WIRE_STATE_RESTARTING) {
		see_end(tracer);
		drop_spare(tracer);
	}
}

bool tracer_wants_ready(const struct tracer *tracer)
{
	return tracer->on && !is_made(tracer, SPAN_READY);
}

/* ---- on their way ---- */

/* What the protocol says may pass (OTLP/HTTP response): these, and whatever is no answer. */
static bool may_pass(const struct probe *probe)
{
	const unsigned status = probe->head.status;

	return probe->head.result != HTTP_HEAD_COMPLETE || status == 429 || status == 502 || status == 503 ||
		status == 504;
}

static void forget(struct tracer *tracer, size_t count)
{
	tracer->waiting_count -= count;
	memmove(tracer->waiting, tracer->waiting + count, tracer->waiting_count * sizeof tracer->waiting[0]);
	tracer->tries = 0;
}

static void tell(struct tracer *tracer, bool failing, const char *reason)
{
	char sentence[PROBE_REASON_SIZE + 80];

	if (failing == tracer->is_failing)
		return;
	tracer->is_failing = failing;
	snprintf(sentence, sizeof sentence, "--trace-endpoint: %s; spans %s", reason,
		failing ? "are lost" : "are taken again");
	tracer->tell(sentence);
}

static void take_result(struct tracer *tracer, int64_t now)
{
	const size_t sent = tracer->under_way;
	const char *reason;
	const bool success = probe_result(&tracer->probe, &reason);

	tracer->under_way = 0;
	free(take_pointer(&tracer->content));
	if (!success && may_pass(&tracer->probe) && ++tracer->tries < TRIES_MAX) {
		tracer->again_at_ns = now + (BACKOFF_FIRST_NS << (tracer->tries - 1));
		return;
	}
	forget(tracer, sent);
	tell(tracer, !success, reason);
}

/* Spans from the first-th on. */
static int write_content(struct tracer *tracer, size_t first)
{
	free(take_pointer(&tracer->content));
	return spans_write(tracer->mark.trace_id, tracer->resource, tracer->waiting + first,
		tracer->waiting_count - first, &tracer->content);
}

static void begin_request(struct tracer *tracer, int64_t now)
{
	if (write_content(tracer, 0) < 0) {
		tracer->again_at_ns = now + BACKOFF_FIRST_NS;
		return;
	}
	tracer->under_way = tracer->waiting_count;
	tracer->endpoint.exchange.content = tracer->content;
	probe_start(&tracer->probe, &tracer->endpoint.target, &tracer->endpoint.exchange, now, now + TIMEOUT_NS);
}

static bool is_due(const struct tracer *tracer)
{
	return tracer->under_way == 0 && tracer->waiting_count > 0;
}

void tracer_run(struct tracer *tracer, int64_t now)
{
	if (tracer->has_spare)
		probe_advance(&tracer->spare, now);
	if (is_due(tracer) && now >= tracer->again_at_ns)
		begin_request(tracer, now);
	if (tracer->under_way > 0 && probe_advance(&tracer->probe, now) == PROBE_DONE)
		take_result(tracer, now);
}

size_t tracer_pollfds(const struct tracer *tracer, struct pollfd ret_slots[static TRACER_POLLFDS_MAX])
{
	size_t count = 0;

	if (tracer->under_way > 0)
		probe_poll(&tracer->probe, &ret_slots[count++]);
	if (tracer->has_spare)
		probe_poll(&tracer->spare, &ret_slots[count++]);
	return count;
}

int64_t tracer_deadline_ns(const struct tracer *tracer)
{
	int64_t deadline = TIME_NEVER;

	if (is_due(tracer))
		deadline = tracer->again_at_ns;
	if (tracer->under_way > 0)
		deadline = probe_wake(&tracer->probe);
	if (tracer->has_spare && probe_wake(&tracer->spare) < deadline)
		deadline = probe_wake(&tracer->spare);
	return deadline;
}

/* ---- the last word ---- */

/* A request of which nothing was sent is as good as none. */
static void take_back(struct tracer *tracer)
{
	if (tracer->under_way == 0 || tracer->probe.sent > 0)
		return;
	probe_cancel(&tracer->probe);
	tracer->under_way = 0;
}

/* To this machine a connection is there at once, and what is sent through it is: the kernel sees to the rest when this
 * process is no more. */
void tracer_end(struct tracer *tracer, int64_t now)
{
	if (!tracer->on)
		return;
	see_end(tracer);
	take_back(tracer);
	if (tracer->waiting_count == tracer->under_way)
		return;
	if (!tracer->has_spare || !probe_running(&tracer->spare))
		begin_stop(tracer, now);
	probe_advance(&tracer->spare, now);
	if (write_content(tracer, tracer->under_way) < 0)
		return;
	tracer->spare_exchange.content = tracer->content;
	probe_release(&tracer->spare, now);
	probe_advance(&tracer->spare, now);
}
