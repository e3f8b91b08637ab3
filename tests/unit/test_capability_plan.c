#include "base/capname.h"
#include "init/capability_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BIT(capability) (UINT64_C(1) << (capability))
#define ALL UINT64_MAX
#define EVERY ((UINT64_C(1) << CAPNAME_COUNT) - 1)
/* What Docker gives a container. */
#define DOCKER UINT64_C(0xa80425fb)
#define CHOWN BIT(CAP_CHOWN)
#define BIND BIT(CAP_NET_BIND_SERVICE)
#define RAW BIT(CAP_NET_RAW)
#define SETPCAP BIT(CAP_SETPCAP)
#define ADMIN BIT(CAP_SYS_ADMIN)

static const struct plan {
	const char *name;
	struct {
		uint64_t bounding, permitted;
	} have;
	uint64_t drop, add;
	bool root;
	struct capability_sets want; /* bounding, permitted, effective, inheritable, ambient */
} plans[] = {
	{ "root keeps what it has", { DOCKER, DOCKER }, 0, 0, true, { DOCKER, DOCKER, DOCKER, 0, 0 } },
	{ "root drops all", { DOCKER, DOCKER }, ALL, 0, true, { 0, 0, 0, 0, 0 } },
	{ "root drops one", { DOCKER, DOCKER }, RAW, 0, true, { DOCKER & ~RAW, DOCKER & ~RAW, DOCKER & ~RAW, 0, 0 } },
	{ "root drops what it has not", { DOCKER, DOCKER }, ADMIN, 0, true, { DOCKER, DOCKER, DOCKER, 0, 0 } },
	{ "root drops all but one", { DOCKER, DOCKER }, ALL, BIND, true, { BIND, BIND, BIND, 0, 0 } },
	{ "root adds what it has", { DOCKER, DOCKER }, 0, BIND, true, { DOCKER, DOCKER, DOCKER, 0, 0 } },
	{ "what is added wins over the same dropped", { DOCKER, DOCKER }, RAW | CHOWN, RAW, true,
		{ DOCKER & ~CHOWN, DOCKER & ~CHOWN, DOCKER & ~CHOWN, 0, 0 } },
	{ "root's permitted set does not grow", { DOCKER, SETPCAP | BIND }, RAW, 0, true,
		{ DOCKER & ~RAW, SETPCAP | BIND, SETPCAP | BIND, 0, 0 } },
	{ "all of everything", { EVERY, EVERY }, ALL, ALL, true, { EVERY, EVERY, EVERY, 0, 0 } },
	{ "the last capability", { EVERY, EVERY }, ALL, BIT(CAP_CHECKPOINT_RESTORE), true,
		{ BIT(40), BIT(40), BIT(40), 0, 0 } },

	{ "what has no name is not there to be added", { DOCKER, DOCKER }, 0, BIT(41) | BIND, true,
		{ DOCKER, DOCKER, DOCKER, 0, 0 } },

	{ "another user gets nothing", { DOCKER, DOCKER }, 0, 0, false, { DOCKER, 0, 0, 0, 0 } },
	{ "another user drops all", { DOCKER, DOCKER }, ALL, 0, false, { 0, 0, 0, 0, 0 } },
	{ "another user with one", { DOCKER, DOCKER }, ALL, BIND, false, { BIND, BIND, BIND, BIND, BIND } },
	{ "another user with one, nothing dropped", { DOCKER, DOCKER }, 0, BIND, false,
		{ DOCKER, BIND, BIND, BIND, BIND } },
	{ "another user with two, one dropped", { DOCKER, DOCKER }, RAW, BIND | CHOWN, false,
		{ DOCKER & ~RAW, BIND | CHOWN, BIND | CHOWN, BIND | CHOWN, BIND | CHOWN } },
	{ "another user with all", { DOCKER, DOCKER }, 0, ALL, false, { DOCKER, DOCKER, DOCKER, DOCKER, DOCKER } },

	/* As Docker has it: all are added but the dropped ones that have a name. */
	{ "all but one", { DOCKER, DOCKER }, RAW, ALL, true, { DOCKER & ~RAW, DOCKER & ~RAW, DOCKER & ~RAW, 0, 0 } },
	{ "another user with all but one", { DOCKER, DOCKER }, RAW, ALL, false,
		{ DOCKER & ~RAW, DOCKER & ~RAW, DOCKER & ~RAW, DOCKER & ~RAW, DOCKER & ~RAW } },
	{ "all is what the container has", { BIND | SETPCAP, BIND | SETPCAP | RAW }, ALL, ALL, true,
		{ BIND | SETPCAP, BIND | SETPCAP, BIND | SETPCAP, 0, 0 } },

	/* Nothing to change needs no privilege: docker run --cap-drop=all --user 1000. */
	{ "nothing there, nothing asked", { 0, 0 }, 0, 0, false, { 0, 0, 0, 0, 0 } },
	{ "nothing there, all dropped", { 0, 0 }, ALL, 0, false, { 0, 0, 0, 0, 0 } },
	{ "nothing there, all added", { 0, 0 }, 0, ALL, true, { 0, 0, 0, 0, 0 } },
	{ "one there, all others dropped", { BIND, BIND }, ALL, BIND, false, { BIND, BIND, BIND, BIND, BIND } },
	{ "not to be dropped, not there", { BIND, 0 }, RAW, 0, true, { BIND, 0, 0, 0, 0 } },
};

static struct confinement asking(uint64_t drop, uint64_t add)
{
	return (struct confinement){ .cap_drop = drop, .cap_add = add, .cap_given = true };
}

static struct capability_sets having(uint64_t bounding, uint64_t permitted)
{
	/* What was inheritable or ambient before has no say. */
	return (struct capability_sets){ bounding, permitted, 0, ALL, ALL };
}

static void plans_the_five_sets(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(plans); i++) {
		const struct capability_sets have = having(plans[i].have.bounding, plans[i].have.permitted);
		const struct confinement asked = asking(plans[i].drop, plans[i].add);
		struct capability_sets want;
		struct complaint why;

		memset(&want, 0xa5, sizeof want);
		if (capability_plan(&have, &asked, plans[i].root, &want, &why) != 0)
			fail_msg("%s: %s", plans[i].name, why.text);
		if (memcmp(&want, &plans[i].want, sizeof want) != 0)
			fail_msg("%s: %llx %llx %llx %llx %llx", plans[i].name, (unsigned long long)want.bounding,
				(unsigned long long)want.permitted, (unsigned long long)want.effective,
				(unsigned long long)want.inheritable, (unsigned long long)want.ambient);
	}
}

/* Root is then a user like another: what it is to have is ambient. */
static void root_without_its_privileges_has_what_is_ambient(void **state)
{
	static const struct {
		uint64_t drop, add;
		bool root;
		struct capability_sets want;
	} cases[] = {
		{ 0, 0, true, { DOCKER, DOCKER, DOCKER, DOCKER, DOCKER } },
		{ ALL, 0, true, { 0, 0, 0, 0, 0 } },
		{ ALL, BIND, true, { BIND, BIND, BIND, BIND, BIND } },
		{ ALL, BIND, false, { BIND, BIND, BIND, BIND, BIND } },
		{ 0, 0, false, { DOCKER, 0, 0, 0, 0 } },
	};
	const struct capability_sets have = having(DOCKER, DOCKER);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct confinement asked = asking(cases[i].drop, cases[i].add);
		struct capability_sets want;
		struct complaint why;

		asked.securebits = SECBIT_NOROOT;
		assert_int_equal(capability_plan(&have, &asked, cases[i].root, &want, &why), 0);
		assert_memory_equal(&want, &cases[i].want, sizeof want);
		memset(&want, 0, sizeof want);
		capability_plan_possible(&have, &asked, cases[i].root, &want);
		assert_memory_equal(&want, &cases[i].want, sizeof want);
	}
}

static const struct refusal {
	struct {
		uint64_t bounding, permitted;
	} have;
	uint64_t drop, add;
	const char *sentence;
} refusals[] = {
	{ { DOCKER, DOCKER }, 0, ADMIN,
		"cannot add sys_admin: the container does not have it (start it with --cap-add sys_admin)" },
	{ { DOCKER, DOCKER }, ALL, BIND | ADMIN | BIT(CAP_BPF),
		"cannot add sys_admin: the container does not have it (start it with --cap-add sys_admin)" },
	{ { DOCKER & ~CHOWN, DOCKER & ~CHOWN }, 0, CHOWN,
		"cannot add chown: the container does not have it (start it with --cap-add chown)" },
	/* Held, but outside the bounding set; in the bounding set, but not held. */
	{ { DOCKER, DOCKER | ADMIN }, 0, ADMIN,
		"cannot add sys_admin: the container does not have it (start it with --cap-add sys_admin)" },
	{ { DOCKER | ADMIN, DOCKER }, 0, ADMIN,
		"cannot add sys_admin: the container does not have it (start it with --cap-add sys_admin)" },
	{ { 0, 0 }, 0, BIT(CAP_CHECKPOINT_RESTORE),
		"cannot add checkpoint_restore: the container does not have it (start it with --cap-add "
		"checkpoint_restore)" },
	{ { DOCKER, DOCKER & ~SETPCAP }, ALL, 0,
		"cannot drop chown from the bounding set without CAP_SETPCAP (start the container with --cap-drop, or "
		"as "
		"root with --user here)" },
	{ { DOCKER, 0 }, RAW, 0,
		"cannot drop net_raw from the bounding set without CAP_SETPCAP (start the container with --cap-drop, "
		"or "
		"as root with --user here)" },
	{ { DOCKER | BIT(41), DOCKER & ~SETPCAP }, BIT(41), 0,
		"cannot drop unknown from the bounding set without CAP_SETPCAP (start the container with --cap-drop, "
		"or "
		"as root with --user here)" },
};

static void refuses_what_cannot_be_had(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		for (int root = 0; root < 2; root++) {
			const struct capability_sets have = having(
				refusals[i].have.bounding, refusals[i].have.permitted);
			const struct confinement asked = asking(refusals[i].drop, refusals[i].add);
			struct capability_sets want, untouched;
			struct complaint why;

			memset(&want, 0xa5, sizeof want);
			memset(&untouched, 0xa5, sizeof untouched);
			assert_int_equal(capability_plan(&have, &asked, root == 1, &want, &why), -EPERM);
			assert_string_equal(why.text, refusals[i].sentence);
			assert_memory_equal(&want, &untouched, sizeof want);
		}
	}
}

/* Whoever has joined a running container has what docker exec gave. */
static void names_the_remedy_of_who_has_joined(void **state)
{
	const struct capability_sets have = having(ALL, 0);
	struct confinement asked = asking(ALL, 0);
	struct capability_sets want;
	struct complaint why;

	(void)state;
	asked.has_joined = true;
	assert_int_equal(capability_plan(&have, &asked, false, &want, &why), -EPERM);
	assert_string_equal(why.text,
		"cannot drop chown from the bounding set without CAP_SETPCAP (docker exec without --user, and --user "
		"here)");
}

/* The rules of capabilities(7) and ours, on any sets. */
static void never_gives_more_than_there_is(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		uint64_t word[4];
		struct capability_sets have, want;
		struct confinement asked;
		struct complaint why;
		const bool root = round % 2 == 0;

		for (size_t i = 0; i < COUNT(word); i++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			word[i] = (seed >> 20) & EVERY;
		}
		have = having(word[0], word[1] | SETPCAP);
		asked = asking(round % 5 == 0 ? ALL : word[2], round % 7 == 0 ? ALL : word[3] & word[0] & word[1]);
		if (capability_plan(&have, &asked, root, &want, &why) != 0)
			fail_msg("round %u: %s", round, why.text);
		assert_int_equal(want.bounding & ~have.bounding, 0);
		assert_int_equal(want.permitted & ~have.permitted, 0);
		assert_int_equal(want.permitted & ~want.bounding, 0);
		assert_int_equal(want.effective, want.permitted);
		assert_int_equal(want.ambient, want.inheritable);
		assert_int_equal(want.inheritable, root ? 0 : want.permitted);
		if (asked.cap_add != ALL) {
			assert_int_equal(want.bounding & asked.cap_drop & ~asked.cap_add, 0);
			assert_int_equal(want.permitted & asked.cap_add, asked.cap_add);
		} else if (asked.cap_drop != ALL) {
			assert_int_equal(want.bounding & asked.cap_drop, 0);
		}
	}
}

static void does_what_is_possible(void **state)
{
	static const struct {
		struct capability_sets have;
		struct confinement asked;
		bool root;
		struct capability_sets want;
	} cases[] = {
		{ { DOCKER, DOCKER, DOCKER, 0, 0 }, { .cap_drop = ALL, .cap_add = ADMIN | BIND }, true,
			{ BIND, BIND, BIND, 0, 0 } },
		{ { DOCKER, DOCKER, DOCKER, 0, 0 }, { .cap_drop = ALL, .cap_add = ADMIN | BIND }, false,
			{ BIND, BIND, BIND, BIND, BIND } },
		/* Without CAP_SETPCAP the bounding set stays; the sets that count do not. */
		{ { RAW | BIND, RAW | BIND, RAW | BIND, 0, 0 }, { .cap_drop = RAW }, true,
			{ RAW | BIND, BIND, BIND, 0, 0 } },
		{ { DOCKER, 0, 0, 0, 0 }, { .cap_drop = ALL, .cap_add = BIND }, false, { DOCKER, 0, 0, 0, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct capability_sets want;

		capability_plan_possible(&cases[i].have, &cases[i].asked, cases[i].root, &want);
		assert_memory_equal(&want, &cases[i].want, sizeof want);
	}
}

static void pid_1_keeps_what_it_needs_and_stays_out_of_reach(void **state)
{
	const uint64_t kill = BIT(CAP_KILL), to_start = BIT(CAP_SETUID) | BIT(CAP_SETGID) | SETPCAP;
	const struct {
		uint64_t have, workload;
		bool same_user, may_start_again;
		uint64_t keep;
	} cases[] = {
		{ DOCKER, 0, false, false, kill },
		{ DOCKER, 0, false, true, kill | to_start },
		{ DOCKER, 0, true, false, kill },
		{ DOCKER, 0, true, true, kill | to_start },
		/* of another user, whatever it holds */
		{ DOCKER, DOCKER, false, false, kill },
		/* of the same, and it holds all of that: also one that it lacks */
		{ DOCKER, kill, true, false, kill | BIT(CAP_SETFCAP) },
		{ DOCKER, DOCKER & ~RAW, true, false, kill | RAW },
		{ DOCKER, DOCKER & ~RAW, true, true, kill | to_start | RAW },
		{ DOCKER, kill, true, true, kill | to_start },
		/* there is nothing that it lacks */
		{ DOCKER, DOCKER, true, false, kill },
		/* what it has not it cannot keep */
		{ 0, 0, true, true, 0 },
		{ RAW, 0, true, true, RAW },
		{ RAW, 0, false, true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct capability_sets have = { .bounding = DOCKER, .permitted = cases[i].have };
		const uint64_t keep = capability_plan_own(
			&have, cases[i].workload, cases[i].same_user, cases[i].may_start_again ? to_start : 0);

		if (keep != cases[i].keep)
			fail_msg("%zu: %llx, expected %llx", i, (unsigned long long)keep,
				(unsigned long long)cases[i].keep);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pid_1_keeps_what_it_needs_and_stays_out_of_reach),
		cmocka_unit_test(plans_the_five_sets),
		cmocka_unit_test(root_without_its_privileges_has_what_is_ambient),
		cmocka_unit_test(refuses_what_cannot_be_had),
		cmocka_unit_test(names_the_remedy_of_who_has_joined),
		cmocka_unit_test(never_gives_more_than_there_is),
		cmocka_unit_test(does_what_is_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
