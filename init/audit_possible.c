#include "init/audit.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#define ABI_OF_PORTS 4 /* landlock(7) */

static const char items[][16] = { "user", "capabilities", "securebits", "no_new_privs", "seccomp", "report",
	"read_only", "tmpfs", "exec_allow", "tcp" };
static_assert(sizeof items / sizeof items[0] == POSSIBLE_ITEM_COUNT, "a name for every item");

static const char answers[][8] = { "no", "in part", "yes" };
static_assert(sizeof answers / sizeof answers[0] == POSSIBLE_ANSWER_COUNT, "a word for every answer");

const char *audit_possible_answer(enum possible_answer answer)
{
	return answers[answer];
}

static const char no_filter[] = "a filter that is in force here refuses others";

static bool has(const struct audit_facts *facts, unsigned capability)
{
	return (facts->capabilities.permitted >> capability & 1) != 0;
}

static void say(struct audit_possible *possible, enum possible_answer answer, const char *how)
{
	possible->answer = answer;
	snprintf(possible->how, sizeof possible->how, "%s", how);
}

static void say_if(struct audit_possible *possible, bool yes, const char *how, const char *why_not)
{
	say(possible, yes ? POSSIBLE_YES : POSSIBLE_NO, yes ? how : why_not);
}

static void judge_capabilities(const struct audit_facts *facts, struct audit_possible *possible)
{
	if (facts->capabilities.bounding == 0)
		say(possible, POSSIBLE_YES, "there is none left to drop");
	else if (has(facts, CAP_SETPCAP))
		say(possible, POSSIBLE_YES, "from all five sets");
	else
		say(possible, POSSIBLE_PART,
			"from all sets but the bounding set, which takes CAP_SETPCAP (the engine: --cap-drop)");
}

static void judge_report(const struct audit_facts *facts, struct audit_possible *possible)
{
	if (facts->filters_refused) {
		say(possible, POSSIBLE_NO, no_filter);
		return;
	}
	switch (facts->listener_error) {
	case 0:
		say(possible, POSSIBLE_YES, "");
		break;
	case EBUSY:
		say(possible, POSSIBLE_NO, "a filter that is in force here has a listener already");
		break;
	case EINVAL:
		say(possible, POSSIBLE_NO, "the kernel has no listeners: Linux 5.0");
		break;
	default:
		say(possible, POSSIBLE_NO, strerror(facts->listener_error));
	}
}

static void judge_read_only(const struct audit_facts *facts, struct audit_possible *possible)
{
	if (facts->root_is_read_only)
		say(possible, POSSIBLE_YES, "as the engine mounted it");
	else if (has(facts, CAP_SYS_ADMIN))
		say(possible, POSSIBLE_YES, "by a remount in place");
	else
		say_if(possible, facts->landlock_abi > 0, "by Landlock",
			"it takes CAP_SYS_ADMIN or Landlock (the engine: --read-only)");
}

/* Landlock sees neither what is in memory nor all ways to TCP: a filter goes with it. */
static void judge_landlock(
	const struct audit_facts *facts, unsigned abi, const char *too_old, struct audit_possible *possible)
{
	if (facts->landlock_abi == 0)
		say(possible, POSSIBLE_NO, "the kernel has no Landlock, or a filter hides it");
	else if (facts->landlock_abi < abi)
		say(possible, POSSIBLE_NO, too_old);
	else
		say_if(possible, !facts->filters_refused, "", no_filter);
}

void audit_judge_possible(
	const struct audit_facts *facts, struct audit_possible ret_possible[static POSSIBLE_ITEM_COUNT])
{
	for (size_t i = 0; i < POSSIBLE_ITEM_COUNT; i++)
		memcpy(ret_possible[i].item, items[i], sizeof items[i]);
	say_if(&ret_possible[POSSIBLE_USER], has(facts, CAP_SETUID) && has(facts, CAP_SETGID), "any",
		"it takes CAP_SETUID and CAP_SETGID (the engine: --user)");
	judge_capabilities(facts, &ret_possible[POSSIBLE_CAPABILITIES]);
	say_if(&ret_possible[POSSIBLE_SECUREBITS], has(facts, CAP_SETPCAP), "", "they take CAP_SETPCAP");
	say(&ret_possible[POSSIBLE_NO_NEW_PRIVS], POSSIBLE_YES, facts->no_new_privs ? "on already" : "");
	say_if(&ret_possible[POSSIBLE_SECCOMP], !facts->filters_refused, "", no_filter);
	judge_report(facts, &ret_possible[POSSIBLE_SECCOMP_REPORT]);
	judge_read_only(facts, &ret_possible[POSSIBLE_READ_ONLY]);
	say_if(&ret_possible[POSSIBLE_TMPFS], has(facts, CAP_SYS_ADMIN), "",
		"it takes CAP_SYS_ADMIN, unless the engine mounts it (--tmpfs)");
	judge_landlock(facts, 1, "", &ret_possible[POSSIBLE_EXEC_ALLOW]);
	judge_landlock(
		facts, ABI_OF_PORTS, "the kernel's Landlock knows no ports: Linux 6.7", &ret_possible[POSSIBLE_TCP]);
}
