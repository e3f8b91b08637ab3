/* A command in one string, as --pre-stop has it: split at blanks, no quotes, no shell. */
#pragma once

#include <stddef.h>

/* Splits text in place; *ret_words gets at most size - 1 words, which point into it, and then NULL. Returns the number
 * of words, or -E2BIG. */
int words_split(char *text, size_t size, char *ret_words[]);
