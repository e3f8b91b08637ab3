/* What HTML is written with. Pure. */
#pragma once

#include "metrics/buffer.h"

/* HTML as it is: the program's own. */
void html(struct buffer *page, const char *text);
/* Text from anywhere, at most WIRE_NAME_SIZE - 1 bytes of it: what has a meaning in HTML loses it. */
void html_escaped(struct buffer *page, const char *text);
/* A duration, of 0 where it is negative. */
void html_span(struct buffer *page, int64_t ns);
/* A number, and what it is of: " time" or " times". */
void html_count(struct buffer *page, uint64_t count, const char *of_one, const char *of_many);
/* Tenths of a unit: "48.2", "512". */
void html_tenths(struct buffer *page, uint64_t tenths);
/* "512 KiB", "48.2 MiB". */
void html_bytes(struct buffer *page, uint64_t bytes);
/* Text as above, in a span of that class. */
void html_coloured(struct buffer *page, const char *colour, const char *text);
