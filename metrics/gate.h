/* Decides who sees the guarded pages: the users and tokens of --metrics-users and --metrics-tokens, read again when
 * their files change. A password is hashed by a child process, one at a time, so that nobody waits but who sent it;
 * what was right or wrong lately is known at once, by a keyed hash. After a wrong one the next is hashed three times as
 * long later as it took: guessing costs a quarter of one processor at the most, and whom the files name is let in
 * meanwhile if he was before. */
#pragma once

#include "metrics/serve.h"

struct gate;

/* Paths (borrowed): NULL for none. Files that cannot be read, or say nothing that is understood, let nobody in until
 * they do, which is told. Returns 0 or -errno. */
int gate_open(
	const char *users_path, const char *tokens_path, void (*tell)(const char *sentence), struct gate **ret_gate);

const struct serve_guard *gate_guard(const struct gate *gate);

/* What to wait for: one slot, which may be negative. */
void gate_poll(const struct gate *gate, struct pollfd *ret_slot);
/* When gate_run() is due at the latest, or TIME_NEVER. */
int64_t gate_deadline_ns(const struct gate *gate);
/* Returns true if requests that wait are to be asked about again. */
bool gate_run(struct gate *gate, int64_t now_ns);
