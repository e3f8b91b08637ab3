/* What holds in every story that PID 1 can be told, in whatever order. The property test of test_supervise.c and the
 * fuzzer of tests/fuzz tell the stories; the rules are here once, for both. */
#pragma once

#include "init/supervise.h"

/* What stories came to, so that a test can see that they came to everything. */
struct supervise_told {
	unsigned states;  /* a bit for each enum supervise_state that was entered */
	unsigned actions; /* a bit for each enum supervise_action_type that was asked for */
};

/* Tells the story that the bytes spell: a policy, then events and the time between them; and behind the last of them
 * lets time pass, with nothing but EVENT_TIME, until no deadline is left. Any bytes are a story. *told gathers.
 * Returns NULL, or the rule that was broken (a static string). */
const char *supervise_story(const uint8_t *bytes, size_t length, struct supervise_told *told);
