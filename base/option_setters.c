#include "base/option_setters.h"

#include "base/option_values.h"

#define SHORTEST_TIMEOUT 1000000   /* 1 ms */
#define SHORTEST_INTERVAL 10000000 /* 10 ms */

int option_set(enum setter setter, const char *value, void *member, struct complaint *ret_why)
{
	switch (setter) {
	case SET_NOTHING:
		return 0;
	case SET_TEXT:
		*(const char **)member = value;
		return 0;
	case SET_BOOL:
		return value_read_bool(value, member, ret_why);
	case SET_SIGNAL:
		return value_read_signal(value, member, ret_why);
	case SET_PATH:
		return value_read_path(value, member, ret_why);
	case ADD_PATH:
		return value_add_path(value, member, ret_why);
	case SET_DURATION:
		return value_read_duration(value, 0, member, ret_why);
	case SET_TIMEOUT:
		return value_read_duration(value, SHORTEST_TIMEOUT, member, ret_why);
	case SET_INTERVAL:
		return value_read_duration(value, SHORTEST_INTERVAL, member, ret_why);
	default:
		return setter <= SET_SECURITY_LEVEL ? option_set_confinement(setter, value, member, ret_why)
						    : option_set_supervision(setter, value, member, ret_why);
	}
}
