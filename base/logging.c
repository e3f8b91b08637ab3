#include "base/logging.h"

#include "base/size.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST_FILE (UINT64_C(128) << 10) /* the longest line fits into it, in whatever envelope */
#define LARGEST_FILE (UINT64_C(1) << 40)
#define FILES_MAX 1000
#define FILE_NAME_MAX 1024
#define SMALLEST_BUFFER (UINT64_C(256) << 10)
#define LARGEST_BUFFER (UINT64_C(64) << 20)

static const char formats[][8] = { "none", "tagged", "json" };
static_assert(sizeof formats / sizeof formats[0] == LOGGING_FORMAT_COUNT, "a name for every format");

static const char keys[][16] = { "format", "file", "max-size", "max-file", "mode", "max-buffer-size" };
static_assert(sizeof keys / sizeof keys[0] == LOGGING_KEY_COUNT, "a name for every key");

const char *logging_format_name(enum logging_format format)
{
	return formats[format];
}

static int set_format(const char *value, struct logging *logging, struct complaint *ret_why)
{
	for (enum logging_format format = 0; format < LOGGING_FORMAT_COUNT; format++) {
		if (strcmp(value, formats[format]) == 0) {
			logging->format = format;
			return 0;
		}
	}
	return complain(ret_why, EINVAL, "'%.100s': expected tagged, json or none", value);
}

static int set_file(const char *value, const char **ret_file, struct complaint *ret_why)
{
	if (*value != '/' || value[strlen(value) - 1] == '/')
		return complain(ret_why, EINVAL, "file '%.100s': expected the absolute path of a file", value);
	if (strlen(value) > FILE_NAME_MAX)
		return complain(ret_why, EINVAL, "file '%.100s...': longer than %d bytes", value, FILE_NAME_MAX);
	*ret_file = value;
	return 0;
}

static int set_size(const char *key, const char *value, uint64_t least, uint64_t most, uint64_t *ret_size,
	struct complaint *ret_why)
{
	uint64_t size;

	if (size_parse(value, &size) < 0)
		return complain(ret_why, EINVAL, "%s '%.100s': expected a size such as 10m", key, value);
	if (size < least || size > most)
		return complain(ret_why, ERANGE, "%s '%.100s': expected %lluk to %llum", key, value,
			(unsigned long long)least >> 10, (unsigned long long)most >> 20);
	*ret_size = size;
	return 0;
}

static int set_count(const char *value, unsigned *ret_count, struct complaint *ret_why)
{
	char *end;
	unsigned long count = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end != '\0' || count < 1 || count > FILES_MAX)
		return complain(ret_why, EINVAL, "max-file '%.100s': expected a number from 1 to %d", value, FILES_MAX);
	*ret_count = (unsigned)count;
	return 0;
}

static int set_mode(const char *value, bool *ret_non_blocking, struct complaint *ret_why)
{
	if (strcmp(value, "blocking") != 0 && strcmp(value, "non-blocking") != 0)
		return complain(ret_why, EINVAL, "mode '%.100s': expected blocking or non-blocking", value);
	*ret_non_blocking = *value == 'n';
	return 0;
}

int logging_set(enum logging_key key, const char *value, struct logging *logging, struct complaint *ret_why)
{
	if (key != LOGGING_FORMAT && logging->format == LOGGING_NONE)
		logging->format = LOGGING_TAGGED;
	switch (key) {
	case LOGGING_FORMAT:
		return set_format(value, logging, ret_why);
	case LOGGING_FILE:
		return set_file(value, &logging->file, ret_why);
	case LOGGING_MAX_SIZE:
		return set_size(keys[key], value, SMALLEST_FILE, LARGEST_FILE, &logging->max_size, ret_why);
	case LOGGING_MAX_FILE:
		return set_count(value, &logging->max_file, ret_why);
	case LOGGING_MODE:
		return set_mode(value, &logging->non_blocking, ret_why);
	default:
		return set_size(keys[key], value, SMALLEST_BUFFER, LARGEST_BUFFER, &logging->max_buffer_size, ret_why);
	}
}

int logging_check(const struct logging *logging, struct complaint *ret_why)
{
	if (logging->file == NULL && (logging->max_size > 0 || logging->max_file > 0))
		return complain(ret_why, EINVAL, "max-size and max-file are of a file: say which (file=PATH)");
	if (!logging->non_blocking && logging->max_buffer_size > 0)
		return complain(ret_why, EINVAL, "max-buffer-size is of mode=non-blocking");
	return 0;
}

static int set_pair(char *pair, struct logging *logging, struct complaint *ret_why)
{
	char *value = strchr(pair, '=');
	enum logging_key key = LOGGING_FILE;

	if (value != NULL)
		*value++ = '\0';
	while (key < LOGGING_KEY_COUNT && strcmp(pair, keys[key]) != 0)
		key++;
	if (key == LOGGING_KEY_COUNT)
		return complain(ret_why, EINVAL,
			"no setting '%.100s': expected file, max-size, max-file, mode or max-buffer-size", pair);
	if (value == NULL || *value == '\0')
		return complain(ret_why, EINVAL, "%s: a value is missing (%s=...)", pair, pair);
	return logging_set(key, value, logging, ret_why);
}

int logging_parse(char *text, struct logging *ret_logging, struct complaint *ret_why)
{
	struct logging logging = { .format = LOGGING_NONE };
	char *word = strsep(&text, ",");
	int error = set_format(word, &logging, ret_why);

	while (error == 0 && (word = strsep(&text, ",")) != NULL)
		error = set_pair(word, &logging, ret_why);
	if (error == 0)
		error = logging_check(&logging, ret_why);
	if (error == 0)
		*ret_logging = logging;
	return error;
}
