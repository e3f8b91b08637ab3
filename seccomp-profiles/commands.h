/* The subcommands of `nest-init seccomp`, a file each, and what several of them take. */
#pragma once

#include "seccomp-profiles/compile.h"

#define EXIT_REFUSED 125 /* our own refusals, as docker run has it */

/* argv[0] is the subcommand's own name. Each returns the exit status. */
int seccomp_compile_main(int argc, char **argv);

/* "nest-init seccomp: WHAT: WHY" on standard error. Returns EXIT_REFUSED. */
int command_refuse(const char *what, const char *why);
/* What getopt_long(3) did not like, `code` being its answer. Returns EXIT_REFUSED. */
int command_refuse_option(int code, char *const *argv);
/* The context of this machine, with the bounding set that we run under. */
void command_context(struct seccomp_context *ret_context);
/* --caps LIST: all, none, or names with commas between them. Returns 0 or EXIT_REFUSED. */
int command_take_caps(const char *list, struct seccomp_context *context);
/* --arch NAME: amd64 or arm64. Returns 0 or EXIT_REFUSED. */
int command_take_arch(const char *name, struct seccomp_context *context);
