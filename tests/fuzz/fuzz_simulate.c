/* libFuzzer: looks for a BPF program that the check takes and the machine does not run, or of which the simulator says
 * something else than it does. Built and run by tests/fuzz/run. The first byte says whether the instructions are as the
 * bytes have them or made to be likely ones. */
#include "tests/unit/simulate_agrees.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct seccomp_data data;
	struct sock_filter insn[64];
	const char *wrong;
	size_t count;
	bool raw;

	if (length < 1 + sizeof data)
		return 0;
	raw = bytes[0] & 1;
	memcpy(&data, bytes + 1, sizeof data);
	bytes += 1 + sizeof data;
	length -= 1 + sizeof data;
	if (raw) {
		count = length / sizeof insn[0] > 64 ? 64 : length / sizeof insn[0];
		memcpy(insn, bytes, count * sizeof insn[0]);
	} else {
		count = simulate_program(bytes, length, insn);
	}
	wrong = simulate_disagrees(insn, count, &data);
	if (wrong != NULL) {
		fprintf(stderr, "broken: %s\n", wrong);
		abort();
	}
	return 0;
}
