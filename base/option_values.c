#include "base/option_values.h"

#include "base/duration.h"
#include "base/signame.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int value_read_bool(const char *value, bool *ret_bool, struct complaint *ret_why)
{
	static const char yes[][6] = { "yes", "true", "on", "1" }, no[][6] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
			*ret_bool = strcasecmp(value, yes[i]) == 0;
			return 0;
		}
	}
	return complain(ret_why, EINVAL, "'%s': expected yes or no", value);
}

int value_read_number(const char *value, int least, int most, int *ret_number, struct complaint *ret_why)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (!isdigit((unsigned char)value[*value == '-']) || *end != '\0' || number < least || number > most)
		return complain(ret_why, EINVAL, "'%s': expected a number from %d to %d", value, least, most);
	*ret_number = (int)number;
	return 0;
}

const char *value_next_number(const char *list, unsigned most, unsigned *ret_number)
{
	char *end;
	unsigned long number = strtoul(list, &end, 10);

	if (!isdigit((unsigned char)*list) || (*end != '\0' && *end != ',') || number > most || strcmp(end, ",") == 0)
		return NULL;
	*ret_number = (unsigned)number;
	return end + (*end == ',');
}

const char *value_next_word(const char **list, char *ret_word, size_t size)
{
	size_t length = strcspn(*list, ",");

	snprintf(ret_word, size, "%.*s", (int)length, *list);
	*list += length + ((*list)[length] == ',');
	return ret_word;
}

int value_read_duration(const char *value, int64_t smallest, int64_t *ret_ns, struct complaint *ret_why)
{
	return duration_read(value, smallest, ret_ns, ret_why);
}

int value_read_signal(const char *value, int *ret_signal, struct complaint *ret_why)
{
	if (signal_parse(value, ret_signal) < 0)
		return complain(ret_why, EINVAL, "unknown signal '%s' (TERM, SIGTERM, 15, RTMIN+3 ...)", value);
	return 0;
}

int value_check_absolute(const char *path, struct complaint *ret_why)
{
	return path[0] == '/' ? 0 : complain(ret_why, EINVAL, "'%s': expected an absolute path", path);
}

int value_read_path(const char *value, const char **ret_path, struct complaint *ret_why)
{
	int error = value_check_absolute(value, ret_why);

	if (error == 0)
		*ret_path = value;
	return error;
}

int value_add_path(const char *value, struct path_list *list, struct complaint *ret_why)
{
	int error = value_check_absolute(value, ret_why);

	if (error < 0)
		return error;
	if (list->count == MODEL_PATHS_MAX)
		return complain(ret_why, E2BIG, "'%s': at most %d paths", value, MODEL_PATHS_MAX);
	list->path[list->count++] = value;
	return 0;
}
