/* The figures about seccomp: what a system call costs, from the workload's own clock. */
#include "bench.h"

/* ns for a thousand of them, the median of the workload's batches. */
static int measure_calls(const struct program *program, const char *call, double *ret_value)
{
	const char *const words[] = { workload_path, "calls", call, NULL };
	struct instance it;
	int64_t ended, cost;
	int r = instance_start(program, words, &it);

	if (r < 0)
		return r;
	r = instance_hear(&it, &cost);
	if (r == 0)
		r = instance_wait_end(&it, &ended);
	if (r == 0)
		*ret_value = (double)cost;
	instance_destroy(&it);
	return r;
}

int measure_allowed_call(const struct program *program, double *ret_value)
{
	return measure_calls(program, "allowed", ret_value);
}

int measure_argument_call(const struct program *program, double *ret_value)
{
	return measure_calls(program, "argument", ret_value);
}

int measure_denied_call(const struct program *program, double *ret_value)
{
	return measure_calls(program, "denied", ret_value);
}
