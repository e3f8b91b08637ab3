/* The subcommands of `nest-init seccomp`, a file each, and what several of them take. */
#pragma once

#include "base/json_write.h"
#include "seccomp-profiles/compile.h"
#include "seccomp-profiles/source.h"

#define EXIT_REFUSED 125     /* our own refusals, as docker run has it */
#define COMMAND_NAME_SIZE 40 /* of a syscall */

/* argv[0] is the subcommand's own name. Each returns the exit status. */
int seccomp_compile_main(int argc, char **argv);
int seccomp_diff_main(int argc, char **argv);
int seccomp_explain_main(int argc, char **argv);
int seccomp_record_main(int argc, char **argv);

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
/* The help on standard output. Returns 0 or EXIT_REFUSED. */
int command_help(const char *help);
/* Says what is wrong, or that the profile has names that are not known. Returns 0 or EXIT_REFUSED; source_close() is
 * the caller's in both cases. */
int command_open(const char *name, struct seccomp_context *context, struct source *ret_source);
/* What filter_verdict_print() says. */
void command_json_verdict(struct json_writer *json, const char *key, const struct filter_verdict *verdict);
