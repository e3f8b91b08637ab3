/* Reads lines "AFTER EXPRESSION" and writes the next times of each behind AFTER, or what is wrong. */
#include "base/cron.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMES 5

int main(void)
{
	char line[1024];

	while (fgets(line, sizeof line, stdin) != NULL) {
		struct complaint why;
		struct cron cron;
		char *expression;
		int64_t when = strtoll(line, &expression, 10);

		line[strcspn(line, "\n")] = '\0';
		if (cron_parse(expression, &cron, &why) < 0) {
			puts(why.text);
			continue;
		}
		for (int i = 0; i < TIMES; i++)
			printf("%" PRId64 "%c", when = cron_next(&cron, when), i + 1 < TIMES ? ' ' : '\n');
	}
	return 0;
}
