/* libFuzzer: looks for a text that breaks the reading of cron's expressions, or the next time of one. Built and run by
 * tests/fuzz/run. */
#include "base/cron.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* The first eight bytes are a time, the rest is a text. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct complaint why = { "" };
	struct cron cron;
	uint64_t after;
	int64_t next;
	char *text;

	if (length < sizeof after)
		return 0;
	memcpy(&after, bytes, sizeof after);
	after %= UINT64_C(1) << 40;
	text = strndup((const char *)bytes + sizeof after, length - sizeof after);
	if (cron_parse(text, &cron, &why) == 0) {
		next = cron_next(&cron, (int64_t)after);
		require(next != CRON_NEVER, "what is read is due some time");
		require(next > (int64_t)after && next % 60 == 0, "a minute behind");
		require(cron_next(&cron, next - 1) == next, "the same from close by");
	} else {
		require(why.text[0] != '\0', "a refusal has a sentence");
	}
	free(text);
	return 0;
}
