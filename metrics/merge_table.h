/* The inside of a merge, for merge.c and merge_write.c. */
#pragma once

#include "metrics/merge.h"

#define MERGE_NONE UINT32_MAX
#define MERGE_SUFFIXES 5

/* What a type's samples are called behind the family's name, in the order of this list. */
struct merge_type {
	char openmetrics[16];
	char text[10];                   /* its type in the text format */
	char head[8];                    /* behind the name there: HELP and TYPE name the sample */
	char suffix[MERGE_SUFFIXES][10]; /* the first `main` are the family's in the text format, too; there the further
					  * ones are gauges of their own */
	uint8_t main, samples, claims;   /* `samples` of them are names of samples; all `claims` are taken by it */
};

extern const struct merge_type merge_types[];

struct merge_family {
	struct span name; /* without what the samples have behind it */
	struct span help, unit;
	enum app_format help_format;
	enum app_type type;
	uint32_t first, last; /* series; MERGE_NONE */
	uint8_t pages;        /* a bit for each page that has said it */
};

struct merge_series {
	uint32_t at; /* of its line in its page */
	uint32_t next;
	uint8_t page, suffix;
};

/* Sixty-four bits of a hash with a secret key stand for a text: of a hundred thousand series two share them once in
 * three thousand million pages, and nobody can bring that about. */
struct merge_entry {
	uint64_t hash; /* 0: free */
	uint32_t value;
};

struct merge {
	const struct app_page *pages;
	struct siphash_key key;
	struct merge_family *families;
	struct merge_series *series;
	struct merge_entry *entries;
	size_t family_count, series_count, entry_mask;
};

/* The family and the suffix that claim the name made of these two pieces; MERGE_NONE: nobody does. */
uint32_t merge_claimed_by(const struct merge *merge, struct span name, const char *suffix, size_t *ret_suffix);
