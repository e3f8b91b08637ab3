/* Sends spans of the container's life to a collector (OTLP/HTTP): the monitor's, made of what PID 1's snapshots say.
 * Nothing here waits: a collector that is dead, slow or hostile costs a descriptor or two and some kilobytes. */
#pragma once

#include "base/kept.h"
#include "base/model.h"
#include "base/trace_endpoint.h"
#include "health/probe.h"
#include "health/spans.h"

#define TRACER_POLLFDS_MAX 2
#define TRACER_SPANS_MAX 8 /* that wait to be sent: of further ones nobody hears */

struct tracer {
	bool on;
	struct trace_endpoint endpoint;
	const char *resource; /* borrowed */
	const struct stop_policy *policy;
	struct kept *kept;
	void (*tell)(const char *sentence);

	struct trace_context parent; /* of the environment, if has_parent */
	bool has_parent;
	struct trace_mark mark;
	int64_t stop_began_ns; /* wall clock; 0: this life is not being stopped */
	struct wire_service last;
	int64_t init_started_ns; /* wall clock */
	int64_t last_at_ns;      /* wall clock, when it came */

	struct trace_span waiting[TRACER_SPANS_MAX];
	size_t waiting_count;
	size_t under_way; /* so many of them, the first, are in the request that is on its way; 0: none is */
	unsigned tries;
	int64_t again_at_ns;
	bool is_failing;
	struct probe probe;
	struct probe spare; /* once a stop has begun: a connection that is there already when all ends */
	bool has_spare;
	struct exchange spare_exchange;
	char *content; /* owned */
};

/* Without --trace-endpoint, and where TRACEPARENT is of a trace that is not recorded (not sampled), it is off and stays
 * so. env: this process's. tell: what the log is to say. Returns 0, or -errno with a sentence. */
int tracer_init(struct tracer *tracer, const struct model *model, char *const *env, struct kept *kept,
	void (*tell)(const char *sentence), struct complaint *ret_why);

/* PID 1 has said how it is. */
void tracer_see(
	struct tracer *tracer, const struct wire_snapshot *snapshot, const struct wire_service *service, int64_t now);

/* True if PID 1 is to be asked for its counters once it has heard that the service is ready. */
bool tracer_wants_ready(const struct tracer *tracer);

size_t tracer_pollfds(const struct tracer *tracer, struct pollfd ret_slots[static TRACER_POLLFDS_MAX]);
int64_t tracer_deadline_ns(const struct tracer *tracer);
void tracer_run(struct tracer *tracer, int64_t now);

/* PID 1 has closed the channel: hands over what is left as far as that takes no waiting. */
void tracer_end(struct tracer *tracer, int64_t now);
