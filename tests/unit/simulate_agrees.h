/* Holds the simulator to bpf_run(): for a given call exactly one case holds, and its answer is the machine's. */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

/* NULL, or what is not as it must be. A program that filter_check() refuses is not looked at; a verdict that is not
 * complete must only be no crash. */
const char *simulate_disagrees(const struct sock_filter *insn, size_t length, const struct seccomp_data *data);

/* Makes a program of bytes that is likely to be one which seccomp(2) takes: codes from the list that it allows, jumps
 * inside, a return at its end. Returns the number of instructions, at most 64. */
size_t simulate_program(const unsigned char *bytes, size_t length, struct sock_filter ret_insn[64]);
