/* Text that grows up to a limit. The first failure sticks: every later write is ignored, and the text is refused as a
 * whole, so that half a page can never be mistaken for a page. Pure: memory only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buffer {
	char *text; /* owned */
	size_t length;
	size_t size;
	size_t limit; /* most bytes of text */
	int error;    /* 0, or the -errno that sticks: -ENOMEM, -EFBIG, or what buffer_fail() was told */
};

/* An empty text of at most `limit` bytes. Nothing is allocated yet. */
void buffer_open(struct buffer *buffer, size_t limit);
/* Makes -errno stick, unless another one already does. */
void buffer_fail(struct buffer *buffer, int error);

void buffer_add(struct buffer *buffer, const char *bytes, size_t length);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_u64(struct buffer *buffer, uint64_t value);
void buffer_add_i64(struct buffer *buffer, int64_t value);
/* Nanoseconds as seconds, in full and exact: 1500000000 is "1.5", 1 is "0.000000001". No double is involved, because
 * a wall clock in nanoseconds (1.7e18) does not fit into its 53 bits. */
void buffer_add_seconds(struct buffer *buffer, int64_t ns);

/* Hands over the text, which ends in a NUL that is not counted and is freed by the caller with free(). Returns 0, or
 * the error that stuck; then the text is gone. Either way the buffer is empty and closed. */
int buffer_take(struct buffer *buffer, char **ret_text, size_t *ret_length);
