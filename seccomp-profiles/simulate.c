#include "seccomp-profiles/simulate.h"

#include <linux/bpf_common.h>
#include <linux/seccomp.h>
#include <string.h>

#define WORDS (sizeof(struct seccomp_data) / 4)
#define NUMBER_WORD (offsetof(struct seccomp_data, nr) / 4)
#define ARCH_WORD (offsetof(struct seccomp_data, arch) / 4)
#define ANY UINT32_MAX                    /* the mask of a whole word */
#define WAYS_MAX (4 * SIMULATE_CASES_MAX) /* those that no argument goes are no cases */
#define STEPS_MAX (64 * BPF_MAXINSNS)     /* instructions: a file of somebody else's is not to keep us for minutes */

/* A register or a cell of memory. */
struct value {
	enum { KNOWN, WORD, CALCULATED } kind;
	uint32_t bits; /* KNOWN: the value; WORD: the mask that was laid over it */
	uint32_t word; /* of struct seccomp_data */
};

/* What the choices on the way say about a word of struct seccomp_data. */
struct domain {
	uint32_t low, high;
	uint32_t known, value; /* bits, and what they are */
};

/* What neither the range nor the bits of a domain can say. */
struct word_term {
	uint32_t word; /* WORDS: a calculation */
	bool outside;
	uint32_t mask, low, high;
};

/* One way through the programs, up to where it has come. */
struct path {
	size_t program, at;
	struct value a, x, memory[BPF_MEMWORDS];
	struct domain domain[WORDS];
	struct word_term term[SIMULATE_TERMS_MAX];
	unsigned terms, choices;
	uint32_t action[2];
};

struct simulation {
	const struct filter_program *programs;
	size_t count, side;
	unsigned ways, steps;
	struct filter_verdict *verdict;
};

static struct value known(uint32_t bits)
{
	return (struct value){ .kind = KNOWN, .bits = bits };
}

/* ---- what is known about a word ---- */

/* `low <= (word & mask) <= high`. */
struct test {
	uint32_t word, mask, low, high;
	bool outside;
};

static bool is_exact(const struct domain *domain, uint32_t mask, uint32_t *ret_value)
{
	if (domain->low == domain->high)
		*ret_value = domain->low & mask;
	else if ((mask & ~domain->known) == 0)
		*ret_value = domain->value & mask;
	else
		return false;
	return true;
}

static bool was_asked(const struct path *path, const struct test *test, bool *ret_answer)
{
	for (unsigned i = 0; i < path->terms; i++) {
		const struct word_term *term = &path->term[i];

		if (term->word == test->word && term->mask == test->mask && term->low == test->low &&
			term->high == test->high) {
			*ret_answer = !term->outside;
			return true;
		}
	}
	return false;
}

/* True if there is but one answer, whatever the arguments. */
static bool is_decided(const struct path *path, const struct test *test, bool *ret_answer)
{
	const struct domain *domain = &path->domain[test->word];
	uint32_t value, common = test->mask & domain->known;
	/* The least and the most that the masked word can be. */
	uint32_t least = domain->value & test->mask, most = least | (test->mask & ~domain->known);

	if (is_exact(domain, test->mask, &value)) {
		*ret_answer = value >= test->low && value <= test->high;
		return true;
	}
	if (test->mask == ANY && domain->low > least)
		least = domain->low;
	if (most > domain->high)
		most = domain->high;
	if (least > test->high || most < test->low || (test->low == test->high && (test->low & ~test->mask) != 0) ||
		(test->low == test->high && (test->low & common) != (domain->value & common))) {
		*ret_answer = false;
		return true;
	}
	if (least >= test->low && most <= test->high) {
		*ret_answer = true;
		return true;
	}
	return was_asked(path, test, ret_answer);
}

static bool add_term(struct path *path, const struct test *test, bool outside)
{
	if (path->terms == SIMULATE_TERMS_MAX)
		return false;
	path->term[path->terms++] = (struct word_term){ test->word, outside, test->mask, test->low, test->high };
	return true;
}

static void know_bits(struct domain *domain, uint32_t mask, uint32_t value)
{
	domain->known |= mask;
	domain->value |= value;
}

/* Goes on as if the test's answer were this. False if there is no room for it. */
static bool assume(struct path *path, const struct test *test, bool answer)
{
	struct domain *domain = &path->domain[test->word];
	bool equal = test->low == test->high, bit = (test->mask & (test->mask - 1)) == 0;

	if (answer && equal && test->mask != ANY) {
		know_bits(domain, test->mask, test->low);
	} else if (!answer && equal && bit) {
		know_bits(domain, test->mask, test->low ^ test->mask);
	} else if (test->mask != ANY) {
		return add_term(path, test, !answer);
	} else if (answer) {
		domain->low = test->low > domain->low ? test->low : domain->low;
		domain->high = test->high < domain->high ? test->high : domain->high;
	} else if (test->low <= domain->low) {
		domain->low = test->high + 1;
	} else if (test->high >= domain->high) {
		domain->high = test->low - 1;
	} else {
		return add_term(path, test, true);
	}
	return true;
}

/* ---- the end of a way ---- */

/* Of the answers that mean the same to the kernel one: it does not look at the data of most, cuts an errno to 4095, and
 * kills for what it does not know. */
static uint32_t plain_action(uint32_t action)
{
	uint32_t data = action & SECCOMP_RET_DATA;

	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO:
		return SECCOMP_RET_ERRNO | (data > 4095 ? 4095 : data);
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_TRACE:
		return action;
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_USER_NOTIF:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return action & SECCOMP_RET_ACTION_FULL;
	default:
		return SECCOMP_RET_KILL_PROCESS;
	}
}

int filter_compare_actions(uint32_t a, uint32_t b)
{
	/* As signed numbers, without their data: KILL_PROCESS is the least (linux/seccomp.h). */
	int32_t left = (int32_t)(a & SECCOMP_RET_ACTION_FULL), right = (int32_t)(b & SECCOMP_RET_ACTION_FULL);

	return (left > right) - (left < right);
}

static void put(struct filter_case *found, unsigned subject, bool outside, uint64_t mask, uint64_t low, uint64_t high)
{
	found->term[found->count++] = (struct filter_term){ (uint8_t)subject, outside, mask, low, high };
}

/* The words of struct seccomp_data in pairs: 1 is the instruction pointer, then the arguments. */
static unsigned subject_of(uint32_t word)
{
	return word == WORDS ? TERM_CALCULATED : word < 4 ? TERM_INSTRUCTION_POINTER : word / 2 - 2;
}

static bool is_bounded(const struct domain *domain)
{
	return domain->low > 0 || domain->high < ANY;
}

/* Both halves of an argument in as few terms as say it: amd64 and arm64 have the lower one first. */
static void put_domains(struct filter_case *found, unsigned subject, const struct domain half[2])
{
	uint64_t bits = (uint64_t)half[1].known << 32 | half[0].known;
	uint64_t value = (uint64_t)half[1].value << 32 | half[0].value;
	bool exact = half[1].low == half[1].high;

	if (exact && is_bounded(&half[0])) {
		uint64_t base = (uint64_t)half[1].low << 32;

		put(found, subject, false, UINT64_MAX, base | half[0].low, base | half[0].high);
		bits &= half[0].low == half[0].high ? 0 : ANY;
	} else if (!is_bounded(&half[0]) && is_bounded(&half[1]) && half[0].known == 0) {
		put(found, subject, false, UINT64_MAX, (uint64_t)half[1].low << 32, (uint64_t)half[1].high << 32 | ANY);
		bits &= exact ? ANY : UINT64_MAX;
	} else {
		for (unsigned i = 0; i < 2; i++) {
			if (!is_bounded(&half[i]))
				continue;
			if (half[i].low == half[i].high) {
				bits |= (uint64_t)ANY << 32 * i;
				value |= (uint64_t)half[i].low << 32 * i;
			} else {
				put(found, subject, false, (uint64_t)ANY << 32 * i, (uint64_t)half[i].low << 32 * i,
					(uint64_t)half[i].high << 32 * i);
			}
		}
	}
	if (bits != 0)
		put(found, subject, false, bits, value & bits, value & bits);
}

/* True if the domain says as much already. */
static bool is_implied(const struct word_term *term, const struct domain *domain)
{
	uint32_t value;

	if (is_exact(domain, term->mask, &value))
		return true;
	return term->outside && term->mask == ANY && (term->low > domain->high || term->high < domain->low);
}

static void put_term(struct filter_case *found, const struct word_term *term, const struct domain *domains)
{
	unsigned shift = term->word % 2 * 32;
	const struct domain *upper = &domains[term->word | 1];
	uint64_t mask = (uint64_t)term->mask << shift, base = 0;

	if (term->word == WORDS) {
		put(found, TERM_CALCULATED, false, 0, 0, 0);
		return;
	}
	if (is_implied(term, &domains[term->word]))
		return;
	if (shift == 0 && term->mask == ANY && upper->low == upper->high) {
		mask = UINT64_MAX;
		base = (uint64_t)upper->low << 32;
	}
	put(found, subject_of(term->word), term->outside, mask, base | (uint64_t)term->low << shift,
		base | (uint64_t)term->high << shift);
}

/* False if a range and the bits that are known exclude each other. A single value ends as a range. */
static bool settle(struct domain *domain)
{
	if (domain->known == ANY) {
		if (domain->value < domain->low || domain->value > domain->high)
			return false;
		domain->low = domain->high = domain->value;
	}
	return domain->low != domain->high || (domain->low & domain->known) == domain->value;
}

/* False for a way that no argument goes: is_decided() does not see all of them. */
static bool is_possible(struct path *path)
{
	uint32_t value;

	for (unsigned word = 2; word < WORDS; word++)
		if (!settle(&path->domain[word]))
			return false;
	for (unsigned i = 0; i < path->terms; i++) {
		const struct word_term *term = &path->term[i];

		if (term->word < WORDS && is_exact(&path->domain[term->word], term->mask, &value) &&
			(value >= term->low && value <= term->high) == term->outside)
			return false;
	}
	return true;
}

/* False if there is no room. */
static bool put_case(struct filter_verdict *verdict, struct path *path)
{
	struct filter_case *found = &verdict->cases[verdict->count];

	if (!is_possible(path))
		return true;
	/* A pair of domains makes three terms at most. */
	if (verdict->count == SIMULATE_CASES_MAX || path->terms + 3 * (WORDS / 2) > SIMULATE_TERMS_MAX)
		return false;
	found->count = 0;
	for (unsigned side = 0; side < 2; side++)
		found->action[side] = plain_action(path->action[side]);
	for (unsigned word = 2; word < WORDS; word += 2)
		put_domains(found, subject_of(word), &path->domain[word]);
	for (unsigned i = 0; i < path->terms; i++)
		put_term(found, &path->term[i], path->domain);
	verdict->count++;
	return true;
}

/* ---- the instructions ---- */

static void load(struct path *path, const struct sock_filter *insn)
{
	struct value *to = BPF_CLASS(insn->code) == BPF_LD ? &path->a : &path->x;
	uint32_t word = insn->k / 4;

	switch (insn->code & 0xe0) { /* BPF_MODE */
	case BPF_ABS:
		if (word == NUMBER_WORD || word == ARCH_WORD)
			*to = known(path->domain[word].value);
		else
			*to = (struct value){ WORD, ANY, word };
		break;
	case BPF_LEN:
		*to = known(sizeof(struct seccomp_data));
		break;
	case BPF_MEM:
		*to = path->memory[insn->k];
		break;
	default: /* BPF_IMM */
		*to = known(insn->k);
	}
}

/* A shift by a register's value takes its lower five bits, as the kernel's machine does. */
static uint32_t calculate_known(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return a / b;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & 31);
	case BPF_RSH:
		return a >> (b & 31);
	default: /* BPF_NEG */
		return 0 - a;
	}
}

static void calculate(struct path *path, const struct sock_filter *insn)
{
	struct value operand = BPF_SRC(insn->code) == BPF_X ? path->x : known(insn->k);
	uint16_t op = BPF_OP(insn->code);

	if (path->a.kind == KNOWN && operand.kind == KNOWN)
		path->a = known(calculate_known(op, path->a.bits, operand.bits));
	else if (op == BPF_AND && operand.kind == KNOWN && path->a.kind == WORD)
		path->a.bits &= operand.bits;
	else
		path->a.kind = CALCULATED;
	if (path->a.kind == WORD && path->a.bits == 0)
		path->a = known(0);
}

/* The jump as a test of a word: JGT and JGE are ranges, JSET is "not 0". */
static struct test make_test(const struct value *a, uint16_t op, uint32_t k)
{
	struct test test = { a->word, a->bits, k, op == BPF_JEQ ? k : a->bits, false };

	if (op == BPF_JSET)
		test = (struct test){ a->word, a->bits & k, 0, 0, true };
	else if (op == BPF_JGT)
		test.low = k + 1;
	return test;
}

static bool compare(uint16_t op, uint32_t a, uint32_t k)
{
	return op == BPF_JEQ ? a == k : op == BPF_JGT ? a > k : op == BPF_JGE ? a >= k : (a & k) != 0;
}

static bool walk(struct simulation *s, struct path *path);

/* Both ways: the one of the answer "yes" in a copy. */
static bool fork_path(struct simulation *s, struct path *path, const struct test *test, const struct sock_filter *insn)
{
	struct path other;

	if (++path->choices > SIMULATE_TERMS_MAX)
		return false;
	other = *path;
	if (test->word == WORDS) {
		/* Nothing is known afterwards but that it was asked. */
		if (!add_term(path, test, true) || !add_term(&other, test, false))
			return false;
	} else if (!assume(path, test, test->outside) || !assume(&other, test, !test->outside)) {
		return false;
	}
	other.at += 1u + insn->jt;
	path->at += 1u + insn->jf;
	return walk(s, &other);
}

/* False: given up. */
static bool jump(struct simulation *s, struct path *path, const struct sock_filter *insn)
{
	struct value operand = BPF_SRC(insn->code) == BPF_X ? path->x : known(insn->k);
	uint16_t op = BPF_OP(insn->code);
	struct test test = { .word = WORDS };
	bool answer;

	if (op == BPF_JA) {
		path->at += 1u + insn->k;
		return true;
	}
	if (path->a.kind == KNOWN && operand.kind == KNOWN) {
		path->at += 1u + (compare(op, path->a.bits, operand.bits) ? insn->jt : insn->jf);
		return true;
	}
	if (path->a.kind == WORD && operand.kind == KNOWN) {
		bool never = op == BPF_JGT && operand.bits == ANY;

		test = make_test(&path->a, op, operand.bits);
		answer = false;
		if (never || test.mask == 0 || is_decided(path, &test, &answer)) {
			answer = never || test.mask == 0 ? false : answer != test.outside;
			path->at += 1u + (answer ? insn->jt : insn->jf);
			return true;
		}
	}
	return fork_path(s, path, &test, insn);
}

/* A program has answered. */
static void take_answer(const struct simulation *s, struct path *path, uint32_t action)
{
	uint32_t *strictest = &path->action[path->program >= s->side];

	if (filter_compare_actions(action, *strictest) < 0)
		*strictest = action;
	path->program++;
	path->at = 0;
	path->a = path->x = known(0);
}

/* A division by 0 in X ends the program with the answer 0 (bpf_convert_filter() in the kernel): KILL_THREAD. True if it
 * did, or may have and both are followed. */
static bool divides(const struct path *path, const struct sock_filter *insn)
{
	return insn->code == (BPF_ALU | BPF_DIV | BPF_X) && (path->x.kind != KNOWN || path->x.bits == 0);
}

static bool divide(struct simulation *s, struct path *path)
{
	const struct test calculated = { .word = WORDS };
	struct path other = *path;

	take_answer(s, path, SECCOMP_RET_KILL_THREAD);
	if (other.x.kind == KNOWN)
		return true;
	if (++other.choices > SIMULATE_TERMS_MAX || !add_term(path, &calculated, true) ||
		!add_term(&other, &calculated, false))
		return false;
	other.a.kind = CALCULATED;
	other.at++;
	return walk(s, &other);
}

/* One instruction. False: given up. */
static bool step(struct simulation *s, struct path *path)
{
	const struct sock_filter *insn = &s->programs[path->program].insn[path->at];

	switch (BPF_CLASS(insn->code)) {
	case BPF_RET:
		if (insn->code == (BPF_RET | BPF_K))
			take_answer(s, path, insn->k);
		else if (path->a.kind == KNOWN)
			take_answer(s, path, path->a.bits);
		else
			return false;
		return true;
	case BPF_JMP:
		return jump(s, path, insn);
	case BPF_ALU:
		if (divides(path, insn))
			return divide(s, path);
		calculate(path, insn);
		break;
	case BPF_ST:
		path->memory[insn->k] = path->a;
		break;
	case BPF_STX:
		path->memory[insn->k] = path->x;
		break;
	case BPF_MISC:
		if (insn->code == (BPF_MISC | BPF_TAX))
			path->x = path->a;
		else
			path->a = path->x;
		break;
	default:
		load(path, insn);
	}
	path->at++;
	return true;
}

static bool walk(struct simulation *s, struct path *path)
{
	while (path->program < s->count)
		if (++s->steps > STEPS_MAX || !step(s, path))
			return false;
	return ++s->ways <= WAYS_MAX && put_case(s->verdict, path);
}

void filter_simulate(const struct filter_program *programs, size_t count, size_t side, uint32_t arch, uint32_t number,
	struct filter_verdict *ret_verdict)
{
	struct simulation s = { programs, count, side, 0, 0, ret_verdict };
	struct path path = { .action = { SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW } };

	for (unsigned word = 0; word < WORDS; word++)
		path.domain[word].high = ANY;
	path.domain[NUMBER_WORD].value = number;
	path.domain[ARCH_WORD].value = arch;
	ret_verdict->count = 0;
	ret_verdict->complete = walk(&s, &path);
}

/* ---- fewer cases ---- */

static bool same_term(const struct filter_term *a, const struct filter_term *b)
{
	return a->subject == b->subject && a->outside == b->outside && a->mask == b->mask && a->low == b->low &&
		a->high == b->high;
}

/* True if the ranges of two terms make one range; of whole values alone: what a mask leaves has gaps. */
static bool join(struct filter_term *a, const struct filter_term *b)
{
	if (a->subject != b->subject || a->mask != b->mask || a->outside || b->outside || a->mask != UINT64_MAX)
		return false;
	if (a->high != UINT64_MAX && a->high + 1 == b->low)
		a->high = b->high;
	else if (b->high != UINT64_MAX && b->high + 1 == a->low)
		a->low = b->low;
	else
		return false;
	return true;
}

/* Takes `b` into `a` where they are the same but for one term at most. */
static bool absorb(struct filter_case *a, const struct filter_case *b)
{
	unsigned different = a->count;

	if (a->count != b->count || a->action[0] != b->action[0] || a->action[1] != b->action[1])
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		if (a->term[i].subject == TERM_CALCULATED)
			return false;
		if (same_term(&a->term[i], &b->term[i]))
			continue;
		if (different != a->count)
			return false;
		different = i;
	}
	if (different == a->count)
		return true;
	if (!join(&a->term[different], &b->term[different]))
		return false;
	if (a->term[different].low == 0 && a->term[different].high == UINT64_MAX) {
		a->count--;
		memmove(&a->term[different], &a->term[different + 1], (a->count - different) * sizeof a->term[0]);
	}
	return true;
}

static bool absorb_any(struct filter_verdict *verdict)
{
	for (size_t i = 0; i < verdict->count; i++)
		for (size_t j = i + 1; j < verdict->count; j++)
			if (absorb(&verdict->cases[i], &verdict->cases[j])) {
				verdict->count--;
				memmove(&verdict->cases[j], &verdict->cases[j + 1],
					(verdict->count - j) * sizeof verdict->cases[0]);
				return true;
			}
	return false;
}

/* All cases with the same answer: one case without a condition. */
static void drop_conditions(struct filter_verdict *verdict)
{
	for (size_t i = 1; i < verdict->count; i++)
		if (memcmp(verdict->cases[i].action, verdict->cases[0].action, sizeof verdict->cases[0].action) != 0)
			return;
	verdict->count = 1;
	verdict->cases[0].count = 0;
}

void filter_simplify(struct filter_verdict *verdict)
{
	if (!verdict->complete)
		return;
	drop_conditions(verdict);
	while (absorb_any(verdict))
		;
}
