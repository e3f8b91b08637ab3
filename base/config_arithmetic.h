/* What ${...} of the configuration file computes of the container's memory: whole numbers that are never negative, with
 * + - * / and parentheses as in C, sizes (64MiB), min(A, B ...), max(A, B ...), and N% behind or before a *. A quotient
 * and a percentage are rounded down. Pure.
 *
 *     memory.limit * 75% / 1MiB
 *     memory.limit:-2GiB           2GiB where the container has no limit
 *     min(memory.limit:-memory.total, 8GiB) - 64MiB */
#pragma once

#include "base/complaint.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_MEMORY_PREFIX "memory."

/* In bytes. */
struct config_memory {
	uint64_t limit; /* what this container may have at the most (base/memory_limit.h); 0: it has no limit */
	uint64_t total; /* what the machine has; 0: not known */
};

/* True if the text is to be computed, and is no variable. */
bool config_is_arithmetic(const char *text);

/* Computes the text, which a closing brace ends. Returns 0; -ENOENT where it asks for a limit that there is not;
 * -EINVAL for what is no expression, -ERANGE for what is below zero or above 64 bits, -EDOM for a division by zero;
 * each with a sentence that quotes the text from the place on. */
int config_arithmetic(
	const char *text, const struct config_memory *memory, uint64_t *ret_value, struct complaint *ret_why);
