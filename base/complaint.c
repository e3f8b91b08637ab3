#include "base/complaint.h"

#include <stdarg.h>
#include <stdio.h>

void complaint_flatten(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

int complain(struct complaint *ret_why, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_why->text, sizeof ret_why->text, format, args);
	va_end(args);
	complaint_flatten(ret_why->text);
	return -err;
}
