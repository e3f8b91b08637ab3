/* What becomes of a service's standard output and error, in docker's words for it. Pure. */
#pragma once

#include "base/complaint.h"

#include <stdbool.h>
#include <stdint.h>

enum logging_format {
	LOGGING_NONE, /* they are the service's own */
	LOGGING_TAGGED,
	LOGGING_JSON,
	LOGGING_FORMAT_COUNT,
};

/* "none", "tagged", "json". */
const char *logging_format_name(enum logging_format format);

enum logging_key {
	LOGGING_FORMAT,
	LOGGING_FILE,
	LOGGING_MAX_SIZE,
	LOGGING_MAX_FILE,
	LOGGING_MODE,
	LOGGING_MAX_BUFFER_SIZE,
	LOGGING_KEY_COUNT,
};

struct logging {
	enum logging_format format;
	const char *file;         /* absolute; NULL: our own standard output and error */
	uint64_t max_size;        /* of a file, in bytes; 0: not said */
	unsigned max_file;        /* files, the one that is written to among them; 0: not said */
	bool non_blocking;        /* lines that nobody takes are dropped and counted; else who writes them waits */
	uint64_t max_buffer_size; /* of lines that wait; 0: not said */
};

#define LOGGING_MAX_SIZE_DEFAULT (UINT64_C(10) << 20)
#define LOGGING_MAX_FILE_DEFAULT 5
#define LOGGING_MAX_BUFFER_DEFAULT (UINT64_C(1) << 20)

/* Sets one thing; whoever sets another than the format asks for logs (tagged ones, unless it is said). The text is
 * borrowed. Returns 0, or -EINVAL or -ERANGE with a sentence. */
int logging_set(enum logging_key key, const char *value, struct logging *logging, struct complaint *ret_why);

/* FORMAT[,KEY=VALUE...], the keys as docker's options are called: file, max-size, max-file, mode, max-buffer-size. What
 * was set before is gone. The text is cut up, and borrowed. As above; or what only the whole shows. */
int logging_parse(char *text, struct logging *ret_logging, struct complaint *ret_why);

/* What only the whole shows: -EINVAL for what means nothing beside the rest. */
int logging_check(const struct logging *logging, struct complaint *ret_why);
