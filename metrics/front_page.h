/* The page at /, for people: HTML without a script, from facts. Pure. */
#pragma once

#include "metrics/history.h"
#include "metrics/page.h"

#define FRONT_PAGE_MAX (8 * 1024 * 1024)
#define FRONT_PAGE_TYPE "text/html; charset=utf-8"

/* Content-Security-Policy: nothing is loaded, nothing runs, and of styles the page's own alone holds, by its hash. */
extern const char front_page_policy[];

struct front_facts {
	const struct page_facts *known; /* the same that /metrics is made of */
	const uint8_t *healthy;         /* verdicts, 0 or 1 for each enum check_kind */
	const uint32_t *runs;           /* of each check the last 32, the lowest bit the last: 1 a success */
	const struct history *history;
	int64_t wall_ns; /* now */
};

/* Writes the page: whole or not at all. Returns 0, -EFBIG or -ENOMEM. */
int front_page(const struct front_facts *facts, char **ret_text, size_t *ret_length);
