/* A health check: what it looks at, how often, what counts as a success; and how that is written in one text:
 *
 *     name=api expect=200,429 interval=10s http://127.0.0.1:4000/api/health
 *
 * Settings stand before their TARGET, blanks part the words, and the next check may follow. A value that holds blanks
 * stands in quotes: body='"db": "up"', and so does such a TARGET. Behind exec: all that follows is the command. */
#pragma once

#include "base/expected.h"
#include "base/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_NAME_SIZE 64  /* of a name that is given, NUL included */
#define CHECK_TEXT_SIZE 512 /* of a TARGET that is its own name, NUL included */
#define CHECK_BODY_MAX 256  /* bytes of the text that a body must contain */
#define CHECK_WORDS_MAX 63  /* of the command of exec: */
#define EXCHANGE_HEADERS_MAX 8
#define CHECK_PAGE_HEADERS 2       /* of them a page needs itself: Accept and Authorization */
#define EXCHANGE_HEADERS_SIZE 4096 /* bytes of all request headers of a check together */

enum check_kind {
	CHECK_LIVE,
	CHECK_READY,
	CHECK_STARTUP,
	CHECK_KIND_COUNT,
	CHECK_PAGE = CHECK_KIND_COUNT, /* no check, but a page that is fetched: --metrics-merge, in the same words */
};

/* "live", "ready", "startup". */
const char *check_kind_name(enum check_kind kind);

/* What may stand before a TARGET, by the names that it has there. */
enum check_key {
	CHECK_NAME,
	CHECK_INTERVAL,
	CHECK_TIMEOUT,
	CHECK_START_PERIOD,
	CHECK_START_INTERVAL,
	CHECK_RETRIES,
	CHECK_SUCCESS_THRESHOLD,
	CHECK_JITTER,
	CHECK_EXPECT,
	CHECK_METHOD,
	CHECK_HEADER,
	CHECK_BODY,
	CHECK_BEARER_FILE, /* of a page alone */
	CHECK_KEY_COUNT,
};

/* "name", "interval", ... */
const char *check_key_name(enum check_key key);

/* A check's times and counts, named as HEALTHCHECK of the Dockerfile reference and Kubernetes's probes name them. */
struct check_timing {
	int64_t interval_ns;        /* between the end of one run and the start of the next, once it was healthy */
	int64_t start_interval_ns;  /* the same until it is healthy for the first time */
	int64_t timeout_ns;         /* one run */
	int64_t start_period_ns;    /* failures in it do not count, until the first success */
	unsigned retries;           /* failures in a row that make it unhealthy, 1 to 1000 */
	unsigned success_threshold; /* successes in a row that make it healthy, at first and again, 1 to 1000 */
	unsigned jitter_percent;    /* of the interval: so much at the most is added to it at random, 0 to 100 */
};

/* What an HTTP check sends, and what it takes for a success. All zero: GET, a status from 200 to 399, any body. */
struct exchange {
	const char *method; /* NULL: GET */
	size_t header_count;
	const char *header[EXCHANGE_HEADERS_MAX]; /* "Name: value" */
	const char *body;                         /* text that the body must contain; NULL: any body will do */
	const char *content;                      /* what is sent behind the headers; NULL: nothing */
	struct expected expected;
};

struct check {
	enum check_kind kind;
	uint32_t given;          /* a bit for each enum check_key that is said of this very check */
	const char *name;        /* the label in pages, metrics and messages */
	const char *text;        /* TARGET as it was written */
	char **command;          /* of exec: NULL-terminated; else NULL */
	const char *bearer_file; /* of a page: absolute path of its token, or NULL */
	struct target target;
	struct check_timing timing;
	struct exchange exchange;
};

/* The live check that --watchdog is. */
static inline bool check_is_watchdog(const struct check *check)
{
	return check->kind == CHECK_LIVE && check->target.kind == TARGET_NOTIFY;
}

/* HEALTHCHECK's own times (Dockerfile reference). */
extern const struct check_timing check_default_timing;

/* Takes the next check out of the text, from *at on, and moves *at behind it. The text is cut up: what the check says
 * points into it, but for the words of a command, which are allocated for the life of the process. Returns 1; 0 where
 * nothing is left; -EINVAL or -ENOMEM with a sentence that says which setting is wrong, or
 * which target. */
int check_parse(char *text, size_t *at, enum check_kind kind, struct check *ret_check, struct complaint *ret_why);

/* The same in steps, for who reads no text: settings one by one, and the TARGET (both borrowed, not empty), then what
 * only the whole of it shows. Each returns 0, or -EINVAL or -ENOMEM with a sentence. */
int check_set(enum check_key key, const char *value, struct check *check, struct complaint *ret_why);
int check_set_target(char *text, struct check *check, struct complaint *ret_why);
int check_set_command(char **words, struct check *check, struct complaint *ret_why); /* of exec:, word by word */
int check_complete(struct check *check, struct complaint *ret_why);

/* Refuses a command that was split at blanks and has a quote at the beginning of a word. */
int check_refuse_quotes(const struct check *check, struct complaint *ret_why);

/* What is not said of this very check it takes from what is said of all. */
void check_inherit(struct check *check, const struct check_timing *timing, const struct expected *expected);
