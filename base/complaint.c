#include "base/complaint.h"

#include <stdarg.h>
#include <stdio.h>

int complain(struct complaint *ret_why, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_why->text, sizeof ret_why->text, format, args);
	va_end(args);
	return -err;
}
