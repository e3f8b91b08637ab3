/* Well-formed UTF-8 (RFC 3629): names and reasons come from command lines and from peers, and one stray byte makes
 * Prometheus refuse the whole scrape and JSON parsers the whole document. Pure. */
#pragma once

#include <stddef.h>

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
/* Room that a text of `size` bytes (its NUL included) may need once it is clean. */
#define UTF8_CLEAN_SIZE(size) (3 * (size))

/* Length in bytes, 1 to 4, of the well-formed character at `text`; 0 if there is none. The NUL is a character of 1. */
size_t utf8_step(const char *text);

/* Takes away what is left at the end of a text of a character that was cut. */
void utf8_trim(char *text);

/* Copies text with each stray byte replaced by U+FFFD and each control character by a blank. What does not fit into
 * `size` bytes (at least 1) is cut between characters; with UTF8_CLEAN_SIZE everything fits. */
void utf8_clean(const char *text, char *ret_clean, size_t size);
