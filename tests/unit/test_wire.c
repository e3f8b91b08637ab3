#include "base/clock.h"
#include "base/wire.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const size_t sizes[] = {
	[WIRE_SNAPSHOT] = sizeof(struct wire_snapshot),
	[WIRE_SERVICE] = sizeof(struct wire_service),
	[WIRE_REFRESH] = sizeof(struct wire_refresh),
	[WIRE_HEALTH] = sizeof(struct wire_health),
	[WIRE_ASK] = sizeof(struct wire_ask),
	[WIRE_VERDICT] = sizeof(struct wire_verdict),
	[WIRE_CHECK] = sizeof(struct wire_check),
	[WIRE_DENIAL] = sizeof(struct wire_denial),
	[WIRE_END] = sizeof(struct wire_end),
	[WIRE_LISTENER] = sizeof(struct wire_listener),
	[WIRE_RUN] = sizeof(struct wire_run),
	[WIRE_RAN] = sizeof(struct wire_ran),
	[WIRE_NOTIFIED] = sizeof(struct wire_notified),
	[WIRE_OPEN] = sizeof(struct wire_open),
	[WIRE_OPENED] = sizeof(struct wire_opened),
	[WIRE_CHANGED] = sizeof(struct wire_changed),
	[WIRE_LOOK] = sizeof(struct wire_look),
	[WIRE_SECRET] = sizeof(struct wire_secret),
	[WIRE_ORDER] = sizeof(struct wire_order),
	[WIRE_CLIENT] = sizeof(struct wire_client),
	[WIRE_ORDERED] = sizeof(struct wire_ordered),
};
static_assert(COUNT(sizes) == WIRE_TYPE_COUNT, "a size for every type");

/* The fields that have a range, or are strings. */
struct range {
	enum wire_type type;
	const char *name;
	size_t at, width; /* a number of 1 or 4 bytes in the host's order; a string of more */
	uint32_t highest; /* of a number */
};
#define FIELD(type, record, field, highest)                                                                            \
	{                                                                                                              \
		type, #field, offsetof(struct record, field), sizeof(((struct record *)0)->field), highest             \
	}
#define LAYERS ((1U << LAYER_COUNT) - 1)

#define EXIT(i)                                                                                                        \
	FIELD(WIRE_SERVICE, wire_service, exit[i].cause, WIRE_CAUSE_COUNT - 1),                                        \
		FIELD(WIRE_SERVICE, wire_service, exit[i].code, 255)
static_assert(WIRE_EXITS_MAX == 8, "a range for every exit");

static const struct range ranges[] = {
	FIELD(WIRE_SNAPSHOT, wire_snapshot, state, WIRE_STATE_INIT_COUNT - 1),
	FIELD(WIRE_SNAPSHOT, wire_snapshot, reload_successful, 1),
	FIELD(WIRE_SNAPSHOT, wire_snapshot, reserved, 0),
	FIELD(WIRE_SNAPSHOT, wire_snapshot, reload_said, 0),
	FIELD(WIRE_SERVICE, wire_service, state, WIRE_STATE_COUNT - 1),
	FIELD(WIRE_SERVICE, wire_service, service, MODEL_SERVICES_MAX - 1),
	FIELD(WIRE_SERVICE, wire_service, kind, SERVICE_KIND_COUNT - 1),
	FIELD(WIRE_SERVICE, wire_service, removed, 1),
	FIELD(WIRE_SERVICE, wire_service, name, 0),
	FIELD(WIRE_CHANGED, wire_changed, service, MODEL_SERVICES_MAX - 1),
	FIELD(WIRE_CHANGED, wire_changed, reserved, 0),
	FIELD(WIRE_SECRET, wire_secret, secret, MODEL_SECRETS_MAX - 1),
	FIELD(WIRE_SECRET, wire_secret, action, SECRET_ACTION_COUNT - 1),
	FIELD(WIRE_SECRET, wire_secret, name, 0),
	FIELD(WIRE_ORDER, wire_order, command, WIRE_COMMAND_COUNT - 1),
	FIELD(WIRE_ORDER, wire_order, service, MODEL_SERVICES_MAX - 1),
	FIELD(WIRE_ORDER, wire_order, signal, WIRE_SIGNALS - 1),
	FIELD(WIRE_ORDER, wire_order, reserved, 0),
	FIELD(WIRE_ORDERED, wire_ordered, result, WIRE_RESULT_COUNT - 1),
	FIELD(WIRE_ORDERED, wire_ordered, reserved, 0),
	FIELD(WIRE_CHECK, wire_check, service, MODEL_SERVICES_MAX - 1),
	FIELD(WIRE_CHECK, wire_check, reserved, 0),
	FIELD(WIRE_SERVICE, wire_service, main_pid, INT32_MAX),
	FIELD(WIRE_SERVICE, wire_service, layers_requested, LAYERS),
	FIELD(WIRE_SERVICE, wire_service, layers_enforced, LAYERS),
	EXIT(0),
	EXIT(1),
	EXIT(2),
	EXIT(3),
	EXIT(4),
	EXIT(5),
	EXIT(6),
	EXIT(7),
	FIELD(WIRE_SERVICE, wire_service, securebits, 255),
	FIELD(WIRE_SERVICE, wire_service, seccomp_profile, 0),
	FIELD(WIRE_SERVICE, wire_service, seccomp_sha256, 0),
	FIELD(WIRE_SERVICE, wire_service, seccomp_default_action, 0),
	FIELD(WIRE_SERVICE, wire_service, read_only_how, 0),
	FIELD(WIRE_SERVICE, wire_service, waits_for, 0),
	FIELD(WIRE_SERVICE, wire_service, last_death, 0),
	FIELD(WIRE_HEALTH, wire_health, healthy[CHECK_LIVE], 1),
	FIELD(WIRE_HEALTH, wire_health, healthy[CHECK_READY], 1),
	FIELD(WIRE_HEALTH, wire_health, healthy[CHECK_STARTUP], 1),
	FIELD(WIRE_HEALTH, wire_health, service, MODEL_SERVICES_MAX - 1),
	FIELD(WIRE_HEALTH, wire_health, unhealthy, 1),
	FIELD(WIRE_ASK, wire_ask, question, WIRE_QUESTION_COUNT - 1),
	FIELD(WIRE_ASK, wire_ask, kind, CHECK_KIND_COUNT - 1),
	FIELD(WIRE_VERDICT, wire_verdict, kind, CHECK_KIND_COUNT - 1),
	FIELD(WIRE_VERDICT, wire_verdict, healthy, 1),
	FIELD(WIRE_VERDICT, wire_verdict, silent, 1),
	FIELD(WIRE_VERDICT, wire_verdict, reserved, 0),
	FIELD(WIRE_VERDICT, wire_verdict, reason, 0),
	FIELD(WIRE_CHECK, wire_check, kind, CHECK_KIND_COUNT - 1),
	FIELD(WIRE_CHECK, wire_check, healthy, 1),
	FIELD(WIRE_CHECK, wire_check, settled, 1),
	FIELD(WIRE_CHECK, wire_check, name, 0),
	FIELD(WIRE_CHECK, wire_check, reason, 0),
	FIELD(WIRE_DENIAL, wire_denial, syscall, 0),
	FIELD(WIRE_DENIAL, wire_denial, action, 0),
	FIELD(WIRE_RAN, wire_ran, outcome, WIRE_OUTCOME_COUNT - 1),
	FIELD(WIRE_RAN, wire_ran, reason, 0),
	FIELD(WIRE_NOTIFIED, wire_notified, said, WIRE_SAID_COUNT - 1),
	FIELD(WIRE_NOTIFIED, wire_notified, error, WIRE_ERROR_MAX),
	FIELD(WIRE_NOTIFIED, wire_notified, watchdog_ms, WIRE_WATCHDOG_MS_MAX),
	FIELD(WIRE_NOTIFIED, wire_notified, service, MODEL_SERVICES_MAX - 1),
	FIELD(WIRE_NOTIFIED, wire_notified, status, 0),
	FIELD(WIRE_OPENED, wire_opened, error, WIRE_ERROR_MAX),
};

static bool is_string(const struct range *range)
{
	return range->width > sizeof(uint32_t);
}

static union wire_record valid(enum wire_type type)
{
	union wire_record record;

	memset(&record, 0, sizeof record);
	wire_seal(&record, type);
	return record;
}

static uint32_t number_at(const union wire_record *record, const struct range *range)
{
	uint32_t number = 0;

	memcpy(&number, (const char *)record + range->at, range->width);
	if (range->width == 1)
		number = *((const uint8_t *)record + range->at);
	return number;
}

static void put_number(union wire_record *record, const struct range *range, uint32_t number)
{
	const uint8_t byte = (uint8_t)number;

	if (range->width == 1)
		memcpy((char *)record + range->at, &byte, 1);
	else
		memcpy((char *)record + range->at, &number, sizeof number);
}

static void seals_and_accepts_every_type(void **state)
{
	(void)state;
	for (unsigned type = WIRE_SNAPSHOT; type < WIRE_TYPE_COUNT; type++) {
		const union wire_record record = valid((enum wire_type)type);

		assert_int_equal(record.header.version, 1);
		assert_int_equal(record.header.type, type);
		assert_int_equal(record.header.length, sizes[type]);
		assert_int_equal(wire_validate(&record, sizes[type]), 0);
	}
}

static void seals_over_what_was_there(void **state)
{
	union wire_record record;

	(void)state;
	memset(&record, 0xff, sizeof record);
	wire_seal(&record, WIRE_REFRESH);
	assert_int_equal(wire_validate(&record, sizeof(struct wire_refresh)), 0);
}

static void refuses_every_other_length(void **state)
{
	(void)state;
	for (unsigned type = WIRE_SNAPSHOT; type < WIRE_TYPE_COUNT; type++) {
		for (size_t length = 0; length <= sizeof(union wire_record) + 8; length++) {
			const union wire_record record = valid((enum wire_type)type);

			assert_int_equal(wire_validate(&record, length), length == sizes[type] ? 0 : -EBADMSG);
		}
	}
}

static void refuses_a_length_that_is_not_the_packets(void **state)
{
	(void)state;
	for (unsigned type = WIRE_SNAPSHOT; type < WIRE_TYPE_COUNT; type++) {
		static const uint32_t lengths[] = { 0, 7, 8, UINT32_MAX };
		union wire_record record = valid((enum wire_type)type);

		for (size_t i = 0; i < COUNT(lengths); i++) {
			if (lengths[i] == sizes[type])
				continue;
			record.header.length = lengths[i];
			assert_int_equal(wire_validate(&record, sizes[type]), -EBADMSG);
		}
		record.header.length = (uint32_t)sizes[type] + 1;
		assert_int_equal(wire_validate(&record, sizes[type]), -EBADMSG);
		assert_int_equal(wire_validate(&record, sizes[type] + 1), -EBADMSG);
	}
}

static void refuses_every_other_version(void **state)
{
	(void)state;
	for (unsigned type = WIRE_SNAPSHOT; type < WIRE_TYPE_COUNT; type++) {
		for (unsigned version = 0; version <= UINT16_MAX; version++) {
			union wire_record record = valid((enum wire_type)type);

			if (version % 256 > 2)
				continue;
			record.header.version = (uint16_t)version;
			assert_int_equal(wire_validate(&record, sizes[type]), version == 1 ? 0 : -EBADMSG);
		}
	}
}

static void refuses_unknown_types(void **state)
{
	(void)state;
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		union wire_record record;

		if (type >= WIRE_SNAPSHOT && type < WIRE_TYPE_COUNT)
			continue;
		memset(&record, 0, sizeof record);
		record.header = (struct wire_header){ .version = 1, .type = (uint16_t)type, .length = 8 };
		assert_int_equal(wire_validate(&record, 8), -EBADMSG);
		record.header.length = 0;
		assert_int_equal(wire_validate(&record, 8), -EBADMSG);
		/* A record that nothing knows is sealed as one that is refused. */
		wire_seal(&record, (enum wire_type)type);
		assert_int_equal(wire_validate(&record, 8), -EBADMSG);
	}
}

static void check_number(const struct range *range)
{
	const uint32_t wrong[] = { range->highest + 1, range->highest + 2, 0x80, 0xff, 0x80000000, UINT32_MAX };
	union wire_record record = valid(range->type);

	put_number(&record, range, range->highest);
	assert_int_equal(wire_validate(&record, sizes[range->type]), 0);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		put_number(&record, range, wrong[i]);
		if (number_at(&record, range) <= range->highest)
			continue; /* it does not fit into the field, or is no more than is allowed */
		if (wire_validate(&record, sizes[range->type]) != -EBADMSG)
			fail_msg("%s: %x is accepted", range->name, wrong[i]);
	}
}

static void check_string(const struct range *range)
{
	union wire_record record = valid(range->type);
	char *text = (char *)&record + range->at;

	memset(text, 'x', range->width);
	if (wire_validate(&record, sizes[range->type]) != -EBADMSG)
		fail_msg("%s: accepted without a NUL", range->name);
	text[range->width - 1] = '\0';
	assert_int_equal(wire_validate(&record, sizes[range->type]), 0);
	text[range->width - 1] = '\xff';
	text[0] = '\0';
	assert_int_equal(wire_validate(&record, sizes[range->type]), 0);
}

static void refuses_fields_out_of_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ranges); i++) {
		if (is_string(&ranges[i]))
			check_string(&ranges[i]);
		else
			check_number(&ranges[i]);
	}
}

/* Where nothing is said any value goes: counters, times, statuses. */
static void accepts_any_value_where_there_is_no_range(void **state)
{
	(void)state;
	for (unsigned type = WIRE_SNAPSHOT; type < WIRE_TYPE_COUNT; type++) {
		union wire_record record;

		memset(&record, 0xff, sizeof record);
		wire_seal(&record, (enum wire_type)type);
		for (size_t i = 0; i < COUNT(ranges); i++)
			if (ranges[i].type == type)
				memset((char *)&record + ranges[i].at, 0, ranges[i].width);
		assert_int_equal(wire_validate(&record, sizes[type]), 0);
	}
}

/* The same rules, from the table. */
static bool is_valid(const union wire_record *record, size_t length)
{
	if (length < sizeof record->header || record->header.version != 1 || record->header.type == 0 ||
		record->header.type >= WIRE_TYPE_COUNT || length != sizes[record->header.type] ||
		record->header.length != length)
		return false;
	for (size_t i = 0; i < COUNT(ranges); i++) {
		const char *field = (const char *)record + ranges[i].at;

		if (ranges[i].type != record->header.type)
			continue;
		if (is_string(&ranges[i]) ? memchr(field, '\0', ranges[i].width) == NULL
					  : number_at(record, &ranges[i]) > ranges[i].highest)
			return false;
	}
	return true;
}

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

/* Bytes that are random but for as much as makes some of them good. */
static size_t random_record(uint64_t *seed, union wire_record *ret_record)
{
	const unsigned type = 1 + next_random(seed) % (WIRE_TYPE_COUNT - 1), manner = next_random(seed) % 4;

	memset(ret_record, (int)(next_random(seed) % 2), sizeof *ret_record);
	for (size_t i = 0; i < (manner == 0 ? sizeof *ret_record : manner); i++)
		((uint8_t *)ret_record)[next_random(seed) % sizeof *ret_record] = (uint8_t)next_random(seed);
	if (manner == 0)
		return next_random(seed) % (sizeof *ret_record + 1);
	wire_seal(ret_record, (enum wire_type)type);
	for (size_t i = 0; i < COUNT(ranges); i++) {
		if (is_string(&ranges[i]) || ranges[i].type != type)
			continue;
		put_number(ret_record, &ranges[i],
			next_random(seed) % 16 == 0 ? next_random(seed) : next_random(seed) % 2);
	}
	if (manner == 3 && next_random(seed) % 4 == 0)
		((uint8_t *)ret_record)[next_random(seed) % 8] = (uint8_t)next_random(seed);
	return sizes[type];
}

static void accepts_bytes_only_if_they_are_a_record(void **state)
{
	uint64_t seed = 11;
	unsigned accepted[WIRE_TYPE_COUNT] = { 0 }, refused = 0;

	(void)state;
	for (unsigned round = 0; round < 50000; round++) {
		union wire_record record;
		const size_t length = random_record(&seed, &record);
		const bool good = is_valid(&record, length);

		if (wire_validate(&record, length) != (good ? 0 : -EBADMSG))
			fail_msg("round %u: type %u, length %zu, %s", round, record.header.type, length,
				good ? "good" : "bad");
		if (good)
			accepted[record.header.type]++;
		else
			refused++;
	}
	for (size_t type = 1; type < WIRE_TYPE_COUNT; type++)
		assert_true(accepted[type] > 50);
	assert_true(refused > 5000);
}

static void names_the_states(void **state)
{
	static const char names[][16] = { "starting", "running", "draining", "stopping", "killing", "restarting",
		"waiting", "ended" };
	static const char said[][16] = { "starting", "ready", "reloading", "stopping" };

	(void)state;
	for (uint32_t i = 0; i < WIRE_STATE_COUNT; i++)
		assert_string_equal(wire_state_name(i), names[i]);
	assert_string_equal(wire_state_name(WIRE_STATE_COUNT), "unknown");
	assert_string_equal(wire_state_name(UINT32_MAX), "unknown");
	for (uint32_t i = 0; i < COUNT(said); i++)
		assert_string_equal(wire_said_name(i), said[i]);
	assert_string_equal(wire_said_name(WIRE_SAID_COUNT), "unknown");
}

static void buckets_rise_from_1_ms_to_5_s(void **state)
{
	(void)state;
	assert_int_equal(wire_bucket_ns[0], NS_PER_MS);
	assert_int_equal(wire_bucket_ns[WIRE_BUCKETS - 1], 5 * NS_PER_S);
	for (size_t i = 1; i < WIRE_BUCKETS; i++)
		assert_true(wire_bucket_ns[i] == 5 * wire_bucket_ns[i - 1] ||
			wire_bucket_ns[i] == 2 * wire_bucket_ns[i - 1]);
}

/* ---- the model ---- */

static void names_layers_and_kinds(void **state)
{
	static const char layers[][16] = { "user", "capabilities", "securebits", "no_new_privs", "seccomp", "read_only",
		"tmpfs", "limits", "exec_allow", "tcp" };
	static const char kinds[][8] = { "live", "ready", "startup" };

	(void)state;
	assert_int_equal(COUNT(layers), LAYER_COUNT);
	assert_int_equal(COUNT(kinds), CHECK_KIND_COUNT);
	for (size_t i = 0; i < LAYER_COUNT; i++)
		assert_string_equal(layer_name((enum layer)i), layers[i]);
	for (size_t i = 0; i < CHECK_KIND_COUNT; i++)
		assert_string_equal(check_kind_name((enum check_kind)i), kinds[i]);
}

static void counts_exits_by_cause_and_code(void **state)
{
	struct wire_service service = { 0 };

	(void)state;
	wire_count_exit(&service, WIRE_CAUSE_SIGNAL, 139);
	wire_count_exit(&service, WIRE_CAUSE_EXIT, 0);
	wire_count_exit(&service, WIRE_CAUSE_SIGNAL, 139);
	for (uint32_t code = 1; code <= 10; code++)
		wire_count_exit(&service, WIRE_CAUSE_EXIT, code);
	assert_int_equal(service.exits, 13);
	assert_int_equal(service.exit[0].count, 2);
	assert_int_equal(service.exit[0].cause, WIRE_CAUSE_SIGNAL);
	assert_int_equal(service.exit[1].count, 1);
	assert_int_equal(service.exit[1].code, 0);
	assert_int_equal(service.exit[7].code, 6); /* those after it are in the sum alone */
	assert_int_equal(service.exit[7].count, 1);
}

static void defaults_ask_for_no_new_privs_and_nothing_else(void **state)
{
	static struct model model, expected;

	(void)state;
	model_defaults(&model);
	expected.main.essential = true;
	expected.main.confinement.no_new_privs = true;
	expected.main.stop.timeout_ns = TIME_NEVER;
	expected.log_level = LOG_LEVEL_NOTICE;
	expected.main.restart.backoff_ns = INT64_C(1000000000);
	expected.main.restart.max_backoff_ns = INT64_C(30000000000);
	expected.main.restart.attempts = 5;
	expected.main.restart.window_ns = INT64_C(300000000000);
	expected.main.timing.interval_ns = INT64_C(30000000000);
	expected.main.timing.start_interval_ns = INT64_C(1000000000);
	expected.main.timing.timeout_ns = INT64_C(30000000000);
	expected.main.timing.retries = 3;
	expected.main.timing.success_threshold = 1;
	assert_memory_equal(&model, &expected, sizeof model);
	assert_false(model_wants_monitor(&model));
}

static void checks_and_addresses_and_several_services_want_the_monitor(void **state)
{
	static struct model model;
	static struct service other;

	(void)state;
	model.main.check_count = 1;
	assert_true(model_wants_monitor(&model));
	model.main.check_count = 0;
	model.listen_count = 1;
	assert_true(model_wants_monitor(&model));
	model.main.check_count = 1;
	assert_true(model_wants_monitor(&model));
	model.main.check_count = model.listen_count = 0;
	model.more = &other;
	model.more_count = 1;
	assert_true(model_wants_monitor(&model)); /* several services are asked about, and told to stop and to start */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seals_and_accepts_every_type),
		cmocka_unit_test(seals_over_what_was_there),
		cmocka_unit_test(refuses_every_other_length),
		cmocka_unit_test(refuses_a_length_that_is_not_the_packets),
		cmocka_unit_test(refuses_every_other_version),
		cmocka_unit_test(refuses_unknown_types),
		cmocka_unit_test(refuses_fields_out_of_range),
		cmocka_unit_test(accepts_any_value_where_there_is_no_range),
		cmocka_unit_test(accepts_bytes_only_if_they_are_a_record),
		cmocka_unit_test(names_the_states),
		cmocka_unit_test(buckets_rise_from_1_ms_to_5_s),
		cmocka_unit_test(names_layers_and_kinds),
		cmocka_unit_test(counts_exits_by_cause_and_code),
		cmocka_unit_test(defaults_ask_for_no_new_privs_and_nothing_else),
		cmocka_unit_test(checks_and_addresses_and_several_services_want_the_monitor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
