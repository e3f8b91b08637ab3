/* libFuzzer: looks for a story that breaks a rule of supervise_invariants.c. Built and run by tests/fuzz/run. */
#include "tests/unit/supervise_invariants.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct supervise_told told = { 0 };
	const char *broken = supervise_story(bytes, length, &told);

	if (broken != NULL) {
		fprintf(stderr, "broken: %s\n", broken);
		abort();
	}
	return 0;
}
