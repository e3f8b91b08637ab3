#include "base/paint.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool in_colour;

void paint_begin(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	in_colour = isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
}

void paint(enum colour colour)
{
	static const char codes[][8] = { "\033[0m", "\033[1;31m", "\033[32m", "\033[1;33m" };

	if (in_colour)
		fputs(codes[colour], stdout);
}

void paint_text(enum colour colour, const char *text)
{
	paint(colour);
	fputs(text, stdout);
	paint(PLAIN);
}
