#include "base/wire.h"

#include "base/securebits.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

const int64_t wire_bucket_ns[WIRE_BUCKETS] = { 1000000, 5000000, 10000000, 50000000, 100000000, 500000000, 1000000000,
	5000000000 };

static const char state_names[][16] = { "starting", "running", "draining", "stopping", "killing", "restarting",
	"waiting", "ended" };
static_assert(sizeof state_names / sizeof state_names[0] == WIRE_STATE_COUNT, "a name for every state");

static const char cause_names[][8] = { "exit", "signal", "oom", "seccomp", "exec", "refused" };
static_assert(sizeof cause_names / sizeof cause_names[0] == WIRE_CAUSE_COUNT, "a name for every cause");

static const char deadline_names[][20] = { "pre-stop-timeout", "stop-timeout", "leftovers" };
static_assert(sizeof deadline_names / sizeof deadline_names[0] == WIRE_DEADLINE_COUNT, "a name for every deadline");

static const char said_names[][12] = { "starting", "ready", "reloading", "stopping" };
static_assert(sizeof said_names / sizeof said_names[0] == WIRE_SAID_COUNT, "a name for all that is said");

const char *wire_said_name(uint32_t said)
{
	return said < WIRE_SAID_COUNT ? said_names[said] : "unknown";
}

const char *wire_cause_name(uint32_t cause)
{
	return cause < WIRE_CAUSE_COUNT ? cause_names[cause] : "unknown";
}

const char *wire_deadline_name(uint32_t deadline)
{
	return deadline < WIRE_DEADLINE_COUNT ? deadline_names[deadline] : "unknown";
}

const char *wire_state_name(uint32_t state)
{
	return state < WIRE_STATE_COUNT ? state_names[state] : "unknown";
}

bool wire_is_gone(const struct wire_service *service)
{
	return service->removed == 1 && (service->state == WIRE_STATE_ENDED || service->state == WIRE_STATE_WAITING);
}

void wire_count_exit(struct wire_service *service, enum wire_cause cause, uint32_t code)
{
	service->exits++;
	for (size_t i = 0; i < WIRE_EXITS_MAX; i++) {
		struct wire_exit *kind = &service->exit[i];

		if (kind->count == 0)
			*kind = (struct wire_exit){ .cause = cause, .code = code };
		if (kind->cause == (uint32_t)cause && kind->code == code) {
			kind->count++;
			return;
		}
	}
}

static uint32_t record_length(uint16_t type)
{
	switch (type) {
	case WIRE_SNAPSHOT:
		return sizeof(struct wire_snapshot);
	case WIRE_SERVICE:
		return sizeof(struct wire_service);
	case WIRE_REFRESH:
		return sizeof(struct wire_refresh);
	case WIRE_HEALTH:
		return sizeof(struct wire_health);
	case WIRE_ASK:
		return sizeof(struct wire_ask);
	case WIRE_LISTENER:
		return sizeof(struct wire_listener);
	case WIRE_RUN:
		return sizeof(struct wire_run);
	case WIRE_RAN:
		return sizeof(struct wire_ran);
	case WIRE_NOTIFIED:
		return sizeof(struct wire_notified);
	case WIRE_OPEN:
		return sizeof(struct wire_open);
	case WIRE_OPENED:
		return sizeof(struct wire_opened);
	case WIRE_CHANGED:
		return sizeof(struct wire_changed);
	case WIRE_LOOK:
		return sizeof(struct wire_look);
	case WIRE_SECRET:
		return sizeof(struct wire_secret);
	case WIRE_ORDER:
		return sizeof(struct wire_order);
	case WIRE_CLIENT:
		return sizeof(struct wire_client);
	case WIRE_ORDERED:
		return sizeof(struct wire_ordered);
	case WIRE_VERDICT:
		return sizeof(struct wire_verdict);
	case WIRE_CHECK:
		return sizeof(struct wire_check);
	case WIRE_DENIAL:
		return sizeof(struct wire_denial);
	case WIRE_END:
		return sizeof(struct wire_end);
	default:
		return 0;
	}
}

void wire_seal(union wire_record *record, enum wire_type type)
{
	record->header.version = WIRE_VERSION;
	record->header.type = (uint16_t)type;
	record->header.length = record_length((uint16_t)type);
}

static bool terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool exits_in_range(const struct wire_service *service)
{
	for (size_t i = 0; i < WIRE_EXITS_MAX; i++)
		if (service->exit[i].cause >= WIRE_CAUSE_COUNT || service->exit[i].code > UINT8_MAX)
			return false;
	return true;
}

static bool service_in_range(const struct wire_service *service)
{
	return service->service < MODEL_SERVICES_MAX && exits_in_range(service) && service->state < WIRE_STATE_COUNT &&
		service->main_pid >= 0 && service->layers_requested >> LAYER_COUNT == 0 &&
		service->layers_enforced >> LAYER_COUNT == 0 && service->securebits >> SECUREBITS_COUNT == 0 &&
		service->kind < SERVICE_KIND_COUNT && service->removed <= 1 &&
		terminated(service->name, sizeof service->name) &&
		terminated(service->seccomp_profile, sizeof service->seccomp_profile) &&
		terminated(service->seccomp_sha256, sizeof service->seccomp_sha256) &&
		terminated(service->seccomp_default_action, sizeof service->seccomp_default_action) &&
		terminated(service->read_only_how, sizeof service->read_only_how) &&
		terminated(service->waits_for, sizeof service->waits_for) &&
		terminated(service->last_death, sizeof service->last_death);
}

static bool health_in_range(const struct wire_health *health)
{
	for (size_t i = 0; i < CHECK_KIND_COUNT; i++)
		if (health->healthy[i] > 1)
			return false;
	return health->unhealthy <= 1 && health->service < MODEL_SERVICES_MAX;
}

static bool check_in_range(const struct wire_check *check)
{
	return check->service < MODEL_SERVICES_MAX && check->reserved == 0 && check->kind < CHECK_KIND_COUNT &&
		check->healthy <= 1 && check->settled <= 1 && terminated(check->name, sizeof check->name) &&
		terminated(check->reason, sizeof check->reason);
}

static bool notified_in_range(const struct wire_notified *notified)
{
	return notified->said < WIRE_SAID_COUNT && notified->error <= WIRE_ERROR_MAX &&
		notified->watchdog_ms <= WIRE_WATCHDOG_MS_MAX && notified->service < MODEL_SERVICES_MAX &&
		terminated(notified->status, sizeof notified->status);
}

static bool fields_in_range(const union wire_record *record)
{
	switch (record->header.type) {
	case WIRE_SNAPSHOT:
		return record->snapshot.state < WIRE_STATE_INIT_COUNT && record->snapshot.reload_successful <= 1 &&
			record->snapshot.reserved == 0 &&
			terminated(record->snapshot.reload_said, sizeof record->snapshot.reload_said);
	case WIRE_SERVICE:
		return service_in_range(&record->service);
	case WIRE_HEALTH:
		return health_in_range(&record->health);
	case WIRE_ASK:
		return record->ask.question < WIRE_QUESTION_COUNT && record->ask.kind < CHECK_KIND_COUNT;
	case WIRE_VERDICT:
		return record->verdict.kind < CHECK_KIND_COUNT && record->verdict.healthy <= 1 &&
			record->verdict.silent <= 1 && record->verdict.reserved == 0 &&
			terminated(record->verdict.reason, sizeof record->verdict.reason);
	case WIRE_CHECK:
		return check_in_range(&record->check);
	case WIRE_DENIAL:
		return terminated(record->denial.syscall, sizeof record->denial.syscall) &&
			terminated(record->denial.action, sizeof record->denial.action);
	case WIRE_RAN:
		return record->ran.outcome < WIRE_OUTCOME_COUNT &&
			terminated(record->ran.reason, sizeof record->ran.reason);
	case WIRE_CHANGED:
		return record->changed.service < MODEL_SERVICES_MAX && record->changed.reserved == 0;
	case WIRE_SECRET:
		return record->secret.secret < MODEL_SECRETS_MAX && record->secret.action < SECRET_ACTION_COUNT &&
			terminated(record->secret.name, sizeof record->secret.name);
	case WIRE_ORDER:
		return record->order.command < WIRE_COMMAND_COUNT && record->order.service < MODEL_SERVICES_MAX &&
			record->order.signal < WIRE_SIGNALS && record->order.reserved == 0;
	case WIRE_ORDERED:
		return record->ordered.result < WIRE_RESULT_COUNT && record->ordered.reserved == 0;
	case WIRE_NOTIFIED:
		return notified_in_range(&record->notified);
	case WIRE_OPENED:
		return record->opened.error <= WIRE_ERROR_MAX;
	default:
		return true; /* nothing but a header */
	}
}

int wire_validate(const union wire_record *record, size_t length)
{
	uint32_t expected;

	if (length < sizeof record->header || record->header.version != WIRE_VERSION)
		return -EBADMSG;
	expected = record_length(record->header.type);
	if (expected == 0 || length != expected || record->header.length != expected)
		return -EBADMSG;
	return fields_in_range(record) ? 0 : -EBADMSG;
}
