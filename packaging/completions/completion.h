/* What a shell completes behind nest-init: the options of a run as base/option_table.h has them, the subcommands and
 * their own options, and what each takes as its value. */
#pragma once

#include "base/option_table.h"

/* How a value is completed. */
enum value_kind {
	VALUE_IS_FREE,   /* a time, a number: nothing is offered */
	VALUE_IS_WORD,   /* one of the words; behind one that ends with = : or / something follows */
	VALUE_IS_LIST,   /* some of the words, with commas between */
	VALUE_IS_TARGET, /* a word; behind file: and unix: a path */
	VALUE_IS_FILE,   /* a file, or one of the words */
	VALUE_IS_DIRECTORY,
	VALUE_IS_USER,
	VALUE_IS_GROUP,
	VALUE_IS_PROCESS,
	VALUE_IS_COMMAND, /* a program, and what that one takes */
	VALUE_KIND_COUNT,
};

struct value {
	enum value_kind kind;
	const char *words; /* with blanks between; "" if there are none */
};

/* What an option of a run takes. The words live until the next call. */
struct value value_of_option(enum option option);

/* An option of a subcommand's own. */
struct choice {
	const char *name; /* without its dashes; NULL behind the last */
	char letter;      /* a second name, -o; 0: none */
	uint8_t takes;    /* enum option_value */
	enum value_kind kind;
	const char *words;
	const char *help;
};

#define CHOICES_MAX 8

/* Where a word may stand: behind `nest-init`, or behind a subcommand. */
struct context {
	const char *name; /* "seccomp explain"; "" for a run */
	const char *help;
	int options_end;      /* it takes the options of a run before this one */
	enum value_kind kind; /* what stands behind its options */
	const char *words;
	struct choice choices[CHOICES_MAX];
};

extern const struct context contexts[];
extern const size_t context_count;
