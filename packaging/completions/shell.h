/* How the completions of a shell are written. */
#pragma once

#include "packaging/completions/completion.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef void write_option(const struct context *context, const struct choice *choice, FILE *out);

/* A shell's writers. Those of a context stand around those of its options; its operand comes behind these. */
struct shell {
	char name[5];
	void (*begin)(FILE *out);
	void (*begin_context)(const struct context *context, FILE *out); /* or NULL */
	write_option *option;
	void (*operand)(const struct context *context, FILE *out);
	void (*end)(FILE *out); /* or NULL */
};

extern const struct shell bash, zsh, fish;

/* True for "health", not for a run or for "seccomp explain". */
bool is_subcommand(const struct context *context);

/* Text between single quotes; before what is in `special` goes a backslash. */
void write_escaped(const char *text, const char *special, FILE *out);

/* Those of a run that the context takes, and then its own. */
void for_each_option(const struct context *context, write_option *write, FILE *out);
