#include "seccomp-profiles/verdict_text.h"

#include "seccomp-profiles/profile.h"

#include <inttypes.h>
#include <linux/seccomp.h>

void filter_action_text(uint32_t action, char ret_text[ACTION_TEXT_SIZE])
{
	static const struct {
		uint32_t action;
		char name[16];
	} names[] = {
		{ SECCOMP_RET_KILL_PROCESS, "KILL_PROCESS" },
		{ SECCOMP_RET_KILL_THREAD, "KILL_THREAD" },
		{ SECCOMP_RET_TRAP, "TRAP" },
		{ SECCOMP_RET_ERRNO, "ERRNO" },
		{ SECCOMP_RET_USER_NOTIF, "NOTIFY" },
		{ SECCOMP_RET_TRACE, "TRACE" },
		{ SECCOMP_RET_LOG, "LOG" },
		{ SECCOMP_RET_ALLOW, "ALLOW" },
	};
	unsigned data = action & SECCOMP_RET_DATA, i = 0;
	const char *error = profile_errno_name(data);

	while (names[i].action != (action & SECCOMP_RET_ACTION_FULL))
		i++;
	if (names[i].action == SECCOMP_RET_ERRNO && error != NULL)
		snprintf(ret_text, ACTION_TEXT_SIZE, "ERRNO(%s)", error);
	else if (names[i].action == SECCOMP_RET_ERRNO || data != 0)
		snprintf(ret_text, ACTION_TEXT_SIZE, "%s(%u)", names[i].name, data);
	else
		snprintf(ret_text, ACTION_TEXT_SIZE, "%s", names[i].name);
}

void filter_term_print(FILE *out, const struct filter_term *term)
{
	if (term->subject == TERM_CALCULATED) {
		fputs("a calculation", out);
		return;
	}
	if (term->subject == TERM_INSTRUCTION_POINTER)
		fputs("the instruction pointer", out);
	else
		fprintf(out, "arg%u", term->subject);
	if (term->mask != UINT64_MAX)
		fprintf(out, " & 0x%" PRIx64, term->mask);
	if (term->low == term->high)
		fprintf(out, " %s 0x%" PRIx64, term->outside ? "!=" : "==", term->low);
	else if (term->low == 0)
		fprintf(out, " %s 0x%" PRIx64, term->outside ? ">" : "<=", term->high);
	else if (term->high == term->mask)
		fprintf(out, " %s 0x%" PRIx64, term->outside ? "<" : ">=", term->low);
	else
		fprintf(out, " %s 0x%" PRIx64 "..0x%" PRIx64, term->outside ? "not in" : "in", term->low, term->high);
}

static bool is_point(const struct filter_case *found)
{
	const struct filter_term *term = &found->term[0];

	return found->count == 1 && term->subject < TERM_CALCULATED && !term->outside && term->low == term->high;
}

/* `before`: the case before it in the same list, or NULL. Of the same thing's values only the first one names it. */
static void print_case(FILE *out, const struct filter_case *found, const struct filter_case *before)
{
	if (before != NULL)
		fputs(" or ", out);
	if (before != NULL && is_point(before) && is_point(found) &&
		before->term[0].subject == found->term[0].subject && before->term[0].mask == found->term[0].mask) {
		fprintf(out, "0x%" PRIx64, found->term[0].low);
		return;
	}
	for (unsigned i = 0; i < found->count; i++) {
		fputs(i > 0 ? " and " : "", out);
		filter_term_print(out, &found->term[i]);
	}
}

/* How much has to be said for an answer: a condition that excludes says less than it takes. */
static unsigned weight(const struct filter_verdict *verdict, uint32_t action)
{
	unsigned sum = 0;

	for (size_t i = 0; i < verdict->count; i++)
		for (unsigned t = 0; verdict->cases[i].action[0] == action && t < verdict->cases[i].count; t++)
			sum += 1 + verdict->cases[i].term[t].outside;
	return sum;
}

static uint32_t heaviest(const struct filter_verdict *verdict)
{
	uint32_t found = verdict->cases[0].action[0];

	for (size_t i = 1; i < verdict->count; i++) {
		uint32_t action = verdict->cases[i].action[0];
		unsigned here = weight(verdict, action), there = weight(verdict, found);

		if (here > there || (here == there && filter_compare_actions(action, found) < 0))
			found = action;
	}
	return found;
}

static bool is_last(const struct filter_verdict *verdict, size_t index)
{
	for (size_t i = index + 1; i < verdict->count; i++)
		if (verdict->cases[i].action[0] == verdict->cases[index].action[0])
			return false;
	return true;
}

void filter_verdict_print(FILE *out, const struct filter_verdict *verdict)
{
	const struct filter_case *before;
	char text[ACTION_TEXT_SIZE];
	uint32_t otherwise;

	if (!verdict->complete) {
		fputs("depends on arguments in more ways than can be shown", out);
		return;
	}
	otherwise = heaviest(verdict);
	/* From the end: a compiler's chain of comparisons begins with what came last. */
	for (size_t i = verdict->count; i-- > 0;) {
		uint32_t action = verdict->cases[i].action[0];

		if (action == otherwise || !is_last(verdict, i))
			continue;
		before = NULL;
		for (size_t j = i + 1; j-- > 0;) {
			if (verdict->cases[j].action[0] != action)
				continue;
			print_case(out, &verdict->cases[j], before);
			before = &verdict->cases[j];
		}
		filter_action_text(action, text);
		fprintf(out, " -> %s, ", text);
	}
	filter_action_text(otherwise, text);
	fprintf(out, "%s%s", verdict->count > 1 ? "else " : "", text);
}
