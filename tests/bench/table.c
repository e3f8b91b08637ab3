#include "bench.h"

#include <stdarg.h>
#include <unistd.h>

#define TITLE 27
#define CELL 12

static const char *colour(const char *code)
{
	return isatty(STDOUT_FILENO) ? code : "";
}

void table_head(const char *title, const struct program *const *columns, size_t count, const char *side)
{
	printf("\n%s%-*s", colour("\033[1m"), TITLE, title);
	for (size_t i = 0; i < count; i++)
		printf("%*s  ", CELL - 2, columns[i]->name);
	printf("  %s%s\n", side, colour("\033[0m"));
	fflush(stdout);
}

void table_row(const char *title, bool faint)
{
	printf("%s%-*s", faint ? colour("\033[2m") : "", TITLE, title);
}

void table_value(const char *format, double value)
{
	char text[32];

	snprintf(text, sizeof text, format, value);
	table_text(text);
}

void table_text(const char *text)
{
	printf("%*s  ", CELL - 2, text);
}

static void judged_text(const char *text, bool pass)
{
	printf("%s%*s %s%s", colour(pass ? "\033[32m" : "\033[31m"), CELL - 2, text, pass ? "✓" : "✗",
		colour("\033[0m"));
}

void table_judged(const char *format, double value, bool pass)
{
	char text[32];

	snprintf(text, sizeof text, format, value);
	judged_text(text, pass);
}

void table_interval(double low, double high, bool pass)
{
	char text[32];

	snprintf(text, sizeof text, "%.2f-%.2f", low, high);
	judged_text(text, pass);
}

void table_side(const char *text)
{
	printf("  %s%s\n", text, colour("\033[0m"));
	fflush(stdout);
}

void table_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("  ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
}
