/* Compiles a user's profile outside of PID 1: libseccomp and cJSON, fed by somebody else's file, run in a child that
 * is thrown away; PID 1 sees bytes of a known shape only. */
#pragma once

#include "seccomp-profiles/compile.h"

#define SECCOMP_COMPILE_TIMEOUT_MS 10000

/* As seccomp_compile_file(), in a forked child. Blocks until it is done, for SECCOMP_COMPILE_TIMEOUT_MS at most, then
 * kills it; reaps it in every case. Call it before there is a thread. Also -ETIMEDOUT, -EPROTO (the child died or did
 * not keep to the form), and the errors of pipe2(2) and fork(2). */
int seccomp_compile_in_child(const char *path, const struct seccomp_context *context,
	struct seccomp_program *ret_program, struct seccomp_warnings *ret_warnings, struct complaint *ret_why);
