/* `nest-init audit`: the posture of the container it runs in, as the process that asks has it. */
#include "init/commands.h"

#include "base/capname.h"
#include "base/json_write.h"
#include "base/paint.h"
#include "base/securebits.h"
#include "base/version.h"
#include "init/audit_facts.h"
#include "metrics/read_cgroup.h"

#include <stdio.h>
#include <string.h>

#define STATUS_FOUND 1
#define MARGIN 24
#define SCREEN_WIDTH 80

extern char **environ;

static const char help_text[] =
	"nest-init audit [--json] [--fail-on LEVEL]\n"
	"\n"
	"Looks at the container from inside, as the user and with the rights that it runs\n"
	"with, and says item by item what was found, what it means and what mends it; and\n"
	"which protections nest-init could put in force here.\n"
	"docker exec is not confined as the service is: nest-init exec -- nest-init audit\n"
	"looks at it as the service does, or let it be COMMAND itself.\n"
	"\n"
	"  --json            for machines\n"
	"  --fail-on LEVEL   low, medium or high: status 1 if anything is found at it or above;\n"
	"                    none, which is the default: never\n"
	"\n"
	"Exit status: 0; 1 by --fail-on; 125 bad usage, or it could not look.\n";

static struct audit_facts facts;
static struct audit_finding finding[AUDIT_ITEM_COUNT];
static struct audit_possible possible[POSSIBLE_ITEM_COUNT];
static size_t counts[AUDIT_LEVEL_COUNT];

static void read_limits(void)
{
	struct cgroup_roots roots;
	struct readings readings = { .known = 0 };

	cgroup_roots_open(&roots);
	read_cgroup(&roots, &readings);
	cgroup_roots_close(&roots);
	readings_get(&readings, READING_CGROUP_MEMORY_LIMIT_BYTES, &facts.memory_limit);
	readings_get(&readings, READING_CGROUP_PIDS_LIMIT, &facts.pids_limit);
}

/* ---- for people ---- */

static const enum colour colours[AUDIT_LEVEL_COUNT] = { GREEN, PLAIN, YELLOW, RED };

/* Words from the margin on, as many on a line as there is room for. */
static void print_wrapped(const char *text)
{
	int at = MARGIN;

	while (*text != '\0') {
		int length = (int)strcspn(text, " ");

		if (at > MARGIN && at + 1 + length > SCREEN_WIDTH)
			at = printf("\n%*s", MARGIN, "") - 1;
		if (at > MARGIN)
			at += printf(" ");
		at += printf("%.*s", length, text);
		text += length + (text[length] == ' ');
	}
	putchar('\n');
}

static void print_finding(const struct audit_finding *one)
{
	printf("  ");
	paint(colours[one->level]);
	printf("%-8s", audit_level_name(one->level));
	paint(PLAIN);
	printf("%-*s", MARGIN - 10, one->item);
	print_wrapped(one->found);
	if (one->level == AUDIT_INFO)
		return;
	printf("%*s", MARGIN, "");
	print_wrapped(one->means);
	printf("%*s", MARGIN, "-> ");
	print_wrapped(one->mends);
}

static void print_possible(void)
{
	static const enum colour colour_of[POSSIBLE_ANSWER_COUNT] = { RED, YELLOW, GREEN };

	printf("\nachievable here\n\n");
	for (size_t i = 0; i < POSSIBLE_ITEM_COUNT; i++) {
		printf("  ");
		paint(colour_of[possible[i].answer]);
		printf("%-8s", audit_possible_answer(possible[i].answer));
		paint(PLAIN);
		if (possible[i].how[0] == '\0') {
			printf("%s\n", possible[i].item);
			continue;
		}
		printf("%-*s", MARGIN - 10, possible[i].item);
		print_wrapped(possible[i].how);
	}
}

/* The worst first. */
static void print_text(void)
{
	const char *before = "";

	paint_begin();
	for (int level = AUDIT_HIGH; level > AUDIT_INFO; level--) {
		printf("%s", before);
		paint(counts[level] > 0 ? colours[level] : PLAIN);
		printf("%zu %s", counts[level], audit_level_name((enum audit_level)level));
		paint(PLAIN);
		before = ", ";
	}
	printf("\n\n");
	for (int level = AUDIT_HIGH; level >= AUDIT_INFO; level--)
		for (size_t i = 0; i < AUDIT_ITEM_COUNT; i++)
			if (finding[i].level == (enum audit_level)level)
				print_finding(&finding[i]);
	print_possible();
}

/* ---- for machines ---- */

static void json_set(struct json_writer *json, const char *key, uint64_t set)
{
	json_write_bits(json, key, set, CAPNAME_COUNT, capname);
}

static void print_json(void)
{
	const struct capability_sets *sets = &facts.capabilities;
	struct json_writer json;

	json_write_begin(&json, stdout);
	json_write_text(&json, "version", NEST_INIT_VERSION);
	json_write_u64(&json, "uid", facts.uid);
	json_write_object(&json, "capabilities");
	json_set(&json, "bounding", sets->bounding);
	json_set(&json, "permitted", sets->permitted);
	json_set(&json, "effective", sets->effective);
	json_set(&json, "inheritable", sets->inheritable);
	json_set(&json, "ambient", sets->ambient);
	json_write_end(&json);
	json_write_bits(&json, "securebits", facts.securebits, SECUREBITS_COUNT, securebits_name);
	json_write_object(&json, "counts");
	for (unsigned level = 0; level < AUDIT_LEVEL_COUNT; level++)
		json_write_u64(&json, audit_level_name((enum audit_level)level), counts[level]);
	json_write_end(&json);
	json_write_array(&json, "findings");
	for (size_t i = 0; i < AUDIT_ITEM_COUNT; i++) {
		json_write_object(&json, NULL);
		json_write_text(&json, "item", finding[i].item);
		json_write_text(&json, "level", audit_level_name(finding[i].level));
		json_write_text(&json, "found", finding[i].found);
		json_write_text(&json, "means", finding[i].means);
		json_write_text(&json, "mends", finding[i].mends);
		json_write_end(&json);
	}
	json_write_end(&json);
	json_write_array(&json, "achievable");
	for (size_t i = 0; i < POSSIBLE_ITEM_COUNT; i++) {
		json_write_object(&json, NULL);
		json_write_text(&json, "item", possible[i].item);
		json_write_text(&json, "answer", audit_possible_answer(possible[i].answer));
		json_write_text(&json, "how", possible[i].how);
		json_write_end(&json);
	}
	json_write_end(&json);
	json_write_finish(&json);
}

/* ---- words ---- */

struct wish {
	bool as_json;
	int fail_on; /* enum audit_level; AUDIT_LEVEL_COUNT: none */
};

static int parse_level(const char *word, int *ret_level)
{
	for (int level = AUDIT_LOW; level < AUDIT_LEVEL_COUNT; level++)
		if (word != NULL && strcmp(word, audit_level_name((enum audit_level)level)) == 0) {
			*ret_level = level;
			return 0;
		}
	if (word == NULL || strcmp(word, "none") != 0) {
		fprintf(stderr, "nest-init audit: --fail-on: expected low, medium, high or none\n");
		return STATUS_USAGE;
	}
	*ret_level = AUDIT_LEVEL_COUNT;
	return 0;
}

/* Returns 0 or an exit status. */
static int parse(char **argv, struct wish *wish)
{
	int status = 0;

	while (status == 0 && *++argv != NULL) {
		if (strcmp(*argv, "--json") == 0) {
			wish->as_json = true;
		} else if (strncmp(*argv, "--fail-on=", 10) == 0) {
			status = parse_level(*argv + 10, &wish->fail_on);
		} else if (strcmp(*argv, "--fail-on") == 0) {
			status = parse_level(argv[1], &wish->fail_on);
			argv += argv[1] != NULL;
		} else {
			fprintf(stderr, "nest-init audit: unknown option '%s' (nest-init audit --help)\n", *argv);
			status = STATUS_USAGE;
		}
	}
	return status;
}

int audit_main(int argc, char **argv)
{
	struct wish wish = { .fail_on = AUDIT_LEVEL_COUNT };
	struct complaint why;
	int status, worst = AUDIT_INFO;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return fputs(help_text, stdout) >= 0 ? 0 : STATUS_USAGE;
	status = parse(argv, &wish);
	if (status != 0)
		return status;
	if (audit_facts_read(environ, &facts, &why) < 0) {
		fprintf(stderr, "nest-init audit: %s\n", why.text);
		return STATUS_USAGE;
	}
	read_limits();
	audit_judge(&facts, finding);
	audit_judge_possible(&facts, possible);
	for (size_t i = 0; i < AUDIT_ITEM_COUNT; i++) {
		complaint_flatten(finding[i].found);
		counts[finding[i].level]++;
		worst = worst > (int)finding[i].level ? worst : (int)finding[i].level;
	}
	(wish.as_json ? print_json : print_text)();
	if (fflush(stdout) != 0)
		return STATUS_USAGE;
	return worst >= wish.fail_on ? STATUS_FOUND : 0;
}
